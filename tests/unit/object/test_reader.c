/* Aim: a reader gives the bytes of the version that it was opened on, in order and no others, though the object is deleted or
 * replaced and the janitor comes meanwhile; damage is an error and not bytes; and many readers share the buffers there are. */
#include "audit.h"

#include <unistd.h>

#include "event/thread.h"
#include "fault_engine.h"
#include "object/store_int.h"
#include "subject.h"

enum { MIB = 1 << 20, PART = 5 * MIB };

/* A reading under way. */
struct session {
    struct client *client;
    struct obj_reader *reader;
    uint64_t left;
    bool is_ready;
    unsigned waits;
};

static void session_ready(void *context)
{
    struct session *session = context;
    session->is_ready = true;
    loop_stop(session->client->loop);
}

static enum err session_open_at(struct session *session, struct client *client, str key,
                                uint64_t offset, uint64_t length)
{
    struct tx *tx;
    struct bucket_row bucket;
    struct object_row row;
    *session = (struct session){.client = client};
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    assert_ok(bucket_find(tx, PHOTOS, client->arena, &bucket));
    enum err err = object_find(tx, &bucket, key, (str){0}, client->arena, &row);
    session->left = length != 0 ? length : row.size - offset;
    const struct obj_reader_options options = {.store = client->store,
                                               .loop = client->loop,
                                               .arena = client->arena,
                                               .row = &row,
                                               .offset = offset,
                                               .length = session->left,
                                               .ready = session_ready,
                                               .context = session};
    if (err == OK)
        err = obj_reader_open(tx, VIEW_WAIT, &options, &session->reader);
    view_end(tx);
    return err;
}

static enum err session_open(struct session *session, struct client *client, str key)
{
    return session_open_at(session, client, key, 0, 0);
}

/* The next piece, waiting for it; it must be the front of `expected`, which moves on. */
static enum err session_next(struct session *session, str *expected)
{
    struct obj_piece piece;
    enum err err;
    session->is_ready = false;
    while ((err = obj_reader_next(session->reader, &piece)) == ERR_PENDING) {
        session->waits++;
        client_wait(session->client, &session->is_ready);
        session->is_ready = false;
    }
    if (err != OK)
        return err;
    assert_true(piece.bytes.len > 0 && piece.bytes.len <= session->left);
    assert_true(str_has_prefix(*expected, piece.bytes));
    *expected = str_skip(*expected, piece.bytes.len);
    session->left -= piece.bytes.len;
    return OK;
}

static void session_read_all(struct session *session, str expected)
{
    assert_int_equal(session->left, expected.len);
    while (session->left > 0)
        assert_ok(session_next(session, &expected));
    assert_int_equal(expected.len, 0);
}

static void check_budget_is_free(struct store *store)
{
    assert_int_equal(store->download_budget.free_bytes, store->download_budget.total_bytes);
}

/* Makes the object "film" of parts. */
static str put_parts(struct client *client, const size_t *size, size_t count)
{
    struct completed_part part[8];
    str bytes[8];
    uint64_t id;
    assert_ok(
        create_upload(client, &(struct upload_args){.bucket = PHOTOS, .key = STR("film")}, &id));
    for (size_t i = 0; i < count; i++) {
        struct part_row row;
        bytes[i] = bytes_of(client->arena, 50 + i, size[i]);
        assert_ok(put_part(client,
                           &(struct part_args){.bucket = PHOTOS,
                                               .key = STR("film"),
                                               .upload_id = id,
                                               .number = i + 1,
                                               .bytes = bytes[i]},
                           &row));
        part[i] = completed_part_of(client, &row);
    }
    struct upload_complete args = {.bucket = PHOTOS,
                                   .key = STR("film"),
                                   .upload_id = id,
                                   .part = part,
                                   .part_count = count,
                                   .expected_size = UINT64_MAX};
    assert_ok(complete_upload(client, &args));
    return arena_join(client->arena, bytes, count);
}

static void janitor(struct client *client)
{
    enum { ROUNDS = 4, WAIT_US = 1500 };
    struct janitor_report report;
    struct fail fail = {0};
    for (int i = 0; i < ROUNDS; i++) {
        usleep(WAIT_US);
        assert_ok(janitor_run(client->store, &report, &fail));
    }
}

/* ---- Deleted meanwhile ---- */

