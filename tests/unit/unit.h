/* What every unit test includes: cmocka with the headers that it wants first, and assertions for str and enum err. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"

/* The compiler cannot know that a failed assertion does not return, and sees nulls and unset values after it. */
#pragma GCC diagnostic ignored "-Wnull-dereference"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define assert_ok(expression) assert_err(expression, OK)

#define assert_err(expression, expected)                                                           \
    do {                                                                                           \
        enum err unit_err_ = (expression);                                                         \
        if (unit_err_ != (expected))                                                               \
            fail_msg("%s: %s, expected %s", #expression, err_name(unit_err_), err_name(expected)); \
    } while (0)

#define assert_str(actual, expected)                                                               \
    do {                                                                                           \
        str unit_actual_ = (actual), unit_expected_ = (expected);                                  \
        if (!str_eq(unit_actual_, unit_expected_))                                                 \
            fail_msg("%s: \"%.*s\", expected \"%.*s\"", #actual, STR_ARG(unit_actual_),            \
                     STR_ARG(unit_expected_));                                                     \
    } while (0)

/* A small generator for repeatable random cases: the same numbers in every run. */
struct unit_random {
    uint64_t state;
};

static inline uint64_t unit_random_u64(struct unit_random *random)
{
    random->state += 0x9e3779b97f4a7c15;
    uint64_t z = random->state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline size_t unit_random_below(struct unit_random *random, size_t limit)
{
    return (size_t)(unit_random_u64(random) % limit);
}

static inline void unit_random_fill(struct unit_random *random, void *dst, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)dst)[i] = (uint8_t)unit_random_u64(random);
}
