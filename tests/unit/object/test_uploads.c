/* Aim: a multipart upload becomes the bytes of the parts that Complete names, in their order, and of no others; what is replaced, left
 * out, aborted or refused leaves the counts exact and nothing behind; and a repeated Complete answers as the first did. */
#include "audit.h"
#include "base/hash.h"
#include "object/store_int.h"

enum { INLINE_MAX = 64 << 10, MIB = 1 << 20, PART = 5 * MIB };

#define KEY STR("film")

static struct client *client_of(void **state)
{
    return &((struct world *)*state)->client;
}

static uint64_t begin(struct client *client)
{
    uint64_t id;
    assert_ok(create_upload(client, &(struct upload_args){.bucket = PHOTOS, .key = KEY}, &id));
    return id;
}

/* Uploads a part and gives what Complete says of it. */
static struct completed_part part_of(struct client *client, uint64_t id, uint64_t number, str bytes)
{
    struct part_row row;
    assert_ok(put_part(
        client,
        &(struct part_args){
            .bucket = PHOTOS, .key = KEY, .upload_id = id, .number = number, .bytes = bytes},
        &row));
    return completed_part_of(client, &row);
}

static struct upload_complete completion(uint64_t id, const struct completed_part *part,
                                         size_t count)
{
    return (struct upload_complete){.bucket = PHOTOS,
                                    .key = KEY,
                                    .upload_id = id,
                                    .part = part,
                                    .part_count = count,
                                    .expected_size = UINT64_MAX};
}

static enum err complete(struct client *client, uint64_t id, const struct completed_part *part,
                         size_t count)
{
    struct upload_complete args = completion(id, part, count);
    return complete_upload(client, &args);
}

static str join(struct client *client, const str *piece, size_t count)
{
    return arena_join(client->arena, piece, count);
}

/* ---- The usual way ---- */

static void test_parts_in_any_order(void **state)
{
    struct client *client = client_of(state);
    str bytes[] = {bytes_of(client->arena, 1, PART), bytes_of(client->arena, 2, PART + 1),
                   bytes_of(client->arena, 3, 17)};
    uint64_t id = begin(client);
    struct completed_part part[3];
    part[2] = part_of(client, id, 10000, bytes[2]);
    part[0] = part_of(client, id, 1, bytes[0]);
    part[1] = part_of(client, id, 7, bytes[1]);
    audit(client);
    struct upload_complete args = completion(id, part, COUNT_OF(part));
    assert_ok(complete_upload(client, &args));
    assert_object(client, PHOTOS, KEY, join(client, bytes, COUNT_OF(bytes)));

    uint8_t sums[3 * MD5_SIZE], md5[MD5_SIZE];
    for (size_t i = 0; i < COUNT_OF(bytes); i++)
        md5_of(bytes[i].ptr, bytes[i].len, sums + i * MD5_SIZE);
    md5_of(sums, sizeof sums, md5);
    assert_str(args.row.md5, str_of(md5, MD5_SIZE));
    assert_int_equal(args.row.part_count, 3);
    assert_int_equal(args.row.checksum_kind, CHECKSUM_CRC64NVME);
    assert_int_equal(args.row.checksum_type, CHECKSUM_FULL_OBJECT);

    settle(client);
    assert_int_equal(count_rows(client, TABLE_upload), 0);
    assert_int_equal(count_rows(client, TABLE_part), 0);
    assert_int_equal(count_rows(client, TABLE_piece), 3);
    assert_ok(delete_object(client, PHOTOS, KEY));
    settle(client);
    assert_int_equal(count_rows(client, TABLE_piece), 0);
    assert_int_equal(count_rows(client, TABLE_manifest), 0);
    assert_int_equal(count_rows(client, TABLE_extent), 0);
}

