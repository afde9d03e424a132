/* secret: secret access keys at rest: AES-256-GCM under the server's master key, bound to the access key id, so that a
 * sealed secret cannot be moved to another key's row. Format: docs/format/secret.md. Pure, thread-safe. */
#pragma once

#include "base/str.h"

enum {
    SECRET_MASTER_SIZE = 32,
    SECRET_TEXT_MAX = 128,                                 /* bytes of a secret */
    SECRET_OVERHEAD = 1 + 12 + 16,                         /* version, nonce, tag */
    SECRET_SEALED_MAX = SECRET_OVERHEAD + SECRET_TEXT_MAX, /* bytes */
};

/* A secret in clear. Wipe it after use. */
struct secret {
    char text[SECRET_TEXT_MAX];
    size_t len;
};

struct secret_sealed {
    uint8_t bytes[SECRET_SEALED_MAX];
    size_t len;
};

static inline str secret_str(const struct secret *secret)
{
    return (str){secret->text, secret->len};
}
static inline str secret_sealed_str(const struct secret_sealed *sealed)
{
    return (str){(const char *)sealed->bytes, sealed->len};
}

/* Encrypts with a fresh random nonce. ERR_BAD_ARGUMENT for a text of zero or more than SECRET_TEXT_MAX bytes. */
enum err secret_seal(const uint8_t master[SECRET_MASTER_SIZE], str access_key, str text,
                     struct secret_sealed *out);

/* ERR_CORRUPT when the bytes were damaged, sealed under another master key or for another access key, cut, or are of a
 * version that this program does not know. */
enum err secret_open(const uint8_t master[SECRET_MASTER_SIZE], str access_key, str sealed,
                     struct secret *out);

/* Overwrites in a way that the compiler does not remove. */
void secret_wipe(struct secret *secret);
