/* Reading what a request claims: which signature it carries, and the claim's parts (sig_detect and sigv4_parse of
 * sigv4.h). Syntax only; sigv4.c judges. The two carriers, the Authorization header and the query, are read into the same
 * struct by way of the same small parsers, which differ only in the error that names the carrier. */
#include "iam/iam_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "codec/url.h"

static const str ALGORITHM = STR_INIT("AWS4-HMAC-SHA256");
static const str ALGORITHM_ECDSA = STR_INIT("AWS4-ECDSA-P256-SHA256");

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether value is `scheme` alone or followed by a space. */
static bool has_scheme(str value, str scheme)
{
    return str_has_prefix(value, scheme) &&
           (value.len == scheme.len || is_blank(value.ptr[scheme.len]));
}

static str find_header(const struct sig_request *request, str name)
{
    const struct pair *found = pair_find_nocase(request->header, request->header_count, name);
    return found ? str_trim(found->value) : STR("");
}

/* A header that may stand once. Two of them would let the signer and the server mean different ones. */
static enum err get_single(const struct sig_request *request, str name, str *out, struct fail *fail)
{
    const struct pair *end = request->header + request->header_count;
    const struct pair *found = pair_find_nocase(request->header, request->header_count, name);
    if (!found) {
        *out = STR("");
        return OK;
    }
    if (pair_find_nocase(found + 1, (size_t)(end - found - 1), name))
        return fail_set(fail, ERR_BAD_HEADER, name.ptr, "the header may be given only once");
    *out = str_trim(found->value);
    return OK;
}

static enum sig_kind detect_query(str query)
{
    enum sig_kind kind = SIG_ANONYMOUS;
    while (query.len > 0) {
        str piece, name, value;
        (void)str_cut(query, '&', &piece, &query);
        (void)str_cut(piece, '=', &name, &value);
        if (str_eq(name, STR("X-Amz-Algorithm")) || str_eq(name, STR("X-Amz-Credential")) ||
            str_eq(name, STR("X-Amz-Signature")))
            return SIG_V4_QUERY;
        if (str_eq(name, STR("AWSAccessKeyId")))
            kind = SIG_V2;
    }
    return kind;
}

static enum sig_kind detect_header(str authorization)
{
    if (authorization.len == 0)
        return SIG_ANONYMOUS;
    if (has_scheme(authorization, STR("AWS")))
        return SIG_V2;
    return str_has_prefix(authorization, STR("AWS4-")) ? SIG_V4_HEADER : SIG_UNKNOWN;
}

enum sig_kind sig_detect(const struct sig_request *request)
{
    enum sig_kind kind = detect_header(find_header(request, STR("Authorization")));
    return kind != SIG_ANONYMOUS ? kind : detect_query(request->query);
}

/* The error that names the carrier. */
static enum err carrier_err(const struct sigv4 *sig)
{
    return sig->kind == SIG_V4_QUERY ? ERR_BAD_AUTH_QUERY : ERR_BAD_AUTH_HEADER;
}

static bool is_digits(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    }
    return true;
}

/* Region and service go into signing keys and answers: names only. */
static bool is_scope_name(str s, size_t max)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && c != '-' && c != '_' && c != '.')
            return false;
    }
    return s.len > 0 && s.len <= max;
}

static bool is_access_key(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
            return false;
    }
    return s.len > 0 && s.len <= SIGV4_ACCESS_KEY_MAX;
}

/* <access key>/<date>/<region>/<service>/aws4_request */
static enum err parse_credential(str text, const char *field, struct sigv4 *out, struct fail *fail)
{
    str part[5], rest = text;
    size_t count = 0;
    bool more = true;
    while (more && count < 5)
        more = str_cut(rest, '/', &part[count++], &rest);
    if (more || count < 5 || !str_eq(part[4], STR("aws4_request")))
        return fail_set(fail, carrier_err(out), field,
                        "the credential is not of the form "
                        "\"<access key>/<date>/<region>/<service>/aws4_request\"");
    if (!is_access_key(part[0]))
        return fail_set(fail, carrier_err(out), field, "the access key in the credential is odd");
    if (part[1].len != 8 || !is_digits(part[1]))
        return fail_set(fail, carrier_err(out), field,
                        "the date in the credential is not of the form yyyyMMdd");
    if (!is_scope_name(part[2], SIGV4_REGION_MAX) || !is_scope_name(part[3], SIGV4_SERVICE_MAX))
        return fail_set(fail, carrier_err(out), field,
                        "the region or service in the credential is odd");
    out->access_key = part[0];
    out->date = part[1];
    out->region = part[2];
    out->service = part[3];
    return OK;
}

