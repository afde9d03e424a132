/* Aim: a body ends as the bytes that were written to it, whatever their number and their cuts; many at once share a budget and all
 * come through; a slow client keeps the others from nothing; and a body that is given up at any stage, or meets a failing disk at any
 * call, leaves neither bytes nor buffers. */
#include "audit.h"
#include "event/thread.h"
#include "fault_engine.h"
#include "object/store_int.h"
#include "base/mem.h"

enum { INLINE_MAX = 64 << 10, BLOCK = 128 << 10, MIB = 1 << 20 };

static const size_t sizes[] = {
    0,       1,   4095,    4096,    16384,       16385, INLINE_MAX - 1, INLINE_MAX, INLINE_MAX + 1,
    MIB - 1, MIB, MIB + 1, 5 * MIB, 5 * MIB + 1,
};

static void check_budget_is_free(struct store *store)
{
    assert_int_equal(store->upload_budget.free_bytes, store->upload_budget.total_bytes);
    assert_true(list_is_empty(&store->upload_budget.waiting));
    assert_int_equal(store->small_budget.free_bytes, store->small_budget.total_bytes);
    assert_true(list_is_empty(&store->small_budget.waiting));
}

static size_t used_of(const struct budget *budget)
{
    return budget->total_bytes - budget->free_bytes;
}

/* What the body holds, whether inline or in its extent. */
static void check_content(struct client *client, const struct body *body, str bytes, bool is_extent)
{
    assert_int_equal(body_length(body), bytes.len);
    const struct extent_row *row = body_extent(body);
    assert_int_equal(row != NULL, is_extent);
    if (row == NULL) {
        assert_true(body_inline(body).len == bytes.len);
        assert_true(str_eq(body_inline(body), bytes));
        return;
    }
    assert_int_equal(body_inline(body).len, 0);
    assert_int_equal(row->length, bytes.len);
    struct extent_reader *reader;
    enum { READ_BYTES = 8 << 20 };
    char *buffer = mem_alloc_aligned(4096, READ_BYTES);
    assert_ok(extent_open(store_engine(client->store), row, VIEW_WAIT, &reader));
    for (uint64_t at = 0; at < bytes.len;) {
        str data;
        assert_ok(extent_read(reader, at, buffer, READ_BYTES, VIEW_WAIT, &data));
        assert_true(str_eq(data, str_slice(bytes, at, at + data.len)));
        at += data.len;
    }
    extent_close(reader);
    mem_free(buffer);
}

static void check_digests(const struct body *body, digest_set wanted, str bytes)
{
    struct digest digest;
    digest_init(&digest, wanted);
    digest_update(&digest, bytes.ptr, bytes.len);
    digest_finish(&digest);
    assert_memory_equal(body_digest(body)->md5_value, digest.md5_value, MD5_SIZE);
    for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++)
        if ((wanted & DIGEST_BIT(kind)) != 0)
            assert_str(digest_checksum(body_digest(body), kind), digest_checksum(&digest, kind));
    digest_release(&digest);
}

static void test_sizes(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    static const struct {
        bool is_unknown, must_be_extent;
        digest_set digests;
        size_t write_bytes;
    } ways[] = {
        {false, false, 0, 0},       {true, false, 0, 0},
        {false, true, 0x3e, 0},     {true, true, DIGEST_BIT(CHECKSUM_SHA256), 300001},
        {false, false, 0x3e, 4097},
    };
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t k = 0; k < COUNT_OF(ways); k++) {
            struct feeder feeder;
            str bytes = bytes_of(client->arena, i, sizes[i]);
            const struct body *body = feeder_begin(
                &feeder, client,
                (struct body_options){.length = ways[k].is_unknown ? BODY_LENGTH_UNKNOWN : sizes[i],
                                      .digests = ways[k].digests,
                                      .must_be_extent = ways[k].must_be_extent});
            feeder_write(&feeder, bytes, ways[k].write_bytes);
            assert_ok(feeder_finish(&feeder));
            bool is_extent = sizes[i] > 0 && (ways[k].must_be_extent || sizes[i] > INLINE_MAX);
            check_content(client, body, bytes, is_extent);
            check_digests(body, ways[k].digests, bytes);
            feeder_close(&feeder);
            check_budget_is_free(client->store);
            arena_reset(client->arena);
        }
    }
}

