#include "stub_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/bench_content.h"
#include "client/bench_plan.h"

enum { HEAD_MAX = 8192, PIECE = 65536, EARLY_PIECE = 1000 };

struct link {
    struct stub_server *server;
    int fd;
    char head[HEAD_MAX + 1];
    size_t head_len;
    unsigned replies;
};

static bool send_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

static bool send_text(int fd, const char *text)
{
    return send_all(fd, text, strlen(text));
}

/* One byte at a time, so that nothing of the body is taken; slow and simple. */
static bool read_head(struct link *link)
{
    link->head_len = 0;
    while (link->head_len < HEAD_MAX) {
        if (recv(link->fd, link->head + link->head_len, 1, 0) != 1)
            return false;
        link->head[++link->head_len] = '\0';
        if (link->head_len >= 4 && memcmp(link->head + link->head_len - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

static bool is_method(const struct link *link, const char *method)
{
    return strncmp(link->head, method, strlen(method)) == 0;
}

/* The index is the ten digits at the path's end; 0 for a path without. */
static uint64_t find_index(const struct link *link)
{
    const char *end = strstr(link->head, " HTTP/1.1");
    assert(end);
    uint64_t index = 0;
    (void)str_to_u64(str_of(end - 10, 10), &index);
    return index;
}

static void read_put(struct link *link, uint64_t index)
{
    static _Thread_local char piece[PIECE];
    uint64_t size = bench_key_size(link->server->options, index), at = 0;
    bool is_good = true;
    while (at < size) {
        ssize_t got = recv(link->fd, piece, size - at < PIECE ? (size_t)(size - at) : PIECE, 0);
        if (got <= 0)
            break;
        is_good &=
            bench_content_matches(link->server->content, index, at, str_of(piece, (size_t)got));
        at += (uint64_t)got;
    }
    if (!is_good || at < size)
        link->server->bad_puts++;
}

static char *make_body(struct link *link, uint64_t index, size_t *out_len)
{
    *out_len = (size_t)bench_key_size(link->server->options, index);
    char *body = malloc(*out_len + 1);
    for (size_t at = 0; at < *out_len;) {
        str piece = bench_content_at(link->server->content, index, at, *out_len - at);
        memcpy(body + at, piece.ptr, piece.len);
        at += piece.len;
    }
    if (link->server->mode == STUB_WRONG_BYTE)
        body[*out_len / 2] ^= 1;
    if (link->server->mode == STUB_WRONG_LENGTH)
        --*out_len;
    return body;
}

static bool send_chunked(int fd, const char *body, size_t len)
{
    char line[32];
    bool ok = send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; ok && at < len;) {
        size_t size = len - at < 777 ? len - at : 777;
        (void)snprintf(line, sizeof(line), "%zx;part=yes\r\n", size);
        ok = send_text(fd, line) && send_all(fd, body + at, size) && send_text(fd, "\r\n");
        at += size;
    }
    return ok && send_text(fd, "0\r\nX-Trailer: yes\r\n\r\n");
}

/* In one piece, so that the client sees the bytes behind the reply together with it. */
static bool send_with_extra(int fd, const char *body, size_t len)
{
    char *all = malloc(len + 128);
    int at = snprintf(all, 128, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    memcpy(all + at, body, len);
    memcpy(all + (size_t)at + len, "HTTP/1.1", 8);
    bool ok = send_all(fd, all, (size_t)at + len + 8);
    free(all);
    return ok;
}

/* True when the connection goes on. */
static bool send_body(struct link *link, const char *body, size_t len)
{
    char head[128];
    enum stub_mode mode = link->server->mode;
    if (mode == STUB_CHUNKED)
        return send_chunked(link->fd, body, len);
    if (mode == STUB_EXTRA)
        return send_with_extra(link->fd, body, len);
    if (mode == STUB_UNTIL_CLOSE) {
        (void)(send_text(link->fd, "HTTP/1.1 200 OK\r\n\r\n") && send_all(link->fd, body, len));
        return false;
    }
    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n",
                   mode == STUB_CLOSE_SAID ? "Connection: close\r\n" : "", len);
    size_t sent = mode == STUB_SHORT ? len / 2 : len;
    if (!send_text(link->fd, head) || !send_all(link->fd, body, sent))
        return false;
    return mode != STUB_SHORT && mode != STUB_CLOSE_SAID;
}

static bool answer_well(struct link *link)
{
    char text[256];
    uint64_t index = find_index(link);
    if (is_method(link, "PUT ")) {
        if (index || strstr(link->head, "/0000000000 "))
            read_put(link, index);
        return send_text(link->fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    if (is_method(link, "DELETE "))
        return send_text(link->fd, "HTTP/1.1 204 No Content\r\n\r\n");
    if (strstr(link->head, "?list-type=2")) {
        (void)snprintf(text, sizeof(text),
                       "<ListBucketResult><KeyCount>%d</KeyCount></ListBucketResult>",
                       STUB_LIST_KEYS);
        return send_chunked(link->fd, text, strlen(text));
    }
    if (is_method(link, "HEAD ")) {
        unsigned long long size = bench_key_size(link->server->options, index);
        (void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
                       size - (link->server->mode == STUB_WRONG_LENGTH));
        return send_text(link->fd, text);
    }
    size_t len;
    char *body = make_body(link, index, &len);
    bool goes_on = send_body(link, body, len);
    free(body);
    return goes_on;
}

/* A good server lets the client read the answer before it resets the connection. */
static bool answer_early(struct link *link)
{
    char piece[EARLY_PIECE];
    (void)recv(link->fd, piece, sizeof(piece), 0);
    (void)send_text(
        link->fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\ndenied");
    (void)shutdown(link->fd, SHUT_WR);
    for (int i = 0; i < 100 && recv(link->fd, piece, sizeof(piece), 0) > 0; i++)
        ;
    return false;
}

static bool answer(struct link *link)
{
    unsigned number = atomic_fetch_add(&link->server->requests, 1);
    switch (link->server->mode) {
    case STUB_STATUS_503:
        return send_text(link->fd, is_method(link, "HEAD ")
                                       ? "HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\n"
                                       : "HTTP/1.1 503 Slow Down\r\nContent-Length: 4\r\n\r\nbusy");
    case STUB_GARBAGE:
        return send_text(link->fd, "SSH-2.0-OpenSSH\r\n\r\n\r\n");
    case STUB_SILENT:
        return true;
    case STUB_EARLY_403:
        return answer_early(link);
    case STUB_CLOSE_UNSAID:
        return answer_well(link) && ++link->replies < 3;
    case STUB_SLOW_FIRST:
        if (number == 0)
            usleep(STUB_SLOW_MS * 1000);
        return answer_well(link);
    case STUB_GOOD:
    case STUB_CHUNKED:
    case STUB_UNTIL_CLOSE:
    case STUB_CLOSE_SAID:
    case STUB_EXTRA:
    case STUB_SHORT:
    case STUB_WRONG_BYTE:
    case STUB_WRONG_LENGTH:
        return answer_well(link);
    }
    return false;
}

static void *serve_link(void *context)
{
    struct link *link = context;
    struct stub_server *server = link->server;
    while (read_head(link) && answer(link))
        ;
    close(link->fd);
    free(link);
    atomic_fetch_sub(&server->running, 1);
    return NULL;
}

static void *serve(void *context)
{
    struct stub_server *server = context;
    int fd;
    while ((fd = accept(server->listen_fd, NULL, NULL)) >= 0) {
        struct link *link = calloc(1, sizeof(*link));
        pthread_t thread;
        int on =
            1; /* heads and bodies are written apart; without it each body would wait for an ACK */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        link->server = server;
        link->fd = fd;
        server->connections++;
        server->running++;
        int failed = pthread_create(&thread, NULL, serve_link, link);
        assert(!failed);
        pthread_detach(thread);
    }
    return NULL;
}

void stub_start(struct stub_server *server, enum stub_mode mode,
                const struct bench_options *options, const struct bench_content *content)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    *server = (struct stub_server){.mode = mode, .options = options, .content = content};
    server->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    int failed = bind(server->listen_fd, (struct sockaddr *)&address, size) ||
                 listen(server->listen_fd, 128) ||
                 getsockname(server->listen_fd, (struct sockaddr *)&address, &size) ||
                 pthread_create(&server->thread, NULL, serve, server);
    assert(!failed);
    server->port = ntohs(address.sin_port);
}

void stub_stop(struct stub_server *server)
{
    shutdown(server->listen_fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
    while (server->running)
        usleep(1000);
}
