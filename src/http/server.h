/* An HTTP/1.1 server (RFC 9110, RFC 9112) on one event loop: what a service sees of a request and how it answers.
 *
 * The life of an exchange, all on the loop's thread:
 *
 *   head parsed ── on_head(x) ──┬── http_body_read(x, sink) ── sink->write ... sink->end | sink->fail ──┐
 *                               └───────────────────────────────────────────────────────────────────────┴─ reply ── on_done(x)
 *
 * Rules
 *  1. The service owes every exchange exactly one http_reply_send, at once or later, even after the connection is lost
 *     (http_is_lost): the server then drops the answer. Between on_head and the reply the exchange stays valid. No call of the
 *     service makes the server call back from inside it.
 *  2. The body is asked for at most once, before the reply. Only then "100 Continue" is sent, if the client waits for it: a
 *     refused request costs no body. A body that was not asked for, or not read to its end, is drained up to a limit after the reply;
 *     past the limit the connection is closed after the reply.
 *  3. Requests of one connection are served one at a time, in order; pipelined bytes wait.
 *  4. What a malformed head, a time-out or an oversize gets as its answer is the service's: on_bad_request.
 */
#pragma once

#include "base/arena.h"
#include "base/fail.h"
#include "http/request.h"

struct http_exchange;
struct loop;

enum { HTTP_PEER_MAX = 64 };

/* Receives a body. Embedded in the service's struct. */
struct http_sink {
    /* Takes the front of `data` and returns how many bytes it took. Fewer than all: the server stops reading from the
     * client until http_body_resume, then offers the rest again. `data` is valid during the call only. */
    size_t (*write)(struct http_sink *sink, str data);
    /* The framing says that the body is complete. Called once; nothing follows. */
    void (*end)(struct http_sink *sink);
    /* No more will come: ERR_SHORT_BODY (closed early), ERR_BAD_CHUNK, ERR_SLOW_CLIENT, ERR_TOO_LARGE. Nothing follows.
     * The service still owes its reply. */
    void (*fail)(struct http_sink *sink, enum err err);
    /* Optional, both or none. `room`: where the next bytes of a body of known length may be put instead of being offered by `write`;
     * null: nowhere. It holds until the return to the loop. `took`: so many (above 0) were put there; not called when none came. */
    char *(*room)(struct http_sink *sink, size_t *out_len);
    void (*took)(struct http_sink *sink, size_t len);
};

/* What a source gives: bytes in memory, or a span of a file to be sent by sendfile(2). */
struct http_piece {
    str bytes;
    int fd; /* used when file_length > 0 */
    uint64_t file_offset;
    uint64_t file_length;
};

/* Gives a body piece by piece. Embedded in the service's struct. */
struct http_source {
    /* The next piece; stays valid until the next call of `next`, `park` or `close`. ERR_PENDING: not there yet, call
     * http_source_ready when it is. Any other error: the connection is broken off (the head has gone out), which is the
     * only honest way to say so. Called only while bytes of the announced length are missing. */
    enum err (*next)(struct http_source *source, struct http_piece *out_piece);
    /* Optional. The client has not taken the current piece, which is bytes in memory, for a second or two: they may be
     * given up, so that a client that does not read holds no buffer. The last `unsent` of them have not been sent: the next
     * piece begins with these very bytes, all of them, and is asked for when the client reads again. */
    void (*park)(struct http_source *source, size_t unsent);
    /* Always called once, when the body has been sent or given up. */
    void (*close)(struct http_source *source);
};

struct http_outcome {
    int status;              /* 0: the connection was lost before a reply */
    uint64_t body_in_bytes;  /* of the request's body, as framed payload */
    uint64_t body_out_bytes; /* of the reply's body that were handed to the kernel */
    int64_t first_byte_us;   /* from head complete to the reply's head handed over */
    int64_t total_us;        /* from head complete to the end */
    bool is_complete;        /* the whole reply went out */
};

struct http_service {
    void *context;
    void (*on_head)(struct http_service *service, struct http_exchange *x);
    /* A head that cannot be served: ERR_BAD_REQUEST, ERR_HEAD_TOO_LARGE, ERR_SLOW_CLIENT, ERR_NOT_IMPLEMENTED (transfer coding or
     * version), ERR_BAD_URI. The request may be empty. The service replies at once; the connection closes after it. */
    void (*on_bad_request)(struct http_service *service, struct http_exchange *x, enum err err);
    /* The exchange is over: the last call about it. Its arena is reset after the return. */
    void (*on_done)(struct http_service *service, struct http_exchange *x,
                    const struct http_outcome *outcome);
};