/* Bytes that are put where they shall be, in pieces, and offered in between: as a server does that finds some behind the head. */
static void fill(struct feeder *feeder, str bytes, struct unit_random *random)
{
    while (bytes.len > 0) {
        size_t room, len = 1 + unit_random_below(random, 300000);
        char *at = unit_random_below(random, 4) > 0 ? body_room(feeder->body, &room) : NULL;
        len = len < bytes.len ? len : bytes.len;
        if (at == NULL) {
            feeder_write(feeder, str_slice(bytes, 0, len), 0);
        } else {
            assert_true(room > 0);
            len = len < room ? len : room;
            memcpy(at, bytes.ptr, len);
            body_took(feeder->body, len);
        }
        bytes = str_skip(bytes, len);
    }
}

static void test_room(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    struct unit_random random = {.state = 9};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (int is_unknown = 0; is_unknown < 2; is_unknown++) {
            struct feeder feeder;
            str bytes = bytes_of(client->arena, i, sizes[i]);
            const struct body *body = feeder_begin(
                &feeder, client,
                (struct body_options){.length = is_unknown ? BODY_LENGTH_UNKNOWN : sizes[i],
                                      .digests = 0x3e});
            fill(&feeder, bytes, &random);
            assert_ok(feeder_finish(&feeder));
            check_content(client, body, bytes, sizes[i] > INLINE_MAX);
            check_digests(body, 0x3e, bytes);
            feeder_close(&feeder);
            check_budget_is_free(client->store);
            arena_reset(client->arena);
        }
    }
}

/* A body of known length takes no more memory than it needs. */
static void test_small_bodies_take_little(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    struct feeder feeder;
    feeder_begin(&feeder, client, (struct body_options){.length = 5000});
    feeder_write(&feeder, bytes_of(client->arena, 1, 5000), 0);
    assert_int_equal(used_of(&client->store->small_budget), 8192);
    assert_int_equal(used_of(&client->store->upload_budget), 0);
    assert_ok(feeder_finish(&feeder));
    feeder_close(&feeder);
    check_budget_is_free(client->store);
}

/* ---- Back-pressure ---- */

enum { CROWD = 7, CROWD_THREADS = 3 };

struct crowd {
    struct store *store;
    uint64_t seed;
    unsigned waits;
};

/* Bodies of one loop, all under way at once, fed in turn by whatever they take. */
static void feed_crowd(struct client *client, struct crowd *crowd)
{
    struct feeder feeder[CROWD];
    str bytes[CROWD], left[CROWD];
    struct unit_random random = {.state = crowd->seed};
    for (size_t i = 0; i < CROWD; i++) {
        size_t size = unit_random_below(&random, 3 * MIB);
        left[i] = bytes[i] = bytes_of(client->arena, crowd->seed + i, size);
        feeder_begin(&feeder[i], client,
                     (struct body_options){.length = i % 2 == 0 ? size : BODY_LENGTH_UNKNOWN,
                                           .digests = DIGEST_BIT(i % (CHECKSUM_KIND_END - 1) + 1)});
    }
    for (size_t open = CROWD; open > 0;) {
        bool has_moved = false;
        for (size_t i = 0; i < CROWD; i++) {
            if (feeder[i].is_closed)
                continue;
            size_t taken = body_write(feeder[i].body, left[i]);
            crowd->waits += taken < left[i].len;
            left[i] = str_skip(left[i], taken);
            has_moved |= taken > 0;
            if (left[i].len > 0)
                continue;
            assert_ok(feeder_finish(&feeder[i]));
            check_content(client, feeder[i].body, bytes[i], bytes[i].len > INLINE_MAX);
            feeder_close(&feeder[i]);
            open--;
            has_moved = true;
        }
        if (!has_moved)
            loop_run(client->loop); /* until one of them is ready */
    }
}

