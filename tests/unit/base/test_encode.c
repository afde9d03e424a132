/* Aim: published vectors, round trips of every length, refusal of each broken form, and the JSON escape byte by byte. */
#include "base/encode.h"

#include "../unit.h"

static void test_hex(void **state)
{
    (void)state;
    static const struct {
        str text;
        bool valid;
    } cases[] = {
        {STR_INIT(""), true},
        {STR_INIT("00ff1aBC"), true},
        {STR_INIT("0"), false},
        {STR_INIT("0g"), false},
        {STR_INIT("0/"), false},
        {STR_INIT("0:"), false},
        {STR_INIT("0@"), false},
        {STR_INIT("0`"), false},
        {STR_INIT(" 0"), false},
        {STR_INIT("\x10"
                  "0"),
         false}, /* becomes a digit when bit 0x20 is set */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t bytes[4] = {7, 7, 7, 7};
        assert_err(hex_decode(cases[i].text, bytes), cases[i].valid ? OK : ERR_BAD_INPUT);
        if (!cases[i].valid)
            assert_memory_equal(bytes, "\7\7\7\7", 4);
    }
    uint8_t bytes[4];
    assert_ok(hex_decode(STR("00ff1aBC"), bytes));
    assert_memory_equal(bytes, "\x00\xff\x1a\xbc", 4);
    char text[8];
    hex_encode(bytes, 4, text);
    assert_str(str_of(text, 8), STR("00ff1abc"));
}

static void test_hex_digits(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    for (int c = -128; c < 128; c++) {
        const char *at = c > 0 ? strchr(digits, c) : NULL;
        assert_int_equal(hex_value((char)c), at ? (at - digits) % 16 : HEX_NONE);
    }
}

static void test_base64_vectors(void **state)
{
    (void)state;
    static const struct {
        str plain, text;
    } cases[] = {
        /* RFC 4648, 10 */
        {STR_INIT(""), STR_INIT("")},
        {STR_INIT("f"), STR_INIT("Zg==")},
        {STR_INIT("fo"), STR_INIT("Zm8=")},
        {STR_INIT("foo"), STR_INIT("Zm9v")},
        {STR_INIT("foob"), STR_INIT("Zm9vYg==")},
        {STR_INIT("fooba"), STR_INIT("Zm9vYmE=")},
        {STR_INIT("foobar"), STR_INIT("Zm9vYmFy")},
        {STR_INIT("\xff\xef\xbe"), STR_INIT("/+++")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[16], plain[16];
        size_t len = 99;
        assert_int_equal(base64_encoded_len(cases[i].plain.len), cases[i].text.len);
        base64_encode(cases[i].plain.ptr, cases[i].plain.len, text);
        assert_str(str_of(text, cases[i].text.len), cases[i].text);
        assert_ok(base64_decode(cases[i].text, plain, &len));
        assert_str(str_of(plain, len), cases[i].plain);
    }
}

static void test_base64_round_trip(void **state)
{
    (void)state;
    struct unit_random random = {9};
    for (size_t len = 0; len < 100; len++) {
        uint8_t plain[100], back[102];
        char text[136];
        size_t back_len;
        unit_random_fill(&random, plain, len);
        base64_encode(plain, len, text);
        assert_ok(base64_decode(str_of(text, base64_encoded_len(len)), back, &back_len));
        assert_int_equal(back_len, len);
        assert_memory_equal(back, plain, len);
    }
}

static void test_base64_of_wrong_form(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT("Zg"),     STR_INIT("Zg="),      STR_INIT("Z==="),
        STR_INIT("===="),   STR_INIT("Zm9v="),    STR_INIT("Zm=v"),
        STR_INIT("=Zg="),   STR_INIT("Zg==Zg=="), STR_INIT("Zo=="),
        STR_INIT("Zh=="),   STR_INIT("Zm+="),     STR_INIT("Zm9="), /* bits behind the last byte */
        STR_INIT("Zm9v\n"), STR_INIT("Z g="),     STR_INIT("Zm-_"),
        STR_INIT("Zm9\0"),  STR_INIT("Zm9\xc3"),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char plain[8] = "unset";
        size_t len = 99;
        assert_err(base64_decode(cases[i], plain, &len), ERR_BAD_INPUT);
        assert_int_equal(len, 99);
        assert_string_equal(plain, "unset");
    }
}

static void test_in_arena(void **state)
{
    (void)state;
    struct arena *arena = arena_new(100);
    assert_str(arena_hex(arena, "\x01\xab", 2), STR("01ab"));
    assert_str(arena_base64(arena, "fo", 2), STR("Zm8="));
    assert_str(arena_hex(arena, NULL, 0), STR(""));
    arena_free(arena);
}

static void test_json_escape(void **state)
{
    (void)state;
    static const struct {
        str text, escaped;
    } cases[] = {
        {STR_INIT(""), STR_INIT("")},
        {STR_INIT("plain /'<>&"), STR_INIT("plain /'<>&")},
        {STR_INIT("\"\\"), STR_INIT("\\\"\\\\")},
        {STR_INIT("\n\r\t"), STR_INIT("\\n\\r\\t")},
        {STR_INIT("\0\x01\x1f\x7f"), STR_INIT("\\u0000\\u0001\\u001f\\u007f")},
        {STR_INIT("\xc2\x80\xc2\x9f"), STR_INIT("\\u0080\\u009f")},
        {STR_INIT("\xc2\xa0\xc3\xa9\xe2\x82\xac"), STR_INIT("\xc2\xa0\xc3\xa9\xe2\x82\xac")},
        {STR_INIT("\xf0\x9f\x98\x80"), STR_INIT("\xf0\x9f\x98\x80")},
        {STR_INIT("a\xff"
                  "b\xc3"),
         STR_INIT("a\xef\xbf\xbd"
                  "b\xef\xbf\xbd")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        BUF_SCOPED struct buf out;
        buf_init(&out, 1000);
        json_escape(&out, cases[i].text);
        assert_str(buf_str(&out), cases[i].escaped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_hex_digits),
        cmocka_unit_test(test_base64_vectors),
        cmocka_unit_test(test_base64_round_trip),
        cmocka_unit_test(test_base64_of_wrong_form),
        cmocka_unit_test(test_in_arena),
        cmocka_unit_test(test_json_escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
