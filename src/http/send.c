/* The reply's way out: head and body pieces together, as much as the socket takes, then wait for more room. */
#include "http/http_int.h"

#include <assert.h>

#include "base/clock.h"

/* ---- Pieces ---- */

static bool is_piece_empty(const struct http_piece *piece)
{
    return piece->bytes.len == 0 && piece->file_length == 0;
}

/* Asks the source for the next piece. STEP_WAIT: not there yet. A head that is unsent waits with it: they leave together. */
static enum step next_piece(struct http_connection *c, struct http_exchange *x)
{
    struct reply *reply = &x->reply;
    if (reply->is_source_pending)
        return STEP_WAIT;
    reply->is_source_pending =
        true; /* http_source_ready, perhaps from inside the call, takes it back */
    struct http_piece piece = {0};
    enum err err = reply->source->next(reply->source, &piece);
    if (err == ERR_PENDING)
        return reply->is_source_pending ? STEP_WAIT : STEP_AGAIN;
    reply->is_source_pending = false;
    if (err != OK)
        return connection_break(c);
    assert(!is_piece_empty(&piece));
    assert(piece.bytes.len <= reply->body_left &&
           piece.file_length <= reply->body_left - piece.bytes.len);
    reply->piece = piece;
    reply->is_piece_old = false;
    return STEP_AGAIN;
}

bool reply_may_park(const struct http_exchange *x)
{
    const struct reply *reply = &x->reply;
    return reply->source != NULL && reply->source->park != NULL && reply->piece.bytes.len > 0 &&
           reply->piece.file_length == 0 && !x->connection->conn.is_writable;
}

void reply_park(struct reply *reply)
{
    if (!reply->is_piece_old) {
        reply->is_piece_old = true;
        return;
    }
    size_t unsent = reply->piece.bytes.len;
    reply->piece = (struct http_piece){0};
    reply->source->park(reply->source, unsent);
}

/* ---- Writing ---- */

static void note_sent(struct http_connection *c, size_t len)
{
    c->progress_us = loop_now_us(c->server->loop);
    connection_spend(c, len);
}

static struct iovec iovec_of(str s)
{
    return (struct iovec){(void *)(uintptr_t)s.ptr, s.len};
}

/* Counts `len` sent bytes off the head first, then off the piece. */
static void drop_sent(struct http_exchange *x, size_t len)
{
    struct reply *reply = &x->reply;
    size_t head_left = reply->head_len - reply->head_sent;
    size_t of_head = len < head_left ? len : head_left;
    reply->head_sent += of_head;
    if (reply->first_byte_us == 0)
        reply->first_byte_us = clock_mono_us();
    size_t of_body = len - of_head;
    reply->piece.bytes = str_skip(reply->piece.bytes, of_body);
    reply->body_left -= of_body;
    reply->body_sent += of_body;
}

static enum err write_bytes(struct http_connection *c, struct http_exchange *x)
{
    struct reply *reply = &x->reply;
    struct iovec piece[2];
    int count = 0;
    if (reply->head_sent < reply->head_len)
        piece[count++] =
            iovec_of(str_of(reply->head + reply->head_sent, reply->head_len - reply->head_sent));
    if (reply->piece.bytes.len > 0)
        piece[count++] = iovec_of(reply->piece.bytes);
    bool is_more = reply->piece.file_length > 0;
    size_t len;
    TRY(conn_write(&c->conn, piece, count, is_more, &len));
    drop_sent(x, len);
    note_sent(c, len);
    return OK;
}

static enum err write_file(struct http_connection *c, struct http_exchange *x)
{
    struct http_piece *piece = &x->reply.piece;
    uint64_t wanted = piece->file_length < c->budget_bytes ? piece->file_length : c->budget_bytes;
    size_t len;
    TRY(conn_write_file(&c->conn, piece->fd, piece->file_offset, wanted, &len));
    piece->file_offset += len;
    piece->file_length -= len;
    x->reply.body_left -= len;
    x->reply.body_sent += len;
    note_sent(c, len);
    return OK;
}

static enum step send_some(struct http_connection *c, struct http_exchange *x)
{
    struct reply *reply = &x->reply;
    /* First of all: nothing is fetched, nor a parked piece again, for a client that does not read. */
    if (!c->conn.is_writable)
        return c->is_expired ? connection_break(c) : STEP_WAIT;
    if (reply->body_left > 0 && is_piece_empty(&reply->piece)) {
        enum step step = next_piece(c, x);
        if (step != STEP_AGAIN || is_piece_empty(&reply->piece))
            return step;
    }
    if (!connection_may_go_on(c))
        return STEP_WAIT;
    bool is_file = reply->head_sent == reply->head_len && reply->piece.bytes.len == 0;
    enum err err = is_file ? write_file(c, x) : write_bytes(c, x);
    if (err != OK && err != ERR_WOULD_BLOCK)
        return connection_break(c);
    return STEP_AGAIN;
}

/* ---- The end of a reply ---- */

static bool must_close(const struct http_connection *c, const struct http_exchange *x)
{
    if (x->reply.must_close || x->is_bad || x->is_body_broken || !x->request.keep_alive)
        return true;
    if (c->server->is_draining)
        return true;
    /* A client that was not told to continue may send its body or the next request: nobody can tell (RFC 9110 10.1.1). Where
     * there is no body, it is the AWS CLI that cannot: after a refusal it misreads the next answer. */
    if (x->request.expects_continue && !x->is_continue_done)
        return true;
    if (c->frame.is_complete)
        return false;
    return !c->frame.is_chunked && c->frame.left > c->server->limits.drain_max_bytes;
}

/* What the client has sent, or may be sending, and nobody will read. */
static bool has_unread_input(const struct http_connection *c, bool is_bad)
{
    return is_bad || !c->frame.is_complete || c->input.len > 0 || c->conn.is_readable;
}

static enum step finish_reply(struct http_connection *c, struct http_exchange *x)
{
    bool is_closing = x->reply.must_close;
    bool is_unread = has_unread_input(c, x->is_bad || x->is_body_broken);
    exchange_end(x);
    c->discarded_bytes = 0;
    if (is_closing) {
        if (!is_unread)
            return STEP_CLOSE;
        conn_finish_writing(&c->conn);
        connection_load_input(c);
        c->phase = PHASE_LINGER;
    } else if (c->frame.is_complete) {
        c->head_started_us = c->progress_us;
        c->phase = PHASE_HEAD;
    } else {
        c->frame.chunked.trailer = NULL; /* it was in the exchange's arena */
        connection_measure_rate(c);
        c->phase = PHASE_DRAIN;
    }
    return STEP_AGAIN;
}

enum step reply_step(struct http_connection *c)
{
    struct http_exchange *x = c->x;
    struct reply *reply = &x->reply;
    if (c->conn.is_broken)
        return connection_break(c);
    if (!reply->is_sealed)
        reply_seal(x, must_close(c, x));
    if (reply->head_sent == reply->head_len && reply->body_left == 0)
        return finish_reply(c, x);
    return send_some(c, x);
}

void http_source_ready(struct http_exchange *x)
{
    x->reply.is_source_pending = false;
    x->connection->progress_us = loop_now_us(x->connection->server->loop);
    connection_wake(x->connection);
}
