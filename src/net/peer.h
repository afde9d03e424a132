/* peer: the address of the other end of a connection, kept small because every idle connection has one. */
#pragma once

#include <sys/socket.h>

#include "base/str.h"

/* IPv4 addresses are kept in their mapped form, ::ffff:a.b.c.d, which is also what a dual-stack listener gives. */
struct peer {
    uint8_t address[16]; /* network order; all zero for what is not an IP address */
    uint16_t port;
};

struct peer peer_from(const struct sockaddr_storage *address);

enum { PEER_TEXT_MAX = 64 };
/* "192.0.2.1:4711" or "[2001:db8::1]:4711", terminated, as a str over dst. */
str peer_format(const struct peer *peer, char dst[PEER_TEXT_MAX]);