/* Of an exchange. */
const struct http_request *http_request(const struct http_exchange *x);
/* Lives as long as the exchange. For the loop's thread, or the one worker that the service hands the exchange to. */
struct arena *http_arena(struct http_exchange *x);
struct loop *http_loop(struct http_exchange *x);
struct http_service *http_service(struct http_exchange *x);
/* "192.0.2.1:4711" or "[2001:db8::1]:4711". */
str http_peer(const struct http_exchange *x);
/* The client is gone (reset): work for it may be given up. */
bool http_is_lost(const struct http_exchange *x);
/* The client has closed its sending side. Most often it is gone, but it may wait for its answer, so that is sent. */
bool http_is_half_closed(const struct http_exchange *x);
/* The service's own pointer, null at on_head. */
void *http_context(const struct http_exchange *x);
void http_set_context(struct http_exchange *x, void *context);

/* Body in. */
void http_body_read(struct http_exchange *x, struct http_sink *sink);
/* The sink has room again. Not from inside its write. */
void http_body_resume(struct http_exchange *x);
/* Fields after a chunked body, from the sink's end until on_done. */
const struct pair *http_trailers(const struct http_exchange *x, size_t *out_count);

/* Reply. Date and Connection are the server's; all other fields are the service's. http_reply_begin may be called again
 * before the send: it starts over. Status 204 and 304 and replies to HEAD send no body. */
void http_reply_begin(struct http_exchange *x, int status);
/* The value is copied. It has no CR, LF or NUL: the service has checked what comes from outside, and this asserts it. */
void http_reply_header(struct http_exchange *x, const char *name, str value);
void http_reply_header_u64(struct http_exchange *x, const char *name, uint64_t value);
/* Content-Length of a reply to HEAD, or of a 304: a length without its body. */
void http_reply_length_only(struct http_exchange *x, uint64_t length);
/* Either sets Content-Length; without them it is 0. The body is borrowed until on_done. */
void http_reply_body(struct http_exchange *x, str body);
void http_reply_source(struct http_exchange *x, struct http_source *source, uint64_t length);
/* Close the connection after this reply. */
void http_reply_close(struct http_exchange *x);
/* The reply goes out. on_done comes later, never from inside the call. */
void http_reply_send(struct http_exchange *x);
/* The source has a piece. Loop thread; also from inside its `next`. */
void http_source_ready(struct http_exchange *x);

struct http_limits {
    size_t head_max_bytes; /* 431 above */
    unsigned header_max_count;
    int64_t head_timeout_ms;       /* for a whole head, once its first byte is here */
    int64_t body_timeout_ms;       /* without progress, in either direction */
    uint64_t body_min_rate;        /* of a body that comes in, bytes a second; 0: any */
    int64_t body_rate_window_ms;   /* over which that rate is measured */
    int64_t idle_timeout_ms;       /* between requests */
    size_t drain_max_bytes;        /* of an unread body after the reply */
    unsigned connection_max_count; /* of this loop */
    int fd_max; /* a connection with this descriptor or a higher one is closed at once: others need some; 0: none is */
    size_t arena_max_bytes; /* what arena_try_* may take for one exchange; 0: 16 MiB */
};

/* Server of one loop. Listeners are shared descriptors (each loop accepts from them) opened by net/. */
struct http_server;
struct http_group;
struct tls_context;
struct http_server_options {
    struct loop *loop;
    struct http_service *service;
    struct http_limits limits;
    str server_name;          /* value of the Server field; empty for none */
    struct http_group *group; /* the servers that share its listeners; null: none */
};

/* Servers of several loops over the same listeners: a new connection goes to the one that has the fewest, whoever accepted it.
 * All servers of a group are made before their loops run, and the group is freed after them. */
struct http_group;
struct http_group *http_group_new(unsigned server_max);
void http_group_free(struct http_group *group);

struct http_server *http_server_new(const struct http_server_options *options);
/* tls may be null: plain. The descriptor is borrowed. */
enum err http_server_listen(struct http_server *server, int listen_fd, struct tls_context *tls);
/* Stops accepting and closes connections that are idle or have sent only a part of a head; running exchanges finish, `done` comes
 * when none is left. */
void http_server_drain(struct http_server *server, void (*done)(void *context), void *context);
/* Breaks off what still runs. The loop is not running, and is not run again. */
void http_server_free(struct http_server *server);
unsigned http_server_connection_count(const struct http_server *server);
