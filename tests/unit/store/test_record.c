/* Records, headers and changes as bytes: the documented example, every flipped bit, every cut. */
#include "local_support.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "store/local/record.h"

enum { BYTES_MAX = 1 << 16 };

static struct segment_header example_header(void)
{
    struct segment_header header = {
        .id = 3, .epoch = 0x8877665544332211, .size = 1 << 20, .created_ms = 1700000000000};
    memset(header.store_id, 0xA5, STORE_ID_SIZE);
    return header;
}

static void header_comes_back(void **state)
{
    (void)state;
    char bytes[SEGMENT_HEADER_SIZE];
    struct segment_header header = example_header(), got;
    segment_header_encode(&header, bytes);
    assert_ok(segment_header_decode(bytes, &got));
    assert_int_equal(got.id, header.id);
    assert_true(got.epoch == header.epoch);
    assert_int_equal(got.size, header.size);
    assert_int_equal(got.created_ms, header.created_ms);
    assert_int_equal(got.check, header.check);
    assert_memory_equal(got.store_id, header.store_id, STORE_ID_SIZE);
}

/* Any one byte may be damaged: the other copy is used. */
static void one_damaged_copy_is_no_harm(void **state)
{
    (void)state;
    char bytes[SEGMENT_HEADER_SIZE];
    struct segment_header header = example_header(), got;
    segment_header_encode(&header, bytes);
    for (size_t i = 0; i < SEGMENT_HEADER_SIZE; i++) {
        bytes[i] = (char)(bytes[i] ^ 1);
        got = (struct segment_header){0};
        assert_ok(segment_header_decode(bytes, &got));
        assert_int_equal(got.id, 3);
        bytes[i] = (char)(bytes[i] ^ 1);
    }
    for (size_t i = 0; i < 64; i++) {
        bytes[i] = (char)(bytes[i] ^ 1);
        bytes[2048 + 63 - i] = (char)(bytes[2048 + 63 - i] ^ 1);
        assert_err(segment_header_decode(bytes, &got), ERR_CORRUPT);
        bytes[i] = (char)(bytes[i] ^ 1);
        bytes[2048 + 63 - i] = (char)(bytes[2048 + 63 - i] ^ 1);
    }
    memset(bytes, 0, sizeof(bytes));
    assert_err(segment_header_decode(bytes, &got), ERR_CORRUPT);
}

/* The example of docs/format/log.md. */
static size_t example_record(char dst[BYTES_MAX], struct record *out_record)
{
    struct buf payload;
    buf_init(&payload, BYTES_MAX);
    change_encode(&(struct change){.kind = CHANGE_PUT,
                                   .key = STR("\x0e"
                                              "a"),
                                   .value = STR("\x01\x01"
                                                "b")},
                  &payload);
    *out_record = (struct record){
        .kind = RECORD_UPDATE,
        .payload_length = (uint32_t)payload.len,
        .change_count = 1,
        .epoch = 0x8877665544332211,
        .sequence = 1,
        .durable = 0,
        .chain = 0xDEADBEEF,
        .salt = 0x0102030405060708,
    };
    memcpy(dst + RECORD_HEADER_SIZE, payload.ptr, payload.len);
    record_encode(out_record, dst);
    size_t len = RECORD_HEADER_SIZE + payload.len;
    buf_release(&payload);
    return len;
}

static void record_is_encoded_as_documented(void **state)
{
    (void)state;
    static const str expected = STR_INIT("PLRC\0\0\0\0"
                                         "\x01\x01\0\0\x09\0\0\0"
                                         "\x11\x22\x33\x44\x55\x66\x77\x88"
                                         "\x01\0\0\0\0\0\0\0"
                                         "\0\0\0\0\0\0\0\0"
                                         "\x01\0\0\0\xEF\xBE\xAD\xDE"
                                         "\x08\x07\x06\x05\x04\x03\x02\x01"
                                         "\x01\x02\x0E"
                                         "a\x03\x01\x01"
                                         "b\0");
    char bytes[BYTES_MAX];
    struct record record;
    size_t len = example_record(bytes, &record);
    assert_int_equal(len, expected.len);
    assert_int_equal(get_le32(bytes + 4), record.check);
    put_le32(bytes + 4, 0);
    assert_memory_equal(bytes, expected.ptr, len);
    assert_int_equal(record.check, 0x8FA167FD);
}

static bool is_accepted(const char *bytes, size_t len, struct record *out_record)
{
    return record_header_decode(str_of(bytes, len), out_record) == OK &&
           RECORD_HEADER_SIZE + (size_t)out_record->payload_length <= len &&
           record_verify(out_record, bytes) == OK;
}

