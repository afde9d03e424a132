/* Accepting: taking connections from the shared listeners, and giving each to the loop that has the fewest.
 *
 * Each loop watches the shared socket with EPOLLEXCLUSIVE, so one of them is woken for a new connection. The kernel favours one
 * loop (README, section 6), so the one that accepts does not keep what another has more room for. */
#include "http/http_int.h"

#include <unistd.h>

#include "base/mem.h"
#include "net/listen.h"

enum {
    ACCEPT_BATCH = 16,        /* connections taken in one turn: the loop's others wait meanwhile */
    ACCEPT_PAUSE_US = 100000, /* after the system had no descriptor for another one */
};

struct acceptor {
    struct watch watch;
    struct list link;
    struct http_server *server;
    struct tls_context *tls; /* borrowed; null: plain */
    bool is_watched;
};

/* ---- Pausing ---- */

static enum err acceptor_resume(struct acceptor *acceptor)
{
    if (acceptor->is_watched)
        return OK;
    TRY(watch_add(acceptor->server->loop, &acceptor->watch));
    acceptor->is_watched = true;
    return OK;
}

static void acceptor_pause(struct acceptor *acceptor)
{
    if (acceptor->is_watched)
        watch_remove(acceptor->server->loop, &acceptor->watch);
    acceptor->is_watched = false;
}

static bool is_full(const struct http_server *server)
{
    return atomic_load(&server->connection_count) >= server->limits.connection_max_count;
}

void server_pause_accepting(struct http_server *server)
{
    list_for_each (link, &server->acceptors)
        acceptor_pause(container_of(link, struct acceptor, link));
}

static void try_again_later(struct http_server *server)
{
    timer_set(server->loop, &server->accept_pause, loop_now_us(server->loop) + ACCEPT_PAUSE_US);
}

void server_resume_accepting(struct http_server *server)
{
    if (server->is_draining || is_full(server))
        return;
    list_for_each (link, &server->acceptors) {
        if (acceptor_resume(container_of(link, struct acceptor, link)) != OK)
            try_again_later(server);
    }
}

void server_accept_pause_over(struct timer *timer)
{
    server_resume_accepting(container_of(timer, struct http_server, accept_pause));
}

/* ---- Sharing out ---- */

struct handover {
    struct task task;
    struct http_server *server;
    struct tls_context *tls;
    struct peer peer;
    int fd;
};

/* Counts the connection where it will live, at once, so that the next choice sees it. */
static struct http_server *choose(struct http_server *self)
{
    struct http_server *best = self;
    unsigned best_count = atomic_load_explicit(&self->connection_count, memory_order_relaxed);
    for (unsigned i = 0; self->group != NULL && i < self->group->count; i++) {
        struct http_server *other = self->group->server[i];
        unsigned count = atomic_load_explicit(&other->connection_count, memory_order_relaxed);
        if (count < best_count && !other->is_draining) {
            best = other;
            best_count = count;
        }
    }
    atomic_fetch_add(&best->connection_count, 1);
    return best;
}

static void adopt(struct task *task)
{
    struct handover handover = *container_of(task, struct handover, task);
    mem_free(container_of(task, struct handover, task));
    if (handover.server->is_draining) {
        close(handover.fd);
        server_uncount(handover.server);
        return;
    }
    connection_open(handover.server, handover.fd, handover.tls, &handover.peer);
    if (is_full(handover.server))
        server_pause_accepting(handover.server);
}

static void place(struct acceptor *acceptor, int fd, const struct peer *peer)
{
    struct http_server *server = choose(acceptor->server);
    if (server == acceptor->server) {
        if (is_full(server))
            server_pause_accepting(server);
        connection_open(server, fd, acceptor->tls, peer);
        return;
    }
    struct handover *handover = mem_new(struct handover);
    *handover = (struct handover){
        .task.run = adopt, .server = server, .tls = acceptor->tls, .peer = *peer, .fd = fd};
    loop_post(server->loop, &handover->task);
}

/* ---- Accepting ---- */

/* Numbers are given from below, so a high one says that nearly all are in use. */
static bool is_too_high(const struct http_server *server, int fd)
{
    return server->limits.fd_max > 0 && fd >= server->limits.fd_max;
}

static void accept_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct acceptor *acceptor = container_of(watch, struct acceptor, watch);
    for (int i = 0; i < ACCEPT_BATCH && acceptor->is_watched; i++) {
        int fd;
        struct peer peer;
        enum err err = listen_accept(watch->fd, &fd, &peer);
        if (err == ERR_WOULD_BLOCK)
            return;
        if (err == OK && is_too_high(acceptor->server, fd)) {
            close(fd);
            server_pause_accepting(acceptor->server);
            try_again_later(acceptor->server);
        } else if (err == OK) {
            place(acceptor, fd, &peer);
        } else if (err == ERR_CLOSED) {
            acceptor_pause(acceptor);
        } else if (err != ERR_RETRY) {
            /* Level-triggered, so without a pause this would be called again and again to no end. */
            server_pause_accepting(acceptor->server);
            try_again_later(acceptor->server);
        }
    }
}

enum err http_server_listen(struct http_server *server, int listen_fd, struct tls_context *tls)
{
    struct acceptor *acceptor = mem_new(struct acceptor);
    acceptor->watch =
        (struct watch){.fd = listen_fd, .events = EPOLLIN | EPOLLEXCLUSIVE, .ready = accept_ready};
    acceptor->server = server;
    acceptor->tls = tls;
    enum err err = acceptor_resume(acceptor);
    if (err != OK) {
        mem_free(acceptor);
        return err;
    }
    list_push_back(&server->acceptors, &acceptor->link);
    return OK;
}

void server_close_acceptors(struct http_server *server)
{
    server_pause_accepting(server);
    timer_cancel(server->loop, &server->accept_pause);
    list_for_each (link, &server->acceptors)
        mem_free(container_of(link, struct acceptor, link));
}
