#include "history_int.h"

#include "../unit/object/audit.h"
#include "base/bytes.h"
#include "base/mem.h"

enum { INLINE_MAX = 4096, MIB = 1 << 20, PART = 5 * MIB, OBJECT_MAX = 40 * MIB };

/* ---- Choices ---- */

size_t below(struct history *h, size_t limit)
{
    return unit_random_below(&h->random, limit);
}

bool one_in(struct history *h, size_t count)
{
    return below(h, count) == 0;
}

/* A bucket, rather one that is there. */
size_t some_bucket(struct history *h)
{
    size_t bucket = below(h, BUCKETS);
    return h->model.bucket[bucket].exists || one_in(h, 3) ? bucket : below(h, BUCKETS);
}

/* A key, rather one that is there. */
size_t some_key(struct history *h, size_t bucket)
{
    size_t key = below(h, KEYS);
    for (int i = 0; i < 2 && !h->model.bucket[bucket].object[key].exists; i++)
        key = below(h, KEYS);
    return key;
}

static struct content some_content(struct history *h)
{
    static const uint64_t sizes[] = {0,     1,     100, INLINE_MAX - 1, INLINE_MAX, INLINE_MAX + 1,
                                     70000, 300000};
    uint64_t size = one_in(h, 60) ? 2 * MIB + 3 : sizes[below(h, COUNT_OF(sizes))];
    return content_of(h->seed + 1000003 * ++h->text_count, size);
}

str bytes_in_arena(struct history *h, const struct content *content)
{
    uint8_t *bytes = arena_alloc(h->world.client.arena, content->size + 1);
    content_fill(content, 0, content->size, bytes);
    return str_of(bytes, content->size);
}

/* ---- Expectations ---- */

void expect(struct history *h, enum err err, enum err expected)
{
    if (err != expected)
        fail_msg("%s: %s, and the model says %s", h->step_name, err_name(err), err_name(expected));
    h->answer_count[err == OK]++;
}

static str etag_of(struct history *h, const uint8_t *md5, uint64_t part_count)
{
    char text[ETAG_TEXT_MAX];
    return arena_str(h->world.client.arena, etag_format(str_of(md5, MD5_BYTES), part_count, text));
}

/* Conditions of a write, and what the model says to them. */
static enum err some_conditions(struct history *h, const struct model_object *object,
                                struct conditions *out)
{
    *out = (struct conditions){0};
    switch (below(h, 6)) {
    case 0:
        out->if_none_match = STR("*");
        return object->exists ? ERR_PRECONDITION_FAILED : OK;
    case 1:
        out->if_match = etag_of(h, object->md5, object->part_count);
        return object->exists ? OK : ERR_NO_SUCH_KEY;
    case 2:
        out->if_match = STR("\"00000000000000000000000000000000\"");
        return object->exists ? ERR_PRECONDITION_FAILED : ERR_NO_SUCH_KEY;
    default:
        return OK;
    }
}

/* What the store says of the new version's name, which the bucket decides. */
void take_version_id(struct model_object *made, const struct model_bucket *bucket, str version_id)
{
    bool has_id = bucket->versioning == VERSIONING_ENABLED;
    assert_int_equal(version_id.len, has_id ? VERSION_ID_TEXT : 0);
    if (has_id)
        memcpy(made->version_id, version_id.ptr, VERSION_ID_TEXT);
    made->version_id[version_id.len] = '\0';
}

void check_row(struct history *h, const struct object_row *row, const struct model_object *object)
{
    assert_int_equal(row->size, object->content.size);
    assert_str(row->md5, str_of(object->md5, MD5_BYTES));
    assert_int_equal(row->part_count, object->part_count);
    assert_int_equal(row->metadata.len, object->metadata != 0 ? sizeof object->metadata : 0);
    if (object->metadata != 0)
        assert_int_equal(get_le64(row->metadata.ptr), object->metadata);
    assert_int_equal(row->checksum_kind, object->has_checksum ? CHECKSUM_CRC64NVME : CHECKSUM_NONE);
    assert_int_equal(row->sequence, object->sequence);
    assert_str(row->version_id, str_from(object->version_id));
    if (object->has_checksum && (object->content.size < MIB || one_in(h, 10)))
        assert_int_equal(get_be64(row->checksum.ptr), content_crc64nvme(&object->content));
}

