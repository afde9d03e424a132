#include "store/local/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc.h"
#include "base/encode.h"
#include "base/fd.h"
#include "base/rand.h"
#include "store/local/extent_limit.h"
#include "store/local/segment.h"

enum {
    FORMAT_BYTES_MAX = 4096,
    FORMAT_VERSION = 1,
    LOCK_TEXT_MAX = 32,
};
static const uint64_t known_incompatible = 0;

/* ---- The format file ---- */

void datadir_format_write(const struct datadir_format *format, struct buf *out)
{
    char id[2 * STORE_ID_SIZE];
    hex_encode(format->store_id, STORE_ID_SIZE, id);
    size_t start = out->len;
    buf_printf(out, "pail data folder\nversion %d\nstore %.*s\n", FORMAT_VERSION, (int)sizeof(id),
               id);
    buf_printf(out, "compatible %" PRIx64 "\nincompatible %" PRIx64 "\n", format->compatible,
               format->incompatible);
    if (buf_err(out) == OK)
        buf_printf(out, "check %08" PRIx32 "\n",
                   crc32c_update(0, out->ptr + start, out->len - start));
}

/* The text behind "<name> " on the next line. */
static enum err take_line(str *text, const char *name, str *out_value)
{
    str line, rest, front = str_from(name);
    if (!str_cut(*text, '\n', &line, &rest) || !str_has_prefix(line, front) ||
        line.len <= front.len || line.ptr[front.len] != ' ')
        return ERR_CORRUPT;
    *text = rest;
    *out_value = str_skip(line, front.len + 1);
    return OK;
}

static enum err take_hex_line(str *text, const char *name, uint64_t *out_number)
{
    str digits;
    TRY(take_line(text, name, &digits));
    if (digits.len == 0 || digits.len > 16)
        return ERR_CORRUPT;
    char padded[17] = "0000000000000000";
    uint8_t bytes[8];
    memcpy(padded + 16 - digits.len, digits.ptr, digits.len);
    if (hex_decode(str_of(padded, 16), bytes) != OK)
        return ERR_CORRUPT;
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof(bytes); i++)
        number = number << 8 | bytes[i];
    *out_number = number;
    return OK;
}

static enum err parse_lines(str text, struct datadir_format *format)
{
    str rest = text, id;
    uint64_t check;
    TRY(take_line(&rest, "store", &id));
    if (id.len != (size_t)2 * STORE_ID_SIZE || hex_decode(id, format->store_id) != OK)
        return ERR_CORRUPT;
    TRY(take_hex_line(&rest, "compatible", &format->compatible));
    TRY(take_hex_line(&rest, "incompatible", &format->incompatible));
    TRY(take_hex_line(&rest, "check", &check));
    return rest.len == 0 ? OK : ERR_CORRUPT;
}

/* Everything above the last line is checked. */
static bool is_check_right(str text)
{
    ptrdiff_t at = str_find(text, STR("\ncheck "));
    uint64_t check;
    if (at < 0)
        return false;
    str line = str_skip(text, (size_t)at + 1);
    return take_hex_line(&line, "check", &check) == OK &&
           check == crc32c_update(0, text.ptr, (size_t)at + 1);
}

enum err datadir_format_parse(str text, struct datadir_format *out_format, struct fail *fail)
{
    struct datadir_format format = {0};
    str rest, title, version;
    /* The check comes first, whatever the version: a bit that turned in its digit is damage, which can be mended. */
    if (!is_check_right(text) || !str_cut(text, '\n', &title, &rest) ||
        !str_eq(title, STR("pail data folder")) || take_line(&rest, "version", &version) != OK)
        return fail_set(fail, ERR_CORRUPT, NULL, "the file \"format\" is damaged");
    if (!str_eq(version, STR("1")))
        return fail_set(fail, ERR_BAD_INPUT, NULL,
                        "the file \"format\" says version %.*s; this program knows version 1",
                        STR_ARG(version));
    if (parse_lines(rest, &format) != OK)
        return fail_set(fail, ERR_CORRUPT, NULL, "the file \"format\" is damaged");
    if (format.incompatible & ~known_incompatible)
        return fail_set(fail, ERR_BAD_INPUT, NULL,
                        "the data folder uses features that this program does not know (%" PRIx64
                        ")",
                        format.incompatible & ~known_incompatible);
    *out_format = format;
    return OK;
}

/* ---- Folders ---- */

