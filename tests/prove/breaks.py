"""The breaks: what is done to the source on purpose, which promise (docs/reliability.md) it takes away, and who must notice.

To add one: a row of BREAKS. An edit is (file, text that is there once, what stands there instead)."""

import collections

# ---- Who is asked: ways.py knows how ----

Way = collections.namedtuple("Way", "kind words")


def oracle(mode, *words):
    """tests/crash/oracle.py."""
    return Way("oracle", ("--mode", mode, *words))


def suite(name):
    """A test of the suite, by meson's name."""
    return Way("suite", (name,))


CONSISTENCY = Way("consistency", ())
POWER_EXT4, POWER_XFS = oracle("power", "--fs", "ext4"), oracle("power", "--fs", "xfs")
KILL, POINT, FORGET, DAMAGE = (oracle(mode) for mode in ("kill", "point", "forget", "damage"))
SLOW = ("--slow-ms", "20")
SLOW_POWER, SLOW_FORGET, SLOW_KILL = oracle("power", "--fs", "ext4", *SLOW), oracle("forget", *SLOW), oracle("kill", *SLOW)
TEST_BACKUP, TEST_RESTORE, CRASH_BACKUP = suite("store_test_backup"), suite("store_test_restore"), suite("store-crash-backup")
COST = [suite("object-cost-mem"), suite("object-cost-local")]

# ---- Files ----

LOG, COMMIT, EXTENTS, RECORD, SCAN, COMPACT, ROWS = (
    f"src/store/local/{name}.c" for name in ("log", "commit", "extents", "record", "log_scan", "compact", "local_rows")
)
ENGINE, FREEZE, BACKUP, COPIER, MANIFEST, RESTORE, TREE = (
    f"src/store/local/{name}.c" for name in ("local_engine", "freeze", "backup", "copier", "manifest", "restore", "tree")
)
BLOCKS, RUN, HEAD = "src/store/blocks.c", "src/app/server_run.c", "src/http/head.c"
BUCKET, BUDGET, COMPLETE, LIST, OBJECT, REFS, STORE, VERSION_LIST = (
    f"src/object/{name}.c" for name in ("bucket", "budget", "complete", "list", "object", "refs", "store", "version_list")
)

# ---- Longer texts ----

