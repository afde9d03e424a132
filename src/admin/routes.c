/* The admin API's table of routes, and how a request finds its row. */
#include <string.h>

#include "admin/admin_int.h"
#include "codec/url.h"

static const struct admin_route route_table[] = {
    {"GET", "/metrics", ROUTE_OPEN, admin_run_metrics},
    {"GET", "/admin/v1/info", 0, admin_run_info},
    {"GET", "/admin/v1/settings", 0, admin_run_settings},
    {"POST", "/admin/v1/reload", 0, admin_run_reload},
    {"GET", "/admin/v1/users", 0, admin_run_users_list},
    {"POST", "/admin/v1/users", ROUTE_BODY, admin_run_user_create},
    {"DELETE", "/admin/v1/users/*", 0, admin_run_user_remove},
    {"GET", "/admin/v1/keys", 0, admin_run_keys_list},
    {"POST", "/admin/v1/keys", ROUTE_BODY, admin_run_key_create},
    {"DELETE", "/admin/v1/keys/*", 0, admin_run_key_revoke},
    {"GET", "/admin/v1/jobs", 0, admin_run_jobs_list},
    {"GET", "/admin/v1/jobs/*", 0, admin_run_job_show},
    {"POST", "/admin/v1/jobs/*", ROUTE_BODY_OPTIONAL, admin_run_job_start},
    {"DELETE", "/admin/v1/jobs/*", 0, admin_run_job_cancel},
};
enum { ROUTE_COUNT = sizeof(route_table) / sizeof(route_table[0]) };

/* *out_name is what stands for the '*'. */
static bool path_matches(const char *pattern, str path, str *out_name)
{
    str fixed = str_from(pattern);
    *out_name = STR("");
    if (!str_has_suffix(fixed, STR("*")))
        return str_eq(fixed, path);
    fixed.len--;
    if (!str_has_prefix(path, fixed) || path.len == fixed.len)
        return false;
    *out_name = str_skip(path, fixed.len);
    return str_find_char(*out_name, '/') < 0;
}

static bool method_matches(const struct admin_route *route, str method)
{
    if (str_eq(method, str_from(route->method)))
        return true;
    return str_eq(method, STR("HEAD")) && strcmp(route->method, "GET") == 0;
}

enum err route_find(const struct http_request *request, struct arena *arena,
                    const struct admin_route **out_route, str *out_argument, str *out_allowed)
{
    str allowed = STR(""), name;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct admin_route *route = &route_table[i];
        if (!path_matches(route->pattern, request->path, &name))
            continue;
        if (method_matches(route, request->method)) {
            *out_route = route;
            return url_decode(arena, name, false, out_argument);
        }
        allowed = arena_printf(arena, "%.*s%s%s", STR_ARG(allowed), allowed.len ? ", " : "",
                               route->method);
    }
    if (!allowed.len)
        return ERR_NOT_FOUND;
    *out_allowed = allowed;
    return ERR_METHOD_NOT_ALLOWED;
}
