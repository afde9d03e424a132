/* Addresses of peers and their text. */
#include "net/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct peer peer_from(const struct sockaddr_storage *address)
{
    struct peer peer = {0};
    if (address->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        memcpy(peer.address, mapped_prefix, sizeof(mapped_prefix));
        memcpy(peer.address + sizeof(mapped_prefix), &in.sin_addr, sizeof(in.sin_addr));
        peer.port = ntohs(in.sin_port);
    } else if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        memcpy(peer.address, &in6.sin6_addr, sizeof(peer.address));
        peer.port = ntohs(in6.sin6_port);
    }
    return peer;
}

str peer_format(const struct peer *peer, char dst[PEER_TEXT_MAX])
{
    bool is_v4 = memcmp(peer->address, mapped_prefix, sizeof(mapped_prefix)) == 0;
    char text[INET6_ADDRSTRLEN] = "";
    if (is_v4)
        (void)inet_ntop(AF_INET, peer->address + sizeof(mapped_prefix), text, sizeof(text));
    else
        (void)inet_ntop(AF_INET6, peer->address, text, sizeof(text));
    int len = snprintf(dst, PEER_TEXT_MAX, is_v4 ? "%s:%u" : "[%s]:%u", text, (unsigned)peer->port);
    return str_of(dst, (size_t)len);
}
