/* Aim: what was put is what is got, byte for byte, at every size where the way of a body changes; what is replaced, copied or
 * deleted leaves the counts exact and, once the janitor has been there, no bytes behind. */
#include "audit.h"
#include "base/bytes.h"
#include "base/crc.h"
#include "base/hash.h"
#include "object/store_int.h"

enum { INLINE_MAX = 64 << 10, MIB = 1 << 20 };

static const size_t sizes[] = {
    0,       1,   4095,    4096,        INLINE_MAX - 1, INLINE_MAX,  INLINE_MAX + 1,
    MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB,        3 * MIB + 7, 5 * MIB + 1,
};

static struct client *client_of(void **state)
{
    return &((struct world *)*state)->client;
}

/* ---- Put and get ---- */

static void check_row(const struct object_row *row, str bytes)
{
    uint8_t md5[MD5_SIZE];
    struct digest digest;
    md5_of(bytes.ptr, bytes.len, md5);
    digest_init(&digest, DIGEST_BIT(CHECKSUM_CRC64NVME));
    digest_update(&digest, bytes.ptr, bytes.len);
    digest_finish(&digest);
    assert_int_equal(row->size, bytes.len);
    assert_str(row->md5, str_of(md5, MD5_SIZE));
    assert_str(row->checksum, digest_checksum(&digest, CHECKSUM_CRC64NVME));
    digest_release(&digest);
    assert_int_equal(row->extent_id != 0, bytes.len > INLINE_MAX);
    assert_int_equal(row->manifest_id, 0);
    assert_int_equal(row->part_count, 0);
}

static void test_sizes(void **state)
{
    struct client *client = client_of(state);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        str bytes = bytes_of(client->arena, i, sizes[i]);
        /* In odd pieces, at once, and with a length that is known only at the end. */
        const struct put_args args[] = {
            {.bucket = PHOTOS, .key = STR("a"), .bytes = bytes},
            {.bucket = PHOTOS, .key = STR("a"), .bytes = bytes, .write_bytes = 65537},
            {.bucket = PHOTOS, .key = STR("a"), .bytes = bytes, .length_is_unknown = true},
        };
        for (size_t k = 0; k < COUNT_OF(args); k++) {
            struct object_row row, found;
            assert_ok(put_object(client, &args[k], &row));
            assert_ok(find_object(client, PHOTOS, STR("a"), &found));
            check_row(&found, bytes);
            assert_int_equal(found.sequence, row.sequence);
            assert_object(client, PHOTOS, STR("a"), bytes);
        }
        arena_reset(client->arena);
    }
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 1);
}

static void test_checksum_kinds(void **state)
{
    struct client *client = client_of(state);
    for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            str bytes = bytes_of(client->arena, 100 + i, sizes[i]);
            struct object_row row;
            struct digest digest;
            digest_init(&digest, DIGEST_BIT(kind));
            digest_update(&digest, bytes.ptr, bytes.len);
            digest_finish(&digest);
            assert_ok(put_object(
                client,
                &(struct put_args){
                    .bucket = PHOTOS, .key = STR("a"), .bytes = bytes, .checksum_kind = kind},
                &row));
            assert_str(row.checksum, digest_checksum(&digest, kind));
            digest_release(&digest);
            arena_reset(client->arena);
        }
    }
}

static void test_ranges(void **state)
{
    struct client *client = client_of(state);
    static const size_t object_size[] = {1, INLINE_MAX, INLINE_MAX + 1, 3 * MIB + 7};
    for (size_t i = 0; i < COUNT_OF(object_size); i++) {
        size_t size = object_size[i];
        str bytes = bytes_of(client->arena, i, size), found;
        assert_ok(put_bytes(client, PHOTOS, STR("a"), bytes));
        const size_t edge[] = {0,      1,       4095, 131071,      131072,   131073,
                               262144, MIB - 1, MIB,  2 * MIB + 1, size - 1, size};
        for (size_t a = 0; a < COUNT_OF(edge); a++) {
            for (size_t b = 0; b < COUNT_OF(edge); b++) {
                if (edge[a] >= edge[b] || edge[b] > size)
                    continue;
                assert_ok(get_range(client, PHOTOS, STR("a"), edge[a], edge[b] - edge[a], &found));
                assert_true(str_eq(found, str_slice(bytes, edge[a], edge[b])));
            }
        }
        arena_reset(client->arena);
    }
}

