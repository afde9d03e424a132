#include "store/local/segment.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/rand.h"

enum { ZEROES_BYTES = 128 << 10 };

void segment_name(char dst[SEGMENT_NAME_MAX], uint64_t id, const char *ending)
{
    (void)snprintf(dst, SEGMENT_NAME_MAX, "%016" PRIx64 "%s", id, ending);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool segment_name_parse(const char *name, const char *ending, uint64_t *out_id)
{
    uint64_t id = 0;
    for (int i = 0; i < 16; i++) {
        int value = digit_value(name[i]);
        if (value < 0)
            return false;
        id = id << 4 | (uint64_t)value;
    }
    if (strcmp(name + 16, ending) != 0)
        return false;
    *out_id = id;
    return true;
}

static enum err write_header(const struct segment_dir *dir, int fd, struct segment *segment)
{
    struct segment_header header = {
        .id = segment->id,
        .size = segment->size,
        .created_ms = (uint64_t)clock_real_ms(),
    };
    do
        header.epoch = rand_u64();
    while (header.epoch == 0);
    memcpy(header.store_id, dir->store_id, STORE_ID_SIZE);
    char bytes[SEGMENT_HEADER_SIZE];
    segment_header_encode(&header, bytes);
    segment->epoch = header.epoch;
    segment->header_check = header.check;
    TRY(io_write(dir->io, fd, bytes, sizeof(bytes), 0));
    return io_sync(dir->io, fd);
}

/* Zeroes to the end, past the page cache and a piece at a time, so that syncs of the log meanwhile do not wait for much. Left
 * out where the file system does not take such writes: they only save time later. */
static enum err write_zeroes(const struct io *io, int fd, uint64_t size)
{
    static const char zeroes[ZEROES_BYTES] __attribute__((aligned(SEGMENT_HEADER_SIZE)));
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) != 0)
        return OK;
    enum err err = OK;
    for (uint64_t at = 0; err == OK && at < size; at += sizeof(zeroes)) {
        uint64_t left = size - at;
        io_reached(io, "segment.zeroing");
        err = io_write(io, fd, zeroes, left < sizeof(zeroes) ? left : sizeof(zeroes), at);
    }
    (void)fcntl(fd, F_SETFL, flags);
    return err == ERR_BAD_INPUT ? OK : err;
}

static enum err fill_new_file(const struct segment_dir *dir, struct segment *segment,
                              const char *name, bool is_written_ahead, int *out_fd)
{
    FD_SCOPED int fd = -1;
    TRY(io_open(dir->io, dir->fd, name, O_RDWR | O_CREAT, &fd));
    enum err err = io_allocate(dir->io, fd, segment->size);
    if (err == OK && is_written_ahead)
        err = write_zeroes(dir->io, fd, segment->size);
    io_reached(dir->io, "segment.allocated");
    if (err == OK)
        err = write_header(dir, fd, segment);
    if (err != OK) {
        (void)io_unlink(dir->io, dir->fd, name);
        return err;
    }
    *out_fd = fd_take(&fd);
    return OK;
}

enum err segment_create(const struct segment_dir *dir, const struct segment_plan *plan,
                        struct segment *out_segment)
{
    struct segment segment = {
        .id = plan->id, .size = plan->size, .state = SEGMENT_PREPARED, .fd = -1};
    char unfinished[SEGMENT_NAME_MAX], name[SEGMENT_NAME_MAX];
    segment_name(name, plan->id, ".log");
    segment_name(unfinished, plan->id, ".new");
    if (plan->reuse_id) {
        char reused[SEGMENT_NAME_MAX];
        segment_name(reused, plan->reuse_id, ".free");
        TRY(io_rename_new(dir->io, dir->fd, reused, dir->fd, unfinished));
        io_reached(dir->io, "segment.reused");
    }
    FD_SCOPED int fd = -1;
    TRY(fill_new_file(dir, &segment, unfinished, plan->is_written_ahead && !plan->reuse_id, &fd));
    io_reached(dir->io, "segment.filled");
    enum err err = io_rename_new(dir->io, dir->fd, unfinished, dir->fd, name);
    io_reached(dir->io, "segment.named");
    if (err != OK) {
        (void)io_unlink(dir->io, dir->fd, unfinished);
        return err;
    }
    err = io_sync(dir->io, dir->fd);
    if (err != OK) {
        (void)io_unlink(dir->io, dir->fd, name); /* so that the next one can have it */
        return err;
    }
    segment.fd = fd_take(&fd);
    *out_segment = segment;
    return OK;
}

enum err segment_open(const struct segment_dir *dir, uint64_t id, int flags,
                      struct segment_header *out_header, int *out_fd, struct fail *fail)
{
    char name[SEGMENT_NAME_MAX], bytes[SEGMENT_HEADER_SIZE];
    segment_name(name, id, ".log");
    FD_SCOPED int fd = -1;
    enum err err = io_open(dir->io, dir->fd, name, flags, &fd);
    if (err == ERR_NOT_FOUND)
        return fail_set(fail, ERR_CORRUPT, NULL, "log/%s is missing", name);
    if (err == OK)
        err = io_read(dir->io, fd, bytes, sizeof(bytes), 0);
    if (err != OK && err != ERR_CORRUPT)
        return fail_set(fail, err, NULL, "log/%s cannot be read: %s", name, err_fact(err));
    if (err == OK)
        err = segment_header_decode(bytes, out_header);
    if (err != OK || out_header->id != id)
        return fail_set(fail, ERR_CORRUPT, NULL, "both headers of log/%s are damaged", name);
    if (memcmp(out_header->store_id, dir->store_id, STORE_ID_SIZE) != 0)
        return fail_set(fail, ERR_CORRUPT, NULL, "log/%s belongs to another store", name);
    *out_fd = fd_take(&fd);
    return OK;
}

enum err segment_rename(const struct segment_dir *dir, uint64_t id, const char *ending)
{
    char name[SEGMENT_NAME_MAX], renamed[SEGMENT_NAME_MAX];
    segment_name(name, id, ".log");
    segment_name(renamed, id, ending);
    io_reached(dir->io, "segment.retiring");
    TRY(io_rename_new(dir->io, dir->fd, name, dir->fd, renamed));
    io_reached(dir->io, "segment.retired");
    enum err err = io_sync(dir->io, dir->fd);
    if (err != OK)
        (void)io_rename_new(dir->io, dir->fd, renamed, dir->fd, name);
    return err;
}

enum err segment_retire(const struct segment_dir *dir, uint64_t id)
{
    return segment_rename(dir, id, ".free");
}
