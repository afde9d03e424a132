/* Aim: the server keeps its promises to a service when things do not go as usual: each exchange ends by exactly one on_done,
 * each source is closed once, each sink is ended or failed once, whether the client stays, goes or the server is freed.
 * What a client sees is tested in tests/wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "event/loop.h"
#include "http/server.h"
#include "net/listen.h"

/* One server, one service, and what happened to its exchanges. What the service does is a function of the test. */
struct world {
    struct loop *loop;
    struct http_server *server;
    struct http_service service;
    struct listener listener;
    void (*serve)(struct world *world, struct http_exchange *x);
    struct http_exchange *x; /* of the last head, until its on_done */
    struct http_sink sink;
    struct http_source source;
    struct timer patience;
    struct http_outcome outcome;
    int head_count, bad_count, done_count, end_count, close_count;
    int fail_count;
    enum err fail_err;
    enum err bad_err;
    size_t written;
    struct direct *direct;
    bool stops_at_head, stops_at_done;
};

static struct world *world_of(struct http_exchange *x)
{
    return container_of(http_service(x), struct world, service);
}

static void on_head(struct http_service *service, struct http_exchange *x)
{
    struct world *world = container_of(service, struct world, service);
    world->head_count++;
    world->x = x;
    world->serve(world, x);
    if (world->stops_at_head)
        loop_stop(world->loop);
}

static void on_bad_request(struct http_service *service, struct http_exchange *x, enum err err)
{
    struct world *world = container_of(service, struct world, service);
    world->bad_count++;
    world->bad_err = err;
    http_reply_begin(x, 400);
    http_reply_send(x);
}

static void on_done(struct http_service *service, struct http_exchange *x,
                    const struct http_outcome *outcome)
{
    struct world *world = container_of(service, struct world, service);
    (void)x;
    world->done_count++;
    world->outcome = *outcome;
    world->x = NULL;
    if (world->stops_at_done)
        loop_stop(world->loop);
}

static void out_of_patience(struct timer *timer)
{
    (void)timer;
    fail_msg("what the test waits for did not come");
}

static void open_world(struct world *world,
                       void (*serve)(struct world *world, struct http_exchange *x))
{
    *world = (struct world){.serve = serve, .stops_at_done = true};
    world->service = (struct http_service){
        .on_head = on_head, .on_bad_request = on_bad_request, .on_done = on_done};
    world->loop = loop_new();
    assert_non_null(world->loop);
    size_t count;
    assert_int_equal(listen_open(STR("127.0.0.1:0"), &world->listener, 1, &count, NULL), OK);
    world->server = http_server_new(&(struct http_server_options){
        .loop = world->loop,
        .service = &world->service,
        .limits = {.head_max_bytes = 4096,
                   .header_max_count = 20,
                   .head_timeout_ms = 5000,
                   .body_timeout_ms = 5000,
                   .idle_timeout_ms = 5000,
                   .drain_max_bytes = 1000,
                   .connection_max_count = 10},
    });
    assert_int_equal(http_server_listen(world->server, world->listener.fd, NULL), OK);
    timer_init(&world->patience, out_of_patience);
    timer_set(world->loop, &world->patience, loop_now_us(world->loop) + 10 * 1000 * 1000);
}

static void close_world(struct world *world)
{
    http_server_free(world->server);
    timer_cancel(world->loop, &world->patience);
    loop_free(world->loop);
    listen_close(&world->listener);
}

