/* Backups of the embedded engine: what is restored is the store at one moment, taken while it went on; faults and full disks are told,
 * and leave nothing behind. */
#include "backup_support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fd.h"

/* ---- Whole ---- */

static void what_is_restored_is_what_was_there(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    int64_t before_ms = clock_real_ms();
    back_up(w);
    add_bodies(w->engine, BODIES, 2 * BODIES);
    restore(w, &restored);
    assert_int_equal(restored.object_count, BODIES);
    assert_int_equal(restored.object_bytes, BODIES * BODY);
    assert_int_equal(restored.extent_count, EXTENTS);
    assert_int_equal(restored.extent_bytes, EXTENTS * EXTENT);
    assert_true(restored.taken_ms >= before_ms && restored.taken_ms <= clock_real_ms());
    check_restored(w, BODIES, EXTENTS);
    assert_false(exists(w->backup, "unfinished"));
    assert_true(exists(w->restored, "master-key"));
    assert_int_equal(file_size(file_in(w->restored, "master-key")), strlen("secret"));
    assert_false(exists(w->restored, "restoring"));
}

static void restored_store_has_nothing_of_later(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    back_up(w);
    add_bodies(w->engine, BODIES, BODIES + 1);
    restore(w, &restored);
    struct engine *engine = open_store(w->restored);
    assert_err(check_body(engine, BODIES, BODY), ERR_NOT_FOUND);
    engine_close(engine);
}

static void empty_store_is_backed_up_too(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    engine_close(w->engine);
    remove_folder(w->store);
    open_world(w, NULL);
    back_up(w);
    restore(w, &restored);
    assert_int_equal(restored.object_count, 0);
    assert_int_equal(restored.sequence, 0);
    check_restored(w, 0, 0);
}

/* The position of a store that was just opened lies behind its last record, wherever that is. */
static void store_that_was_not_written_to_since_its_start_is_backed_up(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    engine_close(w->engine);
    open_world(w, NULL);
    back_up(w);
    restore(w, &restored);
    check_restored(w, BODIES, EXTENTS);
}

static void backup_of_a_restored_store_is_a_backup(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    char second[TEST_PATH_MAX], again[TEST_PATH_MAX];
    struct local_backup_result result;
    back_up(w);
    restore(w, &restored);
    engine_close(w->engine);
    w->engine = open_store(w->restored);
    path_in(second, w->root, "second");
    path_in(again, w->root, "again");
    assert_ok(back_up_to(w, second, NULL, &result, NULL));
    add_bodies(w->engine, BODIES, BODIES + 3);
    assert_ok(restore_to(w, second, again, &restored, NULL));
    assert_int_equal(restored.object_count, BODIES);
}

static void backup_is_proved_where_it_lies(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    struct fail fail = {0};
    back_up(w);
    size_t before = count_entries(w->root);
    assert_ok(restore_to(w, w->backup, NULL, &restored, &fail));
    assert_int_equal(restored.object_count, BODIES);
    assert_int_equal(restored.extent_count, EXTENTS);
    assert_int_equal(w->finding_count, 0);
    assert_int_equal(count_entries(w->root), before);
}

/* ---- While the store goes on ---- */

/* Everything that a running store does, at the moment when its state has just been frozen. */
static void change_everything(const char *place)
{
    struct world *w = world;
    if (strcmp(place, "backup.frozen") != 0)
        return;
    fault_set_reached(NULL);
    for (size_t i = 0; i < EXTENTS; i++)
        remove_extent(w, i);
    for (uint64_t i = 0; i < BODIES; i++)
        assert_ok(delete_body(w->engine, i));
    assert_ok(put_setting(w->engine, "state", STR("after")));
    add_bodies(w->engine, 1000, 1000 + 3 * BODIES);
}

