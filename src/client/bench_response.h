/* bench_response: reads the replies of one connection (HTTP/1.0 and 1.1; RFC 9112 sections 2 to 7) as their bytes come,
 * however they are cut. It keeps what a load generator needs (status, framing, whether the connection lives on) and gives
 * the body away piece by piece without holding it.
 *
 * It is strict where laxness would hide a broken server: line ends are CR LF, field names are tokens, no folded lines, no
 * length beside chunking, no two lengths that differ, one reply per request. Everything is bounded.
 *
 *   HEAD ──┬─ no body ────────────────────────────────────── DONE
 *          ├─ Content-Length ─ LENGTH ─────────────────────── DONE
 *          ├─ chunked ─ CHUNK_SIZE ⇄ CHUNK_DATA, CHUNK_END ─ TRAILER ─ DONE
 *          └─ neither ─ UNTIL_CLOSE ─ bench_response_end ──── DONE
 *
 * Not thread-safe. */
#pragma once

#include "base/buf.h"

enum {
    BENCH_HEAD_MAX = 32 * 1024,  /* bytes of a head, and of a trailer section line by line */
    BENCH_CHUNK_LINE_MAX = 4096, /* bytes of a chunk's size line with its extensions */
    BENCH_TRAILER_LINES_MAX = 100,
    BENCH_INTERIM_MAX = 8, /* 1xx replies before the final one */
};

enum bench_response_state {
    BENCH_RESPONSE_HEAD,
    BENCH_RESPONSE_LENGTH,
    BENCH_RESPONSE_CHUNK_SIZE,
    BENCH_RESPONSE_CHUNK_DATA,
    BENCH_RESPONSE_CHUNK_END,
    BENCH_RESPONSE_TRAILER,
    BENCH_RESPONSE_UNTIL_CLOSE,
    BENCH_RESPONSE_DONE,
};

struct bench_response {
    enum bench_response_state state;
    bool answers_head; /* the request was a HEAD: no body follows, whatever the head says */
    int status;        /* from the head on; of the final reply, never 1xx */
    bool keep_alive;   /* whether the connection may carry another request */
    bool has_length;
    bool is_chunked;
    uint64_t length; /* Content-Length; 0 without one */
    /* internal */
    uint64_t left; /* bytes of the body, or of the chunk, that are still to come */
    unsigned interim_count, trailer_count;
    bool has_begun;     /* a byte has come */
    bool pending_used;  /* `pending` was given out and is cleared at the next call */
    struct buf pending; /* the part of a head or line that came in an earlier piece */
};

void bench_response_init(struct bench_response *response);
void bench_response_release(struct bench_response *response);

/* Ready for the next reply of the connection; keeps the memory. */
void bench_response_begin(struct bench_response *response, bool answers_head);

/* Reads on. *out_used is how much of `input` was taken; it is less than all only when a body piece was found, or when the
 * reply is done and more bytes follow. *out_body is a piece of the body, borrowed from `input`, or empty. Call it until
 * all is used or the state is DONE. ERR_BAD_INPUT for what is no HTTP, ERR_TOO_LARGE for a head or line past its limit;
 * the connection is of no use after either. */
enum err bench_response_feed(struct bench_response *response, str input, size_t *out_used,
                             str *out_body);

/* How many of the connection's next bytes are body and nothing else: they may be thrown away unread, and are then
 * reported by bench_response_skip. UINT64_MAX when the body ends with the connection. */
uint64_t bench_response_skippable(const struct bench_response *response);
void bench_response_skip(struct bench_response *response, uint64_t count);

/* The server has closed. OK when that ends the body (the state is then DONE); ERR_CLOSED when no byte of the reply had
 * come; ERR_SHORT_BODY when it was cut. */
enum err bench_response_end(struct bench_response *response);
