/* sigv4_cache: a small cache of signing keys, which saves four HMACs a request. One for each loop: not thread-safe.
 *
 * An entry is found by access key, date, region, service and a tag of the secret, all compared in full. The tag is
 * any bytes that differ whenever the secret does: the sealed secret from the key's row serves (each sealing has a new
 * nonce). So a changed secret is never answered from the cache, and nothing needs to be told to drop anything; old entries are
 * pushed out and wiped. */
#pragma once

#include "iam/sigv4.h"

struct sigv4_cache;

/* entry_count is rounded up to a multiple of 4; about 560 bytes an entry. */
struct sigv4_cache *sigv4_cache_new(size_t entry_count);
void sigv4_cache_free(struct sigv4_cache *cache); /* wipes the keys; null is allowed */

/* True, and the key copied to out_key, when there is an entry. */
bool sigv4_cache_find(struct sigv4_cache *cache, const struct sigv4 *sig, str secret_tag,
                      uint8_t out_key[SIGV4_KEY_SIZE]);

/* Remembers a key, pushing out the oldest of its set of 4. Names and tag that are too long together are not cached. */
void sigv4_cache_put(struct sigv4_cache *cache, const struct sigv4 *sig, str secret_tag,
                     const uint8_t key[SIGV4_KEY_SIZE]);
