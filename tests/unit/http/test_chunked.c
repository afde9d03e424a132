/* Aim: chunks give back the bytes that went in, however the input is cut; malformed framing and framing past its limits is
 * refused at the byte where it goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "http/chunked.h"

/* Feeds `text` in steps of `step` bytes, taking at most `take` bytes of data at a time. */
static enum err decode(struct chunked *chunked, str text, size_t step, size_t take, struct buf *out)
{
    size_t at = 0;
    while (at < text.len && !chunked_is_done(chunked)) {
        size_t end = text.len - at < step ? text.len : at + step;
        size_t framing;
        str data;
        TRY(chunked_next(chunked, str_slice(text, at, end), &framing, &data));
        size_t taken = data.len < take ? data.len : take;
        buf_append(out, str_slice(data, 0, taken));
        chunked_take(chunked, taken);
        at += framing + taken;
    }
    return chunked_is_done(chunked) ? OK : ERR_PENDING;
}

struct good {
    const char *name;
    str text;
    const char *data;
    const char *trailer;
};

static const struct good good[] = {
    {"empty", STR_INIT("0\r\n\r\n"), "", ""},
    {"one chunk", STR_INIT("5\r\nhello\r\n0\r\n\r\n"), "hello", ""},
    {"two chunks", STR_INIT("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), "hello world", ""},
    {"hexadecimal, either case", STR_INIT("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"),
     "01234567890123456789a", ""},
    {"leading zeros", STR_INIT("0000000000000003\r\nabc\r\n00\r\n\r\n"), "abc", ""},
    {"extension", STR_INIT("3;a=b;c=\"d e\"\r\nabc\r\n0;last\r\n\r\n"), "abc", ""},
    {"empty extension", STR_INIT("3;\r\nabc\r\n0\r\n\r\n"), "abc", ""},
    {"CRLF in the data", STR_INIT("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n", ""},
    {"trailer", STR_INIT("0\r\nA: b\r\nC:\r\n\r\n"), "", "A: b\r\nC:\r\n"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        for (size_t step = 1; step <= good[i].text.len; step++) {
            BUF_SCOPED struct buf out;
            buf_init(&out, 1024);
            char trailer[CHUNKED_TRAILER_MAX];
            struct chunked chunked = {.trailer = trailer};
            size_t take = step % 3 + 1;
            enum err err = decode(&chunked, good[i].text, step, take, &out);
            if (err != OK || !str_eq(buf_str(&out), str_from(good[i].data)) ||
                !str_eq(chunked_trailer(&chunked), str_from(good[i].trailer)))
                fail_msg("%s, in steps of %zu: %s '%.*s'", good[i].name, step, err_name(err),
                         STR_ARG(buf_str(&out)));
        }
    }
}

struct bad {
    const char *name;
    str text;
};

static const struct bad bad[] = {
    {"no size", STR_INIT("\r\n")},
    {"not hexadecimal", STR_INIT("g\r\n")},
    {"0x", STR_INIT("0x5\r\nhello")},
    {"sign", STR_INIT("+5\r\nhello")},
    {"negative", STR_INIT("-5\r\n")},
    {"space before the size", STR_INIT(" 5\r\nhello")},
    {"space after the size", STR_INIT("5 \r\nhello")},
    {"space before the extension", STR_INIT("5 ;a\r\nhello")},
    {"bare LF after the size", STR_INIT("5\nhello")},
    {"bare CR after the size", STR_INIT("5\rhello")},
    {"bare LF in an extension", STR_INIT("5;a\nhello")},
    {"control in an extension", STR_INIT("5;\x01\r\n")},
    {"NUL in an extension", STR_INIT("5;\0\r\n")},
    {"data longer than its chunk", STR_INIT("5\r\nhelloX\r\n")},
    {"bare LF after the data", STR_INIT("5\r\nhello\n")},
    {"bare CR after the data", STR_INIT("5\r\nhello\rX")},
    {"chunk without an end before the last", STR_INIT("5\r\nhello0\r\n\r\n")},
    {"17 digits", STR_INIT("00000000000000005\r\n")},
    {"past 63 bits", STR_INIT("8000000000000000\r\n")},
    {"past 64 bits", STR_INIT("fffffffffffffffff\r\n")},
    {"bare LF as the end", STR_INIT("0\r\n\n")},
    {"bare CR as the end", STR_INIT("0\r\n\rX")},
    {"folded trailer", STR_INIT("0\r\n A: b\r\n\r\n")},
    {"trailer that begins with a colon", STR_INIT("0\r\n: b\r\n\r\n")},
    {"bare LF in a trailer", STR_INIT("0\r\nA: b\n\r\n")},
    {"bare CR in a trailer", STR_INIT("0\r\nA: b\rc\r\n\r\n")},
    {"NUL in a trailer", STR_INIT("0\r\nA: \0\r\n\r\n")},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t step = 1; step <= bad[i].text.len; step++) {
            BUF_SCOPED struct buf out;
            buf_init(&out, 1024);
            struct chunked chunked = {0};
            enum err err = decode(&chunked, bad[i].text, step, SIZE_MAX, &out);
            if (err != ERR_BAD_CHUNK)
                fail_msg("%s, in steps of %zu: %s", bad[i].name, step, err_name(err));
        }
    }
}

/* The largest size is taken, and nothing is allocated for it. */
static void test_largest_chunk(void **state)
{
    (void)state;
    struct chunked chunked = {0};
    size_t framing;
    str data;
    assert_int_equal(chunked_next(&chunked, STR("7fffffffffffffff\r\nabc"), &framing, &data), OK);
    assert_int_equal(framing, 18);
    assert_int_equal(data.len, 3);
    chunked_take(&chunked, 3);
    assert_true(chunked.left == (uint64_t)INT64_MAX - 3);
}

static enum err feed(struct chunked *chunked, str text)
{
    BUF_SCOPED struct buf out;
    buf_init(&out, 1 << 20);
    return decode(chunked, text, text.len, SIZE_MAX, &out);
}

static enum err feed_extension(struct chunked *chunked, size_t len)
{
    char text[CHUNKED_LINE_MAX + 16];
    assert_true(len + 8 < sizeof(text));
    memcpy(text, "1;", 2);
    memset(text + 2, 'x', len);
    memcpy(text + 2 + len, "\r\na\r\n", 5);
    return feed(chunked, str_of(text, len + 7));
}

static void test_extension_limits(void **state)
{
    (void)state;
    struct chunked chunked = {0};
    assert_int_equal(feed_extension(&chunked, CHUNKED_LINE_MAX), ERR_PENDING);
    chunked = (struct chunked){0};
    assert_int_equal(feed_extension(&chunked, CHUNKED_LINE_MAX + 1), ERR_BAD_CHUNK);
    /* Each line is short enough, but there are too many of them. */
    chunked = (struct chunked){0};
    for (int i = 0; i < CHUNKED_EXTENSION_MAX / 128; i++)
        assert_int_equal(feed_extension(&chunked, 128), ERR_PENDING);
    assert_int_equal(feed_extension(&chunked, 1), ERR_BAD_CHUNK);
}

static enum err feed_trailer(size_t line_bytes, char *place)
{
    char text[CHUNKED_TRAILER_MAX + 64];
    struct chunked chunked = {.trailer = place};
    memcpy(text, "0\r\nA:", 5);
    memset(text + 5, 'x', line_bytes - 4);
    memcpy(text + 1 + line_bytes, "\r\n\r\n", 4);
    return feed(&chunked, str_of(text, line_bytes + 5));
}

static void test_trailer_limit(void **state)
{
    (void)state;
    char place[CHUNKED_TRAILER_MAX];
    assert_int_equal(feed_trailer(CHUNKED_TRAILER_MAX, place), OK);
    assert_int_equal(feed_trailer(CHUNKED_TRAILER_MAX + 1, place), ERR_BAD_CHUNK);
    /* The limit holds for trailers that nobody keeps, too. */
    assert_int_equal(feed_trailer(CHUNKED_TRAILER_MAX, NULL), OK);
    assert_int_equal(feed_trailer(CHUNKED_TRAILER_MAX + 1, NULL), ERR_BAD_CHUNK);
}

static void test_nothing_after_the_end(void **state)
{
    (void)state;
    struct chunked chunked = {0};
    size_t framing;
    str data;
    assert_int_equal(chunked_next(&chunked, STR("0\r\n\r\nGET /"), &framing, &data), OK);
    assert_int_equal(framing, 5);
    assert_int_equal(data.len, 0);
    assert_true(chunked_is_done(&chunked));
    assert_int_equal(chunked_next(&chunked, STR("GET /"), &framing, &data), OK);
    assert_int_equal(framing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_bad),
        cmocka_unit_test(test_largest_chunk), cmocka_unit_test(test_extension_limits),
        cmocka_unit_test(test_trailer_limit), cmocka_unit_test(test_nothing_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