static void test_deleted_meanwhile(void **state)
{
    struct client *client = &((struct world *)*state)->client;
    static const size_t part_size[] = {PART, PART, 9};
    str film = put_parts(client, part_size, COUNT_OF(part_size));
    str photo = bytes_of(client->arena, 1, 3 * MIB), note = STR("note");
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), photo));
    assert_ok(put_bytes(client, PHOTOS, STR("note"), note));
    struct session on_film, on_photo, on_note, late;
    assert_ok(session_open(&on_film, client, STR("film")));
    assert_ok(session_open(&on_photo, client, STR("photo")));
    assert_ok(session_open(&on_note, client, STR("note")));
    assert_ok(session_open_at(&late, client, STR("film"), 2 * PART, 0));
    str rest = film;
    assert_ok(session_next(&on_film, &rest));

    assert_ok(delete_object(client, PHOTOS, STR("film")));
    assert_ok(delete_object(client, PHOTOS, STR("note")));
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), STR("another")));
    janitor(client);
    audit(client);

    session_read_all(&on_film, rest);
    session_read_all(&on_photo, photo);
    session_read_all(&on_note, note);
    obj_reader_close(on_film.reader);
    obj_reader_close(on_photo.reader);
    obj_reader_close(on_note.reader);
    /* The second reader of the film holds it alone now. */
    janitor(client);
    session_read_all(&late, str_skip(film, 2 * PART));
    obj_reader_close(late.reader);
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 0);
    check_budget_is_free(client->store);
}

/* What was let go of before the reader came is looked up again, not read. */
static void test_row_of_the_past(void **state)
{
    struct client *client = &((struct world *)*state)->client;
    static const size_t part_size[] = {PART, 9};
    (void)put_parts(client, part_size, COUNT_OF(part_size));
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), bytes_of(client->arena, 1, MIB)));
    static const char *const keys[] = {"film", "photo"};
    struct object_row row[2];
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        assert_ok(find_object(client, PHOTOS, str_from(keys[i]), &row[i]));
        assert_ok(delete_object(client, PHOTOS, str_from(keys[i])));
    }
    settle(client);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct tx *tx;
        struct obj_reader *reader;
        const struct obj_reader_options options = {.store = client->store,
                                                   .loop = client->loop,
                                                   .arena = client->arena,
                                                   .row = &row[i],
                                                   .length = 1,
                                                   .ready = session_ready};
        assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
        assert_err(obj_reader_open(tx, VIEW_WAIT, &options, &reader), ERR_RETRY);
        view_end(tx);
    }
    check_budget_is_free(client->store);
}

/* An extent that is gone while its row is there is damage, for which asking again does not help. */
static void test_lost_extent(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    struct engine *engine = subject_engine(world->subject); /* beneath what watches the store */
    static const size_t part_size[] = {PART, 9};
    (void)put_parts(client, part_size, COUNT_OF(part_size));
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), bytes_of(client->arena, 1, MIB)));
    struct tx *tx;
    struct cursor *cursor;
    struct extent_row extent = {0};
    assert_ok(view_begin(engine, VIEW_WAIT, &tx));
    assert_ok(cursor_open(tx, TABLE_extent, &extent, 0, &cursor));
    while (cursor_next(cursor, &extent) == OK)
        assert_ok(extent_drop(engine, extent.id));
    cursor_close(cursor);
    view_end(tx);
    struct session session;
    assert_err(session_open(&session, client, STR("photo")), ERR_CORRUPT);
    assert_err(session_open(&session, client, STR("film")), ERR_CORRUPT);
    check_budget_is_free(client->store);
}

/* ---- Closed early ---- */

static void test_closed_at_any_time(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, &(struct world_options){.has_faults = true});
    struct client *client = &world.client;
    assert_ok(create_bucket(client, PHOTOS));
    str photo = bytes_of(client->arena, 1, 3 * MIB);
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), photo));
    fault_block_nowait(world.faults, true);
    for (int pieces = 0; pieces < 4; pieces++) {
        struct session session;
        str rest = photo;
        assert_ok(session_open(&session, client, STR("photo")));
        for (int i = 0; i < pieces; i++)
            assert_ok(session_next(&session, &rest));
        assert_true(pieces == 0 || session.waits > 0);
        /* And with a worker on it: no call comes after the close. */
        struct obj_piece piece;
        assert_err(obj_reader_next(session.reader, &piece), ERR_PENDING);
        session.is_ready = false;
        obj_reader_close(session.reader);
        client_pause(client);
        assert_false(session.is_ready);
        check_budget_is_free(client->store);
    }
    world_close(&world);
}

/* ---- Slow clients ---- */

/* Gives back what the client did not take of the last piece. */
static void session_park(struct session *session, str *expected, size_t unsent)
{
    obj_reader_park(session->reader, unsent);
    *expected = str_of(expected->ptr - unsent, expected->len + unsent);
    session->left += unsent;
}

