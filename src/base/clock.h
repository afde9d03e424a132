/* Time: the wall clock, the monotonic clock, and the textual forms that HTTP and S3 use. All times are UTC. */
#pragma once

#include "base/str.h"

int64_t clock_real_ms(void); /* since 1970-01-01T00:00:00Z */
int64_t clock_real_us(void);
int64_t clock_mono_us(void); /* never goes back; for durations and timers */
int64_t clock_thread_cpu_us(void);

/* Each format writes a terminated text into dst and returns it as a str. A time outside of the years 0 to 9999 is given as
 * the nearest one inside. */
enum { CLOCK_TEXT_MAX = 40 };

/* Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110, 5.6.7) */
str clock_format_http(int64_t real_ms, char dst[CLOCK_TEXT_MAX]);
/* 2009-10-12T17:50:30.000Z */
str clock_format_iso(int64_t real_ms, char dst[CLOCK_TEXT_MAX]);
/* 20130524T000000Z */
str clock_format_amz(int64_t real_ms, char dst[CLOCK_TEXT_MAX]);

/* Strict parsers; ERR_BAD_INPUT otherwise. */

/* All three forms of RFC 9110: IMF-fixdate, RFC 850, asctime. */
enum err clock_parse_http(str s, int64_t *out_ms);
/* A date, then perhaps a time with an optional fraction and "Z" or "+hh:mm". */
enum err clock_parse_iso(str s, int64_t *out_ms);
/* 20130524T000000Z */
enum err clock_parse_amz(str s, int64_t *out_ms);
