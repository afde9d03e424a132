/* Objects: parts, put, delete, copy. Which versions a key has, and how one is found:
 * object/version.h. */
#pragma once

#include "object/body.h"
#include "object/conditions.h"
#include "object/store.h"

/* ---- Reading ---- */

/* Inside a view. ERR_NO_SUCH_BUCKET. */
enum err bucket_find(struct tx *tx, str name, struct arena *arena, struct bucket_row *out_row);
/* The part of a multipart object that partNumber asks for. For any other object, number 1 is the
 * whole. ERR_BAD_PART_NUMBER. */
struct object_part {
    uint64_t number, offset, size, part_count;
    str checksum; /* empty when the upload had none */
};
enum err object_part_find(struct tx *tx, const struct object_row *row, uint64_t number,
                          struct arena *arena, struct object_part *out_part);
/* Parts with numbers above `after`, at most max_count, in order; *out_is_truncated tells whether
 * more follow. */
enum err object_part_list(struct tx *tx, const struct object_row *row, uint64_t after,
                          size_t max_count, struct arena *arena, struct object_part **out_part,
                          size_t *out_count, bool *out_is_truncated);

/* ---- Writing: operations (see store.h) ---- */

/* Stores a version made of `body` (finished, kept open until done). The row says all but what
 * the commit decides: bucket_id, sequence, version_id, modified_ms, and the body's place. */
struct object_put {
    struct obj_op op;
    str bucket;
    struct object_row row; /* in: key, headers, size, md5, checksum, owner ...; out: as committed */
    const struct body *body;
    struct conditions conditions;
};
void object_put_start(struct object_put *put);

/* Deletes one object, or many (each on its own: one failure does not undo the others). Without a
 * version id an object of a bucket that has versions is hidden by a delete marker. */
struct object_delete_entry {
    str key, version_id;
    struct conditions conditions;
    uint64_t if_size;       /* UINT64_MAX: no condition */
    int64_t if_modified_ms; /* 0: no condition; seconds matter */
    enum err
        result; /* out: OK, ERR_PRECONDITION_FAILED, ERR_NO_SUCH_KEY (a condition on nothing), ERR_KEY_TOO_LONG */
    bool made_marker;       /* out: deleted_version_id is the new marker's */
    bool removed_marker;    /* out: the version that was named was a marker */
    str deleted_version_id; /* out: as clients see it; empty when there is nothing to tell */
};
struct object_delete {
    struct obj_op op;
    str bucket;
    str owner;          /* of delete markers */
    bool makes_markers; /* the bucket had versions when it was looked at */
    struct object_delete_entry *entry;
    size_t count;
    size_t first, end; /* the operation's own: the entries of the step under way */
};
void object_delete_start(struct object_delete *del);

/* Replaces the tags of a version, or of the current one; its bytes stay, and its time. */
struct object_set_tags {
    struct obj_op op;
    str bucket, key, version_id;
    str tags; /* pairs; empty: none */
    uint64_t tag_count;
    struct object_row row; /* out */
};
/* As object_find: ERR_NO_SUCH_KEY, ERR_NO_SUCH_VERSION, ERR_IS_DELETE_MARKER. */
void object_set_tags_start(struct object_set_tags *set);

/* Copies by reference: no bytes move. */
struct object_copy {
    struct obj_op op;
    str source_bucket, source_key, source_version_id;
    uint64_t source_bucket_id; /* as obj_op.bucket_id, of the source */
    struct conditions source_conditions;
    uint64_t expected_sequence; /* 0: any; else the version must still be this one, or ERR_RETRY */
    str bucket;
    struct conditions conditions;
    bool replaces_metadata; /* else the source's headers are kept */
    bool replaces_tags;
    struct object_row row; /* in: key, owner, storage class, replaced headers; out: as committed */
    enum checksum_kind
        checksum_kind; /* CHECKSUM_NONE: the source's is kept; else: replaced by checksum, which was computed
                                         from the version of expected_sequence */
    str checksum;
    struct object_row source; /* out */
};
void object_copy_start(struct object_copy *copy);
/* Finds a version and computes a checksum of its bytes, for copies that want another kind than
 * the source has; its sequence is then the copy's expected_sequence. In steps of bounded length,
 * so that many such copies do not keep the workers from others. On workers, one at a time; the
 * arena, which frees what it holds, is the work's alone meanwhile. */
struct object_checksum_args {
    str bucket, key, version_id;
    enum checksum_kind kind;
    uint64_t offset, length; /* of the range; length 0: all of it */
};
struct object_checksum {
    struct object_checksum_args args;
    struct store *store;
    struct arena *arena;
    struct obj_reader *reader; /* null: not open, or no bytes */
    struct digest digest;
    bool is_open;
    struct object_row row; /* out */
    str checksum;          /* out, in the arena */
};
struct object_checksum *object_checksum_new(struct store *store,
                                            const struct object_checksum_args *args,
                                            struct arena *arena);
/* The next step. OK: row and checksum are there. ERR_WOULD_BLOCK: more is to be done, call
 * again. */
enum err object_checksum_step(struct object_checksum *sum);