static void test_not_there(void **state)
{
    struct client *client = client_of(state);
    struct object_row row;
    assert_ok(put_bytes(client, PHOTOS, STR("a/b"), STR("x")));
    static const str absent[] = {STR_INIT("a"), STR_INIT("a/"), STR_INIT("a/b/"), STR_INIT("a/bb"),
                                 STR_INIT("A/b")};
    for (size_t i = 0; i < COUNT_OF(absent); i++)
        assert_err(find_object(client, PHOTOS, absent[i], &row), ERR_NO_SUCH_KEY);
    assert_err(find_object(client, STR("nowhere"), STR("a/b"), &row), ERR_NO_SUCH_BUCKET);
    assert_err(put_bytes(client, STR("nowhere"), STR("a"), STR("x")), ERR_NO_SUCH_BUCKET);
    assert_err(put_bytes(client, STR("nowhere"), STR("a"), bytes_of(client->arena, 1, MIB)),
               ERR_NO_SUCH_BUCKET);
    assert_err(delete_object(client, STR("nowhere"), STR("a")), ERR_NO_SUCH_BUCKET);
    assert_ok(delete_object(client, PHOTOS, STR("not there")));
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 0);
}

static void test_version_ids(void **state)
{
    struct client *client = client_of(state);
    struct bucket_row bucket;
    struct object_row row;
    struct tx *tx;
    assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("x")));
    static const struct {
        str key, version_id;
        enum err expected;
    } cases[] = {
        {STR_INIT("a"), STR_INIT(""), OK},
        {STR_INIT("a"), STR_INIT("null"), OK},
        {STR_INIT("a"), STR_INIT("NULL"), ERR_NO_SUCH_VERSION},
        {STR_INIT("a"), STR_INIT("1"), ERR_NO_SUCH_VERSION},
        {STR_INIT("b"), STR_INIT(""), ERR_NO_SUCH_KEY},
        {STR_INIT("b"), STR_INIT("null"), ERR_NO_SUCH_VERSION},
    };
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    assert_ok(bucket_find(tx, PHOTOS, client->arena, &bucket));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_err(object_find(tx, &bucket, cases[i].key, cases[i].version_id, client->arena, &row),
                   cases[i].expected);
    view_end(tx);
}

/* ---- Replace and delete ---- */

static void test_replace(void **state)
{
    struct client *client = client_of(state);
    static const size_t shape[] = {0, 1, INLINE_MAX, INLINE_MAX + 1, MIB + 1};
    uint64_t sequence = 0;
    for (size_t i = 0; i < COUNT_OF(shape); i++) {
        for (size_t k = 0; k < COUNT_OF(shape); k++) {
            str first = bytes_of(client->arena, 1, shape[i]),
                second = bytes_of(client->arena, 2, shape[k]);
            struct object_row row;
            assert_ok(put_bytes(client, PHOTOS, STR("a"), first));
            assert_ok(put_bytes(client, PHOTOS, STR("a"), second));
            assert_object(client, PHOTOS, STR("a"), second);
            assert_ok(find_object(client, PHOTOS, STR("a"), &row));
            assert_true(row.sequence > sequence);
            sequence = row.sequence;
            audit(client);
            arena_reset(client->arena);
        }
    }
    assert_ok(delete_object(client, PHOTOS, STR("a")));
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 0);
    assert_int_equal(count_rows(client, TABLE_object), 0);
}

/* A row as a clock left it that has been set back since: what comes later must still be newer. */
struct raw_put {
    struct update update;
    struct object_row row;
};

static enum err apply_raw_put(struct update *update, struct tx *tx)
{
    return row_put(tx, TABLE_object, &container_of(update, struct raw_put, update)->row);
}

static void test_sequence_without_the_clock(void **state)
{
    struct client *client = client_of(state);
    const uint64_t future = UINT64_C(1) << 60;
    struct raw_put raw = {.update.apply = apply_raw_put};
    assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("")));
    assert_ok(find_object(client, PHOTOS, STR("a"), &raw.row));
    raw.row.sequence = future;
    assert_ok(catalog_update_wait(store_engine(client->store), &raw.update));
    for (uint64_t i = 1; i < 3; i++) {
        struct object_row row;
        assert_ok(put_object(
            client, &(struct put_args){.bucket = PHOTOS, .key = STR("a"), .bytes = STR("")}, &row));
        assert_int_equal(row.sequence, future + i);
    }
}

