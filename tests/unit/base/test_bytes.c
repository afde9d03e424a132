/* Aim: integers keep their stated byte order, and the reader never passes the end, whatever the bytes are. */
#include "base/bytes.h"

#include "../unit.h"

#include "base/buf.h"

static void test_byte_order(void **state)
{
    (void)state;
    uint8_t bytes[8];
    put_le16(bytes, 0x0102);
    assert_memory_equal(bytes, "\x02\x01", 2);
    assert_int_equal(get_le16(bytes), 0x0102);
    put_le32(bytes, 0x01020304);
    assert_memory_equal(bytes, "\x04\x03\x02\x01", 4);
    assert_int_equal(get_le32(bytes), 0x01020304);
    put_le64(bytes, 0x0102030405060708);
    assert_memory_equal(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    assert_true(get_le64(bytes) == 0x0102030405060708);
    put_be16(bytes, 0x0102);
    assert_memory_equal(bytes, "\x01\x02", 2);
    assert_int_equal(get_be16(bytes), 0x0102);
    put_be32(bytes, 0x01020304);
    assert_memory_equal(bytes, "\x01\x02\x03\x04", 4);
    assert_int_equal(get_be32(bytes), 0x01020304);
    put_be64(bytes, 0x0102030405060708);
    assert_memory_equal(bytes, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    assert_true(get_be64(bytes) == 0x0102030405060708);
}

static void test_reader_to_the_last_byte(void **state)
{
    (void)state;
    struct reader r = reader_of(STR("\x01\x02\x01\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01"
                                    "abc"));
    assert_int_equal(reader_u8(&r), 1);
    assert_int_equal(reader_le16(&r), 0x0102);
    assert_int_equal(reader_le32(&r), 0x01020304);
    assert_true(reader_le64(&r) == 0x0102030405060708);
    assert_str(reader_bytes(&r, 3), STR("abc"));
    assert_str(reader_bytes(&r, 0), STR(""));
    assert_int_equal(r.left, 0);
    assert_false(r.failed);
}

static void test_reader_fails_for_good(void **state)
{
    (void)state;
    static const str short_bytes = STR_INIT("\x01\x02\x03\x04\x05\x06\x07");
    struct reader r = reader_of(short_bytes);
    assert_true(reader_le64(&r) == 0 && r.failed);
    assert_int_equal(reader_u8(&r), 0);
    assert_int_equal(reader_le16(&r), 0);
    assert_int_equal(reader_le32(&r), 0);
    assert_int_equal(reader_varint(&r), 0);
    assert_str(reader_bytes(&r, 1), STR(""));
    assert_str(reader_bytes(&r, 0), STR(""));
    assert_true(r.failed);

    r = reader_of(short_bytes);
    assert_str(reader_bytes(&r, SIZE_MAX), STR(""));
    assert_true(r.failed);
    r = reader_of((str){0});
    assert_int_equal(reader_u8(&r), 0);
    assert_true(r.failed);
}

static void test_varint(void **state)
{
    (void)state;
    static const struct {
        str bytes;
        uint64_t value;
    } cases[] = {
        {STR_INIT("\x00"), 0},
        {STR_INIT("\x01"), 1},
        {STR_INIT("\x7f"), 127},
        {STR_INIT("\x80\x01"), 128},
        {STR_INIT("\xff\x7f"), 16383},
        {STR_INIT("\x80\x80\x01"), 16384},
        {STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), INT64_MAX},
        {STR_INIT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), (uint64_t)1 << 63},
        {STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reader r = reader_of(cases[i].bytes);
        assert_true(reader_varint(&r) == cases[i].value);
        assert_true(!r.failed && r.left == 0);
        BUF_SCOPED struct buf buf;
        buf_init(&buf, 10);
        buf_append_varint(&buf, cases[i].value);
        assert_true(str_eq(buf_str(&buf), cases[i].bytes));
    }
}

static void test_varint_of_wrong_form(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT(""),
        STR_INIT("\x80"),                                         /* cut */
        STR_INIT("\xff\xff\xff"),                                 /* cut */
        STR_INIT("\x80\x00"),                                     /* not the shortest form of 0 */
        STR_INIT("\xff\x80\x00"),                                 /* not the shortest form of 127 */
        STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),     /* 65 bits */
        STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01"), /* eleven bytes */
        STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00"),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reader r = reader_of(cases[i]);
        assert_true(reader_varint(&r) == 0);
        assert_true(r.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_order),
        cmocka_unit_test(test_reader_to_the_last_byte),
        cmocka_unit_test(test_reader_fails_for_good),
        cmocka_unit_test(test_varint),
        cmocka_unit_test(test_varint_of_wrong_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