static int connect_client(const struct world *world)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(world->listener.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void reset_client(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(fd);
}

/* What has arrived, as text. */
static const char *hear(int fd)
{
    static char text[65536];
    ssize_t got = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(got >= 0);
    text[got] = '\0';
    return text;
}

static void nothing(struct world *world, struct http_exchange *x)
{
    (void)world, (void)x;
}

/* Runs the loop for a moment. */
static void stop_now(struct timer *timer)
{
    struct world *world = container_of(timer, struct world, patience);
    loop_stop(world->loop);
}

static void run_briefly(struct world *world)
{
    timer_cancel(world->loop, &world->patience);
    timer_init(&world->patience, stop_now);
    timer_set(world->loop, &world->patience, loop_now_us(world->loop) + 30000);
    loop_run(world->loop);
    timer_init(&world->patience, out_of_patience);
}

/* ---- Sinks and sources that count ---- */

static size_t take_all(struct http_sink *sink, str data)
{
    container_of(sink, struct world, sink)->written += data.len;
    return data.len;
}

static void take_end(struct http_sink *sink)
{
    container_of(sink, struct world, sink)->end_count++;
}

static void take_fail(struct http_sink *sink, enum err err)
{
    struct world *world = container_of(sink, struct world, sink);
    world->fail_count++;
    world->fail_err = err;
}

static void read_body(struct world *world, struct http_exchange *x)
{
    world->sink = (struct http_sink){.write = take_all, .end = take_end, .fail = take_fail};
    http_body_read(x, &world->sink);
}

static enum err never_next(struct http_source *source, struct http_piece *out_piece)
{
    (void)source, (void)out_piece;
    return ERR_PENDING;
}

static void count_close(struct http_source *source)
{
    container_of(source, struct world, source)->close_count++;
}

static void reply_with_pending_source(struct world *world, struct http_exchange *x)
{
    world->source = (struct http_source){.next = never_next, .close = count_close};
    http_reply_begin(x, 200);
    http_reply_source(x, &world->source, 100);
    http_reply_send(x);
}

/* ---- Bytes that go where the sink wants them ---- */

enum { DIRECT_BYTES = 199999, DIRECT_ROOM = 300 * 1000 };

/* A body that is offered in part and put in place in part. */
struct direct {
    char bytes[DIRECT_BYTES + DIRECT_ROOM]; /* more room than there is to come */
    size_t len, offered, taken;
};

static size_t direct_write(struct http_sink *sink, str data)
{
    struct direct *direct = container_of(sink, struct world, sink)->direct;
    assert_true(data.len <= DIRECT_BYTES - direct->len);
    memcpy(direct->bytes + direct->len, data.ptr, data.len);
    direct->len += data.len;
    direct->offered += data.len;
    return data.len;
}

static char *direct_room(struct http_sink *sink, size_t *out_len)
{
    struct direct *direct = container_of(sink, struct world, sink)->direct;
    *out_len = DIRECT_ROOM;
    return direct->bytes + direct->len;
}

static void direct_took(struct http_sink *sink, size_t len)
{
    struct direct *direct = container_of(sink, struct world, sink)->direct;
    assert_true(len > 0 && len <= DIRECT_BYTES - direct->len);
    direct->len += len;
    direct->taken += len;
}

static void direct_end(struct http_sink *sink)
{
    struct world *world = container_of(sink, struct world, sink);
    world->end_count++;
    http_reply_begin(world->x, 204);
    http_reply_send(world->x);
}

/* A body, and with it the head of the next request, which must not become a part of it. */
static void serve_direct(struct world *world, struct http_exchange *x)
{
    if (world->head_count == 2) {
        assert_true(str_eq(http_request(x)->method, STR("GET")));
        http_reply_begin(x, 204);
        http_reply_send(x);
        return;
    }
    world->stops_at_done = false;
    world->sink = (struct http_sink){.write = direct_write,
                                     .end = direct_end,
                                     .fail = take_fail,
                                     .room = direct_room,
                                     .took = direct_took};
    http_body_read(x, &world->sink);
}

/* All of it, or half, after which the client goes. */
static void test_bytes_go_where_the_sink_wants_them(void **state)
{
    (void)state;
    enum { HEAD = 51, NEXT = 27 };
    static char message[HEAD + DIRECT_BYTES + NEXT];
    memcpy(message, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 199999\r\n\r\n", HEAD);
    for (size_t i = 0; i < DIRECT_BYTES; i++)
        message[HEAD + i] = (char)(i * 31 + i / 256);
    memcpy(message + HEAD + DIRECT_BYTES, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", NEXT);
    for (int is_whole = 0; is_whole < 2; is_whole++) {
        static struct direct direct;
        direct.len = direct.offered = direct.taken = 0;
        struct world world;
        open_world(&world, serve_direct);
        world.direct = &direct;
        int client = connect_client(&world);
        /* All of it lies in the sockets before the first byte is read. */
        int room = sizeof(message);
        assert_int_equal(setsockopt(client, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
        size_t len = is_whole ? sizeof(message) : HEAD + DIRECT_BYTES / 2;
        assert_int_equal(send(client, message, len, MSG_NOSIGNAL), (ssize_t)len);
        assert_int_equal(shutdown(client, SHUT_WR), 0);
        while (is_whole ? world.done_count < 2 : world.fail_count < 1)
            run_briefly(&world);
        assert_int_equal(world.end_count, is_whole);
        assert_int_equal(world.fail_err, is_whole ? OK : ERR_SHORT_BODY);
        assert_int_equal(direct.len, is_whole ? DIRECT_BYTES : DIRECT_BYTES / 2);
        assert_int_equal(direct.offered + direct.taken, direct.len);
        assert_true(direct.offered > 0 && direct.taken > 0);
        assert_memory_equal(direct.bytes, message + HEAD, direct.len);
        close(client);
        close_world(&world);
    }
}

/* ---- Freeing the server ---- */

struct abandoned {
    const char *name;
    void (*serve)(struct world *world, struct http_exchange *x);
    const char *text;
    int done_count, fail_count, close_count;
};

static const struct abandoned abandoned[] = {
    {"connected", nothing, "", 0, 0, 0},
    {"half a head", nothing, "GET / HT", 0, 0, 0},
    {"the service thinks", nothing, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1, 0, 0},
    {"the service thinks, more requests wait", nothing,
     "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 1, 0, 0},
    {"a body comes", read_body, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", 1, 1,
     0},
    {"a source is waited for", reply_with_pending_source, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1, 0,
     1},
};

static void test_free_breaks_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(abandoned) / sizeof(abandoned[0]); i++) {
        struct world world;
        open_world(&world, abandoned[i].serve);
        int client = connect_client(&world);
        say(client, abandoned[i].text);
        run_briefly(&world);
        assert_int_equal(world.done_count, 0);
        close_world(&world);
        bool is_as_told = world.done_count == abandoned[i].done_count &&
                          world.fail_count == abandoned[i].fail_count &&
                          world.close_count == abandoned[i].close_count && world.end_count == 0;
        if (!is_as_told)
            fail_msg("%s: done %d, fail %d, close %d", abandoned[i].name, world.done_count,
                     world.fail_count, world.close_count);
        if (world.fail_count > 0)
            assert_int_equal(world.fail_err, ERR_CANCELLED);
        if (world.done_count > 0)
            assert_int_equal(world.outcome.status, 0);
        close(client);
    }
}

/* ---- Lost clients ---- */

static void test_lost_while_the_service_thinks(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, nothing);
    int client = connect_client(&world);
    say(client, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    run_briefly(&world);
    assert_false(http_is_lost(world.x));
    reset_client(client);
    run_briefly(&world);
    assert_true(http_is_lost(world.x));
    assert_int_equal(http_server_connection_count(world.server), 1);
    /* The service does not know, and goes on: it is told by the sink. */
    read_body(&world, world.x);
    run_briefly(&world);
    assert_int_equal(world.fail_count, 1);
    assert_int_equal(world.fail_err, ERR_SHORT_BODY);
    assert_int_equal(world.written, 0);
    assert_int_equal(world.done_count, 0);
    reply_with_pending_source(&world, world.x);
    assert_int_equal(world.done_count, 0); /* never from inside the call */
    loop_run(world.loop);
    assert_int_equal(world.done_count, 1);
    assert_int_equal(world.close_count, 1);
    assert_int_equal(world.outcome.status, 0);
    assert_false(world.outcome.is_complete);
    assert_int_equal(http_server_connection_count(world.server), 0);
    close_world(&world);
    assert_int_equal(world.done_count, 1);
}

static void test_lost_while_the_source_is_waited_for(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, reply_with_pending_source);
    int client = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_briefly(&world);
    assert_int_equal(world.done_count, 0);
    reset_client(client);
    loop_run(world.loop);
    assert_int_equal(world.done_count, 1);
    assert_int_equal(world.close_count, 1);
    assert_int_equal(world.outcome.status, 0); /* the head waited for the source */
    close_world(&world);
}

/* A client that has only finished sending is not lost. */
static void test_half_closed_is_not_lost(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, nothing);
    int client = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    run_briefly(&world);
    assert_false(http_is_lost(world.x));
    assert_true(http_is_half_closed(world.x));
    http_reply_begin(world.x, 204);
    http_reply_send(world.x);
    loop_run(world.loop);
    assert_true(world.outcome.is_complete);
    assert_non_null(strstr(hear(client), "204 No Content"));
    close(client);
    close_world(&world);
}

/* ---- Replies ---- */

/* A reply that was begun with a source is thought over: the source is closed, nothing of the first reply is left. */
static void think_again(struct world *world, struct http_exchange *x)
{
    world->source = (struct http_source){.next = never_next, .close = count_close};
    http_reply_begin(x, 200);
    http_reply_header(x, "X-First", STR("1"));
    http_reply_source(x, &world->source, 5);
    http_reply_close(x);
    http_reply_begin(x, 404);
    http_reply_header_u64(x, "X-Number", UINT64_MAX);
    http_reply_body(x, STR("none"));
    http_reply_send(x);
}

static void test_reply_begun_again(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, think_again);
    int client = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    loop_run(world.loop);
    assert_int_equal(world.close_count, 1);
    const char *text = hear(client);
    assert_true(
        strncmp(text,
                "HTTP/1.1 404 Not Found\r\nX-Number: 18446744073709551615\r\nContent-Length: 4\r\n",
                74) == 0);
    assert_null(strstr(text, "X-First"));
    assert_null(strstr(text, "Connection"));
    assert_int_equal(world.outcome.status, 404);
    assert_int_equal(world.outcome.body_out_bytes, 4);
    assert_true(world.outcome.is_complete);
    assert_true(world.outcome.first_byte_us >= 0 &&
                world.outcome.total_us >= world.outcome.first_byte_us);
    close(client);
    close_world(&world);
}

/* A source whose piece is there by the time `next` returns ERR_PENDING. */
static enum err next_after_ready(struct http_source *source, struct http_piece *out_piece)
{
    struct world *world = container_of(source, struct world, source);
    if (world->written++ == 0) {
        http_source_ready(world->x);
        return ERR_PENDING;
    }
    out_piece->bytes = STR("abc");
    return OK;
}

static void reply_ready_inside(struct world *world, struct http_exchange *x)
{
    world->source = (struct http_source){.next = next_after_ready, .close = count_close};
    http_reply_begin(x, 200);
    http_reply_source(x, &world->source, 3);
    http_reply_send(x);
}

static void test_ready_from_inside_next(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, reply_ready_inside);
    int client = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    loop_run(world.loop);
    assert_true(str_has_suffix(str_from(hear(client)), STR("\r\n\r\nabc")));
    assert_int_equal(world.close_count, 1);
    close(client);
    close_world(&world);
}