static enum err refuse_any(void *context, int dir_fd, const char *name)
{
    (void)context, (void)dir_fd, (void)name;
    return ERR_EXISTS;
}

/* What a first start may leave when it is cut short is fine; anything else makes it a folder of somebody else. */
static enum err refuse_foreign(void *context, int dir_fd, const char *name)
{
    (void)context;
    static const char *const folders[] = {"log", "index", "extents", "tmp"};
    if (strcmp(name, "lock") == 0 || strncmp(name, ".new-", 5) == 0)
        return OK;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (strcmp(name, folders[i]) != 0)
            continue;
        FD_SCOPED int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? ERR_EXISTS : io_each_entry(fd, refuse_any, NULL);
    }
    return ERR_EXISTS;
}

static enum err check_is_ours(const struct datadir *dir, struct fail *fail)
{
    if (faccessat(dir->fd, "format", F_OK, 0) == 0)
        return OK;
    enum err err = io_each_entry(dir->fd, refuse_foreign, NULL);
    if (err == ERR_EXISTS)
        return fail_set(fail, ERR_BAD_INPUT, NULL, "it is not empty and has no file \"format\"");
    return err;
}

static enum err write_format(struct datadir *dir, struct fail *fail)
{
    TRY(check_is_ours(dir, fail));
    struct datadir_format format = {0};
    rand_bytes(format.store_id, STORE_ID_SIZE);
    BUF_SCOPED struct buf text;
    buf_init(&text, FORMAT_BYTES_MAX);
    datadir_format_write(&format, &text);
    TRY(buf_err(&text));
    TRY(file_replace(dir->fd, "format", buf_str(&text), 0600));
    memcpy(dir->store_id, format.store_id, STORE_ID_SIZE);
    return OK;
}

static enum err read_format(struct datadir *dir, struct fail *fail)
{
    BUF_SCOPED struct buf text;
    buf_init(&text, FORMAT_BYTES_MAX);
    enum err err = file_read(dir->fd, "format", &text);
    if (err == ERR_TOO_LARGE)
        return fail_set(fail, ERR_CORRUPT, NULL, "the file \"format\" is damaged");
    TRY(err);
    struct datadir_format format;
    TRY(datadir_format_parse(buf_str(&text), &format, fail));
    memcpy(dir->store_id, format.store_id, STORE_ID_SIZE);
    return OK;
}

static enum err read_or_write_format(struct datadir *dir, struct fail *fail)
{
    enum err err = read_format(dir, fail);
    return err == ERR_NOT_FOUND ? write_format(dir, fail) : err;
}

static enum err busy(const struct datadir *dir, const char *path, struct fail *fail)
{
    char text[LOCK_TEXT_MAX];
    ssize_t len = pread(dir->lock_fd, text, sizeof(text), 0);
    str owner = str_trim(str_of(text, len > 0 ? (size_t)len : 0));
    (void)str_cut(owner, '\n', &owner, &(str){0});
    return fail_set(fail, ERR_BUSY, NULL, "the data folder \"%s\" is in use by process %.*s", path,
                    STR_ARG(owner));
}

static enum err take_lock(struct datadir *dir, const char *path, struct fail *fail)
{
    char text[LOCK_TEXT_MAX];
    dir->lock_fd = openat(dir->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (dir->lock_fd < 0)
        return err_from_errno(errno);
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? busy(dir, path, fail) : err_from_errno(errno);
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(dir->lock_fd, 0) < 0)
        return err_from_errno(errno);
    return fd_pwrite_full(dir->lock_fd, text, (size_t)len, 0);
}

static enum err open_folder(const struct datadir *dir, const struct io *io, const char *name,
                            int *out_fd)
{
    TRY(io_mkdir(io, dir->fd, name));
    return io_open(io, dir->fd, name, O_RDONLY | O_DIRECTORY, out_fd);
}

static enum err unlink_entry(void *context, int dir_fd, const char *name)
{
    return io_unlink(context, dir_fd, name);
}

/* What a crash left of a file that was being replaced (file_replace). */
static enum err unlink_unfinished(void *context, int dir_fd, const char *name)
{
    return strncmp(name, ".new-", 5) == 0 ? io_unlink(context, dir_fd, name) : OK;
}

static enum err remove_unfinished(struct datadir *dir, const struct io *io)
{
    void *context = (void *)(uintptr_t)io;
    TRY(io_each_entry(dir->fd, unlink_unfinished, context));
    TRY(io_each_entry(dir->extents_fd, unlink_unfinished, context));
    return io_each_entry(dir->tmp_fd, unlink_entry, context);
}

