/* The server of one loop: accepting, limits, what connections share, drain and end. */
#include "http/server.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http_int.h"
#include "net/listen.h"

enum {
    ACCEPT_BATCH = 16,        /* connections taken in one turn: the loop's others wait meanwhile */
    ACCEPT_PAUSE_US = 100000, /* after the system had no descriptor for another one */
    ARENA_KEEP_MAX = 64,      /* arenas kept for the next exchanges */
    ARENA_MAX_BYTES = 16 * 1024 * 1024,
};

struct acceptor {
    struct watch watch;
    struct list link;
    struct http_server *server;
    struct tls_context *tls; /* borrowed; null: plain */
    bool is_watched;
};

struct http_server {
    struct loop *loop;
    struct http_service *service;
    struct http_limits limits;
    struct list acceptors;
    struct timer accept_pause;
    struct list connections;
    unsigned connection_count;
    char *scratch;
    size_t scratch_size;
    struct arena *arena[ARENA_KEEP_MAX];
    size_t arena_count;
    char *name_line;
    size_t name_line_len;
    char date_line[64];
    size_t date_line_len;
    int64_t date_until_us; /* on the loop's clock */
    bool is_draining;
    struct task drained;
    bool is_drained_posted;
    void (*on_drained)(void *context);
    void *drained_context;
};

/* ---- Accepting ---- */

/* Each loop watches the shared socket; the kernel wakes one of them for a new connection. */
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

static void pause_accepting(struct http_server *server)
{
    list_for_each(link, &server->acceptors)
        acceptor_pause(container_of(link, struct acceptor, link));
}

static void resume_accepting(struct http_server *server)
{
    if (server->is_draining || server->connection_count >= server->limits.connection_max_count)
        return;
    list_for_each(link, &server->acceptors) {
        if (acceptor_resume(container_of(link, struct acceptor, link)) != OK)
            timer_set(server->loop, &server->accept_pause, loop_now_us(server->loop) + ACCEPT_PAUSE_US);
    }
}

static void pause_over(struct timer *timer)
{
    resume_accepting(container_of(timer, struct http_server, accept_pause));
}

static void accept_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct acceptor *acceptor = container_of(watch, struct acceptor, watch);
    struct http_server *server = acceptor->server;
    for (int i = 0; i < ACCEPT_BATCH && acceptor->is_watched; i++) {
        int fd;
        struct peer peer;
        enum err err = listen_accept(watch->fd, &fd, &peer);
        if (err == ERR_WOULD_BLOCK)
            return;
        if (err == OK) {
            connection_open(server, fd, acceptor->tls, &peer);
        } else if (err != ERR_RETRY) {
            /* Level-triggered, so without a pause this would be called again and again to no end. */
            pause_accepting(server);
            timer_set(server->loop, &server->accept_pause, loop_now_us(server->loop) + ACCEPT_PAUSE_US);
        }
    }
}

