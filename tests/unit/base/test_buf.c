/* Aim: appends at, below and past the cap; failures are sticky and leave what was there; reserve and consume keep the
 * content. */
#include "base/buf.h"

#include "../unit.h"

static void test_grows_and_keeps_content(void **state)
{
    (void)state;
    BUF_SCOPED struct buf buf;
    buf_init(&buf, SIZE_MAX);
    for (unsigned i = 0; i < 10000; i++)
        buf_append_char(&buf, (char)(i % 251));
    assert_ok(buf_err(&buf));
    assert_int_equal(buf.len, 10000);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal((unsigned char)buf.ptr[i], i % 251);
}

static void test_texts(void **state)
{
    (void)state;
    BUF_SCOPED struct buf buf;
    buf_init(&buf, 1000);
    buf_append(&buf, (str){0});
    assert_str(buf_str(&buf), STR(""));
    buf_append(&buf, STR("a"));
    buf_append_u64(&buf, 0);
    buf_append_u64(&buf, UINT64_MAX);
    buf_printf(&buf, " %s-%d", "x", -5);
    buf_append_le16(&buf, 0x4142);
    buf_append_le32(&buf, 0x43444546);
    buf_append_le64(&buf, 0x4748494a4b4c4d4e);
    assert_str(buf_str(&buf), STR("a018446744073709551615 x--5BAFEDCNMLKJIHG"));
}

/* Appending to exactly the cap succeeds by every way; one byte more fails, and stays failed. */
static void test_cap(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        for (int excess = 0; excess < 2; excess++) {
            BUF_SCOPED struct buf buf;
            buf_init(&buf, 5);
            buf_append(&buf, STR("abc"));
            const char *text = excess ? "xyz" : "xy";
            str piece = str_from(text);
            char *room;
            switch (way) {
            case 0:
                buf_append(&buf, piece);
                break;
            case 1:
                buf_printf(&buf, "%s", text);
                break;
            case 2:
                for (size_t i = 0; i < piece.len; i++)
                    buf_append_char(&buf, text[i]);
                break;
            default:
                room = buf_reserve(&buf, piece.len);
                assert_int_equal(room == NULL, excess);
                if (room) {
                    memcpy(room, text, piece.len);
                    buf_commit(&buf, piece.len);
                }
            }
            assert_err(buf_err(&buf), excess ? ERR_TOO_LARGE : OK);
            str kept = excess ? (way == 2 ? STR("abcxy") : STR("abc")) : STR("abcxy");
            assert_str(buf_str(&buf), kept);
        }
    }
}

static void test_failure_is_sticky(void **state)
{
    (void)state;
    BUF_SCOPED struct buf buf;
    buf_init(&buf, 5);
    buf_append(&buf, STR("abcdef"));
    buf_append(&buf, STR("a"));
    buf_append_char(&buf, 'a');
    buf_printf(&buf, "a");
    assert_null(buf_reserve(&buf, 0));
    assert_int_equal(buf.len, 0);
    assert_err(buf_err(&buf), ERR_TOO_LARGE);
    buf_clear(&buf);
    assert_ok(buf_err(&buf));
    buf_append(&buf, STR("a"));
    assert_str(buf_str(&buf), STR("a"));
}

static void test_cap_of_zero(void **state)
{
    (void)state;
    BUF_SCOPED struct buf buf;
    buf_init(&buf, 0);
    buf_append(&buf, STR(""));
    buf_printf(&buf, "%s", "");
    assert_non_null(buf_reserve(&buf, 0));
    assert_ok(buf_err(&buf));
    buf_append_char(&buf, 'a');
    assert_err(buf_err(&buf), ERR_TOO_LARGE);
}

/* The address sanitizer would otherwise end the process where malloc answers null. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_refused_memory(void **state)
{
    (void)state;
    BUF_SCOPED struct buf buf;
    buf_init(&buf, SIZE_MAX);
    buf_append(&buf, STR("kept"));
    assert_null(buf_reserve(&buf, SIZE_MAX / 2));
    assert_err(buf_err(&buf), ERR_NO_MEMORY);
    assert_str(buf_str(&buf), STR("kept"));
    buf_clear(&buf);
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_err(buf_err(&buf), ERR_NO_MEMORY);
}

static void test_printf_longer_than_the_room(void **state)
{
    (void)state;
    for (int len = 230; len < 250; len++) {
        BUF_SCOPED struct buf buf;
        buf_init(&buf, 4096);
        buf_append_char(&buf, '<');
        buf_printf(&buf, "%*d>", len, 7);
        assert_int_equal(buf.len, len + 2);
        assert_str(str_skip(buf_str(&buf), (size_t)len), STR("7>"));
    }
}

static void test_consume(void **state)
{
    (void)state;
    BUF_SCOPED struct buf buf;
    buf_init(&buf, 100);
    buf_consume(&buf, 0);
    buf_append(&buf, STR("abcdef"));
    buf_consume(&buf, 2);
    assert_str(buf_str(&buf), STR("cdef"));
    buf_consume(&buf, 4);
    assert_str(buf_str(&buf), STR(""));
}

static void test_release_leaves_it_usable(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 3);
    buf_append(&buf, STR("abc"));
    buf_release(&buf);
    assert_str(buf_str(&buf), STR(""));
    buf_append(&buf, STR("abc"));
    assert_ok(buf_err(&buf));
    buf_append(&buf, STR("d"));
    assert_err(buf_err(&buf), ERR_TOO_LARGE);
    buf_release(&buf);
    buf_release(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_keeps_content),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_failure_is_sticky),
        cmocka_unit_test(test_cap_of_zero),
        cmocka_unit_test(test_refused_memory),
        cmocka_unit_test(test_printf_longer_than_the_room),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_release_leaves_it_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
