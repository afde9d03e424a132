/* The ways to hash many messages side by side that this program has, widest first. md5.c picks one; tests compare all that
 * the processor can do. */
#pragma once

#include "base/md5.h"

struct md5_kernel {
    const char *name;
    unsigned lane_count; /* messages side by side; fewer cost as much */
    unsigned
        lane_min; /* so many take less time side by side than one after the other: measured, see md5.c */
    bool (*works)(void); /* on this processor */
    /* Hashes block_count blocks (above 0) at data[i] into state[i], for each of the lane_count lanes. A lane that is to be idle
     * gets any readable data and a state that nobody wants. */
    void (*blocks)(uint32_t *const state[], const uint8_t *const data[], size_t block_count);
};

extern const struct md5_kernel md5_kernel_x16, md5_kernel_x8, md5_kernel_x4;
