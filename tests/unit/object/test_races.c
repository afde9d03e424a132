/* Aim: of several who want the same thing at once exactly those win whom the order of commits lets win, and whatever
 * happened, the counts agree afterwards. */
#include "audit.h"
#include "event/thread.h"

enum { THREADS = 6, ROUNDS = 25, MIB = 1 << 20 };

/* What one thread does in a round, and how it went. Assertions are for the test's own thread. */
struct racer {
    struct client client;
    enum err (*run)(struct racer *racer);
    size_t index, round;
    uint64_t upload_id;
    struct completed_part part;
    struct conditions conditions;
    uint64_t sequence; /* of what it made */
    enum err result;
    pthread_barrier_t *start;
    pthread_t thread;
};

static void run_racer(void *context)
{
    struct racer *racer = context;
    pthread_barrier_wait(racer->start);
    racer->result = racer->run(racer);
}

/* Runs all at once and waits for them. */
static void race(struct racer *racer, size_t count)
{
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        racer[i].start = &start;
        assert_ok(thread_start(&racer[i].thread, "racer", run_racer, &racer[i]));
    }
    for (size_t i = 0; i < count; i++)
        thread_join(racer[i].thread);
    pthread_barrier_destroy(&start);
}

static size_t count_results(const struct racer *racer, enum err err)
{
    size_t count = 0;
    for (size_t i = 0; i < THREADS; i++)
        count += racer[i].result == err;
    return count;
}

static void racers_init(struct racer *racer, struct store *store, enum err (*run)(struct racer *))
{
    for (size_t i = 0; i < THREADS; i++) {
        racer[i] = (struct racer){.index = i, .run = run};
        client_init(&racer[i].client, store);
    }
}

static void racers_release(struct racer *racer)
{
    for (size_t i = 0; i < THREADS; i++)
        client_release(&racer[i].client);
}

/* ---- Conditional writers ---- */

/* Half of the bodies lie inline, half in extents. */
static str body_of(struct racer *racer)
{
    return bytes_of(racer->client.arena, racer->index + 100 * racer->round,
                    racer->index % 2 == 0 ? 100 : 70000);
}

static enum err put_on_condition(struct racer *racer)
{
    const struct put_args args = {.bucket = PHOTOS,
                                  .key = STR("a"),
                                  .bytes = body_of(racer),
                                  .conditions = racer->conditions};
    return put_object(&racer->client, &args, NULL);
}

static void check_winner(struct client *client, struct racer *racer)
{
    assert_int_equal(count_results(racer, OK), 1);
    assert_int_equal(count_results(racer, ERR_PRECONDITION_FAILED), THREADS - 1);
    for (size_t i = 0; i < THREADS; i++)
        if (racer[i].result == OK)
            assert_object(client, PHOTOS, STR("a"), body_of(&racer[i]));
}

static void test_if_none_match(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    struct racer racer[THREADS];
    racers_init(racer, world->store, put_on_condition);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < THREADS; i++) {
            racer[i].round = round;
            racer[i].conditions.if_none_match = STR("*");
        }
        assert_ok(delete_object(client, PHOTOS, STR("a")));
        race(racer, THREADS);
        check_winner(client, racer);
    }
    settle(client);
    racers_release(racer);
}

static void test_if_match(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    struct racer racer[THREADS];
    char etag[ETAG_TEXT_MAX];
    struct object_row row;
    racers_init(racer, world->store, put_on_condition);
    assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("first")));
    for (size_t round = 0; round < ROUNDS; round++) {
        assert_ok(find_object(client, PHOTOS, STR("a"), &row));
        for (size_t i = 0; i < THREADS; i++) {
            racer[i].round = round;
            racer[i].conditions.if_match = etag_format(row.md5, 0, etag);
        }
        race(racer, THREADS);
        check_winner(client, racer);
    }
    settle(client);
    racers_release(racer);
}

/* ---- Buckets ---- */