/* A header name (RFC 9110 5.6.2) without upper-case letters. */
static bool is_lower_token(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.len > 0;
}

bool sigv4_list_has(str list, str name)
{
    while (list.len > 0) {
        str item;
        (void)str_cut(list, ';', &item, &list);
        if (str_eq_nocase(item, name))
            return true;
    }
    return false;
}

/* Each name once: otherwise a short list of repeated names would make the server hash one long header many times. */
static enum err parse_signed_headers(str text, const char *field, struct sigv4 *out,
                                     struct fail *fail)
{
    str name, rest = text;
    bool more = text.len > 0;
    for (size_t count = 0; more; count++) {
        more = str_cut(rest, ';', &name, &rest);
        if (count == SIGV4_SIGNED_HEADERS_MAX)
            return fail_set(fail, carrier_err(out), field, "more than %d signed headers",
                            SIGV4_SIGNED_HEADERS_MAX);
        if (!is_lower_token(name))
            return fail_set(fail, carrier_err(out), field,
                            "the signed headers are not lower-case names joined by ';'");
        if (sigv4_list_has(rest, name))
            return fail_set(fail, carrier_err(out), field, "a signed header is named twice");
    }
    out->signed_headers = text;
    return OK;
}

static enum err parse_signature(str text, const char *field, struct sigv4 *out, struct fail *fail)
{
    if (text.len != SIGV4_SIGNATURE_HEX_LEN || hex_decode(text, out->signature) != OK)
        return fail_set(fail, carrier_err(out), field, "the signature is not 64 hex digits");
    return OK;
}

static enum err parse_timestamp(str text, struct sigv4 *out, struct fail *fail)
{
    if (clock_parse_amz(text, &out->time_ms) != OK)
        return fail_set(fail, carrier_err(out), "X-Amz-Date",
                        "the date is not of the form yyyyMMddTHHmmssZ");
    out->timestamp = text;
    return OK;
}

enum err sigv4_parse_payload(str text, struct sigv4 *out, struct fail *fail)
{
    static const struct {
        str text;
        enum payload_kind kind;
    } known[] = {
        {STR_INIT("UNSIGNED-PAYLOAD"), PAYLOAD_UNSIGNED},
        {STR_INIT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), PAYLOAD_STREAM_SIGNED},
        {STR_INIT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), PAYLOAD_STREAM_SIGNED_TRAILER},
        {STR_INIT("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), PAYLOAD_STREAM_UNSIGNED_TRAILER},
    };
    out->payload_text = text;
    if (text.len == 64 && hex_decode(text, out->payload_hash) == OK) {
        out->payload = PAYLOAD_HASHED;
        return OK;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_eq(text, known[i].text)) {
            out->payload = known[i].kind;
            return OK;
        }
    }
    if (str_has_prefix(text, STR("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")))
        return fail_set(fail, ERR_NOT_IMPLEMENTED, "x-amz-content-sha256",
                        "payloads signed with ECDSA are not served");
    return fail_set(fail, ERR_BAD_PAYLOAD_HASH, "x-amz-content-sha256",
                    "the value must be UNSIGNED-PAYLOAD, one of the STREAMING- values or a SHA-256 "
                    "in hex");
}

/* Credential, SignedHeaders and Signature, in any order, separated by commas. */
static enum err parse_components(str list, struct sigv4 *out, struct fail *fail)
{
    static const struct {
        str name;
        enum err (*parse)(str text, const char *field, struct sigv4 *out, struct fail *fail);
    } row[] = {
        {STR_INIT("Credential"), parse_credential},
        {STR_INIT("SignedHeaders"), parse_signed_headers},
        {STR_INIT("Signature"), parse_signature},
    };
    enum { ROWS = sizeof row / sizeof *row };
    bool seen[ROWS] = {false};
    size_t count = 0;
    bool more = true;
    while (more) {
        str item, name, value;
        more = str_cut(list, ',', &item, &list);
        bool pair = str_cut(str_trim(item), '=', &name, &value);
        size_t i = 0;
        while (i < ROWS && !str_eq(name, row[i].name))
            i++;
        if (!pair || i == ROWS || seen[i])
            return fail_set(fail, ERR_BAD_AUTH_HEADER, "Authorization",
                            "a component is unknown, repeated or has no value");
        TRY(row[i].parse(str_trim(value), "Authorization", out, fail));
        seen[i] = true;
        count++;
    }
    if (count < ROWS)
        return fail_set(fail, ERR_BAD_AUTH_HEADER, "Authorization",
                        "Credential, SignedHeaders and Signature are all required");
    return OK;
}