/* The store's answer to a write takes its place in the model. */
static void object_written(struct history *h, size_t bucket_index, size_t key,
                           struct model_object *made, const struct object_row *row)
{
    struct model_bucket *bucket = &h->model.bucket[bucket_index];
    assert_true(row->sequence > bucket->object[key].sequence || !bucket->object[key].exists);
    made->exists = true;
    made->is_marker = false;
    made->sequence = row->sequence;
    take_version_id(made, bucket, row->version_id);
    model_add(bucket, key, made);
}

/* ---- Buckets ---- */

static void step_create_bucket(struct history *h)
{
    size_t index = below(h, BUCKETS), owner = below(h, 2);
    struct model_bucket *bucket = &h->model.bucket[index];
    struct pending pending;
    struct bucket_create create = {.op = client_op(&h->world.client, &pending),
                                   .name = model_bucket_name(index),
                                   .owner = model_owner(owner)};
    bucket_create_start(&create);
    enum err expected = !bucket->exists          ? OK
                        : bucket->owner == owner ? ERR_BUCKET_OWNED
                                                 : ERR_BUCKET_EXISTS;
    expect(h, client_wait_op(&pending), expected);
    if (expected != OK)
        return;
    bucket->exists = true;
    bucket->owner = owner;
    bucket->versioning = VERSIONING_NEVER;
}

static void step_delete_bucket(struct history *h)
{
    size_t index = below(h, BUCKETS);
    struct model_bucket *bucket = &h->model.bucket[index];
    bool has_object = false;
    for (size_t key = 0; key < KEYS; key++)
        has_object |= bucket->object[key].exists || bucket->older_count[key] > 0;
    enum err expected = !bucket->exists ? ERR_NO_SUCH_BUCKET
                        : has_object    ? ERR_BUCKET_NOT_EMPTY
                                        : OK;
    expect(h, delete_bucket(&h->world.client, model_bucket_name(index)), expected);
    if (expected != OK)
        return;
    bucket->exists = false;
    for (size_t i = 0; i < h->model.upload_count; i++)
        if (h->model.upload[i].bucket == index)
            h->model.upload[i].exists = false;
}

static void step_list_buckets(struct history *h)
{
    size_t owner = below(h, 2), max_count = 1 + below(h, 3);
    static const str prefixes[] = {{0}, STR_INIT("second"), STR_INIT("f"), STR_INIT("x")};
    const struct bucket_list_args args = {
        .owner = model_owner(owner),
        .prefix = prefixes[below(h, COUNT_OF(prefixes))],
        .after = one_in(h, 2) ? (str){0} : model_bucket_name(below(h, BUCKETS)),
        .max_count = max_count};
    struct bucket_entry *entry;
    size_t count, seen = 0;
    bool is_truncated;
    struct tx *tx;
    assert_ok(view_begin(store_engine(h->world.store), VIEW_WAIT, &tx));
    expect(h, bucket_list(tx, &args, h->world.client.arena, &entry, &count, &is_truncated), OK);
    view_end(tx);
    for (size_t i = 0; i < BUCKETS; i++) {
        const struct model_bucket *bucket = &h->model.bucket[i];
        str name = model_bucket_name(i);
        bool is_listed = bucket->exists && bucket->owner == owner &&
                         str_has_prefix(name, args.prefix) &&
                         (args.after.len == 0 || str_cmp(name, args.after) > 0);
        if (is_listed && seen++ < count)
            assert_str(entry[seen - 1].name, name);
    }
    assert_int_equal(count, seen < max_count ? seen : max_count);
    assert_int_equal(is_truncated, seen > max_count);
}

/* ---- Objects ---- */

static void step_put(struct history *h)
{
    size_t bucket = some_bucket(h), key = some_key(h, bucket);
    make_room(h, bucket, key);
    struct model_object *object = &h->model.bucket[bucket].object[key];
    struct model_object made = {
        .content = some_content(h), .has_checksum = true, .metadata = below(h, 3)};
    struct object_row row;
    struct put_args args = {.bucket = model_bucket_name(bucket),
                            .key = model_key(key),
                            .bytes = bytes_in_arena(h, &made.content),
                            .write_bytes = below(h, 3) * 30011,
                            .length_is_unknown = one_in(h, 4)};
    if (made.metadata != 0)
        args.metadata = str_of(&made.metadata, sizeof made.metadata);
    enum err expected = some_conditions(h, object, &args.conditions);
    if (!h->model.bucket[bucket].exists)
        expected = ERR_NO_SUCH_BUCKET;
    expect(h, put_object(&h->world.client, &args, &row), expected);
    if (expected != OK)
        return;
    content_md5(&made.content, made.md5);
    object_written(h, bucket, key, &made, &row);
}

