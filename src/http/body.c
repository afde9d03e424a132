/* The body's way in: from the socket through the framing into the service's sink. */
#include "http/http_int.h"

#include <assert.h>

#include "base/mem.h"

/* ---- Framing ---- */

void frame_begin(struct body_frame *frame, const struct http_request *request)
{
    *frame = (struct body_frame){
        .is_chunked = request->is_chunked,
        .is_complete = !request->is_chunked && request->content_length == 0,
        .left = request->content_length,
    };
}

enum err frame_next(struct body_frame *frame, str in, size_t *out_framing, str *out_data)
{
    if (!frame->is_chunked) {
        *out_framing = 0;
        *out_data = str_slice(in, 0, in.len < frame->left ? in.len : (size_t)frame->left);
        return OK;
    }
    TRY(chunked_next(&frame->chunked, in, out_framing, out_data));
    frame->is_complete = chunked_is_done(&frame->chunked);
    return OK;
}

void frame_take(struct body_frame *frame, size_t len)
{
    if (frame->is_chunked) {
        chunked_take(&frame->chunked, len);
        return;
    }
    frame->left -= len;
    frame->is_complete = frame->left == 0;
}

/* ---- Into the sink ---- */

static enum step end_body(struct http_exchange *x)
{
    struct http_sink *sink = x->sink;
    x->sink = NULL;
    x->connection->is_expired = false; /* it was in time after all */
    sink->end(sink);
    return STEP_AGAIN;
}

/* The framing, the client's end or its slowness: the rest of the body cannot be found, so the connection ends with the
 * reply. */
static enum step fail_body(struct http_exchange *x, enum err err)
{
    struct http_sink *sink = x->sink;
    x->sink = NULL;
    x->is_body_broken = true;
    sink->fail(sink, err);
    return STEP_AGAIN;
}

/* The trailer section's fields, for http_trailers. */
static enum err parse_trailer(struct http_connection *c, struct http_exchange *x)
{
    if (!c->frame.is_chunked || c->frame.chunked.trailer_bytes == 0)
        return OK;
    str lines = chunked_trailer(&c->frame.chunked);
    size_t count_max = c->server->limits.header_max_count;
    struct pair *trailer = arena_alloc(x->arena, mem_size_mul(count_max, sizeof(*trailer)));
    TRY(http_fields_parse(lines, trailer, count_max, &x->trailer_count));
    x->trailer = trailer;
    return OK;
}

/* Offers what has been received. Sets *out_is_empty when there is nothing left to offer. */
static enum step offer(struct http_connection *c, struct http_exchange *x, bool *out_is_empty)
{
    size_t framing;
    str data;
    if (frame_next(&c->frame, c->input, &framing, &data) != OK)
        return fail_body(x, ERR_BAD_CHUNK);
    connection_consume(c, framing);
    *out_is_empty = data.len == 0;
    if (c->frame.is_complete && parse_trailer(c, x) != OK)
        return fail_body(x, ERR_BAD_CHUNK);
    if (data.len == 0)
        return STEP_AGAIN;
    size_t taken = x->sink->write(x->sink, data);
    assert(taken <= data.len);
    connection_consume(c, taken);
    frame_take(&c->frame, taken);
    x->body_in_bytes += taken;
    if (taken < data.len) {
        x->is_sink_full = true;
        x->body_read_bytes = BODY_READ_MIN_BYTES;
    }
    return STEP_AGAIN;
}

static size_t read_size(const struct http_connection *c, const struct http_exchange *x)
{
    size_t size = x->body_read_bytes;
    if (!c->frame.is_chunked && c->frame.left + BODY_READ_AHEAD_BYTES < size)
        size = (size_t)c->frame.left + BODY_READ_AHEAD_BYTES;
    return size;
}

/* Where the sink wants the next bytes; null when they are to be offered. Not for the last ones, with which the next head may come. */
static char *room_in_sink(struct http_connection *c, struct http_exchange *x, size_t *out_len)
{
    if (x->sink->room == NULL || c->frame.is_chunked || c->input.len > 0 ||
        c->frame.left < BODY_READ_BYTES)
        return NULL;
    char *room = x->sink->room(x->sink, out_len);
    size_t most =
        c->frame.left < BODY_READ_DIRECT_BYTES ? (size_t)c->frame.left : BODY_READ_DIRECT_BYTES;
    if (*out_len > most)
        *out_len = most;
    return room;
}

