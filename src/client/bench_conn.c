#include "client/bench_conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    /* Reads or writes of one connection before the others of the thread have their turn. */
    TURN_CALLS = 32,
    /* Replies that need not be looked at are read in pieces of this size until their length is known: enough for a small
     * object with its head, little to copy of a large one. */
    FIRST_READ = 16 * 1024,
    /* Below this, reading costs less than asking the kernel to drop. */
    DROP_MIN = 32 * 1024,
};

static void on_ready(struct watch *watch, uint32_t events);
static void on_resume(struct task *task);

void bench_conn_init(struct bench_conn *conn, struct bench_shared *shared, void *owner)
{
    *conn = (struct bench_conn){.shared = shared,
                                .owner = owner,
                                .state = BENCH_CONN_CLOSED,
                                .net.watch.fd = -1,
                                .resume.run = on_resume};
    list_init(&conn->link);
    buf_init(&conn->head, BENCH_HEAD_REQUEST_MAX);
    bench_response_init(&conn->response);
}

void bench_conn_release(struct bench_conn *conn)
{
    if (conn->state != BENCH_CONN_CLOSED)
        conn_close(conn->shared->loop, &conn->net);
    buf_release(&conn->head);
    bench_response_release(&conn->response);
}

/* ---- Outcomes ---- */

static struct bench_op_stats *op_stats(struct bench_conn *conn)
{
    return &conn->shared->stats->op[conn->choice.op];
}

/* The request is over, well or not; comes before it is recorded. */
static void note_end(struct bench_conn *conn)
{
    if (conn->has_request && conn->is_counted)
        conn->shared->stats->last_us = clock_mono_us();
}

static void record_success(struct bench_conn *conn)
{
    struct bench_op_stats *stats = op_stats(conn);
    conn->shared->stats->requests++;
    if (!conn->is_counted)
        return;
    bench_histogram_add(&stats->latency, (uint64_t)(conn->shared->stats->last_us - conn->due_us));
    stats->bytes += conn->choice.op == BENCH_PUT ? conn->body_size : conn->received;
    stats->keys += conn->keys.value;
}

/* Keeps the first failure: what was asked, what became of it, and what the server said. */
static void sample(struct bench_conn *conn, const char *outcome, str said)
{
    enum { SAID_MAX = 300 };
    const char *op = bench_op_name(conn->choice.op).ptr;
    int said_len = said.len < SAID_MAX ? (int)said.len : SAID_MAX;
    if (bench_op_has_key(conn->choice.op))
        bench_stats_sample(conn->shared->stats, "%s of key %llu: %s%.*s", op,
                           (unsigned long long)conn->choice.index, outcome, said_len, said.ptr);
    else
        bench_stats_sample(conn->shared->stats, "%s: %s%.*s", op, outcome, said_len, said.ptr);
}

static void sample_status(struct bench_conn *conn, str said)
{
    char outcome[32];
    (void)snprintf(outcome, sizeof(outcome), "HTTP %d%s", conn->response.status,
                   said.len ? ": " : "");
    sample(conn, outcome, said);
}

/* Failures count during the warm-up too: a load that fails is not a load that was asked for. */
static void record_cause(struct bench_conn *conn, enum bench_cause cause)
{
    struct bench_stats *stats = conn->shared->stats;
    stats->cause[cause]++;
    if (!conn->has_request) {
        bench_stats_sample(stats, "%s", bench_cause_words(cause));
        return;
    }
    op_stats(conn)->failures++;
    sample(conn, bench_cause_words(cause), STR(""));
}

static void record_status(struct bench_conn *conn)
{
    struct bench_stats *stats = conn->shared->stats;
    sample_status(conn, STR("")); /* unless a body has said more */
    stats->requests++;
    stats->status[conn->response.status]++;
    op_stats(conn)->failures++;
}

