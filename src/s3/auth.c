/* Who asks, and whether it may. In three steps, because the middle one may need the disk: the
 * claim's form (loop), what must be looked up (loop, or a worker), the verdict (loop: the cache
 * of signing keys is the loop's own). */
#include "base/bytes.h"
#include "base/clock.h"
#include "http/chars.h"
#include "object/bucket.h"
#include "object/object.h"
#include "s3/handlers.h"
#include "s3/runner.h"

static struct sig_request sig_request_of(const struct s3_call *call)
{
    const struct http_request *request = call->request;
    return (struct sig_request){
        .method = request->method,
        .path = request->path,
        .query = request->query,
        .header = request->header,
        .header_count = request->header_count,
    };
}

static bool is_signed(const struct s3_call *call)
{
    return call->sig_kind != SIG_ANONYMOUS;
}

enum err s3_auth_parse(struct s3_call *call)
{
    const struct sig_request request = sig_request_of(call);
    call->sig_kind = sig_detect(&request);
    if (!is_signed(call))
        return OK;
    TRY(sigv4_parse(&request, call->arena, &call->sig, &call->fail));
    const struct sigv4_policy policy = {.region = call->s3->options.settings->region,
                                        .now_ms = clock_real_ms()};
    enum err err = sigv4_check(&call->sig, &request, &policy, &call->fail);
    return err == ERR_BAD_REGION && call->sig_kind == SIG_V4_QUERY ? ERR_BAD_AUTH_QUERY : err;
}

enum err s3_auth_lookup(struct s3_call *call, enum view_flags flags)
{
    if (is_signed(call))
        TRY(users_find_key(call->s3->options.users, call->sig.access_key, flags,
                           &call->credential));
    if (call->bucket.len == 0)
        return OK;
    struct tx *tx;
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    call->bucket_err = bucket_find(tx, call->bucket, call->arena, &call->bucket_row);
    view_end(tx);
    /* Told after the signature was judged. */
    return call->bucket_err == ERR_NO_SUCH_BUCKET ? OK : call->bucket_err;
}

static enum err verify_signature(struct s3_call *call)
{
    const struct credential *credential = &call->credential;
    const struct sig_request request = sig_request_of(call);
    char tag[sizeof(uint64_t)];
    put_le64(tag, credential->generation);
    str secret_tag = str_of(tag, sizeof tag);
    if (!sigv4_cache_find(call->s3->signing_keys, &call->sig, secret_tag, call->signing_key)) {
        sigv4_signing_key(str_from(credential->secret_key), call->sig.date, call->sig.region,
                          call->sig.service, call->signing_key);
        sigv4_cache_put(call->s3->signing_keys, &call->sig, secret_tag, call->signing_key);
    }
    TRY(sigv4_verify(&call->sig, &request, call->signing_key, call->arena, &call->mismatch,
                     &call->fail));
    /* Temporary credentials are not served: no token of theirs can be a good one. */
    return call->sig.session_token.len > 0 ? ERR_BAD_TOKEN : OK;
}

static bool is_header_text(str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return true;
}

static void identify(struct s3_call *call)
{
    const struct credential *credential = &call->credential;
    if (!is_signed(call)) {
        call->identity = (struct identity){.kind = IDENTITY_ANONYMOUS};
        return;
    }
    call->identity = (struct identity){
        .kind = credential->is_root ? IDENTITY_ROOT : IDENTITY_USER,
        .user_name = str_from(credential->user_name),
        .canonical_id = str_from(credential->canonical_id),
        .display_name = str_from(credential->display_name),
        .access_key_id = str_from(credential->access_key),
    };
}

static enum err authorise(struct s3_call *call)
{
    /* Who creates a bucket is told by the commit that it exists: whose it is decides between two
     * errors, not on access. */
    const struct s3_handler *handler = call->operation->handler;
    bool has_bucket = call->bucket.len > 0 && call->bucket_err == OK &&
                      !(handler != NULL && handler->creates_bucket);
    const struct access_request request = {
        .action = str_from(call->operation->action),
        .bucket = call->bucket,
        .key = call->key,
        .bucket_owner = has_bucket ? call->bucket_row.owner : (str){0},
        .bucket_exists = has_bucket,
        .anonymous_mode = call->s3->options.settings->anonymous,
    };
    return iam_authorise(&call->identity, &request, &call->fail);
}

/* Whether a parameter of a presigned link stays one. AWS passes over checksums there: the SDK for JavaScript signs before
 * it knows the body, and what it says of the checksum is of an empty one. */
static bool stays_parameter(str name)
{
    static const str own[] = {
        STR_INIT("X-Amz-Algorithm"),      STR_INIT("X-Amz-Credential"),
        STR_INIT("X-Amz-Date"),           STR_INIT("X-Amz-Expires"),
        STR_INIT("X-Amz-SignedHeaders"),  STR_INIT("X-Amz-Signature"),
        STR_INIT("X-Amz-Security-Token"), STR_INIT("x-amz-sdk-checksum-algorithm")};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (str_eq_nocase(name, own[i]))
            return true;
    static const str value = STR_INIT("x-amz-checksum-");
    enum checksum_kind kind;
    return !str_has_prefix_nocase(name, STR("x-amz-")) ||
           (str_has_prefix_nocase(name, value) &&
            s3_checksum_find(str_skip(name, value.len), &kind));
}

/* A presigned link carries in its query what would be headers otherwise (x-amz-meta-*, x-amz-acl
 * ...): signed by being there. From here on they are headers. */
static enum err headers_from_query(struct s3_call *call)
{
    const struct http_request *from = call->request;
    struct http_request *request = arena_new_of(call->arena, struct http_request);
    *request = *from;
    request->header =
        arena_new_array(call->arena, struct pair, from->header_count + call->query_count + 1);
    for (size_t i = 0; i < from->header_count; i++)
        request->header[i] = from->header[i];
    for (size_t i = 0; i < call->query_count; i++) {
        const struct pair *query = &call->query[i];
        if (stays_parameter(query->name) || http_has_header(from, query->name))
            continue;
        if (!http_is_token(query->name) || !is_header_text(query->value))
            return fail_set(&call->fail, ERR_BAD_HEADER, "X-Amz-*",
                            "a parameter has a control character");
        request->header[request->header_count++] = *query;
    }
    call->request = request;
    return OK;
}

/* x-amz-expected-bucket-owner: the caller's safeguard against a bucket that has changed hands. */
static enum err check_expected_owner(struct s3_call *call)
{
    str expected = s3_header(call, "x-amz-expected-bucket-owner");
    if (expected.len == 0 || call->bucket_err != OK)
        return OK;
    return str_eq(expected, call->bucket_row.owner) ? OK : ERR_ACCESS_DENIED;
}

enum err s3_auth_verify(struct s3_call *call)
{
    if (is_signed(call))
        TRY(verify_signature(call));
    identify(call);
    /* That a bucket is not there, anybody may know. */
    const struct s3_handler *handler = call->operation->handler;
    if (!is_signed(call) && call->bucket_err != OK && handler != NULL && !handler->creates_bucket)
        return call->bucket_err;
    if (call->sig_kind == SIG_V4_QUERY)
        TRY(headers_from_query(call));
    TRY(authorise(call));
    return check_expected_owner(call);
}
