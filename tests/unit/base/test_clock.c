/* Aim: the calendar agrees with the C library over random times, the texts are those of the RFCs, and each parser refuses
 * what is not of its form. */
#include "base/clock.h"

#include "../unit.h"

#include <stdio.h>
#include <time.h>

static void test_clocks_move(void **state)
{
    (void)state;
    int64_t mono = clock_mono_us(), cpu = clock_thread_cpu_us();
    assert_true(clock_real_ms() > 1700000000000);
    assert_true(clock_real_us() / 1000000 - clock_real_ms() / 1000 <= 1);
    while (clock_thread_cpu_us() == cpu)
        ;
    assert_true(clock_mono_us() > mono);
}

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        int64_t real_ms;
        const char *http, *iso, *amz;
    } cases[] = {
        {784111777000, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z",
         "19941106T084937Z"},
        {0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z", "19700101T000000Z"},
        {-1, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59.999Z", "19691231T235959Z"},
        {951782400001, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.001Z",
         "20000229T000000Z"},
        {4107542399999, "Sun, 28 Feb 2100 23:59:59 GMT", "2100-02-28T23:59:59.999Z",
         "21000228T235959Z"},
        {4107542400000, "Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01T00:00:00.000Z",
         "21000301T000000Z"},
        /* The ends, and what lies beyond them. */
        {253402300799999, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59.999Z",
         "99991231T235959Z"},
        {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59.999Z",
         "99991231T235959Z"},
        {-62167219200000, "Sat, 01 Jan 0000 00:00:00 GMT", "0000-01-01T00:00:00.000Z",
         "00000101T000000Z"},
        {INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT", "0000-01-01T00:00:00.000Z",
         "00000101T000000Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[CLOCK_TEXT_MAX];
        assert_str(clock_format_http(cases[i].real_ms, text), str_from(cases[i].http));
        assert_str(clock_format_iso(cases[i].real_ms, text), str_from(cases[i].iso));
        assert_str(clock_format_amz(cases[i].real_ms, text), str_from(cases[i].amz));
        assert_int_equal(text[16], '\0');
    }
}

static void test_agrees_with_the_library(void **state)
{
    (void)state;
    struct unit_random random = {10};
    static const int64_t first_s = -62167219200, last_s = 253402300799;
    for (int i = 0; i < 50000; i++) {
        time_t second = first_s + (int64_t)unit_random_below(&random, (size_t)(last_s - first_s));
        struct tm tm;
        assert_non_null(gmtime_r(&second, &tm));
        char text[CLOCK_TEXT_MAX], expected[80];
        (void)strftime(expected, sizeof(expected), "%a, %d %b ", &tm);
        size_t len = strlen(expected);
        (void)snprintf(expected + len, sizeof(expected) - len, "%04d %02d:%02d:%02d GMT",
                       tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_str(clock_format_http(second * 1000 + 999, text), str_from(expected));

        int64_t back = 0, ms = second * 1000 + i % 1000;
        assert_ok(clock_parse_http(str_from(expected), &back));
        assert_int_equal(back, second * 1000);
        assert_ok(clock_parse_iso(clock_format_iso(ms, text), &back));
        assert_int_equal(back, ms);
        assert_ok(clock_parse_amz(clock_format_amz(ms, text), &back));
        assert_int_equal(back, second * 1000);
    }
}

typedef enum err (*parser)(str s, int64_t *out_ms);

struct parse_case {
    str text;
    int64_t real_ms; /* -1: refused */
};

static void check_parser(parser parse, const struct parse_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t ms = 4711;
        if (cases[i].real_ms < 0) {
            if (parse(cases[i].text, &ms) != ERR_BAD_INPUT)
                fail_msg("\"%.*s\" is accepted", STR_ARG(cases[i].text));
            assert_int_equal(ms, 4711);
        } else {
            if (parse(cases[i].text, &ms) != OK)
                fail_msg("\"%.*s\" is refused", STR_ARG(cases[i].text));
            assert_int_equal(ms, cases[i].real_ms);
        }
    }
}

static void test_parse_http(void **state)
{
    (void)state;
    static const struct parse_case cases[] = {
        {STR_INIT("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777000},
        {STR_INIT("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777000},
        {STR_INIT("Sun Nov  6 08:49:37 1994"), 784111777000},
        {STR_INIT("Wed Nov 16 08:49:37 1994"), 784975777000},
        {STR_INIT("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400000},
        {STR_INIT("Fri, 30 Jun 1972 23:59:60 GMT"), 78796800000}, /* a leap second */
        {STR_INIT(""), -1},
        {STR_INIT("Sun, 06 Nov 1994 08:49:37"), -1},
        {STR_INIT("Sun, 06 Nov 1994 08:49:37 UTC"), -1},
        {STR_INIT("Sun, 06 Nov 1994 08:49:37 GMT "), -1},
        {STR_INIT(" Sun, 06 Nov 1994 08:49:37 GMT"), -1},
        {STR_INIT("Sun, 6 Nov 1994 08:49:37 GMT"), -1},
        {STR_INIT("Xxx, 06 Nov 1994 08:49:37 GMT"), -1},
        {STR_INIT("sun, 06 Nov 1994 08:49:37 GMT"), -1},
        {STR_INIT("Sun, 06 Nox 1994 08:49:37 GMT"), -1},
        {STR_INIT("Sun, 00 Nov 1994 08:49:37 GMT"), -1},
        {STR_INIT("Sun, 31 Nov 1994 08:49:37 GMT"), -1},
        {STR_INIT("Sun, 29 Feb 1900 08:49:37 GMT"), -1},
        {STR_INIT("Sun, 06 Nov 1994 24:00:00 GMT"), -1},
        {STR_INIT("Sun, 06 Nov 1994 08:60:37 GMT"), -1},
        {STR_INIT("Sun, 06 Nov 1994 08:49:61 GMT"), -1},
        {STR_INIT("Sun, 06 Nov 1994 08:49:-7 GMT"), -1},
        {STR_INIT("Sun, 06-Nov-94 08:49:37 GMT"), -1},
        {STR_INIT("Sunday, 06-Nov-1994 08:49:37 GMT"), -1},
        {STR_INIT("Sun Nov 6 08:49:37 1994"), -1},
        {STR_INIT("Sun Nov  6 08:49:37 1994 "), -1},
    };
    check_parser(clock_parse_http, cases, COUNT_OF(cases));
}

/* A year of two digits is never more than 50 years ahead, and never more than 99 back. */
static void test_two_digit_years(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX], now[CLOCK_TEXT_MAX];
    uint64_t this_year;
    assert_ok(str_to_u64(str_slice(clock_format_amz(clock_real_ms(), now), 0, 4), &this_year));
    for (uint64_t year = this_year - 49; year <= this_year + 50; year++) {
        int64_t ms;
        (void)snprintf(text, sizeof(text), "Monday, 15-Jun-%02u 00:00:00 GMT",
                       (unsigned)(year % 100));
        assert_ok(clock_parse_http(str_from(text), &ms));
        uint64_t parsed;
        assert_ok(str_to_u64(str_slice(clock_format_amz(ms, text), 0, 4), &parsed));
        assert_int_equal(parsed, year);
    }
}

static void test_parse_iso(void **state)
{
    (void)state;
    static const struct parse_case cases[] = {
        {STR_INIT("2009-10-12"), 1255305600000},
        {STR_INIT("2009-10-12T17:50:30Z"), 1255369830000},
        {STR_INIT("2009-10-12T17:50:30.000Z"), 1255369830000},
        {STR_INIT("2009-10-12T17:50:30.1Z"), 1255369830100},
        {STR_INIT("2009-10-12T17:50:30.123456789Z"), 1255369830123},
        {STR_INIT("2009-10-12T17:50:30.9999999999999999999999999Z"), 1255369830999},
        {STR_INIT("2009-10-12T17:50:30+00:00"), 1255369830000},
        {STR_INIT("2009-10-12T17:50:30+02:30"), 1255360830000},
        {STR_INIT("2009-10-12T17:50:30.5-23:59"), 1255456170500},
        {STR_INIT(""), -1},
        {STR_INIT("2009-10"), -1},
        {STR_INIT("2009-10-12Z"), -1},
        {STR_INIT("2009-10-12T"), -1},
        {STR_INIT("2009-10-12T17:50:30"), -1},
        {STR_INIT("2009-10-12T17:50Z"), -1},
        {STR_INIT("2009-10-12 17:50:30Z"), -1},
        {STR_INIT("2009-10-12T17:50:30.Z"), -1},
        {STR_INIT("2009-10-12T17:50:30,5Z"), -1},
        {STR_INIT("2009-10-12T17:50:30z"), -1},
        {STR_INIT("2009-10-12T17:50:30ZZ"), -1},
        {STR_INIT("2009-10-12T17:50:30+0200"), -1},
        {STR_INIT("2009-10-12T17:50:30+24:00"), -1},
        {STR_INIT("2009-10-12T17:50:30+02:60"), -1},
        {STR_INIT("2009-13-12T17:50:30Z"), -1},
        {STR_INIT("2009-00-12T17:50:30Z"), -1},
        {STR_INIT("2009-02-29"), -1},
        {STR_INIT("-009-02-20"), -1},
        {STR_INIT("12009-02-20"), -1},
    };
    check_parser(clock_parse_iso, cases, COUNT_OF(cases));
}

static void test_parse_amz(void **state)
{
    (void)state;
    static const struct parse_case cases[] = {
        {STR_INIT("20130524T000000Z"), 1369353600000},
        {STR_INIT("20130524T235959Z"), 1369439999000},
        {STR_INIT(""), -1},
        {STR_INIT("20130524"), -1},
        {STR_INIT("20130524T000000"), -1},
        {STR_INIT("20130524T000000ZZ"), -1},
        {STR_INIT("20130524 000000Z"), -1},
        {STR_INIT("2013-05-24T00:00:00Z"), -1},
        {STR_INIT("20130524T240000Z"), -1},
        {STR_INIT("20130532T000000Z"), -1},
        {STR_INIT("+0130524T000000Z"), -1},
    };
    check_parser(clock_parse_amz, cases, COUNT_OF(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_move),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_agrees_with_the_library),
        cmocka_unit_test(test_parse_http),
        cmocka_unit_test(test_two_digit_years),
        cmocka_unit_test(test_parse_iso),
        cmocka_unit_test(test_parse_amz),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
