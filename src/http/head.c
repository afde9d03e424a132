/* The request head parser. It reads downwards: lines, request line, target, fields, and what the
 * fields mean for framing. */
#include "http/head.h"

#include <string.h>

#include "http/chars.h"

/* ---- The end of a head ---- */

static bool is_plausible_start(str bytes, size_t start)
{
    if (bytes.len == start)
        return true;
    unsigned char first = (unsigned char)bytes.ptr[start];
    return http_is_token_char(first) || (first == '\r' && start == 0);
}

enum err http_head_scan(struct http_head_scan *scan, str bytes, size_t *out_end)
{
    for (;;) {
        if (!is_plausible_start(bytes, scan->start))
            return ERR_BAD_REQUEST;
        const char *newline = memchr(bytes.ptr + scan->scanned, '\n', bytes.len - scan->scanned);
        if (newline == NULL) {
            scan->scanned = bytes.len;
            return ERR_PENDING;
        }
        size_t end = (size_t)(newline - bytes.ptr);
        if (end == scan->line_start || bytes.ptr[end - 1] != '\r')
            return ERR_BAD_REQUEST;
        bool is_empty = end - 1 == scan->line_start;
        scan->scanned = scan->line_start = end + 1;
        if (!is_empty) {
            scan->line_count++;
        } else if (scan->line_count > 0) {
            *out_end = end + 1;
            return OK;
        } else {
            /* A second empty line fails at is_plausible_start. */
            scan->start = end + 1;
        }
    }
}

/* ---- Lines ---- */

/* Takes the first line off *rest, without its CRLF. False when there is no CRLF, or a CR inside. */
static bool take_line(str *rest, str *out_line)
{
    const char *newline = rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);
    if (newline == NULL || newline == rest->ptr || newline[-1] != '\r')
        return false;
    size_t len = (size_t)(newline - rest->ptr);
    *out_line = str_slice(*rest, 0, len - 1);
    *rest = str_skip(*rest, len + 1);
    return true;
}

/* ---- Request line ---- */

static enum err parse_version(str version, unsigned *out_minor)
{
    bool has_form = version.len == 8 && str_has_prefix(version, STR("HTTP/")) &&
                    version.ptr[6] == '.' && http_is_digit(version.ptr[5]) &&
                    http_is_digit(version.ptr[7]);
    if (!has_form)
        return ERR_BAD_REQUEST;
    if (version.ptr[5] != '1')
        return ERR_NOT_IMPLEMENTED;
    *out_minor =
        version.ptr[7] == '0' ? 0 : 1; /* a higher minor version is served as 1.1: RFC 9110 2.5 */
    return OK;
}

/* "http://authority/path" as sent to proxies; servers must take it too (RFC 9112 3.2.2). */
static enum err parse_absolute(str target, str *out_authority, str *out_origin)
{
    size_t scheme = str_has_prefix_nocase(target, STR("http://"))    ? 7
                    : str_has_prefix_nocase(target, STR("https://")) ? 8
                                                                     : 0;
    if (scheme == 0)
        return ERR_BAD_URI;
    str rest = str_skip(target, scheme);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    str authority = str_slice(rest, 0, len);
    if (authority.len == 0 || !http_is_host(authority))
        return ERR_BAD_URI;
    *out_authority = authority;
    *out_origin = str_skip(rest, len);
    return OK;
}

static enum err parse_target(str target, struct http_request *request)
{
    if (target.len == 0 || !http_is_target(target))
        return ERR_BAD_URI;
    request->target = target;
    str origin = target;
    if (str_eq(target, STR("*"))) {
        if (!str_eq(request->method, STR("OPTIONS")))
            return ERR_BAD_URI;
    } else if (target.ptr[0] != '/') {
        TRY(parse_absolute(target, &request->host, &origin));
    }
    request->has_query = str_cut(origin, '?', &request->path, &request->query);
    if (request->path.len == 0)
        request->path = STR("/");
    return OK;
}

/* A space in the target shows as a target that ends later: the version is what follows the last
 * space. */
static enum err parse_request_line(str line, struct http_request *request)
{
    str rest;
    if (!str_cut(line, ' ', &request->method, &rest) || !http_is_token(request->method))
        return ERR_BAD_REQUEST;
    const char *space = rest.len == 0 ? NULL : memrchr(rest.ptr, ' ', rest.len);
    if (space == NULL)
        return ERR_BAD_REQUEST;
    size_t target_len = (size_t)(space - rest.ptr);
    TRY(parse_version(str_skip(rest, target_len + 1), &request->minor_version));
    return parse_target(str_slice(rest, 0, target_len), request);
}

/* ---- Fields ---- */

static enum err parse_field(str line, struct pair *out_field)
{
    size_t len = 0;
    while (len < line.len && http_is_token_char((unsigned char)line.ptr[len]))
        len++;
    /* A folded line begins with a space and a space before the colon ends the name: both fail
     * here. */
    if (len == 0 || len == line.len || line.ptr[len] != ':')
        return ERR_BAD_REQUEST;
    str value = str_trim(str_skip(line, len + 1));
    if (!http_is_field_value(value))
        return ERR_BAD_REQUEST;
    *out_field = (struct pair){.name = str_slice(line, 0, len), .value = value};
    return OK;
}

