/* The file extents/limit: no id of an extent made so far is above it (docs/format/extent.md). */
#pragma once

#include "base/err.h"

#include <stdint.h>

enum {
    EXTENT_LIMIT_TEXT_MAX = 64,
    EXTENT_TIME_BITS = 42, /* of an id: milliseconds until the year 2109 */
};

/* Milliseconds; 0 when there is no file. ERR_CORRUPT, ERR_IO. */
enum err extent_limit_read(int extents_fd, uint64_t *out_ms);
