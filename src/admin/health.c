#include "admin/health.h"

static const struct {
    str path;
    bool is_liveness;
} health_path[] = {
    {STR_INIT("/health"), false},
    {STR_INIT("/health/live"), true},
    {STR_INIT("/health/ready"), false},
    {STR_INIT("/minio/health/live"), true},
    {STR_INIT("/minio/health/ready"), false},
};

static bool asks_for_health(const struct http_request *request, bool *out_is_liveness)
{
    if (request->has_query || http_has_header(request, STR("Authorization")))
        return false;
    if (!str_eq(request->method, STR("GET")) && !str_eq(request->method, STR("HEAD")))
        return false;
    for (size_t i = 0; i < sizeof(health_path) / sizeof(health_path[0]); i++) {
        if (!str_eq(request->path, health_path[i].path))
            continue;
        *out_is_liveness = health_path[i].is_liveness;
        return true;
    }
    return false;
}

bool health_try(struct http_exchange *x, const struct health *health)
{
    bool is_liveness;
    if (!asks_for_health(http_request(x), &is_liveness))
        return false;
    bool is_draining = atomic_load(&health->is_draining);
    http_reply_begin(x, is_draining && !is_liveness ? 503 : 200);
    http_reply_header(x, "Content-Type", STR("text/plain; charset=utf-8"));
    http_reply_header(x, "Cache-Control", STR("no-store"));
    if (is_draining)
        http_reply_body(x, STR("draining\n"));
    else if (atomic_load(&health->is_read_only))
        http_reply_body(x, STR("read-only\n"));
    else
        http_reply_body(x, STR("ok\n"));
    http_reply_send(x);
    return true;
}
