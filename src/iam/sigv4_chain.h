/* sigv4_chain: the signatures of an aws-chunked body. Each chunk's signature covers the one before it, the first that
 * of the request head; the trailer's covers the last chunk's. Source: Amazon S3 API Reference, "Signature Calculations:
 * Transferring Payload in Multiple Chunks" and "Including Trailing Headers".
 *
 * A chain is a plain value without owned memory; it copies what it needs, so the head may be gone. One owner at a
 * time. */
#pragma once

#include "iam/sigv4.h"

struct sigv4_chain {
    uint8_t key[SIGV4_KEY_SIZE];
    uint8_t previous[SIGV4_SIGNATURE_SIZE];
    char scope[160]; /* "<timestamp>\n<date>/<region>/<service>/aws4_request\n" */
    size_t scope_len;
};

enum { SIGV4_TRAILER_FIELDS_MAX = 16 };

/* Starts after the head was verified (or signed): sig->signature is the seed. Copies all it needs. */
void sigv4_chain_begin(struct sigv4_chain *chain, const struct sigv4 *sig,
                       const uint8_t key[SIGV4_KEY_SIZE]);

/* Compares the signature of the next chunk, whose bytes have this SHA-256, in constant time; on OK the chain moves on.
 * The last chunk, of zero bytes, is a chunk too. ERR_SIGNATURE_MISMATCH, also for a signature that is not 64 hex
 * digits; after it the chain must not be used. */
enum err sigv4_chain_verify_chunk(struct sigv4_chain *chain, const uint8_t chunk_sha256[32],
                                  str signature_hex);

/* Compares x-amz-trailer-signature. `trailer` are the trailing fields as sent, without that one: names in any case,
 * values are trimmed here. ERR_SIGNATURE_MISMATCH as above; ERR_TOO_LARGE for more than SIGV4_TRAILER_FIELDS_MAX. */
enum err sigv4_chain_verify_trailer(struct sigv4_chain *chain, const struct pair *trailer,
                                    size_t count, str signature_hex);

/* The client's side: writes 64 hex digits, and moves on. */
void sigv4_chain_sign_chunk(struct sigv4_chain *chain, const uint8_t chunk_sha256[32],
                            char out_hex[SIGV4_SIGNATURE_HEX_LEN]);
enum err sigv4_chain_sign_trailer(struct sigv4_chain *chain, const struct pair *trailer,
                                  size_t count, char out_hex[SIGV4_SIGNATURE_HEX_LEN]);
