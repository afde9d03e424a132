#include "store/local/copier.h"

#include <fcntl.h>
#include <time.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/mem.h"

enum {
    ALIGNMENT = 4096,
    NAP_US = 100 * 1000, /* how soon a stop is seen */
    CREDIT_US = 1000 * 1000,
};

void copier_init(struct copier *copier)
{
    copier->buffer = mem_alloc_aligned(ALIGNMENT, COPY_BYTES);
    copier->begun_us = clock_mono_us();
}

void copier_release(struct copier *copier)
{
    mem_free(mem_take(&copier->buffer));
}

static enum err watch(const struct copier *copier)
{
    return copier->watch ? copier->watch(copier->context) : OK;
}

static void nap(int64_t us)
{
    struct timespec pause = {.tv_nsec = (long)us * 1000};
    (void)nanosleep(&pause, NULL);
}

/* What the disk kept us waiting is not made up for by a burst, but for a second of it. */
static void keep_pace(struct copier *copier, uint64_t bytes)
{
    copier->paced_bytes += bytes;
    double seconds = (double)copier->paced_bytes / (double)copier->rate_bytes;
    int64_t due_us = copier->begun_us + (int64_t)(seconds * 1e6);
    int64_t now_us = clock_mono_us();
    if (now_us - due_us > CREDIT_US)
        copier->begun_us += now_us - due_us - CREDIT_US;
    for (; now_us < due_us && watch(copier) == OK; now_us = clock_mono_us())
        nap(due_us - now_us < NAP_US ? due_us - now_us : NAP_US);
}

enum err copier_advance(struct copier *copier, uint64_t bytes)
{
    copier->done_bytes += bytes;
    if (copier->progress)
        copier->progress(copier->context, &(struct local_progress){copier->task, copier->done_bytes,
                                                                   copier->total_bytes});
    if (copier->rate_bytes)
        keep_pace(copier, bytes);
    return watch(copier);
}

enum err copier_copy(struct copier *copier, const struct copy_source *source, int to_fd,
                     uint32_t *crc32c)
{
    for (uint64_t at = 0; at < source->length;) {
        uint64_t left = source->length - at;
        size_t len = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        TRY(source->read(source->context, at, copier->buffer, len));
        *crc32c = crc32c_update(*crc32c, copier->buffer, len);
        TRY(io_write(copier->io, to_fd, copier->buffer, len, at));
        at += len;
        TRY(copier_advance(copier, len));
    }
    return OK;
}

enum err copier_read_crc(struct copier *copier, int fd, uint64_t length, uint32_t *out_crc32c)
{
    uint32_t crc = 0;
    for (uint64_t at = 0; at < length;) {
        size_t len = length - at < COPY_BYTES ? (size_t)(length - at) : COPY_BYTES;
        TRY(io_read(copier->io, fd, copier->buffer, len, at));
        crc = crc32c_update(crc, copier->buffer, len);
        at += len;
        TRY(copier_advance(copier, len));
    }
    *out_crc32c = crc;
    return OK;
}

enum err copier_finish_file(const struct copier *copier, int fd)
{
    TRY(io_sync_data(copier->io, fd));
    io_reached(copier->io, "copier.synced");
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return OK;
}
