/* Any bytes as the beginning of a connection. A head that comes byte by byte ends where the whole one ends; one that is
 * accepted has the form that the server relies on, and says the same when it is written again from its parts. */
#include "fuzz.h"

#include "base/buf.h"
#include "http/head.h"

enum { FIELD_MAX = 64, PIECES_MAX = 4096 };

static void check_pieces(str text, const struct http_head_scan *whole, enum err wanted,
                         size_t wanted_end)
{
    struct http_head_scan scan = {0};
    enum err err = ERR_PENDING;
    size_t end = 0;
    for (size_t len = 0; len <= text.len && err == ERR_PENDING; len++)
        err = http_head_scan(&scan, str_slice(text, 0, len), &end);
    FUZZ_CHECK(err == wanted);
    if (err == OK)
        FUZZ_CHECK(end == wanted_end && scan.start == whole->start &&
                   scan.line_count == whole->line_count);
}

static bool is_inside(str part, str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_form(str head, const struct http_request *request)
{
    FUZZ_CHECK(request->method.len > 0 && request->target.len > 0 && request->path.len > 0);
    FUZZ_CHECK(request->path.ptr[0] == '/' || str_eq(request->path, STR("*")));
    FUZZ_CHECK(!(request->has_length && request->is_chunked));
    FUZZ_CHECK(request->content_length == 0 || request->has_length);
    FUZZ_CHECK(request->content_length <= INT64_MAX);
    FUZZ_CHECK(is_inside(request->method, head) && is_inside(request->target, head));
    FUZZ_CHECK(is_inside(request->query, head) && is_inside(request->host, head));
    for (size_t i = 0; i < request->header_count; i++) {
        const struct pair *field = &request->header[i];
        FUZZ_CHECK(field->name.len > 0 && is_inside(field->name, head) &&
                   is_inside(field->value, head));
        FUZZ_CHECK(str_find_char(field->value, '\r') < 0 && str_find_char(field->value, '\n') < 0);
        FUZZ_CHECK(str_find_char(field->value, '\0') < 0);
    }
}

static void write_again(struct buf *out, const struct http_request *request)
{
    buf_append(out, request->method);
    buf_append(out, STR(" "));
    buf_append(out, request->target);
    buf_append(out, request->minor_version == 0 ? STR(" HTTP/1.0\r\n") : STR(" HTTP/1.1\r\n"));
    for (size_t i = 0; i < request->header_count; i++) {
        buf_append(out, request->header[i].name);
        buf_append(out, STR(":"));
        buf_append(out, request->header[i].value);
        buf_append(out, STR("\r\n"));
    }
    buf_append(out, STR("\r\n"));
}

static void check_again(const struct http_request *request)
{
    BUF_SCOPED struct buf out;
    buf_init(&out, SIZE_MAX);
    write_again(&out, request);
    struct pair field[FIELD_MAX];
    struct http_request again;
    FUZZ_CHECK(http_head_parse(buf_str(&out), field, FIELD_MAX, &again) == OK);
    FUZZ_CHECK(str_eq(again.path, request->path) && str_eq(again.query, request->query));
    FUZZ_CHECK(str_eq(again.host, request->host) && again.header_count == request->header_count);
    FUZZ_CHECK(again.content_length == request->content_length &&
               again.is_chunked == request->is_chunked);
    FUZZ_CHECK(again.keep_alive == request->keep_alive &&
               again.expects_continue == request->expects_continue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = fuzz_input(data, size);
    struct pair field[FIELD_MAX];
    struct http_request request;
    /* The parser alone takes any bytes, not only those that the scan has passed. */
    (void)http_head_parse(text, field, FIELD_MAX, &request);
    struct http_head_scan scan = {0};
    size_t end = 0;
    enum err err = http_head_scan(&scan, text, &end);
    if (size <= PIECES_MAX)
        check_pieces(text, &scan, err, end);
    if (err != OK)
        return 0;
    FUZZ_CHECK(scan.start <= end && end <= size);
    str head = str_slice(text, scan.start, end);
    if (http_head_parse(head, field, FIELD_MAX, &request) != OK)
        return 0;
    check_form(head, &request);
    check_again(&request);
    return 0;
}
