/* The client's side of SigV4: builds the claim that sigv4.c verifies, over the same canonical request. */
#include "iam/sigv4_sign.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/hash.h"
#include "codec/url.h"
#include "iam/iam_int.h"

enum { PRESIGN_PARAMS_MAX = 7 }; /* that presigning adds to a query */

/* Headers that proxies and HTTP libraries set or change on the way. */
static const str unsignable[] = {
    STR_INIT("accept-encoding"),   STR_INIT("authorization"),
    STR_INIT("connection"),        STR_INIT("expect"),
    STR_INIT("keep-alive"),        STR_INIT("te"),
    STR_INIT("transfer-encoding"), STR_INIT("upgrade"),
    STR_INIT("user-agent"),        STR_INIT("x-amzn-trace-id"),
};

static bool is_signable(str name)
{
    for (size_t i = 0; i < sizeof unsignable / sizeof *unsignable; i++) {
        if (str_eq_nocase(name, unsignable[i]))
            return false;
    }
    return true;
}

static int compare_strs(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* The lower-case names of all signable headers, sorted, each once, joined by ';'. */
static enum err list_signed(const struct pair *header, size_t count, struct arena *arena, str *out)
{
    str name[SIGV4_SIGNED_HEADERS_MAX], piece[2 * SIGV4_SIGNED_HEADERS_MAX];
    size_t names = 0, pieces = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_signable(header[i].name))
            continue;
        if (names == SIGV4_SIGNED_HEADERS_MAX)
            return ERR_TOO_LARGE;
        name[names++] = arena_lower(arena, header[i].name);
    }
    qsort(name, names, sizeof *name, compare_strs);
    for (size_t i = 0; i < names; i++) {
        if (i > 0 && str_eq(name[i], name[i - 1]))
            continue;
        if (pieces > 0)
            piece[pieces++] = STR(";");
        piece[pieces++] = name[i];
    }
    *out = arena_join(arena, piece, pieces);
    return sigv4_list_has(*out, STR("host")) ? OK : ERR_BAD_ARGUMENT;
}

static str encode_param(struct arena *arena, str value)
{
    struct buf encoded BUF_SCOPED;
    buf_init(&encoded, 3 * value.len);
    url_encode(&encoded, value, false);
    return arena_str(arena, buf_str(&encoded));
}

/* What does not depend on the request: who, where, when. */
static struct sigv4 make_claim(const struct sigv4_signer *signer, enum sig_kind kind,
                               struct arena *arena)
{
    char text[CLOCK_TEXT_MAX];
    str timestamp = arena_str(arena, clock_format_amz(signer->now_ms, text));
    return (struct sigv4){.kind = kind,
                          .access_key = signer->access_key,
                          .date = str_slice(timestamp, 0, 8),
                          .region = signer->region,
                          .service = signer->service.len > 0 ? signer->service : STR("s3"),
                          .timestamp = timestamp,
                          .time_ms = signer->now_ms,
                          .session_token = signer->session_token};
}

static str make_credential(const struct sigv4 *sig, struct arena *arena)
{
    const str piece[] = {sig->access_key, STR("/"), sig->date,    STR("/"),
                         sig->region,     STR("/"), sig->service, STR("/aws4_request")};
    return arena_join(arena, piece, sizeof piece / sizeof *piece);
}

/* The bounds that the rest of the folder relies on; the values come from a person's settings. */
static bool signer_is_valid(const struct sigv4_signer *signer)
{
    return signer->access_key.len > 0 && signer->access_key.len <= SIGV4_ACCESS_KEY_MAX &&
           signer->secret.len > 0 && signer->secret.len <= SIGV4_SECRET_MAX &&
           signer->region.len > 0 && signer->region.len <= SIGV4_REGION_MAX &&
           signer->service.len <= SIGV4_SERVICE_MAX;
}

static enum err sign(const struct sigv4_signer *signer, const struct sig_request *request,
                     struct arena *arena, struct sigv4 *sig, uint8_t key[SIGV4_KEY_SIZE])
{
    struct canon canon;
    uint8_t hash[32];
    TRY(canon_prepare(&canon, sig, request, arena, NULL));
    sigv4_signing_key(signer->secret, sig->date, sig->region, sig->service, key);
    canon_hash(&canon, hash);
    sigv4_hmac(sig, key, hash, sig->signature);
    return OK;
}

/* The request's headers with those that signing adds behind them, as they will all be sent. */
static struct sig_request with_headers(const struct sig_request *request, struct arena *arena,
                                       const struct sigv4_signed *added)
{
    struct sig_request all = *request;
    struct pair *header =
        arena_new_array(arena, struct pair, request->header_count + added->header_count);
    for (size_t i = 0; i < request->header_count; i++)
        header[i] = request->header[i];
    for (size_t i = 0; i < added->header_count; i++)
        header[all.header_count++] = added->header[i];
    all.header = header;
    return all;
}

