#include "iam/keys.h"

#include <string.h>

#include "base/encode.h"
#include "base/rand.h"

enum { RANDOM_BLOCK = 64 };

static const str BASE32 = STR_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
static const str BASE62 =
    STR_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

/* Uniform characters: random bytes past the largest multiple of the alphabet's size are thrown away, since keeping them
 * would favour its first characters. */
static void fill_random(char *dst, size_t len, str alphabet)
{
    uint8_t block[RANDOM_BLOCK];
    size_t limit = 256 - 256 % alphabet.len, filled = 0;
    while (filled < len) {
        rand_bytes(block, sizeof block);
        for (size_t i = 0; i < sizeof block && filled < len; i++) {
            if (block[i] < limit)
                dst[filled++] = alphabet.ptr[block[i] % alphabet.len];
        }
    }
    explicit_bzero(block, sizeof block);
}

static void make_id(str prefix, char *dst, size_t len)
{
    memcpy(dst, prefix.ptr, prefix.len);
    fill_random(dst + prefix.len, len - prefix.len, BASE32);
}

void access_key_make_id(char out[ACCESS_KEY_ID_LEN])
{
    make_id(STR("pail-"), out, ACCESS_KEY_ID_LEN);
}

void access_key_make_root_id(char out[ACCESS_KEY_ROOT_ID_LEN])
{
    make_id(STR("pailroot"), out, ACCESS_KEY_ROOT_ID_LEN);
}

void access_key_make_secret(char out[ACCESS_KEY_SECRET_LEN])
{
    fill_random(out, ACCESS_KEY_SECRET_LEN, BASE62);
}

void canonical_id_make(char out[CANONICAL_ID_LEN])
{
    uint8_t bytes[CANONICAL_ID_LEN / 2];
    rand_bytes(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, out);
}

static bool is_printable(str s, char from, const char *except)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c < from || c > '~' || strchr(except, c))
            return false;
    }
    return true;
}

bool access_key_id_is_valid(str id)
{
    return id.len >= ACCESS_KEY_ID_MIN && id.len <= ACCESS_KEY_ID_MAX &&
           is_printable(id, '!', ",/");
}

bool access_key_secret_is_valid(str secret)
{
    return secret.len >= ACCESS_KEY_SECRET_MIN && secret.len <= ACCESS_KEY_SECRET_MAX &&
           is_printable(secret, ' ', "") && str_eq(str_trim(secret), secret);
}

bool user_name_is_valid(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (c == '\0' || !strchr("+=,.@_-", c)))
            return false;
    }
    return name.len > 0 && name.len <= USER_NAME_MAX;
}

bool canonical_id_is_valid(str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
    }
    return id.len == CANONICAL_ID_LEN;
}
