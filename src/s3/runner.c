/* Takes each request through its steps:
 *
 *   on_head → target → operation → claim ─→ lookup (loop, or worker) ─→ verdict → parse
 *     ├─ body → ... → s3_body_done ─┐
 *     └─────────────────────────────┴→ read (loop, or worker) → start ~~ commit ~~→ reply
 *
 * Any step's error goes to fail_call. After the answer, what the body holds is given up; the
 * exchange's arena lives until the HTTP server says that the exchange is over, which it does not
 * before http_reply_send; so everything that a worker or the engine may still touch must end
 * before that: the answer is the last thing. */
#include "s3/runner.h"

#include <assert.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/rand.h"
#include "object/bucket.h"
#include "s3/handlers.h"
#include "s3/ingest.h"
#include "s3/reply.h"

enum {
    SIGNING_KEY_CACHE_ENTRIES = 256,
    RETRY_MAX_COUNT = 3,
    LOOP_CONTENT_MAX = 32 << 10, /* bytes of a document that a loop reads by itself */
};

static void run_start(struct s3_call *call);
static void submit(struct s3_call *call, void (*run)(struct job *job),
                   void (*done)(struct job *job));

/* ---- Answers ---- */

static void reply_now(void *context)
{
    struct s3_call *call = context;
    call->is_replied = true;
    if (call->err != OK)
        s3_reply_error(call, call->err);
    else
        call->operation->handler->reply(call);
}

/* Nothing of the change is there, for certain. After an I/O error it may be: what was written
 * for it is then left to the search for orphans. */
static bool is_refusal(enum err err)
{
    return err == ERR_NO_SPACE || err == ERR_RETRY || err == ERR_UNAVAILABLE ||
           (err != OK && s3_error_status(err) < 500);
}

static void finish_call(struct s3_call *call, enum err err);

static void undo_on_worker(struct job *job)
{
    struct s3_call *call = container_of(job, struct s3_call, job);
    call->operation->handler->undo(call);
}

static void undo_done(struct job *job)
{
    struct s3_call *call = container_of(job, struct s3_call, job);
    finish_call(call, call->err);
}

/* Ends the call. The body's buffers go first: they may be in use by workers, and the arena is
 * not ours after the answer. */
static void finish_call(struct s3_call *call, enum err err)
{
    assert(!call->is_replied);
    const struct s3_handler *handler = call->operation != NULL ? call->operation->handler : NULL;
    call->err = err;
    if (is_refusal(err) && handler != NULL && handler->undo != NULL && call->state != NULL &&
        !call->is_undone) {
        call->is_undone = true;
        submit(call, undo_on_worker, undo_done);
        return;
    }
    if (err != OK && handler != NULL && handler->failed != NULL)
        call->err = handler->failed(call, err);
    s3_ingest_close(call, reply_now);
}

/* ---- Steps that may need a worker ---- */

static void read_done(struct s3_call *call, enum err err)
{
    if (err == ERR_RETRY && call->retries++ < RETRY_MAX_COUNT) {
        run_start(call);
        return;
    }
    if (err != OK || call->operation->handler->start == NULL)
        finish_call(call, err);
    else
        call->operation->handler->start(call);
}

static void read_on_worker(struct job *job)
{
    struct s3_call *call = container_of(job, struct s3_call, job);
    call->err = call->operation->handler->read(call, VIEW_WAIT);
}

static void read_on_worker_done(struct job *job)
{
    struct s3_call *call = container_of(job, struct s3_call, job);
    if (call->err != ERR_WOULD_BLOCK)
        read_done(call, call->err);
    else if (http_is_lost(call->x))
        finish_call(call, ERR_CLOSED); /* nobody waits for the rest of this work */
    else
        submit(call, read_on_worker, read_on_worker_done);
}

static void submit(struct s3_call *call, void (*run)(struct job *job),
                   void (*done)(struct job *job))
{
    call->job = (struct job){.loop = call->s3->options.loop, .run = run, .done = done};
    workers_submit(call->s3->options.workers, &call->job);
}