static void state_is_that_of_one_moment(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    char value[16];
    fault_set_reached(change_everything);
    back_up(w);
    /* What was kept for the backup has gone with it. */
    char tmp[TEST_PATH_MAX];
    path_in(tmp, w->store, "tmp");
    assert_int_equal(count_entries(tmp), 0);
    for (size_t i = 0; i < EXTENTS; i++) {
        struct extent_reader *reader;
        assert_err(extent_open(w->engine, &w->extent[i], VIEW_WAIT, &reader), ERR_NOT_FOUND);
    }
    restore(w, &restored);
    check_restored(w, BODIES, EXTENTS);
    struct engine *engine = open_store(w->restored);
    assert_int_equal(get_setting(engine, "state", value, sizeof(value)), strlen("before"));
    assert_err(check_body(engine, 1000, BODY), ERR_NOT_FOUND);
    engine_close(engine);
}

struct put_pair {
    struct update update;
    uint64_t number;
};

static enum err apply_pair(struct update *update, struct tx *tx)
{
    struct put_pair *pair = (struct put_pair *)(void *)update;
    char text[24];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)pair->number);
    struct setting_row a = {.name = STR("a"), .value = str_of(text, (size_t)len)};
    struct setting_row b = {.name = STR("b"), .value = str_of(text, (size_t)len)};
    TRY(row_put(tx, TABLE_setting, &a));
    return row_put(tx, TABLE_setting, &b);
}

struct load {
    struct world *w;
    bool stop;
    uint64_t begun, acknowledged;
};

/* Pairs that are always equal, bodies that are put and deleted (so that segments are emptied), extents that come and go. */
static void *run_load(void *context)
{
    struct load *load = context;
    struct world *w = load->w;
    static char body[BODY];
    for (uint64_t i = 1; !__atomic_load_n(&load->stop, __ATOMIC_ACQUIRE); i++) {
        struct put_pair pair = {{.apply = apply_pair}, i};
        __atomic_store_n(&load->begun, i, __ATOMIC_RELEASE);
        assert_ok(catalog_update_wait(w->engine, &pair.update));
        __atomic_store_n(&load->acknowledged, i, __ATOMIC_RELEASE);
        fill_bytes(body, BODY, 5000 + i % 10);
        assert_ok(put_body(w->engine, 5000 + i % 10, body, BODY));
        if (i % 8 == 0) {
            remove_extent(w, i / 8 % EXTENTS);
            add_extent(w, i / 8 % EXTENTS);
        }
    }
    return NULL;
}

static uint64_t number_of(struct engine *engine, const char *name)
{
    char text[24];
    uint64_t number = 0;
    int len = get_setting(engine, name, text, sizeof(text));
    if (len > 0)
        assert_ok(str_to_u64(str_of(text, (size_t)len), &number));
    return number;
}

static struct load load;
static pthread_t load_thread;
static bool is_load_running;

static void begin_load(struct world *w)
{
    load = (struct load){.w = w};
    assert_int_equal(pthread_create(&load_thread, NULL, run_load, &load), 0);
    is_load_running = true;
}

static void end_load(void)
{
    if (!is_load_running)
        return;
    is_load_running = false;
    __atomic_store_n(&load.stop, true, __ATOMIC_RELEASE);
    assert_int_equal(pthread_join(load_thread, NULL), 0);
}

/* Also of a case that has failed. */
static int load_teardown(void **state)
{
    end_load();
    return backup_teardown(state);
}

