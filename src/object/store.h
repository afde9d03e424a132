/* The object store: S3's semantics over an engine. This struct is what the folder's operations
 * share. It knows neither HTTP nor S3's error codes.
 *
 * Reads take a view (store/engine.h) and may run on a loop with VIEW_NOWAIT. Changes are
 * operations that embed struct obj_op: started from any thread, decided atomically in one
 * update, completed on a thread of the engine. */
#pragma once

#include "event/workers.h"
#include "object/types.h"
#include "store/engine.h"

struct store_options {
    struct engine *engine;   /* borrowed; outlives the store */
    struct workers *workers; /* borrowed */
    unsigned hash_threads;   /* for MD5; 0: the default of 2 */
    size_t inline_max_bytes; /* bodies up to this lie in the catalogue */
    size_t io_buffer_bytes;  /* for bodies on their way: half for downloads, three eighths for
                              * uploads, one eighth for uploads of at most inline_max_bytes */
    bool
        verify_reads; /* check every block before it is sent; false: let the file system's checks suffice */
    int64_t garbage_grace_ms; /* how long what was let go stays readable; 0: the default of 2 s */
};
struct store;
/* Null when the system refuses the threads. */
struct store *store_new(const struct store_options *options);
void store_free(struct store *store); /* no operation may be under way */
struct engine *store_engine(struct store *store);
struct workers *store_workers(struct store *store);

/* A change under way. Embedded first in each operation's struct; the caller owns it until
 * `done`, which comes exactly once, on a thread of the engine, and must be short (post a task).
 * The arena is the operation's alone until then. */
struct obj_op {
    struct update update;
    struct store *store;
    struct arena *arena;
    uint64_t
        bucket_id; /* the bucket that was looked at when the request was authorised: one of the same name that was
                           made since is another, and answers ERR_NO_SUCH_BUCKET. 0: any of that name */
    enum versioning versioning; /* out: of the bucket that was changed */
    struct fail fail;
    void (*done)(struct obj_op *op, enum err result);
    void *context; /* the caller's */
};
