/* Message digests and HMAC over OpenSSL. A hash is a small value that can be kept in any struct; it must be released. */
#pragma once

#include "base/str.h"

enum hash_kind { HASH_MD5, HASH_SHA1, HASH_SHA256 };
enum { MD5_SIZE = 16, SHA1_SIZE = 20, SHA256_SIZE = 32, HASH_SIZE_MAX = 32 };

struct hash {
    enum hash_kind kind;
    void *state; /* owned; null before init and after release */
};

void hash_init(struct hash *hash, enum hash_kind kind);
void hash_update(struct hash *hash, const void *data, size_t len);
/* Writes the digest and returns its size; the hash may then be reused after hash_restart. */
size_t hash_final(struct hash *hash, uint8_t *dst);
void hash_restart(struct hash *hash);
void hash_release(struct hash *hash); /* allowed on a zeroed struct */

/* One call each; no allocation on the way. */
void md5_of(const void *data, size_t len, uint8_t dst[MD5_SIZE]);
void sha256_of(const void *data, size_t len, uint8_t dst[SHA256_SIZE]);
void hmac_sha256(str key, str message, uint8_t dst[SHA256_SIZE]);
/* The pieces are hashed as one message. */
void hmac_sha256_pieces(str key, const str *piece, size_t count, uint8_t dst[SHA256_SIZE]);