static void step_get(struct history *h)
{
    size_t bucket = some_bucket(h), key = some_key(h, bucket);
    const struct model_object *object = &h->model.bucket[bucket].object[key];
    struct client *client = &h->world.client;
    struct object_row row;
    enum err expected = !h->model.bucket[bucket].exists ? ERR_NO_SUCH_BUCKET
                        : object->exists                ? OK
                                                        : ERR_NO_SUCH_KEY;
    expect(h, find_object(client, model_bucket_name(bucket), model_key(key), &row), expected);
    if (expected != OK)
        return;
    check_row(h, &row, object);
    uint64_t size = object->content.size, offset = 0, length = size;
    if (size > 0 && !one_in(h, 3)) {
        offset = unit_random_u64(&h->random) % size;
        length = 1 + unit_random_u64(&h->random) % (size - offset);
    }
    str found;
    assert_ok(get_range(client, model_bucket_name(bucket), model_key(key), offset, length, &found));
    uint8_t *wanted = arena_alloc(client->arena, length + 1);
    content_fill(&object->content, offset, length, wanted);
    assert_true(str_eq(found, str_of(wanted, length)));
}

/* The current object is gone, or hidden by a delete marker. */
static void deleted(struct history *h, size_t bucket_index, size_t key,
                    const struct object_delete_entry *entry)
{
    struct model_bucket *bucket = &h->model.bucket[bucket_index];
    struct model_object marker = {.exists = true, .is_marker = true};
    bool has_versions = bucket->versioning != VERSIONING_NEVER;
    assert_int_equal(entry->made_marker, has_versions);
    assert_false(entry->removed_marker);
    if (!has_versions) {
        bucket->object[key].exists = false;
        return;
    }
    bool is_null = str_eq(entry->deleted_version_id, STR("null"));
    take_version_id(&marker, bucket, is_null ? (str){0} : entry->deleted_version_id);
    model_add(bucket, key, &marker);
}

static void step_delete(struct history *h)
{
    enum { MANY = ADDED_MAX };
    size_t bucket = some_bucket(h), count = 1 + below(h, MANY), key[MANY];
    struct object_delete_entry entry[MANY];
    enum err expected[MANY];
    bool exists = h->model.bucket[bucket].exists;
    for (size_t i = 0; i < count; i++) {
        key[i] = some_key(h, bucket);
        make_room(h, bucket, key[i]);
        struct model_object object = h->model.bucket[bucket].object[key[i]];
        for (size_t k = 0; k < i; k++) /* what an entry of the same key leaves for the next */
            object.exists &= key[k] != key[i] || expected[k] != OK;
        entry[i] = (struct object_delete_entry){.key = model_key(key[i]), .if_size = UINT64_MAX};
        expected[i] = some_conditions(h, &object, &entry[i].conditions);
    }
    struct pending pending;
    struct object_delete del = {.op = client_op(&h->world.client, &pending),
                                .bucket = model_bucket_name(bucket),
                                .owner = OWNER,
                                .entry = entry,
                                .count = count};
    object_delete_start(&del);
    expect(h, client_wait_op(&pending), exists ? OK : ERR_NO_SUCH_BUCKET);
    for (size_t i = 0; exists && i < count; i++) {
        expect(h, entry[i].result, expected[i]);
        if (expected[i] == OK)
            deleted(h, bucket, key[i], &entry[i]);
    }
}

