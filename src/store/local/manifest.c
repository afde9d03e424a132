#include "store/local/manifest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crc.h"
#include "base/encode.h"
#include "base/fd.h"

#define FINAL_NAME "manifest"
#define UNFINISHED_NAME "manifest.new"

enum {
    WINDOW_BYTES = 64 << 10,
    LINE_MAX_BYTES = 256,
    ID_DIGITS = 16,
};

const char *const manifest_names[MANIFEST_NAME_COUNT] = {"format", "master-key", "root-keys"};

/* ---- Paths ---- */

void manifest_path(const struct manifest_file *file, char dst[MANIFEST_PATH_MAX])
{
    switch (file->kind) {
    case MANIFEST_NAMED:
        (void)snprintf(dst, MANIFEST_PATH_MAX, "%s", manifest_names[file->id]);
        break;
    case MANIFEST_LIMIT:
        (void)snprintf(dst, MANIFEST_PATH_MAX, "extents/limit");
        break;
    case MANIFEST_SEGMENT:
        (void)snprintf(dst, MANIFEST_PATH_MAX, "log/%016" PRIx64 ".log", file->id);
        break;
    case MANIFEST_EXTENT:
        (void)snprintf(dst, MANIFEST_PATH_MAX, "extents/%02x/%016" PRIx64,
                       (unsigned)(file->id & 0xFF), file->id);
        break;
    }
}

