#include "model.h"

#include "base/crc.h"
#include "base/hash.h"
#include "base/mem.h"

str model_bucket_name(size_t bucket)
{
    static const str names[BUCKETS] = {STR_INIT("first"), STR_INIT("second"), STR_INIT("second-b")};
    return names[bucket];
}

/* Prefixes of each other, neighbours of the delimiter, and bytes at both ends. */
str model_key(size_t key)
{
    static const str keys[KEYS] = {
        STR_INIT("/"),        STR_INIT("a"),        STR_INIT("a\0b"), STR_INIT("a-b"),
        STR_INIT("a/"),       STR_INIT("a//b"),     STR_INIT("a/b"),  STR_INIT("a/b/c"),
        STR_INIT("a0"),       STR_INIT("b--c--d"),  STR_INIT("b--e"), STR_INIT("z"),
        STR_INIT("\xc3\xa4"), STR_INIT("\xff\xff"),
    };
    return keys[key];
}

str model_owner(size_t owner)
{
    return owner == 0 ? STR("owner") : STR("other");
}

/* ---- Contents ---- */

struct content content_of(uint64_t seed, uint64_t size)
{
    struct content content = {.size = size};
    if (size > 0)
        content.segment[content.count++] = (struct segment){.seed = seed, .length = size};
    return content;
}

bool content_append(struct content *content, const struct content *more, uint64_t offset,
                    uint64_t length)
{
    assert_true(offset + length <= more->size);
    for (size_t i = 0; i < more->count && length > 0; i++) {
        struct segment segment = more->segment[i];
        if (offset >= segment.length) {
            offset -= segment.length;
            continue;
        }
        segment.offset += offset;
        segment.length -= offset;
        offset = 0;
        if (segment.length > length)
            segment.length = length;
        if (content->count == SEGMENTS)
            return false;
        content->segment[content->count++] = segment;
        content->size += segment.length;
        length -= segment.length;
    }
    return true;
}

/* Byte `at` of the text of a seed: of the generator's number at / 8, which can be had without those before it. */
static void text_fill(uint64_t seed, uint64_t at, uint64_t length, uint8_t *dst)
{
    static const uint64_t step = 0x9e3779b97f4a7c15;
    while (length > 0) {
        struct unit_random random = {.state = seed + at / 8 * step};
        uint64_t word = unit_random_u64(&random);
        size_t skip = at % 8, len = length < 8 - skip ? (size_t)length : 8 - skip;
        memcpy(dst, (const uint8_t *)&word + skip, len);
        dst += len;
        at += len;
        length -= len;
    }
}

void content_fill(const struct content *content, uint64_t offset, uint64_t length, uint8_t *dst)
{
    struct content cut = {0};
    assert_true(content_append(&cut, content, offset, length));
    for (size_t i = 0; i < cut.count; i++) {
        text_fill(cut.segment[i].seed, cut.segment[i].offset, cut.segment[i].length, dst);
        dst += cut.segment[i].length;
    }
}

static uint8_t *content_all(const struct content *content)
{
    uint8_t *bytes = mem_alloc(content->size + 1);
    content_fill(content, 0, content->size, bytes);
    return bytes;
}

void content_md5(const struct content *content, uint8_t dst[MD5_BYTES])
{
    MEM_SCOPED uint8_t *bytes = content_all(content);
    md5_of(bytes, content->size, dst);
}

uint64_t content_crc64nvme(const struct content *content)
{
    MEM_SCOPED uint8_t *bytes = content_all(content);
    return crc64nvme_update(0, bytes, content->size);
}

/* ---- Versions ---- */

static bool is_null(const struct model_object *object)
{
    return object->version_id[0] == '\0';
}

static void older_remove(struct model_bucket *bucket, size_t key, size_t at)
{
    struct model_object *older = bucket->older[key];
    size_t left = --bucket->older_count[key] - at;
    memmove(&older[at], &older[at + 1], left * sizeof(older[0]));
}

static void older_push(struct model_bucket *bucket, size_t key, const struct model_object *object)
{
    struct model_object *older = bucket->older[key];
    assert_true(bucket->older_count[key] < OLDER_MAX);
    memmove(&older[1], &older[0], bucket->older_count[key]++ * sizeof(older[0]));
    older[0] = *object;
}

void model_add(struct model_bucket *bucket, size_t key, const struct model_object *made)
{
    struct model_object *current = &bucket->object[key];
    for (size_t i = bucket->older_count[key]; is_null(made) && i-- > 0;)
        if (is_null(&bucket->older[key][i]))
            older_remove(bucket, key, i);
    if (current->exists && !(is_null(made) && is_null(current)))
        older_push(bucket, key, current);
    current->exists = false;
    if (made->is_marker)
        older_push(bucket, key, made);
    else
        *current = *made;
}

void model_remove(struct model_bucket *bucket, size_t key, size_t index)
{
    struct model_object *current = &bucket->object[key];
    if (index == 0)
        current->exists = false;
    else
        older_remove(bucket, key, index - 1);
    if (current->exists || bucket->older_count[key] == 0 || bucket->older[key][0].is_marker)
        return;
    *current = bucket->older[key][0];
    older_remove(bucket, key, 0);
}

