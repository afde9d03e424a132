/* Whole logs through recovery: the input is a script that writes segments of records and then damages them.
 *
 * What must hold: what is found are records that were written, unharmed, and all of them from the first on. Where the log is said to end,
 * no whole record that begins a batch behind it claims that more was durable: an acknowledged record is never given up in silence. Without
 * damage everything is found. A salvage finds records that were written, in their order.
 *
 * A step of the script is one byte, whose low bits choose what is done, and as many bytes as that needs:
 *   0 to 2  a record: bit 3 begins a batch, bits 4 to 7 say how many records before it were durable at most;
 *           one byte: the size of its payload, divided by 4
 *   3       the segment is sealed, the next one begins
 *   4       two bytes: a place in the segment of bits 4 and 5; one byte: bits that are turned there
 *   5       one byte: so many sectors are cut off the last segment
 *   6       one byte: a place; the sector there is swapped with the next one (stale or misplaced writes)
 *   7       one byte: so many further records that another life of the file left behind its end */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/local/log.h"

enum {
    SEGMENTS_MAX = 4,
    RECORDS_MAX = 200,
    FILE_BYTES_MAX = 128 << 10,
    SECTOR = 512,
    STALE_MAX = 3,
};

struct image {
    struct segment_header header;
    size_t end, size; /* of its records; of the file */
    char bytes[FILE_BYTES_MAX];
};

struct written {
    struct record record;
    size_t segment, offset;
    str bytes; /* as it was written, header and payload */
};

struct world {
    int dir_fd;
    struct image image[SEGMENTS_MAX];
    size_t segment_count;
    struct written written[RECORDS_MAX];
    size_t count; /* of records with a sequence: seals, too */
    uint32_t chain;
    uint64_t durable;
    bool is_damaged;
    char copy[SEGMENTS_MAX * FILE_BYTES_MAX]; /* of all records */
    size_t copy_used;
};

/* Nothing here is meant to outlive the process, so nothing is synced. */
static int no_sync(int fd)
{
    (void)fd;
    return 0;
}

static struct io quick_io;

/* In memory if there is such a place. */
static char folder[2][32] = {"/dev/shm/pail-fuzz-XXXXXX", "/tmp/pail-fuzz-XXXXXX"};
static const char *made;

static void remove_folder(void)
{
    (void)rmdir(made);
}

