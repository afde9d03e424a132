/* The TLS side of conn.h, called by conn.c when the connection has a session. */
#pragma once

#include "net/conn.h"

enum err conn_tls_open(struct conn *conn, struct tls_context *context);
void conn_tls_close(struct conn *conn);
enum err conn_tls_read(struct conn *conn, void *dst, size_t size, size_t *out_len);
enum err conn_tls_write(struct conn *conn, const struct iovec *piece, int count, size_t *out_len);
enum err conn_tls_write_file(struct conn *conn, int fd, uint64_t offset, uint64_t length,
                             size_t *out_len);
void conn_tls_farewell(struct conn *conn);
