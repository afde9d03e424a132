/* Taking a backup: a state of the store is frozen, what belongs to it is copied, and the manifest is written last. */
#include "store/local/backup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc.h"
#include "base/fd.h"
#include "base/rand.h"
#include "store/blocks.h"
#include "store/local/copier.h"
#include "store/local/local_int.h"
#include "store/local/manifest.h"
#include "store/local/tree.h"

#define MARKER "unfinished"

enum { FULL_CHECK_US = 1000 * 1000 };

/* An earlier backup, read in step with what is written: both are in the same order. */
struct base {
    struct tree tree;
    struct manifest_reader manifest;
    struct manifest_file file; /* where it stands */
    bool has_file;
};

struct backup {
    struct local_engine *engine;
    const struct local_backup_options *options;
    struct fail *fail;
    struct freeze freeze;
    struct tree tree;
    bool is_target_ours; /* all that is in it may be removed */
    struct base base;
    struct manifest_head head;
    struct manifest_writer manifest;
    struct copier copier;
    int64_t looked_us; /* when the store's disk was looked at */
    bool is_store_full;
    uint64_t damaged_count;
    struct local_backup_result result;
};

/* ---- Going on, and telling ---- */

/* A store whose disk fills up while it keeps things for us needs them more than we do. */
static enum err watch(void *context)
{
    struct backup *backup = context;
    const bool *stop = backup->options->stop;
    if (stop && __atomic_load_n(stop, __ATOMIC_RELAXED))
        return ERR_CANCELLED;
    int64_t now_us = clock_mono_us();
    if (now_us - backup->looked_us < FULL_CHECK_US)
        return OK;
    backup->looked_us = now_us;
    backup->is_store_full = local_is_full(backup->engine, 0);
    return backup->is_store_full ? ERR_NO_SPACE : OK;
}

static void report(void *context, const struct local_progress *progress)
{
    const struct backup *backup = context;
    backup->options->progress(backup->options->context, progress);
}

static void tell_damage(struct backup *backup, const struct manifest_file *file, const char *what)
{
    struct local_finding finding = {.err = ERR_CORRUPT};
    manifest_path(file, finding.where);
    (void)snprintf(finding.what, sizeof(finding.what), "%s", what);
    backup->damaged_count++;
    if (backup->options->found)
        backup->options->found(backup->options->context, &finding);
}

/* ---- The base ---- */

