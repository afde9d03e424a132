/* What the files of the server share: the connection and its exchange.
 *
 * A connection is a machine of phases. connection_run steps it until it must wait; whatever happens (an event, a timer, a
 * call of the service) only leaves a note and has it run. Runs are never nested: a call of the service from inside a run
 * is seen when the callback returns, one from outside posts the connection's task.
 *
 *   HEAD ── a head is complete ──> SERVICE ── http_reply_send ──> REPLY ──┬─ keep-alive, body read ──────────────> HEAD
 *     │                               │                                   ├─ keep-alive, body left ──> DRAIN ────> HEAD
 *     │                          connection lost                          └─ close ──> LINGER ──> closed
 *     └─ closed, idle too long        └──> LOST ── http_reply_send ──> closed
 *
 * Invariants
 *  1. x is null in HEAD, DRAIN and LINGER, and not null in SERVICE, REPLY and LOST.
 *  2. `input` points into the server's scratch during a run only; what is left of it at the end of the run is copied into
 *     `stash`. At most one of the two holds bytes, so an idle connection owns no buffer.
 *  3. The sink is set from http_body_read until its end or fail, or until the reply is sent; nobody calls it after that.
 *  4. The source is closed exactly once.
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "event/loop.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/server.h"
#include "net/conn.h"
#include "net/peer.h"

enum {
    /* One read of a head: enough for nearly every request with its small body; also what a client can make one connection
     * keep by sending ahead. */
    HEAD_READ_BYTES = 32 * 1024,
    /* Reads of a body begin here, double up to the maximum while the sink takes everything, and fall back to the minimum
     * when it does not: what a full sink leaves over must be kept. */
    BODY_READ_BYTES = 64 * 1024,
    BODY_READ_MAX_BYTES = 128 * 1024,
    BODY_READ_MIN_BYTES = 16 * 1024,
    /* One read to where the sink wants a long body's bytes: still in the cache when their checksums are computed. */
    BODY_READ_DIRECT_BYTES = 256 * 1024,
    /* Read beyond the end of a body of known length, so that a short read proves that the socket is empty. */
    BODY_READ_AHEAD_BYTES = 4 * 1024,
    SCRATCH_BYTES = 256 * 1024,
    /* What one connection may move in a run before the others get their turn, and what a request counts for. */
    RUN_BUDGET_BYTES = 1024 * 1024,
    REQUEST_COST_BYTES = 16 * 1024,
    /* How long and how much a closing connection is read, so that the client sees the answer and not a reset. */
    LINGER_MS = 3000,
    /* How often a connection looks whether its client reads what lies in memory for it. */
    PARK_MS = 1000,
    LINGER_MAX_BYTES = 64 * 1024 * 1024,
};

/* ---- Body of a request, as framed ---- */

/* Content-Length or chunks: the same few calls for both. */
struct body_frame {
    bool is_chunked;
    bool is_complete;
    uint64_t left; /* of a body of known length */
    struct chunked chunked;
};

void frame_begin(struct body_frame *frame, const struct http_request *request);
/* As chunked_next. Sets is_complete. */
enum err frame_next(struct body_frame *frame, str in, size_t *out_framing, str *out_data);
void frame_take(struct body_frame *frame, size_t len);

/* ---- Reply ---- */

enum reply_body { REPLY_EMPTY, REPLY_BYTES, REPLY_SOURCE, REPLY_LENGTH_ONLY };

struct reply {
    int status; /* 0: not begun */
    enum reply_body kind;
    bool is_sent; /* the service called http_reply_send */
    bool must_close;
    bool is_sealed;
    bool is_source_pending; /* the source will call http_source_ready */
    bool is_piece_old;      /* it has been waiting for the client since reply_park looked last */
    char *head;             /* in the arena, grows by doubling */
    size_t head_len;
    size_t head_capacity;
    size_t head_sent;
    uint64_t length;    /* Content-Length */
    uint64_t body_left; /* to be sent */
    uint64_t body_sent;
    struct http_piece piece;    /* what is left of the current one */
    struct http_source *source; /* null when there is none, or when it was closed */
    int64_t first_byte_us;
};

/* Adds what is the server's to the head and decides what of the body goes out. */
void reply_seal(struct http_exchange *x, bool must_close);
void reply_close_source(struct reply *reply);
/* Whether bytes that the source could have back wait for a client that does not read. */
bool reply_may_park(const struct http_exchange *x);
/* To be called about every PARK_MS while that is so: the second call gives the piece back. */
void reply_park(struct reply *reply);

/* ---- Exchange ---- */

struct http_exchange {
    struct http_connection *connection;
    struct arena *arena; /* this struct lies in it */
    struct http_request request;
    void *context;
    struct http_sink *sink; /* null when the body is not being read */
    struct reply reply;
    size_t body_read_bytes;
    uint64_t body_in_bytes;
    str interim;     /* what is unsent of "100 Continue" */
    char *peer_text; /* PEER_TEXT_MAX bytes, written when asked for */
    struct pair *trailer;
    size_t trailer_count;
    bool is_lost;
    bool is_body_asked;
    bool is_sink_full;     /* until http_body_resume */
    bool is_continue_done; /* sent, or not needed */
    bool is_body_broken;   /* framing, end or time: the rest cannot be found */
    bool is_bad;           /* the head was not served */
};

