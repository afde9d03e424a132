/* The aws-chunked coding of request bodies: chunks with optional signatures, and a trailer. A pure
 * incremental decoder. Source: Amazon S3 API Reference, "Signature Calculations: Transferring
 * Payload in Multiple Chunks" and "Including Trailing Headers".
 *
 *   chunk   = hex-size [";chunk-signature=" 64 hex] CRLF bytes CRLF
 *   body    = *chunk "0" [...] CRLF *(name ":" value CRLF) [x-amz-trailer-signature ...] CRLF
 */
#pragma once

#include "base/arena.h"
#include "base/hash.h"
#include "base/pair.h"
#include "iam/sigv4_chain.h"

enum {
    AWS_CHUNK_LINE_MAX = 1024,
    AWS_CHUNK_TRAILERS_MAX = 8,
    AWS_CHUNK_MIN_BYTES = 8192 /* signed, and not the last */
};

struct aws_chunked {
    bool is_signed;   /* each chunk, and the trailer if there is one, carries a signature */
    bool has_trailer; /* announced by the payload's kind */
    struct sigv4_chain chain;
    struct hash sha256; /* of the chunk, when signed */
    struct arena *arena;

    enum { CHUNK_SIZE_LINE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER, CHUNK_DONE } state;
    uint64_t left;  /* of the chunk */
    bool was_small; /* the chunk before was shorter than AWS_CHUNK_MIN_BYTES */
    char signature[SIGV4_SIGNATURE_HEX_LEN];
    char line[AWS_CHUNK_LINE_MAX];
    size_t line_len;
    struct pair trailer[AWS_CHUNK_TRAILERS_MAX];
    size_t trailer_count;
    str trailer_signature;
};

/* chain is copied; null for unsigned chunks. */
void aws_chunked_init(struct aws_chunked *chunked, struct arena *arena,
                      const struct sigv4_chain *chain, bool has_trailer);
void aws_chunked_release(struct aws_chunked *chunked);

/* Looks at the front of `data`: consumes framing, and gives the payload that stands there (maybe
 * none). *out_consumed counts the framing only; the caller takes some of the payload and says so
 * with aws_chunked_took. Returns with no payload when all data is consumed. ERR_BAD_CHUNK
 * (malformed), ERR_BAD_TRAILER, ERR_SMALL_CHUNK, ERR_SIGNATURE_MISMATCH. */
enum err aws_chunked_next(struct aws_chunked *chunked, str data, size_t *out_consumed,
                          str *out_payload);
/* The caller took these bytes, the front of the payload it was given. */
void aws_chunked_took(struct aws_chunked *chunked, str taken);
bool aws_chunked_is_done(const struct aws_chunked *chunked);
