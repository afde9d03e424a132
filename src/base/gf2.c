#include "base/gf2.h"

static uint64_t times_x(struct gf2 field, uint64_t a)
{
    return a & 1 ? a >> 1 ^ field.polynomial : a >> 1;
}

uint64_t gf2_mul(struct gf2 field, uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    for (uint64_t bit = (uint64_t)1 << (field.width - 1); bit; bit >>= 1) {
        product ^= a & bit ? b : 0;
        b = times_x(field, b);
    }
    return product;
}

uint64_t gf2_x_pow(struct gf2 field, uint64_t n)
{
    uint64_t result = (uint64_t)1 << (field.width - 1);
    uint64_t square = times_x(field, result); /* x^(2^k) in round k */
    for (; n; n >>= 1) {
        if (n & 1)
            result = gf2_mul(field, result, square);
        square = gf2_mul(field, square, square);
    }
    return result;
}
