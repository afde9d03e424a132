/* tls: a server's certificate and key (OpenSSL), which can be exchanged while connections run.
 *
 * TLS 1.2 at least, forward secrecy and authenticated ciphers only, ALPN "http/1.1" (a client that offers only other
 * protocols is refused), no renegotiation, no session cache (tickets instead), so nothing grows with the clients.
 * Connections begun before a reload keep the certificate they began with. */
#pragma once

#include "base/fail.h"

struct tls_context;

/* Reads both files (PEM; the certificate first, then its chain). ERR_NOT_FOUND, ERR_IO or ERR_BAD_INPUT with the reason in
 * fail: which file, and what is wrong with it. */
enum err tls_context_open(const char *certificate_path, const char *key_path,
                          struct tls_context **out_context, struct fail *fail);

/* Reads both files again. When anything is wrong, the pair in use stays, and fail says why. Any thread. */
enum err tls_context_reload(struct tls_context *context, struct fail *fail);

/* Whether one of the files was replaced or written since it was read last (two calls of stat). Any thread. */
bool tls_context_is_stale(struct tls_context *context);

/* Connections may outlive it. Null is allowed. */
void tls_context_free(struct tls_context *context);