static void backups_under_load_are_consistent(void **state)
{
    enum { ROUNDS = 6 };
    struct world *w = *state;
    char base[TEST_PATH_MAX] = "";
    fault_skip_syncs();
    begin_load(w);
    for (int round = 0; round < ROUNDS; round++) {
        struct local_backup_result result;
        struct local_restored restored;
        struct fail fail = {0};
        char name[32], target[TEST_PATH_MAX];
        (void)snprintf(name, sizeof(name), "backup-%d", round);
        path_in(target, w->root, name);
        uint64_t before = __atomic_load_n(&load.acknowledged, __ATOMIC_ACQUIRE);
        enum err err = back_up_to(w, target, base[0] ? base : NULL, &result, &fail);
        uint64_t after = __atomic_load_n(&load.begun, __ATOMIC_ACQUIRE);
        if (err != OK)
            print_error("%s: %s %s\n", fail.detail, w->finding[0].where, w->finding[0].what);
        assert_ok(err);
        assert_ok(restore_to(w, target, w->restored, &restored, &fail));
        struct engine *engine = open_store(w->restored);
        uint64_t a = number_of(engine, "a");
        assert_int_equal(a, number_of(engine, "b"));
        assert_in_range(a, before, after);
        assert_in_range(restored.extent_count, EXTENTS - 1, EXTENTS);
        engine_close(engine);
        remove_folder(w->restored);
        memcpy(base, target, sizeof(base));
    }
    end_load();
}

/* ---- Bases ---- */

static ino_t inode_of(const char *folder, const char *name)
{
    struct stat status;
    assert_int_equal(stat(file_in(folder, name), &status), 0);
    return status.st_ino;
}

static void unchanged_files_are_linked(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct local_restored restored;
    char second[TEST_PATH_MAX];
    path_in(second, w->root, "second");
    back_up(w);
    remove_extent(w, 0);
    add_extent(w, 0);
    add_bodies(w->engine, BODIES, BODIES + 1);
    assert_ok(back_up_to(w, second, w->backup, &result, NULL));
    assert_true(result.linked_file_count >= EXTENTS - 1);
    assert_true(result.linked_byte_count >= (EXTENTS - 1) * (uint64_t)EXTENT);
    assert_true(result.byte_count > result.linked_byte_count);
    char name[TEST_PATH_MAX];
    (void)snprintf(name, sizeof(name), "extents/%02x/%016llx", (unsigned)(w->extent[1].id & 0xFF),
                   (unsigned long long)w->extent[1].id);
    assert_int_equal(inode_of(second, name), inode_of(w->backup, name));
    assert_int_equal(inode_of(second, "log/0000000000000001.log"),
                     inode_of(w->backup, "log/0000000000000001.log"));
    assert_ok(restore_to(w, second, w->restored, &restored, NULL));
    assert_int_equal(restored.object_count, BODIES + 1);
    check_restored(w, BODIES + 1, EXTENTS);
}

/* Nothing happened in between: everything but the keys and the limit is linked. */
static void idle_store_costs_next_to_nothing(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    char second[TEST_PATH_MAX];
    path_in(second, w->root, "second");
    back_up(w);
    assert_ok(back_up_to(w, second, w->backup, &result, NULL));
    assert_in_range(result.byte_count - result.linked_byte_count, 1, 1000);
}

/* A file that is shorter than its manifest says, or another one, is not linked. */
static void base_is_not_believed(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct local_restored restored;
    char second[TEST_PATH_MAX], file[TEST_PATH_MAX + 64];
    path_in(second, w->root, "second");
    back_up(w);
    (void)snprintf(file, sizeof(file), "%s/extents/%02x/%016llx", w->backup,
                   (unsigned)(w->extent[2].id & 0xFF), (unsigned long long)w->extent[2].id);
    assert_int_equal(truncate(file, 10), 0);
    path_in(file, w->backup, "log/0000000000000001.log");
    flip_byte(file, 30); /* of the header's epoch */
    assert_ok(back_up_to(w, second, w->backup, &result, NULL));
    assert_ok(restore_to(w, second, w->restored, &restored, NULL));
    check_restored(w, BODIES, EXTENTS);
}

static void what_cannot_be_linked_is_copied(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct local_restored restored;
    char second[TEST_PATH_MAX];
    path_in(second, w->root, "second");
    back_up(w);
    fault_set(FAULT_LINK, 0, EXDEV, true);
    assert_ok(back_up_to(w, second, w->backup, &result, NULL));
    assert_int_equal(result.linked_file_count, 0);
    assert_ok(restore_to(w, second, w->restored, &restored, NULL));
    check_restored(w, BODIES, EXTENTS);
}