/* Ranges that begin, end and pass at every border between parts. */
static void test_ranges_across_pieces(void **state)
{
    struct client *client = client_of(state);
    static const size_t size[] = {PART, PART, 3};
    enum { TOTAL = 2 * PART + 3 };
    str bytes[3], found;
    struct completed_part part[3];
    uint64_t id = begin(client);
    for (size_t i = 0; i < COUNT_OF(size); i++) {
        bytes[i] = bytes_of(client->arena, i, size[i]);
        part[i] = part_of(client, id, i + 1, bytes[i]);
    }
    assert_ok(complete(client, id, part, COUNT_OF(part)));
    str whole = join(client, bytes, COUNT_OF(bytes));
    static const uint64_t edge[] = {
        0, 1, PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART, 2 * PART + 1, TOTAL - 1, TOTAL};
    for (size_t a = 0; a < COUNT_OF(edge); a++) {
        for (size_t b = a + 1; b < COUNT_OF(edge); b++) {
            assert_ok(get_range(client, PHOTOS, KEY, edge[a], edge[b] - edge[a], &found));
            assert_true(str_eq(found, str_slice(whole, edge[a], edge[b])));
        }
    }
}

static void test_part_replaced(void **state)
{
    struct client *client = client_of(state);
    uint64_t id = begin(client);
    str former = bytes_of(client->arena, 1, MIB), latter = bytes_of(client->arena, 2, MIB + 1);
    struct completed_part old = part_of(client, id, 1, former),
                          new = part_of(client, id, 1, latter);
    audit(client);
    assert_err(complete(client, id, &old, 1), ERR_BAD_PART);
    assert_ok(complete(client, id, &new, 1));
    assert_object(client, PHOTOS, KEY, latter);
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 1);
}

/* Parts that the list leaves out go. */
static void test_part_left_out(void **state)
{
    struct client *client = client_of(state);
    uint64_t id = begin(client);
    struct completed_part part[4];
    for (size_t i = 0; i < COUNT_OF(part); i++)
        part[i] = part_of(client, id, i + 1, bytes_of(client->arena, i, i == 3 ? 5 : PART));
    const struct completed_part chosen[] = {part[1], part[3]};
    const str expected[] = {bytes_of(client->arena, 1, PART), bytes_of(client->arena, 3, 5)};
    assert_ok(complete(client, id, chosen, COUNT_OF(chosen)));
    assert_object(client, PHOTOS, KEY, join(client, expected, COUNT_OF(expected)));
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 2);
}

static void test_empty_parts(void **state)
{
    struct client *client = client_of(state);
    struct object_row row;
    uint64_t id = begin(client);
    struct completed_part part = part_of(client, id, 1, STR(""));
    assert_ok(complete(client, id, &part, 1));
    assert_object(client, PHOTOS, KEY, STR(""));
    assert_ok(find_object(client, PHOTOS, KEY, &row));
    assert_int_equal(row.part_count, 1);
    assert_int_equal(row.manifest_id, 0);
    id = begin(client);
    struct completed_part two[] = {part_of(client, id, 1, bytes_of(client->arena, 1, PART)),
                                   part_of(client, id, 2, STR(""))};
    assert_ok(complete(client, id, two, 2));
    assert_object(client, PHOTOS, KEY, bytes_of(client->arena, 1, PART));
    settle(client);
}

/* ---- Refusals ---- */

static void test_refused_lists(void **state)
{
    struct client *client = client_of(state);
    uint64_t id = begin(client);
    struct completed_part small = part_of(client, id, 1, STR("small")),
                          large = part_of(client, id, 2, bytes_of(client->arena, 1, PART)),
                          last = part_of(client, id, 3, STR("last")),
                          absent = {.number = 4, .etag = small.etag};
    struct completed_part wrong = last, starred = last, summed = last;
    wrong.etag = small.etag;
    starred.etag = STR("*");
    summed.checksum_kind = CHECKSUM_CRC64NVME;
    summed.checksum = STR("\0\0\0\0\0\0\0\0");
    const struct {
        struct completed_part part[3];
        size_t count;
        enum err expected;
    } cases[] = {
        {{small, large}, 2, ERR_ENTITY_TOO_SMALL}, {{last, large}, 2, ERR_BAD_PART_ORDER},
        {{large, large}, 2, ERR_BAD_PART_ORDER},   {{large, absent}, 2, ERR_BAD_PART},
        {{large, wrong}, 2, ERR_BAD_PART},         {{large, starred}, 2, ERR_BAD_PART},
        {{large, summed}, 2, ERR_BAD_PART},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct object_row row;
        enum err err = complete(client, id, cases[i].part, cases[i].count);
        if (err != cases[i].expected)
            fail_msg("%zu: %s", i, err_name(err));
        assert_err(find_object(client, PHOTOS, KEY, &row), ERR_NO_SUCH_KEY);
        audit(client);
    }
    /* Nothing of it has cost the upload its parts. */
    const struct completed_part good[] = {large, last};
    assert_ok(complete(client, id, good, 2));
    settle(client);
}