/* ---- Clients that do not read ---- */

enum { SLOW_BODY_BYTES = 24 << 20, LENT_BYTES = 256 << 10 };

/* A body that is different at every place, lent in pieces. */
static struct {
    size_t offset;
    int next_count, park_count;
    char lent[LENT_BYTES];
} slow;

static char slow_byte(size_t offset)
{
    return (char)(offset % 251 + offset / 1000003);
}

static enum err slow_next(struct http_source *source, struct http_piece *out_piece)
{
    (void)source;
    size_t left = SLOW_BODY_BYTES - slow.offset;
    size_t len = left < LENT_BYTES ? left : LENT_BYTES;
    for (size_t i = 0; i < len; i++)
        slow.lent[i] = slow_byte(slow.offset + i);
    slow.offset += len;
    slow.next_count++;
    out_piece->bytes = str_of(slow.lent, len);
    return OK;
}

static void slow_park(struct http_source *source, size_t unsent)
{
    struct world *world = container_of(source, struct world, source);
    assert_true(unsent > 0 && unsent <= LENT_BYTES);
    memset(slow.lent, '!', sizeof(slow.lent)); /* it belongs to somebody else now */
    slow.offset -= unsent;
    slow.park_count++;
    loop_stop(world->loop);
}

static void reply_slow(struct world *world, struct http_exchange *x)
{
    world->source =
        (struct http_source){.next = slow_next, .park = slow_park, .close = count_close};
    http_reply_begin(x, 200);
    http_reply_source(x, &world->source, SLOW_BODY_BYTES);
    http_reply_send(x);
}