static enum err parse_authorization(str value, struct sigv4 *out, struct fail *fail)
{
    if (has_scheme(value, ALGORITHM_ECDSA))
        return fail_set(fail, ERR_NOT_IMPLEMENTED, "Authorization",
                        "signatures with ECDSA (version 4A) are not served");
    if (!has_scheme(value, ALGORITHM))
        return fail_set(fail, ERR_BAD_ARGUMENT, "Authorization", "unsupported Authorization type");
    return parse_components(str_trim(str_skip(value, ALGORITHM.len)), out, fail);
}

/* RFC 9110's forms, and those of mail (RFC 5322), which some signers write: "... 2026 00:26:10 +0000". */
static enum err parse_mail_date(str date, int64_t *out_ms)
{
    enum { ZONE_BYTES = 5, MAIL_DATE_MAX = 40 };
    static const str zone[] = {STR_INIT("+0000"), STR_INIT("-0000")};
    char text[MAIL_DATE_MAX];
    bool is_mail = date.len < MAIL_DATE_MAX &&
                   (str_has_suffix(date, zone[0]) || str_has_suffix(date, zone[1]));
    if (!is_mail)
        return clock_parse_http(date, out_ms);
    size_t len = date.len - ZONE_BYTES;
    memcpy(text, date.ptr, len);
    memcpy(text + len, "GMT", 3);
    return clock_parse_http(str_of(text, len + 3), out_ms);
}

/* x-amz-date, or else Date, which may also have the form of RFC 9110 and is then rewritten. */
static enum err parse_header_time(const struct sig_request *request, struct arena *arena,
                                  struct sigv4 *out, struct fail *fail)
{
    str amz, date;
    TRY(get_single(request, STR("x-amz-date"), &amz, fail));
    TRY(get_single(request, STR("Date"), &date, fail));
    out->timestamp = amz.len > 0 ? amz : date;
    if (clock_parse_amz(out->timestamp, &out->time_ms) == OK)
        return OK;
    if (amz.len > 0 || parse_mail_date(date, &out->time_ms) != OK)
        return fail_set(fail, ERR_ACCESS_DENIED, "x-amz-date",
                        "a signed request needs a valid Date or x-amz-date header");
    char text[CLOCK_TEXT_MAX];
    out->timestamp = arena_str(arena, clock_format_amz(out->time_ms, text));
    return OK;
}

static enum err parse_header_payload(const struct sig_request *request, struct sigv4 *out,
                                     struct fail *fail)
{
    str text;
    TRY(get_single(request, STR("x-amz-content-sha256"), &text, fail));
    if (text.len == 0)
        return fail_set(fail, ERR_MISSING_HEADER, "x-amz-content-sha256",
                        "a request that is signed by headers needs this one");
    return sigv4_parse_payload(text, out, fail);
}

static enum err parse_from_header(const struct sig_request *request, struct arena *arena,
                                  struct sigv4 *out, struct fail *fail)
{
    str authorization;
    TRY(get_single(request, STR("Authorization"), &authorization, fail));
    TRY(parse_authorization(authorization, out, fail));
    TRY(parse_header_time(request, arena, out, fail));
    return parse_header_payload(request, out, fail);
}

/* The parameters of a presigned query, by place in query_param. */
enum {
    PARAM_ALGORITHM,
    PARAM_CREDENTIAL,
    PARAM_DATE,
    PARAM_EXPIRES,
    PARAM_SIGNED_HEADERS,
    PARAM_SIGNATURE,
    PARAM_REQUIRED, /* so many must be there */
    PARAM_TOKEN = PARAM_REQUIRED,
    PARAM_PAYLOAD,
    PARAM_COUNT,
};

static const str query_param[PARAM_COUNT] = {
    [PARAM_ALGORITHM] = STR_INIT("X-Amz-Algorithm"),
    [PARAM_CREDENTIAL] = STR_INIT("X-Amz-Credential"),
    [PARAM_DATE] = STR_INIT("X-Amz-Date"),
    [PARAM_EXPIRES] = STR_INIT("X-Amz-Expires"),
    [PARAM_SIGNED_HEADERS] = STR_INIT("X-Amz-SignedHeaders"),
    [PARAM_SIGNATURE] = STR_INIT("X-Amz-Signature"),
    [PARAM_TOKEN] = STR_INIT("X-Amz-Security-Token"),
    [PARAM_PAYLOAD] = STR_INIT("X-Amz-Content-Sha256"),
};