static void world_open(struct world *world)
{
    made = mkdtemp(folder[0]) ? folder[0] : mkdtemp(folder[1]);
    FUZZ_CHECK(made != NULL);
    world->dir_fd = open(made, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(world->dir_fd >= 0 && atexit(remove_folder) == 0);
    quick_io = io_system;
    quick_io.fdatasync = quick_io.fsync = no_sync;
}

/* ---- The script ---- */

static void begin_segment(struct world *world)
{
    struct image *image = &world->image[world->segment_count++];
    memset(image->bytes, 0, sizeof image->bytes);
    image->header = (struct segment_header){
        .id = world->segment_count, .epoch = 77 + world->segment_count, .size = FILE_BYTES_MAX};
    memset(image->header.store_id, 7, STORE_ID_SIZE);
    segment_header_encode(&image->header, image->bytes);
    image->end = image->size = SEGMENT_HEADER_SIZE;
    world->chain = image->header.check;
}

/* Writes a record at the offset of the last segment; false when there is no room. */
static bool put_record(struct world *world, struct record *record, size_t offset)
{
    struct image *image = &world->image[world->segment_count - 1];
    size_t size = RECORD_HEADER_SIZE + record->payload_length;
    if (offset + size > FILE_BYTES_MAX)
        return false;
    char *dst = image->bytes + offset;
    memset(dst, (int)(record->sequence * 7), size);
    record_encode(record, dst);
    if (offset + size > image->size)
        image->size = offset + size;
    return true;
}

static bool add_record(struct world *world, enum record_kind kind, uint8_t flags, size_t payload)
{
    struct image *image = &world->image[world->segment_count - 1];
    size_t offset = (flags & 8) != 0 ? record_aligned(image->end) : image->end;
    uint64_t lag = flags >> 4, sequence = world->count + 1;
    if (world->count == RECORDS_MAX)
        return false;
    /* What was durable once stays so, and a record is not durable before it is written. */
    uint64_t durable = sequence - 1 > lag ? sequence - 1 - lag : 0;
    world->durable = durable > world->durable ? durable : world->durable;
    struct record record = {.kind = kind,
                            .payload_length = (uint32_t)payload,
                            .change_count = 1,
                            .epoch = image->header.epoch,
                            .sequence = sequence,
                            .durable = world->durable,
                            .chain = world->chain,
                            .salt = 5};
    if (!put_record(world, &record, offset))
        return false;
    size_t size = RECORD_HEADER_SIZE + payload;
    char *copy = world->copy + world->copy_used;
    memcpy(copy, image->bytes + offset, size);
    world->copy_used += size;
    world->written[world->count++] =
        (struct written){record, world->segment_count - 1, offset, str_of(copy, size)};
    image->end = offset + size;
    world->chain = record.check;
    return true;
}

/* Records of an earlier life: whole, with another epoch, where the next batch would begin. */
static void add_stale(struct world *world, size_t count)
{
    struct image *image = &world->image[world->segment_count - 1];
    size_t offset = record_aligned(image->end);
    for (size_t i = 0; i < count % (STALE_MAX + 1); i++) {
        struct record stale = {.kind = RECORD_UPDATE,
                               .payload_length = 40,
                               .change_count = 1,
                               .epoch = 1,
                               .sequence = world->count + 1 + i,
                               .durable = world->count + i,
                               .chain = world->chain};
        if (!put_record(world, &stale, offset))
            return;
        offset += SECTOR;
    }
}

static void flip(struct world *world, const uint8_t *at, size_t segment)
{
    struct image *image = &world->image[segment % world->segment_count];
    size_t place = ((size_t)at[0] << 8 | at[1]) * 2 % image->size;
    image->bytes[place] = (char)(image->bytes[place] ^ at[2]);
    world->is_damaged = world->is_damaged || at[2] != 0;
}

static void cut(struct world *world, size_t sectors)
{
    struct image *image = &world->image[world->segment_count - 1];
    size_t room = image->size - SEGMENT_HEADER_SIZE;
    image->size -= sectors * SECTOR < room ? sectors * SECTOR : room;
    memset(image->bytes + image->size, 0, sizeof image->bytes - image->size);
    world->is_damaged = true;
}

static void swap_sectors(struct world *world, size_t number)
{
    struct image *image = &world->image[world->segment_count - 1];
    char kept[SECTOR];
    char *first = image->bytes + SEGMENT_HEADER_SIZE + number * SECTOR;
    memcpy(kept, first, SECTOR);
    memcpy(first, first + SECTOR, SECTOR);
    memcpy(first + SECTOR, kept, SECTOR);
    world->is_damaged = true;
}

/* How many bytes follow a step. */
static size_t argument_bytes(uint8_t step)
{
    static const size_t bytes[] = {1, 1, 1, 0, 3, 1, 1, 1};
    return bytes[step & 7];
}

static void run_step(struct world *world, const uint8_t *at)
{
    switch (at[0] & 7) {
    case 3:
        if (world->segment_count < SEGMENTS_MAX && add_record(world, RECORD_SEAL, at[0] | 8, 0))
            begin_segment(world);
        break;
    case 4:
        flip(world, at + 1, (at[0] >> 4) & 3);
        break;
    case 5:
        cut(world, at[1]);
        break;
    case 6:
        swap_sectors(world, at[1] % 200);
        break;
    case 7:
        add_stale(world, at[1]);
        break;
    default:
        (void)add_record(world, RECORD_UPDATE, at[0], 4 * (size_t)at[1]);
    }
}

/* Records may not be written over damage, so the script's damage comes last. */
static bool is_damage(uint8_t step)
{
    return (step & 7) >= 4;
}

static void run_script(struct world *world, const uint8_t *data, size_t size)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t at = 0; at < size; at += 1 + argument_bytes(data[at])) {
            if (at + 1 + argument_bytes(data[at]) > size)
                break;
            if (is_damage(data[at]) == (pass == 1))
                run_step(world, data + at);
        }
    }
}