/* Preparation wants a bucket, new or not; clean-up leaves alone what holds other things, or is gone already. */
static bool is_welcome(const struct bench_conn *conn)
{
    int status = conn->response.status;
    return (status >= 200 && status < 300) ||
           (conn->choice.op == BENCH_MAKE_BUCKET && status == 409) ||
           (conn->choice.op == BENCH_DROP_BUCKET && (status == 404 || status == 409));
}

/* A reply that is complete but does not say what was put. */
static bool is_wrong(const struct bench_conn *conn)
{
    const struct bench_options *options = conn->shared->options;
    uint64_t size = bench_key_size(options, conn->choice.index);
    if (!options->verify)
        return false;
    if (conn->choice.op == BENCH_GET)
        return conn->is_mismatch || conn->received != size;
    return conn->choice.op == BENCH_HEAD && conn->response.length != size;
}

/* ---- Ends ---- */

static void close_and_tell(struct bench_conn *conn)
{
    conn_close(conn->shared->loop, &conn->net);
    conn->state = BENCH_CONN_CLOSED;
    conn->shared->closed(conn);
}

static void drop_request(struct bench_conn *conn)
{
    conn->shared->busy_count -= conn->has_request;
    conn->has_request = false;
}

static void give_up(struct bench_conn *conn, enum bench_cause cause)
{
    note_end(conn);
    record_cause(conn, cause);
    drop_request(conn);
    close_and_tell(conn);
}

/* The connection ended before the reply was complete. */
static void lose(struct bench_conn *conn)
{
    if (conn->state == BENCH_CONN_CONNECTING) {
        give_up(conn, BENCH_CAUSE_CONNECT);
        return;
    }
    bool may_retry = conn->was_used && !conn->is_retry && !conn->response.has_begun;
    if (conn->has_request && !may_retry) {
        give_up(conn, BENCH_CAUSE_CLOSED);
        return;
    }
    conn->is_retry = conn->has_request;
    conn->shared->stats->reconnects++;
    close_and_tell(conn);
}

static void finish(struct bench_conn *conn)
{
    bool sent_all = conn->head_sent == conn->head.len && conn->body_sent == conn->body_size;
    bool keeps = conn->response.keep_alive && sent_all;
    note_end(conn);
    if (!is_welcome(conn))
        record_status(conn);
    else if (is_wrong(conn))
        record_cause(conn, BENCH_CAUSE_MISMATCH);
    else
        record_success(conn);
    drop_request(conn);
    conn->was_used = true;
    if (!keeps) {
        close_and_tell(conn);
        return;
    }
    conn->state = BENCH_CONN_IDLE;
    conn->shared->idle(conn);
}

/* ---- Receiving ---- */

/* Whether the rest of the body may go unread. */
static bool is_uninteresting(const struct bench_conn *conn)
{
    if (conn->choice.op == BENCH_LIST)
        return conn->keys.is_done;
    return conn->choice.op == BENCH_GET && !conn->shared->options->verify;
}

static void look_at(struct bench_conn *conn, str body)
{
    if (!is_welcome(conn)) {
        if (body.len)
            sample_status(conn, body);
    } else if (conn->choice.op == BENCH_LIST) {
        bench_key_count_feed(&conn->keys, body);
    } else if (conn->choice.op == BENCH_GET && conn->shared->options->verify) {
        if (!bench_content_matches(conn->shared->content, conn->choice.index, conn->received, body))
            conn->is_mismatch = true;
    }
    conn->received += body.len;
}

/* Feeds what was read. Bytes behind the end of the reply are an answer that nobody asked for. */
static enum err feed(struct bench_conn *conn, str input)
{
    while (input.len) {
        size_t used;
        str body;
        if (conn->response.state == BENCH_RESPONSE_DONE)
            return ERR_BAD_INPUT;
        TRY(bench_response_feed(&conn->response, input, &used, &body));
        look_at(conn, body);
        input = str_skip(input, used);
    }
    return OK;
}

