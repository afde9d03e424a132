/* Restoring a backup, and proving it: whatever has changed in it is found and named, and then nothing is left. */
#include "backup_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/fd.h"
#include "store/local/manifest.h"

static bool is_stop_wanted;

static void stop_soon(void *context, const struct local_progress *progress)
{
    (void)context;
    if (progress->done > 0)
        __atomic_store_n(&is_stop_wanted, true, __ATOMIC_RELAXED);
}

static void cancelled_restore_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    struct local_restore_options options = {
        .from = w->backup, .data_dir = w->restored, .progress = stop_soon, .stop = &is_stop_wanted};
    is_stop_wanted = false;
    back_up(w);
    assert_err(local_restore(&options, &restored, NULL), ERR_CANCELLED);
    assert_false(exists(w->root, "restored"));
}

/* ---- Damage ---- */

static void expect_damage(struct world *w, const char *name)
{
    struct local_restored restored;
    struct fail fail = {0};
    assert_err(restore_to(w, w->backup, w->restored, &restored, &fail), ERR_CORRUPT);
    if (!is_named(w, name))
        print_error("%s: %s\n", name, fail.detail);
    assert_true(is_named(w, name));
    assert_false(exists(w->root, "restored"));
    size_t before = count_entries(w->root);
    assert_err(restore_to(w, w->backup, NULL, &restored, &fail), ERR_CORRUPT);
    assert_true(is_named(w, name));
    assert_int_equal(count_entries(w->root), before);
}

static void flip_some(struct world *w, const char *folder, const char *name)
{
    char file[TEST_PATH_MAX];
    path_in(file, folder, name);
    uint64_t size = file_size(file);
    uint64_t places[] = {0, size / 2, size - 1};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        flip_byte(file, places[i]);
        expect_damage(w, name);
        flip_byte(file, places[i]);
    }
}

static void flipped_bits_are_found_and_named(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    char log[TEST_PATH_MAX], folder[TEST_PATH_MAX + 32], file[TEST_PATH_MAX];
    back_up(w);
    flip_some(w, w->backup, "format");
    flip_some(w, w->backup, "master-key");
    path_in(log, w->backup, "log");
    for (size_t i = 0; nth_file(log, ".log", i, file); i++)
        flip_some(w, log, strrchr(file, '/') + 1);
    (void)snprintf(folder, sizeof(folder), "%s/extents/%02x", w->backup,
                   (unsigned)(w->extent[4].id & 0xFF));
    assert_true(nth_file(folder, "", 2, file)); /* behind "." and ".." */
    flip_some(w, folder, strrchr(file, '/') + 1);
    restore(w, &restored);
}

static void missing_and_cut_files_are_found_and_named(void **state)
{
    struct world *w = *state;
    char file[TEST_PATH_MAX + 64], name[32];
    back_up(w);
    (void)snprintf(name, sizeof(name), "%016llx", (unsigned long long)w->extent[0].id);
    (void)snprintf(file, sizeof(file), "%s/extents/%02x/%s", w->backup,
                   (unsigned)(w->extent[0].id & 0xFF), name);
    assert_int_equal(truncate(file, EXTENT - 1), 0);
    expect_damage(w, name);
    assert_int_equal(unlink(file), 0);
    expect_damage(w, name);
    /* What is no file must not keep us waiting. */
    assert_int_equal(mkfifo(file, 0600), 0);
    expect_damage(w, name);
    path_in(file, w->backup, "log/0000000000000001.log");
    assert_int_equal(unlink(file), 0);
    expect_damage(w, "0000000000000001.log");
}

/* Another digit in the place of one, so that the line is still well-formed; false when there is none. */
static bool change_digit(const char *file, uint64_t at)
{
    FD_SCOPED int fd = open(file, O_RDWR);
    char digit;
    assert_ok(fd_pread_full(fd, &digit, 1, at));
    if (digit < '0' || digit > '9')
        return false;
    digit = digit == '9' ? '0' : (char)(digit + 1);
    assert_ok(fd_pwrite_full(fd, &digit, 1, at));
    return true;
}