static enum err base_step(struct base *base)
{
    enum err err = manifest_next(&base->manifest, &base->file);
    base->has_file = err == OK;
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err open_base(struct backup *backup)
{
    struct base *base = &backup->base;
    const char *path = backup->options->base;
    struct fail why = {0};
    if (!path)
        return OK;
    enum err err = tree_open(&base->tree, backup->engine->io, path, &why);
    if (err == OK)
        err = manifest_open(&base->manifest, backup->engine->io, base->tree.fd, &why);
    if (err == OK &&
        memcmp(base->manifest.head.store_id, backup->engine->dir.store_id, STORE_ID_SIZE) != 0)
        err = fail_set(&why, ERR_BAD_INPUT, NULL, "it is of another store");
    if (err == OK)
        err = base_step(base);
    if (err == OK)
        return OK;
    return fail_set(backup->fail, ERR_BAD_INPUT, NULL, "the base \"%s\" cannot be used: %s", path,
                    why.detail[0] ? why.detail : err_fact(err));
}

/* Whether the base has the file, and it is as long as its manifest says. */
static enum err find_in_base(struct base *base, const struct manifest_file *wanted, bool *out_found)
{
    uint64_t size;
    *out_found = false;
    while (base->has_file && manifest_compare(&base->file, wanted) < 0)
        TRY(base_step(base));
    if (!base->has_file || manifest_compare(&base->file, wanted) != 0)
        return OK;
    FD_SCOPED int fd = -1;
    *out_found = tree_open_file(&base->tree, wanted, &fd, &size) == OK && size == base->file.size;
    return OK;
}

/* What cannot be linked, for whatever reason, is copied. */
static bool link_from_base(struct backup *backup)
{
    return tree_link_file(&backup->tree, &backup->base.tree, &backup->base.file) == OK;
}

static enum err add_linked(struct backup *backup)
{
    backup->result.linked_file_count++;
    backup->result.linked_byte_count += backup->base.file.size;
    TRY(manifest_add(&backup->manifest, &backup->base.file));
    return copier_advance(&backup->copier, 0);
}

/* ---- Small files ---- */

struct small_file {
    const struct io *io;
    int fd;
};

static enum err read_small(void *context, uint64_t offset, void *dst, size_t len)
{
    const struct small_file *small = context;
    return io_read(small->io, small->fd, dst, len, offset);
}

static enum err copy_small(struct backup *backup, struct manifest_file file)
{
    const struct local_engine *engine = backup->engine;
    char path[MANIFEST_PATH_MAX];
    struct stat status;
    FD_SCOPED int from = -1;
    FD_SCOPED int to = -1;
    manifest_path(&file, path);
    enum err err = io_open(engine->io, engine->dir.fd, path, O_RDONLY, &from);
    if (err == ERR_NOT_FOUND && file.id != 0)
        return OK;
    if (err == OK && fstat(from, &status) < 0)
        err = ERR_IO;
    if (err != OK)
        return fail_set(backup->fail, err, NULL, "the store's file \"%s\" cannot be read", path);
    struct small_file small = {engine->io, from};
    struct copy_source source = {read_small, &small, (uint64_t)status.st_size};
    file.size = source.length;
    TRY(tree_create_file(&backup->tree, &file, &to));
    TRY(copier_copy(&backup->copier, &source, to, &file.crc32c));
    TRY(copier_finish_file(&backup->copier, to));
    return manifest_add(&backup->manifest, &file);
}

static enum err copy_small_files(struct backup *backup)
{
    backup->copier.task = "copying keys";
    for (uint64_t i = 0; i < MANIFEST_NAME_COUNT; i++)
        TRY(copy_small(backup, (struct manifest_file){.kind = MANIFEST_NAMED, .id = i}));
    struct stat status;
    if (fstatat(backup->engine->dir.extents_fd, "limit", &status, 0) < 0)
        return OK;
    return copy_small(backup, (struct manifest_file){.kind = MANIFEST_LIMIT});
}

/* ---- Segments ---- */

/* A segment on its way into the backup. */
struct segment_copy {
    struct backup *backup;
    uint64_t id;
    bool is_cut;   /* at the position */
    bool is_found; /* the record that the cut is behind */
    uint64_t end;  /* of what is copied */
    uint32_t chain;
};

static enum err see_record(void *context, const struct log_found *found)
{
    struct segment_copy *copy = context;
    TRY(watch(copy->backup));
    if (!copy->is_cut || found->record->sequence != copy->backup->head.position.sequence)
        return OK;
    copy->is_found = true;
    copy->end = found->place.offset + found->payload.len;
    copy->chain = found->record->check;
    return ERR_CANCELLED; /* the rest was written later */
}

/* Reads the records, and finds out where what is copied ends. */
static enum err verify_segment(struct segment_copy *copy)
{
    uint64_t end;
    enum err err =
        store_log_scan_segment(copy->backup->engine->log, copy->id, see_record, copy, &end, NULL);
    if (!copy->is_cut) {
        copy->end = end;
        return err;
    }
    if (!copy->is_found)
        return err == OK ? ERR_CORRUPT : err;
    return copy->chain == copy->backup->head.position.chain ? OK : ERR_CORRUPT;
}

static enum err read_segment(void *context, uint64_t offset, void *dst, size_t len)
{
    const struct segment_copy *copy = context;
    return store_log_read(copy->backup->engine->log, copy->id, offset, dst, len, VIEW_WAIT);
}

/* The seal of the segment that is cut, where a record may begin. */
static enum err write_seal(const struct segment_copy *copy, int fd, struct manifest_file *file)
{
    const struct log_position *position = &copy->backup->head.position;
    char header[SEGMENT_HEADER_SIZE], bytes[2 * RECORD_ALIGNMENT] = {0};
    struct segment_header segment;
    TRY(read_segment((void *)(uintptr_t)copy, 0, header, sizeof(header)));
    TRY(segment_header_decode(header, &segment));
    struct record seal = {
        .kind = RECORD_SEAL,
        .epoch = segment.epoch,
        .sequence = position->sequence + 1,
        .durable = position->sequence,
        .chain = position->chain,
        .salt = rand_u64(),
    };
    size_t padding = (size_t)(record_aligned(copy->end) - copy->end);
    record_encode(&seal, bytes + padding);
    size_t len = padding + RECORD_ALIGNMENT;
    file->crc32c = crc32c_update(file->crc32c, bytes, len);
    file->size = copy->end + len;
    return io_write(copy->backup->copier.io, fd, bytes, len, copy->end);
}

static enum err write_segment(struct segment_copy *copy, struct manifest_file *file)
{
    struct backup *backup = copy->backup;
    struct copy_source source = {read_segment, copy, copy->end};
    FD_SCOPED int fd = -1;
    TRY(tree_create_file(&backup->tree, file, &fd));
    file->size = copy->end;
    TRY(copier_copy(&backup->copier, &source, fd, &file->crc32c));
    if (copy->is_cut)
        TRY(write_seal(copy, fd, file));
    return copier_finish_file(&backup->copier, fd);
}

static enum err discard_file(struct backup *backup, const struct manifest_file *file)
{
    char path[MANIFEST_PATH_MAX];
    manifest_path(file, path);
    return io_unlink(backup->copier.io, backup->tree.fd, path);
}

static bool is_gone(const struct segment_copy *copy)
{
    struct log_figures figures;
    return !store_log_next_segment(copy->backup->engine->log, copy->id - 1, &figures) ||
           figures.id != copy->id || figures.state == SEGMENT_RETIRING;
}

static enum err copy_segment(struct segment_copy *copy)
{
    struct backup *backup = copy->backup;
    struct manifest_file file = {.kind = MANIFEST_SEGMENT, .id = copy->id};
    enum err err = verify_segment(copy);
    if (err == OK)
        err = write_segment(copy, &file);
    if (err == OK)
        return manifest_add(&backup->manifest, &file);
    /* One that has gone meanwhile was not needed at the position, else it had been kept. */
    if (is_gone(copy))
        return discard_file(backup, &file);
    if (err != ERR_CORRUPT)
        return err;
    tell_damage(backup, &file, "its records cannot be read to the end");
    return discard_file(backup, &file);
}

static bool is_same_position(const struct log_position *a, const struct log_position *b)
{
    return a->segment == b->segment && a->sequence == b->sequence && a->chain == b->chain;
}

/* Whether the base has the segment as this backup would: the same life of it, and as much of it. */
static enum err is_in_base(struct segment_copy *copy, bool *out_is)
{
    struct base *base = &copy->backup->base;
    const struct log_position *now = &copy->backup->head.position,
                              *then = &base->manifest.head.position;
    struct manifest_file wanted = {.kind = MANIFEST_SEGMENT, .id = copy->id};
    char ours[SEGMENT_HEADER_SIZE], theirs[SEGMENT_HEADER_SIZE];
    uint64_t size;
    FD_SCOPED int fd = -1;
    TRY(find_in_base(base, &wanted, out_is));
    bool is_as_much = is_same_position(now, then) || (then->segment != copy->id && !copy->is_cut);
    *out_is = *out_is && is_as_much && read_segment(copy, 0, ours, sizeof(ours)) == OK &&
              tree_open_file(&base->tree, &wanted, &fd, &size) == OK &&
              io_read(copy->backup->copier.io, fd, theirs, sizeof(theirs), 0) == OK &&
              memcmp(ours, theirs, sizeof(ours)) == 0;
    return OK;
}

static enum err take_segment(struct backup *backup, uint64_t id)
{
    struct segment_copy copy = {
        .backup = backup, .id = id, .is_cut = id == backup->head.position.segment};
    bool is_linked;
    TRY(is_in_base(&copy, &is_linked));
    if (is_linked && link_from_base(backup))
        return add_linked(backup);
    return copy_segment(&copy);
}

static enum err copy_log(struct backup *backup)
{
    struct log_figures figures = {0};
    backup->copier.task = "copying the log";
    while (store_log_next_segment(backup->engine->log, figures.id, &figures) &&
           figures.id <= backup->head.position.segment)
        if (figures.state != SEGMENT_RETIRING)
            TRY(take_segment(backup, figures.id));
    return OK;
}

/* ---- Extents ---- */

/* The checksum of the file, from those of its blocks. */
static uint32_t crc_of_extent(const struct extent_row *row)
{
    uint32_t crc = 0;
    uint64_t left = row->length;
    for (const char *at = row->block_crcs.ptr; left; at += sizeof(uint32_t)) {
        uint64_t len = left < row->block_size ? left : row->block_size;
        crc = crc32c_combine(crc, get_le32(at), len);
        left -= len;
    }
    return crc;
}

/* An extent on its way into the backup. */
struct extent_copy {
    struct extent_reader *reader;
    char *room; /* for whole blocks, of which COPY_BYTES are asked for at once */
    size_t room_bytes;
};

static enum err copy_blocks(struct backup *backup, struct extent_copy *copy,
                            struct manifest_file *file, int fd)
{
    for (uint64_t at = 0; at < file->size;) {
        str data;
        TRY(extent_read(copy->reader, at, copy->room, copy->room_bytes, VIEW_WAIT, &data));
        file->crc32c = crc32c_update(file->crc32c, data.ptr, data.len);
        TRY(io_write(backup->copier.io, fd, data.ptr, data.len, at));
        at += data.len;
        TRY(copier_advance(&backup->copier, data.len));
    }
    return copier_finish_file(&backup->copier, fd);
}

static enum err write_extent(struct backup *backup, const struct extent_row *row,
                             struct manifest_file *file)
{
    struct extent_copy copy = {.room_bytes = COPY_BYTES};
    FD_SCOPED int fd = -1;
    TRY(extent_open(&backup->engine->base, row, VIEW_WAIT, &copy.reader));
    enum err err = tree_create_file(&backup->tree, file, &fd);
    if (copy.room_bytes < 2 * row->block_size)
        copy.room_bytes = 2 * row->block_size;
    copy.room = mem_alloc_aligned(4096, copy.room_bytes);
    if (err == OK)
        err = copy_blocks(backup, &copy, file, fd);
    mem_free(copy.room);
    extent_close(copy.reader);
    return err;
}

static enum err copy_extent(struct backup *backup, const struct extent_row *row)
{
    struct manifest_file file = {.kind = MANIFEST_EXTENT, .id = row->id, .size = row->length};
    enum err err = write_extent(backup, row, &file);
    if (err == OK)
        return manifest_add(&backup->manifest, &file);
    if (err != ERR_CORRUPT && err != ERR_NOT_FOUND)
        return err;
    tell_damage(backup, &file, err == ERR_NOT_FOUND ? "it is missing" : "it is damaged");
    return discard_file(backup, &file);
}

static enum err take_extent(void *context, const void *any_row)
{
    struct backup *backup = context;
    const struct extent_row *row = any_row;
    struct manifest_file wanted = {.kind = MANIFEST_EXTENT, .id = row->id};
    bool is_linked;
    TRY(find_in_base(&backup->base, &wanted, &is_linked));
    is_linked = is_linked && extent_row_check(row) == OK && backup->base.file.size == row->length &&
                backup->base.file.crc32c == crc_of_extent(row);
    if (is_linked && link_from_base(backup))
        return add_linked(backup);
    return copy_extent(backup, row);
}

static enum err copy_extents(struct backup *backup)
{
    backup->copier.task = "copying large bodies";
    return local_each_row(backup->engine, backup->freeze.snapshot->view, TABLE_extent, take_extent,
                          backup);
}

/* ---- The target ---- */

static bool has_entry(const struct tree *tree, const char *name)
{
    struct stat status;
    return fstatat(tree->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether the folder is the other one or lies in it. */
static bool is_within(int fd, int other_fd)
{
    struct stat other, here, above;
    FD_SCOPED int at = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0 || fstat(other_fd, &other) < 0 || fstat(at, &here) < 0)
        return false;
    for (;;) {
        if (here.st_dev == other.st_dev && here.st_ino == other.st_ino)
            return true;
        int up = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (up < 0 || fstat(up, &above) < 0) {
            fd_close_scoped(&up);
            return false;
        }
        fd_close_scoped(&at);
        at = up;
        if (above.st_dev == here.st_dev && above.st_ino == here.st_ino)
            return false;
        here = above;
    }
}

/* What a backup left that did not end is removed: nobody can use it. */
static enum err make_target(struct backup *backup)
{
    const char *path = backup->options->target;
    struct tree *tree = &backup->tree;
    bool is_new = access(path, F_OK) != 0;
    enum err err = tree_make(tree, backup->engine->io, path, backup->fail);
    if (err == ERR_EXISTS && has_entry(tree, MARKER) && !has_entry(tree, "manifest")) {
        *backup->fail = (struct fail){0};
        err = tree_empty(tree);
    }
    TRY(err);
    if (is_within(tree->fd, backup->engine->dir.fd)) {
        if (is_new)
            (void)rmdir(path);
        return fail_set(backup->fail, ERR_BAD_INPUT, NULL,
                        "the folder \"%s\" lies in the data folder; a backup belongs elsewhere",
                        path);
    }
    backup->is_target_ours = true;
    FD_SCOPED int marker = -1;
    TRY(io_open(tree->io, tree->fd, MARKER, O_WRONLY | O_CREAT | O_EXCL, &marker));
    TRY(tree_add_folders(tree));
    return io_sync(tree->io, tree->fd);
}

/* ---- The whole ---- */

static enum err add_length(void *context, const void *any_row)
{
    const struct extent_row *row = any_row;
    *(uint64_t *)context += row->length;
    return OK;
}

/* What a backup without a base takes. */
static enum err measure(struct backup *backup)
{
    struct log_figures figures = {0};
    uint64_t sum = 0;
    TRY(local_each_row(backup->engine, backup->freeze.snapshot->view, TABLE_extent, add_length,
                       &sum));
    while (store_log_next_segment(backup->engine->log, figures.id, &figures) &&
           figures.id < backup->head.position.segment)
        sum += figures.size;
    backup->copier.total_bytes = sum + backup->head.position.offset;
    return OK;
}

static enum err check_space(struct backup *backup)
{
    struct io_space space;
    if (backup->options->base || io_space(backup->copier.io, backup->tree.fd, &space) != OK ||
        space.free_bytes >= backup->copier.total_bytes)
        return OK;
    return fail_set(backup->fail, ERR_NO_SPACE, NULL,
                    "the backup takes %" PRIu64 " bytes, and there is room for %" PRIu64
                    " where \"%s\" lies",
                    backup->copier.total_bytes, space.free_bytes, backup->options->target);
}

/* The time is read first: what was acknowledged before it is in the state. */
static enum err copy_frozen(struct backup *backup)
{
    backup->head.taken_ms = clock_real_ms();
    memcpy(backup->head.store_id, backup->engine->dir.store_id, STORE_ID_SIZE);
    local_freeze_begin(backup->engine, &backup->freeze);
    io_reached(backup->engine->io, "backup.frozen");
    enum err err =
        local_read_position(backup->engine, backup->freeze.snapshot->view, &backup->head.position);
    if (err == OK)
        err = measure(backup);
    if (err == OK)
        err = check_space(backup);
    if (err == OK)
        err = manifest_begin(&backup->manifest, backup->copier.io, backup->tree.fd, &backup->head);
    if (err == OK)
        err = copy_small_files(backup);
    if (err == OK)
        err = copy_log(backup);
    if (err == OK)
        err = copy_extents(backup);
    local_freeze_end(backup->engine, &backup->freeze);
    return err;
}

static enum err finish(struct backup *backup)
{
    const struct tree *tree = &backup->tree;
    if (backup->damaged_count)
        return fail_set(backup->fail, ERR_CORRUPT, NULL,
                        "%" PRIu64 " files of the store are damaged; no backup was made",
                        backup->damaged_count);
    TRY(tree_sync(tree));
    TRY(manifest_commit(&backup->manifest));
    backup->result.taken_ms = backup->head.taken_ms;
    backup->result.sequence = backup->head.position.sequence;
    backup->result.file_count = backup->manifest.sum.file_count;
    backup->result.byte_count = backup->manifest.sum.byte_count;
    /* It is a backup now; the marker means nothing any more. */
    (void)io_unlink(tree->io, tree->fd, MARKER);
    (void)io_sync(tree->io, tree->fd);
    return OK;
}

static enum err explain(struct backup *backup, enum err err)
{
    const char *target = backup->options->target;
    if (backup->is_store_full)
        return fail_set(backup->fail, err, NULL,
                        "the store's own disk ran full while things were kept for the backup; it "
                        "was given up");
    if (err == ERR_NO_SPACE)
        return fail_set(backup->fail, err, NULL,
                        "there is no room left where \"%s\" lies; what was written was removed",
                        target);
    if (err == ERR_CANCELLED)
        return fail_set(backup->fail, err, NULL, "the backup was cancelled");
    return fail_set(backup->fail, err, NULL, "the backup to \"%s\" failed: %s", target,
                    err_fact(err));
}

static enum err make_backup(struct backup *backup)
{
    TRY(open_base(backup));
    enum err err = make_target(backup);
    if (err == OK)
        err = copy_frozen(backup);
    if (err == OK)
        err = finish(backup);
    manifest_end(&backup->manifest);
    if (err != OK && backup->is_target_ours)
        tree_discard(&backup->tree, backup->options->target);
    return err;
}

enum err local_backup(struct engine *base, const struct local_backup_options *options,
                      struct local_backup_result *out_result, struct fail *fail)
{
    struct local_engine *engine = local_engine_of(base);
    struct fail unheard = {0};
    struct backup backup = {
        .engine = engine,
        .options = options,
        .fail = fail ? fail : &unheard,
        .tree.fd = -1,
        .copier = {.io = engine->io,
                   .rate_bytes = options->rate_bytes,
                   .watch = watch,
                   .progress = options->progress ? report : NULL},
    };
    backup.copier.context = &backup;
    copier_init(&backup.copier);
    enum err err = make_backup(&backup);
    copier_release(&backup.copier);
    manifest_close(&backup.base.manifest);
    tree_close(&backup.base.tree);
    tree_close(&backup.tree);
    if (err != OK)
        return explain(&backup, err);
    *out_result = backup.result;
    return OK;
}