static void test_refused_wholes(void **state)
{
    struct client *client = client_of(state);
    uint64_t id = begin(client);
    str bytes = bytes_of(client->arena, 1, MIB);
    struct completed_part part = part_of(client, id, 1, bytes);
    struct upload_complete size = completion(id, &part, 1), sum = size, kind = size, type = size,
                           taken = size, missing = size, good = size, key = size;
    struct digest digest;
    digest_init(&digest, DIGEST_BIT(CHECKSUM_CRC64NVME));
    digest_update(&digest, bytes.ptr, bytes.len);
    digest_finish(&digest);
    size.expected_size = MIB + 1;
    sum.checksum_kind = CHECKSUM_CRC64NVME;
    sum.checksum = STR("\0\0\0\0\0\0\0\0");
    kind.checksum_kind = CHECKSUM_CRC32;
    kind.checksum = STR("\0\0\0\0");
    type.has_checksum_type = true;
    type.checksum_type = CHECKSUM_COMPOSITE;
    taken.conditions.if_none_match = STR("*");
    missing.conditions.if_match = STR("\"00\"");
    key.key = STR("another");
    assert_err(complete_upload(client, &size), ERR_BAD_REQUEST);
    assert_err(complete_upload(client, &sum), ERR_BAD_CHECKSUM);
    assert_err(complete_upload(client, &kind), ERR_BAD_CHECKSUM);
    assert_err(complete_upload(client, &type), ERR_BAD_UPLOAD_CHECKSUM);
    assert_err(complete_upload(client, &missing), ERR_NO_SUCH_KEY);
    assert_err(complete_upload(client, &key), ERR_NO_SUCH_UPLOAD);
    assert_ok(put_bytes(client, PHOTOS, KEY, STR("there")));
    assert_err(complete_upload(client, &taken), ERR_PRECONDITION_FAILED);
    assert_object(client, PHOTOS, KEY, STR("there"));
    audit(client);
    good.expected_size = MIB;
    good.checksum_kind = CHECKSUM_CRC64NVME;
    good.checksum = digest_checksum(&digest, CHECKSUM_CRC64NVME);
    assert_ok(complete_upload(client, &good));
    digest_release(&digest);
    assert_object(client, PHOTOS, KEY, bytes);
    settle(client);
}

/* ---- Checksums ---- */

static void check_checksum(struct client *client, enum checksum_kind kind, enum checksum_type type)
{
    str bytes[] = {bytes_of(client->arena, 1, PART), bytes_of(client->arena, 2, 100)};
    struct completed_part part[2];
    struct checksum_joiner joiner;
    uint8_t expected[CHECKSUM_SIZE_MAX];
    uint64_t id;
    assert_ok(create_upload(
        client,
        &(struct upload_args){
            .bucket = PHOTOS, .key = KEY, .checksum_kind = kind, .checksum_type = type},
        &id));
    checksum_joiner_init(&joiner, kind, type);
    for (size_t i = 0; i < COUNT_OF(part); i++) {
        struct part_row row;
        const struct part_args args = {.bucket = PHOTOS,
                                       .key = KEY,
                                       .upload_id = id,
                                       .number = i + 1,
                                       .bytes = bytes[i],
                                       .checksum_kind = kind};
        assert_ok(put_part(client, &args, &row));
        part[i] = completed_part_of(client, &row);
        part[i].checksum_kind = kind;
        part[i].checksum = row.checksum;
        checksum_joiner_add(&joiner, row.checksum, row.size);
    }
    checksum_joiner_finish(&joiner, expected);
    struct upload_complete args = completion(id, part, 2);
    assert_ok(complete_upload(client, &args));
    assert_int_equal(args.row.checksum_kind, kind);
    assert_int_equal(args.row.checksum_type, type);
    assert_str(args.row.checksum, str_of(expected, checksum_size(kind)));
}

