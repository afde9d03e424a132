/* Aim: every form of an endpoint that people write is taken apart rightly, and nothing that could break a request line or
 * lead elsewhere gets through. */
#include "../unit.h"

#include "client/endpoint.h"

static void test_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_tls;
        const char *host;
        uint16_t port;
        const char *authority, *path;
    } cases[] = {
        {"http://127.0.0.1:9000", false, "127.0.0.1", 9000, "127.0.0.1:9000", ""},
        {"http://127.0.0.1:9000/", false, "127.0.0.1", 9000, "127.0.0.1:9000", ""},
        {"127.0.0.1:9000", false, "127.0.0.1", 9000, "127.0.0.1:9000", ""},
        {"localhost", false, "localhost", 80, "localhost", ""},
        {"HTTP://s3.example.org", false, "s3.example.org", 80, "s3.example.org", ""},
        {"https://s3.example.org", true, "s3.example.org", 443, "s3.example.org", ""},
        {"https://s3.example.org:8443/base//", true, "s3.example.org", 8443, "s3.example.org:8443",
         "/base"},
        {"http://[::1]:9000/a/b", false, "::1", 9000, "[::1]:9000", "/a/b"},
        {"http://[::1]", false, "::1", 80, "[::1]", ""},
        {"http://h:65535", false, "h", 65535, "h:65535", ""},
        {"http://h:1", false, "h", 1, "h:1", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct endpoint endpoint;
        struct fail fail = {0};
        assert_ok(endpoint_parse(str_from(cases[i].text), &endpoint, &fail));
        assert_int_equal(endpoint.is_tls, cases[i].is_tls);
        assert_str(endpoint.host, str_from(cases[i].host));
        assert_int_equal(endpoint.port, cases[i].port);
        assert_str(endpoint.authority, str_from(cases[i].authority));
        assert_str(endpoint.path, str_from(cases[i].path));
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT(""),
        STR_INIT("http://"),
        STR_INIT("https:///path"),
        STR_INIT("ftp://h"),
        STR_INIT("http://http://h"),
        STR_INIT("http://:9000"),
        STR_INIT("http://h:"),
        STR_INIT("http://h:0"),
        STR_INIT("http://h:65536"),
        STR_INIT("http://h:99999999999999999999"),
        STR_INIT("http://h:9a"),
        STR_INIT("http://h:-1"),
        STR_INIT("http://::1"),
        STR_INIT("http://[]"),
        STR_INIT("http://[::1"),
        STR_INIT("http://[::1]x"),
        STR_INIT("http://[::1]:"),
        STR_INIT("http://user@h"),
        STR_INIT("http://h/?query"),
        STR_INIT("http://h/#fragment"),
        STR_INIT("http://h/a b"),
        STR_INIT("http://h\r\nX: y"),
        STR_INIT("http://h\0"),
        STR_INIT("http://h\x7f"),
        STR_INIT("http://\xc3\xa4"),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct endpoint endpoint = {.port = 77};
        struct fail fail = {0};
        assert_err(endpoint_parse(cases[i], &endpoint, &fail), ERR_BAD_INPUT);
        assert_int_equal(endpoint.port, 77);
        assert_true(fail.detail[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