/* The handler's own work, once the body (if any) is here. */
static void run_start(struct s3_call *call)
{
    const struct s3_handler *handler = call->operation->handler;
    enum err err = OK;
    /* A long document takes milliseconds to understand, in which the loop would serve nobody else. */
    if (handler->read != NULL)
        err = call->content.len > LOOP_CONTENT_MAX ? ERR_WOULD_BLOCK
                                                   : handler->read(call, VIEW_NOWAIT);
    if (err == ERR_WOULD_BLOCK)
        submit(call, read_on_worker, read_on_worker_done);
    else
        read_done(call, err);
}

static void commit_done(struct task *task)
{
    struct s3_call *call = container_of(task, struct s3_call, task);
    enum err err = call->err;
    if (call->ingest != NULL && call->ingest->body != NULL && !is_refusal(err))
        body_keep(call->ingest->body); /* committed, or perhaps */
    if (err == ERR_RETRY && call->retries++ < RETRY_MAX_COUNT)
        run_start(call);
    else
        finish_call(call, err);
}

void s3_call_committed(struct obj_op *op, enum err result)
{
    struct s3_call *call = op->context;
    call->err = result;
    if (result != OK && op->fail.code != OK)
        call->fail = op->fail;
    call->task.run = commit_done;
    loop_post(call->s3->options.loop, &call->task);
}

struct obj_op s3_call_op(struct s3_call *call)
{
    return (struct obj_op){
        .store = call->s3->options.store,
        .arena = call->arena,
        .bucket_id = call->bucket_row.id,
        .done = s3_call_committed,
        .context = call,
    };
}

/* ---- From the head to the body ---- */

void s3_body_done(struct s3_call *call, enum err err)
{
    if (err != OK)
        finish_call(call, err);
    else
        run_start(call);
}

static bool has_body(const struct s3_call *call)
{
    return call->operation->shape == S3_UPLOAD || call->request->is_chunked ||
           (call->request->has_length && call->request->content_length > 0);
}

static enum err check_bucket(struct s3_call *call)
{
    if (call->operation->scope == S3_SERVICE)
        return OK;
    if (call->operation->handler->creates_bucket)
        return bucket_name_check(call->bucket);
    return call->bucket_err;
}

/* The verdict, and what is left to do before the body. */
static enum err admit(struct s3_call *call)
{
    TRY(s3_auth_verify(call));
    if (call->operation->handler == NULL)
        return fail_set(&call->fail, ERR_NOT_IMPLEMENTED, NULL, "%s is not implemented.",
                        call->operation->name);
    if (call->s3->held_bytes > HELD_BYTES_MAX)
        return ERR_OVERLOADED;
    TRY(check_bucket(call));
    if (!call->operation->handler->checksums_are_arguments)
        TRY(s3_integrity_parse(call));
    if (call->operation->handler->parse != NULL)
        TRY(call->operation->handler->parse(call));
    return has_body(call) ? s3_ingest_begin(call) : s3_integrity_check_empty(call);
}

static void lookup_done(struct s3_call *call, enum err err)
{
    if (err == OK)
        err = admit(call);
    if (err != OK)
        finish_call(call, err);
    else if (call->ingest == NULL)
        run_start(call);
}

static void lookup_on_worker(struct job *job)
{
    struct s3_call *call = container_of(job, struct s3_call, job);
    call->err = s3_auth_lookup(call, VIEW_WAIT);
}

static void lookup_on_worker_done(struct job *job)
{
    struct s3_call *call = container_of(job, struct s3_call, job);
    lookup_done(call, call->err);
}

static enum err resolve(struct s3_call *call)
{
    TRY(s3_target_parse(call));
    enum s3_scope scope = call->bucket.len == 0 ? S3_SERVICE
                          : call->key.len == 0  ? S3_BUCKET
                                                : S3_OBJECT;
    call->operation = s3_operation_find(call->request, scope, call->query, call->query_count);
    return call->operation == NULL ? ERR_METHOD_NOT_ALLOWED : OK;
}

/* Unique across restarts and loops, short, and telling nobody how many requests there were. */
static void make_request_id(struct s3_call *call)
{
    uint64_t id = call->s3->id_seed ^ (++call->s3->id_count * UINT64_C(0x9e3779b97f4a7c15));
    static const char digit[] = "0123456789ABCDEF";
    for (size_t i = 0; i < REQUEST_ID_BYTES; i++, id >>= 4)
        call->request_id[i] = digit[id & 15];
}

