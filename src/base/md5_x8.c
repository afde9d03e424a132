/* MD5 of 8 messages side by side, by AVX2. */
#define MD5_LANES 8
#define MD5_TARGET __attribute__((target("avx2")))
#define MD5_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define MD5_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#include "base/md5_vector.h"

static bool works(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

const struct md5_kernel md5_kernel_x8 = {"x8", MD5_LANES, 4, works, hash_blocks};
