/* Judging a SigV4 claim: policy, then the signature itself (sigv4_check and sigv4_verify of sigv4.h), and the small
 * computations both sides share: signing key, string to sign, HMAC. */
#include "iam/sigv4.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/hash.h"
#include "iam/iam_int.h"

enum {
    HASH_HEX_LEN = 64,
    UNSIGNED_LIST_MAX = 1024,      /* of the names that are reported as not signed */
    MISMATCH_TEXT_MAX = 64 * 1024, /* of a canonical request that is shown to the client */
};

static enum err check_scope(const struct sigv4 *sig, const struct sigv4_policy *policy,
                            struct fail *fail)
{
    bool in_query = sig->kind == SIG_V4_QUERY;
    enum err malformed = in_query ? ERR_BAD_AUTH_QUERY : ERR_BAD_AUTH_HEADER;
    const char *field = in_query ? "X-Amz-Credential" : "Authorization";
    str service = policy->service.len > 0 ? policy->service : STR("s3");
    if (!str_eq(sig->service, service))
        return fail_set(fail, malformed, field,
                        "incorrect service \"%.*s\"; this endpoint belongs to \"%.*s\"",
                        STR_ARG(sig->service), STR_ARG(service));
    if (!str_has_prefix(sig->timestamp, sig->date))
        return fail_set(fail, malformed, field,
                        "the credential's date \"%.*s\" is not the day of the request, \"%.*s\"",
                        STR_ARG(sig->date), STR_ARG(sig->timestamp));
    if (policy->region.len > 0 && !str_eq(sig->region, policy->region))
        return fail_set(fail, ERR_BAD_REGION, field,
                        "the region \"%.*s\" is wrong; expecting \"%.*s\"", STR_ARG(sig->region),
                        STR_ARG(policy->region));
    return OK;
}

/* Host apart, these are the headers that change what a request does. The payload hash is signed under header
 * authentication in any case, as the last line of the canonical request. */
static bool needs_signing(const struct sigv4 *sig, str name)
{
    if (!str_has_prefix_nocase(name, STR("x-amz-")))
        return false;
    return sig->kind == SIG_V4_QUERY || !str_eq_nocase(name, STR("x-amz-content-sha256"));
}

/* The names go to the client, who sees at once what to sign: the first as the field, all as the detail. */
static enum err fail_unsigned(struct fail *fail, str first, str list)
{
    char field[sizeof fail->field];
    size_t len = first.len < sizeof field ? first.len : sizeof field - 1;
    memcpy(field, first.ptr, len);
    field[len] = '\0';
    return fail_set(fail, ERR_UNSIGNED_HEADER, field, "%.*s", STR_ARG(list));
}

static enum err check_signed_headers(const struct sigv4 *sig, const struct sig_request *request,
                                     struct fail *fail)
{
    str first = STR("");
    struct buf list BUF_SCOPED; /* takes memory only when there is something to say */
    buf_init(&list, UNSIGNED_LIST_MAX);
    if (!sigv4_list_has(sig->signed_headers, STR("host"))) {
        first = STR("host");
        buf_append(&list, first);
    }
    for (size_t i = 0; i < request->header_count; i++) {
        str name = request->header[i].name;
        if (!needs_signing(sig, name) || sigv4_list_has(sig->signed_headers, name))
            continue;
        if (first.len > 0)
            buf_append(&list, STR(", "));
        else
            first = name;
        buf_append(&list, name);
    }
    if (first.len == 0)
        return OK;
    return fail_unsigned(fail, first, list.len > 0 ? buf_str(&list) : first);
}

static enum err check_header_time(const struct sigv4 *sig, int64_t now_ms, int64_t skew_ms,
                                  struct fail *fail)
{
    if (sig->time_ms < now_ms - skew_ms || sig->time_ms > now_ms + skew_ms)
        return fail_set(fail, ERR_CLOCK_SKEW, "x-amz-date",
                        "the request's time \"%.*s\" is more than %lld s from the server's",
                        STR_ARG(sig->timestamp), (long long)(skew_ms / 1000));
    return OK;
}

static enum err check_expiry(const struct sigv4 *sig, const struct sigv4_policy *policy,
                             int64_t skew_ms, struct fail *fail)
{
    int64_t max_s = policy->max_expires_s > 0 ? policy->max_expires_s : SIGV4_EXPIRES_MAX_S;
    if (sig->expires_s < 1 || sig->expires_s > max_s)
        return fail_set(fail, ERR_BAD_AUTH_QUERY, "X-Amz-Expires",
                        "the value must be 1 to %lld seconds", (long long)max_s);
    if (sig->time_ms > policy->now_ms + skew_ms)
        return fail_set(fail, ERR_SIGNATURE_NOT_YET_VALID, "X-Amz-Date",
                        "the request is valid from \"%.*s\"", STR_ARG(sig->timestamp));
    if (sig->time_ms + sig->expires_s * 1000 < policy->now_ms)
        return fail_set(fail, ERR_SIGNATURE_EXPIRED, "X-Amz-Expires",
                        "the request was valid for %lld s from \"%.*s\"", (long long)sig->expires_s,
                        STR_ARG(sig->timestamp));
    return OK;
}