static void test_checksums(void **state)
{
    struct client *client = client_of(state);
    for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++) {
        if (kind <= CHECKSUM_CRC64NVME)
            check_checksum(client, kind, CHECKSUM_FULL_OBJECT);
        if (kind != CHECKSUM_CRC64NVME)
            check_checksum(client, kind, CHECKSUM_COMPOSITE);
        arena_reset(client->arena);
    }
}

/* ---- Again ---- */

static void test_complete_twice(void **state)
{
    struct client *client = client_of(state);
    uint64_t id = begin(client);
    struct completed_part part = part_of(client, id, 1, bytes_of(client->arena, 1, MIB));
    struct upload_complete first = completion(id, &part, 1), again = first, after_all = first;
    assert_ok(complete_upload(client, &first));
    assert_ok(complete_upload(client, &again));
    assert_str(again.row.md5, first.row.md5);
    assert_int_equal(again.row.sequence, first.row.sequence);
    settle(client);
    assert_ok(complete_upload(client, &again));
    assert_int_equal(count_rows(client, TABLE_manifest), 1);
    audit(client);
    /* Not once the object is another one, though of the same bytes. */
    struct object_copy copy = {.source_bucket = PHOTOS,
                               .source_key = KEY,
                               .bucket = PHOTOS,
                               .row = {.key = KEY, .owner = OWNER}};
    assert_ok(copy_object(client, &copy));
    assert_err(complete_upload(client, &after_all), ERR_NO_SUCH_UPLOAD);
    assert_ok(delete_object(client, PHOTOS, KEY));
    assert_err(complete_upload(client, &after_all), ERR_NO_SUCH_UPLOAD);
    settle(client);
}

static void test_abort(void **state)
{
    struct client *client = client_of(state);
    uint64_t id = begin(client), other = begin(client);
    struct completed_part part = part_of(client, id, 1, bytes_of(client->arena, 1, MIB));
    struct completed_part kept = part_of(client, other, 1, bytes_of(client->arena, 2, MIB));
    (void)part_of(client, id, 2, bytes_of(client->arena, 3, 10));
    assert_err(abort_upload(client, PHOTOS, STR("another"), id), ERR_NO_SUCH_UPLOAD);
    assert_err(abort_upload(client, STR("nowhere"), KEY, id), ERR_NO_SUCH_BUCKET);
    assert_ok(abort_upload(client, PHOTOS, KEY, id));
    audit(client);
    assert_err(abort_upload(client, PHOTOS, KEY, id), ERR_NO_SUCH_UPLOAD);
    assert_err(complete(client, id, &part, 1), ERR_NO_SUCH_UPLOAD);
    assert_err(put_part(client,
                        &(struct part_args){.bucket = PHOTOS,
                                            .key = KEY,
                                            .upload_id = id,
                                            .number = 1,
                                            .bytes = bytes_of(client->arena, 1, MIB)},
                        NULL),
               ERR_NO_SUCH_UPLOAD);
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 1);
    assert_ok(complete(client, other, &kept, 1));
    settle(client);
}

/* ---- Copies of parts ---- */

static struct upload_part_copy copy_to(uint64_t id, uint64_t number, const char *source)
{
    return (struct upload_part_copy){.source_bucket = PHOTOS,
                                     .source_key = str_from(source),
                                     .bucket = PHOTOS,
                                     .key = KEY,
                                     .upload_id = id,
                                     .row = {.number = number}};
}

