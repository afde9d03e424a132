#include "backup_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/fd.h"

struct world *world;

void path_in(char dst[TEST_PATH_MAX], const char *folder, const char *name)
{
    int len = snprintf(dst, TEST_PATH_MAX, "%s/%s", folder, name);
    assert_in_range(len, 1, TEST_PATH_MAX - 1);
}

bool exists(const char *folder, const char *name)
{
    return access(file_in(folder, name), F_OK) == 0;
}

size_t count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    size_t count = 0;
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(dir);
    return count;
}

/* ---- Rows ---- */

struct put_extent {
    struct update update;
    const struct extent_row *row;
};

static enum err apply_put(struct update *update, struct tx *tx)
{
    return row_put(tx, TABLE_extent, ((struct put_extent *)(void *)update)->row);
}

static enum err apply_delete(struct update *update, struct tx *tx)
{
    return row_delete(tx, TABLE_extent, ((struct put_extent *)(void *)update)->row);
}

void add_extent(struct world *w, size_t i)
{
    struct extent_writer *writer;
    char *bytes = mem_alloc_aligned(4096, EXTENT);
    fill_bytes(bytes, EXTENT, i);
    assert_ok(extent_begin(w->engine, EXTENT, &writer));
    assert_ok(extent_write(writer, bytes, EXTENT, 0));
    assert_ok(extent_seal(writer, EXTENT, w->arena, &w->extent[i]));
    mem_free(bytes);
    struct put_extent put = {{.apply = apply_put}, &w->extent[i]};
    assert_ok(catalog_update_wait(w->engine, &put.update));
}

/* As the janitor does it: the row, then the file. */
void remove_extent(struct world *w, size_t i)
{
    struct put_extent remove = {{.apply = apply_delete, .flags = UPDATE_FREES}, &w->extent[i]};
    assert_ok(catalog_update_wait(w->engine, &remove.update));
    assert_ok(extent_drop(w->engine, w->extent[i].id));
}

void add_bodies(struct engine *engine, uint64_t from, uint64_t to)
{
    static char body[BODY];
    for (uint64_t i = from; i < to; i++) {
        fill_bytes(body, BODY, i);
        assert_ok(put_body(engine, i, body, BODY));
    }
}

void check_extent(struct world *w, struct engine *engine, size_t i)
{
    enum { ROOM = 1 << 20 };
    struct extent_reader *reader;
    char *dst = mem_alloc_aligned(4096, ROOM), *expected = mem_alloc(EXTENT);
    str data;
    assert_ok(extent_open(engine, &w->extent[i], VIEW_WAIT, &reader));
    assert_ok(extent_read(reader, 0, dst, ROOM, VIEW_WAIT, &data));
    fill_bytes(expected, EXTENT, i);
    assert_int_equal(data.len, EXTENT);
    assert_memory_equal(data.ptr, expected, EXTENT);
    extent_close(reader);
    mem_free(expected);
    mem_free(dst);
}

/* ---- The world ---- */

void open_world(struct world *w, const struct io *io)
{
    w->engine = open_store_with(w->store, io);
}

int backup_setup(void **state)
{
    struct world *w = world = mem_new(struct world);
    fault_clear();
    make_folder(w->root);
    path_in(w->store, w->root, "store");
    path_in(w->backup, w->root, "backup");
    path_in(w->restored, w->root, "restored");
    w->arena = arena_new(64 << 20);
    open_world(w, &fault_io);
    add_bodies(w->engine, 0, BODIES);
    for (size_t i = 0; i < EXTENTS; i++)
        add_extent(w, i);
    assert_ok(put_setting(w->engine, "state", STR("before")));
    assert_ok(file_replace(AT_FDCWD, file_in(w->store, "master-key"), STR("secret"), 0600));
    *state = w;
    return 0;
}

int backup_teardown(void **state)
{
    struct world *w = *state;
    fault_clear();
    if (w->engine)
        engine_close(w->engine);
    arena_free(w->arena);
    remove_folder(w->root);
    mem_free(w);
    world = NULL;
    return 0;
}

void take_finding(void *context, const struct local_finding *finding)
{
    struct world *w = context;
    if (w->finding_count < FINDINGS_MAX)
        w->finding[w->finding_count++] = *finding;
}

bool is_named(const struct world *w, const char *name)
{
    for (size_t i = 0; i < w->finding_count; i++)
        if (strstr(w->finding[i].where, name) || strstr(w->finding[i].what, name))
            return true;
    return false;
}

enum err back_up_to(struct world *w, const char *target, const char *base,
                    struct local_backup_result *result, struct fail *fail)
{
    struct local_backup_options options = {
        .target = target, .base = base, .found = take_finding, .context = w};
    w->finding_count = 0;
    return local_backup(w->engine, &options, result, fail);
}

void back_up(struct world *w)
{
    struct local_backup_result result;
    struct fail fail = {0};
    enum err err = back_up_to(w, w->backup, NULL, &result, &fail);
    if (err != OK)
        print_error("%s\n", fail.detail);
    assert_ok(err);
}

/* data_dir null: proved where it lies. */
enum err restore_to(struct world *w, const char *from, const char *data_dir,
                    struct local_restored *restored, struct fail *fail)
{
    struct local_restore_options options = {
        .from = from,
        .data_dir = data_dir,
        .scratch = w->root,
        .found = take_finding,
        .context = w,
    };
    w->finding_count = 0;
    return local_restore(&options, restored, fail);
}

void restore(struct world *w, struct local_restored *restored)
{
    struct fail fail = {0};
    enum err err = restore_to(w, w->backup, w->restored, restored, &fail);
    if (err != OK)
        print_error("%s\n", fail.detail);
    assert_ok(err);
    assert_int_equal(w->finding_count, 0);
}

void check_restored(struct world *w, uint64_t bodies, size_t extents)
{
    struct engine *engine = open_store(w->restored);
    for (uint64_t i = 0; i < bodies; i++)
        assert_ok(check_body(engine, i, BODY));
    for (size_t i = 0; i < extents; i++)
        check_extent(w, engine, i);
    /* It is a store like any other. */
    assert_ok(put_setting(engine, "after", STR("restore")));
    engine_close(engine);
}
