/* endpoint: the address of an S3 service as a person writes it: `http://127.0.0.1:9000`, `https://s3.example.org`,
 * `http://[::1]:9000/base`. Pure; all strs borrow from the text that was parsed. */
#pragma once

#include "base/fail.h"

struct endpoint {
    bool is_tls;
    str host;      /* name or address, without the brackets of an IPv6 address */
    uint16_t port; /* 80 or 443 when none was written */
    str authority; /* what a Host header carries: host and port as written */
    str path;      /* base path without a slash at its end; empty for none */
};

/* Reads an endpoint (RFC 3986, scheme http or https; without a scheme it is http). ERR_BAD_INPUT, with a sentence in
 * `fail`, for another scheme, user information, a query or fragment, a port outside 1..65535, or characters that have no
 * place in a request line. */
enum err endpoint_parse(str text, struct endpoint *out, struct fail *fail);
