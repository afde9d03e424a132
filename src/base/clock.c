/* The calendar is computed here, in the proleptic Gregorian calendar and without time zones: gmtime and strftime depend on
 * the locale and take a lock, and every reply carries a date. */
#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "base/fatal.h"

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        fatal("the clock cannot be read");
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_real_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_real_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_thread_cpu_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

static const char day_name[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                     "Thursday", "Friday", "Saturday"};
static const char month_name[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

enum {
    MS_A_DAY = 86400000,
    DAYS_IN_400_YEARS = 146097,
    /* From 0000-03-01 to 1970-01-01. */
    DAYS_TO_EPOCH = 719468,
};

/* The textual forms have four digits for the year. */
static const int64_t first_ms = -62167219200000; /* 0000-01-01T00:00:00.000Z */
static const int64_t last_ms = 253402300799999;  /* 9999-12-31T23:59:59.999Z */

struct date {
    unsigned year, month, day; /* month and day from 1 */
    unsigned hour, minute, second, ms;
    unsigned weekday; /* 0 is Sunday */
};

/* Years are counted from March, so that the leap day is a year's last one; then the months' lengths follow the line
 * (153 * month + 2) / 5, March being month 0. */
static int64_t days_of(const struct date *date)
{
    unsigned month = (date->month + 9) % 12;
    int64_t year = (int64_t)date->year - (date->month <= 2);
    int64_t leap_days = year >= 0 ? year / 4 - year / 100 + year / 400 : -1;
    return 365 * year + leap_days + (153 * month + 2) / 5 + date->day - 1 - DAYS_TO_EPOCH;
}

static void set_day(struct date *date, int64_t days)
{
    /* One era earlier, to stay above zero from January of the year 0 on. */
    uint64_t since = (uint64_t)(days + DAYS_TO_EPOCH + DAYS_IN_400_YEARS);
    unsigned day_of_era = (unsigned)(since % DAYS_IN_400_YEARS);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153;
    date->day = day_of_year - (153 * month + 2) / 5 + 1;
    date->month = month < 10 ? month + 3 : month - 9;
    date->year =
        (unsigned)(since / DAYS_IN_400_YEARS) * 400 + year_of_era + (date->month <= 2) - 400;
    date->weekday = (unsigned)((since + 3) % 7);
}

static struct date date_of(int64_t real_ms)
{
    if (real_ms < first_ms)
        real_ms = first_ms;
    if (real_ms > last_ms)
        real_ms = last_ms;
    unsigned in_day = (unsigned)((real_ms - first_ms) % MS_A_DAY);
    struct date date = {
        .hour = in_day / 3600000,
        .minute = in_day / 60000 % 60,
        .second = in_day / 1000 % 60,
        .ms = in_day % 1000,
    };
    set_day(&date, (real_ms - in_day) / MS_A_DAY);
    return date;
}

static int64_t ms_of(const struct date *date)
{
    int64_t seconds = (date->hour * 60 + date->minute) * 60 + date->second;
    return days_of(date) * MS_A_DAY + seconds * 1000 + date->ms;
}

/* Formatting: a cursor that digits and literals are put at. */

static char *put_number(char *at, unsigned value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + digits;
}

static char *put_text(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

static char *put_char(char *at, char c)
{
    *at = c;
    return at + 1;
}

static char *put_time(char *at, const struct date *date, const char *separator)
{
    size_t len = strlen(separator);
    at = put_number(at, date->hour, 2);
    at = put_number(put_text(at, separator, len), date->minute, 2);
    return put_number(put_text(at, separator, len), date->second, 2);
}

static char *put_date(char *at, const struct date *date, const char *separator)
{
    size_t len = strlen(separator);
    at = put_number(at, date->year, 4);
    at = put_number(put_text(at, separator, len), date->month, 2);
    return put_number(put_text(at, separator, len), date->day, 2);
}

static str finish(char *dst, char *at)
{
    *at = '\0';
    return str_of(dst, (size_t)(at - dst));
}

str clock_format_http(int64_t real_ms, char dst[CLOCK_TEXT_MAX])
{
    struct date date = date_of(real_ms);
    char *at = put_text(dst, day_name[date.weekday], 3);
    at = put_number(put_text(at, ", ", 2), date.day, 2);
    at = put_text(put_char(at, ' '), month_name[date.month - 1], 3);
    at = put_number(put_char(at, ' '), date.year, 4);
    at = put_time(put_char(at, ' '), &date, ":");
    return finish(dst, put_text(at, " GMT", 4));
}

str clock_format_iso(int64_t real_ms, char dst[CLOCK_TEXT_MAX])
{
    struct date date = date_of(real_ms);
    char *at = put_date(dst, &date, "-");
    at = put_time(put_char(at, 'T'), &date, ":");
    at = put_number(put_char(at, '.'), date.ms, 3);
    return finish(dst, put_char(at, 'Z'));
}

str clock_format_amz(int64_t real_ms, char dst[CLOCK_TEXT_MAX])
{
    struct date date = date_of(real_ms);
    char *at = put_date(dst, &date, "");
    at = put_time(put_char(at, 'T'), &date, "");
    return finish(dst, put_char(at, 'Z'));
}

/* Parsing: a scan over the text. A mismatch is sticky, gives zero, and is asked for once at the end. */

struct scan {
    str rest;
    bool failed;
};

static bool scan_is(struct scan *scan, char c)
{
    if (scan->failed || scan->rest.len == 0 || scan->rest.ptr[0] != c)
        return false;
    scan->rest = str_skip(scan->rest, 1);
    return true;
}

static void scan_text(struct scan *scan, str text)
{
    if (scan->failed || !str_has_prefix(scan->rest, text))
        scan->failed = true;
    else
        scan->rest = str_skip(scan->rest, text.len);
}

static unsigned scan_number(struct scan *scan, size_t digits)
{
    uint64_t value = 0;
    if (scan->failed || scan->rest.len < digits ||
        str_to_u64(str_slice(scan->rest, 0, digits), &value) != OK) {
        scan->failed = true;
        return 0;
    }
    scan->rest = str_skip(scan->rest, digits);
    return (unsigned)value;
}

/* Any of the names, cut to name_len bytes unless that is 0; returns its index. */
static unsigned scan_name(struct scan *scan, const char *name, size_t count, size_t stride,
                          size_t name_len)
{
    for (unsigned i = 0; !scan->failed && i < count; i++) {
        str candidate = str_from(name + i * stride);
        if (name_len)
            candidate = str_slice(candidate, 0, name_len);
        if (!str_has_prefix(scan->rest, candidate))
            continue;
        scan->rest = str_skip(scan->rest, candidate.len);
        return i;
    }
    scan->failed = true;
    return 0;
}

static unsigned scan_month(struct scan *scan)
{
    return scan_name(scan, month_name[0], 12, sizeof(month_name[0]), 0) + 1;
}

/* The day's name is checked to be one, not to be the right one: the date alone counts. */
static void scan_day_name(struct scan *scan, size_t name_len)
{
    (void)scan_name(scan, day_name[0], 7, sizeof(day_name[0]), name_len);
}

static void scan_time(struct scan *scan, str separator, struct date *date)
{
    date->hour = scan_number(scan, 2);
    scan_text(scan, separator);
    date->minute = scan_number(scan, 2);
    scan_text(scan, separator);
    date->second = scan_number(scan, 2);
}

static unsigned days_in_month(const struct date *date)
{
    static const unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % 400 == 0);
    return date->month == 2 && leap ? 29 : days[date->month - 1];
}

/* A second of 60 is a leap second, which RFC 9110 allows; it counts as the next minute's first. */
static bool is_date(const struct date *date)
{
    return date->month >= 1 && date->month <= 12 && date->day >= 1 &&
           date->day <= days_in_month(date) && date->hour <= 23 && date->minute <= 59 &&
           date->second <= 60;
}

static enum err finish_scan(const struct scan *scan, const struct date *date, int64_t *out_ms)
{
    if (scan->failed || scan->rest.len || !is_date(date))
        return ERR_BAD_INPUT;
    *out_ms = ms_of(date);
    return OK;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static enum err parse_imf(str s, int64_t *out_ms)
{
    struct scan scan = {.rest = s};
    struct date date = {0};
    scan_day_name(&scan, 3);
    scan_text(&scan, STR(", "));
    date.day = scan_number(&scan, 2);
    scan_text(&scan, STR(" "));
    date.month = scan_month(&scan);
    scan_text(&scan, STR(" "));
    date.year = scan_number(&scan, 4);
    scan_text(&scan, STR(" "));
    scan_time(&scan, STR(":"), &date);
    scan_text(&scan, STR(" GMT"));
    return finish_scan(&scan, &date, out_ms);
}

/* A year of two digits that would lie more than 50 years ahead means the century before (RFC 9110, 5.6.7). */
static unsigned full_year(unsigned two_digits)
{
    unsigned this_year = date_of(clock_real_ms()).year;
    unsigned year = this_year - this_year % 100 + two_digits;
    return year > this_year + 50 ? year - 100 : year;
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static enum err parse_rfc850(str s, int64_t *out_ms)
{
    struct scan scan = {.rest = s};
    struct date date = {0};
    scan_day_name(&scan, 0);
    scan_text(&scan, STR(", "));
    date.day = scan_number(&scan, 2);
    scan_text(&scan, STR("-"));
    date.month = scan_month(&scan);
    scan_text(&scan, STR("-"));
    date.year = full_year(scan_number(&scan, 2));
    scan_text(&scan, STR(" "));
    scan_time(&scan, STR(":"), &date);
    scan_text(&scan, STR(" GMT"));
    return finish_scan(&scan, &date, out_ms);
}

/* Sun Nov  6 08:49:37 1994 */
static enum err parse_asctime(str s, int64_t *out_ms)
{
    struct scan scan = {.rest = s};
    struct date date = {0};
    scan_day_name(&scan, 3);
    scan_text(&scan, STR(" "));
    date.month = scan_month(&scan);
    scan_text(&scan, STR(" "));
    date.day = scan_number(&scan, scan_is(&scan, ' ') ? 1 : 2);
    scan_text(&scan, STR(" "));
    scan_time(&scan, STR(":"), &date);
    scan_text(&scan, STR(" "));
    date.year = scan_number(&scan, 4);
    return finish_scan(&scan, &date, out_ms);
}

enum err clock_parse_http(str s, int64_t *out_ms)
{
    if (parse_imf(s, out_ms) == OK || parse_rfc850(s, out_ms) == OK)
        return OK;
    return parse_asctime(s, out_ms);
}

/* A fraction has as many digits as its writer liked; what lies below a millisecond is dropped. */
static unsigned scan_fraction_ms(struct scan *scan)
{
    unsigned ms = 0, scale = 100;
    if (!scan_is(scan, '.'))
        return 0;
    ms += scan_number(scan, 1) * scale;
    while (!scan->failed && scan->rest.len && scan->rest.ptr[0] >= '0' &&
           scan->rest.ptr[0] <= '9') {
        scale /= 10;
        ms += scan_number(scan, 1) * scale;
    }
    return ms;
}

/* What is to be subtracted to reach UTC. */
static int64_t scan_zone_ms(struct scan *scan)
{
    if (scan_is(scan, 'Z'))
        return 0;
    bool west = scan_is(scan, '-');
    if (!west)
        scan_text(scan, STR("+"));
    unsigned hours = scan_number(scan, 2);
    scan_text(scan, STR(":"));
    unsigned minutes = scan_number(scan, 2);
    if (hours > 23 || minutes > 59)
        scan->failed = true;
    int64_t offset_ms = (int64_t)(hours * 60 + minutes) * 60000;
    return west ? -offset_ms : offset_ms;
}

enum err clock_parse_iso(str s, int64_t *out_ms)
{
    struct scan scan = {.rest = s};
    struct date date = {0};
    int64_t zone_ms = 0, local_ms;
    date.year = scan_number(&scan, 4);
    scan_text(&scan, STR("-"));
    date.month = scan_number(&scan, 2);
    scan_text(&scan, STR("-"));
    date.day = scan_number(&scan, 2);
    if (scan_is(&scan, 'T')) {
        scan_time(&scan, STR(":"), &date);
        date.ms = scan_fraction_ms(&scan);
        zone_ms = scan_zone_ms(&scan);
    }
    TRY(finish_scan(&scan, &date, &local_ms));
    *out_ms = local_ms - zone_ms;
    return OK;
}

enum err clock_parse_amz(str s, int64_t *out_ms)
{
    struct scan scan = {.rest = s};
    struct date date = {0};
    date.year = scan_number(&scan, 4);
    date.month = scan_number(&scan, 2);
    date.day = scan_number(&scan, 2);
    scan_text(&scan, STR("T"));
    scan_time(&scan, STR(""), &date);
    scan_text(&scan, STR("Z"));
    return finish_scan(&scan, &date, out_ms);
}
