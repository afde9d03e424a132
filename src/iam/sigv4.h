/* sigv4: AWS Signature Version 4 as S3 uses it, the server's side: what a request claims (parse), whether the claim is
 * acceptable now (check), and whether it was made with the secret (verify).
 * Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)". The client's side:
 * sigv4_sign.h; the chunks of a streaming body: sigv4_chain.h.
 *
 * The order of a request: sig_detect, sigv4_parse, sigv4_check, look up the access key, find or derive the signing key
 * (sigv4_cache.h), sigv4_verify, and for a streaming payload sigv4_chain_begin.
 *
 * Pure functions over plain values: no I/O, no clock, no global. Thread-safe as far as their arguments are. Everything
 * in a request is taken for hostile: every list is bounded, and each header counts once in the canonical request. */
#pragma once

#include "base/fail.h"
#include "base/pair.h"
#include "base/str.h"

struct arena;

enum {
    SIGV4_KEY_SIZE = 32,
    SIGV4_SIGNATURE_SIZE = 32,
    SIGV4_SIGNATURE_HEX_LEN = 64,
    SIGV4_ACCESS_KEY_MAX = 128,     /* bytes */
    SIGV4_SECRET_MAX = 128,         /* bytes */
    SIGV4_REGION_MAX = 64,          /* bytes */
    SIGV4_SERVICE_MAX = 32,         /* bytes */
    SIGV4_SIGNED_HEADERS_MAX = 100, /* names in SignedHeaders */
    SIGV4_QUERY_PARAMS_MAX = 200,   /* parameters in a query that is signed */
    SIGV4_SKEW_MS = 15 * 60 * 1000,
    SIGV4_EXPIRES_MAX_S = 7 * 24 * 60 * 60,
};

/* A request as it came. Borrowed. Nothing in it is decoded, except that header values are trimmed. */
struct sig_request {
    str method;
    str path;  /* the raw target before '?'; absolute-form and authority taken off */
    str query; /* the raw target after '?'; empty without one */
    const struct pair *header; /* names in any case; a repeated header is repeated here, in order */
    size_t header_count;
};

enum sig_kind {
    SIG_ANONYMOUS, /* carries no signature */
    SIG_V4_HEADER, /* Authorization: AWS4-... */
    SIG_V4_QUERY, /* presigned: X-Amz-Algorithm, X-Amz-Credential or X-Amz-Signature in the query */
    SIG_V2,       /* Authorization: AWS ..., or AWSAccessKeyId in the query */
    SIG_UNKNOWN,  /* an Authorization header of another scheme */
};

