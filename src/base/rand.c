#include "base/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "base/fatal.h"

void rand_bytes(void *dst, size_t len)
{
    unsigned char *at = dst;
    while (len) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            fatal("the kernel gives no random bytes");
        at += got;
        len -= (size_t)got;
    }
}

uint64_t rand_u64(void)
{
    uint64_t value;
    rand_bytes(&value, sizeof(value));
    return value;
}