SYNC_LOG = "    TRY(io_sync_data(log->dir.io, log->active->fd));\n    log->durable = log->sequence;\n"
WRITE_THEN_SYNC = "    err = store_log_sync(engine->log);\n"
PUBLISH = "    (void)snapshot_publish(&engine->snapshots, engine->index);\n"
SELDOM_PUBLISH = """    static unsigned batches;
    if (++batches % 16 != 0)
        (void)snapshot_publish(&engine->snapshots, engine->index);
"""
VERIFY_BLOCK = "        if (crc32c_update(0, at, size) != get_le32(row->block_crcs.ptr + block * CRC_BYTES))\n            return ERR_CORRUPT;\n"
VERIFY_BLOB = "    return crc32c_update(0, dst, blob->length) == blob->crc32c ? OK : ERR_CORRUPT;\n"
VERIFY_RECORD = "    return check_of(bytes, record->payload_length) == record->check ? OK : ERR_CORRUPT;\n"
DROP_ORPHANS = "server->are_orphans_dropped ? OK : drop_orphans(server, fail)"
COMMIT_AND_ANSWER = """            enum err err = engine->commit->batch.record_count ? commit_batch(engine) : OK;
            answer(engine, err);
"""
ANSWER_AND_COMMIT = """            struct commit *commit = engine->commit;
            for (size_t i = 0; i < commit->answered_count; i++)
                commit->answered[i].update->done(commit->answered[i].update, commit->answered[i].result);
            commit->answered_count = 0;
            enum err err = commit->batch.record_count ? commit_batch(engine) : OK;
            answer(engine, err);
"""
LET_EXTENT_GO = "    return garbage_add(tx, GARBAGE_EXTENT, extent_id);\n"
CHECK_IN_COMMIT = "    TRY(conditions_check_write(&put->conditions, current));\n"
PUT_START = "    put->row.size = body_length(put->body);\n"
CHECK_BEFORE = PUT_START + """    struct tx *tx;
    struct object_row row, *current;
    if (view_begin(put->op.store->engine, VIEW_WAIT, &tx) == OK) {
        enum err err = current_get(tx, put->op.bucket_id, put->row.key, put->op.arena, &row, &current);
        if (err == OK)
            err = conditions_check_write(&put->conditions, current);
        view_end(tx);
        if (err != OK) {
            put->op.done(&put->op, err);
            return;
        }
    }
"""
SKIP_BY_SEEK = "    *out_err = cursor_seek(walk->cursor, &from);\n    return true;\n"
SKIP_BY_WALK = """    struct object_row row, first = {.bucket_id = from.bucket_id, .key = s};
    struct cursor *cursor;
    *out_err = cursor_open(walk->cursor->tx, TABLE_object, &first, 1, &cursor);
    while (*out_err == OK && cursor_next(cursor, &row) == OK && str_has_prefix(row.key, s))
        ;
    cursor_close(cursor);
""" + SKIP_BY_SEEK
SEEK_OLDER = "    TRY(cursor_seek(walk->older.cursor, &older));\n    return older_next(walk);\n"
WALK_OLDER = """    do
        TRY(older_next(walk));
    while (walk->older.has_row && str_cmp(walk->older.row.key, older.key) < 0);
    return OK;
"""
SUM_OF_USAGE = "    *out_sum = sum;\n"
SUM_OF_OBJECTS = """    struct object_row first = {.bucket_id = bucket_id}, object;
    TRY(cursor_open(tx, TABLE_object, &first, 1, &cursor));
    for (sum.object_count = 0; (err = cursor_next(cursor, &object)) == OK;)
        sum.object_count++;
    cursor_close(cursor);
""" + SUM_OF_USAGE
BISECT_PIECES = "    while (after > 0 && low < high) {\n"
WALK_PIECES = """    struct piece_row start = {.manifest_id = row->manifest_id}, step;
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_piece, &start, 1, &cursor));
    while (cursor_next(cursor, &step) == OK && step.part_number <= after)
        low = step.offset + step.length;
    cursor_close(cursor);
    while (false) {
"""
CHECK_PARTS = "    for (size_t i = 0; i < c->args->part_count; i++)\n        TRY(part_check(c, i));\n"
WALK_PARTS = CHECK_PARTS + """    struct part_row from = {.upload_id = c->upload.id}, row;
    struct cursor *cursor;
    TRY(cursor_open(c->tx, TABLE_part, &from, 1, &cursor));
    while (cursor_next(cursor, &row) == OK)
        ;
    cursor_close(cursor);
"""
GIVE_BACK = "    budget->free_bytes += fitting(budget, bytes);\n"
LOSE_ONE_IN_THIRTY = """    static unsigned given;
    if (++given % 30 != 0)
        budget->free_bytes += fitting(budget, bytes);
"""

# ---- The table: the promise (0: of none alone), what is done, the edits, and who is asked ----

Break = collections.namedtuple("Break", "promise what edits ways")

