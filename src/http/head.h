/* The head of an HTTP/1.1 request (RFC 9112 sections 2, 3, 5 and 6; RFC 9110 5.5): pure functions over bytes.
 *
 * Strict where leniency has been used to smuggle requests past proxies: CRLF ends a line and neither half stands alone; no
 * folded lines; no space before a colon; one Host; Content-Length once, digits only; Transfer-Encoding is "chunked" and
 * nothing else, once, never beside Content-Length and never in HTTP/1.0. One empty line before the request is passed over.
 *
 * Lenient where S3 clients need it: the target may hold raw bytes 0x80 to 0xff. */
#pragma once

#include "http/request.h"

/* Looks for the end of a head that arrives in pieces; each byte is looked at once. Zeroed to begin. */
struct http_head_scan {
    size_t start; /* where the request line begins: after an empty line */
    size_t line_start;
    size_t scanned;
    unsigned
        line_count; /* complete lines so far, the request line included, the last empty one not */
};

/* `bytes` is everything received since the head began: what was there in the last call, and more. OK: the head is
 * bytes[scan->start, *out_end). ERR_PENDING: not complete. ERR_BAD_REQUEST: it cannot become a request (a bare LF, a first
 * byte that begins no method: a TLS greeting, for example). */
enum err http_head_scan(struct http_head_scan *scan, str bytes, size_t *out_end);

/* Parses a whole head, its last empty line included. The strings of *out_request point into `head`, the fields are written
 * to `header` (up to header_max). Sets everything but is_tls and received_us.
 * ERR_BAD_REQUEST, ERR_BAD_URI (target), ERR_NOT_IMPLEMENTED (HTTP version or transfer coding), ERR_HEAD_TOO_LARGE (more
 * fields than header_max). */
enum err http_head_parse(str head, struct pair *header, size_t header_max,
                         struct http_request *out_request);

/* Parses field lines, each ended by CRLF, with no empty line: the fields of a head, or a chunked body's trailers. Errors as
 * above. */
enum err http_fields_parse(str lines, struct pair *field, size_t field_max, size_t *out_count);
