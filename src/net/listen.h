/* listen: from an address in a setting to listening TCP sockets.
 *
 * Forms: "127.0.0.1:9000", "[::1]:9000", "name:9000" (every address of the name), and ":9000", which is all addresses,
 * IPv4 and IPv6 on one socket. "[::]:9000" alone is IPv6 only, so that it can stand beside "0.0.0.0:9000". Port 0 takes a
 * free port, the same for each address of a name, and tells it back. */
#pragma once

#include "base/fail.h"

struct peer;

enum { LISTEN_HOST_MAX = 256, LISTEN_TEXT_MAX = 64 };

struct listen_address {
    char host[LISTEN_HOST_MAX]; /* without brackets; empty for all addresses */
    uint16_t port;
};

/* ERR_BAD_INPUT, with what is wrong in fail. Pure. */
enum err listen_parse(str text, struct listen_address *out_address, struct fail *fail);

struct listener {
    int fd; /* non-blocking, closed on exec, TCP_NODELAY (which accepted connections inherit); close with listen_close */
    uint16_t port;
    char text[LISTEN_TEXT_MAX]; /* "127.0.0.1:9000", with the real port */
};

/* Opens at most `max` listeners. Blocks for the name's resolution: for start-up. ERR_BAD_INPUT (form, unknown name),
 * ERR_BUSY (the address is in use), ERR_ACCESS_DENIED (a privileged port), ERR_IO; all told in fail. */
enum err listen_open(str text, struct listener *out_listener, size_t max, size_t *out_count,
                     struct fail *fail);
void listen_close(struct listener *listener);

/* Nobody can connect any more, and who waits to be accepted is reset: for the beginning of a drain, while loops still watch
 * the descriptor. Any thread. */
void listen_stop(const struct listener *listener);

/* Takes the next connection: non-blocking, closed on exec. ERR_WOULD_BLOCK: none waits. ERR_RETRY: that one was gone again.
 * ERR_CLOSED: listen_stop was called. Anything else: the system has no descriptor or memory for another connection now. */
enum err listen_accept(int listen_fd, int *out_fd, struct peer *out_peer);
