/* Listening sockets. */
#include "net/listen.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/peer.h"

_Static_assert((int)LISTEN_TEXT_MAX >= (int)PEER_TEXT_MAX, "an address fits");

enum {
    /* Connections that wait to be accepted; the kernel cuts it to net.core.somaxconn. */
    BACKLOG = 4096,
};

/* ---- Parsing ---- */

static enum err bad(struct fail *fail, str text, const char *what)
{
    return fail_set(fail, ERR_BAD_INPUT, "listen", "address '%.*s': %s", STR_ARG(text), what);
}

/* Splits at the colon before the port; brackets around an IPv6 address are taken off. */
static enum err split(str text, str *out_host, str *out_port, struct fail *fail)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return bad(fail, text, "no port; write host:port, [ipv6]:port or :port");
    str host = str_slice(text, 0, colon - 1);
    bool is_open = str_has_prefix(host, STR("["));
    if (is_open != str_has_suffix(host, STR("]")) || (is_open && host.len <= 2))
        return bad(fail, text, "the brackets do not match");
    if (!is_open && str_find_char(host, ':') >= 0)
        return bad(fail, text, "an IPv6 address needs brackets, as in [::1]:9000");
    *out_host = is_open ? str_slice(host, 1, host.len - 1) : host;
    *out_port = str_skip(text, colon);
    return OK;
}

enum err listen_parse(str text, struct listen_address *out_address, struct fail *fail)
{
    str host, port;
    TRY(split(text, &host, &port, fail));
    uint64_t number;
    if (str_to_u64(port, &number) != OK || number > UINT16_MAX)
        return bad(fail, text, "the port is not a number from 0 to 65535");
    if (host.len >= LISTEN_HOST_MAX || (host.len > 0 && memchr(host.ptr, 0, host.len) != NULL))
        return bad(fail, text, "the host is too long or not text");
    struct listen_address address = {.port = (uint16_t)number};
    if (host.len > 0)
        memcpy(address.host, host.ptr, host.len);
    *out_address = address;
    return OK;
}

/* ---- Opening ---- */

/* What a person can do something about gets its own code. */
static enum err open_failed(struct fail *fail, const char *text, int number)
{
    enum err code = number == EADDRINUSE                  ? ERR_BUSY
                    : number == EACCES || number == EPERM ? ERR_ACCESS_DENIED
                                                          : ERR_IO;
    return fail_set(fail, code, "listen", "cannot listen on %s: %s", text, strerror(number));
}

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

static int open_socket(const struct addrinfo *address, bool is_dual)
{
    FD_SCOPED int fd =
        socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -1;
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0 ||
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) != 0)
        return -1;
    if (address->ai_family == AF_INET6 &&
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_dual ? 0 : 1) != 0)
        return -1;
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        return -1;
    return fd_take(&fd);
}

static void describe(const struct sockaddr_storage *address, struct listener *out_listener)
{
    struct peer peer = peer_from(address);
    out_listener->port = peer.port;
    char text[PEER_TEXT_MAX];
    str formatted = peer_format(&peer, text);
    memcpy(out_listener->text, text, formatted.len + 1);
}

static enum err open_one(const struct addrinfo *address, bool is_dual,
                         struct listener *out_listener, struct fail *fail)
{
    struct sockaddr_storage wanted = {0};
    memcpy(&wanted, address->ai_addr, address->ai_addrlen);
    struct listener listener;
    describe(&wanted, &listener);
    listener.fd = open_socket(address, is_dual);
    if (listener.fd < 0)
        return open_failed(fail, listener.text, errno);
    struct sockaddr_storage real = {0};
    socklen_t size = sizeof(real);
    if (getsockname(listener.fd, (struct sockaddr *)&real, &size) == 0)
        describe(&real, &listener);
    *out_listener = listener;
    return OK;
}

static void set_port(struct addrinfo *address, uint16_t port)
{
    uint16_t wire = htons(port);
    size_t offset = address->ai_family == AF_INET6 ? offsetof(struct sockaddr_in6, sin6_port)
                                                   : offsetof(struct sockaddr_in, sin_port);
    memcpy((char *)address->ai_addr + offset, &wire, sizeof(wire));
}

/* All addresses: one socket for both families, or IPv4 alone where the kernel has no IPv6. */
static enum err open_any(uint16_t port, struct listener *out_listener, struct fail *fail)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct addrinfo address = {
        .ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&any6, .ai_addrlen = sizeof(any6)};
    struct fail ignored = {0};
    enum err err = open_one(&address, true, out_listener, &ignored);
    if (err == OK || err == ERR_BUSY || err == ERR_ACCESS_DENIED) {
        if (err != OK && fail != NULL)
            *fail = ignored;
        return err;
    }
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    address = (struct addrinfo){
        .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&any4, .ai_addrlen = sizeof(any4)};
    return open_one(&address, false, out_listener, fail);
}

/* A name may have an address of a family that the machine does not serve (a container without IPv6): that one is passed
 * over as long as another works. An address in use is a failure, because clients might reach the wrong server there. */
static enum err open_each(struct addrinfo *list, struct listener *out_listener, size_t max,
                          size_t *out_count, struct fail *fail)
{
    size_t count = 0;
    enum err last = ERR_BAD_INPUT;
    struct fail last_fail = {0};
    for (struct addrinfo *address = list; address != NULL && count < max;
         address = address->ai_next) {
        if (count > 0)
            set_port(address, out_listener[0].port);
        struct fail one = {0};
        enum err err = open_one(address, false, &out_listener[count], &one);
        if (err == OK) {
            count++;
            continue;
        }
        last = err;
        last_fail = one;
        if (err == ERR_BUSY)
            break;
    }
    if (count > 0 && last != ERR_BUSY) {
        *out_count = count;
        return OK;
    }
    while (count > 0)
        listen_close(&out_listener[--count]);
    if (fail != NULL)
        *fail = last_fail;
    return last;
}

enum err listen_open(str text, struct listener *out_listener, size_t max, size_t *out_count,
                     struct fail *fail)
{
    assert(max > 0);
    struct listen_address wanted;
    TRY(listen_parse(text, &wanted, fail));
    if (wanted.host[0] == '\0') {
        TRY(open_any(wanted.port, out_listener, fail));
        *out_count = 1;
        return OK;
    }
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)wanted.port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(wanted.host, port, &hints, &list);
    if (failed != 0)
        return bad(fail, text, gai_strerror(failed));
    enum err err = open_each(list, out_listener, max, out_count, fail);
    freeaddrinfo(list);
    return err;
}

void listen_close(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}

void listen_stop(const struct listener *listener)
{
    /* The socket leaves the listening state, and the descriptor stays. */
    (void)shutdown(listener->fd, SHUT_RDWR);
}

/* ---- Accepting ---- */

enum err listen_accept(int listen_fd, int *out_fd, struct peer *out_peer)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    int fd = accept4(listen_fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        *out_fd = fd;
        *out_peer = peer_from(&address);
        return OK;
    }
    switch (errno) {
    case EAGAIN:
        return ERR_WOULD_BLOCK;
    case EINVAL:
        return ERR_CLOSED;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return ERR_NO_MEMORY;
    default:
        /* accept(2) also tells errors of the network that belong to the connection it did not give. */
        return ERR_RETRY;
    }
}
