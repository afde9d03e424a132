/* Private to src/admin: one request of the admin API on its way, and the table of routes. */
#pragma once

#include "admin/service.h"
#include "base/hash.h"
#include "codec/json.h"
#include "iam/sigv4.h"

struct admin {
    struct http_service service;
    struct admin_options options;
    int64_t started_ms;
};

enum { ADMIN_BODY_MAX_BYTES = 64 * 1024, ADMIN_REPLY_MAX_BYTES = 64 << 20 };

/* Lives in the exchange's arena. Touched by one thread at a time: the loop, or the worker that runs the handler. */
struct admin_call {
    struct admin *admin;
    struct http_exchange *x;
    const struct admin_route *route;
    struct arena *arena;
    str argument; /* what stands for the pattern's '*', decoded; else empty */

    struct sigv4 sig;
    bool is_authenticated;
    struct http_sink sink;
    struct buf body;
    const struct json_value *input; /* the body, of a route that takes one */

    int status;               /* of the reply; 200 unless the handler says otherwise */
    const char *content_type; /* JSON unless the handler says otherwise */
    struct buf reply;
    struct json_writer json; /* over reply, begun */
    struct fail fail;
    enum err err;
    struct job job;
};

enum route_flags {
    ROUTE_OPEN = 1 << 0,          /* no authentication */
    ROUTE_BODY = 1 << 1,          /* takes a JSON object */
    ROUTE_BODY_OPTIONAL = 1 << 2, /* may take one, which the handler reads itself */
};

struct admin_route {
    const char *method;
    const char *pattern; /* ends with "/" and '*' when one name follows */
    enum route_flags flags;
    enum err (*run)(struct admin_call *call); /* worker */
};

/* The row for this request. ERR_NOT_FOUND; ERR_METHOD_NOT_ALLOWED, with the methods that are in *out_allowed (in the arena);
 * ERR_BAD_URI. Sets *out_argument. */
enum err route_find(const struct http_request *request, struct arena *arena,
                    const struct admin_route **out_route, str *out_argument, str *out_allowed);

/* Whether the request is root's. The body is not looked at: admin_check_payload does that when it is there. Loop. */
enum err admin_authenticate(struct admin_call *call);
enum err admin_check_payload(struct admin_call *call);

/* The status that tells of this error. */
int admin_status_of(enum err err);

/* A member of the input that is a text; empty when absent. ERR_BAD_ARGUMENT when it is something else. */
enum err admin_input_text(struct admin_call *call, const char *name, str *out);
/* ERR_BAD_ARGUMENT when the input has a member that is not in this list (ends with null). */
enum err admin_input_only(struct admin_call *call, const char *const *name);
/* The value of a query parameter; empty when absent. */
enum err admin_query(struct admin_call *call, const char *name, str *out);

/* Handlers. */
enum err admin_run_users_list(struct admin_call *call);
enum err admin_run_user_create(struct admin_call *call);
enum err admin_run_user_remove(struct admin_call *call);
enum err admin_run_keys_list(struct admin_call *call);
enum err admin_run_key_create(struct admin_call *call);
enum err admin_run_key_revoke(struct admin_call *call);
enum err admin_run_info(struct admin_call *call);
enum err admin_run_settings(struct admin_call *call);
enum err admin_run_reload(struct admin_call *call);
enum err admin_run_metrics(struct admin_call *call);
enum err admin_run_jobs_list(struct admin_call *call);
enum err admin_run_job_show(struct admin_call *call);
enum err admin_run_job_start(struct admin_call *call);
enum err admin_run_job_cancel(struct admin_call *call);
