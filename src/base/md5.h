/* MD5 of messages that come in pieces: one by OpenSSL's code, or several side by side, which takes a fraction of the time for
 * each. A value without resources. Source: RFC 1321. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

enum { MD5_BLOCK = 64, MD5_STATE_WORDS = 4, MD5_LANES_MAX = 16 };

struct md5 {
    uint32_t state[MD5_STATE_WORDS];
    uint64_t length;
    uint8_t tail[MD5_BLOCK]; /* the last length % MD5_BLOCK bytes */
};

void md5_init(struct md5 *md5);
void md5_update(struct md5 *md5, const void *data, size_t len);
void md5_final(struct md5 *md5, uint8_t dst[MD5_SIZE]); /* then md5_init, or nothing */

/* How many messages this processor hashes side by side, and from how many on that is quicker than one after the other. */
unsigned md5_lane_count(void);
unsigned md5_lane_min(void);

/* Each message goes on by `len` bytes at its data. `len` and every message's length so far are multiples of MD5_BLOCK; no
 * message is named twice. Any count: few are done one after the other, many in groups. */
struct md5_piece {
    struct md5 *md5;
    const uint8_t *data;
};
void md5_update_many(const struct md5_piece *piece, size_t count, size_t len);
