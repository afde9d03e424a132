/* A store that lives through many crashes: at each named place, with any part of what was not synced lost. After each one every
 * acknowledged update is there, none is there by half, none that came before another one is missing, and extents have the bytes they were
 * given. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <pthread.h>
#include <cmocka.h>

#include "crash_io.h"
#include "store/local/local_engine.h"

#define assert_ok(actual) assert_string_equal(err_name(actual), "OK")

enum {
    LIVES = 4,
    UPDATES_A_LIFE = 300,
    UPDATES_MAX = 3000, /* where a place is reached seldom */
    IN_FLIGHT = 8,
    KEYS = 40,        /* objects, overwritten again and again */
    LAG = 50,         /* updates after which a row is deleted */
    EXTENT_STEP = 32, /* updates that come with an extent */
    EXTENTS_KEPT = 2, /* each takes the row of an older one away, and its file after that */
    BODY_MAX = 9000,
    EXTENT_BYTES = 300000,
    SEGMENT_BYTES = 64 << 10,
    ARENA_CAP = 256 << 20,
};

enum kind {
    OFTEN,
    SELDOM,     /* lives are longer, and end there early */
    REBUILDING, /* while the index is made again, after a life */
};

#define AT_THE_END "at the end"

static const struct place {
    const char *name;
    enum kind kind;
} places[] = {
    {"log.writing", OFTEN},        {"log.written", OFTEN},        {"log.synced", OFTEN},
    {"log.sealed", OFTEN},         {"index.applying", OFTEN},     {"index.applied", OFTEN},
    {"index.flushing", SELDOM},    {"index.flushed", SELDOM},     {"index.swapping", REBUILDING},
    {"index.swapped", REBUILDING}, {"index.renamed", REBUILDING}, {"segment.zeroing", SELDOM},
    {"segment.allocated", OFTEN},  {"segment.filled", OFTEN},     {"segment.named", OFTEN},
    {"segment.emptied", SELDOM},   {"segment.retiring", SELDOM},  {"segment.retired", SELDOM},
    {"segment.reused", SELDOM},    {"slice.writing", SELDOM},     {"slice.written", SELDOM},
    {"extent.writing", SELDOM},    {"extent.written", SELDOM},    {"extent.synced", SELDOM},
    {"extent.linked", SELDOM},     {"extent.named", SELDOM},      {"extent.dropping", SELDOM},
    {"extent.dropped", SELDOM},    {AT_THE_END, OFTEN},
};
static const struct place at_the_end = {AT_THE_END, OFTEN};
enum { PLACE_COUNT = sizeof(places) / sizeof(places[0]) };
#define NOT_REACHED UINT64_MAX /* told by a life that came to its end */

static void fill(void *dst, size_t len, uint64_t seed)
{
    unsigned char *at = dst;
    uint64_t x = (seed + 1) * 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        at[i] = (unsigned char)(x >> 24);
    }
}

static size_t body_length(uint64_t i)
{
    return (size_t)(i * 797 % BODY_MAX);
}

static struct engine *open_engine(const char *path, const struct io *io)
{
    struct fail fail = {0};
    struct engine *engine = NULL;
    struct local_options options = {.data_dir = path, .segment_bytes = SEGMENT_BYTES, .io = io};
    if (local_engine_open(&options, &engine, &fail) != OK) {
        (void)fprintf(stderr, "open: %s\n", fail.detail);
        return NULL;
    }
    return engine;
}

/* ---- The process that will die ---- */

struct step {
    struct update update;
    struct worker *worker;
    uint64_t number;
    struct extent_row extent; /* id 0: none */
    uint64_t dropped_id;      /* of an extent whose row this update takes away; 0: none */
    struct arena *arena;
    bool is_free;
};

struct worker {
    struct engine *engine;
    int acknowledged; /* pipe: numbers of updates that were answered */
    pthread_mutex_t mutex;
    pthread_cond_t has_free;
    struct step step[IN_FLIGHT];
};

