/* Aim: whatever a request claims about its body is checked, each kind of claim against bytes that fit and bytes that do not; claims
 * that are malformed, that are several, or that never come are refused. */
#include "call.h"

#include "base/encode.h"
#include "s3/integrity.h"

/* "123456789" and its checksums, as base64. */
#define BODY STR("123456789")
#define MD5_TEXT "JfnnlDI7RTiF9RgfG2JNCw=="
static const struct {
    enum checksum_kind kind;
    const char *header, *name, *element, *value;
} kinds[] = {
    {CHECKSUM_CRC32, "x-amz-checksum-crc32", "CRC32", "ChecksumCRC32", "y/Q5Jg=="},
    {CHECKSUM_CRC32C, "x-amz-checksum-crc32c", "CRC32C", "ChecksumCRC32C", "4waSgw=="},
    {CHECKSUM_CRC64NVME, "x-amz-checksum-crc64nvme", "CRC64NVME", "ChecksumCRC64NVME",
     "rosUhgp5mIg="},
    {CHECKSUM_SHA1, "x-amz-checksum-sha1", "SHA1", "ChecksumSHA1", "98O8HYCOBHMq32eZZczDTKeuNEE="},
    {CHECKSUM_SHA256, "x-amz-checksum-sha256", "SHA256", "ChecksumSHA256",
     "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="},
};

/* The verdict on a body of these bytes. */
static enum err check(struct fake_call *fake, str body)
{
    struct digest digest;
    digest_init(&digest, s3_integrity_digests(&fake->call));
    digest_update(&digest, body.ptr, body.len);
    digest_finish(&digest);
    enum err err = s3_integrity_check(&fake->call, &digest);
    digest_release(&digest);
    return err;
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        enum checksum_kind kind;
        assert_string_equal(s3_checksum_header(kinds[i].kind), kinds[i].header);
        assert_string_equal(s3_checksum_name(kinds[i].kind), kinds[i].name);
        assert_string_equal(s3_checksum_element(kinds[i].kind), kinds[i].element);
        assert_true(s3_checksum_find(str_from(kinds[i].name), &kind));
        assert_int_equal(kind, kinds[i].kind);
    }
    enum checksum_kind kind;
    assert_true(s3_checksum_find(STR("crc64nvme"), &kind));
    assert_false(s3_checksum_find(STR("MD5"), &kind));
    assert_false(s3_checksum_find(STR(""), &kind));
    assert_false(s3_checksum_find(STR("CRC32 "), &kind));
}

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        uint8_t value[CHECKSUM_SIZE_MAX];
        str good = str_from(kinds[i].value);
        char text[80];
        assert_ok(s3_checksum_decode(kinds[i].kind, good, value));
        assert_err(s3_checksum_decode(kinds[i].kind, str_slice(good, 0, good.len - 1), value),
                   ERR_BAD_CHECKSUM_FORM);
        assert_err(s3_checksum_decode(kinds[i].kind, STR(""), value), ERR_BAD_CHECKSUM_FORM);
        memcpy(text, good.ptr, good.len);
        memcpy(text + good.len, "AAAA", 4);
        assert_err(s3_checksum_decode(kinds[i].kind, str_of(text, good.len + 4), value),
                   ERR_BAD_CHECKSUM_FORM);
        text[0] = '*';
        assert_err(s3_checksum_decode(kinds[i].kind, str_of(text, good.len), value),
                   ERR_BAD_CHECKSUM_FORM);
        /* Of the right length, but of fewer bytes or more. */
        memset(text, 'A', good.len);
        memcpy(text + good.len - 2, good.ptr[good.len - 2] == '=' ? "A=" : "==", 2);
        assert_err(s3_checksum_decode(kinds[i].kind, str_of(text, good.len), value),
                   ERR_BAD_CHECKSUM_FORM);
    }
}

static void test_no_claim(void **state)
{
    (void)state;
    struct fake_call fake;
    fake_call_init(&fake, "PUT", "");
    assert_ok(s3_integrity_parse(&fake.call));
    assert_int_equal(s3_integrity_digests(&fake.call), 0);
    assert_int_equal(s3_stored_checksum(&fake.call), CHECKSUM_CRC64NVME);
    assert_ok(check(&fake, BODY));
    fake_call_release(&fake);
}

