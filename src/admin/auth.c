/* Who asks: the same signatures as on the S3 port, for the root account only. */
#include <string.h>

#include "admin/admin_int.h"
#include "base/clock.h"

/* The body is signed, too, unless there is none: nobody on the way may change what root asks for. */
static enum err check_payload_kind(const struct admin_call *call, struct fail *fail)
{
    enum payload_kind payload = call->sig.payload;
    const struct http_request *request = http_request(call->x);
    bool is_sent = request->is_chunked || request->content_length > 0;
    bool has_body = (call->route->flags & ROUTE_BODY) != 0 ||
                    ((call->route->flags & ROUTE_BODY_OPTIONAL) != 0 && is_sent);
    if (payload == PAYLOAD_HASHED || (payload == PAYLOAD_UNSIGNED && !has_body))
        return OK;
    return fail_set(fail, ERR_ACCESS_DENIED, "x-amz-content-sha256",
                    "the admin API wants the body's SHA-256 in x-amz-content-sha256");
}

static enum err check_claim(struct admin_call *call, const struct sig_request *request)
{
    enum sig_kind kind = sig_detect(request);
    if (kind == SIG_ANONYMOUS)
        return fail_set(&call->fail, ERR_ACCESS_DENIED, NULL, "the request is not signed");
    if (kind == SIG_V4_QUERY)
        return fail_set(&call->fail, ERR_ACCESS_DENIED, NULL,
                        "the admin API takes no presigned links");
    TRY(sigv4_parse(request, call->arena, &call->sig, &call->fail));
    struct sigv4_policy policy = {
        .service = str_eq(call->sig.service, STR("pail")) ? STR("pail") : STR("s3"),
        .now_ms = clock_real_ms(),
    };
    TRY(sigv4_check(&call->sig, request, &policy, &call->fail));
    return check_payload_kind(call, &call->fail);
}

/* Only root's key is looked for: it is in memory, so this never waits, and no other may do anything here. */
static enum err find_root(struct admin_call *call, struct credential *out)
{
    enum err err =
        users_find_key(call->admin->options.users, call->sig.access_key, VIEW_NOWAIT, out);
    if (err == ERR_NO_SUCH_ACCESS_KEY)
        return err;
    if (err == OK && out->is_root)
        return OK;
    return fail_set(&call->fail, ERR_ACCESS_DENIED, NULL, "only the root account may administer");
}

static enum err verify(struct admin_call *call, const struct sig_request *request)
{
    struct credential root = {0};
    enum err err = find_root(call, &root);
    if (err == OK) {
        uint8_t key[SIGV4_KEY_SIZE];
        const struct sigv4 *sig = &call->sig;
        sigv4_signing_key(str_from(root.secret_key), sig->date, sig->region, sig->service, key);
        err = sigv4_verify(sig, request, key, call->arena, NULL, &call->fail);
        explicit_bzero(key, sizeof(key));
    }
    explicit_bzero(&root, sizeof(root));
    return err;
}

enum err admin_authenticate(struct admin_call *call)
{
    const struct http_request *http = http_request(call->x);
    struct sig_request request = {
        .method = http->method,
        .path = http->path,
        .query = http->query,
        .header = http->header,
        .header_count = http->header_count,
    };
    TRY(check_claim(call, &request));
    TRY(verify(call, &request));
    call->is_authenticated = true;
    return OK;
}

enum err admin_check_payload(struct admin_call *call)
{
    if (call->sig.payload != PAYLOAD_HASHED)
        return OK;
    uint8_t digest[SHA256_SIZE];
    sha256_of(call->body.ptr, call->body.len, digest);
    return memcmp(digest, call->sig.payload_hash, sizeof(digest)) == 0 ? OK : ERR_PAYLOAD_MISMATCH;
}