static void step_copy(struct history *h)
{
    size_t from = some_bucket(h), to = some_bucket(h), source_key = some_key(h, from),
           key = some_key(h, to);
    const struct model_object *source = &h->model.bucket[from].object[source_key];
    struct model_object *object = &h->model.bucket[to].object[key];
    uint64_t metadata = 7;
    make_room(h, to, key);
    struct object_copy copy = {.source_bucket = model_bucket_name(from),
                               .source_key = model_key(source_key),
                               .bucket = model_bucket_name(to),
                               .replaces_metadata = one_in(h, 2),
                               .row = {.key = model_key(key), .owner = OWNER}};
    if (copy.replaces_metadata)
        copy.row.metadata = str_of(&metadata, sizeof metadata);
    if (one_in(h, 5))
        copy.expected_sequence = source->exists && one_in(h, 2) ? source->sequence : 1;
    enum err expected = some_conditions(h, object, &copy.conditions);
    if (!h->model.bucket[from].exists)
        expected = ERR_NO_SUCH_BUCKET;
    else if (!source->exists)
        expected = ERR_NO_SUCH_KEY;
    else if (copy.expected_sequence != 0 && copy.expected_sequence != source->sequence)
        expected = ERR_RETRY;
    else if (!h->model.bucket[to].exists)
        expected = ERR_NO_SUCH_BUCKET;
    expect(h, copy_object(&h->world.client, &copy), expected);
    if (expected != OK)
        return;
    struct model_object made = *source;
    made.upload_id = 0;
    if (copy.replaces_metadata)
        made.metadata = metadata;
    object_written(h, to, key, &made, &copy.row);
}

/* ---- Uploads ---- */

struct model_upload *some_upload(struct history *h)
{
    struct model_upload *upload = NULL;
    for (int i = 0; i < 3 && h->model.upload_count > 0 && (upload == NULL || !upload->exists); i++)
        upload = &h->model.upload[below(h, h->model.upload_count)];
    return upload;
}

static enum err upload_err(const struct history *h, const struct model_upload *upload)
{
    if (!h->model.bucket[upload->bucket].exists)
        return ERR_NO_SUCH_BUCKET;
    return upload->exists ? OK : ERR_NO_SUCH_UPLOAD;
}

static void step_create_upload(struct history *h)
{
    size_t bucket = some_bucket(h), key = below(h, KEYS);
    uint64_t id;
    if (h->model.upload_count ==
        UPLOADS) { /* the oldest makes room, and is aborted if it still is there */
        struct model_upload *oldest = &h->model.upload[0];
        enum err err = abort_upload(&h->world.client, model_bucket_name(oldest->bucket),
                                    model_key(oldest->key), oldest->id);
        expect(h, err, upload_err(h, oldest));
        memmove(oldest, oldest + 1, (UPLOADS - 1) * sizeof *oldest);
        h->model.upload_count--;
    }
    const struct upload_args args = {.bucket = model_bucket_name(bucket), .key = model_key(key)};
    bool exists = h->model.bucket[bucket].exists;
    expect(h, create_upload(&h->world.client, &args, &id), exists ? OK : ERR_NO_SUCH_BUCKET);
    if (exists)
        h->model.upload[h->model.upload_count++] =
            (struct model_upload){.exists = true, .bucket = bucket, .key = key, .id = id};
}

static void step_put_part(struct history *h)
{
    struct model_upload *upload = some_upload(h);
    if (upload == NULL)
        return;
    size_t index = below(h, PARTS);
    struct content content = some_content(h);
    if (one_in(h, 4))
        content = content_of(content.segment[0].seed, PART + below(h, 3));
    const struct part_args args = {.bucket = model_bucket_name(upload->bucket),
                                   .key = model_key(upload->key),
                                   .upload_id = upload->id,
                                   .number = index + 1,
                                   .bytes = bytes_in_arena(h, &content)};
    struct part_row row;
    enum err expected = upload_err(h, upload);
    expect(h, put_part(&h->world.client, &args, &row), expected);
    if (expected != OK)
        return;
    struct model_part *part = &upload->part[index];
    *part = (struct model_part){.exists = true, .content = content, .has_checksum = true};
    content_md5(&content, part->md5);
    assert_str(row.md5, str_of(part->md5, MD5_BYTES));
}

/* The commit's errors come in the order of its looks: source, target, range. */
static enum err part_copy_err(const struct history *h, const struct model_upload *upload,
                              size_t from, const struct model_object *source,
                              const struct upload_part_copy *copy)
{
    if (!h->model.bucket[from].exists)
        return ERR_NO_SUCH_BUCKET;
    if (!source->exists)
        return ERR_NO_SUCH_KEY;
    enum err err = upload_err(h, upload);
    if (err == OK && copy->has_range && copy->range_last >= source->content.size)
        err = ERR_BAD_RANGE;
    return err;
}

