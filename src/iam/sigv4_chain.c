/* The chain of signatures over an aws-chunked body. */
#include "iam/sigv4_chain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/hash.h"

enum {
    HASH_HEX_LEN = 64,
    TRAILER_TEXT_MAX = 16 * 1024, /* bytes of the canonical trailer */
};

_Static_assert(sizeof(((struct sigv4_chain *)NULL)->scope) >=
                   16 + 1 + 8 + 1 + SIGV4_REGION_MAX + 1 + SIGV4_SERVICE_MAX + 14,
               "timestamp, date, region, service and the terminator fit");

static void append_scope(struct sigv4_chain *chain, str s)
{
    assert(s.len <= sizeof chain->scope - chain->scope_len);
    memcpy(chain->scope + chain->scope_len, s.ptr, s.len);
    chain->scope_len += s.len;
}

void sigv4_chain_begin(struct sigv4_chain *chain, const struct sigv4 *sig,
                       const uint8_t key[SIGV4_KEY_SIZE])
{
    const str piece[] = {sig->timestamp, STR("\n"), sig->date,    STR("/"),
                         sig->region,    STR("/"),  sig->service, STR("/aws4_request\n")};
    chain->scope_len = 0;
    for (size_t i = 0; i < sizeof piece / sizeof *piece; i++)
        append_scope(chain, piece[i]);
    memcpy(chain->key, key, SIGV4_KEY_SIZE);
    memcpy(chain->previous, sig->signature, SIGV4_SIGNATURE_SIZE);
}

/* HMAC over algorithm, time, scope, the signature before and the rest, which ends the string to sign. */
static void sign_link(const struct sigv4_chain *chain, str algorithm, str rest,
                      uint8_t out[SIGV4_SIGNATURE_SIZE])
{
    char previous[SIGV4_SIGNATURE_HEX_LEN];
    hex_encode(chain->previous, SIGV4_SIGNATURE_SIZE, previous);
    const str piece[] = {algorithm, str_of(chain->scope, chain->scope_len),
                         str_of(previous, sizeof previous), STR("\n"), rest};
    hmac_sha256_pieces(str_of(chain->key, SIGV4_KEY_SIZE), piece, sizeof piece / sizeof *piece,
                       out);
}

static void sign_chunk(const struct sigv4_chain *chain, const uint8_t chunk_sha256[32],
                       uint8_t out[SIGV4_SIGNATURE_SIZE])
{
    char rest[HASH_HEX_LEN + 1 + HASH_HEX_LEN];
    /* The line for headers of a chunk, which none has: the hash of nothing. */
    memcpy(rest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
           HASH_HEX_LEN + 1);
    hex_encode(chunk_sha256, 32, rest + HASH_HEX_LEN + 1);
    sign_link(chain, STR("AWS4-HMAC-SHA256-PAYLOAD\n"), str_of(rest, sizeof rest), out);
}

static int compare_names(const void *a, const void *b)
{
    str left = ((const struct pair *)a)->name, right = ((const struct pair *)b)->name;
    for (size_t i = 0; i < left.len && i < right.len; i++) {
        int order =
            (unsigned char)char_lower(left.ptr[i]) - (unsigned char)char_lower(right.ptr[i]);
        if (order != 0)
            return order;
    }
    return (left.len > right.len) - (left.len < right.len);
}

/* The canonical trailer: lines of lower-case name, colon and value, sorted by name. */
static enum err write_trailer(const struct pair *trailer, size_t count, struct buf *out)
{
    struct pair sorted[SIGV4_TRAILER_FIELDS_MAX];
    if (count > SIGV4_TRAILER_FIELDS_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < count; i++)
        sorted[i] = trailer[i];
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sorted[i].name.len; k++)
            buf_append_char(out, char_lower(sorted[i].name.ptr[k]));
        buf_append_char(out, ':');
        buf_append(out, str_trim(sorted[i].value));
        buf_append_char(out, '\n');
    }
    return buf_err(out);
}

static enum err sign_trailer(const struct sigv4_chain *chain, const struct pair *trailer,
                             size_t count, uint8_t out[SIGV4_SIGNATURE_SIZE])
{
    uint8_t hash[32];
    char hex[HASH_HEX_LEN];
    struct buf text BUF_SCOPED;
    buf_init(&text, TRAILER_TEXT_MAX);
    TRY(write_trailer(trailer, count, &text));
    sha256_of(text.ptr, text.len, hash);
    hex_encode(hash, sizeof hash, hex);
    sign_link(chain, STR("AWS4-HMAC-SHA256-TRAILER\n"), str_of(hex, sizeof hex), out);
    return OK;
}

/* Compares what was sent with what it had to be, and moves on. */
static enum err accept(struct sigv4_chain *chain, const uint8_t expected[SIGV4_SIGNATURE_SIZE],
                       str signature_hex)
{
    uint8_t given[SIGV4_SIGNATURE_SIZE];
    if (signature_hex.len != SIGV4_SIGNATURE_HEX_LEN || hex_decode(signature_hex, given) != OK)
        return ERR_SIGNATURE_MISMATCH;
    if (!str_eq_constant_time(str_of(given, sizeof given), str_of(expected, sizeof given)))
        return ERR_SIGNATURE_MISMATCH;
    memcpy(chain->previous, given, sizeof given);
    return OK;
}

enum err sigv4_chain_verify_chunk(struct sigv4_chain *chain, const uint8_t chunk_sha256[32],
                                  str signature_hex)
{
    uint8_t expected[SIGV4_SIGNATURE_SIZE];
    sign_chunk(chain, chunk_sha256, expected);
    return accept(chain, expected, signature_hex);
}

enum err sigv4_chain_verify_trailer(struct sigv4_chain *chain, const struct pair *trailer,
                                    size_t count, str signature_hex)
{
    uint8_t expected[SIGV4_SIGNATURE_SIZE];
    TRY(sign_trailer(chain, trailer, count, expected));
    return accept(chain, expected, signature_hex);
}

void sigv4_chain_sign_chunk(struct sigv4_chain *chain, const uint8_t chunk_sha256[32],
                            char out_hex[SIGV4_SIGNATURE_HEX_LEN])
{
    uint8_t signature[SIGV4_SIGNATURE_SIZE];
    sign_chunk(chain, chunk_sha256, signature);
    memcpy(chain->previous, signature, sizeof signature);
    hex_encode(signature, sizeof signature, out_hex);
}

enum err sigv4_chain_sign_trailer(struct sigv4_chain *chain, const struct pair *trailer,
                                  size_t count, char out_hex[SIGV4_SIGNATURE_HEX_LEN])
{
    uint8_t signature[SIGV4_SIGNATURE_SIZE];
    TRY(sign_trailer(chain, trailer, count, signature));
    memcpy(chain->previous, signature, sizeof signature);
    hex_encode(signature, sizeof signature, out_hex);
    return OK;
}
