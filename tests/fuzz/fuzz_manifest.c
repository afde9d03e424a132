/* Any text as the file "manifest" of a backup, and as "extents/limit" beside it. What is accepted leads to no path outside of the backup, and
 * is the same when it is written and read again. The first byte chooses whether the check is made right first, so that the lines above it are
 * reached. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc.h"
#include "base/fd.h"
#include "store/local/extent_limit.h"
#include "store/local/manifest.h"

enum { CHECK_IS_MADE_RIGHT = 1, LIMIT_BITS = 41 };

/* One folder, whose files are in memory. */
static char folder[] = "/dev/shm/pail-fuzz-XXXXXX";
static int folder_fd = -1;

static void remove_files(void)
{
    (void)unlinkat(folder_fd, "manifest", 0);
    (void)unlinkat(folder_fd, "manifest.new", 0);
    (void)unlinkat(folder_fd, "limit", 0);
}

static void remove_folder(void)
{
    remove_files();
    (void)rmdir(folder);
}

static void open_once(void)
{
    if (folder_fd >= 0)
        return;
    FUZZ_CHECK(mkdtemp(folder) != NULL);
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(folder_fd >= 0 && atexit(remove_folder) == 0);
}

static void put_file(const char *name, str text)
{
    FD_SCOPED int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && fd_write_full(fd, text.ptr, text.len) == OK);
}

static void get_file(const char *name, struct buf *out_text)
{
    FUZZ_CHECK(file_read(folder_fd, name, out_text) == OK);
}

static void check_path(const struct manifest_file *file)
{
    char path[MANIFEST_PATH_MAX];
    manifest_path(file, path);
    FUZZ_CHECK(strlen(path) > 0 && strlen(path) < MANIFEST_PATH_MAX);
    FUZZ_CHECK(path[0] != '/' && strstr(path, "..") == NULL);
}

/* Writes what the reader reads in its place. */
static void write_again(struct manifest_reader *reader)
{
    struct manifest_writer writer = {0};
    struct manifest_file file;
    uint64_t count = 0;
    enum err err;
    FUZZ_CHECK(manifest_begin(&writer, &io_system, folder_fd, &reader->head) == OK);
    while ((err = manifest_next(reader, &file)) == OK) {
        check_path(&file);
        FUZZ_CHECK(manifest_add(&writer, &file) == OK);
        count++;
    }
    FUZZ_CHECK(err == ERR_NOT_FOUND && count == reader->sum.file_count);
    (void)unlinkat(folder_fd, "manifest", 0);
    FUZZ_CHECK(manifest_commit(&writer) == OK);
    manifest_end(&writer);
}

/* Whether it is accepted; then `out_again` has what is written for it. */
static bool read_and_write(struct buf *out_again)
{
    struct manifest_reader reader = {0};
    struct fail fail = {0};
    bool is_accepted = manifest_open(&reader, &io_system, folder_fd, &fail) == OK;
    if (is_accepted) {
        write_again(&reader);
        get_file("manifest", out_again);
    } else {
        FUZZ_CHECK(fail.detail[0] != '\0');
    }
    manifest_close(&reader);
    return is_accepted;
}

static void try_manifest(str text)
{
    BUF_SCOPED struct buf once, twice;
    buf_init(&once, SIZE_MAX);
    buf_init(&twice, SIZE_MAX);
    put_file("manifest", text);
    if (read_and_write(&once)) {
        FUZZ_CHECK(read_and_write(&twice));
        FUZZ_CHECK(str_eq(buf_str(&once), buf_str(&twice)));
    }
}

static void try_limit(str text)
{
    uint64_t ms;
    put_file("limit", text);
    if (extent_limit_read(folder_fd, &ms) != OK)
        return;
    char again[EXTENT_LIMIT_TEXT_MAX];
    int len = snprintf(again, sizeof(again), "%016llx\n", (unsigned long long)ms);
    FUZZ_CHECK(ms >> LIMIT_BITS == 0 && text.len == (size_t)len);
    put_file("limit", str_of(again, (size_t)len));
    uint64_t same;
    FUZZ_CHECK(extent_limit_read(folder_fd, &same) == OK && same == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    open_once();
    BUF_SCOPED struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_append(&text, fuzz_input(data + 1, size - 1));
    try_limit(buf_str(&text));
    if ((data[0] & CHECK_IS_MADE_RIGHT) != 0)
        buf_printf(&text, "check %08x\n", crc32c_update(0, text.ptr, text.len));
    try_manifest(buf_str(&text));
    remove_files();
    return 0;
}