static void step_copy_part(struct history *h)
{
    struct model_upload *upload = some_upload(h);
    size_t from = some_bucket(h), source_key = some_key(h, from), index = below(h, PARTS);
    const struct model_object *source = &h->model.bucket[from].object[source_key];
    if (upload == NULL)
        return;
    struct upload_part_copy copy = {.source_bucket = model_bucket_name(from),
                                    .source_key = model_key(source_key),
                                    .bucket = model_bucket_name(upload->bucket),
                                    .key = model_key(upload->key),
                                    .upload_id = upload->id,
                                    .has_range = one_in(h, 2),
                                    .row = {.number = index + 1}};
    uint64_t size = source->content.size;
    if (copy.has_range) {
        copy.range_first = unit_random_u64(&h->random) % (size + 1);
        copy.range_last =
            copy.range_first + unit_random_u64(&h->random) % (size - copy.range_first + 1);
    }
    uint64_t length = copy.has_range ? copy.range_last - copy.range_first + 1 : size;
    enum err expected = part_copy_err(h, upload, from, source, &copy);
    struct content content = {0};
    if (expected == OK && !content_append(&content, &source->content, copy.range_first, length))
        return;
    /* Inline bytes are written out first; that step has the source's errors alone. */
    if (source->exists && size > 0 && size <= INLINE_MAX && source->part_count == 0 &&
        h->model.bucket[from].exists) {
        enum err err = upload_part_copy_inline_wait(h->world.store, &copy, h->world.client.arena);
        if (err != OK) {
            expect(h, err, copy.has_range && copy.range_last >= size ? ERR_BAD_RANGE : OK);
            return;
        }
    }
    expect(h, copy_part(&h->world.client, &copy), expected);
    if (expected != OK)
        return;
    assert_int_equal(copy.row.size, length);
    struct model_part *part = &upload->part[index];
    *part = (struct model_part){.exists = true, .content = content};
    memcpy(part->md5, copy.row.md5.ptr, MD5_BYTES);
    if (length == size && copy.range_first == 0 && source->part_count == 0)
        assert_memory_equal(part->md5, source->md5, MD5_BYTES);
}

/* The list that Complete is called with, and what the model says to it. */
struct plan {
    struct completed_part part[PARTS];
    size_t index[PARTS], count;
    enum err expected;
    struct model_object made;
};

static enum err plan_part(struct plan *plan, const struct model_upload *upload, size_t i)
{
    const struct model_part *part = &upload->part[plan->index[i]];
    if (!part->exists || plan->part[i].etag.len != 2 * MD5_BYTES)
        return ERR_BAD_PART;
    if (i + 1 < plan->count && part->content.size < PART_MIN_BYTES)
        return ERR_ENTITY_TOO_SMALL;
    return OK;
}

static bool plan_fill(struct history *h, struct plan *plan, const struct model_upload *upload)
{
    uint8_t sums[PARTS * MD5_BYTES];
    struct hash hash = {0};
    plan->made = (struct model_object){
        .part_count = plan->count, .has_checksum = true, .upload_id = upload->id};
    for (size_t i = 0; i < plan->count; i++) {
        const struct model_part *part = &upload->part[plan->index[i]];
        memcpy(sums + i * MD5_BYTES, part->md5, MD5_BYTES);
        plan->made.part_size[i] = part->content.size;
        plan->made.has_checksum &= part->has_checksum;
        if (!content_append(&plan->made.content, &part->content, 0, part->content.size))
            return false;
    }
    hash_init(&hash, HASH_MD5);
    hash_update(&hash, sums, plan->count * MD5_BYTES);
    hash_final(&hash, plan->made.md5);
    hash_release(&hash);
    (void)h;
    return plan->made.content.size <= OBJECT_MAX;
}

