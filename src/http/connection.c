/* Connections: their run, their input, their time, their end. The phases' steps are in steps.c, body.c and send.c. */
#include "http/http_int.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

/* ---- The run ---- */

static enum step (*const phase_step[PHASE_COUNT])(struct http_connection *c) = {
    [PHASE_HEAD] = head_step,   [PHASE_SERVICE] = service_step, [PHASE_REPLY] = reply_step,
    [PHASE_DRAIN] = drain_step, [PHASE_LINGER] = linger_step,   [PHASE_LOST] = lost_step,
};

static void connection_close(struct http_connection *c);
static void set_deadline(struct http_connection *c);

static void stash_input(struct http_connection *c)
{
    if (c->stash != NULL || c->input.len == 0)
        return;
    c->stash = mem_alloc(c->input.len);
    memcpy(c->stash, c->input.ptr, c->input.len);
}

/* A new connection is watched only when it first has to wait: one that sends its request with the connection and closes
 * after the answer never is. */
static bool is_watched(struct http_connection *c)
{
    return c->phase == PHASE_LOST || conn_watch(c->server->loop, &c->conn) == OK;
}

static void run(struct http_connection *c)
{
    assert(!c->is_running && !c->is_closed);
    c->is_running = true;
    c->budget_bytes = RUN_BUDGET_BYTES;
    enum step step;
    do {
        step = phase_step[c->phase](c);
        if (step == STEP_WAIT && !is_watched(c))
            step = connection_break(c);
    } while (step == STEP_AGAIN);
    c->is_running = false;
    c->is_expired = false;
    if (step == STEP_CLOSE) {
        connection_close(c);
        return;
    }
    stash_input(c);
    set_deadline(c);
}

static void wake_run(struct task *task)
{
    struct http_connection *c = container_of(task, struct http_connection, wake);
    c->is_wake_posted = false;
    if (c->is_closed)
        mem_free(c); /* it was closed while the task was on its way */
    else
        run(c);
}

static void post_wake(struct http_connection *c)
{
    if (c->is_wake_posted)
        return;
    c->is_wake_posted = true;
    loop_post(c->server->loop, &c->wake);
}

/* Not run here even when it could be: the caller is the service, and a run may end the exchange that it holds. */
void connection_wake(struct http_connection *c)
{
    if (!c->is_running)
        post_wake(c);
}

static void connection_ready(struct watch *watch, uint32_t events)
{
    struct http_connection *c = container_of(watch, struct http_connection, conn.watch);
    conn_note(&c->conn, events);
    run(c);
}

/* ---- Life ---- */

static void expire(struct timer *timer);

void connection_open(struct http_server *server, int fd, struct tls_context *tls,
                     const struct peer *peer)
{
    struct http_connection *c = mem_new(struct http_connection);
    c->server = server;
    c->peer = *peer;
    c->is_tls = tls != NULL;
    c->wake.run = wake_run;
    c->progress_us = loop_now_us(server->loop);
    timer_init(&c->timer, expire);
    if (conn_open(&c->conn, fd, tls, connection_ready) != OK) {
        mem_free(c);
        server_uncount(server);
        return;
    }
    server_add(server, c);
    run(c); /* the request is often here already */
}

static void connection_close(struct http_connection *c)
{
    assert(c->x == NULL && !c->is_running);
    struct loop *loop = c->server->loop;
    timer_cancel(loop, &c->timer);
    if (c->conn.watch.fd >= 0)
        conn_close(loop, &c->conn);
    mem_free(c->stash);
    c->stash = NULL;
    c->is_closed = true;
    server_remove(c->server, c);
    if (!c->is_wake_posted)
        mem_free(c);
}

static bool connection_is_idle(const struct http_connection *c)
{
    return c->phase == PHASE_HEAD && c->input.len == 0;
}

void connection_abort(struct http_connection *c)
{
    struct http_exchange *x = c->x;
    if (x != NULL) {
        x->is_lost = true;
        struct http_sink *sink = x->sink;
        x->sink = NULL;
        if (sink != NULL)
            sink->fail(sink, ERR_CANCELLED);
        exchange_end(x);
    }
    c->is_wake_posted = false; /* the loop does not run any more, so neither will the task */
    connection_close(c);
}

void connection_drain(struct http_connection *c)
{
    assert(!c->is_running);
    if (connection_is_idle(c)) {
        connection_close(c);
    } else if (c->phase == PHASE_HEAD || c->phase == PHASE_DRAIN) {
        c->conn.is_readable = true; /* the rest may have come: that is found out by reading */
        post_wake(c);
    }
}

/* ---- Input ---- */

void connection_load_input(struct http_connection *c)
{
    assert(c->is_running);
    if (c->stash == NULL)
        return;
    char *scratch = c->server->scratch;
    assert(c->input.len <= c->server->scratch_size);
    memcpy(scratch, c->stash, c->input.len);
    mem_free(c->stash);
    c->stash = NULL;
    c->input.ptr = scratch;
}

void connection_consume(struct http_connection *c, size_t len)
{
    assert(c->stash == NULL);
    c->input = str_skip(c->input, len);
}

void connection_spend(struct http_connection *c, size_t bytes)
{
    c->budget_bytes -= bytes < c->budget_bytes ? bytes : c->budget_bytes;
}

bool connection_may_go_on(struct http_connection *c)
{
    if (c->budget_bytes > 0)
        return true;
    post_wake(c);
    return false;
}