static enum err put_parts(struct tx *tx, uint64_t i)
{
    char text[16];
    fill(text, sizeof(text), i);
    struct part_row row = {.upload_id = 1, .number = i, .size = i * 7};
    TRY(row_put(tx, TABLE_part, &row));
    row = (struct part_row){.upload_id = 2, .number = i, .md5 = str_of(text, sizeof(text))};
    TRY(row_put(tx, TABLE_part, &row));
    row = (struct part_row){.upload_id = 3, .number = i};
    TRY(row_put(tx, TABLE_part, &row));
    if (i < LAG)
        return OK;
    row.number = i - LAG;
    return row_delete(tx, TABLE_part, &row);
}

/* The row of the extent that came with that update. */
static enum err take_extent(struct tx *tx, uint64_t number, uint64_t *out_id)
{
    struct extent_row from = {0}, row;
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_extent, &from, 0, &cursor));
    enum err err;
    do
        err = cursor_next(cursor, &row);
    while (err == OK && row.created_ms != number);
    cursor_close(cursor);
    TRY(err);
    *out_id = row.id;
    return row_delete(tx, TABLE_extent, &row);
}

static enum err apply_step(struct update *update, struct tx *tx)
{
    static char body[BODY_MAX]; /* one update is applied at a time */
    struct step *step = (struct step *)(void *)update;
    uint64_t i = step->number, key = i % KEYS;
    TRY(put_parts(tx, i));
    struct object_row object = {
        .bucket_id = 1,
        .key = str_of(&key, sizeof(key)),
        .size = i,
        .body = {.bytes = body, .length = body_length(i)},
    };
    fill(body, body_length(i), i);
    TRY(row_put(tx, TABLE_object, &object));
    if (step->extent.id)
        TRY(row_put(tx, TABLE_extent, &step->extent));
    if (step->extent.id && i >= EXTENTS_KEPT * EXTENT_STEP)
        TRY(take_extent(tx, i - EXTENTS_KEPT * EXTENT_STEP, &step->dropped_id));
    struct usage_row usage = {.bucket_id = 1};
    enum err err = row_get(tx, TABLE_usage, &usage, step->arena);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    usage.object_count++;
    return row_put(tx, TABLE_usage, &usage);
}

static void answered(struct update *update, enum err result)
{
    struct step *step = (struct step *)(void *)update;
    struct worker *worker = step->worker;
    if (result != OK || write(worker->acknowledged, &step->number, sizeof(step->number)) < 0)
        _exit(3);
    pthread_mutex_lock(&worker->mutex);
    step->is_free = true;
    pthread_cond_signal(&worker->has_free);
    pthread_mutex_unlock(&worker->mutex);
}

static struct step *wait_for_step(struct worker *worker)
{
    struct step *found = NULL;
    pthread_mutex_lock(&worker->mutex);
    for (;;) {
        for (size_t i = 0; i < IN_FLIGHT && !found; i++)
            if (worker->step[i].is_free)
                found = &worker->step[i];
        if (found)
            break;
        pthread_cond_wait(&worker->has_free, &worker->mutex);
    }
    found->is_free = false;
    pthread_mutex_unlock(&worker->mutex);
    if (found->dropped_id && extent_drop(worker->engine, found->dropped_id) != OK)
        _exit(9);
    found->dropped_id = 0;
    return found;
}

static void store_extent(struct step *step)
{
    struct engine *engine = step->worker->engine;
    struct extent_writer *writer;
    char *bytes = mem_alloc_aligned(4096, EXTENT_BYTES);
    size_t block = extent_block_size(engine);
    fill(bytes, EXTENT_BYTES, step->number);
    if (extent_begin(engine, EXTENT_BYTES, &writer) != OK)
        _exit(4);
    for (size_t at = 0; at < EXTENT_BYTES; at += block)
        if (extent_write(writer, bytes + at, EXTENT_BYTES - at < block ? EXTENT_BYTES - at : block,
                         at) != OK)
            _exit(5);
    if (extent_seal(writer, EXTENT_BYTES, step->arena, &step->extent) != OK)
        _exit(6);
    mem_free(bytes);
    step->extent.created_ms = step->number; /* tells what is in it */
}