/* ---- Recovery and what it found ---- */

static void remove_files(const struct world *world)
{
    for (size_t i = 0; i < SEGMENTS_MAX; i++) {
        char name[SEGMENT_NAME_MAX];
        segment_name(name, i + 1, ".log");
        (void)unlinkat(world->dir_fd, name, 0);
        segment_name(name, i + 1, ".damaged");
        (void)unlinkat(world->dir_fd, name, 0);
    }
}

static void write_files(const struct world *world)
{
    for (size_t i = 0; i < world->segment_count; i++) {
        char name[SEGMENT_NAME_MAX];
        segment_name(name, i + 1, ".log");
        int fd = openat(world->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        FUZZ_CHECK(fd >= 0);
        const struct image *image = &world->image[i];
        FUZZ_CHECK(pwrite(fd, image->bytes, image->size, 0) == (ssize_t)image->size);
        FUZZ_CHECK(close(fd) == 0);
    }
}

struct visited {
    const struct world *world;
    uint64_t last;
    bool may_skip;
};

static enum err visit(void *context, const struct log_found *found)
{
    struct visited *visited = context;
    uint64_t sequence = found->record->sequence;
    FUZZ_CHECK(sequence > visited->last && sequence <= visited->world->count);
    const struct written *written = &visited->world->written[sequence - 1];
    FUZZ_CHECK(written->record.kind == RECORD_UPDATE);
    FUZZ_CHECK(str_eq(str_skip(written->bytes, RECORD_HEADER_SIZE), found->payload));
    for (uint64_t i = visited->last + 1; i < sequence && !visited->may_skip; i++)
        FUZZ_CHECK(visited->world->written[i - 1].record.kind == RECORD_SEAL);
    visited->last = sequence;
    return OK;
}

static bool is_whole(const struct world *world, const struct written *written)
{
    const struct image *image = &world->image[written->segment];
    if (written->offset + written->bytes.len > image->size)
        return false;
    return memcmp(image->bytes + written->offset, written->bytes.ptr, written->bytes.len) == 0;
}

/* The log ends behind record `last`: nothing that is left says that a later one was durable. */
static void check_end(const struct world *world, uint64_t last)
{
    for (size_t i = last; i < world->count; i++) {
        const struct written *written = &world->written[i];
        if (written->offset % RECORD_ALIGNMENT == 0 && is_whole(world, written))
            FUZZ_CHECK(written->record.durable <= last);
    }
}

static void count_loss(void *context, const struct log_loss *loss)
{
    size_t *count = context;
    (void)loss;
    ++*count;
}

static void recover(struct world *world, bool is_salvage)
{
    struct store_log_options options = {
        .io = &quick_io, .dir_fd = world->dir_fd, .segment_bytes = FILE_BYTES_MAX};
    struct store_log *log;
    struct log_position position = {0};
    struct fail fail = {0};
    struct visited visited = {.world = world, .may_skip = is_salvage};
    size_t losses = 0;
    memset(options.store_id, 7, STORE_ID_SIZE);
    write_files(world);
    FUZZ_CHECK(store_log_open(&options, &log, &fail) == OK);
    if (is_salvage)
        store_log_salvage(log, count_loss, &losses);
    enum err err = store_log_recover(log, &position, visit, &visited, &fail);
    FUZZ_CHECK(err == OK || (err == ERR_CORRUPT && fail.detail[0] != '\0'));
    FUZZ_CHECK(world->is_damaged || (err == OK && position.sequence == world->count));
    FUZZ_CHECK(!is_salvage || err == OK);
    if (err == OK && !is_salvage)
        check_end(world, position.sequence);
    store_log_close(log);
    remove_files(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world *world;
    if (world == NULL) {
        world = mem_new(struct world);
        world_open(world);
    }
    world->segment_count = world->count = world->copy_used = 0;
    world->durable = 0;
    world->is_damaged = false;
    begin_segment(world);
    run_script(world, data, size);
    recover(world, false);
    recover(world, true);
    return 0;
}
