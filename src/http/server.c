/* The server of one loop: its connections, what they share, drain and end. Accepting is in accept.c. */
#include "http/http_int.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { ARENA_MAX_BYTES = 16 * 1024 * 1024 };

/* ---- Connections ---- */

void server_add(struct http_server *server, struct http_connection *c)
{
    list_push_back(&server->connections, &c->link);
}

static void run_drained(struct task *task)
{
    struct http_server *server = container_of(task, struct http_server, drained);
    server->on_drained(server->drained_context);
}

static void check_drained(struct http_server *server)
{
    if (!server->is_draining || server->is_drained_posted ||
        atomic_load(&server->connection_count) > 0)
        return;
    server->is_drained_posted = true;
    loop_post(server->loop, &server->drained);
}

void server_uncount(struct http_server *server)
{
    unsigned before = atomic_fetch_sub(&server->connection_count, 1);
    if (before >= server->limits.connection_max_count)
        server_resume_accepting(server);
    check_drained(server);
}

void server_remove(struct http_server *server, struct http_connection *c)
{
    list_remove(&c->link);
    server_uncount(server);
}

unsigned http_server_connection_count(const struct http_server *server)
{
    return atomic_load_explicit(&server->connection_count, memory_order_relaxed);
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

/* ---- Life ---- */

static str copy_name_line(str name)
{
    if (name.len == 0)
        return STR("");
    size_t len = sizeof("Server: \r\n") - 1 + name.len;
    char *line = mem_alloc(len);
    memcpy(line, "Server: ", 8);
    memcpy(line + 8, name.ptr, name.len);
    memcpy(line + 8 + name.len, "\r\n", 2);
    return str_of(line, len);
}

struct http_group *http_group_new(unsigned server_max)
{
    struct http_group *group = mem_zalloc(
        mem_size_add(sizeof(*group), mem_size_mul(server_max, sizeof(struct http_server *))));
    group->capacity = server_max;
    return group;
}

void http_group_free(struct http_group *group)
{
    mem_free(group);
}

static void join_group(struct http_server *server, struct http_group *group)
{
    if (group == NULL)
        return;
    assert(group->count < group->capacity);
    group->server[group->count++] = server;
    server->group = group;
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
    timer_init(&server->accept_pause, server_accept_pause_over);
    server->drained.run = run_drained;
    /* An incomplete head and one more read must fit; so must what a full sink left over. */
    size_t for_head = mem_size_add(server->limits.head_max_bytes, 2 * HEAD_READ_BYTES);
    server->scratch_size = for_head > SCRATCH_BYTES ? for_head : SCRATCH_BYTES;
    server->scratch = mem_alloc(server->scratch_size);
    server->name_line = copy_name_line(options->server_name);
    join_group(server, options->group);
    return server;
}

void http_server_drain(struct http_server *server, void (*done)(void *context), void *context)
{
    assert(!server->is_draining);
    server_pause_accepting(server);
    server->is_draining = true;
    server->on_drained = done;
    server->drained_context = context;
    list_for_each (link, &server->connections)
        connection_drain(container_of(link, struct http_connection, link));
    check_drained(server);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL)
        return;
    server->is_draining = true; /* so that nothing is accepted as places come free */
    server->is_drained_posted = true;
    list_for_each (link, &server->connections)
        connection_abort(container_of(link, struct http_connection, link));
    server_close_acceptors(server);
    for (size_t i = 0; i < server->arena_count; i++)
        arena_free(server->arena[i]);
    mem_free(server->scratch);
    mem_free((char *)(uintptr_t)(server->name_line.len == 0 ? NULL : server->name_line.ptr));
    mem_free(server);
}