static enum err create_one(struct racer *racer)
{
    return create_bucket(&racer->client, STR("contested"));
}

static void test_create_bucket(void **state)
{
    struct world *world = *state;
    struct racer racer[THREADS];
    racers_init(racer, world->store, create_one);
    for (size_t round = 0; round < ROUNDS; round++) {
        race(racer, THREADS);
        assert_int_equal(count_results(racer, OK), 1);
        assert_int_equal(count_results(racer, ERR_BUCKET_OWNED), THREADS - 1);
        assert_ok(delete_bucket(&world->client, STR("contested")));
    }
    settle(&world->client);
    racers_release(racer);
}

/* One deletes the bucket while the others write to it. */
static enum err write_or_delete_bucket(struct racer *racer)
{
    if (racer->index == 0)
        return delete_bucket(&racer->client, STR("contested"));
    return put_bytes(&racer->client, STR("contested"), STR("a"), body_of(racer));
}

static void test_delete_bucket(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    struct racer racer[THREADS];
    racers_init(racer, world->store, write_or_delete_bucket);
    for (size_t round = 0; round < ROUNDS; round++) {
        assert_ok(create_bucket(client, STR("contested")));
        race(racer, THREADS);
        size_t written = 0, refused = 0;
        for (size_t i = 1; i < THREADS; i++) {
            written += racer[i].result == OK;
            refused += racer[i].result == ERR_NO_SUCH_BUCKET;
        }
        assert_int_equal(written + refused, THREADS - 1);
        assert_err(racer[0].result, written == 0 ? OK : ERR_BUCKET_NOT_EMPTY);
        audit(client);
        if (written == 0)
            continue;
        assert_ok(delete_object(client, STR("contested"), STR("a")));
        assert_ok(delete_bucket(client, STR("contested")));
    }
    settle(client);
    racers_release(racer);
}

/* ---- Uploads ---- */

static enum err complete_one(struct racer *racer)
{
    struct upload_complete args = {.bucket = PHOTOS,
                                   .key = STR("a"),
                                   .upload_id = racer->upload_id,
                                   .part = &racer->part,
                                   .part_count = 1,
                                   .expected_size = UINT64_MAX};
    enum err err = complete_upload(&racer->client, &args);
    racer->sequence = err == OK ? args.row.sequence : 0;
    return err;
}

static enum err complete_or_abort(struct racer *racer)
{
    if (racer->index == 0)
        return abort_upload(&racer->client, PHOTOS, STR("a"), racer->upload_id);
    return complete_one(racer);
}

static enum err complete_or_put_part(struct racer *racer)
{
    if (racer->index == 0)
        return complete_one(racer);
    const struct part_args args = {.bucket = PHOTOS,
                                   .key = STR("a"),
                                   .upload_id = racer->upload_id,
                                   .number = racer->index + 1,
                                   .bytes = body_of(racer)};
    return put_part(&racer->client, &args, NULL);
}

static void begin_race(struct world *world, struct racer *racer, size_t round)
{
    uint64_t id;
    struct part_row row;
    assert_ok(create_upload(&world->client,
                            &(struct upload_args){.bucket = PHOTOS, .key = STR("a")}, &id));
    const struct part_args args = {.bucket = PHOTOS,
                                   .key = STR("a"),
                                   .upload_id = id,
                                   .number = 1,
                                   .bytes = bytes_of(world->client.arena, round, 1000)};
    assert_ok(put_part(&world->client, &args, &row));
    for (size_t i = 0; i < THREADS; i++) {
        racer[i].round = round;
        racer[i].upload_id = id;
        racer[i].part = completed_part_of(&world->client, &row);
    }
    race(racer, THREADS);
}