/* One refused entry undoes none of the others, and a key may come twice. */
static void test_delete_many(void **state)
{
    struct client *client = client_of(state);
    struct object_row large;
    str bytes = bytes_of(client->arena, 1, MIB);
    assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("x")));
    assert_ok(put_object(
        client, &(struct put_args){.bucket = PHOTOS, .key = STR("large"), .bytes = bytes}, &large));
    assert_ok(put_bytes(client, PHOTOS, STR("kept"), STR("x")));
    assert_ok(put_bytes(client, PHOTOS, STR("sized"), STR("x")));
    int64_t modified_ms = (int64_t)large.modified_ms;
    struct object_delete_entry entry[] = {
        {.key = STR("a"), .if_size = UINT64_MAX},
        {.key = STR("a"), .if_size = UINT64_MAX},
        {.key = STR("kept"), .conditions.if_match = STR("\"0\""), .if_size = UINT64_MAX},
        {.key = STR("kept"), .if_size = 2},
        {.key = STR("kept"), .if_size = UINT64_MAX, .if_modified_ms = 1000},
        {.key = STR("kept"), .version_id = STR("other"), .if_size = UINT64_MAX},
        {.key = STR("missing"), .conditions.if_match = STR("\"0\""), .if_size = UINT64_MAX},
        {.key = STR("missing"), .if_size = UINT64_MAX},
        {.key = STR("sized"), .if_size = 1, .version_id = STR("null")},
        {.key = STR("large"), .if_size = MIB, .if_modified_ms = modified_ms / 1000 * 1000},
    };
    static const enum err expected[] = {
        OK,
        OK,
        ERR_PRECONDITION_FAILED,
        ERR_PRECONDITION_FAILED,
        ERR_PRECONDITION_FAILED,
        OK,
        ERR_NO_SUCH_KEY,
        OK,
        OK,
        OK,
    };
    struct pending pending;
    struct object_delete del = {.op = client_op(client, &pending),
                                .bucket = PHOTOS,
                                .entry = entry,
                                .count = COUNT_OF(entry)};
    object_delete_start(&del);
    assert_ok(client_wait_op(&pending));
    for (size_t i = 0; i < COUNT_OF(entry); i++)
        if (entry[i].result != expected[i])
            fail_msg("entry %zu: %s", i, err_name(entry[i].result));
    settle(client);
    assert_int_equal(count_rows(client, TABLE_object), 1);
    assert_int_equal(count_rows(client, TABLE_extent), 0);
}

/* A key that no object can have is refused by itself, before anybody looks for it. */
static void test_delete_long_key(void **state)
{
    struct client *client = client_of(state);
    static const size_t length[] = {KEY_MAX_BYTES, KEY_MAX_BYTES + 1, 5000, 1 << 20};
    assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("x")));
    for (size_t i = 0; i < COUNT_OF(length); i++) {
        char *key = arena_alloc(client->arena, length[i]);
        memset(key, 'k', length[i]);
        assert_err(delete_object(client, PHOTOS, str_of(key, length[i])),
                   length[i] > KEY_MAX_BYTES ? ERR_KEY_TOO_LONG : OK);
    }
    assert_object(client, PHOTOS, STR("a"), STR("x"));
}

/* ---- Conditions ---- */

