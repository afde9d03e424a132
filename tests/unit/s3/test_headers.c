/* Aim: what a request's headers say comes into the row as S3 reads them, bounded; what asks for something that is not served is
 * refused; and ranges resolve as RFC 9110 section 14 says. */
#include "call.h"

#include "base/clock.h"
#include "s3/headers.h"

/* ---- Ranges ---- */

static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        uint64_t size;
        enum err expected;
        bool is_partial;
        uint64_t first, length;
    } cases[] = {
        {"", 10, OK, false, 0, 10},
        {"", 0, OK, false, 0, 0},
        {"bytes=0-0", 10, OK, true, 0, 1},
        {"bytes=0-9", 10, OK, true, 0, 10},
        {"bytes=0-10", 10, OK, true, 0, 10},
        {"bytes=9-9", 10, OK, true, 9, 1},
        {"bytes=9-", 10, OK, true, 9, 1},
        {"bytes=0-", 10, OK, true, 0, 10},
        {"bytes=5-7", 10, OK, true, 5, 3},
        {"bytes=10-", 10, ERR_BAD_RANGE, false, 0, 0},
        {"bytes=10-20", 10, ERR_BAD_RANGE, false, 0, 0},
        {"bytes=0-", 0, ERR_BAD_RANGE, false, 0, 0},
        {"bytes=0-0", 0, ERR_BAD_RANGE, false, 0, 0},
        /* The last bytes. */
        {"bytes=-1", 10, OK, true, 9, 1},
        {"bytes=-10", 10, OK, true, 0, 10},
        {"bytes=-11", 10, OK, true, 0, 10},
        {"bytes=-0", 10, ERR_BAD_RANGE, false, 0, 0},
        {"bytes=-5", 0, ERR_BAD_RANGE, false, 0, 0},
        /* Numbers at and past what fits. */
        {"bytes=0-18446744073709551615", 10, OK, true, 0, 10},
        {"bytes=0-99999999999999999999999", 10, OK, true, 0, 10},
        {"bytes=-99999999999999999999999", 10, OK, true, 0, 10},
        {"bytes=99999999999999999999999-", 10, ERR_BAD_RANGE, false, 0, 0},
        {"bytes=18446744073709551614-18446744073709551615", UINT64_MAX, OK, true, UINT64_MAX - 1,
         1},
        {"bytes=000000000000000000000000001-2", 10, OK, true, 1, 2},
        /* Not to be honoured: the whole is sent. */
        {"bytes=7-5", 10, OK, false, 0, 10},
        {"bytes=-", 10, OK, false, 0, 10},
        {"bytes=", 10, OK, false, 0, 10},
        {"bytes", 10, OK, false, 0, 10},
        {"bytes=1", 10, OK, false, 0, 10},
        {"bytes=a-b", 10, OK, false, 0, 10},
        {"bytes=1-b", 10, OK, false, 0, 10},
        {"bytes=0x1-2", 10, OK, false, 0, 10},
        {"bytes=+1-2", 10, OK, false, 0, 10},
        {"bytes=1--2", 10, OK, false, 0, 10},
        {"bytes=--2", 10, OK, false, 0, 10},
        {"bytes=0-1,3-4", 10, OK, false, 0, 10},
        {"bytes=0-1,", 10, OK, false, 0, 10},
        {"items=0-1", 10, OK, false, 0, 10},
        {"0-1", 10, OK, false, 0, 10},
        {" bytes=0-1", 10, OK, false, 0, 10},
        /* Leniently read. */
        {"BYTES=0-1", 10, OK, true, 0, 2},
        {"bytes= 0 - 1 ", 10, OK, true, 0, 2},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct s3_range range;
        enum err err = s3_range_resolve(str_from(cases[i].header), cases[i].size, &range);
        if (err != cases[i].expected)
            fail_msg("%s of %llu: %s", cases[i].header, (unsigned long long)cases[i].size,
                     err_name(err));
        if (err != OK)
            continue;
        if (range.is_partial != cases[i].is_partial || range.first != cases[i].first ||
            range.length != cases[i].length)
            fail_msg("%s: %d %llu+%llu", cases[i].header, range.is_partial,
                     (unsigned long long)range.first, (unsigned long long)range.length);
    }
}

/* ---- Pairs ---- */