/* The entry of the folder itself. */
static enum err sync_parent(const struct datadir *dir)
{
    FD_SCOPED int parent = openat(dir->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return parent < 0 ? OK : dir_sync(parent);
}

static enum err fill_folder(struct datadir *dir, const char *path, const struct io *io,
                            struct fail *fail)
{
    /* Before the lock, so that nothing is left in a folder of somebody else. */
    TRY(check_is_ours(dir, fail));
    TRY(take_lock(dir, path, fail));
    TRY(read_or_write_format(dir, fail));
    TRY(open_folder(dir, io, "log", &dir->log_fd));
    TRY(open_folder(dir, io, "extents", &dir->extents_fd));
    TRY(open_folder(dir, io, "tmp", &dir->tmp_fd));
    TRY(dir_sync(dir->fd));
    return remove_unfinished(dir, io);
}

static char *join_path(const char *path, const char *name)
{
    size_t len = strlen(path) + strlen(name) + 2;
    char *joined = mem_alloc(len);
    (void)snprintf(joined, len, "%s/%s", path, name);
    return joined;
}

static enum err open_or_make(const char *path, struct datadir *dir, struct fail *fail)
{
    bool is_made = mkdir(path, 0700) == 0;
    if (!is_made && errno != EEXIST)
        return fail_set(fail, err_from_errno(errno), NULL,
                        "the data folder \"%s\" cannot be made: %s", path, strerror(errno));
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0)
        return fail_set(fail, err_from_errno(errno), NULL,
                        "the data folder \"%s\" cannot be opened: %s", path, strerror(errno));
    enum err err = sync_parent(dir);
    /* A folder that was found may have been made by a process that crashed before this sync, so it is tried; but that can
     * be refused where somebody else made it, below a folder that is read-only. */
    return is_made ? err : OK;
}

enum err datadir_open(const char *path, const struct io *io, struct datadir *out_dir,
                      struct fail *fail)
{
    struct datadir dir = {-1, -1, -1, -1, -1, NULL, NULL, {0}};
    enum err err = open_or_make(path, &dir, fail);
    struct fail why = {0};
    if (err == OK)
        err = fill_folder(&dir, path, io, &why);
    if (err != OK) {
        datadir_close(&dir);
        if (err == ERR_BUSY)
            return fail_set(fail, err, NULL, "%s", why.detail);
        return fail_set(fail, err, NULL, "the data folder \"%s\" cannot be used: %s", path,
                        why.detail[0] ? why.detail : err_fact(err));
    }
    dir.index_path = join_path(path, "index");
    dir.new_index_path = join_path(path, "index.new");
    *out_dir = dir;
    return OK;
}

static enum err open_backup_folders(struct datadir *dir, const struct io *io, const char *path,
                                    const char *scratch, struct fail *fail)
{
    const int flags = O_RDONLY | O_DIRECTORY;
    TRY(io_open(io, AT_FDCWD, path, flags, &dir->fd));
    TRY(read_format(dir, fail));
    TRY(io_open(io, dir->fd, "log", flags, &dir->log_fd));
    TRY(io_open(io, dir->fd, "extents", flags, &dir->extents_fd));
    return io_open(io, AT_FDCWD, scratch, flags, &dir->tmp_fd);
}

enum err datadir_open_backup(const char *path, const char *scratch, const struct io *io,
                             struct datadir *out_dir, struct fail *fail)
{
    struct datadir dir = {-1, -1, -1, -1, -1, NULL, NULL, {0}};
    enum err err = open_backup_folders(&dir, io, path, scratch, fail);
    if (err != OK) {
        datadir_close(&dir);
        return fail_set(fail, err, NULL, "the backup \"%s\" cannot be opened: %s", path,
                        err_fact(err));
    }
    dir.index_path = join_path(scratch, "index");
    dir.new_index_path = join_path(scratch, "index.new");
    *out_dir = dir;
    return OK;
}

void datadir_close(struct datadir *dir)
{
    if (!dir->index_path && dir->fd == 0)
        return;
    fd_close_scoped(&dir->log_fd);
    fd_close_scoped(&dir->extents_fd);
    fd_close_scoped(&dir->tmp_fd);
    /* The lock goes last. */
    fd_close_scoped(&dir->lock_fd);
    fd_close_scoped(&dir->fd);
    mem_free(dir->index_path);
    mem_free(dir->new_index_path);
    *dir = (struct datadir){-1, -1, -1, -1, -1, NULL, NULL, {0}};
}

