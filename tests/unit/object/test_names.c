/* Aim: the pure functions on names and packed values: bucket names, prefixes and their ends, upload ids, ranges of parts. */
#include "../unit.h"

#include "base/arena.h"
#include "object/bucket.h"
#include "object/list.h"
#include "object/store_int.h"
#include "object/upload.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

#define SIXTY "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

static void test_bucket_names(void **state)
{
    (void)state;
    static const struct {
        str name;
        enum err expected;
    } cases[] = {
        {STR_INIT("abc"), OK},
        {STR_INIT("a-c"), OK},
        {STR_INIT("a.c"), OK},
        {STR_INIT("123"), OK},
        {STR_INIT("my.bucket-2.example"), OK},
        {STR_INIT("a--b"), OK},
        {STR_INIT("a.-b"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("a-.b"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("1.2.3"), OK},
        {STR_INIT("1.2.3.4.5"), OK},
        {STR_INIT("1.2.3.x"), OK},
        {STR_INIT(SIXTY "abc"), OK},
        {STR_INIT(SIXTY "abcd"), ERR_BAD_BUCKET_NAME},
        {STR_INIT(""), ERR_BAD_BUCKET_NAME},
        {STR_INIT("a"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("ab"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("Abc"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("a_c"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("a c"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("a/c"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("a\0c"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("a\xc3\xa4"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("-abc"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("abc-"), ERR_BAD_BUCKET_NAME},
        {STR_INIT(".abc"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("abc."), ERR_BAD_BUCKET_NAME},
        {STR_INIT("a..b"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("192.168.5.4"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("999.999.999.999"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("xn--abc"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("sthree-abc"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("amzn-s3-demo-abc"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("abc-s3alias"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("abc--ol-s3"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("abc.mrap"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("abc--x-s3"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("abc--table-s3"), ERR_BAD_BUCKET_NAME},
        {STR_INIT("s3alias"), OK},
        {STR_INIT("xn-abc"), OK},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (bucket_name_check(cases[i].name) != cases[i].expected)
            fail_msg("%.*s", STR_ARG(cases[i].name));
}

static void test_successor(void **state)
{
    (void)state;
    static const struct {
        str s, expected;
        bool exists;
    } cases[] = {
        {STR_INIT(""), STR_INIT(""), false},
        {STR_INIT("\xff"), STR_INIT(""), false},
        {STR_INIT("\xff\xff\xff"), STR_INIT(""), false},
        {STR_INIT("a"), STR_INIT("b"), true},
        {STR_INIT("a/"), STR_INIT("a0"), true},
        {STR_INIT("a\xff"), STR_INIT("b"), true},
        {STR_INIT("a\xff\xff"), STR_INIT("b"), true},
        {STR_INIT("\xff"
                  "a"),
         STR_INIT("\xff"
                  "b"),
         true},
        {STR_INIT("\0"), STR_INIT("\x01"), true},
        {STR_INIT("\x7f"), STR_INIT("\x80"), true},
        {STR_INIT("\xfe"), STR_INIT("\xff"), true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str next;
        bool exists = str_successor(arena, cases[i].s, &next);
        assert_int_equal(exists, cases[i].exists);
        if (exists)
            assert_str(next, cases[i].expected);
    }
}

static void test_common_prefix(void **state)
{
    (void)state;
    static const struct {
        str key, prefix, delimiter, expected;
        bool exists;
    } cases[] = {
        {STR_INIT("a/b"), STR_INIT(""), STR_INIT(""), {0}, false},
        {STR_INIT("a/b"), STR_INIT(""), STR_INIT("/"), STR_INIT("a/"), true},
        {STR_INIT("a/b/c"), STR_INIT(""), STR_INIT("/"), STR_INIT("a/"), true},
        {STR_INIT("a/b/c"), STR_INIT("a/"), STR_INIT("/"), STR_INIT("a/b/"), true},
        {STR_INIT("a/b"), STR_INIT("a/"), STR_INIT("/"), {0}, false},
        {STR_INIT("a/"), STR_INIT("a/"), STR_INIT("/"), {0}, false},
        {STR_INIT("a//"), STR_INIT("a/"), STR_INIT("/"), STR_INIT("a//"), true},
        {STR_INIT("/"), STR_INIT(""), STR_INIT("/"), STR_INIT("/"), true},
        {STR_INIT("abc"), STR_INIT("a"), STR_INIT("a"), {0}, false}, /* only behind the prefix */
        {STR_INIT("aabc"), STR_INIT("a"), STR_INIT("a"), STR_INIT("aa"), true},
        {STR_INIT("a--b--c"), STR_INIT(""), STR_INIT("--"), STR_INIT("a--"), true},
        {STR_INIT("a-b-c"), STR_INIT(""), STR_INIT("--"), {0}, false},
        {STR_INIT("abc"), STR_INIT(""), STR_INIT("abc"), STR_INIT("abc"), true},
        {STR_INIT("abc"), STR_INIT(""), STR_INIT("abcd"), {0}, false},
        {STR_INIT("\xff\xff"), STR_INIT(""), STR_INIT("\xff"), STR_INIT("\xff"), true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str common = {0};
        bool exists = common_prefix_of(cases[i].key, cases[i].prefix, cases[i].delimiter, &common);
        assert_int_equal(exists, cases[i].exists);
        assert_str(common, cases[i].expected);
    }
}

static void test_upload_ids(void **state)
{
    (void)state;
    static const uint64_t ids[] = {0, 1, 0x0123456789abcdef, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        char text[UPLOAD_ID_TEXT];
        uint64_t back;
        assert_ok(upload_id_parse(upload_id_format(ids[i], text), &back));
        assert_int_equal(back, ids[i]);
    }
    static const str bad[] = {
        STR_INIT(""),
        STR_INIT("0123456789abcde"),
        STR_INIT("0123456789abcdef0"),
        STR_INIT("0123456789abcdeg"),
        STR_INIT("../../etc/passwd"),
        STR_INIT("0123456789abcde\0"),
        STR_INIT("-123456789abcdef"),
    };
    uint64_t id;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_err(upload_id_parse(bad[i], &id), ERR_NO_SUCH_UPLOAD);
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct range all[] = {
        {.extent_id = 1, .offset = 0, .length = 1},
        {.extent_id = UINT64_MAX, .offset = UINT64_MAX, .length = UINT64_MAX},
        {.extent_id = 127, .offset = 128, .length = 16384},
        {.extent_id = 0, .offset = 0, .length = 0},
    };
    for (size_t count = 0; count <= COUNT_OF(all); count++) {
        struct range *range;
        size_t back;
        str packed = ranges_encode(arena, all, count);
        assert_ok(ranges_decode(packed, arena, &range, &back));
        assert_int_equal(back, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(range[i].extent_id, all[i].extent_id);
            assert_int_equal(range[i].offset, all[i].offset);
            assert_int_equal(range[i].length, all[i].length);
        }
        /* Cut anywhere else than between two ranges, it is damage. */
        for (size_t len = 0; len < packed.len; len++) {
            enum err err = ranges_decode(str_slice(packed, 0, len), arena, &range, &back);
            size_t whole = 0;
            while (whole < count && ranges_encode(arena, all, whole).len < len)
                whole++;
            assert_err(err, ranges_encode(arena, all, whole).len == len ? OK : ERR_CORRUPT);
        }
    }
    struct range *range;
    size_t count;
    static const str bad[] = {
        STR_INIT("\x80"),
        STR_INIT("\x01\x80\x00\x01"), /* not the shortest form */
        STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x01"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_err(ranges_decode(bad[i], arena, &range, &count), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket_names),  cmocka_unit_test(test_successor),
        cmocka_unit_test(test_common_prefix), cmocka_unit_test(test_upload_ids),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