static void live_and_die(const char *path, int acknowledged, uint64_t first, uint64_t end)
{
    struct worker worker = {.engine = open_engine(path, &crash_io),
                            .acknowledged = acknowledged,
                            .mutex = PTHREAD_MUTEX_INITIALIZER,
                            .has_free = PTHREAD_COND_INITIALIZER};
    if (!worker.engine)
        _exit(2);
    for (size_t i = 0; i < IN_FLIGHT; i++)
        worker.step[i] = (struct step){.update = {.apply = apply_step, .done = answered},
                                       .worker = &worker,
                                       .arena = arena_new(ARENA_CAP),
                                       .is_free = true};
    for (uint64_t i = first; i < end; i++) {
        struct step *step = wait_for_step(&worker);
        arena_reset(step->arena);
        step->number = i;
        step->extent = (struct extent_row){0};
        if (i % EXTENT_STEP == 0)
            store_extent(step);
        catalog_update(worker.engine, &step->update);
    }
    uint64_t marker = NOT_REACHED;
    if (write(acknowledged, &marker, sizeof(marker)) < 0)
        _exit(10);
    crash_now();
}

/* The same for one that makes the index again. */
static void rebuild_and_die(const char *path, int told)
{
    struct local_options options = {
        .data_dir = path, .segment_bytes = SEGMENT_BYTES, .io = &crash_io};
    struct fail fail = {0};
    uint64_t marker = NOT_REACHED;
    if (local_rebuild_index(&options, NULL, NULL, &fail) != OK) {
        (void)fprintf(stderr, "rebuild: %s\n", fail.detail);
        _exit(11);
    }
    if (write(told, &marker, sizeof(marker)) < 0)
        _exit(10);
    crash_now();
}

/* ---- The process that looks ---- */

struct checked {
    struct engine *engine;
    struct tx *tx;
    struct arena *arena;
    uint64_t count; /* updates that are there: 0 to count - 1 */
    uint64_t extent_count;
};

static bool has_part(struct checked *checked, uint64_t upload_id, uint64_t number,
                     struct part_row *out_row)
{
    *out_row = (struct part_row){.upload_id = upload_id, .number = number};
    enum err err = row_get(checked->tx, TABLE_part, out_row, checked->arena);
    if (err != ERR_NOT_FOUND)
        assert_ok(err);
    return err == OK;
}

static void check_parts(struct checked *checked, uint64_t end)
{
    struct part_row row;
    for (uint64_t i = 0; i < end; i++) {
        bool is_there = i < checked->count;
        assert_int_equal(has_part(checked, 1, i, &row), is_there);
        if (is_there)
            assert_int_equal(row.size, i * 7);
        assert_int_equal(has_part(checked, 2, i, &row), is_there);
        if (is_there) {
            char text[16];
            fill(text, sizeof(text), i);
            assert_int_equal(row.md5.len, sizeof(text));
            assert_memory_equal(row.md5.ptr, text, sizeof(text));
        }
        assert_int_equal(has_part(checked, 3, i, &row), is_there && i + LAG >= checked->count);
    }
}

static void check_objects(struct checked *checked)
{
    static char expected[BODY_MAX], actual[BODY_MAX];
    for (uint64_t key = 0; key < KEYS; key++) {
        struct object_row row = {.bucket_id = 1, .key = str_of(&key, sizeof(key))};
        enum err err = row_get(checked->tx, TABLE_object, &row, checked->arena);
        if (key >= checked->count) {
            assert_string_equal(err_name(err), "NOT_FOUND");
            continue;
        }
        assert_ok(err);
        uint64_t newest = (checked->count - 1 - key) / KEYS * KEYS + key;
        assert_int_equal(row.size, newest);
        assert_int_equal(row.body.length, body_length(newest));
        fill(expected, body_length(newest), newest);
        assert_ok(blob_read(checked->tx, &row.body, actual));
        assert_memory_equal(actual, expected, body_length(newest));
    }
}