static void test_md5(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum err parse, good, bad;
    } cases[] = {
        {MD5_TEXT, OK, OK, ERR_BAD_DIGEST},
        {"", ERR_BAD_DIGEST_FORM, OK, OK},
        {"JfnnlDI7RTiF9RgfG2JNCw=", ERR_BAD_DIGEST_FORM, OK, OK},
        {"25f9e794323b453885f5181f1b624d0b", ERR_BAD_DIGEST_FORM, OK, OK},
        {"JfnnlDI7RTiF9RgfG2JNC*==", ERR_BAD_DIGEST_FORM, OK, OK},
        {"JfnnlDI7RTiF9RgfG2JNCwA=", ERR_BAD_DIGEST_FORM, OK, OK},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_call fake;
        fake_call_init(&fake, "PUT", "");
        fake_call_header(&fake, STR("Content-MD5"), str_from(cases[i].value));
        assert_err(s3_integrity_parse(&fake.call), cases[i].parse);
        if (cases[i].parse == OK) {
            assert_err(check(&fake, BODY), cases[i].good);
            assert_err(check(&fake, STR("12345678")), cases[i].bad);
        }
        fake_call_release(&fake);
    }
}

static void test_header_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct fake_call fake;
        fake_call_init(&fake, "PUT", "");
        fake_call_header(&fake, str_from(kinds[i].header), str_from(kinds[i].value));
        fake_call_header(&fake, STR("x-amz-sdk-checksum-algorithm"), str_from(kinds[i].name));
        assert_ok(s3_integrity_parse(&fake.call));
        assert_int_equal(s3_integrity_digests(&fake.call), DIGEST_BIT(kinds[i].kind));
        assert_int_equal(s3_stored_checksum(&fake.call), kinds[i].kind);
        assert_ok(check(&fake, BODY));
        assert_err(check(&fake, STR("")), ERR_BAD_CHECKSUM);
        assert_err(check(&fake, STR("1234567890")), ERR_BAD_CHECKSUM);
        fake_call_release(&fake);
    }
}

static void test_signed_hash(void **state)
{
    (void)state;
    struct fake_call fake;
    fake_call_init(&fake, "PUT", "");
    fake.call.sig_kind = SIG_V4_HEADER;
    fake.call.sig.payload = PAYLOAD_HASHED;
    size_t len;
    assert_ok(base64_decode(str_from(kinds[4].value), fake.call.sig.payload_hash, &len));
    assert_ok(s3_integrity_parse(&fake.call));
    assert_int_equal(s3_integrity_digests(&fake.call), DIGEST_BIT(CHECKSUM_SHA256));
    assert_ok(check(&fake, BODY));
    assert_err(check(&fake, STR("12345678")), ERR_PAYLOAD_MISMATCH);
    fake.call.sig_kind = SIG_V4_QUERY;
    assert_err(check(&fake, STR("12345678")), ERR_PAYLOAD_MISMATCH);
    fake.call.sig.payload = PAYLOAD_UNSIGNED;
    assert_ok(check(&fake, STR("12345678")));
    fake_call_release(&fake);
}

static void test_refused_heads(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        enum s3_shape shape;
        enum err expected;
    } cases[] = {
        {"x-amz-checksum-crc32: y/Q5Jg==\nx-amz-checksum-crc32c: 4waSgw==", S3_UPLOAD,
         ERR_BAD_REQUEST},
        {"x-amz-checksum-crc32: 4waSgw=", S3_UPLOAD, ERR_BAD_CHECKSUM_FORM},
        {"x-amz-checksum-sha256: y/Q5Jg==", S3_UPLOAD, ERR_BAD_CHECKSUM_FORM},
        {"x-amz-checksum-crc32:", S3_UPLOAD, ERR_BAD_CHECKSUM_FORM},
        {"x-amz-sdk-checksum-algorithm: CRC32", S3_UPLOAD, ERR_BAD_REQUEST},
        {"x-amz-sdk-checksum-algorithm: CRC32", S3_SIMPLE, OK},
        {"x-amz-sdk-checksum-algorithm: CRC16", S3_SIMPLE, ERR_BAD_REQUEST},
        {"x-amz-sdk-checksum-algorithm: SHA1\nx-amz-checksum-crc32: y/Q5Jg==", S3_UPLOAD,
         ERR_BAD_REQUEST},
        {"x-amz-trailer: x-amz-checksum-crc32", S3_UPLOAD,
         ERR_BAD_TRAILER}, /* of a body that can have none */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_call fake;
        fake_call_init(&fake, "PUT", cases[i].headers);
        fake.operation.shape = cases[i].shape;
        enum err err = s3_integrity_parse(&fake.call);
        if (err != cases[i].expected)
            fail_msg("%s: %s", cases[i].headers, err_name(err));
        fake_call_release(&fake);
    }
}