static void no_digit_of_the_manifest_may_change(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    char manifest[TEST_PATH_MAX];
    back_up(w);
    path_in(manifest, w->backup, "manifest");
    BUF_SCOPED struct buf text;
    buf_init(&text, 1 << 20);
    assert_ok(file_read(AT_FDCWD, manifest, &text));
    for (uint64_t i = 0; i < text.len; i++) {
        if (!change_digit(manifest, i))
            continue;
        enum err err = restore_to(w, w->backup, NULL, &restored, NULL);
        assert_true(err == ERR_CORRUPT || err == ERR_BAD_INPUT);
        assert_ok(file_replace(AT_FDCWD, manifest, buf_str(&text), 0600));
    }
    restore(w, &restored);
}

static void no_byte_of_the_manifest_may_change(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    char manifest[TEST_PATH_MAX];
    back_up(w);
    path_in(manifest, w->backup, "manifest");
    uint64_t size = file_size(manifest);
    for (uint64_t i = 0; i < size; i++) {
        struct fail fail = {0};
        flip_byte(manifest, i);
        enum err err = restore_to(w, w->backup, NULL, &restored, &fail);
        assert_true(err == ERR_CORRUPT || err == ERR_BAD_INPUT);
        flip_byte(manifest, i);
    }
    for (uint64_t len = 0; len < size; len += 7) {
        char cut[TEST_PATH_MAX];
        path_in(cut, w->root, "cut");
        assert_int_equal(mkdir(cut, 0700), 0);
        BUF_SCOPED struct buf text;
        buf_init(&text, 1 << 20);
        assert_ok(file_read(AT_FDCWD, manifest, &text));
        assert_ok(file_replace(AT_FDCWD, file_in(cut, "manifest"), str_of(text.ptr, len), 0600));
        assert_err(restore_to(w, cut, NULL, &restored, NULL), ERR_CORRUPT);
        remove_folder(cut);
    }
    restore(w, &restored);
}

/* The manifest once more, as somebody would write it who has lost the last segment. */
static void write_without_last_segment(const char *backup)
{
    struct manifest_reader reader;
    struct manifest_writer writer;
    struct manifest_file file;
    FD_SCOPED int fd = open(backup, O_RDONLY | O_DIRECTORY);
    assert_ok(manifest_open(&reader, &io_system, fd, NULL));
    assert_int_equal(unlink(file_in(backup, "manifest")), 0);
    assert_ok(manifest_begin(&writer, &io_system, fd, &reader.head));
    while (manifest_next(&reader, &file) == OK)
        if (file.kind != MANIFEST_SEGMENT || file.id != reader.head.position.segment)
            assert_ok(manifest_add(&writer, &file));
    assert_ok(manifest_commit(&writer));
    manifest_end(&writer);
    manifest_close(&reader);
}

static void log_must_reach_the_position(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    struct fail fail = {0};
    back_up(w);
    write_without_last_segment(w->backup);
    assert_err(restore_to(w, w->backup, w->restored, &restored, &fail), ERR_CORRUPT);
    assert_non_null(strstr(fail.detail, "the log ends at record"));
    assert_false(exists(w->root, "restored"));
}

static void restore_into_a_used_folder_is_refused(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    struct fail fail = {0};
    back_up(w);
    assert_err(restore_to(w, w->backup, w->store, &restored, &fail), ERR_EXISTS);
    assert_int_equal(mkdir(w->restored, 0700), 0);
    assert_ok(file_replace(AT_FDCWD, file_in(w->restored, "photo"), STR("dear"), 0600));
    assert_err(restore_to(w, w->backup, w->restored, &restored, &fail), ERR_EXISTS);
    assert_int_equal(count_entries(w->restored), 1);
    assert_int_equal(unlink(file_in(w->restored, "photo")), 0);
    restore(w, &restored);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, backup_setup, backup_teardown)
    const struct CMUnitTest tests[] = {
        CASE(cancelled_restore_leaves_nothing),          CASE(flipped_bits_are_found_and_named),
        CASE(missing_and_cut_files_are_found_and_named), CASE(no_digit_of_the_manifest_may_change),
        CASE(no_byte_of_the_manifest_may_change),        CASE(log_must_reach_the_position),
        CASE(restore_into_a_used_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
