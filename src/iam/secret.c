#include "iam/secret.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/rand.h"

enum { VERSION = 1, NONCE_SIZE = 12, TAG_SIZE = 16, NONCE_AT = 1, TEXT_AT = NONCE_AT + NONCE_SIZE };

_Static_assert(SECRET_OVERHEAD == TEXT_AT + TAG_SIZE, "docs/format/secret.md");

static void free_cipher(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
}
#define CIPHER_SCOPED __attribute__((cleanup(free_cipher)))

/* Key, nonce and associated data; the text comes next. */
static bool begin(EVP_CIPHER_CTX *ctx, int encrypt, const uint8_t *master, const uint8_t *nonce,
                  str access_key)
{
    const uint8_t version = VERSION;
    int len;
    return access_key.len <= INT32_MAX &&
           EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, master, nonce, encrypt) &&
           EVP_CipherUpdate(ctx, NULL, &len, &version, 1) &&
           EVP_CipherUpdate(ctx, NULL, &len, (const uint8_t *)access_key.ptr, (int)access_key.len);
}

static bool encrypt(EVP_CIPHER_CTX *ctx, str text, struct secret_sealed *out)
{
    int len, rest;
    uint8_t *dst = out->bytes + TEXT_AT;
    out->len = SECRET_OVERHEAD + text.len;
    return EVP_CipherUpdate(ctx, dst, &len, (const uint8_t *)text.ptr, (int)text.len) &&
           EVP_CipherFinal_ex(ctx, dst + len, &rest) && len + rest == (int)text.len &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, dst + text.len);
}

enum err secret_seal(const uint8_t master[SECRET_MASTER_SIZE], str access_key, str text,
                     struct secret_sealed *out)
{
    if (text.len == 0 || text.len > SECRET_TEXT_MAX)
        return ERR_BAD_ARGUMENT;
    struct secret_sealed sealed;
    sealed.bytes[0] = VERSION;
    rand_bytes(sealed.bytes + NONCE_AT, NONCE_SIZE);
    EVP_CIPHER_CTX *ctx CIPHER_SCOPED = EVP_CIPHER_CTX_new();
    if (!ctx)
        return ERR_NO_MEMORY;
    if (!begin(ctx, 1, master, sealed.bytes + NONCE_AT, access_key) || !encrypt(ctx, text, &sealed))
        return ERR_INTERNAL;
    *out = sealed;
    return OK;
}

/* True only when the tag is right. */
static bool decrypt(EVP_CIPHER_CTX *ctx, str sealed, struct secret *out)
{
    int len, rest;
    uint8_t tag[TAG_SIZE], *dst = (uint8_t *)out->text;
    out->len = sealed.len - SECRET_OVERHEAD;
    memcpy(tag, sealed.ptr + TEXT_AT + out->len, TAG_SIZE);
    return EVP_CipherUpdate(ctx, dst, &len, (const uint8_t *)sealed.ptr + TEXT_AT, (int)out->len) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) &&
           EVP_CipherFinal_ex(ctx, dst + len, &rest) > 0;
}

enum err secret_open(const uint8_t master[SECRET_MASTER_SIZE], str access_key, str sealed,
                     struct secret *out)
{
    if (sealed.len <= SECRET_OVERHEAD || sealed.len > SECRET_SEALED_MAX || sealed.ptr[0] != VERSION)
        return ERR_CORRUPT;
    EVP_CIPHER_CTX *ctx CIPHER_SCOPED = EVP_CIPHER_CTX_new();
    if (!ctx)
        return ERR_NO_MEMORY;
    struct secret secret;
    bool intact = begin(ctx, 0, master, (const uint8_t *)sealed.ptr + NONCE_AT, access_key) &&
                  decrypt(ctx, sealed, &secret);
    if (intact)
        *out = secret;
    secret_wipe(&secret);
    return intact ? OK : ERR_CORRUPT;
}

void secret_wipe(struct secret *secret)
{
    explicit_bzero(secret, sizeof *secret);
}