/* ---- Trailers ---- */

static void begin_trailer(struct fake_call *fake, const char *headers)
{
    fake_call_init(fake, "PUT", headers);
    fake->operation.shape = S3_UPLOAD;
    fake->call.sig_kind = SIG_V4_HEADER;
    fake->call.sig.payload = PAYLOAD_STREAM_UNSIGNED_TRAILER;
}

static void test_trailer_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct fake_call fake;
        begin_trailer(&fake, "");
        fake_call_header(&fake, STR("x-amz-trailer"), str_from(kinds[i].header));
        assert_ok(s3_integrity_parse(&fake.call));
        assert_int_equal(s3_integrity_digests(&fake.call), DIGEST_BIT(kinds[i].kind));
        assert_err(check(&fake, BODY), ERR_BAD_TRAILER); /* announced, and never came */
        assert_err(s3_integrity_trailer(
                       &fake.call, str_from(kinds[(i + 1) % COUNT_OF(kinds)].header), STR("AAAA")),
                   ERR_BAD_TRAILER);
        assert_err(s3_integrity_trailer(&fake.call, STR("x-other"), STR("1")), ERR_BAD_TRAILER);
        assert_err(s3_integrity_trailer(&fake.call, str_from(kinds[i].header), STR("AAA=")),
                   ERR_BAD_CHECKSUM_FORM);
        assert_ok(
            s3_integrity_trailer(&fake.call, str_from(kinds[i].header), str_from(kinds[i].value)));
        assert_ok(check(&fake, BODY));
        assert_err(check(&fake, STR("12345678")), ERR_BAD_CHECKSUM);
        fake_call_release(&fake);
    }
}

static void test_refused_trailers(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        enum err expected;
    } cases[] = {
        {"x-amz-trailer: x-amz-checksum-crc32", OK},
        {"x-amz-trailer:  X-Amz-Checksum-CRC32 ", OK},
        {"x-amz-trailer: x-amz-checksum-crc32\nx-amz-sdk-checksum-algorithm: CRC32", OK},
        {"x-amz-trailer: x-amz-checksum-crc32\nx-amz-sdk-checksum-algorithm: SHA1",
         ERR_BAD_REQUEST},
        {"x-amz-trailer: x-amz-checksum-crc32,x-amz-checksum-sha1", ERR_BAD_REQUEST},
        {"x-amz-trailer: x-amz-checksum-crc32,", OK},
        {"x-amz-trailer: x-amz-checksum-md5", ERR_BAD_REQUEST},
        {"x-amz-trailer: x-amz-meta-a", ERR_BAD_REQUEST},
        {"x-amz-trailer: x-amz-checksum-crc32\nx-amz-checksum-crc32: y/Q5Jg==", ERR_BAD_REQUEST},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_call fake;
        begin_trailer(&fake, cases[i].headers);
        enum err err = s3_integrity_parse(&fake.call);
        if (err != cases[i].expected)
            fail_msg("%s: %s", cases[i].headers, err_name(err));
        fake_call_release(&fake);
    }
}

/* A trailer that was not announced is no claim that could be passed over. */
static void test_unannounced_trailer(void **state)
{
    (void)state;
    struct fake_call fake;
    begin_trailer(&fake, "x-amz-checksum-crc32: y/Q5Jg==");
    assert_ok(s3_integrity_parse(&fake.call));
    assert_err(s3_integrity_trailer(&fake.call, STR("x-amz-checksum-crc32"), STR("AAAAAA==")),
               ERR_BAD_TRAILER);
    assert_ok(check(&fake, BODY));
    fake_call_release(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_no_claim),
        cmocka_unit_test(test_md5),
        cmocka_unit_test(test_header_values),
        cmocka_unit_test(test_signed_hash),
        cmocka_unit_test(test_refused_heads),
        cmocka_unit_test(test_trailer_values),
        cmocka_unit_test(test_refused_trailers),
        cmocka_unit_test(test_unannounced_trailer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