/* Mostly parts that are there, in order; now and then one that is not, a wrong tag, or a wrong order. */
static bool plan_make(struct history *h, struct plan *plan, const struct model_upload *upload)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (!(upload->part[i].exists ? !one_in(h, 5) : one_in(h, 40)))
            continue;
        plan->index[plan->count] = i;
        plan->part[plan->count++] = (struct completed_part){
            .number = i + 1,
            .etag = one_in(h, 40) ? STR("wrong") : etag_of(h, upload->part[i].md5, 0)};
    }
    if (plan->count == 0)
        return false;
    if (plan->count > 1 && one_in(h, 20)) {
        struct completed_part first = plan->part[0];
        plan->part[0] = plan->part[1];
        plan->part[1] = first;
        plan->expected = ERR_BAD_PART_ORDER;
        return true;
    }
    plan->expected = OK;
    for (size_t i = 0; i < plan->count && plan->expected == OK; i++)
        plan->expected = plan_part(plan, upload, i);
    return plan->expected != OK || plan_fill(h, plan, upload);
}

static void step_complete(struct history *h)
{
    struct model_upload *upload = some_upload(h);
    struct plan plan = {0};
    if (upload == NULL || !plan_make(h, &plan, upload))
        return;
    make_room(h, upload->bucket, upload->key);
    struct model_object *object = &h->model.bucket[upload->bucket].object[upload->key];
    struct upload_complete args = {.bucket = model_bucket_name(upload->bucket),
                                   .key = model_key(upload->key),
                                   .upload_id = upload->id,
                                   .part = plan.part,
                                   .part_count = plan.count,
                                   .expected_size = UINT64_MAX};
    enum err conditions = some_conditions(h, object, &args.conditions);
    enum err gone = upload_err(h, upload);
    bool is_repetition =
        gone == ERR_NO_SUCH_UPLOAD && object->exists && object->upload_id == upload->id;
    if (gone != OK)
        plan.expected = is_repetition ? OK : gone;
    else if (conditions != OK)
        plan.expected = conditions;
    expect(h, complete_upload(&h->world.client, &args), plan.expected);
    if (plan.expected != OK)
        return;
    if (is_repetition) {
        assert_int_equal(args.row.sequence, object->sequence);
        return;
    }
    object_written(h, upload->bucket, upload->key, &plan.made, &args.row);
    upload->exists = false;
}

static void step_abort(struct history *h)
{
    struct model_upload *upload = some_upload(h);
    if (upload == NULL)
        return;
    expect(h,
           abort_upload(&h->world.client, model_bucket_name(upload->bucket), model_key(upload->key),
                        upload->id),
           upload_err(h, upload));
    upload->exists = false;
}

static void step_list_parts(struct history *h)
{
    const struct model_upload *upload = some_upload(h);
    if (upload == NULL || !upload->exists)
        return;
    uint64_t after = below(h, PARTS + 1);
    size_t max_count = below(h, PARTS + 1), count, seen = 0;
    struct part_row *part;
    bool is_truncated;
    struct tx *tx;
    assert_ok(view_begin(store_engine(h->world.store), VIEW_WAIT, &tx));
    expect(h,
           upload_part_list(tx, upload->id, after, max_count, h->world.client.arena, &part, &count,
                            &is_truncated),
           OK);
    view_end(tx);
    for (size_t i = after; i < PARTS; i++) {
        if (!upload->part[i].exists || seen++ >= count)
            continue;
        assert_int_equal(part[seen - 1].number, i + 1);
        assert_int_equal(part[seen - 1].size, upload->part[i].content.size);
        assert_str(part[seen - 1].md5, str_of(upload->part[i].md5, MD5_BYTES));
    }
    assert_int_equal(count, seen < max_count ? seen : max_count);
    assert_int_equal(is_truncated, max_count > 0 && seen > max_count);
}

static void step_object_parts(struct history *h)
{
    size_t bucket = some_bucket(h), key = some_key(h, bucket);
    const struct model_object *object = &h->model.bucket[bucket].object[key];
    struct object_row row;
    struct object_part part;
    struct tx *tx;
    if (!h->model.bucket[bucket].exists || !object->exists)
        return;
    assert_ok(find_object(&h->world.client, model_bucket_name(bucket), model_key(key), &row));
    uint64_t number = 1 + below(h, PARTS + 1), offset = 0;
    assert_ok(view_begin(store_engine(h->world.store), VIEW_WAIT, &tx));
    enum err err = object_part_find(tx, &row, number, h->world.client.arena, &part);
    view_end(tx);
    bool is_whole = object->part_count == 0 || object->content.size == 0;
    bool exists =
        is_whole ? number == 1 : number <= object->part_count && object->part_size[number - 1] > 0;
    expect(h, err, exists ? OK : ERR_BAD_PART_NUMBER);
    if (!exists)
        return;
    for (size_t i = 0; !is_whole && i + 1 < number; i++)
        offset += object->part_size[i];
    assert_int_equal(part.offset, offset);
    assert_int_equal(part.size, is_whole ? object->content.size : object->part_size[number - 1]);
}

