/* The index: what it answers while it may not read from disk. */
#include "local_support.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/local/index.h"

enum {
    FILES_COUNT = 60, /* well over what RocksDB opens at once when it starts */
    OPENINGS_MAX = 20,
};

static char path[TEST_PATH_MAX + 8];

static str key_of(char *space, size_t size, int number)
{
    return (str){space, (size_t)snprintf(space, size, "key %04d", number)};
}

/* An index of many files, as one over millions of objects is; each has a key. The index's own interface would merge them. */
static void make_files(void)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_disable_auto_compactions(options, 1);
    rocksdb_options_set_level0_slowdown_writes_trigger(options, 10 * FILES_COUNT);
    rocksdb_options_set_level0_stop_writes_trigger(options, 10 * FILES_COUNT);
    char *message = NULL;
    rocksdb_t *db = rocksdb_open(options, path, &message);
    assert_null(message);
    rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    for (int i = 0; i < FILES_COUNT; i++) {
        char space[20];
        str key = key_of(space, sizeof(space), i);
        rocksdb_put(db, write, key.ptr, key.len, key.ptr, key.len, &message);
        rocksdb_flush(db, flush, &message);
        assert_null(message);
    }
    rocksdb_flushoptions_destroy(flush);
    rocksdb_writeoptions_destroy(write);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
}

/* How many keys were not to be had without reading. None may seem to have an empty entry, or not to be there. */
static int count_of_blocked(struct index *index)
{
    int count = 0;
    for (int i = 0; i < FILES_COUNT; i++) {
        char space[20];
        str key = key_of(space, sizeof(space), i);
        struct index_pin pin = {0};
        enum err err = index_get(index, NULL, key, VIEW_NOWAIT, &pin);
        if (err == OK)
            assert_true(str_eq(pin.value, key));
        else
            assert_int_equal(err, ERR_WOULD_BLOCK);
        count += err == ERR_WOULD_BLOCK;
        index_pin_release(&pin);
        assert_int_equal(index_get(index, NULL, key, 0, &pin), OK);
        assert_true(str_eq(pin.value, key));
        index_pin_release(&pin);
    }
    return count;
}

/* RocksDB may merge the files, and open them for that, before the first is asked for: then the index is made again. */
static void a_file_that_is_not_open_is_no_empty_entry(void **state)
{
    (void)state;
    int blocked = 0;
    for (int i = 0; i < OPENINGS_MAX && blocked == 0; i++) {
        assert_int_equal(index_destroy(path, NULL), OK);
        make_files();
        struct index_options options = {
            .path = path, .cache_bytes = 1 << 20, .memtable_bytes = 1 << 20};
        struct index *index;
        assert_int_equal(index_open(&options, &index, NULL), OK);
        blocked = count_of_blocked(index);
        index_close(index);
    }
    assert_true(blocked > 0);
}

enum {
    ENTRIES_COUNT = 10000,
    ENTRY_BYTES = 1000,
    REWRITES_COUNT = 30,
};

/* Puts every entry anew, and reads each once it is on disk. */
static void rewrite_all(struct index *index, char fill)
{
    char space[20], value[ENTRY_BYTES];
    memset(value, fill, sizeof(value));
    struct index_batch *batch = index_batch_new();
    for (int i = 0; i < ENTRIES_COUNT; i++)
        index_batch_put(batch, key_of(space, sizeof(space), i), str_of(value, sizeof(value)));
    assert_int_equal(index_write(index, batch), OK);
    index_batch_free(batch);
    assert_int_equal(index_flush(index), OK);
    for (int i = 0; i < ENTRIES_COUNT; i++) {
        struct index_pin pin;
        assert_int_equal(index_get(index, NULL, key_of(space, sizeof(space), i), 0, &pin), OK);
        assert_int_equal(pin.value.ptr[0], fill);
        index_pin_release(&pin);
    }
}

/* Until what was rewritten is compacted, which takes its time on a busy machine. */
static void await_small(struct index *index, uint64_t bytes)
{
    enum { TRIES = 600, WAIT_US = 100000 };
    for (int i = 0; i < TRIES && index_disk_bytes(index) > bytes; i++)
        (void)usleep(WAIT_US);
}

/* An index of 10 MB that is written thirty times: blocks of files that are gone must not fill a cache of 250. */
static void the_cache_is_no_larger_than_the_index(void **state)
{
    (void)state;
    struct index_options options = {
        .path = path, .cache_bytes = 250 << 20, .memtable_bytes = 64 << 20};
    struct index *index;
    assert_int_equal(index_destroy(path, NULL), OK);
    assert_int_equal(index_open(&options, &index, NULL), OK);
    for (int i = 0; i < REWRITES_COUNT; i++)
        rewrite_all(index, (char)('a' + i));
    await_small(index, 60 << 20);
    assert_int_equal(index_flush(index), OK);
    assert_in_range(index_cached_bytes(index), 1, (32 << 20) + index_disk_bytes(index) / 4 * 5);
    index_close(index);
}

/* Also with the file in it that an open which was killed has left. */
static void what_is_destroyed_is_gone(void **state)
{
    (void)state;
    struct index_options options = {
        .path = path, .cache_bytes = 16 << 20, .memtable_bytes = 1 << 20};
    struct index *index;
    char command[TEST_PATH_MAX + 16];
    assert_int_equal(index_open(&options, &index, NULL), OK);
    index_close(index);
    (void)snprintf(command, sizeof(command), "touch '%s/room'", path);
    assert_int_equal(system(command), 0);
    assert_int_equal(index_destroy(path, NULL), OK);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    char folder[TEST_PATH_MAX];
    make_folder(folder);
    (void)snprintf(path, sizeof(path), "%s/index", folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_not_open_is_no_empty_entry),
        cmocka_unit_test(the_cache_is_no_larger_than_the_index),
        cmocka_unit_test(what_is_destroyed_is_gone),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_folder(folder);
    return failed;
}