/* Reads what is there; the body's bytes must be the right ones. */
static void hear_slow_body(int fd, size_t *head_bytes, size_t *body_bytes)
{
    static char text[1 << 20];
    ssize_t got;
    while ((got = recv(fd, text, sizeof(text), MSG_DONTWAIT)) > 0) {
        size_t at = 0;
        if (*head_bytes == 0) {
            const char *end = memmem(text, (size_t)got, "\r\n\r\n", 4);
            assert_non_null(end);
            at = *head_bytes = (size_t)(end - text) + 4;
        }
        for (; at < (size_t)got; at++, (*body_bytes)++) {
            if (text[at] != slow_byte(*body_bytes))
                fail_msg("wrong byte at %zu", *body_bytes);
        }
    }
}

static void test_piece_is_parked(void **state)
{
    (void)state;
    struct world world;
    memset(&slow, 0, sizeof(slow));
    open_world(&world, reply_slow);
    world.stops_at_done = false;
    int client = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    int64_t begun_us = loop_now_us(world.loop);
    loop_run(world.loop);
    assert_int_equal(slow.park_count, 1);
    assert_true(loop_now_us(world.loop) - begun_us > 1500 * 1000); /* it has had its time */
    int next_count = slow.next_count;
    say(client, "G"); /* it is there, but does not read */
    for (int i = 0; i < 3; i++)
        run_briefly(&world);
    assert_int_equal(slow.next_count, next_count); /* nothing is fetched for it */
    size_t head_bytes = 0, body_bytes = 0;
    while (world.done_count == 0 || body_bytes < SLOW_BODY_BYTES) {
        hear_slow_body(client, &head_bytes, &body_bytes);
        run_briefly(&world);
    }
    assert_int_equal(body_bytes, SLOW_BODY_BYTES);
    assert_true(world.outcome.is_complete);
    assert_int_equal(world.close_count, 1);
    close(client);
    close_world(&world);
}

