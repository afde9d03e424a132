/* Aim: percent coding of every byte both ways, broken escapes refused, and queries split as S3 clients write them. */
#include "codec/url.h"

#include "../unit.h"

#include <stdio.h>

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        str text;
        bool plus_is_space;
        enum err expected;
        str decoded;
    } cases[] = {
        {STR_INIT(""), true, OK, STR_INIT("")},
        {STR_INIT("plain/a-b"), true, OK, STR_INIT("plain/a-b")},
        {STR_INIT("a+b"), false, OK, STR_INIT("a+b")},
        {STR_INIT("a+b"), true, OK, STR_INIT("a b")},
        {STR_INIT("a%2Bb"), true, OK, STR_INIT("a+b")},
        {STR_INIT("%41%c3%A4%00"), false, OK, STR_INIT("A\xc3\xa4\0")},
        {STR_INIT("%2541"), false, OK, STR_INIT("%41")}, /* decoded once */
        {STR_INIT("%"), false, ERR_BAD_URI, {0}},
        {STR_INIT("%4"), false, ERR_BAD_URI, {0}},
        {STR_INIT("a%4g"), false, ERR_BAD_URI, {0}},
        {STR_INIT("%%41"), false, ERR_BAD_URI, {0}},
        {STR_INIT("% 41"), false, ERR_BAD_URI, {0}},
        {STR_INIT("%+1"), true, ERR_BAD_URI, {0}},
    };
    struct arena *arena = arena_new(1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str out = STR("unset");
        assert_err(url_decode(arena, cases[i].text, cases[i].plus_is_space, &out),
                   cases[i].expected);
        assert_str(out, cases[i].expected == OK ? cases[i].decoded : STR("unset"));
    }
    str plain = STR("plain"), out;
    assert_ok(url_decode(arena, plain, true, &out));
    assert_ptr_equal(out.ptr, plain.ptr);
    arena_free(arena);
}

static void test_decode_keeps_to_the_cap(void **state)
{
    (void)state;
    struct arena *arena = arena_new(5);
    str out;
    assert_ok(url_decode(arena, STR("%41bc"), false, &out));
    assert_err(url_decode(arena, STR("%41"), false, &out), ERR_TOO_LARGE);
    arena_free(arena);
}

static void test_encode_each_byte(void **state)
{
    (void)state;
    static const str unreserved =
        STR_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");
    for (unsigned byte = 0; byte < 256; byte++) {
        for (int keep_slash = 0; keep_slash < 2; keep_slash++) {
            char c = (char)byte, expected[4];
            (void)snprintf(expected, sizeof(expected), "%%%02X", byte);
            bool plain = str_find_char(unreserved, c) >= 0 || (c == '/' && keep_slash);
            BUF_SCOPED struct buf out;
            buf_init(&out, 10);
            url_encode(&out, str_of(&c, 1), keep_slash);
            assert_str(buf_str(&out), plain ? str_of(&c, 1) : str_from(expected));
        }
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct arena *arena = arena_new(100000);
    struct unit_random random = {12};
    for (size_t len = 0; len < 200; len++) {
        char bytes[200];
        unit_random_fill(&random, bytes, len);
        BUF_SCOPED struct buf text;
        buf_init(&text, 1000);
        url_encode(&text, str_of(bytes, len), len % 2);
        str back;
        assert_ok(url_decode(arena, buf_str(&text), len % 3 == 0, &back));
        assert_true(str_eq(back, str_of(bytes, len)));
    }
    arena_free(arena);
}

static void test_query(void **state)
{
    (void)state;
    static const struct {
        str query;
        size_t count;
        struct pair pair[3];
    } cases[] = {
        {STR_INIT(""), 0, {{{0}, {0}}}},
        {STR_INIT("&&"), 0, {{{0}, {0}}}},
        {STR_INIT("uploads"), 1, {{STR_INIT("uploads"), STR_INIT("")}}},
        {STR_INIT("acl="), 1, {{STR_INIT("acl"), STR_INIT("")}}},
        {STR_INIT("=x"), 1, {{STR_INIT(""), STR_INIT("x")}}},
        {STR_INIT("a=1&b=2=3&&c"),
         3,
         {{STR_INIT("a"), STR_INIT("1")},
          {STR_INIT("b"), STR_INIT("2=3")},
          {STR_INIT("c"), STR_INIT("")}}},
        {STR_INIT("a=1&a=2"), 2, {{STR_INIT("a"), STR_INIT("1")}, {STR_INIT("a"), STR_INIT("2")}}},
        {STR_INIT("%61%3d+=%26%20+"), 1, {{STR_INIT("a= "), STR_INIT("&  ")}}},
    };
    struct arena *arena = arena_new(1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pair *pair;
        size_t count;
        assert_ok(url_parse_query(arena, cases[i].query, cases[i].count, &pair, &count));
        assert_int_equal(count, cases[i].count);
        for (size_t k = 0; k < count; k++) {
            assert_str(pair[k].name, cases[i].pair[k].name);
            assert_str(pair[k].value, cases[i].pair[k].value);
        }
    }
    arena_free(arena);
}

static void test_query_is_refused(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000);
    struct pair *pair = NULL;
    size_t count = 99;
    assert_err(url_parse_query(arena, STR("a=%4"), 9, &pair, &count), ERR_BAD_URI);
    assert_err(url_parse_query(arena, STR("a%x=1&b"), 9, &pair, &count), ERR_BAD_URI);
    assert_err(url_parse_query(arena, STR("a&b&c"), 2, &pair, &count), ERR_TOO_LARGE);
    assert_null(pair);
    assert_int_equal(count, 99);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_keeps_to_the_cap),
        cmocka_unit_test(test_encode_each_byte),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_query_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
