/* Carry-less folding. Sixteen bytes of the message are a polynomial of degree below 128, the first byte holding the
 * highest powers. Moving such a block D bits forward means multiplying it by x^D; each of its two halves is
 * multiplied by a constant of 64 bits, and the sum, again 128 bits, is added to the block that lies there:
 *
 *     block * x^D = first half * x^(D + 64) + second half * x^D     (mod the polynomial)
 *
 * A reflected carry-less product comes out one bit short, so the constants are x^(D + 63) and x^(D - 1). Eight blocks
 * are folded side by side, so that the multiplier is never waited for; at the end one block is left, and the tables take
 * it and the last bytes.
 *
 * Wide vectors hold four blocks each. What they have folded is written down as a message of its own, for the way above. */
#include "base/crc64.h"

#include <immintrin.h>
#include <pthread.h>

#include "base/bytes.h"
#include "base/gf2.h"

enum {
    BLOCK = 16,
    LANES = 8,
    STRIDE = LANES * BLOCK,
    WIDE = 4 * BLOCK,
    WIDE_STRIDE = LANES * WIDE,
};

static const struct gf2 field = {CRC64NVME_POLYNOMIAL, 64};

/* table[k][b]: the register after byte b and k zero bytes. */
static uint64_t table[8][256];
/* Factors of the first and the second half, for moving a block by one stride, by one block, and by a stride of wide vectors. */
static uint64_t by_stride[2], by_block[2], by_wide_stride[2];

static void make_table(void)
{
    for (unsigned b = 0; b < 256; b++) {
        uint64_t reg = b;
        for (int bit = 0; bit < 8; bit++)
            reg = reg & 1 ? reg >> 1 ^ CRC64NVME_POLYNOMIAL : reg >> 1;
        table[0][b] = reg;
    }
    for (unsigned k = 1; k < 8; k++)
        for (unsigned b = 0; b < 256; b++)
            table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xff];
}

static void make_factors(uint64_t factor[2], uint64_t bytes)
{
    factor[0] = gf2_x_pow(field, 8 * bytes + 63);
    factor[1] = gf2_x_pow(field, 8 * bytes - 1);
}

static void make_constants(void)
{
    make_table();
    make_factors(by_stride, STRIDE);
    make_factors(by_block, BLOCK);
    make_factors(by_wide_stride, WIDE_STRIDE);
}

static void make_constants_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_constants);
}

static inline uint64_t table_word(uint64_t reg, uint64_t word)
{
    uint64_t next = 0;
    reg ^= word;
    for (unsigned i = 0; i < 8; i++)
        next ^= table[7 - i][reg >> (8 * i) & 0xff];
    return next;
}

static uint64_t table_run(uint64_t reg, const uint8_t *at, size_t len)
{
    for (; len >= 8; at += 8, len -= 8)
        reg = table_word(reg, get_le64(at));
    for (; len; at++, len--)
        reg = reg >> 8 ^ table[0][(reg ^ *at) & 0xff];
    return reg;
}

uint64_t crc64_table_update(uint64_t reg, const void *data, size_t len)
{
    make_constants_once();
    return table_run(reg, data, len);
}

bool crc64_clmul_works(void)
{
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

#define CLMUL __attribute__((target("pclmul,sse4.1")))

CLMUL static inline __m128i load(const void *at)
{
    return _mm_loadu_si128(at);
}

/* The block, moved by what the factors say, added to `onto`. */
CLMUL static inline __m128i fold(__m128i block, __m128i factor, __m128i onto)
{
    __m128i first = _mm_clmulepi64_si128(block, factor, 0x00);
    __m128i second = _mm_clmulepi64_si128(block, factor, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, second), onto);
}

/* Folds all strides, at least one, into one block. The register is added to the first bytes of the message. */
CLMUL static __m128i fold_strides(uint64_t reg, const uint8_t *at, size_t strides)
{
    __m128i stride_factor = load(by_stride), block_factor = load(by_block);
    __m128i lane[LANES];
    for (int i = 0; i < LANES; i++)
        lane[i] = load(at + i * BLOCK);
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi64_si128((long long)reg));
    while (--strides) {
        at += STRIDE;
        for (int i = 0; i < LANES; i++)
            lane[i] = fold(lane[i], stride_factor, load(at + i * BLOCK));
    }
    for (int i = 1; i < LANES; i++)
        lane[i] = fold(lane[i - 1], block_factor, lane[i]);
    return lane[LANES - 1];
}

CLMUL uint64_t crc64_clmul_update(uint64_t reg, const void *data, size_t len)
{
    const uint8_t *at = data;
    make_constants_once();
    if (len < STRIDE)
        return table_run(reg, at, len);

    __m128i rest = fold_strides(reg, at, len / STRIDE);
    at += len - len % STRIDE;
    len %= STRIDE;
    for (; len >= BLOCK; at += BLOCK, len -= BLOCK)
        rest = fold(rest, load(by_block), load(at));

    uint8_t last_block[BLOCK];
    _mm_storeu_si128((__m128i *)(void *)last_block, rest);
    return table_run(table_run(0, last_block, BLOCK), at, len);
}

bool crc64_wide_works(void)
{
    return crc64_clmul_works() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("vpclmulqdq");
}

#define WIDE_CLMUL __attribute__((target("avx512f,vpclmulqdq")))

/* Folds all strides, at least one, into one. */
WIDE_CLMUL static void fold_wide_strides(uint64_t reg, const uint8_t *at, size_t strides,
                                         uint8_t dst[WIDE_STRIDE])
{
    __m512i factor = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)by_wide_stride));
    __m512i lane[LANES];
    for (int i = 0; i < LANES; i++)
        lane[i] = _mm512_loadu_si512(at + i * WIDE);
    lane[0] = _mm512_xor_si512(lane[0], _mm512_zextsi128_si512(_mm_cvtsi64_si128((long long)reg)));
    while (--strides) {
        at += WIDE_STRIDE;
        for (int i = 0; i < LANES; i++) {
            __m512i first = _mm512_clmulepi64_epi128(lane[i], factor, 0x00);
            __m512i second = _mm512_clmulepi64_epi128(lane[i], factor, 0x11);
            __m512i onto = _mm512_loadu_si512(at + i * WIDE);
            lane[i] = _mm512_xor_si512(_mm512_xor_si512(first, second), onto);
        }
    }
    for (int i = 0; i < LANES; i++)
        _mm512_storeu_si512(dst + i * WIDE, lane[i]);
}

uint64_t crc64_wide_update(uint64_t reg, const void *data, size_t len)
{
    const uint8_t *at = data;
    make_constants_once();
    if (len >= 2 * WIDE_STRIDE) {
        uint8_t folded[WIDE_STRIDE];
        fold_wide_strides(reg, at, len / WIDE_STRIDE, folded);
        reg = crc64_clmul_update(0, folded, WIDE_STRIDE);
        at += len - len % WIDE_STRIDE;
        len %= WIDE_STRIDE;
    }
    return crc64_clmul_update(reg, at, len);
}