static enum err fill_sink(struct http_connection *c, struct http_exchange *x, char *room,
                          size_t size)
{
    size_t len;
    TRY(connection_fill_at(c, room, size, &len));
    frame_take(&c->frame, len);
    x->body_in_bytes += len;
    x->sink->took(x->sink, len);
    return OK;
}

static enum err fill_input(struct http_connection *c, struct http_exchange *x)
{
    size_t size = read_size(c, x);
    TRY(connection_fill(c, size));
    if (c->input.len == size && x->body_read_bytes < BODY_READ_MAX_BYTES)
        x->body_read_bytes *= 2;
    return OK;
}

static enum step receive(struct http_connection *c, struct http_exchange *x)
{
    size_t size = 0;
    char *room = room_in_sink(c, x, &size);
    enum err err = room != NULL ? fill_sink(c, x, room, size) : fill_input(c, x);
    if (err == OK)
        return STEP_AGAIN;
    if (err == ERR_WOULD_BLOCK)
        return connection_is_slow(c) ? fail_body(x, ERR_SLOW_CLIENT) : STEP_WAIT;
    if (err == ERR_CLOSED)
        return fail_body(x, ERR_SHORT_BODY);
    return connection_break(c);
}

static enum step body_step(struct http_connection *c, struct http_exchange *x)
{
    if (c->frame.is_complete)
        return end_body(x);
    if (x->is_sink_full)
        return STEP_WAIT;
    connection_load_input(c);
    bool is_empty = false;
    enum step step = offer(c, x, &is_empty);
    if (x->sink == NULL || !is_empty || c->frame.is_complete)
        return step;
    return receive(c, x);
}

/* ---- 100 Continue ---- */

static enum step send_interim(struct http_connection *c, struct http_exchange *x)
{
    while (x->interim.len > 0) {
        if (!c->conn.is_writable)
            return c->is_expired ? connection_break(c) : STEP_WAIT;
        struct iovec piece = {(char *)(uintptr_t)x->interim.ptr, x->interim.len};
        size_t len;
        enum err err = conn_write(&c->conn, &piece, 1, false, &len);
        if (err == ERR_WOULD_BLOCK)
            continue;
        if (err != OK)
            return connection_break(c);
        x->interim = str_skip(x->interim, len);
    }
    return STEP_AGAIN;
}

/* ---- SERVICE ---- */

enum step service_step(struct http_connection *c)
{
    struct http_exchange *x = c->x;
    if (c->conn.is_broken)
        return connection_break(c);
    if (x->interim.len > 0) {
        enum step step = send_interim(c, x);
        if (step != STEP_AGAIN || c->phase != PHASE_SERVICE)
            return step;
    }
    if (x->reply.is_sent) {
        c->phase = PHASE_REPLY;
        return STEP_AGAIN;
    }
    return x->sink == NULL ? STEP_WAIT : body_step(c, x);
}

/* ---- Calls of the service ---- */

void http_body_read(struct http_exchange *x, struct http_sink *sink)
{
    assert(!x->is_body_asked && !x->reply.is_sent && !x->is_bad);
    struct http_connection *c = x->connection;
    x->is_body_asked = true;
    x->sink = sink;
    x->body_read_bytes = BODY_READ_BYTES;
    if (c->frame.is_chunked)
        c->frame.chunked.trailer = arena_alloc(x->arena, CHUNKED_TRAILER_MAX);
    /* RFC 9110 10.1.1: not needed when the body has begun to come. Before an empty body it is said all the same: the AWS
     * CLI takes any other first answer for a refusal, and misreads the next one on that connection. */
    if (x->request.expects_continue && c->input.len == 0 && !x->is_lost)
        x->interim = STR("HTTP/1.1 100 Continue\r\n\r\n");
    x->is_continue_done = true;
    connection_measure_rate(c);
    connection_wake(c);
}

const struct pair *http_trailers(const struct http_exchange *x, size_t *out_count)
{
    *out_count = x->trailer_count;
    return x->trailer;
}

void http_body_resume(struct http_exchange *x)
{
    x->is_sink_full = false;
    connection_measure_rate(x->connection);
    connection_wake(x->connection);
}