static void test_part_copies(void **state)
{
    struct client *client = client_of(state);
    str large = bytes_of(client->arena, 1, 2 * PART + 9);
    assert_ok(put_bytes(client, PHOTOS, STR("large"), large));
    uint64_t id = begin(client);
    struct upload_part_copy first = copy_to(id, 1, "large"), second = copy_to(id, 2, "large"),
                            third = copy_to(id, 3, "large");
    first.has_range = third.has_range = true;
    first.range_first = 1;
    first.range_last = PART + 5;
    third.range_first = third.range_last = 2 * PART + 8;
    assert_ok(copy_part(client, &first));
    assert_ok(copy_part(client, &second));
    assert_ok(copy_part(client, &third));
    audit(client);
    assert_int_equal(first.row.size, PART + 5);
    const struct completed_part part[] = {completed_part_of(client, &first.row),
                                          completed_part_of(client, &second.row),
                                          completed_part_of(client, &third.row)};
    assert_ok(delete_object(client, PHOTOS, STR("large")));
    settle(client);
    assert_ok(complete(client, id, part, COUNT_OF(part)));
    const str pieces[] = {str_slice(large, 1, PART + 6), large, str_skip(large, 2 * PART + 8)};
    str whole = join(client, pieces, COUNT_OF(pieces));
    assert_object(client, PHOTOS, KEY, whole);

    /* And of a multipart object, across its pieces. */
    id = begin(client);
    struct upload_part_copy across = copy_to(id, 1, "film");
    across.has_range = true;
    across.range_first = PART;
    across.range_last = whole.len - 2;
    assert_ok(copy_part(client, &across));
    struct completed_part only = completed_part_of(client, &across.row);
    assert_ok(complete(client, id, &only, 1));
    assert_object(client, PHOTOS, KEY, str_slice(whole, PART, whole.len - 1));
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 1);
    assert_ok(delete_object(client, PHOTOS, KEY));
    settle(client);
    assert_int_equal(count_rows(client, TABLE_extent), 0);
}

static void test_part_copy_refusals(void **state)
{
    struct client *client = client_of(state);
    assert_ok(put_bytes(client, PHOTOS, STR("large"), bytes_of(client->arena, 1, MIB)));
    uint64_t id = begin(client);
    struct upload_part_copy past = copy_to(id, 1, "large"), missing = copy_to(id, 1, "missing"),
                            stale = copy_to(id, 1, "large"), mismatch = copy_to(id, 1, "large"),
                            wrong = copy_to(id + 1, 1, "large");
    past.has_range = true;
    past.range_last = MIB;
    stale.expected_sequence = 1;
    mismatch.source_conditions.if_none_match = STR("*");
    assert_err(copy_part(client, &past), ERR_BAD_RANGE);
    assert_err(copy_part(client, &missing), ERR_NO_SUCH_KEY);
    assert_err(copy_part(client, &stale), ERR_RETRY);
    assert_err(copy_part(client, &mismatch), ERR_PRECONDITION_FAILED);
    assert_err(copy_part(client, &wrong), ERR_NO_SUCH_UPLOAD);
    assert_int_equal(count_rows(client, TABLE_part), 0);
    audit(client);
}