/* Where the next bytes go: behind the input, which is moved to the front when it stands in the way. */
static char *make_room(struct http_connection *c, size_t size)
{
    char *scratch = c->server->scratch;
    size_t scratch_size = c->server->scratch_size;
    assert(c->input.len + size <= scratch_size);
    if (c->input.len == 0) {
        c->input.ptr = scratch;
        return scratch;
    }
    size_t offset = (size_t)(c->input.ptr - scratch);
    if (offset + c->input.len + size > scratch_size) {
        memmove(scratch, c->input.ptr, c->input.len);
        c->input.ptr = scratch;
        offset = 0;
    }
    return scratch + offset + c->input.len;
}

static void note_bytes(struct http_connection *c, size_t len)
{
    c->rate_bytes += len;
    c->progress_us = loop_now_us(c->server->loop);
    connection_spend(c, len);
}

static bool may_read(struct http_connection *c)
{
    return c->conn.is_readable && connection_may_go_on(c);
}

enum err connection_fill_at(struct http_connection *c, char *dst, size_t size, size_t *out_len)
{
    assert(c->stash == NULL && c->input.len == 0);
    if (!may_read(c))
        return ERR_WOULD_BLOCK;
    TRY(conn_read(&c->conn, dst, size, out_len));
    note_bytes(c, *out_len);
    return OK;
}

enum err connection_fill(struct http_connection *c, size_t size)
{
    assert(c->stash == NULL);
    if (!may_read(c))
        return ERR_WOULD_BLOCK;
    char *room = make_room(c, size);
    size_t len;
    TRY(conn_read(&c->conn, room, size, &len));
    c->input.len += len;
    note_bytes(c, len);
    return OK;
}

/* ---- Time ---- */

void connection_measure_rate(struct http_connection *c)
{
    c->progress_us = c->rate_since_us = loop_now_us(c->server->loop);
    c->rate_bytes = 0;
}

/* When it is next asked whether enough of a body has come. */
static int64_t rate_deadline(const struct http_connection *c)
{
    const struct http_limits *limits = &c->server->limits;
    return limits->body_min_rate ? c->rate_since_us + limits->body_rate_window_ms * 1000
                                 : INT64_MAX;
}

/* Silence is told by the first of the two, a body that comes in drops by the second. */
static int64_t body_deadline(const struct http_connection *c)
{
    int64_t silent_us = c->progress_us + c->server->limits.body_timeout_ms * 1000;
    int64_t rate_us = rate_deadline(c);
    return rate_us < silent_us ? rate_us : silent_us;
}

bool connection_is_slow(struct http_connection *c)
{
    const struct http_limits *limits = &c->server->limits;
    if (!c->is_expired || c->conn.is_readable)
        return false;
    int64_t now_us = loop_now_us(c->server->loop);
    if (now_us >= c->progress_us + limits->body_timeout_ms * 1000)
        return true;
    if (now_us < rate_deadline(c))
        return false;
    if (c->rate_bytes * 1000 / (uint64_t)limits->body_rate_window_ms < limits->body_min_rate)
        return true;
    c->is_expired = false;
    c->rate_since_us = now_us;
    c->rate_bytes = 0;
    return false;
}

/* What the connection waits for decides how long: nothing is held against a client that waits for the service. */
static int64_t deadline(const struct http_connection *c)
{
    const struct http_limits *limits = &c->server->limits;
    const struct http_exchange *x = c->x;
    switch (c->phase) {
    case PHASE_HEAD:
        if (c->input.len == 0)
            return c->progress_us + limits->idle_timeout_ms * 1000;
        return c->head_started_us + limits->head_timeout_ms * 1000;
    case PHASE_SERVICE: {
        bool waits_for_client = x->interim.len > 0 || (x->sink != NULL && !x->is_sink_full);
        return waits_for_client ? body_deadline(c) : INT64_MAX;
    }
    case PHASE_REPLY:
        if (x->reply.is_source_pending)
            return INT64_MAX;
        return c->progress_us + limits->body_timeout_ms * 1000;
    case PHASE_DRAIN:
        return body_deadline(c);
    case PHASE_LINGER:
        return c->progress_us + LINGER_MS * 1000;
    case PHASE_LOST:
    case PHASE_COUNT:
        break;
    }
    return INT64_MAX;
}

static bool may_park(const struct http_connection *c)
{
    return c->phase == PHASE_REPLY && reply_may_park(c->x);
}

/* The timer is only ever moved to an earlier time here; a later deadline is found when it fires. So a connection that
 * serves one request after the other leaves the heap alone. */
static void set_timer(struct http_connection *c)
{
    int64_t at_us = c->deadline_us;
    if (may_park(c)) {
        int64_t look_us = loop_now_us(c->server->loop) + PARK_MS * 1000;
        at_us = look_us < at_us ? look_us : at_us;
    }
    if (at_us == INT64_MAX)
        return;
    if (c->timer.slot == SIZE_MAX || c->timer.at_us > at_us)
        timer_set(c->server->loop, &c->timer, at_us);
}

static void set_deadline(struct http_connection *c)
{
    c->deadline_us = deadline(c);
    set_timer(c);
}

static void expire(struct timer *timer)
{
    struct http_connection *c = container_of(timer, struct http_connection, timer);
    if (loop_now_us(c->server->loop) >= c->deadline_us) {
        c->is_expired = true;
        run(c);
        return;
    }
    if (may_park(c))
        reply_park(&c->x->reply);
    set_timer(c);
}
