/* conn: one accepted connection, plain or TLS: non-blocking input and output, and what is known of its readiness.
 *
 * Readiness is kept, not asked for. The socket is watched once, edge-triggered for both directions; an event sets
 * is_readable and is_writable, a short read or a refused write clears them. So a request costs no change of interest, and
 * nobody spins on input that is not wanted: back-pressure is simply not reading.
 *
 * All on the loop's thread. */
#pragma once

#include <sys/uio.h>

#include "event/loop.h"

struct ssl_st;
struct tls_context;

struct conn {
    struct watch watch; /* the owner finds itself from here in its `ready` */
    struct ssl_st *tls; /* null: plain */
    bool is_watched;
    bool is_readable; /* a read may give something */
    bool is_writable; /* a write may take something */
    /* The peer closed its sending side: a read ends with ERR_CLOSED sooner or later. */
    bool is_peer_done;
    /* Reset, or an error of the socket or of TLS: neither direction works any more. */
    bool is_broken;
};

/* Takes the descriptor, which is closed on failure too. Not watched yet: a new connection is read at once, and many need no
 * watch at all. tls may be null. ERR_NO_MEMORY. */
enum err conn_open(struct conn *conn, int fd, struct tls_context *tls,
                   void (*ready)(struct watch *watch, uint32_t events));

/* To be called before waiting; does nothing when it is watched already. */
enum err conn_watch(struct loop *loop, struct conn *conn);

/* Keeps what an event told. The owner calls it first in its `ready`. */
void conn_note(struct conn *conn, uint32_t events);

/* Reads up to `size` bytes, at least one. ERR_WOULD_BLOCK (an event will come), ERR_CLOSED (the peer has finished), ERR_IO
 * (broken). */
enum err conn_read(struct conn *conn, void *dst, size_t size, size_t *out_len);

/* Writes the front of the pieces, at least one byte. `more`: further bytes follow at once, so do not send a small packet
 * yet. After ERR_WOULD_BLOCK the same bytes must come first in the next call. ERR_IO: broken. */
enum err conn_write(struct conn *conn, const struct iovec *piece, int count, bool more,
                    size_t *out_len);

/* The same from a file, by sendfile(2) where the connection is plain. ERR_CORRUPT: the file ends before the range. */
enum err conn_write_file(struct conn *conn, int fd, uint64_t offset, uint64_t length,
                         size_t *out_len);

/* Tells the peer that nothing more comes (TLS: its own farewell too); reading goes on with conn_discard. */
void conn_finish_writing(struct conn *conn);

/* Reads and forgets, below TLS. Errors as conn_read. */
enum err conn_discard(struct conn *conn, void *scratch, size_t size, size_t *out_len);

/* Ends the watch, the session and the socket. */
void conn_close(struct loop *loop, struct conn *conn);