/* Drops body bytes unseen when there are enough of them; false when reading is better. */
static bool try_drop(struct bench_conn *conn, enum err *out_err)
{
    uint64_t left = bench_response_skippable(&conn->response);
    if (left < DROP_MIN || !is_uninteresting(conn) || !is_welcome(conn))
        return false;
    size_t dropped = 0;
    size_t size = left < BENCH_SCRATCH_SIZE ? (size_t)left : BENCH_SCRATCH_SIZE;
    *out_err = conn_discard(&conn->net, conn->shared->scratch, size, &dropped);
    bench_response_skip(&conn->response, dropped);
    conn->received += dropped;
    return true;
}

static enum err receive(struct bench_conn *conn)
{
    enum err err;
    if (try_drop(conn, &err))
        return err;
    size_t size = is_uninteresting(conn) ? FIRST_READ : BENCH_SCRATCH_SIZE, got;
    TRY(conn_read(&conn->net, conn->shared->scratch, size, &got));
    return feed(conn, str_of(conn->shared->scratch, got));
}

/* ---- Sending ---- */

/* The next bytes to send: the rest of the head with the body's first stretch behind it. */
static int fill_pieces(const struct bench_conn *conn, struct iovec piece[2])
{
    int count = 0;
    if (conn->head_sent < conn->head.len)
        piece[count++] =
            (struct iovec){conn->head.ptr + conn->head_sent, conn->head.len - conn->head_sent};
    if (conn->body_sent < conn->body_size) {
        str body = bench_content_at(conn->shared->content, conn->choice.index, conn->body_sent,
                                    conn->body_size - conn->body_sent);
        piece[count++] = (struct iovec){(void *)(uintptr_t)body.ptr, body.len};
    }
    return count;
}

static enum err send_some(struct bench_conn *conn)
{
    struct iovec piece[2];
    int count = fill_pieces(conn, piece);
    size_t sent;
    TRY(conn_write(&conn->net, piece, count, false, &sent));
    size_t head_left = conn->head.len - conn->head_sent;
    size_t of_head = sent < head_left ? sent : head_left;
    conn->head_sent += of_head;
    conn->body_sent += sent - of_head;
    return OK;
}

static bool has_to_send(const struct bench_conn *conn)
{
    return conn->head_sent < conn->head.len || conn->body_sent < conn->body_size;
}

/* ---- Progress ---- */

/* What an error of receiving means. */
static void handle_receive_error(struct bench_conn *conn, enum err err)
{
    bool is_end = err == ERR_CLOSED || err == ERR_IO;
    if (!is_end)
        give_up(conn, BENCH_CAUSE_MALFORMED);
    else if (err == ERR_CLOSED && bench_response_end(&conn->response) == OK)
        finish(conn);
    else
        lose(conn);
}

static void post_resume(struct bench_conn *conn)
{
    if (conn->resume_posted)
        return;
    conn->resume_posted = true;
    loop_post(conn->shared->loop, &conn->resume);
}

/* Sends and receives until neither goes on. A refused write is no error yet: the server may have answered and closed. */
static void advance(struct bench_conn *conn)
{
    for (int calls = 0; calls < TURN_CALLS; calls++) {
        enum err err = ERR_WOULD_BLOCK;
        if (has_to_send(conn) && conn->net.is_writable && !conn->net.is_broken)
            err = send_some(conn);
        if (err != OK && conn->net.is_readable) {
            err = receive(conn);
            if (err == OK && conn->response.state == BENCH_RESPONSE_DONE) {
                finish(conn);
                return;
            }
            if (err != OK && err != ERR_WOULD_BLOCK) {
                handle_receive_error(conn, err);
                return;
            }
        }
        if (err != OK)
            return;
        conn->progress_us = loop_now_us(conn->shared->loop);
    }
    post_resume(conn);
}