static void wrong_bases_are_refused(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    char second[TEST_PATH_MAX], other[TEST_PATH_MAX];
    path_in(second, w->root, "second");
    path_in(other, w->root, "other");
    back_up(w);
    struct fail fail = {0};
    assert_err(back_up_to(w, second, w->store, &result, &fail), ERR_BAD_INPUT);
    assert_non_null(strstr(fail.detail, "manifest"));
    assert_false(exists(w->root, "second"));
    struct engine *engine = w->engine;
    w->engine = open_store(other);
    fail = (struct fail){0};
    assert_err(back_up_to(w, second, w->backup, &result, &fail), ERR_BAD_INPUT);
    assert_non_null(strstr(fail.detail, "another store"));
    engine_close(w->engine);
    w->engine = engine;
    assert_false(exists(w->root, "second"));
}

/* ---- Targets ---- */

static void target_that_is_not_empty_is_refused(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct fail fail = {0};
    assert_int_equal(mkdir(w->backup, 0700), 0);
    assert_ok(file_replace(AT_FDCWD, file_in(w->backup, "photo"), STR("dear"), 0600));
    assert_err(back_up_to(w, w->backup, NULL, &result, &fail), ERR_EXISTS);
    assert_int_equal(file_size(file_in(w->backup, "photo")), 4);
    assert_int_equal(count_entries(w->backup), 1);
}

static void finished_backup_is_not_written_over(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct local_restored restored;
    back_up(w);
    assert_ok(file_replace(AT_FDCWD, file_in(w->backup, "unfinished"), STR(""), 0600));
    assert_err(back_up_to(w, w->backup, NULL, &result, NULL), ERR_EXISTS);
    restore(w, &restored);
}

static void empty_target_is_used_and_kept(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    assert_int_equal(mkdir(w->backup, 0700), 0);
    fault_set(FAULT_RENAME, 0, EIO, false);
    assert_err(back_up_to(w, w->backup, NULL, &result, NULL), ERR_IO);
    assert_true(exists(w->root, "backup"));
    assert_int_equal(count_entries(w->backup), 0);
    back_up(w);
}

static void target_in_the_data_folder_is_refused(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct fail fail = {0};
    char inside[TEST_PATH_MAX];
    path_in(inside, w->store, "extents/backup");
    assert_err(back_up_to(w, inside, NULL, &result, &fail), ERR_BAD_INPUT);
    assert_non_null(strstr(fail.detail, "data folder"));
    assert_false(exists(w->store, "extents/backup"));
    assert_err(back_up_to(w, w->store, NULL, &result, &fail), ERR_EXISTS);
    assert_ok(check_body(w->engine, 0, BODY));
}

/* ---- Breaking off ---- */

static void backup_that_did_not_end_is_none(void **state)
{
    struct world *w = *state;
    struct local_restored restored;
    struct fail fail = {0};
    back_up(w);
    /* As a crash before the last step leaves it. */
    assert_ok(file_replace(AT_FDCWD, file_in(w->backup, "unfinished"), STR(""), 0600));
    assert_int_equal(unlink(file_in(w->backup, "manifest")), 0);
    assert_err(restore_to(w, w->backup, w->restored, &restored, &fail), ERR_NOT_FOUND);
    assert_false(exists(w->root, "restored"));
    back_up(w);
    restore(w, &restored);
    check_restored(w, BODIES, EXTENTS);
}

static bool is_stop_wanted;

static void stop_soon(void *context, const struct local_progress *progress)
{
    (void)context;
    if (progress->done > 0)
        __atomic_store_n(&is_stop_wanted, true, __ATOMIC_RELAXED);
}