/* Whatever was sent of each piece, all bytes come once, and at least what was unsent comes in one piece. */
static void test_parked(void **state)
{
    struct client *client = &((struct world *)*state)->client;
    static const size_t part_size[] = {PART + 77777, PART, 9};
    str film = put_parts(client, part_size, COUNT_OF(part_size));
    struct session session;
    struct unit_random random = {.state = 1};
    assert_ok(session_open(&session, client, STR("film")));
    str rest = film;
    size_t unsent = 0;
    for (unsigned i = 0; session.left > 0; i++) {
        uint64_t before = session.left;
        assert_ok(session_next(&session, &rest));
        uint64_t len = before - session.left;
        assert_true(len >= unsent);
        unsent = i % 8 == 0 ? 0 : i % 8 == 1 ? (size_t)len : unit_random_below(&random, len);
        if (i % 3 == 0) {
            unsent = 0; /* this client was fast */
            continue;
        }
        session_park(&session, &rest, unsent);
        check_budget_is_free(client->store);
        if (i == 4) {
            assert_ok(delete_object(client, PHOTOS, STR("film")));
            janitor(client);
        }
    }
    assert_int_equal(rest.len, 0);
    obj_reader_close(session.reader);
    check_budget_is_free(client->store);
    settle(client);
}

/* Damage that comes while it is parked is found. */
static void test_damaged_while_parked(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    str photo = bytes_of(client->arena, 1, 3 * MIB), rest = photo;
    struct object_row row;
    struct session session;
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), photo));
    assert_ok(find_object(client, PHOTOS, STR("photo"), &row));
    assert_ok(session_open(&session, client, STR("photo")));
    assert_ok(session_next(&session, &rest));
    session_park(&session, &rest, 10);
    subject_damage_extent(world->subject, row.extent_id, photo.len - rest.len);
    assert_err(session_next(&session, &rest), ERR_CORRUPT);
    obj_reader_close(session.reader);
}

/* ---- Spans ---- */

/* Where the disk is trusted, pieces are spans of files and bytes in turn, and must fit each other however they come. */
static void check_spans(bool blocks)
{
    struct world world;
    world_open(&world, &(struct world_options){.trusts_disk = true, .has_faults = true});
    struct client *client = &world.client;
    static const size_t part_size[] = {PART, PART + 5, PART, 9};
    static const uint64_t edge[] = {
        0, 1, PART - 1, PART, PART + 1, 2 * PART + 5, 3 * PART + 5, 3 * PART + 14};
    assert_ok(create_bucket(client, PHOTOS));
    str film = put_parts(client, part_size, COUNT_OF(part_size));
    fault_block_nowait(world.faults, blocks);
    for (size_t a = 0; a < COUNT_OF(edge); a++) {
        for (size_t b = a + 1; b < COUNT_OF(edge); b++) {
            str found;
            assert_ok(get_range(client, PHOTOS, STR("film"), edge[a], edge[b] - edge[a], &found));
            assert_true(str_eq(found, str_slice(film, edge[a], edge[b])));
        }
    }
    check_budget_is_free(client->store);
    world_close(&world);
}

static void test_spans(void **state)
{
    (void)state;
    check_spans(false);
    check_spans(true);
}

/* ---- Damage ---- */

static void test_damage(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    str photo = bytes_of(client->arena, 1, 3 * MIB), found;
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), photo));
    struct object_row row;
    assert_ok(find_object(client, PHOTOS, STR("photo"), &row));
    subject_damage_extent(world->subject, row.extent_id, 2 * MIB + 5);
    assert_err(get_object(client, PHOTOS, STR("photo"), &found), ERR_CORRUPT);
    assert_err(get_range(client, PHOTOS, STR("photo"), 2 * MIB + 5, 1, &found), ERR_CORRUPT);
    /* What is whole is served: the damage is of a block. */
    assert_ok(get_range(client, PHOTOS, STR("photo"), 0, MIB, &found));
    assert_true(str_eq(found, str_slice(photo, 0, MIB)));
    struct session session;
    assert_ok(session_open(&session, client, STR("photo")));
    str rest = photo;
    enum err err;
    while ((err = session_next(&session, &rest)) == OK)
        ;
    assert_err(err, ERR_CORRUPT);
    assert_true(rest.len >= MIB - 5); /* nothing of the damaged block was given out */
    obj_reader_close(session.reader);
    const struct object_checksum_args args = {
        .bucket = PHOTOS, .key = STR("photo"), .kind = CHECKSUM_SHA256};
    struct object_checksum *sum = object_checksum_new(client->store, &args, client->arena);
    while ((err = object_checksum_step(sum)) == ERR_WOULD_BLOCK)
        ;
    assert_err(err, ERR_CORRUPT);
    arena_reset(client->arena); /* gives up what the work holds */
    check_budget_is_free(client->store);
}

/* ---- Few buffers ---- */

enum { READERS = 6 };

