/* MD5 of 4 messages side by side, by SSE2, which every x86-64 has. */
#define MD5_LANES 4
#define MD5_TARGET
#define MD5_LOW 0, 4, 1, 5
#define MD5_HIGH 2, 6, 3, 7
#include "base/md5_vector.h"

static bool works(void)
{
    return true;
}

const struct md5_kernel md5_kernel_x4 = {"x4", MD5_LANES, 4, works, hash_blocks};
