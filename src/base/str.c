#include "base/str.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/rand.h"
#include "base/siphash.h"

str str_from(const char *terminated)
{
    return terminated ? str_of(terminated, strlen(terminated)) : (str){0};
}

/* The mem* functions must not see a null pointer, which an empty str may hold; hence the tests for len. */
static bool bytes_eq(const char *a, const char *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}

static bool bytes_eq_nocase(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (a[i] != b[i] && char_lower(a[i]) != char_lower(b[i]))
            return false;
    return true;
}

bool str_eq(str a, str b)
{
    return a.len == b.len && bytes_eq(a.ptr, b.ptr, a.len);
}

bool str_eq_nocase(str a, str b)
{
    return a.len == b.len && bytes_eq_nocase(a.ptr, b.ptr, a.len);
}

int str_cmp(str a, str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_has_prefix(str s, str prefix)
{
    return s.len >= prefix.len && bytes_eq(s.ptr, prefix.ptr, prefix.len);
}

bool str_has_prefix_nocase(str s, str prefix)
{
    return s.len >= prefix.len && bytes_eq_nocase(s.ptr, prefix.ptr, prefix.len);
}

bool str_has_suffix(str s, str suffix)
{
    return s.len >= suffix.len && str_eq(str_skip(s, s.len - suffix.len), suffix);
}

ptrdiff_t str_find_char(str s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? at - s.ptr : -1;
}

ptrdiff_t str_find(str s, str needle)
{
    if (needle.len == 0)
        return 0;
    const char *at = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return at ? at - s.ptr : -1;
}

str str_skip(str s, size_t n)
{
    assert(n <= s.len);
    return n ? str_of(s.ptr + n, s.len - n) : s;
}

str str_slice(str s, size_t from, size_t to)
{
    assert(from <= to && to <= s.len);
    return str_skip(str_of(s.ptr, to), from);
}

bool str_cut(str s, char separator, str *out_head, str *out_rest)
{
    ptrdiff_t at = str_find_char(s, separator);
    if (at < 0) {
        *out_head = s;
        *out_rest = str_skip(s, s.len);
        return false;
    }
    *out_head = str_slice(s, 0, (size_t)at);
    *out_rest = str_skip(s, (size_t)at + 1);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

str str_trim(str s)
{
    while (s.len && is_blank(s.ptr[0]))
        s = str_skip(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

enum err str_to_u64(str s, uint64_t *out_value)
{
    uint64_t value = 0;
    if (s.len == 0)
        return ERR_BAD_INPUT;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return ERR_BAD_INPUT;
    }
    *out_value = value;
    return OK;
}

enum err str_to_i64(str s, int64_t *out_value)
{
    bool negative = str_has_prefix(s, STR("-"));
    uint64_t magnitude;
    TRY(str_to_u64(str_skip(s, negative), &magnitude));
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return ERR_BAD_INPUT;
    *out_value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return OK;
}

static bool is_continuation(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* The second byte's range is what keeps out overlong forms, surrogates and values above U+10FFFF (RFC 3629, 4). */
static bool second_is_allowed(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second <= 0x9f;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second <= 0x8f;
    default:
        return true;
    }
}

size_t str_utf8_len(str s)
{
    if (s.len == 0)
        return 0;
    const unsigned char *c = (const unsigned char *)s.ptr;
    if (c[0] < 0x80)
        return 1;
    size_t len = c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
    if (len == 0 || len > s.len || !second_is_allowed(c[0], c[1]))
        return 0;
    for (size_t i = 1; i < len; i++)
        if (!is_continuation(c[i]))
            return 0;
    return len;
}

/* How many of the first bytes are ASCII, in steps of eight: nearly all text is. */
static size_t ascii_run(str s)
{
    size_t i = 0;
    for (uint64_t word; i + 8 <= s.len; i += 8) {
        memcpy(&word, s.ptr + i, 8);
        if (word & 0x8080808080808080)
            break;
    }
    return i;
}

bool str_is_utf8(str s)
{
    while (s.len) {
        size_t len = ascii_run(s);
        if (len == 0)
            len = str_utf8_len(s);
        if (len == 0)
            return false;
        s = str_skip(s, len);
    }
    return true;
}

bool str_eq_constant_time(str a, str b)
{
    if (a.len != b.len)
        return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < a.len; i++) {
        difference |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
        /* Keeps the compiler from leaving the loop at the first difference. */
        __asm__ volatile("" : "+r"(difference));
    }
    return difference == 0;
}

static uint64_t hash_key[2];

static void make_hash_key(void)
{
    rand_bytes(hash_key, sizeof(hash_key));
}

uint64_t str_hash(str s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_hash_key);
    return siphash13(hash_key, s.ptr, s.len);
}