static void run_crowd(void *context)
{
    struct crowd *crowd = context;
    struct client client;
    client_init(&client, crowd->store);
    feed_crowd(&client, crowd);
    client_release(&client);
}

static void test_many_bodies_and_few_buffers(void **state)
{
    (void)state;
    static const size_t io_buffer_bytes[] = {2 * MIB, 4 * MIB, 6 * MIB + 8192, 512 << 10};
    for (size_t i = 0; i < COUNT_OF(io_buffer_bytes); i++) {
        struct world world;
        world_open(&world, &(struct world_options){.io_buffer_bytes = io_buffer_bytes[i]});
        struct crowd crowd[CROWD_THREADS];
        pthread_t thread[CROWD_THREADS];
        unsigned waits = 0;
        for (size_t k = 0; k < CROWD_THREADS; k++) {
            crowd[k] = (struct crowd){.store = world.store, .seed = 100 * i + 10 * k};
            assert_ok(thread_start(&thread[k], "crowd", run_crowd, &crowd[k]));
        }
        for (size_t k = 0; k < CROWD_THREADS; k++) {
            thread_join(thread[k]);
            waits += crowd[k].waits;
        }
        assert_true(waits > 0); /* else nothing was tried here */
        check_budget_is_free(world.store);
        world_close(&world);
    }
}

/* Whoever waits for a buffer and gives up does not keep the others waiting. */
static void test_give_up_waiting(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, &(struct world_options){.io_buffer_bytes = 4 * BLOCK}); /* 3/2 for these */
    struct client *client = &world.client;
    struct feeder first, second, third;
    str bytes = bytes_of(client->arena, 1, BLOCK - 1);
    const struct body_options options = {.length = BODY_LENGTH_UNKNOWN};
    feeder_begin(&first, client, options);
    feeder_begin(&second, client, options);
    feeder_begin(&third, client, options);
    assert_int_equal(body_write(first.body, bytes), bytes.len);
    assert_int_equal(body_write(second.body, bytes), 0);
    assert_int_equal(body_write(third.body, bytes), 0);
    feeder_close(&second);
    feeder_close(&first);
    client_wait(client, &third.is_ready);
    assert_int_equal(body_write(third.body, bytes), bytes.len);
    feeder_close(&third);
    assert_false(second.is_ready);
    check_budget_is_free(world.store);
    world_close(&world);
}

/* The same when its turn has come, and only the news of it is still under way. */
static void test_give_up_what_is_granted(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, &(struct world_options){.io_buffer_bytes = 4 * BLOCK});
    struct client *client = &world.client;
    struct feeder first, second;
    str bytes = bytes_of(client->arena, 1, BLOCK - 1);
    feeder_begin(&first, client, (struct body_options){.length = BODY_LENGTH_UNKNOWN});
    feeder_begin(&second, client, (struct body_options){.length = BODY_LENGTH_UNKNOWN});
    assert_int_equal(body_write(first.body, bytes), bytes.len);
    assert_int_equal(body_write(second.body, bytes), 0);
    feeder_close_begin(&first);
    assert_true(first.is_closed); /* and its block is the second's */
    feeder_close_begin(&second);
    assert_false(second.is_closed);
    client_wait(client, &second.is_closed);
    assert_false(second.is_ready);
    check_budget_is_free(world.store);
    world_close(&world);
}

/* A body that may end inline, and has filled the one small buffer that it got, goes on to an extent. */
static void test_full_buffer_of_what_may_end_inline(void **state)
{
    (void)state;
    static const size_t sizes_around[] = {BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1};
    for (size_t i = 0; i < COUNT_OF(sizes_around); i++) {
        struct world world;
        world_open(&world, &(struct world_options){.inline_max_bytes = 2 * BLOCK,
                                                   .io_buffer_bytes = 4 * BLOCK});
        struct client *client = &world.client;
        struct feeder feeder;
        str bytes = bytes_of(client->arena, 1, sizes_around[i]);
        const struct body *body = feeder_begin(
            &feeder, client, (struct body_options){.length = BODY_LENGTH_UNKNOWN, .digests = 0x3e});
        feeder_write(&feeder, bytes, BLOCK);
        assert_ok(feeder_finish(&feeder));
        check_content(client, body, bytes, sizes_around[i] > BLOCK);
        check_digests(body, 0x3e, bytes);
        feeder_close(&feeder);
        check_budget_is_free(world.store);
        world_close(&world);
    }
}

