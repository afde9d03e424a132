#include "app/keyfiles.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/crc.h"
#include "base/encode.h"
#include "base/fd.h"
#include "base/rand.h"

enum { KEY_FILE_MAX_BYTES = 4096, PATH_ARENA_BYTES = 1 << 16 };

#define MASTER_FILE "master-key"
#define ROOT_FILE "root-keys"
#define ACCESS_NAME "PAIL_ROOT_ACCESS_KEY"
#define SECRET_NAME "PAIL_ROOT_SECRET_KEY"
/* The last line of root-keys, with the CRC32C of those above it. */
#define CHECK_FRONT "# check "
#define CHECK_REST " (pail fsck compares this; remove the line when you change the keys)\n"

/* A file of the folder, read or written whole, with its name in the failure. */
struct key_file {
    struct arena *arena;
    const char *path;
    struct buf content;
};

static void key_file_init(struct key_file *file, const char *folder, const char *name)
{
    file->arena = arena_new(PATH_ARENA_BYTES);
    file->path = arena_printf(file->arena, "%s/%s", folder, name).ptr;
    buf_init(&file->content, KEY_FILE_MAX_BYTES);
}

static void key_file_release(struct key_file *file)
{
    if (file->content.ptr)
        explicit_bzero(file->content.ptr, file->content.capacity);
    buf_release(&file->content);
    arena_free(file->arena);
}
#define KEY_FILE_SCOPED __attribute__((cleanup(key_file_release)))

static enum err file_fail(const struct key_file *file, enum err err, struct fail *fail)
{
    return fail_set(fail, err, NULL, "\"%s\": %s", file->path, err_fact(err));
}

static enum err key_file_read(struct key_file *file, struct fail *fail)
{
    enum err err = file_read(AT_FDCWD, file->path, &file->content);
    return err == OK ? OK : file_fail(file, err, fail);
}

static enum err key_file_write(struct key_file *file, struct fail *fail)
{
    enum err err = file_replace(AT_FDCWD, file->path, buf_str(&file->content), 0600);
    return err == OK ? OK : file_fail(file, err, fail);
}

/* ---- Master key ---- */

static enum err parse_master(const struct key_file *file, uint8_t out[SECRET_MASTER_SIZE],
                             struct fail *fail)
{
    str text = buf_str(&file->content);
    while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    if (text.len != (size_t)SECRET_MASTER_SIZE * 2 || hex_decode(text, out) != OK)
        return fail_set(fail, ERR_CORRUPT, NULL, "\"%s\" does not hold %d hexadecimal digits",
                        file->path, SECRET_MASTER_SIZE * 2);
    return OK;
}

static enum err make_master(struct key_file *file, uint8_t out[SECRET_MASTER_SIZE],
                            struct fail *fail)
{
    uint8_t key[SECRET_MASTER_SIZE];
    rand_bytes(key, sizeof(key));
    char digits[SECRET_MASTER_SIZE * 2];
    hex_encode(key, sizeof(key), digits);
    buf_append(&file->content, str_of(digits, sizeof(digits)));
    buf_append_char(&file->content, '\n');
    explicit_bzero(digits, sizeof(digits));
    enum err err = key_file_write(file, fail);
    if (err == OK)
        memcpy(out, key, sizeof(key));
    explicit_bzero(key, sizeof(key));
    return err;
}

enum err master_key_read(const char *folder, uint8_t out_key[SECRET_MASTER_SIZE], struct fail *fail)
{
    KEY_FILE_SCOPED struct key_file file;
    key_file_init(&file, folder, MASTER_FILE);
    TRY(key_file_read(&file, fail));
    return parse_master(&file, out_key, fail);
}

enum err master_key_get(const char *folder, uint8_t out_key[SECRET_MASTER_SIZE], bool *out_made,
                        struct fail *fail)
{
    KEY_FILE_SCOPED struct key_file file;
    key_file_init(&file, folder, MASTER_FILE);
    struct fail reading = {0};
    enum err err = master_key_read(folder, out_key, &reading);
    *out_made = err == ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND)
        return make_master(&file, out_key, fail);
    return err == OK ? OK : fail_set(fail, err, NULL, "%s", reading.detail);
}

void master_key_discard(const char *folder)
{
    KEY_FILE_SCOPED struct key_file file;
    key_file_init(&file, folder, MASTER_FILE);
    (void)unlink(file.path);
}

/* ---- Root keys ---- */