static void test_pairs(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    char *large = arena_alloc(arena, 300);
    memset(large, 'x', 300);
    const struct pair all[] = {
        {STR("a"), STR("b")},
        {STR(""), STR("")},
        {STR("name"), STR("")},
        {STR("\0\xff"), STR("\n")},
        {STR("long"), str_of(large, 300)},
    };
    for (size_t count = 0; count <= COUNT_OF(all); count++) {
        str packed = s3_pairs_pack(arena, all, count), rest = packed;
        struct pair pair;
        for (size_t i = 0; i < count; i++) {
            assert_true(s3_pairs_next(&rest, &pair));
            assert_str(pair.name, all[i].name);
            assert_str(pair.value, all[i].value);
        }
        assert_false(s3_pairs_next(&rest, &pair));
        /* A packed text that was cut ends early, and is not read past its end. */
        for (size_t len = 0; len < packed.len; len++) {
            char *exact = arena_alloc(arena, len + 1);
            memcpy(exact, packed.ptr, len);
            rest = str_of(exact, len);
            size_t seen = 0;
            while (s3_pairs_next(&rest, &pair))
                seen++;
            assert_true(seen <= count);
        }
    }
    arena_free(arena);
}

/* ---- Object headers ---- */

static void test_object_headers(void **state)
{
    (void)state;
    struct fake_call fake;
    struct object_row row = {0};
    struct pair pair;
    fake_call_init(
        &fake, "PUT",
        "Content-Type: text/plain\nContent-Encoding: gzip\nContent-Disposition: inline\n"
        "Content-Language: de\nCache-Control: no-cache\nExpires: tomorrow\n"
        "X-Amz-Website-Redirect-Location: /elsewhere\nx-amz-storage-class: GLACIER_IR\n"
        "x-amz-meta-Colour: red\nX-AMZ-META-size: 1\nx-amz-meta-colour: blue\nx-amz-meta-empty:\n"
        "x-amz-tagging: a=1&b=x%20y&c\nx-amz-acl: private");
    assert_ok(s3_object_headers_parse(&fake.call, &row));
    assert_str(row.content_type, STR("text/plain"));
    assert_str(row.content_encoding, STR("gzip"));
    assert_str(row.content_disposition, STR("inline"));
    assert_str(row.content_language, STR("de"));
    assert_str(row.cache_control, STR("no-cache"));
    assert_str(row.expires, STR("tomorrow"));
    assert_str(row.website_redirect, STR("/elsewhere"));
    assert_int_equal(row.storage_class, STORAGE_GLACIER_IR);
    static const struct pair metadata[] = {{STR_INIT("colour"), STR_INIT("red,blue")},
                                           {STR_INIT("size"), STR_INIT("1")},
                                           {STR_INIT("empty"), STR_INIT("")}};
    for (size_t i = 0; i < COUNT_OF(metadata); i++) {
        assert_true(s3_pairs_next(&row.metadata, &pair));
        assert_str(pair.name, metadata[i].name);
        assert_str(pair.value, metadata[i].value);
    }
    assert_false(s3_pairs_next(&row.metadata, &pair));
    static const struct pair tags[] = {{STR_INIT("a"), STR_INIT("1")},
                                       {STR_INIT("b"), STR_INIT("x y")},
                                       {STR_INIT("c"), STR_INIT("")}};
    assert_int_equal(row.tag_count, COUNT_OF(tags));
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        assert_true(s3_pairs_next(&row.tags, &pair));
        assert_str(pair.name, tags[i].name);
        assert_str(pair.value, tags[i].value);
    }
    fake_call_release(&fake);
}

