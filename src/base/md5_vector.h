/* MD5 of MD5_LANES messages side by side, one in each element of a vector: what md5_x4.c, md5_x8.c and md5_x16.c have in common.
 * The file that includes this has defined
 *
 *     MD5_LANES     elements of a vector: 4, 8 or 16
 *     MD5_TARGET    an attribute for every function that uses vectors: the instructions that are allowed
 *     MD5_LOW, MD5_HIGH    for __builtin_shufflevector: the halves of two vectors, element by element in turn
 *
 * A step of MD5 waits for the one before, so one message leaves most of a processor idle. The messages are independent of each
 * other: a vector takes as long for all of them as plain code takes for one. */
#pragma once

#include <string.h>

#include "base/md5_kernel.h"

enum { WORDS = MD5_BLOCK / sizeof(uint32_t) };

typedef uint32_t vec __attribute__((vector_size(MD5_LANES * sizeof(uint32_t))));

#define MD5_FUNCTION static inline __attribute__((always_inline)) MD5_TARGET

/* Mixtures of bits, RFC 1321, 3.4; F and G in forms of fewer operations. */
MD5_FUNCTION vec mix_F(vec x, vec y, vec z)
{
    return z ^ (x & (y ^ z));
}

MD5_FUNCTION vec mix_G(vec x, vec y, vec z)
{
    return y ^ (z & (x ^ y));
}

MD5_FUNCTION vec mix_H(vec x, vec y, vec z)
{
    return x ^ y ^ z;
}

MD5_FUNCTION vec mix_I(vec x, vec y, vec z)
{
    return y ^ (x | ~z);
}

/* Rows become columns: so often as MD5_LANES can be halved, each row of the first half is interleaved with its fellow of the
 * second. */
MD5_FUNCTION void transpose(vec row[MD5_LANES])
{
    for (unsigned left = MD5_LANES; left > 1; left /= 2) {
        vec next[MD5_LANES];
        for (unsigned i = 0; i < MD5_LANES / 2; i++) {
            next[2 * i] = __builtin_shufflevector(row[i], row[i + MD5_LANES / 2], MD5_LOW);
            next[2 * i + 1] = __builtin_shufflevector(row[i], row[i + MD5_LANES / 2], MD5_HIGH);
        }
        memcpy(row, next, sizeof(next));
    }
}

/* Word i of every lane's block into word[i]. Little-endian, as base/bytes.h asserts. */
MD5_FUNCTION void load_words(vec word[WORDS], const uint8_t *const data[], size_t offset)
{
    for (unsigned first = 0; first < WORDS; first += MD5_LANES) {
        for (unsigned lane = 0; lane < MD5_LANES; lane++)
            memcpy(&word[first + lane], data[lane] + offset + first * sizeof(uint32_t),
                   sizeof(vec));
        transpose(word + first);
    }
}

MD5_FUNCTION void hash_block(vec state[MD5_STATE_WORDS], const vec word[WORDS])
{
    vec a = state[0], b = state[1], c = state[2], d = state[3];
#define STEP(function, a, b, c, d, index, shift, constant)                                         \
    a += mix_##function(b, c, d) + (word[index] + UINT32_C(constant));                             \
    a = b + (a << (shift) | a >> (32 - (shift)));
#include "base/md5_steps.def"
#undef STEP
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

MD5_TARGET static void hash_blocks(uint32_t *const state[], const uint8_t *const data[],
                                   size_t block_count)
{
    vec sum[MD5_STATE_WORDS], word[WORDS];
    for (unsigned lane = 0; lane < MD5_LANES; lane++)
        for (unsigned i = 0; i < MD5_STATE_WORDS; i++)
            sum[i][lane] = state[lane][i];
    for (size_t block = 0; block < block_count; block++) {
        load_words(word, data, block * MD5_BLOCK);
        hash_block(sum, word);
    }
    for (unsigned lane = 0; lane < MD5_LANES; lane++)
        for (unsigned i = 0; i < MD5_STATE_WORDS; i++)
            state[lane][i] = sum[i][lane];
}
