/* Restoring: files are copied and compared with the manifest, the index is made from the log, everything is read once more, and only then
 * the folder becomes one that a server would open. */
#include "store/local/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/local/copier.h"
#include "store/local/local_int.h"
#include "store/local/manifest.h"
#include "store/local/tree.h"

#define GROWING "restoring"

struct restore {
    const struct local_restore_options *options;
    struct fail *fail;
    struct tree from;
    struct manifest_reader manifest;
    struct tree outer; /* the new data folder, or the scratch folder */
    struct tree to;    /* where the new store grows */
    const char *outer_path;
    char *scratch_path, *to_path; /* owned */
    struct copier copier;
    uint64_t damaged_count;
    struct local_restored result;
};

/* ---- Going on, and telling ---- */

static enum err watch(void *context)
{
    const struct restore *restore = context;
    const bool *stop = restore->options->stop;
    return stop && __atomic_load_n(stop, __ATOMIC_RELAXED) ? ERR_CANCELLED : OK;
}

static void report(void *context, const struct local_progress *progress)
{
    const struct restore *restore = context;
    if (restore->options->progress)
        restore->options->progress(restore->options->context, progress);
}

static void found(void *context, const struct local_finding *finding)
{
    struct restore *restore = context;
    restore->damaged_count += finding->err != OK;
    if (restore->options->found)
        restore->options->found(restore->options->context, finding);
}

static void tell_damage(struct restore *restore, const struct manifest_file *file,
                        const char *format, ...) __attribute__((format(printf, 3, 4)));

static void tell_damage(struct restore *restore, const struct manifest_file *file,
                        const char *format, ...)
{
    struct local_finding finding = {.err = ERR_CORRUPT};
    va_list args;
    manifest_path(file, finding.where);
    va_start(args, format);
    (void)vsnprintf(finding.what, sizeof(finding.what), format, args);
    va_end(args);
    found(restore, &finding);
}

/* ---- One file ---- */

struct backup_file {
    const struct io *io;
    int fd;
    enum err err; /* of reading, which says something about the backup, other than one of writing */
};

static enum err read_file(void *context, uint64_t offset, void *dst, size_t len)
{
    struct backup_file *file = context;
    file->err = io_read(file->io, file->fd, dst, len, offset);
    return file->err;
}

static enum err copy_content(struct restore *restore, const struct manifest_file *file,
                             struct backup_file *content, uint32_t *out_crc)
{
    struct copy_source source = {read_file, content, file->size};
    FD_SCOPED int to = -1;
    *out_crc = 0;
    TRY(tree_create_file(&restore->to, file, &to));
    TRY(copier_copy(&restore->copier, &source, to, out_crc));
    return copier_finish_file(&restore->copier, to);
}

static enum err read_content(struct restore *restore, const struct manifest_file *file,
                             struct backup_file *content, uint32_t *out_crc)
{
    enum err err = copier_read_crc(&restore->copier, content->fd, file->size, out_crc);
    if (err == ERR_IO || err == ERR_CORRUPT)
        content->err = err;
    return err;
}

/* OK, with nothing opened, when the file is damaged already by its looks. */
static enum err open_file(struct restore *restore, const struct manifest_file *file, int *out_fd)
{
    uint64_t size;
    enum err err = tree_open_file(&restore->from, file, out_fd, &size);
    if (err == OK && size == file->size)
        return OK;
    if (err == OK) {
        tell_damage(restore, file, "it has %" PRIu64 " bytes, the manifest says %" PRIu64, size,
                    file->size);
        fd_close_scoped(out_fd);
        *out_fd = -1;
        return OK;
    }
    if (err == ERR_UNAVAILABLE || err == ERR_NO_MEMORY)
        return err;
    tell_damage(restore, file, err == ERR_NOT_FOUND ? "it is missing" : "it cannot be opened");
    return OK;
}

/* What is done with the content of a file. */
typedef enum err (*content_fn)(struct restore *restore, const struct manifest_file *file,
                               struct backup_file *content, uint32_t *out_crc);

static enum err take_file(struct restore *restore, const struct manifest_file *file,
                          content_fn take)
{
    FD_SCOPED int fd = -1;
    uint32_t crc;
    TRY(open_file(restore, file, &fd));
    if (fd < 0 || !take)
        return OK;
    struct backup_file content = {.io = restore->copier.io, .fd = fd};
    enum err err = take(restore, file, &content, &crc);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (content.err != OK) {
        tell_damage(restore, file, "it cannot be read: %s", err_fact(content.err));
        return OK;
    }
    TRY(err);
    if (crc != file->crc32c)
        tell_damage(restore, file, "its checksum is %08" PRIx32 ", the manifest says %08" PRIx32,
                    crc, file->crc32c);
    return OK;
}

/* ---- All files ---- */

