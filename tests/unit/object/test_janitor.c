/* Aim: the janitor takes apart all that was let go of and nothing else: not before its time, however much it is, and again after it was
 * broken off. What a crash left between seal and commit is found at the next start. */
#include "audit.h"

#include <unistd.h>

#include "base/mem.h"
#include "fault_engine.h"

enum { MIB = 1 << 20, PART = 5 * MIB };

/* More than the janitor takes at once, where each does not cost a sync. */
static size_t many(void)
{
    return world_is_mem() ? 600 : 40;
}

static str key_of(struct client *client, size_t i)
{
    return arena_printf(client->arena, "key-%zu", i);
}

static void check_nothing_left(struct client *client)
{
    static const enum table_id tables[] = {TABLE_garbage,  TABLE_extent, TABLE_extent_use,
                                           TABLE_manifest, TABLE_piece,  TABLE_part,
                                           TABLE_upload,   TABLE_object};
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        assert_int_equal(count_rows(client, tables[i]), 0);
}

/* ---- When ---- */

static void test_not_before_its_time(void **state)
{
    (void)state;
    struct world world;
    world_open(&world,
               &(struct world_options){.inline_max_bytes = 16, .garbage_grace_ms = 3600 * 1000});
    struct client *client = &world.client;
    struct janitor_report report;
    struct fail fail = {0};
    assert_ok(create_bucket(client, PHOTOS));
    for (size_t i = 0; i < many(); i++)
        assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("more than inline bytes")));
    assert_ok(janitor_run(world.store, &report, &fail));
    assert_int_equal(report.extents_dropped, 0);
    assert_int_equal(report.left_for_later, many() - 1);
    assert_int_equal(count_rows(client, TABLE_extent), many());
    audit(client);
    world_close(&world);
}

/* Young and old garbage beside each other, and more of it than fits one round. */
static void test_only_the_ripe(void **state)
{
    (void)state;
    enum { GRACE_MS = 800 };
    struct world world;
    world_open(&world,
               &(struct world_options){.inline_max_bytes = 16, .garbage_grace_ms = GRACE_MS});
    struct client *client = &world.client;
    struct janitor_report report;
    struct fail fail = {0};
    assert_ok(create_bucket(client, PHOTOS));
    assert_ok(put_bytes(client, PHOTOS, STR("young"), STR("more than inline bytes")));
    for (size_t i = 0; i < many(); i++)
        assert_ok(put_bytes(client, PHOTOS, STR("old"), STR("more than inline bytes")));
    usleep((GRACE_MS + 10) * 1000);
    assert_ok(delete_object(client, PHOTOS, STR("young")));
    assert_ok(janitor_run(world.store, &report, &fail));
    assert_int_equal(report.extents_dropped, many() - 1);
    assert_int_equal(report.left_for_later, 1);
    audit(client);
    world_close(&world);
}

static void test_pinned(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    struct object_row row;
    struct janitor_report report;
    struct fail fail = {0};
    struct tx *tx;
    struct obj_reader *reader;
    uint64_t id;
    struct part_row part;
    assert_ok(create_upload(client, &(struct upload_args){.bucket = PHOTOS, .key = STR("a")}, &id));
    assert_ok(put_part(
        client,
        &(struct part_args){
            .bucket = PHOTOS, .key = STR("a"), .upload_id = id, .number = 1, .bytes = STR("x")},
        &part));
    struct completed_part completed = completed_part_of(client, &part);
    struct upload_complete args = {.bucket = PHOTOS,
                                   .key = STR("a"),
                                   .upload_id = id,
                                   .part = &completed,
                                   .part_count = 1,
                                   .expected_size = UINT64_MAX};
    assert_ok(complete_upload(client, &args));
    settle(client);
    assert_ok(find_object(client, PHOTOS, STR("a"), &row));
    const struct obj_reader_options options = {.store = world->store,
                                               .loop = client->loop,
                                               .arena = client->arena,
                                               .row = &row,
                                               .length = 1};
    assert_ok(view_begin(store_engine(world->store), VIEW_WAIT, &tx));
    assert_ok(obj_reader_open(tx, VIEW_WAIT, &options, &reader));
    view_end(tx);
    assert_ok(delete_object(client, PHOTOS, STR("a")));
    usleep(5000);
    assert_ok(janitor_run(world->store, &report, &fail));
    assert_int_equal(report.manifests_freed, 0);
    assert_int_equal(report.left_for_later, 1);
    audit(client);
    obj_reader_close(reader);
    settle(client);
    check_nothing_left(client);
}

/* ---- How much ---- */

