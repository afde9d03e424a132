/* The handlers of the operations: what is particular to each. The runner (s3/runner.c) calls
 * their steps. */
#pragma once

#include "object/body.h"
#include "s3/call.h"

/* Steps of one operation, in this order; a step that is null is skipped.
 *
 *   parse   on the loop, before the body: reads the arguments, refuses what is malformed. Does no I/O.
 *   body    (UPLOAD) on the loop: says how the body is to be taken.
 *   read    on the loop with VIEW_NOWAIT, and again on a worker when that said ERR_WOULD_BLOCK: looks things up, and
 *           (there the same answer means that a step of longer work is done: it is called again)
 *           leaves its result in the call. May be run twice, so it must not depend on what its first run left.
 *   start   on the loop: starts a change whose completion is s3_call_committed.
 *   reply   on the loop, after the above succeeded: builds and sends the answer.
 *   undo    on a worker, when the outcome is a certain refusal: takes back what `read` did outside
 *           of the commit. Before `failed`.
 *   failed  on the loop, instead of reply: may turn an error into another; null: it is answered as it is.
 */
struct s3_handler {
    enum err (*parse)(struct s3_call *call);
    enum err (*body)(struct s3_call *call, struct body_options *options);
    enum err (*read)(struct s3_call *call, enum view_flags flags);
    void (*start)(struct s3_call *call);
    void (*reply)(struct s3_call *call);
    enum err (*failed)(struct s3_call *call, enum err err);
    void (*undo)(struct s3_call *call);
    bool creates_bucket; /* the bucket need not exist */
    bool
        checksums_are_arguments; /* x-amz-checksum-* is about the object, not about this request's body */
};

#define SERVED(name_, method_, scope_, query_, query2_, header_, action_, shape_, handler_)        \
    extern const struct s3_handler handle_##handler_;
#define NOT_SERVED(...)
#include "s3/operations.def"
#undef SERVED
#undef NOT_SERVED