void root_keys_make(struct root_keys *out)
{
    *out = (struct root_keys){0};
    access_key_make_root_id(out->access_key);
    access_key_make_secret(out->secret_key);
}

/* Takes a line's value over when the line is NAME=value. */
static void take_line(str line, str name, char *dst, size_t size)
{
    str head, value;
    if (!str_cut(line, '=', &head, &value) || !str_eq(str_trim(head), name))
        return;
    value = str_trim(value);
    if (value.len && value.len < size) {
        memcpy(dst, value.ptr, value.len);
        dst[value.len] = '\0';
    }
}

static enum err parse_root(const struct key_file *file, struct root_keys *out, struct fail *fail)
{
    struct root_keys keys = {0};
    str rest = buf_str(&file->content), line;
    while (rest.len) {
        (void)str_cut(rest, '\n', &line, &rest);
        if (str_has_suffix(line, STR("\r")))
            line.len--;
        take_line(line, STR(ACCESS_NAME), keys.access_key, sizeof(keys.access_key));
        take_line(line, STR(SECRET_NAME), keys.secret_key, sizeof(keys.secret_key));
    }
    bool is_good = access_key_id_is_valid(str_from(keys.access_key)) &&
                   access_key_secret_is_valid(str_from(keys.secret_key));
    if (is_good)
        *out = keys;
    explicit_bzero(&keys, sizeof(keys));
    if (is_good)
        return OK;
    return fail_set(fail, ERR_CORRUPT, NULL,
                    "\"%s\" lacks a valid %s or %s; correct it, or remove it to have new ones made",
                    file->path, ACCESS_NAME, SECRET_NAME);
}

enum err root_keys_read(const char *folder, struct root_keys *out, struct fail *fail)
{
    KEY_FILE_SCOPED struct key_file file;
    key_file_init(&file, folder, ROOT_FILE);
    TRY(key_file_read(&file, fail));
    return parse_root(&file, out, fail);
}

static bool is_check_right(str text)
{
    ptrdiff_t at = str_find(text, STR("\n" CHECK_FRONT));
    if (at < 0)
        return true; /* older, or changed by a person */
    char expected[sizeof(CHECK_FRONT CHECK_REST) + 8];
    int len = snprintf(expected, sizeof(expected), CHECK_FRONT "%08" PRIx32 CHECK_REST,
                       crc32c_update(0, text.ptr, (size_t)at + 1));
    return str_eq(str_skip(text, (size_t)at + 1), str_of(expected, (size_t)len));
}

enum err root_keys_check(const char *folder, struct fail *fail)
{
    struct root_keys keys;
    KEY_FILE_SCOPED struct key_file file;
    key_file_init(&file, folder, ROOT_FILE);
    TRY(key_file_read(&file, fail));
    enum err err = parse_root(&file, &keys, fail);
    explicit_bzero(&keys, sizeof(keys));
    if (err != OK || is_check_right(buf_str(&file.content)))
        return err;
    return fail_set(
        fail, ERR_CORRUPT, NULL,
        "\"%s\" is not what was written; if it was changed by hand, remove its last line",
        file.path);
}

static enum err write_root(const char *folder, const struct root_keys *keys, struct fail *fail)
{
    KEY_FILE_SCOPED struct key_file file;
    key_file_init(&file, folder, ROOT_FILE);
    buf_append(
        &file.content,
        STR("# The root account's keys: they may do everything. Whoever changes them restarts the"
            " server.\n"));
    buf_printf(&file.content, ACCESS_NAME "=%s\n" SECRET_NAME "=%s\n", keys->access_key,
               keys->secret_key);
    /* For pail fsck alone: a person may change the keys, and need not know of it. */
    buf_printf(&file.content, CHECK_FRONT "%08" PRIx32 CHECK_REST,
               crc32c_update(0, file.content.ptr, file.content.len));
    return key_file_write(&file, fail);
}

enum err root_keys_get(const char *folder, struct root_keys *out, bool *out_made, struct fail *fail)
{
    struct fail reading = {0};
    enum err err = root_keys_read(folder, out, &reading);
    *out_made = err == ERR_NOT_FOUND;
    if (err == OK)
        return OK;
    if (err != ERR_NOT_FOUND)
        return fail_set(fail, err, NULL, "%s", reading.detail);
    struct root_keys made;
    root_keys_make(&made);
    err = write_root(folder, &made, fail);
    if (err == OK)
        *out = made;
    explicit_bzero(&made, sizeof(made));
    return err;
}