static void test_content_encoding(void **state)
{
    (void)state;
    static const struct {
        const char *header, *expected;
    } cases[] = {
        {"Content-Encoding: gzip", "gzip"},
        {"Content-Encoding: gzip, br", "gzip, br"},
        {"Content-Encoding: aws-chunked", ""},
        {"Content-Encoding: aws-chunked,gzip", "gzip"},
        {"Content-Encoding: gzip, AWS-Chunked", "gzip"},
        {"Content-Encoding: gzip , aws-chunked, br", "gzip,br"},
        {"Content-Encoding: ,aws-chunked,,", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_call fake;
        struct object_row row = {0};
        fake_call_init(&fake, "PUT", cases[i].header);
        assert_ok(s3_object_headers_parse(&fake.call, &row));
        assert_str(row.content_encoding, str_from(cases[i].expected));
        fake_call_release(&fake);
    }
}

static void test_metadata_limit(void **state)
{
    (void)state;
    char value[METADATA_MAX_BYTES];
    memset(value, 'v', sizeof value);
    for (size_t len = METADATA_MAX_BYTES - 6; len <= METADATA_MAX_BYTES - 4; len++) {
        struct fake_call fake;
        struct object_row row = {0};
        fake_call_init(&fake, "PUT", "x-amz-meta-a: 1");
        fake_call_header(&fake, STR("x-amz-meta-abc"),
                         str_of(value, len)); /* and five bytes beside it */
        assert_err(s3_object_headers_parse(&fake.call, &row),
                   len + 5 <= METADATA_MAX_BYTES ? OK : ERR_METADATA_TOO_LARGE);
        fake_call_release(&fake);
    }
}

static void test_tags(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err expected;
        size_t count;
    } cases[] = {
        {"", OK, 0},
        {"a=1", OK, 1},
        {"a=", OK, 1},
        {"a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10", OK, 10},
        {"a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10&k=11", ERR_TOO_MANY_TAGS, 0},
        {"a=1&a=2", ERR_BAD_ARGUMENT, 0},
        {"=1", ERR_BAD_TAG, 0},
        {"aws:x=1", ERR_BAD_TAG, 0},
        {"AWS:x=1", ERR_BAD_TAG, 0},
        {"a=%zz", ERR_BAD_ARGUMENT, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_call fake;
        struct object_row row = {0};
        fake_call_init(&fake, "PUT", "");
        fake_call_header(&fake, STR("x-amz-tagging"), str_from(cases[i].text));
        enum err err = s3_object_headers_parse(&fake.call, &row);
        if (err != cases[i].expected)
            fail_msg("%s: %s", cases[i].text, err_name(err));
        if (err == OK)
            assert_int_equal(row.tag_count, cases[i].count);
        fake_call_release(&fake);
    }
}

static void test_storage_classes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t value;
    } cases[] = {
        {"STANDARD", 0},     {"REDUCED_REDUNDANCY", 1},  {"STANDARD_IA", 2},
        {"ONEZONE_IA", 3},   {"INTELLIGENT_TIERING", 4}, {"GLACIER", 5},
        {"DEEP_ARCHIVE", 6}, {"GLACIER_IR", 8},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(s3_storage_class_name(cases[i].value), cases[i].name);
        struct fake_call fake;
        uint64_t value = 99;
        fake_call_init(&fake, "PUT", "");
        fake_call_header(&fake, STR("x-amz-storage-class"), str_from(cases[i].name));
        assert_ok(s3_storage_class_parse(&fake.call, &value));
        assert_int_equal(value, cases[i].value);
        fake_call_release(&fake);
    }
    static const char *const bad[] = {"standard", "STANDARD ", "COLD", "STANDARD,GLACIER"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct fake_call fake;
        uint64_t value;
        fake_call_init(&fake, "PUT", "");
        fake_call_header(&fake, STR("x-amz-storage-class"), str_from(bad[i]));
        assert_err(s3_storage_class_parse(&fake.call, &value), ERR_BAD_STORAGE_CLASS);
        fake_call_release(&fake);
    }
    assert_string_equal(s3_storage_class_name(UINT64_MAX),
                        "STANDARD"); /* of a row from a later version */
}

/* ---- What is not served ---- */

static void test_unserved(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum err expected;
    } cases[] = {
        {"x-amz-acl: private", OK},
        {"x-amz-acl: public-read", ERR_NOT_IMPLEMENTED},
        {"X-AMZ-ACL: public-read", ERR_NOT_IMPLEMENTED},
        {"x-amz-grant-read: id=1", ERR_NOT_IMPLEMENTED},
        {"x-amz-server-side-encryption: aws:kms", ERR_NOT_IMPLEMENTED},
        {"x-amz-server-side-encryption-customer-algorithm: AES256", ERR_NOT_IMPLEMENTED},
        {"x-amz-object-lock-mode: COMPLIANCE", ERR_NOT_IMPLEMENTED},
        {"x-amz-object-lock-legal-hold: ON", ERR_NOT_IMPLEMENTED},
        {"x-amz-bucket-object-lock-enabled: true", ERR_NOT_IMPLEMENTED},
        {"x-amz-bucket-object-lock-enabled: false", OK},
        {"x-amz-write-offset-bytes: 0", ERR_NOT_IMPLEMENTED},
        {"x-amz-date: 20130524T000000Z", OK},
        {"x-amz-meta-acl: public-read", OK},
        {"acl: public-read", OK},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_call fake;
        fake_call_init(&fake, "PUT", cases[i].header);
        enum err err = s3_unserved_headers_check(&fake.call);
        if (err != cases[i].expected)
            fail_msg("%s: %s", cases[i].header, err_name(err));
        fake_call_release(&fake);
    }
}

