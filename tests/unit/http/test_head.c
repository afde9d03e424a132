/* Aim: a head is understood exactly as RFC 9112 says or refused with the right error; whatever two servers could read
 * differently is refused; and a head that comes in pieces gives the same as one that comes whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "http/head.h"

enum { FIELD_MAX = 16 };

#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: h\r\n"
#define END "\r\n"

/* Scans and parses what is meant as one whole head. ERR_PENDING when its end is not there. */
static enum err parse(str text, struct pair *field, struct http_request *out_request)
{
    struct http_head_scan scan = {0};
    size_t end;
    TRY(http_head_scan(&scan, text, &end));
    return http_head_parse(str_slice(text, scan.start, end), field, FIELD_MAX, out_request);
}

/* ---- What is refused ---- */

struct refused {
    const char *name;
    str text;
    enum err err;
};

static const struct refused refused[] = {
    /* Line ends. */
    {"bare LF after the request line", STR_INIT("GET / HTTP/1.1\n" HOST END), ERR_BAD_REQUEST},
    {"bare LF after a field", STR_INIT(GET "Host: h\n" END), ERR_BAD_REQUEST},
    {"bare LF as the empty line", STR_INIT(GET HOST "\n"), ERR_BAD_REQUEST},
    {"bare CR in a value", STR_INIT(GET HOST "A: b\rc\r\n" END), ERR_BAD_REQUEST},
    {"bare CR before CRLF", STR_INIT(GET HOST "A: b\r\r\n" END), ERR_BAD_REQUEST},
    {"bare CR in the request line", STR_INIT("GET /\r HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"two empty lines first", STR_INIT("\r\n\r\n" GET HOST END), ERR_BAD_REQUEST},
    {"LF first", STR_INIT("\n" GET HOST END), ERR_BAD_REQUEST},
    /* Request line. */
    {"space first", STR_INIT(" " GET HOST END), ERR_BAD_REQUEST},
    {"a TLS greeting", STR_INIT("\x16\x03\x01\x02"), ERR_BAD_REQUEST},
    {"no method", STR_INIT("/ HTTP/1.1\r\n" HOST END), ERR_BAD_REQUEST},
    {"method with a delimiter", STR_INIT("GE(T / HTTP/1.1\r\n" HOST END), ERR_BAD_REQUEST},
    {"HTTP/0.9", STR_INIT("GET /\r\n" HOST END), ERR_BAD_REQUEST},
    {"method alone", STR_INIT("GET\r\n" HOST END), ERR_BAD_REQUEST},
    {"two spaces before the target", STR_INIT("GET  / HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"two spaces after the target", STR_INIT("GET /  HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"space inside the target", STR_INIT("GET /a b HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"space at the end", STR_INIT("GET / HTTP/1.1 \r\n" HOST END), ERR_BAD_REQUEST},
    {"tab instead of space", STR_INIT("GET\t/ HTTP/1.1\r\n" HOST END), ERR_BAD_REQUEST},
    {"lower-case version", STR_INIT("GET / http/1.1\r\n" HOST END), ERR_BAD_REQUEST},
    {"long version", STR_INIT("GET / HTTP/1.10\r\n" HOST END), ERR_BAD_REQUEST},
    {"version without a digit", STR_INIT("GET / HTTP/1.x\r\n" HOST END), ERR_BAD_REQUEST},
    {"version 2", STR_INIT("PRI * HTTP/2.0\r\n" END), ERR_NOT_IMPLEMENTED},
    {"version 0", STR_INIT("GET / HTTP/0.9\r\n" HOST END), ERR_NOT_IMPLEMENTED},
    /* Target. */
    {"control in the target", STR_INIT("GET /\x01 HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"DEL in the target", STR_INIT("GET /\x7f HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"NUL in the target", STR_INIT("GET /\0 HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"tab in the target", STR_INIT("GET /\t HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"relative target", STR_INIT("GET a HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"asterisk of a GET", STR_INIT("GET * HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"authority form", STR_INIT("CONNECT h:80 HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"other scheme", STR_INIT("GET ftp://h/ HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"absolute without authority", STR_INIT("GET http:///a HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    {"absolute with a user", STR_INIT("GET http://u@h/ HTTP/1.1\r\n" HOST END), ERR_BAD_URI},
    /* Fields. */
    {"folded line", STR_INIT(GET HOST "A: b\r\n c\r\n" END), ERR_BAD_REQUEST},
    {"folded line by a tab", STR_INIT(GET HOST "A: b\r\n\tc\r\n" END), ERR_BAD_REQUEST},
    {"folded first field", STR_INIT(GET " Host: h\r\n" END), ERR_BAD_REQUEST},
    {"space before the colon", STR_INIT(GET HOST "A : b\r\n" END), ERR_BAD_REQUEST},
    {"tab before the colon", STR_INIT(GET HOST "A\t: b\r\n" END), ERR_BAD_REQUEST},
    {"no colon", STR_INIT(GET HOST "A\r\n" END), ERR_BAD_REQUEST},
    {"no name", STR_INIT(GET HOST ": b\r\n" END), ERR_BAD_REQUEST},
    {"name with a delimiter", STR_INIT(GET HOST "A@: b\r\n" END), ERR_BAD_REQUEST},
    {"name beyond ASCII", STR_INIT(GET HOST "\xc3\xa9: b\r\n" END), ERR_BAD_REQUEST},
    {"NUL in a value", STR_INIT(GET HOST "A: b\0c\r\n" END), ERR_BAD_REQUEST},
    {"control in a value", STR_INIT(GET HOST "A: b\x0b\r\n" END), ERR_BAD_REQUEST},
    {"DEL in a value", STR_INIT(GET HOST "A: \x7f\r\n" END), ERR_BAD_REQUEST},
    /* Host. */
    {"no Host", STR_INIT(GET END), ERR_BAD_REQUEST},
    {"two Hosts", STR_INIT(GET HOST HOST END), ERR_BAD_REQUEST},
    {"two Hosts in HTTP/1.0", STR_INIT("GET / HTTP/1.0\r\n" HOST HOST END), ERR_BAD_REQUEST},
    {"Host with a path", STR_INIT(GET "Host: h/a\r\n" END), ERR_BAD_REQUEST},
    {"Host with a space", STR_INIT(GET "Host: h i\r\n" END), ERR_BAD_REQUEST},
    {"Host with a user", STR_INIT(GET "Host: u@h\r\n" END), ERR_BAD_REQUEST},
    {"absolute form beside another Host", STR_INIT("GET http://other/ HTTP/1.1\r\n" HOST END),
     ERR_BAD_REQUEST},
    {"absolute form without Host", STR_INIT("GET http://h/ HTTP/1.1\r\n" END), ERR_BAD_REQUEST},
    /* Content-Length. */
    {"empty length", STR_INIT(GET HOST "Content-Length:\r\n" END), ERR_BAD_REQUEST},
    {"signed length", STR_INIT(GET HOST "Content-Length: +5\r\n" END), ERR_BAD_REQUEST},
    {"negative length", STR_INIT(GET HOST "Content-Length: -5\r\n" END), ERR_BAD_REQUEST},
    {"hexadecimal length", STR_INIT(GET HOST "Content-Length: 0x5\r\n" END), ERR_BAD_REQUEST},
    {"length with a space", STR_INIT(GET HOST "Content-Length: 5 5\r\n" END), ERR_BAD_REQUEST},
    {"list of lengths", STR_INIT(GET HOST "Content-Length: 5, 5\r\n" END), ERR_BAD_REQUEST},
    {"two lengths", STR_INIT(GET HOST "Content-Length: 5\r\nContent-Length: 6\r\n" END),
     ERR_BAD_REQUEST},
    {"equal lengths", STR_INIT(GET HOST "Content-Length: 5\r\nContent-Length: 5\r\n" END),
     ERR_BAD_REQUEST},
    {"length past 63 bits", STR_INIT(GET HOST "Content-Length: 9223372036854775808\r\n" END),
     ERR_BAD_REQUEST},
    {"length past 64 bits", STR_INIT(GET HOST "Content-Length: 18446744073709551616\r\n" END),
     ERR_BAD_REQUEST},
    /* Transfer-Encoding. */
    {"both", STR_INIT(GET HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END),
     ERR_BAD_REQUEST},
    {"both, the other way",
     STR_INIT(GET HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END), ERR_BAD_REQUEST},
    {"both, length zero",
     STR_INIT(GET HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n" END), ERR_BAD_REQUEST},
    {"unknown coding and length",
     STR_INIT(GET HOST "Transfer-Encoding: x\r\nContent-Length: 5\r\n" END), ERR_BAD_REQUEST},
    {"chunked twice",
     STR_INIT(GET HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END),
     ERR_BAD_REQUEST},
    {"chunked and identity",
     STR_INIT(GET HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n" END),
     ERR_BAD_REQUEST},
    {"empty coding", STR_INIT(GET HOST "Transfer-Encoding:\r\n" END), ERR_BAD_REQUEST},
    {"coding in HTTP/1.0", STR_INIT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END),
     ERR_BAD_REQUEST},
    {"coding list", STR_INIT(GET HOST "Transfer-Encoding: gzip, chunked\r\n" END),
     ERR_NOT_IMPLEMENTED},
    {"chunked list", STR_INIT(GET HOST "Transfer-Encoding: chunked, chunked\r\n" END),
     ERR_NOT_IMPLEMENTED},
    {"other coding", STR_INIT(GET HOST "Transfer-Encoding: xchunked\r\n" END), ERR_NOT_IMPLEMENTED},
    {"identity", STR_INIT(GET HOST "Transfer-Encoding: identity\r\n" END), ERR_NOT_IMPLEMENTED},
    {"quoted", STR_INIT(GET HOST "Transfer-Encoding: \"chunked\"\r\n" END), ERR_NOT_IMPLEMENTED},
    {"disguised by a control",
     STR_INIT(GET HOST "Transfer-Encoding: \x0b"
                       "chunked\r\n" END),
     ERR_BAD_REQUEST},
    {"disguised by a space", STR_INIT(GET HOST "Transfer-Encoding : chunked\r\n" END),
     ERR_BAD_REQUEST},
    {"parameter", STR_INIT(GET HOST "Transfer-Encoding: chunked;a=b\r\n" END), ERR_NOT_IMPLEMENTED},
    /* Not complete. */
    {"nothing", STR_INIT(""), ERR_PENDING},
    {"CR alone", STR_INIT("\r"), ERR_PENDING},
    {"an empty line", STR_INIT("\r\n"), ERR_PENDING},
    {"no end", STR_INIT(GET HOST), ERR_PENDING},
    {"half an end", STR_INIT(GET HOST "\r"), ERR_PENDING},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct pair field[FIELD_MAX];
        struct http_request request;
        enum err err = parse(refused[i].text, field, &request);
        if (err != refused[i].err)
            fail_msg("%s: %s instead of %s", refused[i].name, err_name(err),
                     err_name(refused[i].err));
    }
}

/* ---- What is understood ---- */

struct understood {
    const char *name;
    str text;
    const char *method, *path, *query, *host;
    unsigned minor;
    bool has_query, keep_alive, has_length, is_chunked, expects;
    uint64_t length;
    size_t field_count;
};

#define COMMON                                                                                     \
    .method = "GET", .path = "/", .query = "", .host = "h", .minor = 1, .keep_alive = true
static const struct understood understood[] = {
    {"plain", STR_INIT(GET HOST END), COMMON, .field_count = 1},
    {"an empty line first", STR_INIT("\r\n" GET HOST END), COMMON, .field_count = 1},
    {"no space after the colon", STR_INIT(GET "Host:h\r\n" END), COMMON, .field_count = 1},
    {"spaces around a value", STR_INIT(GET "Host: \t h \t \r\n" END), COMMON, .field_count = 1},
    {"field name in any case", STR_INIT(GET "hOST: h\r\n" END), COMMON, .field_count = 1},
    {"empty value", STR_INIT(GET HOST "A:\r\n" END), COMMON, .field_count = 2},
    {"value beyond ASCII", STR_INIT(GET HOST "A: \xc3\xa9\r\n" END), COMMON, .field_count = 2},
    {"higher minor version", STR_INIT("GET / HTTP/1.7\r\n" HOST END), COMMON, .field_count = 1},
    {"empty Host", STR_INIT(GET "Host:\r\n" END), .method = "GET", .path = "/", .query = "",
     .host = "", .minor = 1, .keep_alive = true, .field_count = 1},
    {"Host with a port", STR_INIT(GET "Host: [::1]:9000\r\n" END), .method = "GET", .path = "/",
     .query = "", .host = "[::1]:9000", .minor = 1, .keep_alive = true, .field_count = 1},
    {"query", STR_INIT("GET /a?b=c?d HTTP/1.1\r\n" HOST END), .method = "GET", .path = "/a",
     .query = "b=c?d", .host = "h", .minor = 1, .has_query = true, .keep_alive = true,
     .field_count = 1},
    {"empty query", STR_INIT("GET /a? HTTP/1.1\r\n" HOST END), .method = "GET", .path = "/a",
     .query = "", .host = "h", .minor = 1, .has_query = true, .keep_alive = true, .field_count = 1},
    {"raw bytes", STR_INIT("GET /\xc3\xa9|\"# HTTP/1.1\r\n" HOST END), .method = "GET",
     .path = "/\xc3\xa9|\"#", .query = "", .host = "h", .minor = 1, .keep_alive = true,
     .field_count = 1},
    {"absolute form", STR_INIT("GET HTTP://other:80/a?b HTTP/1.1\r\nHost: other:80\r\n" END),
     .method = "GET", .path = "/a", .query = "b", .host = "other:80", .minor = 1, .has_query = true,
     .keep_alive = true, .field_count = 1},
    {"absolute form without path", STR_INIT("GET https://o?b HTTP/1.1\r\nHost: O\r\n" END),
     .method = "GET", .path = "/", .query = "b", .host = "O", .minor = 1, .has_query = true,
     .keep_alive = true, .field_count = 1},
    {"asterisk", STR_INIT("OPTIONS * HTTP/1.1\r\n" HOST END), .method = "OPTIONS", .path = "*",
     .query = "", .host = "h", .minor = 1, .keep_alive = true, .field_count = 1},
    {"own method", STR_INIT("X-!#$%&'*+.^_`|~09 / HTTP/1.1\r\n" HOST END),
     .method = "X-!#$%&'*+.^_`|~09", .path = "/", .query = "", .host = "h", .minor = 1,
     .keep_alive = true, .field_count = 1},
    {"close", STR_INIT(GET HOST "Connection: close\r\n" END), .method = "GET", .path = "/",
     .query = "", .host = "h", .minor = 1, .field_count = 2},
    {"close in a list", STR_INIT(GET HOST "Connection: x ,\t CLOSE\r\n" END), .method = "GET",
     .path = "/", .query = "", .host = "h", .minor = 1, .field_count = 2},
    {"close is stronger", STR_INIT(GET HOST "Connection: keep-alive\r\nConnection: close\r\n" END),
     .method = "GET", .path = "/", .query = "", .host = "h", .minor = 1, .field_count = 3},
    {"HTTP/1.0", STR_INIT("GET / HTTP/1.0\r\n" END), .method = "GET", .path = "/", .query = "",
     .host = ""},
    {"HTTP/1.0 kept alive", STR_INIT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END),
     .method = "GET", .path = "/", .query = "", .host = "", .keep_alive = true, .field_count = 1},
    {"HTTP/1.0 expects nothing", STR_INIT("GET / HTTP/1.0\r\nExpect: 100-continue\r\n" END),
     .method = "GET", .path = "/", .query = "", .host = "", .field_count = 1},
    {"length", STR_INIT(GET HOST "Content-Length: 0012\r\n" END), COMMON, .has_length = true,
     .length = 12, .field_count = 2},
    {"longest length", STR_INIT(GET HOST "Content-Length: 9223372036854775807\r\n" END), COMMON,
     .has_length = true, .length = INT64_MAX, .field_count = 2},
    {"chunked", STR_INIT(GET HOST "Transfer-Encoding: CHUNKED\r\n" END), COMMON, .is_chunked = true,
     .field_count = 2},
    {"expectation", STR_INIT(GET HOST "Expect: 100-Continue\r\n" END), COMMON, .expects = true,
     .field_count = 2},
    {"other expectation", STR_INIT(GET HOST "Expect: 200-ok\r\n" END), COMMON, .field_count = 2},
};

static void check_text(const char *name, str is, const char *should)
{
    if (!str_eq(is, str_from(should)))
        fail_msg("%s: '%.*s' instead of '%s'", name, STR_ARG(is), should);
}

static void check_request(const struct understood *row, const struct http_request *request)
{
    check_text(row->name, request->method, row->method);
    check_text(row->name, request->path, row->path);
    check_text(row->name, request->query, row->query);
    check_text(row->name, request->host, row->host);
    bool is_same =
        request->minor_version == row->minor && request->has_query == row->has_query &&
        request->keep_alive == row->keep_alive && request->has_length == row->has_length &&
        request->is_chunked == row->is_chunked && request->expects_continue == row->expects &&
        request->content_length == row->length && request->header_count == row->field_count;
    if (!is_same)
        fail_msg("%s: one of the numbers differs", row->name);
}

static void test_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(understood) / sizeof(understood[0]); i++) {
        struct pair field[FIELD_MAX];
        struct http_request request;
        enum err err = parse(understood[i].text, field, &request);
        if (err != OK)
            fail_msg("%s: %s", understood[i].name, err_name(err));
        check_request(&understood[i], &request);
    }
}

static void test_fields_are_found(void **state)
{
    (void)state;
    struct pair field[FIELD_MAX];
    struct http_request request;
    assert_int_equal(parse(STR(GET HOST "x-A: 1\r\nX-a: 2\r\nEmpty:\r\n" END), field, &request),
                     OK);
    check_text("first of two", http_header(&request, STR("X-A")), "1");
    check_text("absent", http_header(&request, STR("X-B")), "");
    assert_true(http_has_header(&request, STR("empty")));
    assert_false(http_has_header(&request, STR("X-B")));
    check_text("name as sent", request.header[1].name, "x-A");
}

static void test_too_many_fields(void **state)
{
    (void)state;
    struct pair field[2];
    struct http_request request;
    str two = STR(GET HOST "A: b\r\n" END);
    str three = STR(GET HOST "A: b\r\nC: d\r\n" END);
    assert_int_equal(http_head_parse(two, field, 2, &request), OK);
    assert_int_equal(http_head_parse(three, field, 2, &request), ERR_HEAD_TOO_LARGE);
}

/* ---- Pieces ---- */

/* Every prefix is offered in turn, as bytes that come one by one. */
static enum err scan_in_pieces(str text, struct http_head_scan *scan, size_t *out_end)
{
    enum err err = ERR_PENDING;
    for (size_t len = 0; len <= text.len && err == ERR_PENDING; len++) {
        /* A copy of exactly this length, so that a read beyond it is seen by the sanitizer. */
        char copy[512];
        assert_true(text.len <= sizeof(copy));
        memcpy(copy, text.ptr, len);
        err = http_head_scan(scan, str_of(copy, len), out_end);
    }
    return err;
}

static void test_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(understood) / sizeof(understood[0]); i++) {
        struct http_head_scan whole = {0}, pieces = {0};
        size_t whole_end = 0, pieces_end = 0;
        assert_int_equal(http_head_scan(&whole, understood[i].text, &whole_end), OK);
        assert_int_equal(scan_in_pieces(understood[i].text, &pieces, &pieces_end), OK);
        assert_int_equal(whole_end, pieces_end);
        assert_int_equal(whole.start, pieces.start);
        assert_int_equal(pieces.line_count, understood[i].field_count + 1);
    }
}

static void test_what_follows_is_left(void **state)
{
    (void)state;
    struct http_head_scan scan = {0};
    size_t end;
    str text = STR("\r\n" GET HOST END "GET /next");
    assert_int_equal(http_head_scan(&scan, text, &end), OK);
    assert_int_equal(scan.start, 2);
    assert_int_equal(end, text.len - strlen("GET /next"));
}

/* A head that was not scanned first: the parser alone must not read past a missing end. */
static void test_parser_alone(void **state)
{
    (void)state;
    static const str texts[] = {STR_INIT(""),
                                STR_INIT("\r\n"),
                                STR_INIT("GET / HTTP/1.1"),
                                STR_INIT(GET),
                                STR_INIT(GET HOST "A: b"),
                                STR_INIT(GET HOST "\r"),
                                STR_INIT(GET "\r\n" HOST END)};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pair field[FIELD_MAX];
        struct http_request request;
        assert_int_equal(http_head_parse(texts[i], field, FIELD_MAX, &request), ERR_BAD_REQUEST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_understood),
        cmocka_unit_test(test_fields_are_found), cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_pieces),           cmocka_unit_test(test_what_follows_is_left),
        cmocka_unit_test(test_parser_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