/* ---- The store's own life ---- */

static void step_janitor(struct history *h)
{
    struct janitor_report report;
    struct fail fail = {0};
    expect(h, janitor_run(h->world.store, &report, &fail), OK);
}

static void step_audit(struct history *h)
{
    audit(&h->world.client);
}

static void step_reopen(struct history *h)
{
    uint64_t dropped;
    struct fail fail = {0};
    if (world_reopen(&h->world))
        expect(h, janitor_drop_orphans(h->world.store, &dropped, &fail), OK);
}

/* ---- Histories ---- */

/* The current and the older versions of every key, byte for byte. */
static void check_key(struct history *h, size_t bucket_index, size_t key)
{
    struct client *client = &h->world.client;
    const struct model_bucket *bucket = &h->model.bucket[bucket_index];
    str name = model_bucket_name(bucket_index), found;
    struct object_row row;
    enum err err = find_object(client, name, model_key(key), &row);
    expect(h, err, bucket->object[key].exists ? OK : ERR_NO_SUCH_KEY);
    for (size_t i = 0; i <= bucket->older_count[key]; i++) {
        const struct model_object *object = model_version(bucket, key, i);
        if (object == NULL)
            continue;
        str id = model_version_id(object);
        err = get_version(client, name, model_key(key), id, &found);
        expect(h, err, object->is_marker ? ERR_IS_DELETE_MARKER : OK);
        if (err == OK)
            assert_true(str_eq(found, bytes_in_arena(h, &object->content)));
    }
}

static const struct step {
    size_t weight;
    void (*run)(struct history *history);
    const char *name;
} steps[] = {
    {4, step_create_bucket, "create bucket"},
    {2, step_delete_bucket, "delete bucket"},
    {2, step_list_buckets, "list buckets"},
    {24, step_put, "put"},
    {24, step_get, "get"},
    {9, step_delete, "delete"},
    {3, step_versioning, "set versioning"},
    {12, step_delete_version, "delete a version"},
    {12, step_get_version, "get a version"},
    {16, step_list_versions, "list versions"},
    {16, step_copy, "copy"},
    {8, step_create_upload, "create upload"},
    {20, step_put_part, "put part"},
    {16, step_copy_part, "copy part"},
    {16, step_complete, "complete"},
    {4, step_abort, "abort"},
    {4, step_list_parts, "list parts"},
    {6, step_object_parts, "parts of an object"},
    {20, step_list_objects, "list objects"},
    {16, step_list_uploads, "list uploads"},
    {4, step_usage, "usage"},
    {4, step_janitor, "janitor"},
    {2, step_audit, "audit"},
    {1, step_reopen, "reopen"},
};

void history_init(struct history *history, uint64_t seed)
{
    *history = (struct history){.seed = seed, .random.state = seed};
    world_open(&history->world,
               &(struct world_options){.inline_max_bytes = INLINE_MAX, .io_buffer_bytes = 8 * MIB});
}

void history_step(struct history *history)
{
    size_t sum = 0;
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        sum += steps[i].weight;
    size_t choice = below(history, sum);
    const struct step *step = steps;
    for (; choice >= step->weight; step++)
        choice -= step->weight;
    history->step_name = step->name;
    if (history->is_traced)
        print_message("%zu %s\n", history->step, step->name);
    step->run(history);
    arena_reset(history->world.client.arena);
    history->step++;
}

void history_finish(struct history *history)
{
    struct client *client = &history->world.client;
    history->step_name = "the end";
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        for (size_t key = 0; history->model.bucket[bucket].exists && key < KEYS; key++) {
            check_key(history, bucket, key);
            arena_reset(client->arena);
        }
    }
    settle(client);
    world_close(&history->world);
}