enum err sigv4_check(const struct sigv4 *sig, const struct sig_request *request,
                     const struct sigv4_policy *policy, struct fail *fail)
{
    int64_t skew_ms = policy->skew_ms > 0 ? policy->skew_ms : SIGV4_SKEW_MS;
    TRY(check_scope(sig, policy, fail));
    if (sig->kind == SIG_V4_QUERY)
        TRY(check_expiry(sig, policy, skew_ms, fail));
    else
        TRY(check_header_time(sig, policy->now_ms, skew_ms, fail));
    return check_signed_headers(sig, request, fail);
}

void sigv4_signing_key(str secret, str date, str region, str service, uint8_t out[SIGV4_KEY_SIZE])
{
    char start[4 + SIGV4_SECRET_MAX] = "AWS4";
    assert(secret.len > 0 && secret.len <= SIGV4_SECRET_MAX);
    memcpy(start + 4, secret.ptr, secret.len);
    str step[] = {date, region, service, STR("aws4_request")};
    str key = str_of(start, 4 + secret.len);
    for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
        hmac_sha256(key, step[i], out);
        key = str_of(out, SIGV4_KEY_SIZE);
    }
    explicit_bzero(start, sizeof start);
}

enum { STRING_TO_SIGN_PIECES = 10 };

static void string_to_sign(const struct sigv4 *sig, str hash_hex, str piece[STRING_TO_SIGN_PIECES])
{
    const str all[STRING_TO_SIGN_PIECES] = {STR("AWS4-HMAC-SHA256\n"),
                                            sig->timestamp,
                                            STR("\n"),
                                            sig->date,
                                            STR("/"),
                                            sig->region,
                                            STR("/"),
                                            sig->service,
                                            STR("/aws4_request\n"),
                                            hash_hex};
    memcpy(piece, all, sizeof all);
}

void sigv4_hmac(const struct sigv4 *sig, const uint8_t key[SIGV4_KEY_SIZE],
                const uint8_t request_hash[32], uint8_t out[SIGV4_SIGNATURE_SIZE])
{
    char hex[HASH_HEX_LEN];
    str piece[STRING_TO_SIGN_PIECES];
    hex_encode(request_hash, 32, hex);
    string_to_sign(sig, str_of(hex, sizeof hex), piece);
    hmac_sha256_pieces(str_of(key, SIGV4_KEY_SIZE), piece, STRING_TO_SIGN_PIECES, out);
}

void sigv4_string_to_sign(const struct sigv4 *sig, const uint8_t request_hash[32], struct buf *out)
{
    char hex[HASH_HEX_LEN];
    str piece[STRING_TO_SIGN_PIECES];
    hex_encode(request_hash, 32, hex);
    string_to_sign(sig, str_of(hex, sizeof hex), piece);
    for (size_t i = 0; i < STRING_TO_SIGN_PIECES; i++)
        buf_append(out, piece[i]);
}

static bool matches(const struct canon *canon, const uint8_t key[SIGV4_KEY_SIZE])
{
    uint8_t hash[32], expected[SIGV4_SIGNATURE_SIZE];
    canon_hash(canon, hash);
    sigv4_hmac(canon->sig, key, hash, expected);
    return str_eq_constant_time(str_of(expected, sizeof expected),
                                str_of(canon->sig->signature, SIGV4_SIGNATURE_SIZE));
}

static str take_text(struct arena *arena, const struct buf *text)
{
    char *copy = buf_err(text) == OK ? arena_try_alloc(arena, text->len) : NULL;
    if (!copy)
        return STR("");
    memcpy(copy, text->ptr, text->len);
    return str_of(copy, text->len);
}

static void explain_mismatch(const struct canon *canon, struct arena *arena,
                             struct sigv4_mismatch *out)
{
    uint8_t hash[32];
    struct buf text BUF_SCOPED;
    buf_init(&text, MISMATCH_TEXT_MAX);
    canon_text(canon, &text);
    out->canonical_request = take_text(arena, &text);
    buf_clear(&text);
    canon_hash(canon, hash);
    sigv4_string_to_sign(canon->sig, hash, &text);
    out->string_to_sign = take_text(arena, &text);
}

enum err sigv4_verify(const struct sigv4 *sig, const struct sig_request *request,
                      const uint8_t key[SIGV4_KEY_SIZE], struct arena *arena,
                      struct sigv4_mismatch *out_mismatch, struct fail *fail)
{
    struct canon canon;
    TRY(canon_prepare(&canon, sig, request, arena, fail));
    if (matches(&canon, key))
        return OK;
    /* Some clients sign the path as they send it, though it holds characters that S3 would have them escape. The two
     * forms have one meaning, so accepting the raw one grants nothing more than what was signed. */
    str encoded_path = canon.path;
    canon.path = request->path;
    if (!str_eq(encoded_path, request->path) && matches(&canon, key))
        return OK;
    canon.path = encoded_path;
    if (out_mismatch)
        explain_mismatch(&canon, arena, out_mismatch);
    return fail_set(fail, ERR_SIGNATURE_MISMATCH, NULL,
                    "the signature was not made with the secret of \"%.*s\" over this request",
                    STR_ARG(sig->access_key));
}