static void on_resume(struct task *task)
{
    struct bench_conn *conn = container_of(task, struct bench_conn, resume);
    conn->resume_posted = false;
    if (conn->state == BENCH_CONN_BUSY)
        advance(conn);
    else if (conn->state == BENCH_CONN_CONNECTING && conn->net.is_broken)
        lose(conn);
}

static void begin_exchange(struct bench_conn *conn)
{
    conn->state = BENCH_CONN_BUSY;
    conn->head_sent = 0;
    conn->body_sent = 0;
    conn->received = 0;
    conn->is_mismatch = false;
    conn->keys = (struct bench_key_count){0};
    conn->progress_us = loop_now_us(conn->shared->loop);
    bench_response_begin(&conn->response, conn->choice.op == BENCH_HEAD);
    /* Whatever stood in the socket is gone: the reply comes with an event. Trying to read now would only cost a call. */
    conn->net.is_readable = conn->net.is_peer_done;
    advance(conn);
}

void bench_conn_request(struct bench_conn *conn, struct bench_choice choice, int64_t due_us,
                        bool is_counted)
{
    assert(conn->state == BENCH_CONN_IDLE);
    conn->has_request = true;
    conn->shared->busy_count++;
    conn->is_retry = false;
    conn->is_counted = is_counted;
    conn->choice = choice;
    conn->due_us = due_us;
    conn->body_size = bench_body_size(conn->shared->options, choice);
    buf_clear(&conn->head);
    if (bench_maker_head(conn->shared->maker, choice, conn->shared->now_ms, &conn->head) != OK) {
        give_up(conn, BENCH_CAUSE_LOCAL);
        return;
    }
    begin_exchange(conn);
}

/* ---- Connecting ---- */

static enum err start_connecting(struct bench_conn *conn)
{
    const struct bench_shared *shared = conn->shared;
    int fd = socket(shared->address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_from_errno(errno);
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)shared->address, shared->address_len) != 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return ERR_UNAVAILABLE;
    }
    TRY(conn_open(&conn->net, fd, NULL, on_ready));
    return conn_watch(shared->loop, &conn->net);
}

void bench_conn_open(struct bench_conn *conn)
{
    assert(conn->state == BENCH_CONN_CLOSED);
    conn->state = BENCH_CONN_CONNECTING;
    conn->progress_us = clock_mono_us();
    conn->was_used = false;
    if (start_connecting(conn) == OK)
        return;
    conn->net.is_broken = true;
    post_resume(conn); /* so that the owner is not called from within its own call */
}

static void on_connected(struct bench_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(conn->net.watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        lose(conn);
        return;
    }
    if (conn->has_request) {
        begin_exchange(conn);
        return;
    }
    conn->state = BENCH_CONN_IDLE;
    conn->shared->idle(conn);
}

/* The event may be an old one, of bytes that were read with the last reply. Anything else ends the connection: the server
 * has closed it, or says something unasked. */
static void check_idle(struct bench_conn *conn)
{
    size_t got;
    if (conn->net.is_readable &&
        conn_read(&conn->net, conn->shared->scratch, 1, &got) != ERR_WOULD_BLOCK)
        lose(conn);
}

static void on_ready(struct watch *watch, uint32_t events)
{
    struct bench_conn *conn = container_of(watch, struct bench_conn, net.watch);
    conn_note(&conn->net, events);
    if (conn->state == BENCH_CONN_CONNECTING)
        on_connected(conn);
    else if (conn->state == BENCH_CONN_BUSY)
        advance(conn);
    else if (conn->state == BENCH_CONN_IDLE)
        check_idle(conn);
}

void bench_conn_expire(struct bench_conn *conn, int64_t before_us)
{
    bool is_waiting = conn->state == BENCH_CONN_CONNECTING || conn->state == BENCH_CONN_BUSY;
    if (is_waiting && conn->progress_us < before_us)
        give_up(conn, BENCH_CAUSE_TIMEOUT);
}
