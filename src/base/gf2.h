/* Arithmetic modulo a CRC's polynomial, in the reflected form that CRC registers have: of a polynomial of `width` bits, bit
 * width - 1 is the coefficient of x^0. */
#pragma once

#include <stdint.h>

struct gf2 {
    uint64_t polynomial;
    unsigned width;
};

uint64_t gf2_mul(struct gf2 field, uint64_t a, uint64_t b);
/* x^n */
uint64_t gf2_x_pow(struct gf2 field, uint64_t n);
