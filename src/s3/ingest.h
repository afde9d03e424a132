/* ingest: a request body on its way in: HTTP framing → aws-chunked → the handler's body (UPLOAD)
 * or memory (SIMPLE). */
#pragma once

#include "s3/awschunked.h"
#include "s3/call.h"

struct s3_ingest {
    struct http_sink sink;
    struct s3_call *call;
    struct aws_chunked *chunked; /* null: plain */
    uint64_t expected;           /* decoded bytes, or BODY_LENGTH_UNKNOWN */
    uint64_t received;
    struct body *body; /* UPLOAD */
    struct buf memory; /* SIMPLE */
    bool is_over;      /* end, or failure: nothing more is taken */
    void (*closed)(void *call);
};

/* The body's decoded length as the head tells it: BODY_LENGTH_UNKNOWN for chunked without a
 * declared length. ERR_MISSING_LENGTH where S3 demands one, ERR_BAD_HEADER. */
enum err s3_content_length(struct s3_call *call, uint64_t *out_length);
bool s3_is_aws_chunked(const struct s3_call *call);
/* Uploads say how long they are: S3 takes no body of unknown length. ERR_MISSING_LENGTH,
 * ERR_ENTITY_TOO_LARGE. */
enum err s3_upload_length_check(struct s3_call *call);
