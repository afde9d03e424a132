/* Which bucket, key and operation a request names: the path, the query and the virtual host, as "METHOD target\nHost\n".
 *
 * What must hold: a key is well-formed text of a bounded length; it is found again when it is written as a path of our own, in both
 * styles; an operation has the method and the scope that were asked for. */
#include "fuzz_call.h"

#include "codec/url.h"
#include "object/types.h"

enum { ARENA_BYTES = 16 << 20, QUERY_MAX_COUNT = 100 };

static enum s3_scope scope_of(const struct s3_call *call)
{
    if (call->bucket.len == 0)
        return S3_SERVICE;
    return call->key.len == 0 ? S3_BUCKET : S3_OBJECT;
}

static void check_operation(const struct s3_call *call)
{
    static const char *const name[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"};
    const struct s3_operation *operation =
        s3_operation_find(call->request, scope_of(call), call->query, call->query_count);
    if (operation == NULL)
        return;
    FUZZ_CHECK(str_eq(call->request->method, str_from(name[operation->method])));
    FUZZ_CHECK(operation->scope == scope_of(call));
}

/* The same bucket and key, in a path of our own spelling. */
static void check_again(const struct s3_call *call, struct arena *arena)
{
    static struct fuzz_call again;
    BUF_SCOPED struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_append(&text, STR("GET /"));
    url_encode(&text, call->bucket, false);
    buf_append_char(&text, '/');
    url_encode(&text, call->key, true);
    buf_append(&text, STR("\n127.0.0.1:9000\n"));
    fuzz_call_init(&again, arena, buf_str(&text));
    FUZZ_CHECK(s3_target_parse(&again.call) == OK);
    FUZZ_CHECK(str_eq(again.call.bucket, call->bucket) && str_eq(again.call.key, call->key));
}

/* And as a virtual host, where the name fits into one. */
static void check_virtual(const struct s3_call *call, struct arena *arena)
{
    static struct fuzz_call again;
    for (size_t i = 0; i < call->bucket.len; i++)
        if (str_find_char(STR("abcdefghijklmnopqrstuvwxyz0123456789-."), call->bucket.ptr[i]) < 0)
            return;
    BUF_SCOPED struct buf text;
    buf_init(&text, SIZE_MAX);
    buf_append(&text, STR("GET /"));
    url_encode(&text, call->key, true);
    buf_printf(&text, "\n%.*s.S3.example.com:80\n", STR_ARG(call->bucket));
    fuzz_call_init(&again, arena, buf_str(&text));
    FUZZ_CHECK(s3_target_parse(&again.call) == OK);
    FUZZ_CHECK(str_eq(again.call.bucket, call->bucket) && str_eq(again.call.key, call->key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_call fake;
    struct arena *arena = arena_new(ARENA_BYTES);
    fuzz_call_init(&fake, arena, fuzz_input(data, size));
    struct s3_call *call = &fake.call;
    if (s3_target_parse(call) == OK) {
        FUZZ_CHECK(call->key.len <= KEY_MAX_BYTES && str_is_utf8(call->key));
        FUZZ_CHECK(call->query_count <= QUERY_MAX_COUNT);
        check_operation(call);
        if (call->bucket.len > 0) {
            check_again(call, arena);
            check_virtual(call, arena);
        }
    }
    arena_free(arena);
    return 0;
}