static void test_many_extents(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, &(struct world_options){.inline_max_bytes = 16});
    struct client *client = &world.client;
    assert_ok(create_bucket(client, PHOTOS));
    struct object_delete_entry *entry =
        arena_new_array(client->arena, struct object_delete_entry, many());
    for (size_t i = 0; i < many(); i++) {
        entry[i] = (struct object_delete_entry){.key = key_of(client, i), .if_size = UINT64_MAX};
        assert_ok(put_bytes(client, PHOTOS, entry[i].key, STR("more than inline bytes")));
    }
    struct pending pending;
    struct object_delete del = {
        .op = client_op(client, &pending), .bucket = PHOTOS, .entry = entry, .count = many()};
    object_delete_start(&del);
    assert_ok(client_wait_op(&pending));
    audit(client);
    settle(client);
    check_nothing_left(client);
    world_close(&world);
}

static void test_many_parts(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    uint64_t id;
    assert_ok(create_upload(client, &(struct upload_args){.bucket = PHOTOS, .key = STR("a")}, &id));
    for (uint64_t number = 1; number <= many(); number++) {
        const struct part_args args = {.bucket = PHOTOS,
                                       .key = STR("a"),
                                       .upload_id = id,
                                       .number = number,
                                       .bytes = STR("x")};
        assert_ok(put_part(client, &args, NULL));
    }
    assert_ok(abort_upload(client, PHOTOS, STR("a"), id));
    audit(client);
    settle(client);
    check_nothing_left(client);
}

static void test_bucket_with_uploads(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    uint64_t id = 0;
    assert_ok(create_bucket(client, STR("doomed")));
    for (size_t i = 0; i < many(); i++)
        assert_ok(create_upload(
            client, &(struct upload_args){.bucket = STR("doomed"), .key = key_of(client, i % 7)},
            &id));
    const struct part_args part = {.bucket = STR("doomed"),
                                   .key = key_of(client, (many() - 1) % 7),
                                   .upload_id = id,
                                   .number = 1,
                                   .bytes = STR("x")};
    assert_ok(put_part(client, &part, NULL));
    assert_ok(delete_bucket(client, STR("doomed")));
    audit(client);
    /* A new bucket of that name has nothing of it. */
    assert_ok(create_bucket(client, STR("doomed")));
    assert_err(put_part(client, &part, NULL), ERR_NO_SUCH_UPLOAD);
    settle(client);
    check_nothing_left(client);
}

/* One upload of two parts, both made of the object so far: twice as many pieces each time, and no bytes are moved. */
static enum err double_object(struct client *client)
{
    uint64_t id;
    struct completed_part part[2];
    assert_ok(create_upload(client, &(struct upload_args){.bucket = PHOTOS, .key = STR("a")}, &id));
    for (size_t i = 0; i < COUNT_OF(part); i++) {
        struct upload_part_copy copy = {.source_bucket = PHOTOS,
                                        .source_key = STR("a"),
                                        .bucket = PHOTOS,
                                        .key = STR("a"),
                                        .upload_id = id,
                                        .row = {.number = i + 1}};
        assert_ok(copy_part(client, &copy));
        part[i] = completed_part_of(client, &copy.row);
    }
    struct upload_complete args = {.bucket = PHOTOS,
                                   .key = STR("a"),
                                   .upload_id = id,
                                   .part = part,
                                   .part_count = 2,
                                   .expected_size = UINT64_MAX};
    return complete_upload(client, &args);
}

static void test_many_pieces(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    enum { DOUBLINGS = 10, SIZE = PART + 1 };
    str bytes = bytes_of(client->arena, 1, SIZE), found;
    assert_ok(put_bytes(client, PHOTOS, STR("a"), bytes));
    for (int i = 0; i < DOUBLINGS; i++)
        assert_ok(double_object(client));
    audit(client);
    /* The last byte of a piece and the first of the next, far behind. */
    assert_ok(get_range(client, PHOTOS, STR("a"), UINT64_C(700) * SIZE - 1, 2, &found));
    assert_int_equal(found.ptr[0], bytes.ptr[SIZE - 1]);
    assert_int_equal(found.ptr[1], bytes.ptr[0]);
    settle(client);
    assert_int_equal(count_rows(client, TABLE_piece), 1 << DOUBLINGS);
    assert_int_equal(count_rows(client, TABLE_extent), 1);
    assert_ok(delete_object(client, PHOTOS, STR("a")));
    settle(client);
    check_nothing_left(client);
}

/* What one commit would have to write, and one object would drag along, is bounded; and can still be taken apart. */
static void test_most_pieces(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    if (!world_is_mem() || world->faults != NULL)
        return; /* a matter of minutes elsewhere */
    size_t pieces = 1;
    enum err err;
    assert_ok(put_bytes(client, PHOTOS, STR("a"), bytes_of(client->arena, 1, PART)));
    while ((err = double_object(client)) == OK) {
        pieces *= 2;
        assert_true(pieces <= PIECE_MAX_COUNT);
        arena_reset(client->arena);
    }
    assert_err(err, ERR_BAD_REQUEST);
    assert_true(2 * pieces > PIECE_MAX_COUNT);
    assert_ok(delete_object(client, PHOTOS, STR("a")));
    assert_ok(delete_bucket(client, PHOTOS)); /* with the upload that was refused */
    settle(client);
    check_nothing_left(client);
}