enum err http_fields_parse(str lines, struct pair *field, size_t field_max, size_t *out_count)
{
    size_t count = 0;
    while (lines.len > 0) {
        str line;
        if (!take_line(&lines, &line))
            return ERR_BAD_REQUEST;
        if (count == field_max)
            return ERR_HEAD_TOO_LARGE;
        TRY(parse_field(line, &field[count]));
        count++;
    }
    *out_count = count;
    return OK;
}

/* ---- What the fields mean ---- */

/* What has been seen of the fields that may come once. */
struct framing {
    bool has_host;
    bool has_coding;
    bool has_close;
    bool has_keep_alive;
};

static enum err on_host(struct http_request *request, struct framing *seen, str value)
{
    if (seen->has_host || !http_is_host(value))
        return ERR_BAD_REQUEST;
    seen->has_host = true;
    /* The authority of an absolute target would outweigh Host (RFC 9112 3.2.2). A signature
     * covers Host, so two that differ could sign for one bucket and name another: they must
     * agree, as proxies see to. */
    if (request->host.len > 0 && !str_eq_nocase(request->host, value))
        return ERR_BAD_REQUEST;
    request->host = value;
    return OK;
}

static enum err on_content_length(struct http_request *request, str value)
{
    uint64_t length;
    if (request->has_length || str_to_u64(value, &length) != OK || length > INT64_MAX)
        return ERR_BAD_REQUEST;
    request->has_length = true;
    request->content_length = length;
    return OK;
}

static enum err on_transfer_encoding(struct http_request *request, struct framing *seen, str value)
{
    if (seen->has_coding || value.len == 0)
        return ERR_BAD_REQUEST;
    seen->has_coding = true;
    if (!str_eq_nocase(value, STR("chunked")))
        return ERR_NOT_IMPLEMENTED;
    request->is_chunked = true;
    return OK;
}

static void on_connection(struct framing *seen, str value)
{
    while (value.len > 0) {
        str item;
        (void)str_cut(value, ',', &item, &value);
        item = str_trim(item);
        if (str_eq_nocase(item, STR("close")))
            seen->has_close = true;
        else if (str_eq_nocase(item, STR("keep-alive")))
            seen->has_keep_alive = true;
    }
}

/* The length of a name tells most fields apart without comparing. */
static enum err on_field(struct http_request *request, struct framing *seen,
                         const struct pair *field)
{
    switch (field->name.len) {
    case sizeof("Host") - 1:
        if (str_eq_nocase(field->name, STR("Host")))
            return on_host(request, seen, field->value);
        return OK;
    case sizeof("Expect") - 1:
        if (str_eq_nocase(field->name, STR("Expect")) &&
            str_eq_nocase(field->value, STR("100-continue")))
            request->expects_continue = true;
        return OK;
    case sizeof("Connection") - 1:
        if (str_eq_nocase(field->name, STR("Connection")))
            on_connection(seen, field->value);
        return OK;
    case sizeof("Content-Length") - 1:
        if (str_eq_nocase(field->name, STR("Content-Length")))
            return on_content_length(request, field->value);
        return OK;
    case sizeof("Transfer-Encoding") - 1:
        if (str_eq_nocase(field->name, STR("Transfer-Encoding")))
            return on_transfer_encoding(request, seen, field->value);
        return OK;
    default:
        return OK;
    }
}

static enum err apply_fields(struct http_request *request)
{
    struct framing seen = {0};
    enum err unsupported = OK; /* told last: a head that is also malformed is malformed */
    for (size_t i = 0; i < request->header_count; i++) {
        enum err err = on_field(request, &seen, &request->header[i]);
        if (err == ERR_NOT_IMPLEMENTED)
            unsupported = err;
        else if (err != OK)
            return err;
    }
    bool is_old = request->minor_version == 0;
    if (!seen.has_host && !is_old)
        return ERR_BAD_REQUEST;
    if (seen.has_coding && (request->has_length || is_old))
        return ERR_BAD_REQUEST;
    request->keep_alive = !seen.has_close && (!is_old || seen.has_keep_alive);
    if (is_old)
        request->expects_continue = false; /* RFC 9110 10.1.1 */
    return unsupported;
}

enum err http_head_parse(str head, struct pair *header, size_t header_max,
                         struct http_request *out_request)
{
    struct http_request request = {.header = header};
    str line;
    if (!take_line(&head, &line))
        return ERR_BAD_REQUEST;
    TRY(parse_request_line(line, &request));
    if (!str_has_suffix(head, STR("\r\n")))
        return ERR_BAD_REQUEST;
    TRY(http_fields_parse(str_slice(head, 0, head.len - 2), header, header_max,
                          &request.header_count));
    TRY(apply_fields(&request));
    *out_request = request;
    return OK;
}