static void test_put_conditions(void **state)
{
    struct client *client = client_of(state);
    static const struct {
        str if_match, if_none_match;
        enum err on_nothing, on_x;
    } cases[] = {
        {{0}, {0}, OK, OK},
        {{0}, STR_INIT("*"), OK, ERR_PRECONDITION_FAILED},
        {STR_INIT("\"9dd4e461268c8034f5c8564e155c67a6\""), {0}, ERR_NO_SUCH_KEY, OK},
        {STR_INIT("\"00000000000000000000000000000000\""),
         {0},
         ERR_NO_SUCH_KEY,
         ERR_PRECONDITION_FAILED},
        {{0}, STR_INIT("\"9dd4e461268c8034f5c8564e155c67a6\""), OK, ERR_PRECONDITION_FAILED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct put_args args = {
            .bucket = PHOTOS,
            .key = STR("a"),
            .bytes = STR("new"),
            .conditions = {.if_match = cases[i].if_match, .if_none_match = cases[i].if_none_match},
        };
        struct object_row row;
        assert_ok(delete_object(client, PHOTOS, STR("a")));
        assert_err(put_object(client, &args, NULL), cases[i].on_nothing);
        assert_err(find_object(client, PHOTOS, STR("a"), &row),
                   cases[i].on_nothing == OK ? OK : ERR_NO_SUCH_KEY);
        assert_ok(put_bytes(client, PHOTOS, STR("a"), STR("x")));
        assert_err(put_object(client, &args, NULL), cases[i].on_x);
        assert_object(client, PHOTOS, STR("a"), cases[i].on_x == OK ? STR("new") : STR("x"));
    }
    audit(client);
}

/* ---- Copies ---- */

static struct object_copy copy_of(const char *source, const char *target)
{
    return (struct object_copy){.source_bucket = PHOTOS,
                                .source_key = str_from(source),
                                .bucket = PHOTOS,
                                .row = {.key = str_from(target), .owner = OWNER}};
}

static void test_copy(void **state)
{
    struct client *client = client_of(state);
    static const size_t shape[] = {0, 1, INLINE_MAX, INLINE_MAX + 1, MIB + 1};
    for (size_t i = 0; i < COUNT_OF(shape); i++) {
        for (size_t k = 0; k < COUNT_OF(shape); k++) {
            str bytes = bytes_of(client->arena, 3, shape[i]),
                former = bytes_of(client->arena, 4, shape[k]);
            assert_ok(put_bytes(client, PHOTOS, STR("from"), bytes));
            assert_ok(put_bytes(client, PHOTOS, STR("to"), former));
            struct object_copy copy = copy_of("from", "to"), back = copy_of("to", "to");
            assert_ok(copy_object(client, &copy));
            audit(client);
            assert_ok(copy_object(client, &back));
            audit(client);
            assert_ok(delete_object(client, PHOTOS, STR("from")));
            settle(client);
            assert_object(client, PHOTOS, STR("to"), bytes);
            arena_reset(client->arena);
        }
    }
    assert_ok(delete_object(client, PHOTOS, STR("to")));
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 0);
}

static void test_copy_columns(void **state)
{
    struct client *client = client_of(state);
    struct object_row row;
    assert_ok(put_object(
        client,
        &(struct put_args){
            .bucket = PHOTOS, .key = STR("from"), .bytes = STR("x"), .metadata = STR("old")},
        &row));
    struct object_copy kept = copy_of("from", "kept"), replaced = copy_of("from", "replaced"),
                       other_sum = copy_of("from", "sum");
    assert_ok(copy_object(client, &kept));
    assert_str(kept.row.metadata, STR("old"));
    assert_int_equal(kept.row.checksum_kind, CHECKSUM_CRC64NVME);
    assert_str(kept.row.checksum, row.checksum);
    assert_str(kept.row.md5, row.md5);
    replaced.replaces_metadata = true;
    replaced.row.metadata = STR("new");
    assert_ok(copy_object(client, &replaced));
    assert_str(replaced.row.metadata, STR("new"));

    const struct object_checksum_args args = {
        .bucket = PHOTOS, .key = STR("from"), .kind = CHECKSUM_SHA256};
    struct object_checksum *sum = object_checksum_new(client->store, &args, client->arena);
    assert_ok(object_checksum_step(sum));
    other_sum.checksum = sum->checksum;
    uint8_t sha256[SHA256_SIZE];
    sha256_of("x", 1, sha256);
    assert_str(other_sum.checksum, str_of(sha256, sizeof sha256));
    other_sum.checksum_kind = CHECKSUM_SHA256;
    other_sum.expected_sequence = sum->row.sequence;
    assert_ok(copy_object(client, &other_sum));
    assert_str(other_sum.row.checksum, str_of(sha256, sizeof sha256));
}

