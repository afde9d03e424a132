/* The naive model: what src/object should hold and answer, in plain arrays, computed the plain way. It knows nothing of extents,
 * references or pages.
 *
 * Names come from short lists, so that histories meet themselves. Bytes are not kept: a content is a list of segments of an
 * endless pseudo-random text for each seed. */
#pragma once

#include "object/types.h"
#include "object/version.h"

#include "../unit/unit.h"

enum {
    BUCKETS = 3,
    KEYS = 14,
    UPLOADS = 32,
    PARTS = 5,
    SEGMENTS = 48,
    OLDER_MAX = 12, /* versions of a key beside the current one */
    ADDED_MAX = 4,  /* by one step */
    ENTRIES_MAX = KEYS * (1 + OLDER_MAX) + UPLOADS
};

struct segment {
    uint64_t seed, offset, length;
};

struct content {
    struct segment segment[SEGMENTS];
    size_t count;
    uint64_t size;
};

struct model_object {
    bool exists;
    struct content content;
    uint8_t md5[MD5_BYTES];
    uint64_t part_count; /* 0: put at once */
    uint64_t part_size[PARTS];
    uint64_t metadata;  /* 0: none; as text in the row */
    bool has_checksum;  /* CRC64NVME of the whole */
    uint64_t upload_id; /* that made it; 0: none */
    uint64_t sequence;  /* as the store gave it; 0 for a delete marker */
    bool is_marker;
    char version_id[VERSION_ID_TEXT + 1]; /* empty: the null version */
};

struct model_bucket {
    bool exists;
    size_t owner;
    enum versioning versioning;
    struct model_object object[KEYS];           /* the current versions */
    struct model_object older[KEYS][OLDER_MAX]; /* newest first; delete markers among them */
    size_t older_count[KEYS];
};

struct model_part {
    bool exists;
    struct content content;
    uint8_t md5[MD5_BYTES];
    bool has_checksum;
};

struct model_upload {
    bool exists; /* neither completed nor aborted, and its bucket is there */
    size_t bucket, key;
    uint64_t id;
    struct model_part part[PARTS]; /* number: index + 1 */
};

struct model {
    struct model_bucket bucket[BUCKETS];
    struct model_upload upload[UPLOADS];
    size_t upload_count; /* ended ones included: their ids are asked for, too */
};

/* The lists of names. Keys are in byte order. */
str model_bucket_name(size_t bucket);
str model_key(size_t key);
str model_owner(size_t owner);

/* ---- Contents ---- */

struct content content_of(uint64_t seed, uint64_t size);
/* False when there would be too many segments. */
bool content_append(struct content *content, const struct content *more, uint64_t offset,
                    uint64_t length);
void content_fill(const struct content *content, uint64_t offset, uint64_t length, uint8_t *dst);
void content_md5(const struct content *content, uint8_t dst[MD5_BYTES]);
uint64_t content_crc64nvme(const struct content *content);

/* ---- Versions ---- */

/* A version or a delete marker becomes the key's newest. */
void model_add(struct model_bucket *bucket, size_t key, const struct model_object *made);
/* The version goes for good: index 0 is the current one, 1 the newest of the older ones. */
void model_remove(struct model_bucket *bucket, size_t key, size_t index);
/* Null: there is no such version. */
const struct model_object *model_version(const struct model_bucket *bucket, size_t key,
                                         size_t index);
/* As clients see it. */
str model_version_id(const struct model_object *object);

/* ---- Listings ---- */

struct model_entry {
    str name;
    bool is_prefix;
    uint64_t upload_id; /* of a listing of uploads */
    str version_id;     /* of a listing of versions */
    bool is_latest, is_marker;
};

struct model_page {
    struct model_entry entry[ENTRIES_MAX];
    size_t count;
    bool is_truncated;
};

struct model_listing {
    str prefix, delimiter, after;
    bool has_id_after;
    uint64_t id_after;
    str version_after; /* empty: none */
    size_t max_count;
};
void model_list_objects(const struct model_bucket *bucket, const struct model_listing *listing,
                        struct model_page *out);
void model_list_versions(const struct model_bucket *bucket, const struct model_listing *listing,
                         struct model_page *out);
void model_list_uploads(const struct model *model, size_t bucket,
                        const struct model_listing *listing, struct model_page *out);