/* ---- Slow clients ---- */

/* A body whose client has sent `sent` bytes and is silent. */
static const struct body *stall(struct feeder *feeder, struct client *client, str bytes,
                                size_t sent)
{
    const struct body *body =
        feeder_begin(feeder, client, (struct body_options){.length = bytes.len, .digests = 0x3e});
    feeder_write(feeder, str_slice(bytes, 0, sent), 0);
    return body;
}

static void wait_until_used(struct client *client, size_t bytes)
{
    enum { ROUNDS = 1000 };
    const struct budget *budget = &client->store->upload_budget;
    for (int i = 0; used_of(budget) > bytes; i++) {
        assert_true(i < ROUNDS);
        client_pause(client);
    }
}

static void test_silent_client_keeps_a_block(void **state)
{
    struct client *client = &((struct world *)*state)->client;
    client->store->patience_us = 1000;
    static const struct {
        size_t size, sent, kept; /* what is kept in memory at last */
    } cases[] = {
        {5 * MIB, 1, BLOCK},
        {5 * MIB, BLOCK - 1, BLOCK},
        {5 * MIB, BLOCK, 0},
        {5 * MIB, BLOCK + 1, BLOCK},
        {5 * MIB, MIB - 1, BLOCK},
        {5 * MIB, MIB, 0},
        {5 * MIB, MIB + MIB / 2 + 5, BLOCK},
        {5 * MIB, 5 * MIB - 1, BLOCK},
        {5 * MIB + 4097, 5 * MIB + 1, 8192},
        {MIB + 200000, MIB + BLOCK + 1, 69632}, /* 200,000 less a block, in whole pages */
        {BLOCK + 1, BLOCK, 0},
        {BLOCK + 1, 77, BLOCK},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct feeder feeder;
        str bytes = bytes_of(client->arena, i, cases[i].size);
        const struct body *body = stall(&feeder, client, bytes, cases[i].sent);
        wait_until_used(client, cases[i].kept);
        feeder_write(&feeder, str_skip(bytes, cases[i].sent), 0);
        assert_ok(feeder_finish(&feeder));
        check_content(client, body, bytes, true);
        check_digests(body, 0x3e, bytes);
        feeder_close(&feeder);
        stall(&feeder, client, bytes, cases[i].sent); /* and one that never goes on */
        wait_until_used(client, cases[i].kept);
        feeder_close(&feeder);
        check_budget_is_free(client->store);
        arena_reset(client->arena);
    }
}

/* A client that sends a little now and then, with the buffer taken from it over and over. */
static void test_trickle(void **state)
{
    struct client *client = &((struct world *)*state)->client;
    client->store->patience_us = 500;
    struct feeder feeder;
    str bytes = bytes_of(client->arena, 1, 3 * MIB + 5);
    const struct body *body = stall(&feeder, client, bytes, 1);
    struct unit_random random = {.state = 1};
    for (str left = str_skip(bytes, 1); left.len > 0;) {
        size_t size = 1 + unit_random_below(&random, 200000);
        str now = str_slice(left, 0, size < left.len ? size : left.len);
        feeder_write(&feeder, now, 0);
        left = str_skip(left, now.len);
        client_pause(client);
    }
    assert_ok(feeder_finish(&feeder));
    check_content(client, body, bytes, true);
    check_digests(body, 0x3e, bytes);
    feeder_close(&feeder);
    check_budget_is_free(client->store);
}

/* Bodies that wait for company to be hashed with do not keep what their clients have stopped to follow up. */
static void test_silent_crowd(void **state)
{
    struct client *client = &((struct world *)*state)->client;
    enum { SILENT = 5 };
    client->store->patience_us = 1000;
    str bytes = bytes_of(client->arena, 1, 2 * MIB);
    for (size_t sent = MIB; sent <= MIB + BLOCK; sent += BLOCK) {
        struct feeder silent[SILENT];
        for (size_t i = 0; i < SILENT; i++) {
            stall(&silent[i], client, bytes, sent);
            wait_until_used(client, 0);
        }
        for (size_t i = 0; i < SILENT; i++)
            feeder_close(&silent[i]);
        check_budget_is_free(client->store);
    }
}