static void every_flipped_bit_of_a_record_is_seen(void **state)
{
    (void)state;
    char bytes[BYTES_MAX];
    struct record record, got;
    size_t len = example_record(bytes, &record);
    assert_true(is_accepted(bytes, len, &got));
    assert_int_equal(got.sequence, 1);
    assert_int_equal(got.change_count, 1);
    assert_int_equal(got.chain, 0xDEADBEEF);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        assert_false(is_accepted(bytes, len, &got));
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_false(is_accepted(bytes, cut, &got));
}

static const struct change changes[] = {
    {.kind = CHANGE_PUT, .key = STR_INIT("k"), .value = STR_INIT("")},
    {.kind = CHANGE_DELETE, .key = STR_INIT("key to go")},
    {.kind = CHANGE_PUT,
     .key = STR_INIT("k"),
     .value = STR_INIT("v"),
     .blob_length = 300,
     .blob_crc32c = 0x12345678},
    {.kind = CHANGE_PUT,
     .key = STR_INIT("kk"),
     .value = STR_INIT("vv"),
     .blob_length = 1,
     .blob_crc32c = 1},
};
enum { CHANGE_COUNT = sizeof(changes) / sizeof(changes[0]) };

static void encode_all(struct buf *out, size_t ends[CHANGE_COUNT])
{
    static const char blob[300];
    for (size_t i = 0; i < CHANGE_COUNT; i++) {
        change_encode(&changes[i], out);
        buf_append(out, str_of(blob, changes[i].blob_length));
        ends[i] = out->len;
    }
}

static void changes_come_back(void **state)
{
    (void)state;
    BUF_SCOPED struct buf bytes;
    size_t ends[CHANGE_COUNT], at = 0;
    buf_init(&bytes, BYTES_MAX);
    encode_all(&bytes, ends);
    str payload = buf_str(&bytes);
    for (size_t i = 0; i < CHANGE_COUNT; i++) {
        struct change got;
        size_t length;
        assert_ok(change_decode(&payload, &got, &length));
        at += length;
        assert_int_equal(at, ends[i]);
        assert_int_equal(got.kind, changes[i].kind);
        assert_true(str_eq(got.key, changes[i].key));
        assert_true(str_eq(got.value, changes[i].value));
        assert_int_equal(got.blob_length, changes[i].blob_length);
        assert_int_equal(got.blob_crc32c, changes[i].blob_crc32c);
    }
    assert_int_equal(payload.len, 0);
}

static void cut_changes_are_refused(void **state)
{
    (void)state;
    BUF_SCOPED struct buf bytes;
    size_t ends[CHANGE_COUNT];
    buf_init(&bytes, BYTES_MAX);
    encode_all(&bytes, ends);
    for (size_t cut = 0; cut < bytes.len; cut++) {
        /* A copy of just that size, so that reading on is seen by the sanitizer. */
        char *copy = mem_alloc(cut);
        memcpy(copy, bytes.ptr, cut);
        str payload = str_of(copy, cut);
        struct change got;
        size_t length, whole = 0;
        enum err err = OK;
        for (size_t at = 0; at < cut && err == OK; at += length) {
            err = change_decode(&payload, &got, &length);
            whole += err == OK;
        }
        size_t expected = 0;
        while (expected < CHANGE_COUNT && ends[expected] <= cut)
            expected++;
        assert_int_equal(whole, expected);
        bool is_at_end = cut == 0 || (expected > 0 && ends[expected - 1] == cut);
        assert_err(err, is_at_end ? OK : ERR_CORRUPT);
        mem_free(copy);
    }
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT("\x00"),
        STR_INIT("\x03\x01k"),
        STR_INIT("\x02\x00"),                                      /* a key of no bytes */
        STR_INIT("\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k"), /* a length beyond all */
        STR_INIT("\x01\x01k\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                 "abcd"),
        STR_INIT("\x02\x81\x00k"), /* a length that is not in its shortest form */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        str payload = cases[i];
        struct change got;
        size_t length;
        assert_err(change_decode(&payload, &got, &length), ERR_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_comes_back),
        cmocka_unit_test(one_damaged_copy_is_no_harm),
        cmocka_unit_test(record_is_encoded_as_documented),
        cmocka_unit_test(every_flipped_bit_of_a_record_is_seen),
        cmocka_unit_test(changes_come_back),
        cmocka_unit_test(cut_changes_are_refused),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
