/* What every harness includes: the entry point that libFuzzer calls, and a check that stays in every build.
 *
 * A harness does more than not to crash: it states what must hold for each input that is accepted. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static inline str fuzz_input(const uint8_t *data, size_t size)
{
    return str_of((const char *)data, size);
}
