/* CRC32 and CRC32C come from ISA-L, which picks the fastest code for the processor; it lacks CRC64NVME (crc64.c).
 * Measured here, GB/s of 4 KiB | 1 MiB in cache: CRC32 51 | 60, CRC32C 61 | 61, CRC64NVME 42 | 62
 * (without wide vectors 15 | 15). */
#include "base/crc.h"

#include <isa-l/crc.h>
#include <limits.h>

#include "base/crc64.h"
#include "base/gf2.h"

static const struct gf2 field_crc32 = {0xedb88320, 32};
static const struct gf2 field_crc32c = {0x82f63b78, 32};
static const struct gf2 field_crc64nvme = {CRC64NVME_POLYNOMIAL, 64};

uint32_t crc32_update(uint32_t crc, const void *data, size_t len)
{
    return crc32_gzip_refl(crc, data, len);
}

/* crc32_iscsi takes an int for the length, a pointer without const although it only reads, and leaves the inversions to
 * its caller. */
uint32_t crc32c_update(uint32_t crc, const void *data, size_t len)
{
    unsigned char *at = (unsigned char *)(uintptr_t)data;
    uint32_t reg = ~crc;
    for (; len > INT_MAX; at += INT_MAX, len -= INT_MAX)
        reg = crc32_iscsi(at, INT_MAX, reg);
    return ~crc32_iscsi(at, (int)len, reg);
}

uint64_t crc64nvme_update(uint64_t crc, const void *data, size_t len)
{
    if (crc64_wide_works())
        return ~crc64_wide_update(~crc, data, len);
    return ~(crc64_clmul_works() ? crc64_clmul_update(~crc, data, len)
                                 : crc64_table_update(~crc, data, len));
}

/* crc(A||B) is crc(A) moved forward by the length of B, plus crc(B): with registers that are inverted before and after,
 * the inversions cancel out. */
static uint64_t combine(struct gf2 field, uint64_t a, uint64_t b, uint64_t len_b)
{
    uint64_t move = gf2_x_pow(field, 8);
    uint64_t result = a;
    /* x^8 is squared instead of 8 * len_b being formed, which could overflow. */
    for (; len_b; len_b >>= 1) {
        if (len_b & 1)
            result = gf2_mul(field, result, move);
        move = gf2_mul(field, move, move);
    }
    return result ^ b;
}

uint32_t crc32_combine(uint32_t a, uint32_t b, uint64_t len_b)
{
    return (uint32_t)combine(field_crc32, a, b, len_b);
}

uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t len_b)
{
    return (uint32_t)combine(field_crc32c, a, b, len_b);
}

uint64_t crc64nvme_combine(uint64_t a, uint64_t b, uint64_t len_b)
{
    return combine(field_crc64nvme, a, b, len_b);
}