/* Checksums of what is stored come in steps, of all bytes or of a range. */
static void test_stored_checksums(void **state)
{
    struct client *client = client_of(state);
    enum { SIZE = 20 * MIB + 3 };
    str bytes = bytes_of(client->arena, 1, SIZE);
    assert_ok(put_bytes(client, PHOTOS, STR("a"), bytes));
    assert_ok(put_bytes(client, PHOTOS, STR("empty"), STR("")));
    static const struct {
        const char *key;
        uint64_t offset, length;
        enum err expected;
        unsigned steps;
    } cases[] = {
        {"a", 0, 0, OK, 3},
        {"a", 0, SIZE, OK, 3},
        {"a", 5, 100, OK, 1},
        {"a", SIZE - 1, 1, OK, 1},
        {"empty", 0, 0, OK, 1},
        {"a", SIZE, 1, ERR_BAD_RANGE, 1},
        {"a", 1, SIZE, ERR_BAD_RANGE, 1},
        {"a", UINT64_MAX, 2, ERR_BAD_RANGE, 1},
        {"b", 0, 0, ERR_NO_SUCH_KEY, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct object_checksum_args args = {.bucket = PHOTOS,
                                                  .key = str_from(cases[i].key),
                                                  .kind = CHECKSUM_CRC32C,
                                                  .offset = cases[i].offset,
                                                  .length = cases[i].length};
        struct arena *arena = arena_new(64 << 20);
        struct object_checksum *sum = object_checksum_new(client->store, &args, arena);
        enum err err;
        unsigned steps = 1;
        while ((err = object_checksum_step(sum)) == ERR_WOULD_BLOCK)
            steps++;
        assert_err(err, cases[i].expected);
        assert_int_equal(steps, cases[i].steps);
        if (err == OK) {
            str all = str_eq(args.key, STR("a")) ? bytes : STR("");
            uint64_t length = args.length > 0 ? args.length : all.len;
            uint32_t crc = crc32c_update(0, all.ptr + args.offset, length);
            assert_int_equal(get_be32(sum->checksum.ptr), crc);
        }
        arena_free(arena);
    }
}

static void test_copy_refusals(void **state)
{
    struct client *client = client_of(state);
    str bytes = bytes_of(client->arena, 1, MIB);
    assert_ok(put_bytes(client, PHOTOS, STR("from"), bytes));
    assert_ok(put_bytes(client, PHOTOS, STR("to"), STR("x")));
    struct object_copy missing = copy_of("missing", "to"), nowhere = copy_of("from", "to"),
                       from_nowhere = copy_of("from", "to"), stale = copy_of("from", "to"),
                       mismatch = copy_of("from", "to"), same = copy_of("from", "to"),
                       taken = copy_of("from", "to");
    nowhere.bucket = from_nowhere.source_bucket = STR("nowhere");
    stale.expected_sequence = 1;
    mismatch.source_conditions.if_match = STR("\"00\"");
    same.source_conditions.if_none_match = STR("*");
    taken.conditions.if_none_match = STR("*");
    assert_err(copy_object(client, &missing), ERR_NO_SUCH_KEY);
    assert_err(copy_object(client, &nowhere), ERR_NO_SUCH_BUCKET);
    assert_err(copy_object(client, &from_nowhere), ERR_NO_SUCH_BUCKET);
    assert_err(copy_object(client, &stale), ERR_RETRY);
    assert_err(copy_object(client, &mismatch), ERR_PRECONDITION_FAILED);
    assert_err(copy_object(client, &same), ERR_PRECONDITION_FAILED);
    assert_err(copy_object(client, &taken), ERR_PRECONDITION_FAILED);
    assert_object(client, PHOTOS, STR("to"), STR("x"));
    audit(client);
}

/* ---- After a restart ---- */

static void test_reopen(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        str key = arena_printf(client->arena, "key-%zu", i);
        assert_ok(put_bytes(client, PHOTOS, key, bytes_of(client->arena, i, sizes[i])));
    }
    assert_ok(delete_object(client, PHOTOS, STR("key-3")));
    if (!world_reopen(world))
        return;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        str key = arena_printf(client->arena, "key-%zu", i), found;
        if (i == 3)
            assert_err(get_object(client, PHOTOS, key, &found), ERR_NO_SUCH_KEY);
        else
            assert_object(client, PHOTOS, key, bytes_of(client->arena, i, sizes[i]));
    }
    settle(client);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_checksum_kinds, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_ranges, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_not_there, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_version_ids, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_replace, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_sequence_without_the_clock, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(test_delete_many, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_delete_long_key, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_put_conditions, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_copy, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_copy_columns, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_stored_checksums, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_copy_refusals, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_reopen, world_setup, world_teardown),
    };
    return world_choose(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
