/* Aim: sizes and durations as people write them are read exactly or refused, and are shown with three figures. */
#include "../unit.h"

#include "client/bench_units.h"

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint64_t bytes;
    } cases[] = {
        {"0", OK, 0},
        {"4096", OK, 4096},
        {"4096B", OK, 4096},
        {"4KiB", OK, 4096},
        {"4k", OK, 4096},
        {"4KB", OK, 4000},
        {"1.5MiB", OK, 1572864},
        {"0.125K", OK, 128},
        {"100mb", OK, 100000000},
        {"5TiB", OK, UINT64_C(5) << 40},
        {"9223372036854775807", OK, INT64_MAX},
        {"9223372036854775808", ERR_BAD_INPUT, 0},
        {"8388608TiB", ERR_BAD_INPUT, 0},
        {"18446744073709551616", ERR_BAD_INPUT, 0},
        {"0.3K", ERR_BAD_INPUT, 0}, /* 307.2 bytes */
        {"1.5", ERR_BAD_INPUT, 0},
        {"1.0001M", ERR_BAD_INPUT, 0},
        {"", ERR_BAD_INPUT, 0},
        {"KiB", ERR_BAD_INPUT, 0},
        {"-1", ERR_BAD_INPUT, 0},
        {"+1", ERR_BAD_INPUT, 0},
        {" 1", ERR_BAD_INPUT, 0},
        {"1 KiB", ERR_BAD_INPUT, 0},
        {"1.K", ERR_BAD_INPUT, 0},
        {".5K", ERR_BAD_INPUT, 0},
        {"1X", ERR_BAD_INPUT, 0},
        {"1Ki", ERR_BAD_INPUT, 0},
        {"0x10", ERR_BAD_INPUT, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t bytes = 77;
        assert_err(bench_parse_size(str_from(cases[i].text), &bytes), cases[i].err);
        assert_int_equal(bytes, cases[i].err == OK ? cases[i].bytes : 77);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint64_t us;
    } cases[] = {
        {"0", OK, 0},
        {"10", OK, 10000000},
        {"10s", OK, 10000000},
        {"1.5s", OK, 1500000},
        {"500ms", OK, 500000},
        {"0.25ms", OK, 250},
        {"250us", OK, 250},
        {"2m", OK, 120000000},
        {"1h", OK, UINT64_C(3600000000)},
        {"9007199254740992us", OK, UINT64_C(1) << 53},
        {"9007199254740993us", ERR_BAD_INPUT, 0},
        {"0.5us", ERR_BAD_INPUT, 0},
        {"1d", ERR_BAD_INPUT, 0},
        {"", ERR_BAD_INPUT, 0},
        {"s", ERR_BAD_INPUT, 0},
        {"-1s", ERR_BAD_INPUT, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t us = 77;
        assert_err(bench_parse_duration(str_from(cases[i].text), &us), cases[i].err);
        assert_int_equal(us, cases[i].err == OK ? cases[i].us : 77);
    }
}

static void test_formats(void **state)
{
    (void)state;
    struct arena *arena = arena_new(65536);
    static const struct {
        uint64_t value;
        const char *as_size, *as_duration;
    } cases[] = {
        {0, "0 B", "0 us"},
        {999, "999 B", "999 us"},
        {1000, "1000 B", "1 ms"},
        {1023, "1023 B", "1.02 ms"},
        {1024, "1 KiB", "1.02 ms"},
        {1536, "1.50 KiB", "1.54 ms"},
        {12345, "12.1 KiB", "12.3 ms"},
        {123456, "121 KiB", "123 ms"},
        {1048576, "1 MiB", "1.05 s"},
        {10000000, "9.54 MiB", "10 s"},
        {UINT64_MAX, "16 EiB", "18446744073710 s"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_str(bench_format_size(arena, cases[i].value), str_from(cases[i].as_size));
        assert_str(bench_format_duration(arena, cases[i].value), str_from(cases[i].as_duration));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
