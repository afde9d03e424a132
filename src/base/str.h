/* str: a borrowed, immutable run of bytes; not terminated. Passed by value. The bytes belong to whoever made them:
 * a connection's buffer, an arena, a literal. Comparison is by bytes (memcmp order). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct str {
    const char *ptr;
    size_t len;
} str;

/* A str over a string literal. */
#define STR(literal) ((str){"" literal, sizeof(literal) - 1})
/* The same, for static initialisers. */
#define STR_INIT(literal)                                                                          \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
/* For printf: "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline str str_of(const void *ptr, size_t len)
{
    return (str){ptr, len};
}

/* From a terminated string; null gives the empty str. */
str str_from(const char *terminated);

bool str_eq(str a, str b);
bool str_eq_nocase(str a, str b);     /* ASCII only */
static inline char char_lower(char c) /* the same */
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
int str_cmp(str a, str b);
bool str_has_prefix(str s, str prefix);
bool str_has_prefix_nocase(str s, str prefix);
bool str_has_suffix(str s, str suffix);

/* Position of the first occurrence, or -1. */
ptrdiff_t str_find_char(str s, char c);
ptrdiff_t str_find(str s, str needle);

/* s without its first n bytes; s[from, to). Asserts the bounds. */
str str_skip(str s, size_t n);
str str_slice(str s, size_t from, size_t to);

/* Splits at the first `separator`: *out_head is what stands before it, *out_rest what follows. Returns false, with the
 * whole in *out_head and an empty rest, when there is none. */
bool str_cut(str s, char separator, str *out_head, str *out_rest);

/* Without leading and trailing spaces and tabs. */
str str_trim(str s);

/* The whole of s as a decimal number: digits only, no sign, no space; ERR_BAD_INPUT otherwise or on overflow. */
enum err str_to_u64(str s, uint64_t *out_value);
enum err str_to_i64(str s, int64_t *out_value); /* an optional '-' first */

/* Whether s is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(str s);

/* Compares in time that depends on the lengths alone. */
bool str_eq_constant_time(str a, str b);

/* The length of the well-formed UTF-8 character that s begins with, 1 to 4; 0 when there is none. */
size_t str_utf8_len(str s);

/* 64-bit hash for in-memory tables, keyed by a random value of this process (SipHash or better). */
uint64_t str_hash(str s);