static void test_few_buffers(void **state)
{
    (void)state;
    struct world world;
    world_open(&world,
               &(struct world_options){.io_buffer_bytes = 1 << 20}); /* two buffers for downloads */
    struct client *client = &world.client;
    assert_ok(create_bucket(client, PHOTOS));
    str photo = bytes_of(client->arena, 1, 2 * MIB);
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), photo));
    struct session session[READERS];
    struct obj_piece piece;
    for (size_t i = 0; i < READERS; i++)
        assert_ok(session_open(&session[i], client, STR("photo")));
    /* All ask; those who get nothing stand in line. */
    str rest[READERS];
    size_t waiting = 0;
    for (size_t i = 0; i < READERS; i++) {
        rest[i] = photo;
        enum err err = obj_reader_next(session[i].reader, &piece);
        if (err == OK) {
            rest[i] = str_skip(rest[i], piece.bytes.len);
            session[i].left -= piece.bytes.len;
            continue;
        }
        assert_err(err, ERR_PENDING);
        waiting++;
    }
    assert_true(waiting >= READERS - 2);
    /* One of the line gives up, and the others come through one after the other. */
    obj_reader_close(session[READERS - 2].reader);
    for (size_t i = 0; i < READERS; i++) {
        if (i == READERS - 2)
            continue;
        if (session[i].left == photo.len)
            client_wait(client, &session[i].is_ready);
        session_read_all(&session[i], rest[i]);
        obj_reader_close(session[i].reader);
    }
    check_budget_is_free(client->store);
    world_close(&world);
}

/* A reader that is closed when its turn has come, and only the news of it is still under way. */
static void test_closed_when_granted(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, &(struct world_options){.io_buffer_bytes = 512 << 10}); /* one buffer */
    struct client *client = &world.client;
    struct session first, second;
    struct obj_piece piece;
    assert_ok(create_bucket(client, PHOTOS));
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), bytes_of(client->arena, 1, 2 * MIB)));
    assert_ok(session_open(&first, client, STR("photo")));
    assert_ok(session_open(&second, client, STR("photo")));
    enum err err = obj_reader_next(first.reader, &piece);
    assert_true(err == OK || err == ERR_PENDING);
    if (err == ERR_PENDING)
        client_wait(client, &first.is_ready);
    assert_err(obj_reader_next(second.reader, &piece), ERR_PENDING);
    obj_reader_close(first.reader);
    obj_reader_close(second.reader);
    client_pause(client);
    assert_false(second.is_ready);
    check_budget_is_free(client->store);
    world_close(&world);
}

/* ---- Writers meanwhile ---- */

enum { CHURN_SEEDS = 4, CHURN_READS = 150 };

struct churn {
    struct store *store;
    bool is_over;
};

/* Replaces "photo" over and over by bytes whose seed is in their first byte, and lets the janitor take the old ones. */
static void replace_over_and_over(void *context)
{
    struct churn *churn = context;
    struct client client;
    client_init(&client, churn->store);
    for (uint64_t seed = 0; !__atomic_load_n(&churn->is_over, __ATOMIC_ACQUIRE);
         seed = (seed + 1) % CHURN_SEEDS) {
        struct janitor_report report;
        struct fail fail = {0};
        str bytes = bytes_of(client.arena, seed, 200000 + 1000 * seed);
        assert_ok(put_bytes(&client, PHOTOS, STR("photo"), bytes));
        assert_ok(janitor_run(churn->store, &report, &fail));
        arena_reset(client.arena);
    }
    client_release(&client);
}

static void test_replaced_over_and_over(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    struct churn churn = {.store = world->store};
    pthread_t thread;
    str found;
    assert_ok(put_bytes(client, PHOTOS, STR("photo"), bytes_of(client->arena, 0, 200000)));
    assert_ok(thread_start(&thread, "churn", replace_over_and_over, &churn));
    for (int i = 0; i < CHURN_READS; i++) {
        assert_ok(get_object(client, PHOTOS, STR("photo"), &found));
        uint64_t seed = (found.len - 200000) / 1000;
        assert_true(seed < CHURN_SEEDS);
        assert_true(str_eq(found, bytes_of(client->arena, seed, 200000 + 1000 * seed)));
        arena_reset(client->arena);
    }
    __atomic_store_n(&churn.is_over, true, __ATOMIC_RELEASE);
    thread_join(thread);
    settle(client);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_deleted_meanwhile, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_row_of_the_past, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_lost_extent, world_setup, world_teardown),
        cmocka_unit_test(test_closed_at_any_time),
        cmocka_unit_test_setup_teardown(test_parked, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_while_parked, world_setup, world_teardown),
        cmocka_unit_test(test_spans),
        cmocka_unit_test_setup_teardown(test_damage, world_setup, world_teardown),
        cmocka_unit_test(test_few_buffers),
        cmocka_unit_test(test_closed_when_granted),
        cmocka_unit_test_setup_teardown(test_replaced_over_and_over, world_setup, world_teardown),
    };
    return world_choose(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