/* Also one that would take for ever at its rate. */
static void cancelled_backup_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct local_backup_options options = {
        .target = w->backup, .rate_bytes = 1, .progress = stop_soon, .stop = &is_stop_wanted};
    is_stop_wanted = false;
    assert_err(local_backup(w->engine, &options, &result, NULL), ERR_CANCELLED);
    assert_false(exists(w->root, "backup"));
    assert_ok(check_body(w->engine, 0, BODY));
}

static void full_target_is_told_and_cleaned(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct fail fail = {0};
    fault_set_partial_write(100);
    fault_set(FAULT_WRITE, 3, ENOSPC, true);
    assert_err(back_up_to(w, w->backup, NULL, &result, &fail), ERR_NO_SPACE);
    assert_non_null(strstr(fail.detail, w->backup));
    assert_false(exists(w->root, "backup"));
    fault_clear();
    back_up(w);
}

static void target_that_is_too_small_is_refused_at_once(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct fail fail = {0};
    fault_set_space(100000, 100 << 20);
    assert_err(back_up_to(w, w->backup, NULL, &result, &fail), ERR_NO_SPACE);
    assert_false(exists(w->root, "backup"));
}

/* Whatever call fails, the backup is there as a whole or not at all, and the store is none the worse. */
static void any_call_may_fail(void **state)
{
    struct world *w = *state;
    static const enum fault_call calls[] = {FAULT_OPEN, FAULT_READ,   FAULT_WRITE,
                                            FAULT_SYNC, FAULT_RENAME, FAULT_SYNC_DATA};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        enum err err = ERR_IO;
        for (unsigned nth = 0; err != OK; nth += 1 + nth / 8) {
            struct local_backup_result result;
            fault_clear();
            fault_skip_syncs();
            fault_set(calls[i], nth, EIO, false);
            err = back_up_to(w, w->backup, NULL, &result, NULL);
            fault_clear();
            if (err != OK)
                assert_false(exists(w->root, "backup"));
        }
        struct local_restored restored;
        restore(w, &restored);
        remove_folder(w->restored);
        remove_folder(w->backup);
    }
    for (uint64_t i = 0; i < BODIES; i++)
        assert_ok(check_body(w->engine, i, BODY));
    assert_ok(put_setting(w->engine, "still", STR("writable")));
}

/* ---- Damage ---- */

static void damage_of_the_store_is_named_and_not_backed_up(void **state)
{
    struct world *w = *state;
    struct local_backup_result result;
    struct fail fail = {0};
    char name[TEST_PATH_MAX + 64];
    (void)snprintf(name, sizeof(name), "extents/%02x/%016llx", (unsigned)(w->extent[1].id & 0xFF),
                   (unsigned long long)w->extent[1].id);
    flip_byte(file_in(w->store, name), 200000);
    (void)snprintf(name, sizeof(name), "%s/extents/%02x/%016llx", w->store,
                   (unsigned)(w->extent[3].id & 0xFF), (unsigned long long)w->extent[3].id);
    assert_int_equal(unlink(name), 0);
    assert_err(back_up_to(w, w->backup, NULL, &result, &fail), ERR_CORRUPT);
    assert_int_equal(w->finding_count, 2);
    (void)snprintf(name, sizeof(name), "%016llx", (unsigned long long)w->extent[1].id);
    assert_true(is_named(w, name));
    assert_false(exists(w->root, "backup"));
}

/* ---- Deletions ---- */

static struct turns {
    _Atomic bool holds_keeper, is_held, is_frozen;
    _Atomic unsigned retired_count, synced_count;
} turns;

/* Once a segment was emptied the compaction waits until the backup has that one; then it may go on with the next, and the backup waits
 * for it. */