/* All get the one answer: the first by doing it, the others as repetitions. */
static void test_complete(void **state)
{
    struct world *world = *state;
    struct racer racer[THREADS];
    racers_init(racer, world->store, complete_one);
    for (size_t round = 0; round < ROUNDS; round++) {
        begin_race(world, racer, round);
        assert_int_equal(count_results(racer, OK), THREADS);
        for (size_t i = 1; i < THREADS; i++)
            assert_int_equal(racer[i].sequence, racer[0].sequence);
        assert_object(&world->client, PHOTOS, STR("a"), bytes_of(world->client.arena, round, 1000));
    }
    settle(&world->client);
    assert_int_equal(count_rows(&world->client, TABLE_extent), 1);
    racers_release(racer);
}

static void test_complete_or_abort(void **state)
{
    struct world *world = *state;
    struct racer racer[THREADS];
    racers_init(racer, world->store, complete_or_abort);
    for (size_t round = 0; round < ROUNDS; round++) {
        begin_race(world, racer, round);
        assert_int_equal(count_results(racer, OK) + count_results(racer, ERR_NO_SUCH_UPLOAD),
                         THREADS);
        assert_int_equal(count_results(racer, OK), racer[0].result == OK ? 1 : THREADS - 1);
        settle(&world->client);
    }
    racers_release(racer);
}

static void test_complete_or_put_part(void **state)
{
    struct world *world = *state;
    struct racer racer[THREADS];
    racers_init(racer, world->store, complete_or_put_part);
    for (size_t round = 0; round < ROUNDS; round++) {
        begin_race(world, racer, round);
        assert_err(racer[0].result, OK);
        assert_int_equal(count_results(racer, OK) + count_results(racer, ERR_NO_SUCH_UPLOAD),
                         THREADS);
        settle(&world->client);
        assert_int_equal(count_rows(&world->client, TABLE_extent), 1);
    }
    racers_release(racer);
}

/* ---- Everything at once ---- */

static enum err do_anything(struct racer *racer)
{
    enum { STEPS = 60 };
    static const char *const names[] = {"a", "b", "c"};
    struct unit_random random = {.state = racer->index};
    for (int i = 0; i < STEPS; i++) {
        str key = str_from(names[unit_random_below(&random, COUNT_OF(names))]);
        str other = str_from(names[unit_random_below(&random, COUNT_OF(names))]);
        struct object_copy copy = {.source_bucket = PHOTOS,
                                   .source_key = key,
                                   .bucket = PHOTOS,
                                   .row = {.key = other, .owner = OWNER}};
        str found;
        enum err err = OK;
        switch (unit_random_below(&random, 4)) {
        case 0:
            err = put_bytes(
                &racer->client, PHOTOS, key,
                bytes_of(racer->client.arena, (uint64_t)i, unit_random_below(&random, 140000)));
            break;
        case 1:
            err = delete_object(&racer->client, PHOTOS, key);
            break;
        case 2:
            err = copy_object(&racer->client, &copy);
            break;
        default:
            err = get_object(&racer->client, PHOTOS, key, &found);
            break;
        }
        if (err != OK && err != ERR_NO_SUCH_KEY)
            return err;
        arena_reset(racer->client.arena);
    }
    return OK;
}

static enum err do_anything_or_clean(struct racer *racer)
{
    if (racer->index > 0)
        return do_anything(racer);
    for (int i = 0; i < 50; i++) {
        struct janitor_report report;
        struct fail fail = {0};
        TRY(janitor_run(racer->client.store, &report, &fail));
    }
    return OK;
}

static void test_everything(void **state)
{
    struct world *world = *state;
    struct racer racer[THREADS];
    racers_init(racer, world->store, do_anything_or_clean);
    race(racer, THREADS);
    assert_int_equal(count_results(racer, OK), THREADS);
    audit(&world->client);
    settle(&world->client);
    racers_release(racer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_if_none_match, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_if_match, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_create_bucket, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_delete_bucket, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_complete, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_complete_or_abort, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_complete_or_put_part, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_everything, world_setup, world_teardown),
    };
    return world_choose(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
