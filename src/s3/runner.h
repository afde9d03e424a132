/* The runner: takes a request through its steps (ARCHITECTURE.md, "A request's life"). */
#pragma once

#include "iam/sigv4_cache.h"
#include "s3/call.h"
#include "s3/service.h"

/* What requests and answers may hold in memory, on one loop, beside the store's buffers: small
 * bodies, listings, inline objects that slow clients have not read yet. Above it new requests
 * are told to slow down. */
#define HELD_BYTES_MAX (UINT64_C(64) << 20)

struct s3_loop {
    struct http_service service; /* first: the service is this struct */
    struct s3_options options;
    struct sigv4_cache *signing_keys;
    uint64_t id_seed, id_count; /* of request ids */
    uint64_t held_bytes;        /* sum of s3_call.held_bytes */
};

/* ---- Steps between the folder's files ---- */

/* s3/target.c: bucket and key from Host and path, the query's parameters. */
enum err s3_target_parse(struct s3_call *call);

/* s3/auth.c: the claim's form; what must be looked up (may be run twice); the verdict. */
enum err s3_auth_parse(struct s3_call *call);
enum err s3_auth_lookup(struct s3_call *call, enum view_flags flags);
enum err s3_auth_verify(struct s3_call *call);

/* s3/ingest.c: the body's way in. Ends in s3_body_done on the loop. */
enum err s3_ingest_begin(struct s3_call *call);
/* Gives up what the body holds; `closed` comes when the arena may go. */
void s3_ingest_close(struct s3_call *call, void (*closed)(void *call));

/* s3/runner.c: the body is complete and agrees with its digests, or err says why not. */
void s3_body_done(struct s3_call *call, enum err err);