/* When it is known that there is damage, the rest is only read, to name all of it. */
static enum err copy_files(struct restore *restore)
{
    struct manifest_file file;
    enum err err;
    restore->copier.task = "copying the backup";
    while ((err = manifest_next(&restore->manifest, &file)) == OK)
        TRY(take_file(restore, &file, restore->damaged_count ? read_content : copy_content));
    return err == ERR_NOT_FOUND ? OK : err;
}

/* Reads small files and segments. The content of extents follows from the rows, block by block, and is read with them, if the log is whole
 * and gives them; else it is read now. */
static enum err read_files(struct restore *restore, bool with_extents)
{
    struct manifest_file file;
    enum err err;
    restore->copier.task = "reading the backup";
    manifest_rewind(&restore->manifest);
    while ((err = manifest_next(&restore->manifest, &file)) == OK)
        if ((file.kind == MANIFEST_EXTENT) == with_extents)
            TRY(take_file(restore, &file, read_content));
        else if (!with_extents)
            TRY(take_file(restore, &file, NULL));
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err read_in_place(struct restore *restore)
{
    TRY(read_files(restore, false));
    return restore->damaged_count ? read_files(restore, true) : OK;
}

static enum err damage(const struct restore *restore)
{
    return restore->damaged_count ? fail_set(restore->fail, ERR_CORRUPT, NULL,
                                             "the backup \"%s\" is damaged in %" PRIu64 " places",
                                             restore->options->from, restore->damaged_count)
                                  : OK;
}

/* ---- The proof ---- */

/* A backup ends its log with a seal, so that nothing can be missing behind what is there. */
static bool is_sealed(struct local_engine *engine, uint64_t segment)
{
    struct log_figures figures;
    return segment == 0 || (store_log_next_segment(engine->log, segment - 1, &figures) &&
                            figures.id == segment && figures.state == SEGMENT_SEALED);
}

static enum err check_position(struct restore *restore, struct local_engine *engine)
{
    struct log_position end;
    const struct log_position *expected = &restore->manifest.head.position;
    TRY(local_read_position(engine, NULL, &end));
    bool is_right =
        end.segment == expected->segment && end.sequence == expected->sequence &&
        end.chain == expected->chain &&
        memcmp(engine->dir.store_id, restore->manifest.head.store_id, STORE_ID_SIZE) == 0;
    if (!is_right)
        return fail_set(restore->fail, ERR_CORRUPT, NULL,
                        "the log ends at record %" PRIu64 ", the manifest says %" PRIu64,
                        end.sequence, expected->sequence);
    if (!is_sealed(engine, expected->segment))
        return fail_set(restore->fail, ERR_CORRUPT, NULL, "the log has no seal at its end");
    return OK;
}

static enum err count_object(void *context, const void *any_row)
{
    struct local_restored *result = context;
    const struct object_row *row = any_row;
    result->object_count++;
    result->object_bytes += row->size;
    return OK;
}

static enum err count_version(void *context, const void *any_row)
{
    struct local_restored *result = context;
    const struct version_row *row = any_row;
    result->version_count++;
    result->version_bytes += row->size;
    return OK;
}

static enum err count_extent(void *context, const void *any_row)
{
    struct local_restored *result = context;
    const struct extent_row *row = any_row;
    result->extent_count++;
    result->extent_bytes += row->length;
    return OK;
}

static enum err prove_engine(struct restore *restore, struct local_engine *engine)
{
    struct local_scrub scrub = {
        .found = found, .progress = report, .context = restore, .stop = restore->options->stop};
    TRY(check_position(restore, engine));
    TRY(local_check_parts(engine, &scrub));
    TRY(damage(restore));
    TRY(local_each_row(engine, NULL, TABLE_object, count_object, &restore->result));
    TRY(local_each_row(engine, NULL, TABLE_version, count_version, &restore->result));
    TRY(local_each_row(engine, NULL, TABLE_extent, count_extent, &restore->result));
    return index_flush(engine->index);
}

static enum err prove(struct restore *restore, const struct local_options *store,
                      const char *scratch)
{
    struct local_opening opening = {.progress = report, .context = restore, .scratch = scratch};
    struct local_engine *engine;
    TRY(local_open_parts(store, &opening, &engine, restore->fail));
    enum err err = prove_engine(restore, engine);
    local_close_parts(engine);
    return err;
}

/* ---- Into a data folder ---- */

static char *join(const char *path, const char *name)
{
    size_t len = strlen(path) + strlen(name) + 2;
    char *joined = mem_alloc(len);
    (void)snprintf(joined, len, "%s/%s", path, name);
    return joined;
}

static enum err move_up(const struct restore *restore, const char *name)
{
    enum err err = io_rename_new(restore->copier.io, restore->to.fd, name, restore->outer.fd, name);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* From now on it is a store: with the file "format", last of all. */
static enum err publish(const struct restore *restore)
{
    static const char *const names[] = {"log", "index",      "extents",
                                        "tmp", "master-key", "root-keys"};
    const struct io *io = restore->copier.io;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        TRY(move_up(restore, names[i]));
    TRY(io_sync(io, restore->outer.fd));
    io_reached(io, "restore.moved");
    TRY(move_up(restore, "format"));
    TRY(io_unlink(io, restore->to.fd, "lock"));
    if (unlinkat(restore->outer.fd, GROWING, AT_REMOVEDIR) < 0)
        return err_from_errno(errno);
    return io_sync(io, restore->outer.fd);
}

static enum err make_growing(struct restore *restore)
{
    restore->to_path = join(restore->outer_path, GROWING);
    TRY(tree_make(&restore->to, restore->copier.io, restore->to_path, restore->fail));
    return tree_add_folders(&restore->to);
}

static enum err grow_store(struct restore *restore)
{
    TRY(make_growing(restore));
    struct local_options store = {.data_dir = restore->to_path};
    TRY(copy_files(restore));
    TRY(damage(restore));
    TRY(tree_sync(&restore->to));
    TRY(prove(restore, &store, NULL));
    return publish(restore);
}

static enum err restore_to_folder(struct restore *restore)
{
    restore->outer_path = restore->options->data_dir;
    enum err err =
        tree_make(&restore->outer, restore->copier.io, restore->outer_path, restore->fail);
    if (err != OK)
        return err;
    err = grow_store(restore);
    if (err != OK)
        tree_discard(&restore->outer, restore->outer_path);
    return err;
}

/* ---- Where it lies ---- */

static enum err prove_in_place(struct restore *restore)
{
    struct local_options store = {.data_dir = restore->options->from, .io = &io_read_only};
    TRY(read_in_place(restore));
    TRY(damage(restore));
    restore->scratch_path = join(restore->options->scratch, "pail-restore-XXXXXX");
    restore->outer_path = restore->scratch_path;
    if (!mkdtemp(restore->scratch_path))
        return fail_set(restore->fail, err_from_errno(errno), NULL,
                        "no folder can be made in \"%s\": %s", restore->options->scratch,
                        strerror(errno));
    enum err err =
        tree_open(&restore->outer, restore->copier.io, restore->outer_path, restore->fail);
    restore->outer.is_made = true;
    if (err == OK)
        err = prove(restore, &store, restore->outer_path);
    tree_discard(&restore->outer, restore->outer_path);
    return err;
}

/* ---- The whole ---- */

static enum err explain(const struct restore *restore, enum err err)
{
    const char *path =
        restore->options->data_dir ? restore->options->data_dir : restore->options->scratch;
    if (err == ERR_NO_SPACE)
        return fail_set(restore->fail, err, NULL, "there is no room left where \"%s\" lies", path);
    if (err == ERR_CANCELLED)
        return fail_set(restore->fail, err, NULL, "it was cancelled");
    return fail_set(restore->fail, err, NULL, "the backup \"%s\" cannot be restored: %s",
                    restore->options->from, err_fact(err));
}

static enum err open_backup(struct restore *restore)
{
    struct fail why = {0};
    enum err err = tree_open(&restore->from, restore->copier.io, restore->options->from, &why);
    if (err == OK)
        err = manifest_open(&restore->manifest, restore->copier.io, restore->from.fd, &why);
    if (err != OK)
        return fail_set(restore->fail, err, NULL, "the backup \"%s\" cannot be used: %s",
                        restore->options->from, why.detail);
    const struct manifest_reader *manifest = &restore->manifest;
    restore->copier.total_bytes = manifest->sum.byte_count;
    restore->result = (struct local_restored){
        .taken_ms = manifest->head.taken_ms,
        .sequence = manifest->head.position.sequence,
        .file_count = manifest->sum.file_count,
        .byte_count = manifest->sum.byte_count,
    };
    return OK;
}

static void release(struct restore *restore)
{
    copier_release(&restore->copier);
    manifest_close(&restore->manifest);
    tree_close(&restore->from);
    tree_close(&restore->to);
    tree_close(&restore->outer);
    mem_free(restore->to_path);
    mem_free(restore->scratch_path);
}

enum err local_restore(const struct local_restore_options *options,
                       struct local_restored *out_restored, struct fail *fail)
{
    struct fail unheard = {0};
    struct restore restore = {
        .options = options,
        .fail = fail ? fail : &unheard,
        .copier = {.io = &io_system, .watch = watch, .progress = report},
    };
    restore.copier.context = &restore;
    copier_init(&restore.copier);
    enum err err = open_backup(&restore);
    if (err == OK)
        err = options->data_dir ? restore_to_folder(&restore) : prove_in_place(&restore);
    if (err != OK)
        err = explain(&restore, err);
    else
        *out_restored = restore.result;
    release(&restore);
    return err;
}
