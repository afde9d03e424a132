/* Which bucket and key a request names: virtual-host style (bucket.domain) or path style
 * (/bucket/key), always from the raw target, decoded once. */
#include "codec/url.h"
#include "object/bucket.h"
#include "object/types.h"
#include "s3/runner.h"

enum { QUERY_MAX_COUNT = 100 };

static str without_port(str host)
{
    if (host.len > 0 && host.ptr[host.len - 1] == ']')
        return host;
    for (size_t i = host.len; i > 0; i--) {
        if (host.ptr[i - 1] == ':')
            return str_slice(host, 0, i - 1);
        if (host.ptr[i - 1] < '0' || host.ptr[i - 1] > '9')
            break;
    }
    return host;
}

/* "photos" of "photos.s3.example.com" where s3.example.com is a domain of ours. */
static bool host_bucket(const struct s3_call *call, str *out_bucket)
{
    const struct s3_settings *settings = call->s3->options.settings;
    str host = without_port(call->request->host);
    for (size_t i = 0; i < settings->domain_count; i++) {
        str domain = settings->domain[i];
        if (host.len <= domain.len + 1)
            continue;
        size_t split = host.len - domain.len;
        if (host.ptr[split - 1] == '.' && str_eq_nocase(str_skip(host, split), domain)) {
            /* Host names have no case; bucket names are lower-case. */
            *out_bucket = arena_lower(call->arena, str_slice(host, 0, split - 1));
            return true;
        }
    }
    return false;
}

static enum err decode_key(struct s3_call *call, str raw)
{
    TRY(url_decode(call->arena, raw, false, &call->key));
    if (!str_is_utf8(call->key))
        return ERR_BAD_URI;
    return call->key.len > KEY_MAX_BYTES ? ERR_KEY_TOO_LONG : OK;
}

enum err s3_target_parse(struct s3_call *call)
{
    str path = call->request->path;
    if (str_eq(path, STR("*")))
        return ERR_METHOD_NOT_ALLOWED;
    if (path.len == 0 || path.ptr[0] != '/')
        return ERR_BAD_URI;
    path = str_skip(path, 1);
    enum err err = url_parse_query(call->arena, call->request->query, QUERY_MAX_COUNT, &call->query,
                                   &call->query_count);
    if (err != OK)
        return ERR_BAD_URI;
    if (host_bucket(call, &call->bucket))
        return decode_key(call, path);
    str raw_bucket, raw_key;
    (void)str_cut(path, '/', &raw_bucket, &raw_key);
    TRY(url_decode(call->arena, raw_bucket, false, &call->bucket));
    return decode_key(call, raw_key);
}