/* ---- Mending ---- */

struct mend {
    int log_fd;
    const struct io *io;
    uint8_t store_id[STORE_ID_SIZE];
    unsigned header_count;
    bool is_mixed;
};

/* All segments of a store carry its number. */
static enum err read_store_id(void *context, int dir_fd, const char *name)
{
    struct mend *mend = context;
    uint64_t id;
    char bytes[SEGMENT_HEADER_SIZE];
    struct segment_header header;
    FD_SCOPED int fd = -1;
    if (!segment_name_parse(name, ".log", &id) ||
        io_open(mend->io, dir_fd, name, O_RDONLY, &fd) != OK ||
        fd_pread_full(fd, bytes, sizeof(bytes), 0) != OK ||
        segment_header_decode(bytes, &header) != OK || header.id != id)
        return OK;
    if (mend->header_count++ == 0)
        memcpy(mend->store_id, header.store_id, STORE_ID_SIZE);
    mend->is_mixed |= memcmp(mend->store_id, header.store_id, STORE_ID_SIZE) != 0;
    return OK;
}

static enum err replace_format(struct datadir *dir, const uint8_t store_id[STORE_ID_SIZE])
{
    struct datadir_format format = {0};
    memcpy(format.store_id, store_id, STORE_ID_SIZE);
    BUF_SCOPED struct buf text;
    buf_init(&text, FORMAT_BYTES_MAX);
    datadir_format_write(&format, &text);
    TRY(buf_err(&text));
    return file_replace(dir->fd, "format", buf_str(&text), 0600);
}

static enum err mend_format(struct datadir *dir, const struct io *io, bool *out_mended,
                            struct fail *fail)
{
    struct datadir_format format;
    struct mend mend = {.io = io};
    FD_SCOPED int log_fd = -1;
    BUF_SCOPED struct buf text;
    buf_init(&text, FORMAT_BYTES_MAX);
    enum err err = file_read(dir->fd, "format", &text);
    if (err == OK)
        err = datadir_format_parse(buf_str(&text), &format, NULL);
    *out_mended = err == ERR_CORRUPT || err == ERR_NOT_FOUND || err == ERR_TOO_LARGE;
    if (!*out_mended)
        return err == ERR_BAD_INPUT ? OK : err; /* told when it is opened */
    TRY(io_open(io, dir->fd, "log", O_RDONLY | O_DIRECTORY, &log_fd));
    TRY(io_each_entry(log_fd, read_store_id, &mend));
    if (mend.header_count == 0 || mend.is_mixed)
        return fail_set(fail, ERR_CORRUPT, NULL,
                        "the file \"format\" is damaged, and the log does not tell what it held");
    return replace_format(dir, mend.store_id);
}

static enum err mend_limit(const struct datadir *dir, const struct io *io, bool *out_mended)
{
    FD_SCOPED int fd = -1;
    uint64_t ms;
    *out_mended = false;
    enum err err = io_open(io, dir->fd, "extents", O_RDONLY | O_DIRECTORY, &fd);
    if (err != OK || extent_limit_read(fd, &ms) != ERR_CORRUPT)
        return err == ERR_NOT_FOUND ? OK : err;
    *out_mended = true;
    TRY(io_unlink(io, fd, "limit"));
    return dir_sync(fd);
}

static enum err mend_locked(struct datadir *dir, const char *path, const struct io *io,
                            bool out_mended[2], struct fail *fail)
{
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0)
        return err_from_errno(errno);
    TRY(take_lock(dir, path, fail));
    TRY(mend_format(dir, io, &out_mended[0], fail));
    return mend_limit(dir, io, &out_mended[1]);
}

enum err datadir_mend(const char *path, const struct io *io,
                      void (*mended)(void *context, const char *file, const char *what),
                      void *context, struct fail *fail)
{
    struct datadir dir = {-1, -1, -1, -1, -1, NULL, NULL, {0}};
    bool is_mended[2] = {false};
    enum err err = mend_locked(&dir, path, io, is_mended, fail);
    datadir_close(&dir);
    if (err != OK)
        return fail_set(fail, err, NULL, "the files of \"%s\" cannot be mended: %s", path,
                        err_fact(err));
    if (is_mended[0])
        mended(context, "format", "made again from what the log says of the store");
    if (is_mended[1])
        mended(context, "extents/limit", "removed; the next large body makes it again");
    return OK;
}
