/* The steps from a head to an exchange, and those that end a connection. */
#include "http/http_int.h"

#include <assert.h>
#include <string.h>

/* ---- HEAD: between requests, or inside a head ---- */

/* The head's own copy in the arena: its strings live as long as the exchange. */
static enum err parse_head(struct http_connection *c, struct http_exchange *x, size_t head_end)
{
    const struct http_limits *limits = &c->server->limits;
    str head = str_slice(c->input, c->scan.start, head_end);
    if (head.len > limits->head_max_bytes || c->scan.line_count - 1 > limits->header_max_count)
        return ERR_HEAD_TOO_LARGE;
    char *copy = arena_alloc(x->arena, head.len);
    memcpy(copy, head.ptr, head.len);
    size_t count = c->scan.line_count - 1; /* without the request line */
    struct pair *header = arena_alloc(x->arena, (count + 1) * sizeof(*header));
    struct http_request request;
    TRY(http_head_parse(str_of(copy, head.len), header, count, &request));
    request.is_tls = c->is_tls;
    request.received_us = loop_now_us(c->server->loop);
    x->request = request;
    return OK;
}

static struct http_exchange *begin_exchange(struct http_connection *c)
{
    connection_spend(c, REQUEST_COST_BYTES);
    c->x = exchange_new(c);
    c->phase = PHASE_SERVICE;
    return c->x;
}

enum step connection_refuse(struct http_connection *c, enum err err)
{
    struct http_exchange *x = c->x != NULL ? c->x : begin_exchange(c);
    struct http_service *service = c->server->service;
    x->is_bad = true;
    c->is_expired = false;
    x->request.received_us = loop_now_us(c->server->loop);
    service->on_bad_request(service, x, err);
    return STEP_AGAIN;
}

static enum step serve(struct http_connection *c, size_t head_end)
{
    struct http_exchange *x = begin_exchange(c);
    enum err err = parse_head(c, x, head_end);
    connection_consume(c, head_end);
    c->scan = (struct http_head_scan){0};
    if (err != OK)
        return connection_refuse(c, err);
    frame_begin(&c->frame, &x->request);
    struct http_service *service = c->server->service;
    service->on_head(service, x);
    return STEP_AGAIN;
}

/* Nothing was sent, or nobody is there to read an answer: then the connection just ends. So it does with a part of a head when
 * the server ends: nothing of that request was done. */
static enum step end_of_head(const struct http_connection *c, enum err err)
{
    bool is_over = c->server->is_draining && !c->conn.is_readable;
    return err == ERR_WOULD_BLOCK && !is_over ? STEP_WAIT : STEP_CLOSE;
}

enum step head_step(struct http_connection *c)
{
    if (c->input.len == 0 && (c->is_expired || c->server->is_draining))
        return STEP_CLOSE;
    if (!connection_may_go_on(c))
        return STEP_WAIT;
    connection_load_input(c);
    if (c->input.len > 0) {
        size_t head_end;
        enum err err = http_head_scan(&c->scan, c->input, &head_end);
        if (err == OK)
            return serve(c, head_end);
        size_t len = c->input.len - c->scan.start;
        if (err == ERR_PENDING && len > c->server->limits.head_max_bytes)
            err = ERR_HEAD_TOO_LARGE;
        else if (err == ERR_PENDING && c->is_expired)
            err = ERR_SLOW_CLIENT;
        if (err != ERR_PENDING)
            return connection_refuse(c, err);
    }
    bool is_first = c->input.len == 0;
    enum err err = connection_fill(c, HEAD_READ_BYTES);
    if (err != OK)
        return end_of_head(c, err);
    if (is_first)
        c->head_started_us = c->progress_us;
    return STEP_AGAIN;
}

/* ---- LOST: the peer is gone, the service still owes its reply ---- */

enum step connection_break(struct http_connection *c)
{
    if (c->x == NULL)
        return STEP_CLOSE;
    if (c->x->reply.is_sent) {
        exchange_end(c->x);
        return STEP_CLOSE;
    }
    conn_close(c->server->loop, &c->conn);
    connection_load_input(c);
    c->input.len = 0;
    c->x->is_lost = true;
    c->phase = PHASE_LOST;
    return STEP_AGAIN;
}

enum step lost_step(struct http_connection *c)
{
    struct http_exchange *x = c->x;
    if (x->reply.is_sent) {
        exchange_end(x);
        return STEP_CLOSE;
    }
    struct http_sink *sink = x->sink;
    if (sink == NULL)
        return STEP_WAIT;
    x->sink = NULL;
    sink->fail(sink, ERR_SHORT_BODY);
    return STEP_AGAIN;
}

/* ---- DRAIN and LINGER: reading what nobody wants ---- */

/* The client is told that no more is read, and may still read its answer. */
static enum step begin_linger(struct http_connection *c)
{
    conn_finish_writing(&c->conn);
    c->progress_us = loop_now_us(c->server->loop);
    c->phase = PHASE_LINGER;
    return STEP_AGAIN;
}

/* Reads past a body that the service did not want, so that the connection can serve the next request. */
enum step drain_step(struct http_connection *c)
{
    size_t limit = c->server->limits.drain_max_bytes;
    connection_load_input(c);
    if (c->server->is_draining)
        return begin_linger(c);
    while (!c->frame.is_complete) {
        size_t framing;
        str data;
        if (frame_next(&c->frame, c->input, &framing, &data) != OK)
            return STEP_CLOSE;
        frame_take(&c->frame, data.len);
        connection_consume(c, framing + data.len);
        c->discarded_bytes += framing + data.len;
        if (c->discarded_bytes > limit)
            return begin_linger(c);
        if (c->frame.is_complete || framing + data.len > 0)
            continue;
        enum err err = connection_fill(c, BODY_READ_BYTES);
        if (err == ERR_WOULD_BLOCK && !connection_is_slow(c))
            return STEP_WAIT;
        if (err != OK)
            return STEP_CLOSE;
    }
    c->discarded_bytes = 0;
    c->phase = PHASE_HEAD;
    c->head_started_us = c->progress_us;
    return STEP_AGAIN;
}

/* A close with unread input makes the kernel send a reset, which can overtake the answer: so it is read for a while. */
enum step linger_step(struct http_connection *c)
{
    c->input.len = 0;
    while (!c->is_expired && !c->conn.is_broken && c->discarded_bytes < LINGER_MAX_BYTES) {
        if (!c->conn.is_readable || !connection_may_go_on(c))
            return STEP_WAIT;
        size_t len;
        enum err err = conn_discard(&c->conn, c->server->scratch, c->server->scratch_size, &len);
        if (err == ERR_WOULD_BLOCK)
            return STEP_WAIT;
        if (err != OK)
            break;
        c->discarded_bytes += len;
        connection_spend(c, len);
    }
    return STEP_CLOSE;
}