/* Many uploads that have stalled leave room for a large one, and for small ones whatever happens. */
static void test_stalled_uploads_stop_nobody(void **state)
{
    (void)state;
    enum { STALLED = 16, TINY = 100 };
    struct world world;
    world_open(&world, &(struct world_options){.io_buffer_bytes = 16 * MIB});
    struct client *client = &world.client;
    client->store->patience_us = 1000;
    assert_ok(create_bucket(client, PHOTOS));
    str bytes = bytes_of(client->arena, 1, 8 * MIB);
    struct feeder stalled[STALLED];
    for (size_t i = 0; i < STALLED; i++)
        stall(&stalled[i], client, bytes, MIB + MIB / 2);
    assert_ok(put_bytes(client, PHOTOS, STR("tiny"), str_slice(bytes, 0, TINY)));
    assert_ok(put_bytes(client, PHOTOS, STR("large"), bytes));
    /* Even with nothing left for uploads. */
    size_t left = client->store->upload_budget.free_bytes;
    assert_true(budget_try_take(&client->store->upload_budget, left));
    assert_ok(put_bytes(client, PHOTOS, STR("tiny"), str_slice(bytes, 0, TINY)));
    budget_give(&client->store->upload_budget, left);
    for (size_t i = 0; i < STALLED; i++)
        feeder_close(&stalled[i]);
    check_budget_is_free(world.store);
    world_close(&world);
}

/* Small ones stand in line only when neither budget has anything, and come through one after the other. */
static void test_small_bodies_share(void **state)
{
    (void)state;
    enum { BODIES = 5, SIZE = INLINE_MAX };
    struct world world;
    world_open(&world, &(struct world_options){.io_buffer_bytes = 8 * SIZE}); /* 1 and 3 buffers */
    struct client *client = &world.client;
    struct feeder feeder[BODIES];
    str bytes = bytes_of(client->arena, 1, SIZE);
    for (size_t i = 0; i < BODIES; i++) {
        feeder_begin(&feeder[i], client, (struct body_options){.length = SIZE});
        assert_int_equal(body_write(feeder[i].body, bytes), i < BODIES - 1 ? SIZE : 0);
    }
    assert_int_equal(used_of(&client->store->small_budget), SIZE);
    assert_int_equal(used_of(&client->store->upload_budget), 3 * SIZE);
    feeder_close(&feeder[0]);
    client_wait(client, &feeder[BODIES - 1].is_ready);
    feeder_write(&feeder[BODIES - 1], bytes, 0);
    for (size_t i = 1; i < BODIES; i++) {
        assert_ok(feeder_finish(&feeder[i]));
        check_content(client, feeder[i].body, bytes, false);
        feeder_close(&feeder[i]);
    }
    check_budget_is_free(world.store);
    world_close(&world);
}

/* ---- Given up ---- */

/* An extent that was sealed, or half written, and given up is gone from the disk too. */
static void check_no_orphans(struct world *world)
{
    uint64_t dropped = 0;
    struct fail fail = {0};
    if (!world_reopen(world))
        return;
    assert_ok(janitor_drop_orphans(world->store, &dropped, &fail));
    assert_int_equal(dropped, 0);
}

/* The stages at which a client may go away. */
enum stage { NEW, WRITING, WRITTEN, FINISHING, FINISHED, STAGE_END };

static void give_up_at(struct client *client, enum stage stage, size_t size)
{
    struct feeder feeder;
    str bytes = bytes_of(client->arena, 1, size);
    feeder_begin(&feeder, client, (struct body_options){.length = size, .digests = 0x3e});
    if (stage == WRITING)
        (void)body_write(feeder.body, str_slice(bytes, 0, size / 2));
    if (stage >= WRITTEN)
        feeder_write(&feeder, bytes, 0);
    if (stage == FINISHING)
        feeder_finish_begin(&feeder);
    if (stage == FINISHED)
        assert_ok(feeder_finish(&feeder));
    feeder_close(&feeder);
}