/* ---- Broken off ---- */

static void test_broken_off(void **state)
{
    (void)state;
    static const struct {
        enum fault_place place;
        unsigned skip;
    } cases[] = {{FAULT_EXTENT_DROP, 0},
                 {FAULT_EXTENT_DROP, 3},
                 {FAULT_UPDATE, 0},
                 {FAULT_UPDATE, 5},
                 {FAULT_UPDATE_UNKNOWN, 2}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world world;
        struct janitor_report report;
        struct fail fail = {0};
        world_open(&world, &(struct world_options){.inline_max_bytes = 16, .has_faults = true});
        struct client *client = &world.client;
        assert_ok(create_bucket(client, PHOTOS));
        for (size_t k = 0; k < 10; k++)
            assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("more than inline bytes")));
        usleep(5000);
        fault_arm(world.faults, cases[i].place, cases[i].skip, ERR_IO);
        assert_err(janitor_run(world.store, &report, &fail), ERR_IO);
        assert_int_equal(fail.code, ERR_IO);
        assert_true(fail.detail[0] != '\0');
        assert_object(client, PHOTOS, STR("a"), STR("more than inline bytes"));
        settle(client);
        assert_int_equal(count_rows(client, TABLE_extent), 1);
        world_close(&world);
    }
}

/* ---- After a crash ---- */

/* A body that was sealed, and whose process ended before the commit. */
static void leave_orphan(struct world *world, size_t size)
{
    struct extent_writer *writer;
    struct extent_row row;
    char *bytes = mem_alloc_aligned(4096, size);
    memset(bytes, 1, size);
    assert_ok(extent_begin(store_engine(world->store), size, &writer));
    assert_ok(extent_write(writer, bytes, size, 0));
    assert_ok(extent_seal(writer, size, world->client.arena, &row));
    mem_free(bytes);
}

static void test_orphans(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    uint64_t dropped = UINT64_MAX;
    struct fail fail = {0};
    str bytes = bytes_of(client->arena, 1, MIB);
    assert_ok(put_bytes(client, PHOTOS, STR("a"), bytes));
    assert_ok(put_bytes(client, PHOTOS, STR("deleted"), bytes));
    leave_orphan(world, 1);
    leave_orphan(world, MIB);
    assert_ok(delete_object(client, PHOTOS, STR("deleted"))); /* garbage, not an orphan */
    if (!world_reopen(world))
        return;
    assert_ok(janitor_drop_orphans(world->store, &dropped, &fail));
    assert_int_equal(dropped, 2);
    assert_object(client, PHOTOS, STR("a"), bytes_of(client->arena, 1, MIB));
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 1);
}

/* One that cannot be removed keeps neither the other orphans nor the garbage from going. */
static void test_stubborn(void **state)
{
    (void)state;
    struct world world;
    uint64_t dropped = 0;
    struct fail fail = {0};
    struct janitor_report report;
    world_open(&world, &(struct world_options){.has_faults = true});
    struct client *client = &world.client;
    str bytes = bytes_of(client->arena, 1, MIB);
    assert_ok(create_bucket(client, PHOTOS));
    assert_ok(put_bytes(client, PHOTOS, STR("a"), bytes));
    assert_ok(put_bytes(client, PHOTOS, STR("b"), bytes));
    leave_orphan(&world, 1);
    leave_orphan(&world, MIB);
    if (world_reopen(&world)) {
        fault_arm(world.faults, FAULT_EXTENT_DROP, 0, ERR_IO);
        assert_err(janitor_drop_orphans(world.store, &dropped, &fail), ERR_IO);
        assert_int_equal(dropped, 1);
    }
    assert_ok(delete_object(client, PHOTOS, STR("a")));
    assert_ok(delete_object(client, PHOTOS, STR("b")));
    (void)usleep(5000); /* the grace */
    fault_arm(world.faults, FAULT_EXTENT_DROP, 0, ERR_IO);
    assert_err(janitor_run(world.store, &report, &fail), ERR_IO);
    assert_int_equal(count_rows(client, TABLE_garbage), 0);
    assert_int_equal(count_rows(client, TABLE_extent), 0);
    world_close(&world);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_before_its_time),
        cmocka_unit_test(test_only_the_ripe),
        cmocka_unit_test_setup_teardown(test_pinned, world_setup, world_teardown),
        cmocka_unit_test(test_many_extents),
        cmocka_unit_test_setup_teardown(test_many_parts, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_bucket_with_uploads, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_many_pieces, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_most_pieces, world_setup, world_teardown),
        cmocka_unit_test(test_broken_off),
        cmocka_unit_test_setup_teardown(test_orphans, world_setup, world_teardown),
        cmocka_unit_test(test_stubborn),
    };
    return world_choose(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
