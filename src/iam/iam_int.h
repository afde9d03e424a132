/* Private to iam: the canonical request, which the server's and the client's side of SigV4 share. */
#pragma once

#include "base/arena.h"
#include "iam/sigv4.h"

struct buf;

/* The parts of a canonical request that need work before they can be written. Borrowed from the request or the arena. */
struct canon {
    const struct sigv4 *sig;
    const struct sig_request *request;
    str path;           /* encoded once, at least "/" */
    struct pair *query; /* encoded and sorted, without X-Amz-Signature */
    size_t query_count;
};

/* Encodes path and query. ERR_BAD_URI, ERR_TOO_LARGE. */
enum err canon_prepare(struct canon *canon, const struct sigv4 *sig,
                       const struct sig_request *request, struct arena *arena, struct fail *fail);

/* The SHA-256 of the canonical request, without building it; and its text, for a person. */
void canon_hash(const struct canon *canon, uint8_t out[32]);
void canon_text(const struct canon *canon, struct buf *out);

/* HMAC of the string to sign over a canonical request with this hash; and its text. */
void sigv4_hmac(const struct sigv4 *sig, const uint8_t key[SIGV4_KEY_SIZE],
                const uint8_t request_hash[32], uint8_t out[SIGV4_SIGNATURE_SIZE]);
void sigv4_string_to_sign(const struct sigv4 *sig, const uint8_t request_hash[32], struct buf *out);

/* Whether a ';'-joined list holds a name. The list is lower-case; the name may be in any case. */
bool sigv4_list_has(str list, str name);

/* The kind that a value of x-amz-content-sha256 means, and the hash when it is one. ERR_BAD_PAYLOAD_HASH,
 * ERR_NOT_IMPLEMENTED. */
enum err sigv4_parse_payload(str text, struct sigv4 *out, struct fail *fail);
