/* Connections over plain sockets. What TLS does differently is in conn_tls.c. */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_int.h"

/* ---- Life ---- */

enum err conn_open(struct conn *conn, int fd, struct tls_context *tls,
                   void (*ready)(struct watch *watch, uint32_t events))
{
    *conn = (struct conn){
        .watch = {.fd = fd, .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .ready = ready},
        .is_readable = true,
        .is_writable = true,
    };
    if (tls == NULL)
        return OK;
    enum err err = conn_tls_open(conn, tls);
    if (err != OK)
        close(fd);
    return err;
}

enum err conn_watch(struct loop *loop, struct conn *conn)
{
    if (conn->is_watched)
        return OK;
    TRY(watch_add(loop, &conn->watch));
    conn->is_watched = true;
    return OK;
}

void conn_close(struct loop *loop, struct conn *conn)
{
    if (conn->is_watched)
        watch_remove(loop, &conn->watch);
    if (conn->tls != NULL)
        conn_tls_close(conn);
    close(conn->watch.fd);
    *conn = (struct conn){.watch.fd = -1, .is_broken = true};
}

void conn_note(struct conn *conn, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        conn->is_peer_done = true;
    if (events & (EPOLLHUP | EPOLLERR))
        conn->is_broken = true;
    /* TLS may need either direction for the other, so there any event is news for both. */
    if (conn->tls != NULL || (events & ~(uint32_t)EPOLLOUT))
        conn->is_readable = true;
    if (conn->tls != NULL || (events & ~(uint32_t)EPOLLIN))
        conn->is_writable = true;
}

/* ---- Input ---- */

/* A short read has emptied the socket, unless the end of the stream waits behind the bytes: that is no event of its own
 * once it has been reported. */
static enum err note_read(struct conn *conn, ssize_t got, size_t size, size_t *out_len)
{
    if (got > 0) {
        conn->is_readable = (size_t)got == size || conn->is_peer_done;
        *out_len = (size_t)got;
        return OK;
    }
    if (got == 0)
        return ERR_CLOSED;
    if (errno == EAGAIN) {
        conn->is_readable = false;
        return ERR_WOULD_BLOCK;
    }
    conn->is_broken = true;
    return ERR_IO;
}

static ssize_t receive(const struct conn *conn, void *dst, size_t size)
{
    ssize_t got;
    do {
        got = recv(conn->watch.fd, dst, size, 0);
    } while (got < 0 && errno == EINTR);
    return got;
}

enum err conn_read(struct conn *conn, void *dst, size_t size, size_t *out_len)
{
    assert(size > 0);
    if (conn->tls != NULL)
        return conn_tls_read(conn, dst, size, out_len);
    return note_read(conn, receive(conn, dst, size), size, out_len);
}

enum err conn_discard(struct conn *conn, void *scratch, size_t size, size_t *out_len)
{
    return note_read(conn, receive(conn, scratch, size), size, out_len);
}

/* ---- Output ---- */

static enum err note_write(struct conn *conn, ssize_t put, size_t *out_len)
{
    if (put >= 0) {
        *out_len = (size_t)put;
        return OK;
    }
    if (errno == EAGAIN) {
        conn->is_writable = false;
        return ERR_WOULD_BLOCK;
    }
    conn->is_broken = true;
    return ERR_IO;
}

static size_t total_of(const struct iovec *piece, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += piece[i].iov_len;
    return total;
}

/* A short write has filled the socket, so the next event is sure to come: epoll(7), edge-triggered. */
enum err conn_write(struct conn *conn, const struct iovec *piece, int count, bool more,
                    size_t *out_len)
{
    if (conn->tls != NULL)
        return conn_tls_write(conn, piece, count, out_len);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)piece,
                             .msg_iovlen = (size_t)count};
    ssize_t put;
    do {
        put = sendmsg(conn->watch.fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (put < 0 && errno == EINTR);
    TRY(note_write(conn, put, out_len));
    if (*out_len < total_of(piece, count))
        conn->is_writable = false;
    return OK;
}

enum err conn_write_file(struct conn *conn, int fd, uint64_t offset, uint64_t length,
                         size_t *out_len)
{
    if (conn->tls != NULL)
        return conn_tls_write_file(conn, fd, offset, length, out_len);
    off_t at = (off_t)offset;
    ssize_t put;
    do {
        put = sendfile(conn->watch.fd, fd, &at, length);
    } while (put < 0 && errno == EINTR);
    if (put == 0)
        return ERR_CORRUPT;
    return note_write(conn, put, out_len);
}

void conn_finish_writing(struct conn *conn)
{
    if (conn->tls != NULL)
        conn_tls_farewell(conn);
    if (shutdown(conn->watch.fd, SHUT_WR) != 0)
        conn->is_broken = true;
}