/* It leaves while nothing is lent, and is found out. */
static void test_lost_while_parked(void **state)
{
    (void)state;
    struct world world;
    memset(&slow, 0, sizeof(slow));
    open_world(&world, reply_slow);
    int client = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    loop_run(world.loop);
    assert_int_equal(slow.park_count, 1);
    reset_client(client);
    loop_run(world.loop);
    assert_int_equal(world.done_count, 1);
    assert_int_equal(world.close_count, 1);
    assert_false(world.outcome.is_complete);
    close_world(&world);
}

static void long_head(struct world *world, struct http_exchange *x)
{
    (void)world;
    static char value[3000];
    memset(value, 'v', sizeof(value));
    http_reply_begin(x, 200);
    for (int i = 0; i < 10; i++)
        http_reply_header(x, "X-Long", str_of(value, sizeof(value)));
    http_reply_send(x);
}

static void test_long_reply_head(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, long_head);
    int client = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    loop_run(world.loop);
    assert_true(str_has_suffix(str_from(hear(client)), STR("\r\n\r\n")));
    assert_true(world.outcome.is_complete);
    close(client);
    close_world(&world);
}

/* ---- What an exchange tells ---- */

static void describe(struct world *world, struct http_exchange *x)
{
    const struct http_request *request = http_request(x);
    assert_ptr_equal(http_loop(x), world->loop);
    assert_ptr_equal(world_of(x), world);
    assert_null(http_context(x));
    http_set_context(x, world);
    assert_ptr_equal(http_context(x), world);
    assert_true(str_has_prefix(http_peer(x), STR("127.0.0.1:")));
    assert_false(request->is_tls);
    assert_true(request->received_us > 0);
    assert_int_equal(arena_used(http_arena(x)) > 0, 1);
    http_reply_begin(x, 204);
    http_reply_send(x);
}