static void test_give_up(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    for (enum stage stage = NEW; stage < STAGE_END; stage++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            give_up_at(client, stage, sizes[i]);
            check_budget_is_free(client->store);
            arena_reset(client->arena);
        }
    }
    assert_int_equal(count_rows(client, TABLE_extent), 0);
    check_no_orphans(world);
}

/* ---- A failing disk ---- */

static void test_failing_calls(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, &(struct world_options){.has_faults = true});
    struct client *client = &world.client;
    assert_ok(create_bucket(client, PHOTOS));
    assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("former")));
    static const struct {
        enum fault_place place;
        unsigned skip;
        enum err err;
    } cases[] = {
        {FAULT_EXTENT_BEGIN, 0, ERR_NO_SPACE}, {FAULT_EXTENT_WRITE, 0, ERR_IO},
        {FAULT_EXTENT_WRITE, 1, ERR_NO_SPACE}, {FAULT_EXTENT_WRITE, 4, ERR_IO},
        {FAULT_EXTENT_SEAL, 0, ERR_READ_ONLY}, {FAULT_UPDATE, 0, ERR_NO_SPACE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str bytes = bytes_of(client->arena, i, 5 * MIB + 1);
        fault_arm(world.faults, cases[i].place, cases[i].skip, cases[i].err);
        assert_err(put_bytes(client, PHOTOS, STR("a"), bytes), cases[i].err);
        assert_object(client, PHOTOS, STR("a"), STR("former"));
        check_budget_is_free(client->store);
        assert_ok(put_bytes(client, PHOTOS, STR("b"), bytes));
        assert_object(client, PHOTOS, STR("b"), bytes);
        arena_reset(client->arena);
    }
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 1);
    check_no_orphans(&world);
    world_close(&world);
}

/* Several buffers wait for the extent when its beginning fails: none of them may be looked at once the body has ended. */
static void fail_beginning_late(bool is_given_up)
{
    struct world world;
    world_open(&world, &(struct world_options){.has_faults = true});
    struct client *client = &world.client;
    struct feeder feeder;
    str bytes = bytes_of(client->arena, 1, 3 * MIB);
    feeder_begin(&feeder, client, (struct body_options){.length = bytes.len});
    feeder.is_hasty = true;
    fault_close_gate(world.faults, FAULT_EXTENT_BEGIN);
    fault_arm(world.faults, FAULT_EXTENT_BEGIN, 0, ERR_IO);
    assert_int_equal(body_write(feeder.body, bytes), bytes.len);
    if (is_given_up)
        feeder_close_begin(&feeder);
    else
        feeder_finish_begin(&feeder);
    client_pause(client); /* the hashing of all three ends before the beginning does */
    assert_false(feeder.is_done || feeder.is_closed);
    fault_open_gate(world.faults, FAULT_EXTENT_BEGIN);
    client_wait(client, &feeder.is_closed);
    assert_int_equal(feeder.is_done, !is_given_up);
    assert_err(feeder.result, is_given_up ? OK : ERR_IO);
    check_budget_is_free(client->store);
    world_close(&world);
}

static void test_beginning_fails_late(void **state)
{
    (void)state;
    fail_beginning_late(false);
    fail_beginning_late(true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_room, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_small_bodies_take_little, world_setup, world_teardown),
        cmocka_unit_test(test_many_bodies_and_few_buffers),
        cmocka_unit_test(test_give_up_waiting),
        cmocka_unit_test(test_give_up_what_is_granted),
        cmocka_unit_test(test_full_buffer_of_what_may_end_inline),
        cmocka_unit_test_setup_teardown(test_silent_client_keeps_a_block, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(test_silent_crowd, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_trickle, world_setup, world_teardown),
        cmocka_unit_test(test_stalled_uploads_stop_nobody),
        cmocka_unit_test(test_small_bodies_share),
        cmocka_unit_test_setup_teardown(test_give_up, world_setup, world_teardown),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_beginning_fails_late),
    };
    return world_choose(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