/* A source whose bytes lie inline is written out first; if it changes before the commit, the part is made of what it is then. */
static void test_part_copy_of_inline_bytes(void **state)
{
    struct world *world = *state;
    struct client *client = &world->client;
    static const size_t next_size[] = {1, 2000, INLINE_MAX, MIB, 0};
    for (size_t i = 0; i < COUNT_OF(next_size); i++) {
        str former = bytes_of(client->arena, 1, 1000),
            latter = bytes_of(client->arena, 2, next_size[i]);
        uint64_t id = begin(client);
        struct upload_part_copy copy = copy_to(id, 1, "small");
        assert_ok(put_bytes(client, PHOTOS, STR("small"), former));
        assert_ok(upload_part_copy_inline_wait(client->store, &copy, client->arena));
        assert_true(copy.has_extent);
        assert_ok(put_bytes(client, PHOTOS, STR("small"), latter));
        assert_err(copy_part(client, &copy), ERR_RETRY);
        assert_ok(upload_part_copy_inline_wait(client->store, &copy, client->arena));
        assert_int_equal(copy.has_extent, latter.len > 0 && latter.len <= INLINE_MAX);
        assert_ok(copy_part(client, &copy));
        assert_int_equal(copy.row.size, latter.len);
        uint8_t md5[MD5_SIZE];
        md5_of(latter.ptr, latter.len, md5);
        assert_str(copy.row.md5, str_of(md5, MD5_SIZE));
        struct completed_part part = completed_part_of(client, &copy.row);
        assert_ok(complete(client, id, &part, 1));
        assert_object(client, PHOTOS, KEY, latter);
        settle(client);
        arena_reset(client->arena);
    }
    uint64_t dropped;
    struct fail fail = {0};
    if (!world_reopen(world))
        return;
    assert_ok(janitor_drop_orphans(world->store, &dropped, &fail));
    assert_int_equal(dropped, 0);
}

static void test_part_copy_of_inline_range(void **state)
{
    struct client *client = client_of(state);
    str bytes = bytes_of(client->arena, 1, 1000);
    assert_ok(put_bytes(client, PHOTOS, STR("small"), bytes));
    static const struct {
        uint64_t first, last;
        enum err expected;
    } cases[] = {
        {0, 999, OK},
        {0, 0, OK},
        {999, 999, OK},
        {10, 19, OK},
        {0, 1000, ERR_BAD_RANGE},
        {1000, 1000, ERR_BAD_RANGE},
        {2, 1, ERR_BAD_RANGE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t id = begin(client);
        struct upload_part_copy copy = copy_to(id, 1, "small");
        copy.has_range = true;
        copy.range_first = cases[i].first;
        copy.range_last = cases[i].last;
        assert_err(upload_part_copy_inline_wait(client->store, &copy, client->arena),
                   cases[i].expected);
        if (cases[i].expected != OK)
            continue;
        assert_ok(copy_part(client, &copy));
        struct completed_part part = completed_part_of(client, &copy.row);
        assert_ok(complete(client, id, &part, 1));
        assert_object(client, PHOTOS, KEY, str_slice(bytes, cases[i].first, cases[i].last + 1));
    }
    settle(client);
}

/* A source that is inline only since it was looked at is looked at again. */
static void test_part_copy_of_what_became_inline(void **state)
{
    struct client *client = client_of(state);
    assert_ok(put_bytes(client, PHOTOS, STR("small"), STR("small")));
    struct upload_part_copy copy = copy_to(begin(client), 1, "small");
    assert_err(copy_part(client, &copy), ERR_RETRY);
    assert_int_equal(count_rows(client, TABLE_part), 0);
    audit(client);
}

/* ---- Parts of what was made ---- */

/* A part that was copied across pieces has several of its own, and is still one part. */
static void test_parts_of_several_pieces(void **state)
{
    struct client *client = client_of(state);
    uint64_t id = begin(client);
    struct completed_part first[] = {part_of(client, id, 1, bytes_of(client->arena, 1, PART)),
                                     part_of(client, id, 2, bytes_of(client->arena, 2, PART))};
    assert_ok(complete(client, id, first, 2));
    id = begin(client);
    struct completed_part second[3];
    for (size_t i = 0; i < COUNT_OF(second); i++) {
        struct upload_part_copy copy = copy_to(id, i + 1, "film");
        copy.has_range = true;
        copy.range_first = i;
        copy.range_last = 2 * PART - 1;
        assert_ok(copy_part(client, &copy));
        second[i] = completed_part_of(client, &copy.row);
    }
    assert_ok(complete(client, id, second, COUNT_OF(second)));
    struct object_row row;
    struct object_part *list, found;
    size_t count;
    bool is_truncated;
    struct tx *tx;
    assert_ok(find_object(client, PHOTOS, KEY, &row));
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    for (size_t max_count = 1; max_count <= 3; max_count++) {
        assert_ok(
            object_part_list(tx, &row, 0, max_count, client->arena, &list, &count, &is_truncated));
        assert_int_equal(count, max_count);
        assert_int_equal(is_truncated, max_count < 3);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(list[i].number, i + 1);
            assert_int_equal(list[i].size, 2 * PART - i);
        }
    }
    assert_ok(object_part_find(tx, &row, 3, client->arena, &found));
    assert_int_equal(found.offset, 2 * PART + 2 * PART - 1);
    view_end(tx);
    settle(client);
    assert_int_equal(count_rows(client, TABLE_piece), 6);
    assert_int_equal(count_rows(client, TABLE_extent), 2);
}

