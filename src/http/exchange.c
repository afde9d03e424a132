/* Exchanges: begin, end, and what the service may ask of them. */
#include "http/http_int.h"

#include <assert.h>

#include "base/clock.h"

struct http_exchange *exchange_new(struct http_connection *connection)
{
    struct arena *arena = server_take_arena(connection->server);
    struct http_exchange *x = arena_new_of(arena, struct http_exchange);
    x->connection = connection;
    x->arena = arena;
    x->peer_text = arena_alloc(arena, PEER_TEXT_MAX);
    return x;
}

static struct http_outcome outcome_of(const struct http_exchange *x)
{
    const struct reply *reply = &x->reply;
    int64_t begun_us = x->request.received_us;
    bool has_begun = reply->head_sent > 0;
    bool is_complete =
        reply->is_sealed && reply->head_sent == reply->head_len && reply->body_left == 0;
    /* A reply that left in one piece needs no second look at the clock. */
    bool is_at_once = is_complete && reply->body_sent == 0;
    int64_t end_us = is_at_once ? reply->first_byte_us : clock_mono_us();
    return (struct http_outcome){
        .status = has_begun ? reply->status : 0,
        .body_in_bytes = x->body_in_bytes,
        .body_out_bytes = reply->body_sent,
        .first_byte_us = has_begun ? reply->first_byte_us - begun_us : 0,
        .total_us = end_us - begun_us,
        .is_complete = is_complete,
    };
}

void exchange_end(struct http_exchange *x)
{
    struct http_connection *c = x->connection;
    reply_close_source(&x->reply);
    struct http_outcome outcome = outcome_of(x);
    struct http_service *service = c->server->service;
    service->on_done(service, x, &outcome);
    c->x = NULL;
    server_give_arena(c->server, x->arena);
}

/* ---- Questions of the service ---- */

const struct http_request *http_request(const struct http_exchange *x)
{
    return &x->request;
}

struct arena *http_arena(struct http_exchange *x)
{
    return x->arena;
}

struct loop *http_loop(struct http_exchange *x)
{
    return x->connection->server->loop;
}

struct http_service *http_service(struct http_exchange *x)
{
    return x->connection->server->service;
}

str http_peer(const struct http_exchange *x)
{
    return peer_format(&x->connection->peer, x->peer_text);
}

bool http_is_lost(const struct http_exchange *x)
{
    return x->is_lost;
}

bool http_is_half_closed(const struct http_exchange *x)
{
    return x->is_lost || x->connection->conn.is_peer_done;
}

void *http_context(const struct http_exchange *x)
{
    return x->context;
}

void http_set_context(struct http_exchange *x, void *context)
{
    x->context = context;
}
