/* Crashes while a backup is taken, on a disk that forgets what was not synced: a backup that was acknowledged is whole, any other is
 * none, and its place can be used again. Each life is a process of its own (crash_io.h). */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "crash_io.h"
#include "store/local/backup.h"
#include "store/local/restore.h"

enum { PATH_MAX_BYTES = 256, OBJECTS = 60, BODY = 20000, EXTENTS = 3, EXTENT = 400000, SEEDS = 6 };
enum { SEGMENT_BYTES = 256 << 10, FAILED = 3 };

static void path_of(char dst[PATH_MAX_BYTES], const char *folder, const char *name)
{
    int len = snprintf(dst, PATH_MAX_BYTES, "%s/%s", folder, name);
    assert_in_range(len, 1, PATH_MAX_BYTES - 1);
}

static enum err open_engine(const char *root, const struct io *io, struct engine **out_engine)
{
    char path[PATH_MAX_BYTES];
    path_of(path, root, "store");
    struct local_options options = {.data_dir = path, .segment_bytes = SEGMENT_BYTES, .io = io};
    struct fail fail = {0};
    return local_engine_open(&options, out_engine, &fail);
}

/* ---- What is in the store ---- */

struct put_row {
    struct update update;
    enum table_id table;
    const void *row;
};

static enum err apply_put(struct update *update, struct tx *tx)
{
    const struct put_row *put = (struct put_row *)(void *)update;
    return row_put(tx, put->table, put->row);
}

static void put_row(struct engine *engine, enum table_id table, const void *row)
{
    struct put_row put = {{.apply = apply_put}, table, row};
    assert_int_equal(catalog_update_wait(engine, &put.update), OK);
}

static void put_objects(struct engine *engine)
{
    static char body[BODY];
    for (uint64_t i = 0; i < OBJECTS; i++) {
        memset(body, (int)i, sizeof(body));
        struct object_row row = {.bucket_id = 1,
                                 .key = str_of(&i, sizeof(i)),
                                 .size = BODY,
                                 .body = {.bytes = body, .length = BODY}};
        put_row(engine, TABLE_object, &row);
    }
}

static void put_extents(struct engine *engine)
{
    struct arena *arena = arena_new(1 << 20);
    char *bytes = mem_alloc_aligned(4096, EXTENT);
    for (int i = 0; i < EXTENTS; i++) {
        struct extent_writer *writer;
        struct extent_row row;
        memset(bytes, 'a' + i, EXTENT);
        assert_int_equal(extent_begin(engine, EXTENT, &writer), OK);
        assert_int_equal(extent_write(writer, bytes, EXTENT, 0), OK);
        assert_int_equal(extent_seal(writer, EXTENT, arena, &row), OK);
        put_row(engine, TABLE_extent, &row);
    }
    mem_free(bytes);
    arena_free(arena);
}

/* ---- A life ---- */

static enum err back_up(struct engine *engine, const char *root)
{
    char target[PATH_MAX_BYTES];
    struct local_backup_result result;
    path_of(target, root, "backup");
    struct local_backup_options options = {.target = target};
    return local_backup(engine, &options, &result, NULL);
}

static uint64_t number_of(const char *text)
{
    uint64_t number = 0;
    assert_int_equal(str_to_u64(str_from(text), &number), OK);
    return number;
}

/* arguments: root, place, how many passes there before, seed. */
static int live(char **argument)
{
    struct engine *engine;
    if (open_engine(argument[0], &crash_io, &engine) != OK)
        return FAILED;
    crash_at(argument[1], (unsigned)number_of(argument[2]), number_of(argument[3]));
    if (back_up(engine, argument[0]) != OK)
        return FAILED;
    /* It was acknowledged. */
    crash_now();
}

static void live_and_die(const char *root, const char *place, unsigned nth, unsigned seed)
{
    char words[2][16];
    (void)snprintf(words[0], sizeof(words[0]), "%u", nth);
    (void)snprintf(words[1], sizeof(words[1]), "%u", seed);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)execl("/proc/self/exe", "test_crash_backup", root, place, words[0], words[1],
                    (char *)NULL);
        _exit(FAILED);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- What is left ---- */

static enum err prove(const char *root)
{
    char from[PATH_MAX_BYTES];
    struct local_restored restored = {0};
    struct fail fail = {0};
    path_of(from, root, "backup");
    struct local_restore_options options = {.from = from, .scratch = root};
    enum err err = local_restore(&options, &restored, &fail);
    if (err == OK) {
        assert_int_equal(restored.object_count, OBJECTS);
        assert_int_equal(restored.extent_count, EXTENTS);
    }
    return err;
}

static void remove_tree(const char *root, const char *name)
{
    char command[2 * PATH_MAX_BYTES];
    (void)snprintf(command, sizeof(command), "rm -rf '%s/%s'", root, name);
    assert_int_equal(system(command), 0);
}

static void make_root(char root[PATH_MAX_BYTES])
{
    const char *folder = getenv("TMPDIR");
    struct engine *engine;
    path_of(root, folder ? folder : "/tmp", "pail-crash-backup-XXXXXX");
    assert_non_null(mkdtemp(root));
    assert_int_equal(open_engine(root, NULL, &engine), OK);
    put_objects(engine);
    put_extents(engine);
    engine_close(engine);
}

/* ---- Cases ---- */

static void acknowledged_backup_is_durable(void **state)
{
    char root[PATH_MAX_BYTES];
    (void)state;
    make_root(root);
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        live_and_die(root, "nowhere", 0, seed);
        assert_int_equal(prove(root), OK);
        remove_tree(root, "backup");
    }
    remove_tree(root, "");
}

static void backup_that_was_cut_short_is_none(void **state)
{
    static const struct {
        const char *place;
        unsigned nth;
    } cases[] = {{"backup.frozen", 0},
                 {"copier.synced", 0},
                 {"copier.synced", 2},
                 {"copier.synced", 6},
                 {"backup.manifest", 0}};
    char root[PATH_MAX_BYTES];
    struct engine *engine;
    (void)state;
    make_root(root);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned seed = 1; seed <= SEEDS / 2; seed++) {
            live_and_die(root, cases[i].place, cases[i].nth, seed);
            assert_int_equal(prove(root), ERR_NOT_FOUND);
        }
        assert_int_equal(open_engine(root, NULL, &engine), OK);
        assert_int_equal(back_up(engine, root), OK);
        engine_close(engine);
        assert_int_equal(prove(root), OK);
        remove_tree(root, "backup");
    }
    remove_tree(root, "");
}

int main(int count, char **argument)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acknowledged_backup_is_durable),
        cmocka_unit_test(backup_that_was_cut_short_is_none),
    };
    return count > 1 ? live(argument + 1) : cmocka_run_group_tests(tests, NULL, NULL);
}
