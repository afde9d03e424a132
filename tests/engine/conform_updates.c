/* Updates from many threads at once, and what views see of them. */
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 100 };

/* ---- Counting: no increment is lost, none counts twice ---- */

static enum err add_one(struct tx *tx, void *context)
{
    struct arena *arena = context;
    struct usage_row row = {.bucket_id = 1};
    enum err err = row_get(tx, TABLE_usage, &row, arena);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    row.object_count++;
    return row_put(tx, TABLE_usage, &row);
}

static void *count_up(void *context)
{
    struct subject *subject = context;
    struct subject own = *subject;
    own.arena = arena_new(1 << 20);
    for (int i = 0; i < ROUNDS; i++)
        if (run_update(&own, add_one, own.arena) != OK)
            abort();
    arena_free(own.arena);
    return NULL;
}

static void concurrent_increments_are_all_counted(void **state)
{
    struct subject *subject = *state;
    pthread_t thread[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, count_up, subject), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    struct usage_row row = {.bucket_id = 1};
    assert_ok(get_row(subject, TABLE_usage, &row));
    assert_int_equal(row.object_count, THREADS * ROUNDS);
    struct engine_stats stats;
    engine_stats(subject->engine, &stats);
    assert_true(stats.updates >= THREADS * ROUNDS);
    assert_true(stats.batches <= stats.updates);
    assert_false(stats.is_read_only);
}

/* ---- Many updates in flight, some of which fail ---- */

enum { FLIGHT = 500 };

struct flight {
    pthread_mutex_t mutex;
    pthread_cond_t landed;
    size_t landed_count;
};

struct flying_update {
    struct update update;
    struct flight *flight;
    uint64_t number;
    int done_count;
    enum err result;
};

/* Each third fails, before or after it wrote something. */
static enum err expected_result(uint64_t number)
{
    return number % 3 == 1 ? ERR_PRECONDITION_FAILED : OK;
}

static enum err apply_flying(struct update *update, struct tx *tx)
{
    struct flying_update *flying = (struct flying_update *)(void *)update;
    uint64_t number = flying->number;
    if (expected_result(number) != OK && number % 2)
        return expected_result(number);
    TRY(row_put(tx, TABLE_part, &(struct part_row){.upload_id = 1, .number = number, .size = 1}));
    TRY(row_put(tx, TABLE_part, &(struct part_row){.upload_id = 2, .number = number, .size = 2}));
    /* All write to one row as well, so that undoing one touches what another wrote. */
    TRY(row_put(tx, TABLE_part, &(struct part_row){.upload_id = 3, .size = number}));
    return expected_result(number);
}

static void land(struct update *update, enum err result)
{
    struct flying_update *flying = (struct flying_update *)(void *)update;
    struct flight *flight = flying->flight;
    pthread_mutex_lock(&flight->mutex);
    flying->done_count++;
    flying->result = result;
    flight->landed_count++;
    pthread_cond_signal(&flight->landed);
    pthread_mutex_unlock(&flight->mutex);
}

static void done_comes_exactly_once_with_the_result(void **state)
{
    struct subject *subject = *state;
    struct flight flight = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct flying_update *flying = mem_new_array(struct flying_update, FLIGHT);
    for (uint64_t i = 0; i < FLIGHT; i++) {
        flying[i] = (struct flying_update){
            .update = {.apply = apply_flying, .done = land}, .flight = &flight, .number = i};
        catalog_update(subject->engine, &flying[i].update);
    }
    pthread_mutex_lock(&flight.mutex);
    while (flight.landed_count < FLIGHT)
        pthread_cond_wait(&flight.landed, &flight.mutex);
    pthread_mutex_unlock(&flight.mutex);
    struct tx *tx = begin_view(subject);
    for (uint64_t i = 0; i < FLIGHT; i++) {
        assert_int_equal(flying[i].done_count, 1);
        assert_err(flying[i].result, expected_result(i));
        for (uint64_t upload_id = 1; upload_id <= 2; upload_id++) {
            struct part_row row = {.upload_id = upload_id, .number = i};
            enum err err = row_get(tx, TABLE_part, &row, subject->arena);
            assert_err(err, expected_result(i) == OK ? OK : ERR_NOT_FOUND);
        }
    }
    struct part_row last = {.upload_id = 3};
    assert_ok(row_get(tx, TABLE_part, &last, subject->arena));
    assert_err(expected_result(last.size), OK);
    view_end(tx);
    mem_free(flying);
}

/* ---- Snapshots ---- */