/* They are known by their places, not by the numbers that they were uploaded by. */
static void test_object_parts(void **state)
{
    struct client *client = client_of(state);
    static const uint64_t number[] = {2, 3, 500, 10000};
    static const size_t size[] = {PART, PART + 7, PART, 1};
    assert_ok(put_bytes(client, PHOTOS, STR("large"), bytes_of(client->arena, 9, 2 * MIB)));
    uint64_t id = begin(client), offset = 0;
    struct completed_part part[4];
    for (size_t i = 0; i < COUNT_OF(part); i++)
        part[i] = part_of(client, id, number[i], bytes_of(client->arena, i, size[i]));
    assert_ok(complete(client, id, part, COUNT_OF(part)));
    struct object_row row, large;
    struct object_part found, *list;
    size_t count;
    bool is_truncated;
    struct tx *tx;
    assert_ok(find_object(client, PHOTOS, KEY, &row));
    assert_ok(find_object(client, PHOTOS, STR("large"), &large));
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    for (size_t i = 0; i < COUNT_OF(part); i++) {
        assert_ok(object_part_find(tx, &row, i + 1, client->arena, &found));
        assert_int_equal(found.number, i + 1);
        assert_int_equal(found.offset, offset);
        assert_int_equal(found.size, size[i]);
        assert_int_equal(found.part_count, 4);
        assert_int_equal(found.checksum.len, 8);
        offset += size[i];
    }
    static const uint64_t absent[] = {5, 500, 10000};
    for (size_t i = 0; i < COUNT_OF(absent); i++)
        assert_err(object_part_find(tx, &row, absent[i], client->arena, &found),
                   ERR_BAD_PART_NUMBER);
    static const struct {
        uint64_t after;
        size_t max_count, count;
        bool is_truncated;
    } cases[] = {
        {0, 10, 4, false}, {0, 4, 4, false},  {0, 3, 3, true},  {1, 2, 2, true},
        {2, 2, 2, false},  {3, 10, 1, false}, {4, 9, 0, false}, {10000, 9, 0, false},
        {0, 0, 0, false},  {0, 1, 1, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_ok(object_part_list(tx, &row, cases[i].after, cases[i].max_count, client->arena,
                                   &list, &count, &is_truncated));
        assert_int_equal(count, cases[i].count);
        assert_int_equal(is_truncated, cases[i].is_truncated);
        for (size_t k = 0; k < count; k++)
            assert_int_equal(list[k].number, cases[i].after + k + 1);
    }
    assert_ok(object_part_find(tx, &large, 1, client->arena, &found));
    assert_int_equal(found.size, 2 * MIB);
    assert_err(object_part_find(tx, &large, 2, client->arena, &found), ERR_BAD_PART_NUMBER);
    view_end(tx);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parts_in_any_order, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_ranges_across_pieces, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_part_replaced, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_part_left_out, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_empty_parts, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_refused_lists, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_refused_wholes, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_checksums, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_complete_twice, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_abort, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_part_copies, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_part_copy_refusals, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_part_copy_of_inline_bytes, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(test_part_copy_of_inline_range, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(test_part_copy_of_what_became_inline, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(test_parts_of_several_pieces, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(test_object_parts, world_setup, world_teardown),
    };
    return world_choose(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
