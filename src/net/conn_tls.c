/* Connections over TLS. The handshake happens inside the first reads; a read that needs to write, or the reverse, waits for
 * whichever event comes. */
#include "net/conn_int.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "net/net_int.h"

enum { RECORD_MAX = 16384 }; /* RFC 8446 5.1: plaintext of one record */

enum err conn_tls_open(struct conn *conn, struct tls_context *context)
{
    conn->tls = tls_session_new(context, conn->watch.fd);
    return conn->tls == NULL ? ERR_NO_MEMORY : OK;
}

/* At most one attempt: a farewell that does not fit into the socket is not worth waiting for. */
void conn_tls_farewell(struct conn *conn)
{
    if (conn->is_broken || !SSL_is_init_finished(conn->tls))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(conn->tls);
    ERR_clear_error();
}

void conn_tls_close(struct conn *conn)
{
    conn_tls_farewell(conn);
    SSL_free(conn->tls);
    conn->tls = NULL;
}

/* Translates after a call that gave nothing. Either wait clears one of the flags; the next event sets both again. */
static enum err failed(struct conn *conn, bool *readiness)
{
    switch (SSL_get_error(conn->tls, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        *readiness = false;
        return ERR_WOULD_BLOCK;
    case SSL_ERROR_ZERO_RETURN:
        conn->is_peer_done = true;
        return ERR_CLOSED;
    default:
        conn->is_broken = true;
        ERR_clear_error();
        return ERR_IO;
    }
}

/* Goes on until the room is full or the session is empty, so that a short answer means the same as for plain sockets. */
enum err conn_tls_read(struct conn *conn, void *dst, size_t size, size_t *out_len)
{
    size_t total = 0;
    enum err err = OK;
    while (total < size && err == OK) {
        size_t got = 0;
        ERR_clear_error();
        if (SSL_read_ex(conn->tls, (char *)dst + total, size - total, &got) == 1)
            total += got;
        else
            err = failed(conn, &conn->is_readable);
    }
    if (total == 0)
        return err;
    *out_len = total;
    return OK;
}

static enum err write_record(struct conn *conn, const void *data, size_t len, size_t *out_len)
{
    ERR_clear_error();
    if (SSL_write_ex(conn->tls, data, len, out_len) == 1)
        return OK;
    enum err err = failed(conn, &conn->is_writable);
    return err == ERR_CLOSED ? ERR_IO : err;
}

/* Small pieces are joined into one record: a head and a body of a few kilobytes are one packet, not two. */
static size_t join(const struct iovec *piece, int count, char dst[RECORD_MAX])
{
    size_t len = 0;
    for (int i = 0; i < count && len < RECORD_MAX; i++) {
        size_t part = piece[i].iov_len < RECORD_MAX - len ? piece[i].iov_len : RECORD_MAX - len;
        if (part > 0)
            memcpy(dst + len, piece[i].iov_base, part);
        len += part;
    }
    return len;
}

enum err conn_tls_write(struct conn *conn, const struct iovec *piece, int count, size_t *out_len)
{
    assert(count > 0);
    if (count == 1) {
        size_t len = piece[0].iov_len < RECORD_MAX ? piece[0].iov_len : RECORD_MAX;
        return write_record(conn, piece[0].iov_base, len, out_len);
    }
    char record[RECORD_MAX];
    size_t len = join(piece, count, record);
    return write_record(conn, record, len, out_len);
}

enum err conn_tls_write_file(struct conn *conn, int fd, uint64_t offset, uint64_t length,
                             size_t *out_len)
{
    char record[RECORD_MAX];
    size_t wanted = length < RECORD_MAX ? (size_t)length : RECORD_MAX;
    ssize_t got;
    do {
        got = pread(fd, record, wanted, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got == 0 ? ERR_CORRUPT : ERR_IO;
    return write_record(conn, record, (size_t)got, out_len);
}
