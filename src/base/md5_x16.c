/* MD5 of 16 messages side by side, by AVX-512F, whose rotations and three-way bit functions make a step four instructions. */
#define MD5_LANES 16
#define MD5_TARGET __attribute__((target("avx512f")))
#define MD5_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define MD5_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#include "base/md5_vector.h"

static bool works(void)
{
    return __builtin_cpu_supports("avx512f") != 0;
}

const struct md5_kernel md5_kernel_x16 = {"x16", MD5_LANES, 3, works, hash_blocks};
