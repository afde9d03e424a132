/* struct s3_call: one request on its way through the runner. Lives in the exchange's arena.
 * Touched by one thread at a time: the loop, or the one worker it was handed to. */
#pragma once

#include "base/buf.h"
#include "http/server.h"
#include "iam/identity.h"
#include "iam/sigv4.h"
#include "object/body.h"
#include "object/store.h"
#include "object/users.h"
#include "s3/integrity.h"
#include "s3/operation.h"

enum { REQUEST_ID_BYTES = 16, S3_DETAIL_MAX_COUNT = 4 };

struct s3_loop;   /* what the calls of one loop share: s3/runner.h */
struct s3_ingest; /* the body on its way in: s3/ingest.h */

struct s3_call {
    struct s3_loop *s3;
    struct http_exchange *x;
    const struct http_request *request;
    struct arena *arena;
    char request_id[REQUEST_ID_BYTES];

    /* What is asked for. */
    const struct s3_operation *operation; /* null until it is known */
    str bucket, key;                      /* decoded; empty when not there */
    struct pair *query;
    size_t query_count;

    /* Who asks. */
    enum sig_kind sig_kind;
    struct sigv4 sig;
    struct sigv4_mismatch
        mismatch; /* filled when the signature is wrong: the client is told what was compared */
    uint8_t signing_key[SIGV4_KEY_SIZE];
    struct credential credential;
    struct identity identity;

    /* The bucket, as it was when the request was authorised. */
    struct bucket_row bucket_row;
    enum err bucket_err;

    /* The body. */
    struct s3_integrity integrity;
    struct s3_ingest *ingest;
    str content; /* of a SIMPLE operation: the whole body */

    /* The answer. */
    struct fail fail;
    const struct object_row *delete_marker;  /* that the error is about; null: none */
    struct pair detail[S3_DETAIL_MAX_COUNT]; /* further elements of the error's document */
    size_t detail_count;
    enum err err;
    const char *error_code; /* of the answer that was sent; null: no error */
    uint64_t held_bytes;    /* of the loop's HELD_BYTES_MAX */
    bool is_replied;
    bool is_undone;

    struct job job;   /* a step on a worker */
    struct task task; /* the completion of a change, back to the loop */
    unsigned retries; /* of steps that met a conflict */
    void *state;      /* the handler's own, in the arena */
};

/* The runner's side of a change: for obj_op.done, with obj_op.context = the call. Any thread. */
void s3_call_committed(struct obj_op *op, enum err result);
/* The shared part of a change. */
struct obj_op s3_call_op(struct s3_call *call);

/* Counts memory that this call holds until it is over. Loop. */
void s3_call_hold(struct s3_call *call, uint64_t bytes);

/* Adds an element to the document of an error that is about to be answered; name is a literal,
 * the value lives in the arena. What is too much is left out. */
void s3_error_detail(struct s3_call *call, const char *name, str value);
void s3_error_detail_u64(struct s3_call *call, const char *name, uint64_t value);

/* The value of a query parameter; empty when absent. */
str s3_query(const struct s3_call *call, const char *name);
bool s3_has_query(const struct s3_call *call, const char *name);
str s3_header(const struct s3_call *call, const char *name);
/* ERR_BAD_ARGUMENT with the name and value, as AWS reports them. */
enum err s3_bad_argument(struct s3_call *call, const char *name, const char *why, str value);
/* The canonical id that owns what this call makes: the caller's, or the bucket owner's for an
 * anonymous one. */
str s3_call_owner(const struct s3_call *call);