static void check_extent(struct checked *checked, const struct extent_row *row, uint64_t number)
{
    struct extent_reader *reader;
    size_t room = 2 * extent_block_size(checked->engine);
    char *expected = arena_alloc(checked->arena, EXTENT_BYTES);
    char *dst = arena_alloc(checked->arena, room);
    assert_int_equal(row->length, EXTENT_BYTES);
    fill(expected, EXTENT_BYTES, number);
    assert_ok(extent_open(checked->engine, row, VIEW_WAIT, &reader));
    for (size_t at = 0; at < EXTENT_BYTES;) {
        str data;
        assert_ok(extent_read(reader, at, dst, room, VIEW_WAIT, &data));
        assert_memory_equal(data.ptr, expected + at, data.len);
        at += data.len;
    }
    extent_close(reader);
}

static void check_extents(struct checked *checked)
{
    struct extent_row from = {0}, row;
    struct cursor *cursor;
    enum err err;
    uint64_t count = 0;
    assert_ok(cursor_open(checked->tx, TABLE_extent, &from, 0, &cursor));
    for (; (err = cursor_next(cursor, &row)) == OK; count++)
        check_extent(checked, &row, row.created_ms);
    assert_string_equal(err_name(err), "NOT_FOUND");
    cursor_close(cursor);
    uint64_t all = (checked->count + EXTENT_STEP - 1) / EXTENT_STEP;
    assert_int_equal(count, all < EXTENTS_KEPT ? all : EXTENTS_KEPT);
    checked->extent_count = count;
}

static enum err drop_orphan(void *context, uint64_t id)
{
    struct checked *checked = context;
    struct extent_row row = {.id = id};
    enum err err = row_get(checked->tx, TABLE_extent, &row, checked->arena);
    return err == ERR_NOT_FOUND ? extent_drop(checked->engine, id) : err;
}

static enum err count_file(void *context, uint64_t id)
{
    uint64_t *count = context;
    (void)id;
    ++*count;
    return OK;
}

/* What a crash has left without a row goes, and nothing else is left. */
static void check_orphans(struct checked *checked)
{
    uint64_t count = 0;
    assert_ok(extent_each(checked->engine, drop_orphan, checked));
    assert_ok(extent_each(checked->engine, count_file, &count));
    assert_int_equal(count, checked->extent_count);
}

/* How many updates the store holds, after everything was compared. */
static uint64_t check_store(const char *path, uint64_t acknowledged, uint64_t end)
{
    struct checked checked = {.engine = open_engine(path, NULL), .arena = arena_new(ARENA_CAP)};
    assert_non_null(checked.engine);
    assert_ok(view_begin(checked.engine, VIEW_WAIT, &checked.tx));
    struct usage_row usage = {.bucket_id = 1};
    enum err err = row_get(checked.tx, TABLE_usage, &usage, checked.arena);
    if (err != ERR_NOT_FOUND)
        assert_ok(err);
    checked.count = usage.object_count;
    assert_true(checked.count >= acknowledged && checked.count <= end);
    check_parts(&checked, end);
    check_objects(&checked);
    check_extents(&checked);
    check_orphans(&checked);
    view_end(checked.tx);
    engine_close(checked.engine);
    arena_free(checked.arena);
    return checked.count;
}