int manifest_compare(const struct manifest_file *a, const struct manifest_file *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static enum err parse_id(str text, uint64_t *out_id)
{
    uint8_t bytes[ID_DIGITS / 2];
    if (text.len != ID_DIGITS || hex_decode(text, bytes) != OK)
        return ERR_CORRUPT;
    uint64_t id = 0;
    for (size_t i = 0; i < sizeof(bytes); i++)
        id = id << 8 | bytes[i];
    *out_id = id;
    return OK;
}

/* The kind and number of a path that may be one; the caller compares the whole. */
static enum err guess_path(str path, struct manifest_file *out_file)
{
    for (size_t i = 0; i < MANIFEST_NAME_COUNT; i++) {
        if (str_eq(path, str_from(manifest_names[i]))) {
            *out_file = (struct manifest_file){.kind = MANIFEST_NAMED, .id = i};
            return OK;
        }
    }
    *out_file = (struct manifest_file){.kind = MANIFEST_LIMIT};
    if (str_eq(path, STR("extents/limit")))
        return OK;
    bool is_segment = str_has_suffix(path, STR(".log"));
    size_t tail = is_segment ? strlen(".log") : 0;
    if (path.len < ID_DIGITS + tail)
        return ERR_CORRUPT;
    out_file->kind = is_segment ? MANIFEST_SEGMENT : MANIFEST_EXTENT;
    return parse_id(str_slice(path, path.len - tail - ID_DIGITS, path.len - tail), &out_file->id);
}

/* Only a path that manifest_path would make is one: nothing leads out of the folder. */
static enum err parse_path(str path, struct manifest_file *file)
{
    struct manifest_file guess;
    char again[MANIFEST_PATH_MAX];
    TRY(guess_path(path, &guess));
    manifest_path(&guess, again);
    if (!str_eq(path, str_from(again)))
        return ERR_CORRUPT;
    file->kind = guess.kind;
    file->id = guess.id;
    return OK;
}

/* ---- Writing ---- */

static enum err flush(struct manifest_writer *writer)
{
    TRY(buf_err(&writer->text));
    TRY(io_write(writer->io, writer->fd, writer->text.ptr, writer->text.len, writer->offset));
    writer->check = crc32c_update(writer->check, writer->text.ptr, writer->text.len);
    writer->offset += writer->text.len;
    buf_clear(&writer->text);
    return OK;
}

enum err manifest_begin(struct manifest_writer *writer, const struct io *io, int dir_fd,
                        const struct manifest_head *head)
{
    char id[2 * STORE_ID_SIZE];
    *writer = (struct manifest_writer){.io = io, .dir_fd = dir_fd, .fd = -1};
    buf_init(&writer->text, 2 * WINDOW_BYTES);
    TRY(io_open(io, dir_fd, UNFINISHED_NAME, O_WRONLY | O_CREAT | O_TRUNC, &writer->fd));
    hex_encode(head->store_id, STORE_ID_SIZE, id);
    buf_printf(&writer->text, "pail backup\nversion 1\nstore %.*s\ntaken %" PRId64 "\n",
               (int)sizeof(id), id, head->taken_ms);
    buf_printf(&writer->text, "position %" PRIu64 " %" PRIu64 " %" PRIu64 " %08" PRIx32 "\n",
               head->position.segment, head->position.offset, head->position.sequence,
               head->position.chain);
    return OK;
}

enum err manifest_add(struct manifest_writer *writer, const struct manifest_file *file)
{
    char path[MANIFEST_PATH_MAX];
    manifest_path(file, path);
    buf_printf(&writer->text, "file %08" PRIx32 " %" PRIu64 " %s\n", file->crc32c, file->size,
               path);
    writer->sum.file_count++;
    writer->sum.byte_count += file->size;
    return writer->text.len < WINDOW_BYTES ? OK : flush(writer);
}

enum err manifest_commit(struct manifest_writer *writer)
{
    buf_printf(&writer->text, "total %" PRIu64 " %" PRIu64 "\n", writer->sum.file_count,
               writer->sum.byte_count);
    TRY(flush(writer));
    buf_printf(&writer->text, "check %08" PRIx32 "\n", writer->check);
    TRY(flush(writer));
    TRY(io_sync(writer->io, writer->fd));
    io_reached(writer->io, "backup.manifest");
    TRY(io_rename_new(writer->io, writer->dir_fd, UNFINISHED_NAME, writer->dir_fd, FINAL_NAME));
    return io_sync(writer->io, writer->dir_fd);
}

void manifest_end(struct manifest_writer *writer)
{
    if (!writer->io)
        return;
    fd_close_scoped(&writer->fd);
    buf_release(&writer->text);
    *writer = (struct manifest_writer){0};
}

/* ---- Reading ---- */

/* The next line, without its end; valid until the next call. */
static enum err take_line(struct manifest_reader *reader, str *out_line)
{
    for (;;) {
        str left = str_skip(buf_str(&reader->text), reader->taken);
        ptrdiff_t end = str_find_char(left, '\n');
        if (end >= 0) {
            *out_line = str_of(left.ptr, (size_t)end);
            return OK;
        }
        size_t got;
        if (left.len > LINE_MAX_BYTES)
            return ERR_CORRUPT;
        buf_consume(&reader->text, reader->taken);
        reader->taken = 0;
        char *dst = buf_reserve(&reader->text, WINDOW_BYTES);
        if (!dst)
            return buf_err(&reader->text);
        TRY(io_read_some(reader->io, reader->fd, dst, WINDOW_BYTES, reader->offset, &got));
        if (got == 0)
            return ERR_CORRUPT;
        buf_commit(&reader->text, got);
        reader->offset += got;
    }
}

static void drop_line(struct manifest_reader *reader, str line)
{
    reader->check = crc32c_update(reader->check, line.ptr, line.len + 1);
    reader->taken += line.len + 1;
}

static enum err parse_hex32(str digits, uint32_t *out_value)
{
    uint8_t bytes[4];
    if (digits.len != 2 * sizeof(bytes) || hex_decode(digits, bytes) != OK)
        return ERR_CORRUPT;
    *out_value =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return OK;
}

/* The next word of a line as a number. */
static enum err take_number(str *rest, uint64_t *out_number)
{
    str word;
    (void)str_cut(*rest, ' ', &word, rest);
    return str_to_u64(word, out_number) == OK ? OK : ERR_CORRUPT;
}

static enum err take_hex32(str *rest, uint32_t *out_value)
{
    str word;
    (void)str_cut(*rest, ' ', &word, rest);
    return parse_hex32(word, out_value);
}

/* What stands behind "<name> ". */
static enum err behind(str line, str name, str *out_rest)
{
    if (line.len <= name.len || !str_has_prefix(line, name) || line.ptr[name.len] != ' ')
        return ERR_CORRUPT;
    *out_rest = str_skip(line, name.len + 1);
    return OK;
}

static enum err parse_store(str rest, struct manifest_head *head)
{
    bool is_right = rest.len == (size_t)2 * STORE_ID_SIZE && hex_decode(rest, head->store_id) == OK;
    return is_right ? OK : ERR_CORRUPT;
}

static enum err parse_taken(str rest, struct manifest_head *head)
{
    return str_to_i64(rest, &head->taken_ms) == OK ? OK : ERR_CORRUPT;
}

static enum err parse_position(str rest, struct manifest_head *head)
{
    TRY(take_number(&rest, &head->position.segment));
    TRY(take_number(&rest, &head->position.offset));
    TRY(take_number(&rest, &head->position.sequence));
    return rest.len == 8 ? take_hex32(&rest, &head->position.chain) : ERR_CORRUPT;
}

static enum err read_head(struct manifest_reader *reader, struct fail *fail)
{
    static const struct {
        str name;
        enum err (*parse)(str rest, struct manifest_head *head);
    } rows[] = {
        {STR_INIT("store"), parse_store},
        {STR_INIT("taken"), parse_taken},
        {STR_INIT("position"), parse_position},
    };
    str line, rest;
    TRY(take_line(reader, &line));
    if (!str_eq(line, STR("pail backup")))
        return ERR_CORRUPT;
    drop_line(reader, line);
    TRY(take_line(reader, &line));
    TRY(behind(line, STR("version"), &rest));
    if (!str_eq(rest, STR("1")))
        return fail_set(fail, ERR_BAD_INPUT, NULL,
                        "the backup has version %.*s; this program knows version 1", STR_ARG(rest));
    drop_line(reader, line);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        TRY(take_line(reader, &line));
        TRY(behind(line, rows[i].name, &rest));
        TRY(rows[i].parse(rest, &reader->head));
        drop_line(reader, line);
    }
    return OK;
}