BREAKS = {
    # What was acknowledged is on stable storage.
    "log-not-synced": Break(
        1, "answers when the log was written, not when it was synced",
        [(LOG, SYNC_LOG, "    log->durable = log->sequence;\n")],
        [POWER_EXT4, POWER_XFS, FORGET],
    ),
    "index-before-sync": Break(
        1, "others see a row before it is durable",
        [(COMMIT, WRITE_THEN_SYNC, "    err = OK;\n"), (COMMIT, PUBLISH, PUBLISH + "    TRY(store_log_sync(engine->log));\n")],
        [SLOW_POWER, SLOW_FORGET],
    ),
    "extent-not-synced": Break(
        1, "a large body is committed before its bytes are synced",
        [(EXTENTS, "    TRY(io_sync_data(store->io, writer->fd));\n", "")],
        [FORGET],
    ),
    "extent-folder-not-synced": Break(
        1, "a large body is committed before its name is synced",
        [(EXTENTS, "        err = io_sync(store->io, folder);\n", "        err = OK;\n        (void)folder;\n")],
        [POWER_EXT4, POWER_XFS, FORGET],
    ),
    "answer-before-commit": Break(
        1, "answers before the log has the change",
        [(COMMIT, COMMIT_AND_ANSWER, ANSWER_AND_COMMIT)],
        [KILL, SLOW_FORGET],
    ),
    "backup-files-not-synced": Break(
        1, "the files of a backup are not synced",
        [(COPIER, "    TRY(io_sync_data(copier->io, fd));\n", "")],
        [CRASH_BACKUP],
    ),
    "backup-manifest-not-synced": Break(
        1, "the manifest of a backup is not synced",
        [(MANIFEST, "    TRY(io_sync(writer->io, writer->fd));\n", "")],
        [CRASH_BACKUP],
    ),
    # After a crash each change is there whole or not at all.
    "records-not-verified": Break(
        2, "a torn end of the log is taken for records",
        [(RECORD, VERIFY_RECORD, "    return OK;\n")],
        [SLOW_FORGET, suite("store_test_log")],
    ),
    "chain-not-compared": Break(
        2, "a record is taken although it does not follow the one before it",
        [(SCAN, "    return record->chain == scan->chain &&\n           (scan", "    return (scan")],
        [suite("store_test_log")],
    ),
    "end-not-doubted": Break(
        2, "recovery does not look for acknowledged records behind a torn end",
        [(SCAN, "    return found ? damage(at, fail) : OK;\n", "    (void)damage;\n    return OK;\n")],
        [suite("fuzz-log"), suite("store_test_log")],
    ),
    "failed-sync-believed": Break(
        2, "a start takes what a failed sync left in memory for durable",
        [(SCAN, "        err = write_again(log, segment->fd, &scan);\n", "        (void)write_again;\n")],
        [suite("store_test_failed_sync")],
    ),
    "refused-write-left": Break(
        2, "whole records of a write that found no room stay in the log",
        [(LOG, "err == ERR_NO_SPACE && take_back(log) == OK ? ERR_NO_SPACE : ERR_IO", "err == ERR_NO_SPACE ? err : ERR_IO")],
        [suite("store_test_recovery")],
    ),
    "missing-segment-passed": Break(
        2, "a file of the log that is missing behind the index's position is taken for given back",
        [(SCAN, "recovery.is_whole = from->segment == 0;", "recovery.is_whole = true;")],
        [suite("store_test_recovery")],
    ),
    "emptied-too-soon": Break(
        2, "a segment is given back while the newest snapshot has a row in it",
        [(COMPACT, "        err = catalog_update_wait(&engine->base, &slice.update);\n    if (err == OK)\n        store_log_set_empty", "        err = OK;\n    if (err == OK)\n        store_log_set_empty")],
        [suite("store_test_compact")],
    ),
    "backup-lets-segments-go": Break(
        2, "segments are given back while a backup copies the log",
        [(COMPACT, "    if (local_is_frozen(engine))\n        return OK;\n", "")],
        [suite("store_test_backup")],
    ),
    "deletions-forgotten": Break(
        2, "compaction drops deletions although an older segment may hold what they delete",
        [(COMPACT, "change->kind == CHANGE_DELETE && !slice->keeps_deletions", "change->kind == CHANGE_DELETE")],
        [KILL, suite("store_test_compact")],
    ),
    "extent-dropped-early": Break(
        2, "the old body is removed before the change that lets it go is durable",
        [
            (REFS, '#include "object/store_int.h"\n', '#include "object/store_int.h"\n#include "store/engine_ops.h"\n'),
            (REFS, LET_EXTENT_GO, "    (void)extent_drop(tx->engine, extent_id);\n" + LET_EXTENT_GO),
        ],
        [SLOW_KILL, SLOW_FORGET],
    ),
    "old-rebuild-goes-on": Break(
        2, "an index is made in what an interrupted rebuild has left, instead of anew",
        [(ENGINE, "    TRY(index_destroy(engine->dir.new_index_path, fail));\n", "")],
        [POINT, suite("store-crash")],
    ),
    "orphans-not-dropped": Break(
        2, "extents that a crash left are not looked for",
        [(RUN, DROP_ORPHANS, "OK")],
        [KILL],
    ),
    "backup-drops-extents": Break(
        2, "extents are dropped while a backup needs them",
        [(FREEZE, "    *out_kept = is_needed(engine, id);\n", "    *out_kept = is_needed(engine, id) && false;\n")],
        [TEST_BACKUP],
    ),
    "backup-of-newest-position": Break(
        2, "a backup's position is that of the newest state, not of the one that is held",
        [(BACKUP, "local_read_position(backup->engine, backup->freeze.snapshot->view, ", "local_read_position(backup->engine, NULL, ")],
        [TEST_BACKUP],
    ),
    "backup-without-seal": Break(
        2, "the seal behind the cut of a backup's log is left out",
        [(BACKUP, "        TRY(write_seal(copy, fd, file));\n", "        (void)write_seal;\n")],
        [TEST_BACKUP],
    ),
    "backup-log-too-short": Break(
        2, "the log of a backup may end before the position in its manifest",
        [(RESTORE, "    if (!is_right)\n", "    if (!is_right && false)\n")],
        [TEST_RESTORE],
    ),
    # A read after a write sees it.
    "condition-before-commit": Break(
        3, "conditions of PUT are checked before the commit instead of in it",
        [(OBJECT, CHECK_IN_COMMIT, ""), (OBJECT, PUT_START, CHECK_BEFORE)],
        [CONSISTENCY],
    ),
    "stale-snapshot": Break(
        3, "one commit in sixteen is not seen before the next one",
        [(COMMIT, PUBLISH, SELDOM_PUBLISH)],
        [CONSISTENCY],
    ),
    "condition-of-delete-ignored": Break(
        3, "If-Match of DELETE is passed over",
        [(OBJECT, "    TRY(delete_conditions(entry, current));\n", "")],
        [CONSISTENCY],
    ),
    # Wrong bytes are never served.
    "reads-not-verified": Break(
        4, "bytes are served without comparing their checksums",
        [(BLOCKS, VERIFY_BLOCK, "        (void)at;\n"), (ROWS, VERIFY_BLOB, "    return OK;\n")],
        [DAMAGE],
    ),
    "backup-reads-not-verified": Break(
        4, "the store's extents are not compared with their checksums when they are backed up",
        [(BLOCKS, VERIFY_BLOCK, "        (void)at;\n")],
        [TEST_BACKUP],
    ),
    "backup-base-believed": Break(
        4, "files of a backup's base are taken whatever their length and checksum",
        [
            (BACKUP, " == OK && size == base->file.size;\n", " == OK;\n"),
            (BACKUP, "                backup->base.file.crc32c == crc_of_extent(row);\n", "                (crc_of_extent(row) || true);\n"),
        ],
        [TEST_BACKUP],
    ),
    "restore-not-verified": Break(
        4, "the files of a backup are not compared with its manifest",
        [(RESTORE, "    if (crc != file->crc32c)\n", "    if (false)\n")],
        [TEST_RESTORE],
    ),
    "manifest-not-verified": Break(
        4, "the manifest of a backup is not compared with its checksum",
        [(MANIFEST, "    bool is_right = check == expected && ", "    (void)expected;\n    bool is_right = ")],
        [TEST_RESTORE],
    ),
    # What an operation costs does not follow what is stored.
    "list-walks": Break(
        5, "a list walks over every key of a folder that it shows as one prefix",
        [(LIST, SKIP_BY_SEEK, SKIP_BY_WALK)],
        COST,
    ),
    "version-list-walks": Break(
        5, "a list of versions walks over every version in a folder",
        [(VERSION_LIST, SEEK_OLDER, WALK_OLDER)],
        COST,
    ),
    "usage-walks": Break(
        5, "the usage of a bucket is counted by walking over its objects",
        [(BUCKET, SUM_OF_USAGE, SUM_OF_OBJECTS)],
        COST,
    ),
    "part-walks": Break(
        5, "a part of an object is found by walking over those before it",
        [(OBJECT, BISECT_PIECES, WALK_PIECES)],
        COST,
    ),
    "complete-walks": Break(
        5, "Complete walks over the parts that it was not asked for",
        [(COMPLETE, CHECK_PARTS, WALK_PARTS)],
        COST,
    ),
    # Memory is bounded by settings.
    "io-buffers-ignored": Break(
        6, "memory for bodies on their way is without bound, whatever --io-buffers says",
        [(STORE, "    size_t half = options->io_buffer_bytes / 2;\n", "    size_t half = (size_t)1 << 40;\n")],
        [suite("app-program-memory")],
    ),
    "buffers-lost": Break(
        6, "one buffer in thirty is not given back",
        [(BUDGET, GIVE_BACK, LOSE_ONE_IN_THIRTY)],
        [suite("hostile-plain")],
    ),
    # Of no promise by itself.
    "backup-leavings-kept": Break(
        0, "what was written of a backup stays after a failure",
        [(BACKUP, "    if (err != OK && backup->is_target_ours)\n", "    if (false)\n")],
        [TEST_BACKUP],
    ),
    "restore-leavings-kept": Break(
        0, "a restore that failed is kept",
        [(RESTORE, "    if (err != OK)\n        tree_discard(&restore->outer, restore->outer_path);\n", "")],
        [TEST_RESTORE],
    ),
    "backup-marker-ignored": Break(
        0, "a backup that did not end is not removed before the next one",
        [(BACKUP, "    if (err == ERR_EXISTS && has_entry(tree, MARKER) &&", "    if (false && has_entry(tree, MARKER) &&")],
        [TEST_BACKUP],
    ),
    "backup-used-folder": Break(
        0, "a backup and a restore go into folders that are not empty",
        [(TREE, "    if (err == OK && !tree->is_made)\n", "    if (false)\n")],
        [TEST_BACKUP, TEST_RESTORE],
    ),
    "smuggling": Break(
        0, "a request with both a length and a transfer coding is served",
        [(HEAD, "    if (seen.has_coding && (request->has_length || is_old))\n", "    if (seen.has_coding && is_old)\n")],
        [suite("wire"), suite("hostile-plain")],
    ),
}
