/* The yardstick for durable writes: appends blocks to a file one at a time, each followed by fdatasync, for a while. It is
 * what a store without group commit can do at best on this disk.
 *
 *     append_sync FILE BLOCK_BYTES MILLISECONDS
 *
 * Prints the number of blocks a second, and the median and the 99th percentile of what a sync took, in microseconds. The file
 * is removed. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_MAX = 16 * 1024 * 1024, SYNCS_KEPT = 1 << 20 };

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

/* How long the syncs took; the last SYNCS_KEPT of them. */
struct syncs {
    uint64_t count;
    int64_t us[SYNCS_KEPT];
};

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(struct syncs *syncs, int64_t elapsed_us)
{
    size_t kept = syncs->count < SYNCS_KEPT ? syncs->count : SYNCS_KEPT;
    qsort(syncs->us, kept, sizeof(*syncs->us), compare);
    printf("%.1f %" PRId64 " %" PRId64 "\n", (double)syncs->count * 1e6 / (double)elapsed_us,
           syncs->us[kept / 2], syncs->us[kept * 99 / 100]);
}

static int run(int fd, const char *block, size_t size, int64_t duration_us)
{
    static struct syncs syncs;
    int64_t begin_us = now_us(), end_us = begin_us;
    while (syncs.count == 0 || end_us - begin_us < duration_us) {
        if (write(fd, block, size) != (ssize_t)size)
            return fail("write");
        int64_t written_us = now_us();
        if (fdatasync(fd) != 0)
            return fail("fdatasync");
        end_us = now_us();
        syncs.us[syncs.count++ % SYNCS_KEPT] = end_us - written_us;
    }
    report(&syncs, end_us - begin_us);
    return 0;
}

int main(int argc, char **argv)
{
    uintmax_t size = argc == 4 ? strtoumax(argv[2], NULL, 10) : 0;
    uintmax_t duration_ms = argc == 4 ? strtoumax(argv[3], NULL, 10) : 0;
    if (size < 1 || size > BLOCK_MAX || duration_ms < 1 || duration_ms > 600000) {
        fprintf(stderr, "usage: append_sync FILE BLOCK_BYTES MILLISECONDS\n");
        return 2;
    }
    char *block = malloc(size);
    if (!block)
        return fail("malloc");
    memset(block, 0x5a, size);
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(argv[1]);
    int code = run(fd, block, size, (int64_t)duration_ms * 1000);
    close(fd);
    unlink(argv[1]);
    free(block);
    return code;
}
