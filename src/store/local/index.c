/* Options that matter, and why:
 *  - no write-ahead log: the store's own log is one.
 *  - every block's checksum is verified on every read from disk, and in compactions.
 *  - full Bloom filters: most updates ask first for a row that is not there.
 *  - filters and block indexes live in the block cache, in pieces, so that memory stays within the setting however large
 *    the index is.
 *  - files with many deletions are compacted soon, and a walk that must not wait gives up where it passes many: what was deleted
 *    is walked over until then.
 *  - one thread flushes, one compacts, the second at low priority of the CPU. */
#include "store/local/index.h"

#include <errno.h>
#include <fcntl.h>
#include <rocksdb/c.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

enum {
    BLOCK_BYTES = 8 << 10,
    BLOOM_BITS = 10,
    CACHE_MIN_BYTES = 16 << 20,
    MEMTABLES_MAX = 3,
    OPEN_FILES_MAX = 256,
    INFO_LOG_BYTES = 1 << 20,
    INFO_LOGS_KEPT = 2,
    /* Nothing: one more than the highest level. RocksDB 7.8 ends the process when it goes on with a log file that it could not
     * write to, which a full disk brings about. What fails is told to who called, too. */
    INFO_LOG_NONE = 6,
    ROOM_BYTES = 64 << 10, /* that must be there at a start */
    TIER_BLOCK_CACHE = 1,  /* rocksdb's kBlockCacheTier: what is in memory, no I/O */
    TABLE_FORMAT = 5,
    /* A file is compacted for its deletions when so many of so many entries in a row are such. */
    DELETION_WINDOW = 4096,
    DELETION_TRIGGER = 2048,
    /* Entries that a step of a walk may pass over on a loop: a tenth of a millisecond or so. */
    NOWAIT_SKIPS_MAX = 1000,
};

#define ROOM_NAME "room"

struct index {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table_options;
    rocksdb_cache_t *cache;
    size_t cache_bytes; /* at most */
    rocksdb_env_t *env;
    rocksdb_writeoptions_t *write_options;
    rocksdb_readoptions_t *read_newest, *read_newest_nowait;
};

struct index_view {
    struct index *index;
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *read, *read_nowait;
};

struct index_iter {
    rocksdb_iterator_t *it;
    rocksdb_readoptions_t *read;
    char *bounds; /* `from` and `end`, which RocksDB borrows */
};

struct index_batch {
    rocksdb_writebatch_t *batch;
};

/* ---- Errors ---- */

/* Takes RocksDB's message: the name of its code, what it was doing, and the system's words. */
static enum err translate(char *message, struct fail *fail)
{
    static const struct {
        const char *words;
        enum err err;
    } codes[] = {
        {"Result incomplete", ERR_WOULD_BLOCK},    {"Corruption", ERR_CORRUPT},
        {"Not implemented", ERR_CORRUPT}, /* a format that is not known */
        {"No space left on device", ERR_NO_SPACE}, {"Disk quota exceeded", ERR_NO_SPACE},
        {"Too many open files", ERR_UNAVAILABLE},
    };
    if (!message)
        return OK;
    enum err err = ERR_IO;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]) && err == ERR_IO; i++)
        if (strstr(message, codes[i].words))
            err = codes[i].err;
    if (err != ERR_WOULD_BLOCK) {
        (void)fail_set(fail, err, NULL, "index: %s", message);
        log_event(LOG_DEBUG, "index", "an operation failed", LOG_STR("status", str_from(message)));
    }
    rocksdb_free(message);
    return err;
}

/* ---- Opening ---- */