/* Begins one in an arena of the server's. */
struct http_exchange *exchange_new(struct http_connection *connection);
/* Closes the source, tells the service, gives the arena back and takes the exchange off its connection. */
void exchange_end(struct http_exchange *x);

/* ---- Connection ---- */

enum phase {
    PHASE_HEAD,
    PHASE_SERVICE,
    PHASE_REPLY,
    PHASE_DRAIN,
    PHASE_LINGER,
    PHASE_LOST,
    PHASE_COUNT
};
enum step { STEP_AGAIN, STEP_WAIT, STEP_CLOSE };

struct http_connection {
    struct conn conn;
    struct http_server *server;
    struct list link; /* in the server's */
    struct http_exchange *x;
    struct timer timer; /* fires early, looks at what is due and re-arms itself */
    int64_t deadline_us;
    int64_t progress_us;     /* when bytes moved last */
    int64_t head_started_us; /* first byte of the head that is incomplete */
    int64_t rate_since_us; /* of a body: since when its bytes are counted, and how many they are */
    uint64_t rate_bytes;
    struct task wake;
    char *stash; /* owned copy of the input, between runs */
    str input;   /* of the stash's length while stashed */
    size_t budget_bytes;
    size_t discarded_bytes; /* while draining or lingering */
    struct http_head_scan scan;
    struct body_frame frame; /* outlives the exchange, for draining */
    struct peer peer;
    enum phase phase;
    bool is_tls;
    bool is_running;
    bool is_wake_posted;
    bool is_expired; /* the deadline has passed */
    bool is_closed;
};

/* Takes the descriptor. */
void connection_open(struct http_server *server, int fd, struct tls_context *tls,
                     const struct peer *peer);
/* Has it run: now when possible, else by its task. */
void connection_wake(struct http_connection *c);
/* Closes it at once, telling the service that a running exchange is over. The loop is not running. */
void connection_abort(struct http_connection *c);
/* The server drains: closes it when it is between requests, and has it look at that when a part of a request is there. */
void connection_drain(struct http_connection *c);

/* Makes the stash the input again. Called before the input is looked at. */
void connection_load_input(struct http_connection *c);
void connection_consume(struct http_connection *c, size_t len);
/* Reads up to `size` bytes to where they shall be, past the input. Errors as connection_fill. */
enum err connection_fill_at(struct http_connection *c, char *dst, size_t size, size_t *out_len);
/* Reads up to `size` more bytes behind the input. Errors as conn_read; ERR_WOULD_BLOCK also when the budget is used up
 * (it will run again). */
enum err connection_fill(struct http_connection *c, size_t size);
/* Counts a body's bytes anew: it begins, or the server has held it up. */
void connection_measure_rate(struct http_connection *c);
/* For a body that has to wait for its client: no byte came for too long, or too few did. */
bool connection_is_slow(struct http_connection *c);
/* False when the budget is used up: then the step is to wait. */
bool connection_may_go_on(struct http_connection *c);
void connection_spend(struct http_connection *c, size_t bytes);

/* The peer is gone, or the reply cannot go on: the exchange is over, or lost when the service still owes its reply. */
enum step connection_break(struct http_connection *c);
/* Begins an exchange for a head that cannot be served. */
enum step connection_refuse(struct http_connection *c, enum err err);

/* The steps of the phases. */
enum step head_step(struct http_connection *c);
enum step service_step(struct http_connection *c);
enum step reply_step(struct http_connection *c);
enum step drain_step(struct http_connection *c);
enum step linger_step(struct http_connection *c);
enum step lost_step(struct http_connection *c);

/* ---- Server ---- */

enum { ARENA_KEEP_MAX = 64 }; /* arenas kept for the next exchanges */

/* Servers that share their listeners share out the connections too. */
struct http_group {
    unsigned count;
    unsigned capacity;
    struct http_server *server[];
};

struct http_server {
    struct loop *loop;
    struct http_service *service;
    struct http_limits limits;
    struct http_group *group; /* null: alone */
    struct list acceptors;
    struct timer accept_pause;
    struct list connections;
    /* Connections, and those that another server has handed over but are still on their way: other threads add them. */
    atomic_uint connection_count;
    atomic_bool is_draining; /* set by the own thread */
    char *scratch;
    size_t scratch_size;
    struct arena *arena[ARENA_KEEP_MAX];
    size_t arena_count;
    str name_line; /* owned; "Server: ...\r\n" or empty */
    char date_line[64];
    size_t date_line_len;
    int64_t date_until_us; /* on the loop's clock */
    struct task drained;
    bool is_drained_posted;
    void (*on_drained)(void *context);
    void *drained_context;
};

struct arena *server_take_arena(struct http_server *server);
void server_give_arena(struct http_server *server, struct arena *arena);
/* "Date: ...\r\n" of this second. */
str server_date_line(struct http_server *server);
/* The connection has been counted already, when it was accepted. */
void server_add(struct http_server *server, struct http_connection *c);
void server_remove(struct http_server *server, struct http_connection *c);
/* One connection less, in the list or on its way. */
void server_uncount(struct http_server *server);

/* ---- Accepting (accept.c) ---- */

void server_resume_accepting(struct http_server *server);
void server_pause_accepting(struct http_server *server);
void server_close_acceptors(struct http_server *server);
void server_accept_pause_over(struct timer *timer);