static enum err read_file_line(str rest, struct manifest_file *file)
{
    TRY(take_hex32(&rest, &file->crc32c));
    TRY(take_number(&rest, &file->size));
    return parse_path(rest, file);
}

/* The last two lines: sums, and the check of all above. */
static enum err read_end(struct manifest_reader *reader)
{
    str line, rest;
    uint32_t check;
    TRY(take_line(reader, &line));
    TRY(behind(line, STR("total"), &rest));
    TRY(take_number(&rest, &reader->sum.file_count));
    TRY(take_number(&rest, &reader->sum.byte_count));
    if (rest.len != 0)
        return ERR_CORRUPT;
    drop_line(reader, line);
    uint32_t expected = reader->check;
    TRY(take_line(reader, &line));
    TRY(behind(line, STR("check"), &rest));
    TRY(parse_hex32(rest, &check));
    drop_line(reader, line);
    bool is_right = check == expected && reader->taken == reader->text.len &&
                    reader->sum.file_count == reader->so_far.file_count &&
                    reader->sum.byte_count == reader->so_far.byte_count;
    return is_right ? OK : ERR_CORRUPT;
}

enum err manifest_next(struct manifest_reader *reader, struct manifest_file *out_file)
{
    str line, rest;
    struct manifest_file file;
    TRY(take_line(reader, &line));
    if (behind(line, STR("file"), &rest) != OK)
        return ERR_NOT_FOUND;
    TRY(read_file_line(rest, &file));
    if (reader->so_far.file_count && manifest_compare(&reader->last, &file) >= 0)
        return ERR_CORRUPT;
    reader->so_far.file_count++;
    reader->so_far.byte_count += file.size;
    reader->last = file;
    drop_line(reader, line);
    *out_file = file;
    return OK;
}

void manifest_rewind(struct manifest_reader *reader)
{
    reader->offset = reader->files_at;
    reader->so_far = (struct manifest_sum){0};
    reader->taken = 0;
    buf_clear(&reader->text);
}

static enum err read_through(struct manifest_reader *reader, struct fail *fail)
{
    struct manifest_file file;
    enum err err;
    TRY(read_head(reader, fail));
    reader->files_at = reader->offset - (reader->text.len - reader->taken);
    do
        err = manifest_next(reader, &file);
    while (err == OK);
    if (err != ERR_NOT_FOUND)
        return err;
    size_t got;
    char more;
    TRY(read_end(reader));
    TRY(io_read_some(reader->io, reader->fd, &more, 1, reader->offset, &got));
    return got == 0 ? OK : ERR_CORRUPT;
}

enum err manifest_open(struct manifest_reader *reader, const struct io *io, int dir_fd,
                       struct fail *fail)
{
    *reader = (struct manifest_reader){.io = io, .fd = -1};
    buf_init(&reader->text, 2 * WINDOW_BYTES);
    enum err err = io_open(io, dir_fd, FINAL_NAME, O_RDONLY | O_NONBLOCK, &reader->fd);
    if (err == ERR_NOT_FOUND)
        err = fail_set(fail, err, NULL,
                       "it has no file \"manifest\", so it is no backup, or one that did not end");
    else if (err == OK)
        err = read_through(reader, fail);
    if (err == OK) {
        manifest_rewind(reader);
        return OK;
    }
    manifest_close(reader);
    return fail_set(fail, err, NULL, "its file \"manifest\" cannot be used: %s", err_fact(err));
}

void manifest_close(struct manifest_reader *reader)
{
    if (!reader->io)
        return;
    fd_close_scoped(&reader->fd);
    buf_release(&reader->text);
    *reader = (struct manifest_reader){0};
}