static void test_questions(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, describe);
    int client = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    loop_run(world.loop);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); /* in a used arena */
    loop_run(world.loop);
    assert_int_equal(world.head_count, 2);
    close(client);
    close_world(&world);
}

static void test_bad_request(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, describe);
    int client = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\n\r\n");
    loop_run(world.loop);
    assert_int_equal(world.bad_count, 1);
    assert_int_equal(world.bad_err, ERR_BAD_REQUEST);
    assert_int_equal(world.head_count, 0);
    assert_int_equal(world.outcome.status, 400);
    close(client);
    close_world(&world);
}

/* ---- Drain ---- */

static void drained(void *context)
{
    struct world *world = context;
    world->end_count++;
    loop_stop(world->loop);
}

static void test_drain_without_connections(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, nothing);
    http_server_drain(world.server, drained, &world);
    assert_int_equal(world.end_count, 0); /* never from inside the call */
    loop_run(world.loop);
    assert_int_equal(world.end_count, 1);
    close_world(&world);
}

static void test_drain_waits(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, nothing);
    int client = connect_client(&world), idle = connect_client(&world);
    say(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_briefly(&world);
    assert_int_equal(http_server_connection_count(world.server), 2);
    http_server_drain(world.server, drained, &world);
    run_briefly(&world);
    assert_int_equal(http_server_connection_count(world.server), 1);
    assert_int_equal(world.end_count, 0);
    world.stops_at_done = false;
    http_reply_begin(world.x, 204);
    http_reply_send(world.x);
    loop_run(world.loop);
    assert_int_equal(world.end_count, 1);
    assert_non_null(strstr(hear(client), "Connection: close"));
    close(client);
    close(idle);
    close_world(&world);
}

static void test_bad_listener(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, nothing);
    assert_int_equal(http_server_listen(world.server, -1, NULL), ERR_IO);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_go_where_the_sink_wants_them),
        cmocka_unit_test(test_free_breaks_off),
        cmocka_unit_test(test_lost_while_the_service_thinks),
        cmocka_unit_test(test_lost_while_the_source_is_waited_for),
        cmocka_unit_test(test_half_closed_is_not_lost),
        cmocka_unit_test(test_reply_begun_again),
        cmocka_unit_test(test_ready_from_inside_next),
        cmocka_unit_test(test_piece_is_parked),
        cmocka_unit_test(test_lost_while_parked),
        cmocka_unit_test(test_long_reply_head),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_bad_request),
        cmocka_unit_test(test_drain_without_connections),
        cmocka_unit_test(test_drain_waits),
        cmocka_unit_test(test_bad_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
