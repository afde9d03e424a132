/* Multipart uploads. A part is one extent (or, when it was copied, ranges of others); Complete
 * makes a manifest whose pieces take over the parts' references, so no bytes move. */
#pragma once

#include "object/body.h"
#include "object/conditions.h"
#include "object/store.h"

/* An upload id on the wire: 16 hexadecimal digits. ERR_NO_SUCH_UPLOAD for anything else. */
enum { UPLOAD_ID_TEXT = 16 };
enum err upload_id_parse(str text, uint64_t *out_id);
str upload_id_format(uint64_t id, char dst[UPLOAD_ID_TEXT]);

struct upload_create {
    struct obj_op op;
    str bucket;
    struct upload_row row; /* in: key and headers; out: with id */
};
void upload_create_start(struct upload_create *create);

/* Inside a view. ERR_NO_SUCH_UPLOAD. */
enum err upload_find(struct tx *tx, uint64_t bucket_id, str key, uint64_t id, struct arena *arena,
                     struct upload_row *out_row);

struct upload_part {
    struct obj_op op;
    str bucket, key;
    uint64_t upload_id;
    struct part_row row; /* in: number, md5, checksum; out: as committed */
    const struct body *body;
};
void upload_part_start(struct upload_part *part);

/* A part made of a range of an object, by reference. Its bytes must lie in extents
 * (object_row.extent_id or manifest_id). */
struct upload_part_copy {
    struct obj_op op;
    str source_bucket, source_key, source_version_id;
    uint64_t source_bucket_id; /* as obj_op.bucket_id, of the source */
    struct conditions source_conditions;
    bool has_range;
    uint64_t range_first, range_last; /* of the source; both inclusive */
    uint64_t expected_sequence; /* 0: any; else ERR_RETRY when the source is another version now */
    str bucket, key;
    uint64_t upload_id;
    struct part_row
        row; /* in: number, checksum (computed from expected_sequence); out: as committed */
    bool
        has_extent; /* the source lies inline, and its bytes were written to this extent (upload_part_copy_inline_wait) */
    struct extent_row extent;
    struct object_row source; /* out */
};
void upload_part_copy_start(struct upload_part_copy *copy);
/* Drops the extent of a commit that was refused, or never tried; worker. Nothing to do without
 * one. */
void upload_part_copy_drop_wait(struct store *store, struct upload_part_copy *copy);
/* For a source whose bytes lie inline, and so cannot be referred to: writes the range to an
 * extent of its own, and sets extent, md5 and expected_sequence. To be run again after
 * ERR_RETRY: it then drops what it wrote before, and writes nothing if the source has moved to
 * extents meanwhile. Worker; the arena is the call's alone. If the commit is refused for good,
 * the caller drops it with upload_part_copy_drop_wait. */
enum err upload_part_copy_inline_wait(struct store *store, struct upload_part_copy *copy,
                                      struct arena *arena);

struct completed_part {
    uint64_t number;
    str etag;     /* as the client wrote it */
    str checksum; /* decoded; empty when not given */
    enum checksum_kind checksum_kind;
};
struct upload_complete {
    struct obj_op op;
    str bucket, key;
    uint64_t upload_id;
    const struct completed_part *part; /* in ascending order */
    size_t part_count;
    struct conditions conditions;
    uint64_t expected_size; /* UINT64_MAX: not given */
    bool has_checksum_type;
    enum checksum_type checksum_type;
    enum checksum_kind checksum_kind;     /* of `checksum`; CHECKSUM_NONE: not given */
    str checksum;                         /* of the whole, as the client expects it */
    struct object_row row;                /* out */
    const struct completed_part *refused; /* out, with ERR_BAD_PART and ERR_ENTITY_TOO_SMALL */
    uint64_t refused_size;
};
/* ERR_NO_SUCH_UPLOAD, ERR_BAD_PART (refused tells which), ERR_BAD_PART_ORDER,
 * ERR_ENTITY_TOO_SMALL, ERR_BAD_CHECKSUM ... A Complete of what was completed already answers as
 * the first did, while the object is still the one it made. */
void upload_complete_start(struct upload_complete *complete);

struct upload_abort {
    struct obj_op op;
    str bucket, key;
    uint64_t upload_id;
};
void upload_abort_start(struct upload_abort *abort);

/* Parts with numbers above `after`, in order; rows in the arena. */
enum err upload_part_list(struct tx *tx, uint64_t upload_id, uint64_t after, size_t max_count,
                          struct arena *arena, struct part_row **out_part, size_t *out_count,
                          bool *out_is_truncated);

struct upload_list_args {
    uint64_t bucket_id;
    str prefix, delimiter;
    str key_after; /* keys above it; or, with id_after, the same key's uploads above that id as well */
    bool has_id_after;
    uint64_t id_after;
    size_t max_count;
};
/* row is null for a common prefix. Strings in the arena. */
struct upload_entry {
    str key_or_prefix;
    const struct upload_row *row;
};
enum err upload_list(struct tx *tx, const struct upload_list_args *args, struct arena *arena,
                     struct upload_entry **out_entry, size_t *out_count, bool *out_is_truncated);