static void view_is_a_snapshot(void **state)
{
    struct subject *subject = *state;
    struct setting_row row = {.name = STR("s"), .value = STR("old")};
    put_row(subject, TABLE_setting, &row);
    struct tx *before = begin_view(subject);
    /* On the same thread: a view that is open must not stop an update. */
    row.value = STR("new");
    put_row(subject, TABLE_setting, &row);
    put_row(subject, TABLE_setting, &(struct setting_row){.name = STR("t")});
    struct tx *after = begin_view(subject);
    struct setting_row got = {.name = STR("s")};
    assert_ok(row_get(before, TABLE_setting, &got, subject->arena));
    assert_str(got.value, STR("old"));
    assert_ok(row_get(after, TABLE_setting, &got, subject->arena));
    assert_str(got.value, STR("new"));
    got.name = STR("t");
    assert_err(row_get(before, TABLE_setting, &got, subject->arena), ERR_NOT_FOUND);
    assert_ok(row_get(after, TABLE_setting, &got, subject->arena));
    struct setting_row from = {.name = (str){0}};
    struct cursor *cursor;
    assert_ok(cursor_open(before, TABLE_setting, &from, 0, &cursor));
    delete_row(subject, TABLE_setting, &row);
    assert_ok(cursor_next(cursor, &got));
    assert_str(got.value, STR("old"));
    assert_err(cursor_next(cursor, &got), ERR_NOT_FOUND);
    cursor_close(cursor);
    view_end(before);
    assert_ok(cursor_open(after, TABLE_setting, &from, 0, &cursor));
    assert_ok(cursor_next(cursor, &got));
    assert_str(got.value, STR("new"));
    cursor_close(cursor);
    view_end(after);
}

/* Writers move an amount between two rows; readers, and the updates themselves, must always see the same sum. */
enum { SUM = 1000, WRITERS = 3, READERS = 3 };

struct transfer {
    struct subject *subject;
    bool stop;
    uint64_t seed;
};

static enum err sum_of(struct tx *tx, struct arena *arena, uint64_t amount[2])
{
    for (uint64_t i = 0; i < 2; i++) {
        struct usage_row row = {.bucket_id = 7, .shard = i};
        TRY(row_get(tx, TABLE_usage, &row, arena));
        amount[i] = row.object_bytes;
    }
    return amount[0] + amount[1] == SUM ? OK : ERR_INTERNAL;
}

static enum err move_some(struct tx *tx, void *context)
{
    uint64_t *seed = context;
    struct arena *arena = arena_new(1 << 20);
    uint64_t amount[2] = {0};
    enum err err = sum_of(tx, arena, amount);
    arena_free(arena);
    TRY(err);
    uint64_t from = *seed % 2, moved = amount[from] / 2;
    struct usage_row row = {.bucket_id = 7, .shard = from, .object_bytes = amount[from] - moved};
    TRY(row_put(tx, TABLE_usage, &row));
    row = (struct usage_row){
        .bucket_id = 7, .shard = 1 - from, .object_bytes = amount[1 - from] + moved};
    return row_put(tx, TABLE_usage, &row);
}

static void *keep_moving(void *context)
{
    struct transfer *transfer = context;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t seed = transfer->seed++;
        if (run_update(transfer->subject, move_some, &seed) != OK)
            abort();
    }
    return NULL;
}

static void *keep_summing(void *context)
{
    struct transfer *transfer = context;
    struct arena *arena = arena_new(1 << 20);
    while (!__atomic_load_n(&transfer->stop, __ATOMIC_RELAXED)) {
        struct tx *tx;
        uint64_t amount[2];
        if (view_begin(transfer->subject->engine, VIEW_WAIT, &tx) != OK ||
            sum_of(tx, arena, amount) != OK)
            abort();
        view_end(tx);
        arena_reset(arena);
    }
    arena_free(arena);
    return NULL;
}

static void views_never_see_half_an_update(void **state)
{
    struct subject *subject = *state;
    put_row(subject, TABLE_usage, &(struct usage_row){.bucket_id = 7, .object_bytes = SUM});
    put_row(subject, TABLE_usage, &(struct usage_row){.bucket_id = 7, .shard = 1});
    struct transfer transfer[WRITERS + READERS];
    pthread_t thread[WRITERS + READERS];
    for (size_t i = 0; i < WRITERS + READERS; i++) {
        transfer[i] = (struct transfer){.subject = subject, .seed = i};
        assert_int_equal(pthread_create(&thread[i], NULL, i < WRITERS ? keep_moving : keep_summing,
                                        &transfer[i]),
                         0);
    }
    for (size_t i = 0; i < WRITERS + READERS; i++) {
        __atomic_store_n(&transfer[i].stop, true, __ATOMIC_RELAXED);
        pthread_join(thread[i], NULL);
    }
}

/* Promise 3, from another thread's point of view as well: the row is there as soon as `done` was called. */
static void view_after_done_sees_the_update(void **state)
{
    struct subject *subject = *state;
    for (uint64_t i = 0; i < 200; i++) {
        struct part_row row = {.upload_id = 4, .number = i, .size = i + 1};
        put_row(subject, TABLE_part, &row);
        struct part_row got = {.upload_id = 4, .number = i};
        assert_ok(get_row(subject, TABLE_part, &got));
        assert_int_equal(got.size, i + 1);
    }
}

int conform_updates(void)
{
    const struct CMUnitTest tests[] = {
        CONFORM(concurrent_increments_are_all_counted),
        CONFORM(done_comes_exactly_once_with_the_result),
        CONFORM(view_is_a_snapshot),
        CONFORM(views_never_see_half_an_update),
        CONFORM(view_after_done_sees_the_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