const struct model_object *model_version(const struct model_bucket *bucket, size_t key,
                                         size_t index)
{
    if (index == 0)
        return bucket->object[key].exists ? &bucket->object[key] : NULL;
    return index <= bucket->older_count[key] ? &bucket->older[key][index - 1] : NULL;
}

str model_version_id(const struct model_object *object)
{
    return is_null(object) ? STR("null") : str_from(object->version_id);
}

/* ---- Listings ---- */

/* Whether the entry stands behind the listing's marker. */
static bool is_behind(const struct model_entry *entry, const struct model_listing *listing)
{
    int order = str_cmp(entry->name, listing->after);
    if (listing->after.len == 0 || order > 0)
        return true;
    return order == 0 && !entry->is_prefix && listing->has_id_after &&
           entry->upload_id > listing->id_after;
}

/* Adds what a name gives: itself, its common prefix, or nothing. False: the page is full. */
static bool add_name(struct model_page *page, const struct model_listing *listing, str name,
                     uint64_t upload_id)
{
    struct model_entry entry = {.name = name, .upload_id = upload_id};
    if (!str_has_prefix(name, listing->prefix))
        return true;
    str rest = str_skip(name, listing->prefix.len);
    ptrdiff_t at = listing->delimiter.len > 0 ? str_find(rest, listing->delimiter) : -1;
    if (at >= 0) {
        entry.name = str_slice(name, 0, listing->prefix.len + (size_t)at + listing->delimiter.len);
        entry.is_prefix = true;
        entry.upload_id = 0;
    }
    if (!is_behind(&entry, listing))
        return true;
    const struct model_entry *last = page->count > 0 ? &page->entry[page->count - 1] : NULL;
    if (entry.is_prefix && last != NULL && last->is_prefix && str_eq(last->name, entry.name))
        return true;
    if (page->count == listing->max_count) {
        page->is_truncated = listing->max_count > 0;
        return false;
    }
    page->entry[page->count++] = entry;
    return true;
}

void model_list_objects(const struct model_bucket *bucket, const struct model_listing *listing,
                        struct model_page *out)
{
    *out = (struct model_page){0};
    for (size_t key = 0; key < KEYS; key++)
        if (bucket->object[key].exists && !add_name(out, listing, model_key(key), 0))
            return;
}

/* How many of the key's versions, newest first, stand before the page. */
static size_t versions_before(const struct model_bucket *bucket, size_t key,
                              const struct model_listing *listing)
{
    if (listing->version_after.len == 0 || !str_eq(model_key(key), listing->after))
        return 0;
    for (size_t i = 0; i <= bucket->older_count[key]; i++) {
        const struct model_object *object = model_version(bucket, key, i);
        if (object != NULL && str_eq(model_version_id(object), listing->version_after))
            return i + 1;
    }
    return SIZE_MAX;
}

void model_list_versions(const struct model_bucket *bucket, const struct model_listing *listing,
                         struct model_page *out)
{
    *out = (struct model_page){0};
    for (size_t key = 0; key < KEYS; key++) {
        struct model_listing of_key = *listing;
        size_t before = versions_before(bucket, key, listing);
        if (before > 0 && before != SIZE_MAX)
            of_key.has_id_after = true; /* this key is not skipped as a whole */
        bool is_latest = true;
        for (size_t i = 0; i <= bucket->older_count[key]; i++) {
            const struct model_object *object = model_version(bucket, key, i);
            if (object == NULL)
                continue;
            bool is_passed = i < before;
            size_t count = out->count;
            if (!is_passed && !add_name(out, &of_key, model_key(key), 1))
                return;
            if (out->count > count && !out->entry[count].is_prefix) {
                out->entry[count].upload_id = 0;
                out->entry[count].version_id = model_version_id(object);
                out->entry[count].is_latest = is_latest;
                out->entry[count].is_marker = object->is_marker;
            }
            is_latest = false;
        }
    }
}

/* The one of a key's uploads with the smallest id that is not below `from`; null when there is none. */
static const struct model_upload *next_upload(const struct model *model, size_t bucket, size_t key,
                                              uint64_t from)
{
    const struct model_upload *best = NULL;
    for (size_t i = 0; i < model->upload_count; i++) {
        const struct model_upload *upload = &model->upload[i];
        bool fits =
            upload->exists && upload->bucket == bucket && upload->key == key && upload->id >= from;
        if (fits && (best == NULL || upload->id < best->id))
            best = upload;
    }
    return best;
}

void model_list_uploads(const struct model *model, size_t bucket,
                        const struct model_listing *listing, struct model_page *out)
{
    *out = (struct model_page){0};
    for (size_t key = 0; key < KEYS; key++) {
        const struct model_upload *upload;
        for (uint64_t from = 0; (upload = next_upload(model, bucket, key, from)) != NULL;
             from = upload->id + 1)
            if (!add_name(out, listing, model_key(key), upload->id))
                return;
    }
}