static rocksdb_block_based_table_options_t *make_table_options(rocksdb_cache_t *cache)
{
    rocksdb_block_based_table_options_t *options = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(options, cache);
    rocksdb_block_based_options_set_block_size(options, BLOCK_BYTES);
    rocksdb_block_based_options_set_format_version(options, TABLE_FORMAT);
    rocksdb_block_based_options_set_filter_policy(
        options, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_data_block_index_type(
        options, rocksdb_block_based_table_data_block_index_type_binary_search_and_hash);
    rocksdb_block_based_options_set_index_type(
        options, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(options, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(options, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(options, 1);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(options, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(options, 1);
    return options;
}

static void set_options(rocksdb_options_t *options, size_t memtable_bytes)
{
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_paranoid_checks(options, 1);
    rocksdb_options_set_write_buffer_size(options, memtable_bytes);
    rocksdb_options_set_max_write_buffer_number(options, MEMTABLES_MAX);
    rocksdb_options_set_memtable_whole_key_filtering(options, 1);
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, 0.02);
    rocksdb_options_set_allow_concurrent_memtable_write(options, 0);
    rocksdb_options_set_max_open_files(options, OPEN_FILES_MAX);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_max_background_jobs(options, 2);
    rocksdb_options_set_bytes_per_sync(options, 1 << 20);
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
    rocksdb_options_set_skip_checking_sst_file_sizes_on_db_open(options, 1);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_info_log_level(options, INFO_LOG_NONE);
    rocksdb_options_set_max_log_file_size(options, INFO_LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(options, INFO_LOGS_KEPT);
    rocksdb_options_add_compact_on_deletion_collector_factory(options, DELETION_WINDOW,
                                                              DELETION_TRIGGER);
}

static rocksdb_env_t *make_env(void)
{
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_env_set_high_priority_background_threads(env, 1);
    rocksdb_env_set_background_threads(env, 1);
    rocksdb_env_lower_thread_pool_cpu_priority(env);
    return env;
}

static rocksdb_readoptions_t *make_read_options(const rocksdb_snapshot_t *snapshot, bool nowait)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(options, 1);
    if (snapshot)
        rocksdb_readoptions_set_snapshot(options, snapshot);
    if (nowait) {
        rocksdb_readoptions_set_read_tier(options, TIER_BLOCK_CACHE);
        rocksdb_readoptions_set_max_skippable_internal_keys(options, NOWAIT_SKIPS_MAX);
    }
    return options;
}

/* RocksDB 7.8 writes a few lines at the front of its log file whatever it is told, and ends the process when it cannot. So that is
 * found out before. A folder that is not there yet is RocksDB's to make. */
static enum err check_room(const char *path, struct fail *fail)
{
    static const char zeroes[ROOM_BYTES];
    FD_SCOPED int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return OK;
    FD_SCOPED int fd = openat(dir, ROOM_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum err err = fd < 0 ? err_from_errno(errno) : fd_write_full(fd, zeroes, sizeof(zeroes));
    (void)unlinkat(dir, ROOM_NAME, 0);
    return err == OK ? OK
                     : fail_set(fail, err, NULL, "index/ cannot be written: %s", err_fact(err));
}

uint64_t index_disk_bytes(struct index *index)
{
    uint64_t bytes = 0;
    if (rocksdb_property_int(index->db, "rocksdb.total-sst-files-size", &bytes) != 0)
        return 0;
    return bytes;
}

/* Blocks of files that are gone stay in the cache until others push them out. So it is no larger than what there is to keep, and a
 * small index that is often rewritten does not fill it. */
static void fit_cache(struct index *index)
{
    uint64_t wanted = CACHE_MIN_BYTES + index_disk_bytes(index) / 4 * 5;
    rocksdb_cache_set_capacity(index->cache,
                               wanted < index->cache_bytes ? wanted : index->cache_bytes);
}

enum err index_open(const struct index_options *options, struct index **out_index,
                    struct fail *fail)
{
    TRY(check_room(options->path, fail));
    struct index *index = mem_new(struct index);
    index->env = make_env();
    index->cache = rocksdb_cache_create_lru(options->cache_bytes);
    index->cache_bytes = options->cache_bytes;
    index->table_options = make_table_options(index->cache);
    index->options = rocksdb_options_create();
    rocksdb_options_set_env(index->options, index->env);
    rocksdb_options_set_block_based_table_factory(index->options, index->table_options);
    set_options(index->options, options->memtable_bytes);
    index->write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(index->write_options, 1);
    index->read_newest = make_read_options(NULL, false);
    index->read_newest_nowait = make_read_options(NULL, true);
    char *message = NULL;
    index->db = rocksdb_open(index->options, options->path, &message);
    enum err err = translate(message, fail);
    if (err != OK) {
        index_close(index);
        return err;
    }
    fit_cache(index);
    *out_index = index;
    return OK;
}

void index_close(struct index *index)
{
    if (!index)
        return;
    if (index->db)
        rocksdb_close(index->db);
    rocksdb_readoptions_destroy(index->read_newest);
    rocksdb_readoptions_destroy(index->read_newest_nowait);
    rocksdb_writeoptions_destroy(index->write_options);
    rocksdb_options_destroy(index->options);
    rocksdb_block_based_options_destroy(index->table_options);
    rocksdb_cache_destroy(index->cache);
    rocksdb_env_destroy(index->env);
    mem_free(index);
}

/* RocksDB removes its own files only, and the folder when nothing else is in it: check_room may have been killed. */
static void remove_room(const char *path)
{
    FD_SCOPED int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0)
        (void)unlinkat(dir, ROOM_NAME, 0);
}

enum err index_destroy(const char *path, struct fail *fail)
{
    char *message = NULL;
    remove_room(path);
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_destroy_db(options, path, &message);
    rocksdb_options_destroy(options);
    return translate(message, fail);
}

enum err index_flush(struct index *index)
{
    char *message = NULL;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, 1);
    rocksdb_flush(index->db, options, &message);
    rocksdb_flushoptions_destroy(options);
    fit_cache(index);
    return translate(message, NULL);
}

uint64_t index_cached_bytes(struct index *index)
{
    return rocksdb_cache_get_usage(index->cache);
}

/* ---- Views and single entries ---- */

struct index_view *index_view_new(struct index *index)
{
    struct index_view *view = mem_new(struct index_view);
    view->index = index;
    view->snapshot = rocksdb_create_snapshot(index->db);
    view->read = make_read_options(view->snapshot, false);
    view->read_nowait = make_read_options(view->snapshot, true);
    return view;
}

void index_view_free(struct index_view *view)
{
    if (!view)
        return;
    rocksdb_readoptions_destroy(view->read);
    rocksdb_readoptions_destroy(view->read_nowait);
    rocksdb_release_snapshot(view->index->db, view->snapshot);
    mem_free(view);
}

enum err index_get(struct index *index, const struct index_view *view, str key,
                   enum view_flags flags, struct index_pin *out_pin)
{
    const rocksdb_readoptions_t *options;
    if (view)
        options = flags & VIEW_NOWAIT ? view->read_nowait : view->read;
    else
        options = flags & VIEW_NOWAIT ? index->read_newest_nowait : index->read_newest;
    char *message = NULL;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned(index->db, options, key.ptr, key.len, &message);
    if (message)
        return translate(message, NULL);
    if (!slice)
        return ERR_NOT_FOUND;
    out_pin->handle = slice;
    out_pin->value.ptr = rocksdb_pinnableslice_value(slice, &out_pin->value.len);
    /* No entry is empty. It is how RocksDB says, when it must not read, that a file that it has not open may have the key. */
    if (out_pin->value.len > 0 || !(flags & VIEW_NOWAIT))
        return OK;
    index_pin_release(out_pin);
    return ERR_WOULD_BLOCK;
}

void index_pin_release(struct index_pin *pin)
{
    if (pin->handle)
        rocksdb_pinnableslice_destroy(pin->handle);
    *pin = (struct index_pin){0};
}

/* ---- Iterators ---- */

struct index_iter *index_iter_new(struct index *index, const struct index_view *view, str from,
                                  str end, enum view_flags flags)
{
    struct index_iter *iter = mem_new(struct index_iter);
    iter->bounds = mem_alloc(mem_size_add(from.len, end.len));
    memcpy(iter->bounds, from.ptr, from.len);
    memcpy(iter->bounds + from.len, end.ptr, end.len);
    iter->read = make_read_options(view ? view->snapshot : NULL, flags & VIEW_NOWAIT);
    rocksdb_readoptions_set_iterate_lower_bound(iter->read, iter->bounds, from.len);
    rocksdb_readoptions_set_iterate_upper_bound(iter->read, iter->bounds + from.len, end.len);
    iter->it = rocksdb_create_iterator(index->db, iter->read);
    return iter;
}

void index_iter_free(struct index_iter *iter)
{
    if (!iter)
        return;
    rocksdb_iter_destroy(iter->it);
    rocksdb_readoptions_destroy(iter->read);
    mem_free(iter->bounds);
    mem_free(iter);
}

static enum err where(const struct index_iter *iter)
{
    if (rocksdb_iter_valid(iter->it))
        return OK;
    char *message = NULL;
    rocksdb_iter_get_error(iter->it, &message);
    return message ? translate(message, NULL) : ERR_NOT_FOUND;
}

enum err index_iter_seek(struct index_iter *iter, str key)
{
    rocksdb_iter_seek(iter->it, key.ptr, key.len);
    return where(iter);
}

enum err index_iter_seek_before(struct index_iter *iter, str key)
{
    rocksdb_iter_seek_for_prev(iter->it, key.ptr, key.len);
    return where(iter);
}

enum err index_iter_next(struct index_iter *iter)
{
    rocksdb_iter_next(iter->it);
    return where(iter);
}

enum err index_iter_prev(struct index_iter *iter)
{
    rocksdb_iter_prev(iter->it);
    return where(iter);
}

str index_iter_key(const struct index_iter *iter)
{
    str key;
    key.ptr = rocksdb_iter_key(iter->it, &key.len);
    return key;
}

str index_iter_value(const struct index_iter *iter)
{
    str value;
    value.ptr = rocksdb_iter_value(iter->it, &value.len);
    return value;
}

/* ---- Batches ---- */

struct index_batch *index_batch_new(void)
{
    struct index_batch *batch = mem_new(struct index_batch);
    batch->batch = rocksdb_writebatch_create();
    return batch;
}

void index_batch_free(struct index_batch *batch)
{
    if (!batch)
        return;
    rocksdb_writebatch_destroy(batch->batch);
    mem_free(batch);
}

void index_batch_put(struct index_batch *batch, str key, str value)
{
    rocksdb_writebatch_put(batch->batch, key.ptr, key.len, value.ptr, value.len);
}

void index_batch_delete(struct index_batch *batch, str key)
{
    rocksdb_writebatch_delete(batch->batch, key.ptr, key.len);
}

enum err index_write(struct index *index, struct index_batch *batch)
{
    char *message = NULL;
    rocksdb_write(index->db, index->write_options, batch->batch, &message);
    enum err err = translate(message, NULL);
    if (err != ERR_NO_SPACE)
        rocksdb_writebatch_clear(batch->batch);
    return err;
}
