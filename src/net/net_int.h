/* What the files of this folder share. */
#pragma once

#include <openssl/types.h>

struct tls_context;

/* A server session over the socket, with the pair that is in use now; null when memory is refused. Owned. */
SSL *tls_session_new(struct tls_context *context, int fd);
