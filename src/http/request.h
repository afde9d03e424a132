/* The head of a request, parsed (http/head.h does that), and the search for its fields. */
#pragma once

#include "base/pair.h"

/* Strings are borrowed: from the exchange's arena in the server, where they live until on_done returns. */
struct http_request {
    str method;
    str target; /* as sent */
    str path; /* raw, before '?'; of an absolute-form target: its path; "*" of an asterisk-form one */
    str query;           /* raw, after '?', without it; empty when there is none */
    str host;            /* Host, or the authority of an absolute-form target */
    bool has_query;      /* a '?' was there */
    struct pair *header; /* names as sent, values trimmed; repeated fields as sent */
    size_t header_count;
    uint64_t content_length; /* 0 when has_length is false */
    bool has_length;
    bool is_chunked;
    bool keep_alive;
    bool expects_continue;
    bool is_tls;
    unsigned minor_version; /* 0 or 1 */
    int64_t received_us;    /* monotonic: when the head was complete */
};

/* First header of that name (any case), or the empty str. */
str http_header(const struct http_request *request, str name);
bool http_has_header(const struct http_request *request, str name);