/* Picks the known parameters out of the query; a missing one has a null pointer. */
static enum err collect_params(str query, struct arena *arena, str value[PARAM_COUNT],
                               struct fail *fail)
{
    struct pair *param;
    size_t count;
    enum err err = url_parse_query(arena, query, SIGV4_QUERY_PARAMS_MAX, &param, &count);
    if (err != OK)
        return fail_set(fail, err, NULL, "the query cannot be read");
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < PARAM_COUNT; k++) {
            if (!str_eq(param[i].name, query_param[k]))
                continue;
            if (value[k].ptr)
                return fail_set(fail, ERR_BAD_AUTH_QUERY, query_param[k].ptr,
                                "the parameter may be given only once");
            value[k] = param[i].value.ptr ? param[i].value : STR("");
        }
    }
    for (size_t k = 0; k < PARAM_REQUIRED; k++) {
        if (!value[k].ptr)
            return fail_set(fail, ERR_BAD_AUTH_QUERY, query_param[k].ptr,
                            "a presigned request needs the parameters X-Amz-Algorithm, "
                            "X-Amz-Credential, X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders and "
                            "X-Amz-Signature");
    }
    return OK;
}

/* The hash stands in the query, or in a header if that is signed; else the payload is unsigned. */
static enum err parse_query_payload(const struct sig_request *request, str param, struct sigv4 *out,
                                    struct fail *fail)
{
    str text;
    TRY(get_single(request, STR("x-amz-content-sha256"), &text, fail));
    if (!sigv4_list_has(out->signed_headers, STR("x-amz-content-sha256")))
        text = STR("");
    if (param.ptr)
        text = param;
    return sigv4_parse_payload(text.len > 0 ? text : STR("UNSIGNED-PAYLOAD"), out, fail);
}

static enum err parse_from_query(const struct sig_request *request, struct arena *arena,
                                 struct sigv4 *out, struct fail *fail)
{
    str value[PARAM_COUNT] = {{NULL, 0}};
    TRY(collect_params(request->query, arena, value, fail));
    if (str_eq(value[PARAM_ALGORITHM], ALGORITHM_ECDSA))
        return fail_set(fail, ERR_NOT_IMPLEMENTED, "X-Amz-Algorithm",
                        "signatures with ECDSA (version 4A) are not served");
    if (!str_eq(value[PARAM_ALGORITHM], ALGORITHM))
        return fail_set(fail, ERR_BAD_AUTH_QUERY, "X-Amz-Algorithm",
                        "the algorithm must be \"AWS4-HMAC-SHA256\"");
    TRY(parse_credential(value[PARAM_CREDENTIAL], "X-Amz-Credential", out, fail));
    TRY(parse_timestamp(value[PARAM_DATE], out, fail));
    if (str_to_i64(value[PARAM_EXPIRES], &out->expires_s) != OK)
        return fail_set(fail, ERR_BAD_AUTH_QUERY, "X-Amz-Expires", "the value must be a number");
    TRY(parse_signed_headers(value[PARAM_SIGNED_HEADERS], "X-Amz-SignedHeaders", out, fail));
    TRY(parse_signature(value[PARAM_SIGNATURE], "X-Amz-Signature", out, fail));
    out->session_token = value[PARAM_TOKEN].ptr ? value[PARAM_TOKEN] : STR("");
    return parse_query_payload(request, value[PARAM_PAYLOAD], out, fail);
}

/* `AWS key:signature` or a query of version 2. */
static enum err refuse_version_2(str authorization, struct fail *fail)
{
    if (authorization.len > 0 && str_find_char(authorization, ':') < 0)
        return fail_set(fail, ERR_BAD_ARGUMENT, "Authorization",
                        "the header is not of the form \"AWS <access key>:<signature>\"");
    return fail_set(fail, ERR_SIGNATURE_VERSION, authorization.len > 0 ? "Authorization" : NULL,
                    "please use AWS4-HMAC-SHA256");
}

enum err sigv4_parse(const struct sig_request *request, struct arena *arena, struct sigv4 *out,
                     struct fail *fail)
{
    str authorization = find_header(request, STR("Authorization"));
    struct sigv4 sig = {.kind = sig_detect(request), .session_token = STR("")};
    if (authorization.len > 0 && detect_query(request->query) != SIG_ANONYMOUS)
        return fail_set(
            fail, ERR_BAD_ARGUMENT, "Authorization",
            "only one of the Authorization header and the query's signature is allowed");
    switch (sig.kind) {
    case SIG_V4_HEADER:
        TRY(get_single(request, STR("x-amz-security-token"), &sig.session_token, fail));
        TRY(parse_from_header(request, arena, &sig, fail));
        break;
    case SIG_V4_QUERY:
        TRY(parse_from_query(request, arena, &sig, fail));
        break;
    case SIG_V2:
        return refuse_version_2(authorization, fail);
    case SIG_ANONYMOUS:
    case SIG_UNKNOWN:
    default:
        return fail_set(fail, ERR_BAD_ARGUMENT, "Authorization", "unsupported Authorization type");
    }
    *out = sig;
    return OK;
}