static struct s3_call *call_new(struct http_service *service, struct http_exchange *x)
{
    struct s3_call *call = arena_new_of(http_arena(x), struct s3_call);
    call->s3 = container_of(service, struct s3_loop, service);
    call->x = x;
    call->request = http_request(x);
    call->arena = http_arena(x);
    make_request_id(call);
    http_set_context(x, call);
    return call;
}

static void on_head(struct http_service *service, struct http_exchange *x)
{
    struct s3_call *call = call_new(service, x);
    enum err err = resolve(call);
    if (err == OK)
        err = s3_auth_parse(call);
    if (err == OK)
        err = s3_auth_lookup(call, VIEW_NOWAIT);
    if (err == ERR_WOULD_BLOCK)
        submit(call, lookup_on_worker, lookup_on_worker_done);
    else
        lookup_done(call, err);
}

static void on_bad_request(struct http_service *service, struct http_exchange *x, enum err err)
{
    struct s3_call *call = call_new(service, x);
    finish_call(call, err);
}

static void on_done(struct http_service *service, struct http_exchange *x,
                    const struct http_outcome *outcome)
{
    struct s3_loop *s3 = container_of(service, struct s3_loop, service);
    struct s3_call *call = http_context(x);
    if (call != NULL)
        s3->held_bytes -= call->held_bytes;
    if (s3->options.observer == NULL || call == NULL)
        return;
    const struct s3_event event = {
        .operation = call->operation != NULL ? call->operation->name : "-",
        .request_id = str_of(call->request_id, REQUEST_ID_BYTES),
        .method = call->request->method,
        .target = call->request->target,
        .peer = http_peer(x),
        .access_key = call->identity.access_key_id,
        .bucket = call->bucket,
        .key = call->key,
        .user_agent = s3_header(call, "user-agent"),
        .error_code = call->error_code,
        .err = call->err,
        .detail = str_from(call->fail.detail),
        .outcome = outcome,
    };
    s3->options.observer->seen(s3->options.observer, &event);
}

/* ---- The service ---- */

struct http_service *s3_service_new(const struct s3_options *options)
{
    struct s3_loop *s3 = mem_new(struct s3_loop);
    s3->service = (struct http_service){
        .on_head = on_head, .on_bad_request = on_bad_request, .on_done = on_done};
    s3->options = *options;
    s3->signing_keys = sigv4_cache_new(SIGNING_KEY_CACHE_ENTRIES);
    s3->id_seed = rand_u64();
    return &s3->service;
}

void s3_service_free(struct http_service *service)
{
    if (service == NULL)
        return;
    struct s3_loop *s3 = container_of(service, struct s3_loop, service);
    sigv4_cache_free(s3->signing_keys);
    mem_free(s3);
}

/* ---- For handlers ---- */

str s3_query(const struct s3_call *call, const char *name)
{
    const struct pair *found = pair_find(call->query, call->query_count, str_from(name));
    return found == NULL ? (str){0} : found->value;
}

bool s3_has_query(const struct s3_call *call, const char *name)
{
    return pair_find(call->query, call->query_count, str_from(name)) != NULL;
}

str s3_header(const struct s3_call *call, const char *name)
{
    return http_header(call->request, str_from(name));
}

enum err s3_bad_argument(struct s3_call *call, const char *name, const char *why, str value)
{
    (void)value;
    return fail_set(&call->fail, ERR_BAD_ARGUMENT, name, "%s", why);
}

void s3_call_hold(struct s3_call *call, uint64_t bytes)
{
    call->held_bytes += bytes;
    call->s3->held_bytes += bytes;
}

void s3_error_detail(struct s3_call *call, const char *name, str value)
{
    if (call->detail_count < S3_DETAIL_MAX_COUNT)
        call->detail[call->detail_count++] = (struct pair){.name = str_from(name), .value = value};
}

void s3_error_detail_u64(struct s3_call *call, const char *name, uint64_t value)
{
    s3_error_detail(call, name, arena_printf(call->arena, "%llu", (unsigned long long)value));
}

str s3_call_owner(const struct s3_call *call)
{
    if (call->identity.kind != IDENTITY_ANONYMOUS)
        return call->identity.canonical_id;
    if (call->bucket_row.owner.len > 0)
        return call->bucket_row.owner;
    return users_root_canonical_id(call->s3->options.users);
}