static str make_authorization(const struct sigv4 *sig, struct arena *arena)
{
    const str piece[] = {STR("AWS4-HMAC-SHA256 Credential="),
                         make_credential(sig, arena),
                         STR(",SignedHeaders="),
                         sig->signed_headers,
                         STR(",Signature="),
                         arena_hex(arena, sig->signature, SIGV4_SIGNATURE_SIZE)};
    return arena_join(arena, piece, sizeof piece / sizeof *piece);
}

static void add_header(struct sigv4_signed *out, str name, str value)
{
    out->header[out->header_count++] = (struct pair){name, value};
}

enum err sigv4_sign_headers(const struct sigv4_signer *signer, const struct sig_request *request,
                            str payload_text, struct arena *arena, struct sigv4_signed *out)
{
    if (!signer_is_valid(signer) || sig_detect(request) != SIG_ANONYMOUS)
        return ERR_BAD_ARGUMENT;
    struct sigv4_signed result = {.sig = make_claim(signer, SIG_V4_HEADER, arena)};
    TRY(sigv4_parse_payload(payload_text, &result.sig, NULL));
    add_header(&result, STR("x-amz-date"), result.sig.timestamp);
    add_header(&result, STR("x-amz-content-sha256"), payload_text);
    if (signer->session_token.len > 0)
        add_header(&result, STR("x-amz-security-token"), signer->session_token);
    struct sig_request all = with_headers(request, arena, &result);
    TRY(list_signed(all.header, all.header_count, arena, &result.sig.signed_headers));
    TRY(sign(signer, &all, arena, &result.sig, result.key));
    add_header(&result, STR("Authorization"), make_authorization(&result.sig, arena));
    *out = result;
    return OK;
}

/* A query that is to be presigned must leave the parameters of authentication, and room for them, to us. */
static enum err check_own_query(str query, struct arena *arena)
{
    struct pair *param;
    size_t count;
    TRY(url_parse_query(arena, query, SIGV4_QUERY_PARAMS_MAX - PRESIGN_PARAMS_MAX, &param, &count));
    for (size_t i = 0; i < count; i++) {
        if (str_has_prefix(param[i].name, STR("X-Amz-")))
            return ERR_BAD_ARGUMENT;
    }
    return OK;
}

/* The query up to the signature. */
static str unsigned_query(const struct sigv4 *sig, str own, struct arena *arena)
{
    bool has_token = sig->session_token.len > 0;
    const str piece[] = {
        own,
        own.len > 0 ? STR("&") : STR(""),
        STR("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="),
        encode_param(arena, make_credential(sig, arena)),
        STR("&X-Amz-Date="),
        sig->timestamp,
        STR("&X-Amz-Expires="),
        arena_printf(arena, "%lld", (long long)sig->expires_s),
        has_token ? STR("&X-Amz-Security-Token=") : STR(""),
        has_token ? encode_param(arena, sig->session_token) : STR(""),
        STR("&X-Amz-SignedHeaders="),
        encode_param(arena, sig->signed_headers),
    };
    return arena_join(arena, piece, sizeof piece / sizeof *piece);
}

enum err sigv4_presign(const struct sigv4_signer *signer, const struct sig_request *request,
                       int64_t expires_s, struct arena *arena, str *out_query)
{
    if (!signer_is_valid(signer) || sig_detect(request) != SIG_ANONYMOUS)
        return ERR_BAD_ARGUMENT;
    if (expires_s < 1 || expires_s > SIGV4_EXPIRES_MAX_S)
        return ERR_BAD_ARGUMENT;
    TRY(check_own_query(request->query, arena));
    uint8_t key[SIGV4_KEY_SIZE];
    struct sig_request presigned = *request;
    struct sigv4 sig = make_claim(signer, SIG_V4_QUERY, arena);
    sig.expires_s = expires_s;
    TRY(sigv4_parse_payload(STR("UNSIGNED-PAYLOAD"), &sig, NULL));
    TRY(list_signed(request->header, request->header_count, arena, &sig.signed_headers));
    presigned.query = unsigned_query(&sig, request->query, arena);
    enum err err = sign(signer, &presigned, arena, &sig, key);
    explicit_bzero(key, sizeof key);
    TRY(err);
    const str piece[] = {presigned.query, STR("&X-Amz-Signature="),
                         arena_hex(arena, sig.signature, SIGV4_SIGNATURE_SIZE)};
    *out_query = arena_join(arena, piece, sizeof piece / sizeof *piece);
    return OK;
}
