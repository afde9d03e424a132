/* sigv4_sign: the client's side of SigV4: signs a request by headers, or makes a presigned query. For our own client,
 * the bench and the tests. Pure functions; all results are in the arena given. */
#pragma once

#include "iam/sigv4.h"

/* Who signs, for where and when. Borrowed. Designated initialisers, please. */
struct sigv4_signer {
    str access_key;
    str secret;
    str session_token; /* empty: none */
    str region;
    str service; /* empty: "s3" */
    int64_t now_ms;
};

/* The headers to send besides those of the request, and what a streaming body needs to go on. */
struct sigv4_signed {
    struct pair header
        [4]; /* x-amz-date, x-amz-content-sha256, Authorization, x-amz-security-token if there is one */
    size_t header_count;
    struct sigv4 sig; /* for sigv4_chain_begin */
    uint8_t key[SIGV4_KEY_SIZE];
};

/* Signs by headers. The request holds the path and query exactly as they will be sent (percent-encoded), and every
 * header that will be sent, Host among them, but none of the four above. All of them are signed, except those that
 * proxies and HTTP libraries change (Connection, User-Agent, Expect, Accept-Encoding, Transfer-Encoding and the like).
 * payload_text is the value of x-amz-content-sha256. Errors:
 *   ERR_BAD_ARGUMENT      no Host; the request is signed already; the signer's names or secret are empty or too long
 *   ERR_BAD_URI           a broken escape
 *   ERR_BAD_PAYLOAD_HASH  payload_text means nothing
 *   ERR_TOO_LARGE         too many headers or parameters */
enum err sigv4_sign_headers(const struct sigv4_signer *signer, const struct sig_request *request,
                            str payload_text, struct arena *arena, struct sigv4_signed *out);

/* Makes a presigned query: everything to send behind '?', the request's own query first. All headers of the request are
 * signed and must be sent with it, Host at least. The payload is UNSIGNED-PAYLOAD. Errors as above; also
 * ERR_BAD_ARGUMENT for expires_s outside 1 to SIGV4_EXPIRES_MAX_S, and for a parameter of the request's own whose name
 * begins with "X-Amz-". */
enum err sigv4_presign(const struct sigv4_signer *signer, const struct sig_request *request,
                       int64_t expires_s, struct arena *arena, str *out_query);