static void take_turns(const char *place)
{
    enum { STEPS = 150, STEP_US = 20000 };
    if (strcmp(place, "segment.emptied") == 0 && turns.holds_keeper) {
        turns.holds_keeper = false;
        turns.is_held = true;
        while (turns.is_held)
            (void)usleep(1000);
    }
    if (strcmp(place, "segment.retired") == 0)
        turns.retired_count++;
    if (strcmp(place, "backup.frozen") == 0)
        turns.is_frozen = true;
    if (strcmp(place, "copier.synced") != 0 || !turns.is_frozen || ++turns.synced_count != 2)
        return;
    turns.is_held = false;
    for (int i = 0; i < STEPS && turns.retired_count < 2; i++)
        (void)usleep(STEP_US);
}

static enum err apply_deletions(struct update *update, struct tx *tx)
{
    (void)update;
    for (uint64_t i = 0; i < BODIES; i++) {
        struct object_row row = {.bucket_id = 1, .key = str_of(&i, sizeof(i))};
        TRY(row_delete(tx, TABLE_object, &row));
    }
    return OK;
}

/* A backup that has the segment with what was deleted must have the one with the deletions, too. */
static void what_was_deleted_stays_deleted(void **state)
{
    enum { LEN = 20000, REWRITTEN = 100, REWRITES = 11, LARGE = 60000 };
    struct world *w = *state;
    struct local_restored restored;
    struct update deletions = {.apply = apply_deletions, .flags = UPDATE_FREES};
    static char bytes[LARGE];
    engine_close(w->engine);
    remove_folder(w->store);
    w->engine = open_store_with(w->store, &fault_io);
    turns = (struct turns){.holds_keeper = true};
    for (uint64_t i = 0; i < 12; i++) {
        fill_bytes(bytes, LEN, i);
        assert_ok(put_body(w->engine, i, bytes, LEN));
    }
    fill_bytes(bytes, LARGE, REWRITTEN);
    for (int i = 0; i < REWRITES; i++)
        assert_ok(put_body(w->engine, REWRITTEN, bytes, LEN));
    fault_set_reached(take_turns);
    assert_ok(catalog_update_wait(w->engine, &deletions));
    assert_ok(put_body(w->engine, REWRITTEN, bytes, LARGE));
    for (int i = 0; i < 5000 && !turns.is_held; i++)
        (void)usleep(1000);
    assert_true(turns.is_held);
    back_up(w);
    fault_set_reached(NULL);
    turns.is_held = false;
    restore(w, &restored);
    assert_int_equal(restored.object_count, 1);
    struct engine *engine = open_store(w->restored);
    for (uint64_t i = 0; i < 12; i++)
        assert_err(check_body(engine, i, LEN), ERR_NOT_FOUND);
    engine_close(engine);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, backup_setup, backup_teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_is_restored_is_what_was_there),
        CASE(restored_store_has_nothing_of_later),
        CASE(empty_store_is_backed_up_too),
        CASE(store_that_was_not_written_to_since_its_start_is_backed_up),
        CASE(backup_of_a_restored_store_is_a_backup),
        CASE(backup_is_proved_where_it_lies),
        CASE(state_is_that_of_one_moment),
        cmocka_unit_test_setup_teardown(backups_under_load_are_consistent, backup_setup,
                                        load_teardown),
        CASE(unchanged_files_are_linked),
        CASE(idle_store_costs_next_to_nothing),
        CASE(base_is_not_believed),
        CASE(what_cannot_be_linked_is_copied),
        CASE(wrong_bases_are_refused),
        CASE(target_that_is_not_empty_is_refused),
        CASE(finished_backup_is_not_written_over),
        CASE(empty_target_is_used_and_kept),
        CASE(target_in_the_data_folder_is_refused),
        CASE(backup_that_did_not_end_is_none),
        CASE(cancelled_backup_leaves_nothing),
        CASE(full_target_is_told_and_cleaned),
        CASE(target_that_is_too_small_is_refused_at_once),
        CASE(any_call_may_fail),
        CASE(damage_of_the_store_is_named_and_not_backed_up),
        CASE(what_was_deleted_stays_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