/* What x-amz-content-sha256 says of the body. */
enum payload_kind {
    PAYLOAD_HASHED,                  /* 64 hex digits: payload_hash is set */
    PAYLOAD_UNSIGNED,                /* UNSIGNED-PAYLOAD */
    PAYLOAD_STREAM_SIGNED,           /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    PAYLOAD_STREAM_SIGNED_TRAILER,   /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER */
    PAYLOAD_STREAM_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

/* What a request claims. The strs borrow from the request or from the arena given to sigv4_parse. */
struct sigv4 {
    enum sig_kind kind; /* SIG_V4_HEADER or SIG_V4_QUERY */
    str access_key;     /* 1 to SIGV4_ACCESS_KEY_MAX bytes, no '/' */
    str date;           /* eight digits, from the credential scope */
    str region;
    str service;
    str timestamp;   /* 20130524T000000Z, as it stands in the string to sign */
    int64_t time_ms; /* the same, since 1970 */
    int64_t
        expires_s; /* SIG_V4_QUERY: X-Amz-Expires as given, any value (sigv4_check judges it); else 0 */
    str signed_headers; /* lower-case names joined by ';', none twice */
    uint8_t signature[SIGV4_SIGNATURE_SIZE];
    enum payload_kind payload;
    str payload_text;         /* the value that stands last in the canonical request */
    uint8_t payload_hash[32]; /* with PAYLOAD_HASHED, else zero */
    str session_token;        /* x-amz-security-token or X-Amz-Security-Token; empty without one */
};

/* Which kind of signature a request carries; a glance, without judging its form. */
enum sig_kind sig_detect(const struct sig_request *request);

/* Reads the claim; syntax only. For a SIG_ANONYMOUS request it must not be called. Errors, with fail->field naming the
 * header, parameter or component:
 *   ERR_BAD_ARGUMENT       header and query authentication at once; an unknown scheme; `AWS` without `key:signature`
 *   ERR_SIGNATURE_VERSION  a well-formed version 2 signature
 *   ERR_NOT_IMPLEMENTED    version 4A (ECDSA) signatures and payloads
 *   ERR_BAD_AUTH_HEADER    Authorization lacks a component, has one twice or of odd form
 *   ERR_BAD_AUTH_QUERY     the same for the query's parameters; X-Amz-Expires is no number
 *   ERR_ACCESS_DENIED      neither x-amz-date nor Date holds a time (as AWS answers it)
 *   ERR_MISSING_HEADER     header authentication without x-amz-content-sha256
 *   ERR_BAD_PAYLOAD_HASH   a value of x-amz-content-sha256 that means nothing
 *   ERR_BAD_HEADER         one of these headers is there twice
 *   ERR_BAD_URI            a broken escape in the query
 *   ERR_TOO_LARGE          more than SIGV4_QUERY_PARAMS_MAX parameters, or the arena's cap */
enum err sigv4_parse(const struct sig_request *request, struct arena *arena, struct sigv4 *out,
                     struct fail *fail);

/* What the server accepts. */
struct sigv4_policy {
    str region;  /* empty: any is accepted */
    str service; /* empty: "s3" */
    int64_t now_ms;
    int64_t skew_ms;       /* 0: SIGV4_SKEW_MS */
    int64_t max_expires_s; /* 0: SIGV4_EXPIRES_MAX_S */
};

/* Judges a parsed claim against the policy and the request. Errors:
 *   ERR_BAD_AUTH_HEADER, ERR_BAD_AUTH_QUERY  another service; the scope's date is not the day of the timestamp;
 *                                            X-Amz-Expires outside 1..max_expires_s
 *   ERR_BAD_REGION               another region; fail->detail is the sentence with the expected region
 *   ERR_UNSIGNED_HEADER          host, or an x-amz-* header that is present, is not signed; fail->field is the first
 *                                such name, fail->detail lists them, joined by ", "
 *   ERR_CLOCK_SKEW               header authentication, farther than skew_ms from now
 *   ERR_SIGNATURE_NOT_YET_VALID  presigned for later than now + skew_ms
 *   ERR_SIGNATURE_EXPIRED        presigned, and over
 * x-amz-content-sha256 alone may stay unsigned under header authentication: its value is signed as the request's last
 * line. A presigned request must sign it too, if it is sent as a header. */
enum err sigv4_check(const struct sigv4 *sig, const struct sig_request *request,
                     const struct sigv4_policy *policy, struct fail *fail);

/* What was compared, for the error body (AWS shows both to the client). In the arena. */
struct sigv4_mismatch {
    str canonical_request;
    str string_to_sign;
};

/* Whether the signature was made with this signing key, in constant time. OK, ERR_SIGNATURE_MISMATCH, ERR_BAD_URI for a
 * broken escape in path or query, ERR_TOO_LARGE when the arena refuses the query. On ERR_SIGNATURE_MISMATCH alone,
 * *out_mismatch (may be null) is filled; texts that pass the arena's cap stay empty. The body is not looked at: with
 * PAYLOAD_HASHED the caller compares its SHA-256 with payload_hash. */
enum err sigv4_verify(const struct sigv4 *sig, const struct sig_request *request,
                      const uint8_t key[SIGV4_KEY_SIZE], struct arena *arena,
                      struct sigv4_mismatch *out_mismatch, struct fail *fail);

/* The four HMAC steps from a secret to the key of one day, region and service. Asserts 1 to SIGV4_SECRET_MAX
 * bytes of secret, which keys.h and secret.h see to. */
void sigv4_signing_key(str secret, str date, str region, str service, uint8_t out[SIGV4_KEY_SIZE]);
