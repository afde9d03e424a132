/* bench_conn: one connection of the load generator and the request that it carries. It knows how to connect, send, read a
 * reply and record the outcome; which request comes next, and when to connect again, is its owner's business.
 *
 *   CLOSED ── bench_conn_open ── CONNECTING ──┬── idle() ── IDLE ── bench_conn_request ── BUSY ──┬── idle()
 *      ▲                                      └── (a request is to be repeated) ───────────┘     │
 *      └── closed() ◄── refused, reset, malformed, time-out, Connection: close ──────────────────┘
 *
 * A server may end a kept connection while a request is on its way (RFC 9112, 9.3.1). If no byte of a reply had come, the
 * request is repeated once on a new connection; that is counted as a reconnect, and the time it takes is in the latency.
 *
 * All on the loop's thread. */
#pragma once

#include <sys/socket.h>

#include "client/bench_key_count.h"
#include "client/bench_request.h"
#include "client/bench_response.h"
#include "client/bench_stats.h"
#include "net/conn.h"

struct bench_conn;

enum { BENCH_SCRATCH_SIZE = 256 * 1024 };

/* What the connections of a thread share. Borrowed by them. */
struct bench_shared {
    const struct bench_options *options;
    const struct bench_content *content;
    const struct sockaddr_storage *address;
    socklen_t address_len;
    struct loop *loop;
    struct bench_maker *maker;
    struct bench_stats *stats;
    char *scratch;     /* BENCH_SCRATCH_SIZE bytes that replies are read into */
    int64_t now_ms;    /* wall clock, to sign by; kept fresh to the second by the owner */
    size_t busy_count; /* connections with an unanswered request; kept by bench_conn */
    void (*idle)(struct bench_conn *conn); /* ready for a request; may call bench_conn_request */
    void (*closed)(
        struct bench_conn
            *conn); /* may call bench_conn_open, and has to when a request is to be repeated */
};

enum bench_conn_state {
    BENCH_CONN_CLOSED,
    BENCH_CONN_CONNECTING,
    BENCH_CONN_IDLE,
    BENCH_CONN_BUSY,
};

struct bench_conn {
    struct bench_shared *shared;
    void *owner;      /* the owner's own */
    struct list link; /* the owner's own */
    enum bench_conn_state state;
    bool was_used; /* since it was opened it has carried a whole exchange */

    /* internal */
    struct conn net;
    struct task resume; /* goes on when a turn's share is used up */
    bool resume_posted;
    bool has_request;
    bool is_counted; /* not of the warm-up */
    bool is_retry;
    bool is_mismatch;
    struct bench_choice choice;
    int64_t due_us, progress_us;
    struct buf head;
    size_t head_sent;
    uint64_t body_size, body_sent, received;
    struct bench_response response;
    struct bench_key_count keys;
};

void bench_conn_init(struct bench_conn *conn, struct bench_shared *shared, void *owner);
void bench_conn_release(struct bench_conn *conn); /* closes without a word to the owner */

/* From CLOSED. Later idle() or closed() is called, never before this returns. */
void bench_conn_open(struct bench_conn *conn);

/* From IDLE. Latency is counted from due_us, a monotonic time that may lie in the past. */
void bench_conn_request(struct bench_conn *conn, struct bench_choice choice, int64_t due_us,
                        bool is_counted);

/* Ends a connection that has made no progress since before_us while something was expected of it. */
void bench_conn_expire(struct bench_conn *conn, int64_t before_us);

/* Whether a request is unanswered; at closed(): to be repeated on a new connection. */
static inline bool bench_conn_has_request(const struct bench_conn *conn)
{
    return conn->has_request;
}
