/* Private to src/object: what struct store holds, and the pieces that its operations share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "object/budget.h"
#include "object/buffers.h"
#include "object/hasher.h"
#include "object/pins.h"
#include "object/store.h"

enum {
    UPLOAD_BUFFER_BYTES = 1 << 20,
    DOWNLOAD_BUFFER_BYTES = 256 << 10, /* stays in the second-level cache between check and send */
};

struct store {
    struct engine *engine;
    struct workers *workers;
    struct hasher *hasher;
    size_t inline_max_bytes;
    bool verify_reads;
    int64_t garbage_grace_ms;
    struct budget upload_budget; /* bytes of I/O buffers */
    struct budget small_budget;  /* of uploads that will lie inline */
    struct budget download_budget;
    int64_t patience_us; /* a client that takes longer to fill a large buffer gets a small one */
    struct buffers upload_buffers; /* UPLOAD_BUFFER_BYTES each */
    struct buffers download_buffers;
    struct pins pins;
    _Atomic uint64_t last_id;
};

/* A new id for a bucket, an upload, a manifest: 42 bits of milliseconds, 22 random bits; above
 * every one that this store has given before, so that no two are the same. Several processes on
 * one database have only the random bits between them. Any thread. */
uint64_t store_id_new(struct store *store);

/* Fills the operation's shared part and hands it to the engine. */
void obj_op_start(struct obj_op *op, enum update_flags flags,
                  enum err (*apply)(struct update *update, struct tx *tx));

/* ERR_NO_SUCH_BUCKET when it is not there. */
enum err bucket_get(struct tx *tx, str name, struct arena *arena, struct bucket_row *out_row);

/* The bucket that the operation was authorised for. */
enum err op_bucket_get(struct obj_op *op, struct tx *tx, str name, struct bucket_row *out_row);
/* The same for a copy's source. id 0: any of that name. */
enum err bucket_get_same(struct tx *tx, str name, uint64_t id, struct arena *arena,
                         struct bucket_row *out_row);

/* The bucket's counts changed by these (signed) amounts. */
struct usage_change {
    int64_t object_count, object_bytes, version_count, version_bytes, upload_count;
};
enum err usage_add(struct tx *tx, uint64_t bucket_id, const struct usage_change *change,
                   struct arena *arena);

/* References to bodies (object/refs.c). A version, a part range or a piece holds one reference
 * to each extent or manifest that it names; what falls to none becomes garbage in the same
 * update. */
/* A sealed extent comes into the catalogue, with one reference. */
enum err extent_add(struct tx *tx, const struct extent_row *row);
enum err extent_hold(struct tx *tx, uint64_t extent_id, struct arena *arena);
enum err extent_let_go(struct tx *tx, uint64_t extent_id, struct arena *arena);
enum err manifest_hold(struct tx *tx, uint64_t manifest_id, struct arena *arena);
enum err manifest_let_go(struct tx *tx, uint64_t manifest_id, struct arena *arena);
enum err garbage_add(struct tx *tx, enum garbage_kind kind, uint64_t id);
/* The body that a version's row names. */
enum err version_body_hold(struct tx *tx, const struct object_row *row, struct arena *arena);
enum err version_body_let_go(struct tx *tx, const struct object_row *row, struct arena *arena);
/* The ranges of a part. */
enum err part_let_go(struct tx *tx, const struct part_row *part, struct arena *arena);

/* Ranges of a part, packed in part.ranges. */
struct range {
    uint64_t extent_id, offset, length;
};
enum err ranges_decode(str packed, struct arena *arena, struct range **out_range,
                       size_t *out_count);
str ranges_encode(struct arena *arena, const struct range *range, size_t count);