/* A process of its own, not a fork of this one: the index's library does not live on in a fork. */
static pid_t start_life(const char *path, int acknowledged, uint64_t numbers[2], const char *place,
                        uint64_t nth, uint64_t seed)
{
    char text[5][32];
    (void)snprintf(text[0], sizeof(text[0]), "%d", acknowledged);
    (void)snprintf(text[1], sizeof(text[1]), "%" PRIu64, numbers[0]);
    (void)snprintf(text[2], sizeof(text[2]), "%" PRIu64, numbers[1]);
    (void)snprintf(text[3], sizeof(text[3]), "%" PRIu64, nth);
    (void)snprintf(text[4], sizeof(text[4]), "%" PRIu64, seed);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)execl("/proc/self/exe", "test_crash", path, text[0], text[1], text[2], place, text[3],
                    text[4], NULL);
        _exit(7);
    }
    return child;
}

/* One life: from update `first` on. Returns how many there are afterwards; counts in reached_count whether the place was reached. */
static uint64_t one_life(const char *path, uint64_t first, const struct place *place, unsigned nth,
                         uint64_t seed, unsigned *reached_count)
{
    int pipes[2], status;
    uint64_t number, acknowledged = first;
    uint64_t updates = place->kind == OFTEN        ? UPDATES_A_LIFE
                       : place->kind == REBUILDING ? 0
                                                   : UPDATES_MAX;
    uint64_t numbers[2] = {first, first + updates};
    bool is_reached = true;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = start_life(path, pipes[1], numbers, place->name, nth, seed);
    close(pipes[1]);
    while (read(pipes[0], &number, sizeof(number)) == (ssize_t)sizeof(number)) {
        if (number == NOT_REACHED)
            is_reached = false;
        else if (number + 1 > acknowledged)
            acknowledged = number + 1;
    }
    *reached_count += is_reached;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return check_store(path, acknowledged, numbers[1]);
}

static uint64_t number_of(const char *text)
{
    uint64_t number;
    if (str_to_u64(str_from(text), &number) != OK)
        _exit(8);
    return number;
}

static int live(char **argument)
{
    int told = (int)number_of(argument[2]);
    uint64_t first = number_of(argument[3]), end = number_of(argument[4]);
    crash_at(argument[5], (unsigned)number_of(argument[6]), number_of(argument[7]));
    if (first == end)
        rebuild_and_die(argument[1], told);
    live_and_die(argument[1], told, first, end);
    return 1;
}

/* All lives of a store, which end at the same place. */
static void outlive(const char *path, const struct place *place, uint64_t seed)
{
    uint64_t count = 0;
    unsigned reached_count = 0;
    for (unsigned life = 0; life < LIVES; life++) {
        /* Mostly early, so that lives are short; now and then at the very first time. */
        unsigned nth = place->kind == OFTEN ? life * life % 23 : place->kind == SELDOM ? life : 0;
        unsigned ignored = 0;
        if (place->kind == REBUILDING)
            count = one_life(path, count, &at_the_end, 0, seed + LIVES, &ignored);
        count = one_life(path, count, place, nth, seed++, &reached_count);
    }
    assert_true(count > 0);
    if (reached_count == 0 && strcmp(place->name, AT_THE_END) != 0)
        fail_msg("no life came to %s", place->name);
    /* The log alone tells the same. */
    struct local_options options = {.data_dir = path, .segment_bytes = SEGMENT_BYTES};
    struct fail fail = {0};
    assert_ok(local_rebuild_index(&options, NULL, NULL, &fail));
    assert_int_equal(check_store(path, count, count + 1), count);
}

static void store_outlives_crashes(void **state)
{
    (void)state;
    char path[256], command[300];
    const char *parent = getenv("TMPDIR");
    for (size_t i = 0; i < PLACE_COUNT; i++) {
        (void)snprintf(path, sizeof(path), "%s/pail-crash-XXXXXX", parent ? parent : "/tmp");
        assert_non_null(mkdtemp(path));
        outlive(path, &places[i], i * LIVES + 1);
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", path);
        assert_int_equal(system(command), 0);
    }
}

/* Without arguments the test; with them one life of it. */
int main(int argc, char **argv)
{
    if (argc == 8)
        return live(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_outlives_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
