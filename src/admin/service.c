/* The way of a request through the admin API:
 *
 *   head ── health? ── route ── signature ──┬── body (at most 64 KiB) ──┬── handler on a worker ── reply
 *                                           └───────────────────────────┘
 *
 * A refused request costs no body, and an unsigned one no worker. */
#include "admin/service.h"

#include <assert.h>

#include "admin/admin_int.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/url.h"

enum { QUERY_MAX_COUNT = 20 };

/* ---- Reply ---- */

int admin_status_of(enum err err)
{
    static const struct {
        enum err err;
        int status;
    } row[] = {
        {OK, 200},
        {ERR_NOT_FOUND, 404},
        {ERR_NO_SUCH_USER, 404},
        {ERR_NO_SUCH_ACCESS_KEY, 404},
        {ERR_METHOD_NOT_ALLOWED, 405},
        {ERR_BUSY, 409},
        {ERR_EXISTS, 409},
        {ERR_USER_EXISTS, 409},
        {ERR_USER_HAS_BUCKETS, 409},
        {ERR_TOO_LARGE, 413},
        {ERR_HEAD_TOO_LARGE, 431},
        {ERR_BAD_ARGUMENT, 400},
        {ERR_BAD_INPUT, 400},
        {ERR_BAD_REQUEST, 400},
        {ERR_BAD_URI, 400},
        {ERR_BAD_HEADER, 400},
        {ERR_MISSING_HEADER, 400},
        {ERR_MISSING_BODY, 400},
        {ERR_SHORT_BODY, 400},
        {ERR_BAD_CHUNK, 400},
        {ERR_PAYLOAD_MISMATCH, 400},
        {ERR_BAD_PAYLOAD_HASH, 400},
        {ERR_BAD_AUTH_HEADER, 400},
        {ERR_BAD_AUTH_QUERY, 400},
        {ERR_SIGNATURE_VERSION, 400},
        {ERR_SLOW_CLIENT, 408},
        {ERR_ACCESS_DENIED, 403},
        {ERR_SIGNATURE_MISMATCH, 403},
        {ERR_CLOCK_SKEW, 403},
        {ERR_UNSIGNED_HEADER, 403},
        {ERR_NOT_IMPLEMENTED, 501},
        {ERR_NO_SPACE, 507},
        {ERR_READ_ONLY, 503},
        {ERR_UNAVAILABLE, 503},
        {ERR_OVERLOADED, 503},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (row[i].err == err)
            return row[i].status;
    return 500;
}

static void write_error(struct admin_call *call)
{
    struct json_writer *w = &call->json;
    buf_clear(&call->reply);
    json_begin(w, &call->reply);
    json_open_object(w, NULL);
    json_open_object(w, "error");
    json_text(w, "code", str_from(err_name(call->err)));
    json_text(w, "message", str_from(err_fact(call->err)));
    if (call->fail.detail[0])
        json_text(w, "detail", str_from(call->fail.detail));
    if (call->fail.field[0])
        json_text(w, "field", str_from(call->fail.field));
    json_close(w);
    json_close(w);
    call->content_type = "application/json";
}

/* An access key that is not there is a missing page for root, but a refusal to a stranger. */
static int status_of(const struct admin_call *call)
{
    if (call->err == OK)
        return call->status;
    if (call->err == ERR_NO_SUCH_ACCESS_KEY && !call->is_authenticated)
        return 403;
    return admin_status_of(call->err);
}

static void log_fault(const struct admin_call *call, int status)
{
    const struct http_request *request = http_request(call->x);
    log_event(LOG_ERROR, "admin", err_fact(call->err), LOG_STR("method", request->method),
              LOG_STR("path", request->path), LOG_STR("detail", str_from(call->fail.detail)),
              LOG_I64("status", status));
}

static void reply(struct admin_call *call)
{
    if (call->err == OK)
        call->err = buf_err(&call->reply);
    if (call->err != OK)
        write_error(call);
    int status = status_of(call);
    if (status >= 500 && status != 501)
        log_fault(call, status);
    /* For people at a terminal, where a page does not end its last line itself. */
    if (call->reply.len && !str_has_suffix(buf_str(&call->reply), STR("\n")))
        buf_append_char(&call->reply, '\n');
    http_reply_begin(call->x, status);
    http_reply_header(call->x, "Content-Type", str_from(call->content_type));
    http_reply_header(call->x, "Cache-Control", STR("no-store"));
    http_reply_header(call->x, "X-Content-Type-Options", STR("nosniff"));
    if (call->err == ERR_METHOD_NOT_ALLOWED)
        http_reply_header(call->x, "Allow", call->argument);
    http_reply_body(call->x, buf_str(&call->reply));
    http_reply_send(call->x);
}

static void reply_error(struct admin_call *call, enum err err)
{
    call->err = err;
    reply(call);
}

/* ---- The handler, on a worker ---- */

static enum err parse_input(struct admin_call *call)
{
    if (!(call->route->flags & ROUTE_BODY))
        return OK;
    if (call->body.len == 0)
        return ERR_MISSING_BODY;
    struct json_value *root;
    TRY(json_parse(call->arena, buf_str(&call->body), &root, &call->fail));
    if (root->kind != JSON_KIND_OBJECT)
        return fail_set(&call->fail, ERR_BAD_INPUT, NULL, "the body must be a JSON object");
    call->input = root;
    return OK;
}

static void run_handler(struct job *job)
{
    struct admin_call *call = container_of(job, struct admin_call, job);
    call->err = parse_input(call);
    if (call->err == OK)
        call->err = call->route->run(call);
}

static void handler_done(struct job *job)
{
    reply(container_of(job, struct admin_call, job));
}

static void submit(struct admin_call *call)
{
    call->job =
        (struct job){.loop = call->admin->options.loop, .run = run_handler, .done = handler_done};
    workers_submit(call->admin->options.workers, &call->job);
}

/* ---- The body ---- */

static size_t take_body(struct http_sink *sink, str data)
{
    struct admin_call *call = container_of(sink, struct admin_call, sink);
    buf_append(&call->body,
               data); /* past the cap the failure sticks, and the rest is thrown away */
    return data.len;
}

static void body_complete(struct http_sink *sink)
{
    struct admin_call *call = container_of(sink, struct admin_call, sink);
    enum err err = buf_err(&call->body);
    if (err == OK)
        err = admin_check_payload(call);
    if (err != OK)
        reply_error(call, err);
    else
        submit(call);
}

static void body_failed(struct http_sink *sink, enum err err)
{
    reply_error(container_of(sink, struct admin_call, sink), err);
}

/* ---- The head ---- */

static void release_call(void *context)
{
    struct admin_call *call = context;
    buf_release(&call->body);
    buf_release(&call->reply);
}

static struct admin_call *call_new(struct http_service *service, struct http_exchange *x)
{
    struct admin_call *call = arena_new_of(http_arena(x), struct admin_call);
    call->admin = container_of(service, struct admin, service);
    call->x = x;
    call->arena = http_arena(x);
    call->status = 200;
    call->content_type = "application/json";
    call->sink = (struct http_sink){.write = take_body, .end = body_complete, .fail = body_failed};
    buf_init(&call->body, ADMIN_BODY_MAX_BYTES);
    buf_init(&call->reply, ADMIN_REPLY_MAX_BYTES);
    json_begin(&call->json, &call->reply);
    arena_on_reset(call->arena, release_call, call);
    http_set_context(x, call);
    return call;
}

static enum err admit(struct admin_call *call)
{
    const struct http_request *request = http_request(call->x);
    str allowed = STR("");
    enum err err = route_find(request, call->arena, &call->route, &call->argument, &allowed);
    if (err == ERR_METHOD_NOT_ALLOWED)
        call->argument = allowed;
    if (err != OK)
        return err;
    if (!(call->route->flags & ROUTE_OPEN))
        TRY(admin_authenticate(call));
    if (request->content_length > ADMIN_BODY_MAX_BYTES)
        return fail_set(&call->fail, ERR_TOO_LARGE, NULL, "a body may have at most %d bytes",
                        (int)ADMIN_BODY_MAX_BYTES);
    return OK;
}

static void on_head(struct http_service *service, struct http_exchange *x)
{
    struct admin *admin = container_of(service, struct admin, service);
    if (health_try(x, admin->options.health))
        return;
    struct admin_call *call = call_new(service, x);
    enum err err = admit(call);
    const struct http_request *request = http_request(x);
    bool has_body = request->is_chunked || request->content_length > 0;
    if (err != OK)
        reply_error(call, err);
    else if (has_body && !(call->route->flags & ROUTE_OPEN))
        http_body_read(x, &call->sink);
    else
        submit(call);
}

static void on_bad_request(struct http_service *service, struct http_exchange *x, enum err err)
{
    reply_error(call_new(service, x), err);
}

static void on_done(struct http_service *service, struct http_exchange *x,
                    const struct http_outcome *outcome)
{
    (void)service;
    (void)x;
    (void)outcome;
}

/* ---- What handlers ask for ---- */

enum err admin_input_text(struct admin_call *call, const char *name, str *out)
{
    const struct json_value *value = json_member(call->input, name);
    *out = STR("");
    if (!value || value->kind == JSON_KIND_NULL)
        return OK;
    if (value->kind != JSON_KIND_TEXT)
        return fail_set(&call->fail, ERR_BAD_ARGUMENT, name, "\"%s\" must be a text", name);
    *out = value->text;
    return OK;
}

static bool is_listed(str name, const char *const *listed)
{
    for (; *listed; listed++)
        if (str_eq(name, str_from(*listed)))
            return true;
    return false;
}

enum err admin_input_only(struct admin_call *call, const char *const *name)
{
    for (const struct json_value *member = call->input->child; member; member = member->next)
        if (!is_listed(member->name, name))
            return fail_set(&call->fail, ERR_BAD_ARGUMENT, NULL, "there is no member \"%.*s\"",
                            STR_ARG(member->name));
    return OK;
}

enum err admin_query(struct admin_call *call, const char *name, str *out)
{
    struct pair *pair;
    size_t count;
    TRY(url_parse_query(call->arena, http_request(call->x)->query, QUERY_MAX_COUNT, &pair, &count));
    const struct pair *found = pair_find(pair, count, str_from(name));
    *out = found ? found->value : STR("");
    return OK;
}

/* ---- Life ---- */

struct http_service *admin_service_new(const struct admin_options *options)
{
    struct admin *admin = mem_new(struct admin);
    admin->options = *options;
    admin->started_ms = clock_real_ms();
    admin->service = (struct http_service){
        .on_head = on_head, .on_bad_request = on_bad_request, .on_done = on_done};
    return &admin->service;
}

void admin_service_free(struct http_service *service)
{
    if (service)
        mem_free(container_of(service, struct admin, service));
}