/* ---- Conditions ---- */

static void test_conditions(void **state)
{
    (void)state;
    struct fake_call fake;
    struct conditions conditions;
    fake_call_init(
        &fake, "GET",
        "If-Match: \"a\"\nIf-None-Match: \"b\"\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\n"
        "If-Unmodified-Since: Sunday, 06-Nov-94 08:49:38 GMT\nx-amz-copy-source-if-match: \"c\"\n"
        "x-amz-copy-source-if-unmodified-since: Sun Nov  6 08:49:39 1994");
    s3_conditions_parse(&fake.call, S3_CONDITIONS_OF_REQUEST, &conditions);
    assert_str(conditions.if_match, STR("\"a\""));
    assert_str(conditions.if_none_match, STR("\"b\""));
    assert_int_equal(conditions.if_modified_since_ms, INT64_C(784111777000));
    assert_int_equal(conditions.if_unmodified_since_ms, INT64_C(784111778000));
    s3_conditions_parse(&fake.call, S3_CONDITIONS_OF_SOURCE, &conditions);
    assert_str(conditions.if_match, STR("\"c\""));
    assert_int_equal(conditions.if_none_match.len, 0);
    assert_int_equal(conditions.if_modified_since_ms, 0);
    assert_int_equal(conditions.if_unmodified_since_ms, INT64_C(784111779000));
    fake_call_release(&fake);
}

static void test_condition_dates(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool is_condition;
    } cases[] = {
        {"If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", true}, /* not to be taken for none */
        {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", true},
        {"If-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT", true},
        {"If-Unmodified-Since: yesterday", false},
        {"If-Unmodified-Since: 1994-11-06T08:49:37Z", false},
        {"If-Unmodified-Since:", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_call fake;
        struct conditions conditions;
        fake_call_init(&fake, "GET", cases[i].header);
        s3_conditions_parse(&fake.call, S3_CONDITIONS_OF_REQUEST, &conditions);
        assert_int_equal(conditions.if_unmodified_since_ms != 0, cases[i].is_condition);
        fake_call_release(&fake);
    }
    /* A modification that may still come is no condition. */
    struct fake_call fake;
    struct conditions conditions;
    fake_call_init(&fake, "GET", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT");
    s3_conditions_parse(&fake.call, S3_CONDITIONS_OF_REQUEST, &conditions);
    assert_int_equal(conditions.if_modified_since_ms, 0);
    fake_call_release(&fake);
}

static void test_write_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        enum err expected;
    } cases[] = {
        {"", OK},
        {"If-None-Match: *", OK},
        {"If-Match: \"a\"", OK},
        {"If-Match: a", OK},
        {"If-None-Match: \"a\"", ERR_NOT_IMPLEMENTED},
        {"If-Match: *", ERR_NOT_IMPLEMENTED},
        {"If-Match: \"a\"\nIf-None-Match: *", ERR_NOT_IMPLEMENTED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_call fake;
        struct conditions conditions;
        fake_call_init(&fake, "PUT", cases[i].headers);
        assert_err(s3_write_conditions_parse(&fake.call, &conditions), cases[i].expected);
        fake_call_release(&fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),           cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_object_headers),   cmocka_unit_test(test_content_encoding),
        cmocka_unit_test(test_metadata_limit),   cmocka_unit_test(test_tags),
        cmocka_unit_test(test_storage_classes),  cmocka_unit_test(test_unserved),
        cmocka_unit_test(test_conditions),       cmocka_unit_test(test_condition_dates),
        cmocka_unit_test(test_write_conditions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