enum err http_server_listen(struct http_server *server, int listen_fd, struct tls_context *tls)
{
    struct acceptor *acceptor = mem_new(struct acceptor);
    acceptor->watch = (struct watch){.fd = listen_fd, .events = EPOLLIN | EPOLLEXCLUSIVE, .ready = accept_ready};
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

/* ---- Connections ---- */

void server_add(struct http_server *server, struct http_connection *c)
{
    list_push_back(&server->connections, &c->link);
    server->connection_count++;
    if (server->connection_count >= server->limits.connection_max_count)
        pause_accepting(server);
}

static void run_drained(struct task *task)
{
    struct http_server *server = container_of(task, struct http_server, drained);
    server->on_drained(server->drained_context);
}

static void check_drained(struct http_server *server)
{
    if (!server->is_draining || server->connection_count > 0 || server->is_drained_posted)
        return;
    server->is_drained_posted = true;
    loop_post(server->loop, &server->drained);
}

void server_remove(struct http_server *server, struct http_connection *c)
{
    list_remove(&c->link);
    bool was_full = server->connection_count-- >= server->limits.connection_max_count;
    if (was_full)
        resume_accepting(server);
    check_drained(server);
}

unsigned http_server_connection_count(const struct http_server *server)
{
    return server->connection_count;
}

/* ---- What connections share ---- */

struct arena *server_take_arena(struct http_server *server)
{
    if (server->arena_count > 0)
        return server->arena[--server->arena_count];
    return arena_new(server->limits.arena_max_bytes);
}

void server_give_arena(struct http_server *server, struct arena *arena)
{
    if (server->arena_count == ARENA_KEEP_MAX) {
        arena_free(arena);
        return;
    }
    arena_reset(arena);
    server->arena[server->arena_count++] = arena;
}

str server_date_line(struct http_server *server)
{
    int64_t now_us = loop_now_us(server->loop);
    if (now_us >= server->date_until_us) {
        int64_t real_ms = clock_real_ms();
        char text[CLOCK_TEXT_MAX];
        str date = clock_format_http(real_ms, text);
        const str part[3] = {STR("Date: "), date, STR("\r\n")};
        size_t len = 0;
        for (size_t i = 0; i < 3; i++) {
            memcpy(server->date_line + len, part[i].ptr, part[i].len);
            len += part[i].len;
        }
        server->date_line_len = len;
        server->date_until_us = now_us + (1000 - real_ms % 1000) * 1000;
    }
    return str_of(server->date_line, server->date_line_len);
}

str server_name_line(const struct http_server *server)
{
    return str_of(server->name_line, server->name_line_len);
}

struct loop *server_loop(const struct http_server *server)
{
    return server->loop;
}

struct http_service *server_service(const struct http_server *server)
{
    return server->service;
}

const struct http_limits *server_limits(const struct http_server *server)
{
    return &server->limits;
}

char *server_scratch(const struct http_server *server)
{
    return server->scratch;
}

size_t server_scratch_size(const struct http_server *server)
{
    return server->scratch_size;
}

bool server_is_draining(const struct http_server *server)
{
    return server->is_draining;
}

/* ---- Life ---- */

static void set_name_line(struct http_server *server, str name)
{
    if (name.len == 0)
        return;
    server->name_line_len = sizeof("Server: \r\n") - 1 + name.len;
    server->name_line = mem_alloc(server->name_line_len);
    memcpy(server->name_line, "Server: ", 8);
    memcpy(server->name_line + 8, name.ptr, name.len);
    memcpy(server->name_line + 8 + name.len, "\r\n", 2);
}

struct http_server *http_server_new(const struct http_server_options *options)
{
    assert(options->limits.head_max_bytes > 0 && options->limits.connection_max_count > 0);
    struct http_server *server = mem_new(struct http_server);
    server->loop = options->loop;
    server->service = options->service;
    server->limits = options->limits;
    if (server->limits.arena_max_bytes == 0)
        server->limits.arena_max_bytes = ARENA_MAX_BYTES;
    list_init(&server->acceptors);
    list_init(&server->connections);
    timer_init(&server->accept_pause, pause_over);
    server->drained.run = run_drained;
    /* An incomplete head and one more read must fit; so must what a full sink left over. */
    size_t for_head = mem_size_add(server->limits.head_max_bytes, 2 * HEAD_READ_BYTES);
    server->scratch_size = for_head > SCRATCH_BYTES ? for_head : SCRATCH_BYTES;
    server->scratch = mem_alloc(server->scratch_size);
    set_name_line(server, options->server_name);
    return server;
}

void http_server_drain(struct http_server *server, void (*done)(void *context), void *context)
{
    assert(!server->is_draining);
    pause_accepting(server);
    server->is_draining = true;
    server->on_drained = done;
    server->drained_context = context;
    list_for_each(link, &server->connections)
        connection_close_idle(container_of(link, struct http_connection, link));
    check_drained(server);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    server->is_draining = true; /* so that nothing is accepted as places come free */
    server->is_drained_posted = true;
    list_for_each(link, &server->connections)
        connection_abort(container_of(link, struct http_connection, link));
    pause_accepting(server);
    timer_cancel(server->loop, &server->accept_pause);
    list_for_each(acceptor_link, &server->acceptors)
        mem_free(container_of(acceptor_link, struct acceptor, link));
    for (size_t i = 0; i < server->arena_count; i++)
        arena_free(server->arena[i]);
    mem_free(server->scratch);
    mem_free(server->name_line);
    mem_free(server);
}
