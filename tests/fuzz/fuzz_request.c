/* Whole requests, from the bytes on a connection to the engine and back: an S3 service over the mem engine on a loop of this
 * process. It has a bucket "bkt" with an object "o", and an upload.
 *
 * The first byte of an input chooses its form: bytes as they are sent, or requests separated by lines of "%%", each a line
 * "METHOD target", lines of fields, an empty line and a body, to which Host, Content-Length and Content-MD5 are added, as a client would;
 * "$U" stands for the id of the upload. So the documents of Complete, Delete and CreateBucket, conditions, listings, copies and trailers are
 * within a fuzzer's reach.
 *
 * What must hold: nothing that comes from outside is an InternalError; the server answers or closes, and hangs never; when the
 * connections are gone, so is the memory for them. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/hash.h"
#include "base/mem.h"
#include "event/workers.h"
#include "http/server.h"
#include "net/listen.h"
#include "s3/runner.h"
#include "store/mem/mem_engine.h"

enum {
    IS_RAW = 1,
    REQUESTS_MAX = 6,
    REPLY_BYTES_MAX = 8 << 20,
    HANG_US = 20 * 1000 * 1000,
    BUFFERS_BYTES = 16 << 20,
};

struct world {
    struct loop *loop;
    struct workers *workers;
    struct listener listener;
    struct engine *engine;
    struct store *store;
    struct users *users;
    struct s3_settings settings;
    struct s3_observer observer;
    struct http_service *service;
    struct http_server *server;
    /* The client. */
    struct watch watch;
    struct timer hang;
    bool is_late;
    struct task settle;
    struct buf out, in;
    str left; /* of out */
    str upload_id;
};

/* ---- The server ---- */

static void seen(struct s3_observer *observer, const struct s3_event *event)
{
    (void)observer;
    int status = event->outcome->status;
    FUZZ_CHECK(status == 0 || (status >= 200 && status < 600));
    if (status == 500) {
        (void)fprintf(stderr, "%s answers 500: %s: %.*s\n", event->operation,
                      event->error_code ? event->error_code : "", STR_ARG(event->detail));
        FUZZ_CHECK(!"a server's error");
    }
}

/* Twice in a row: the first time the whole process may have been stopped for as long. */
static void hangs(struct timer *timer)
{
    struct world *world = container_of(timer, struct world, hang);
    FUZZ_CHECK(!world->is_late || !"the server neither answers nor closes");
    world->is_late = true;
    timer_set(world->loop, timer, loop_now_us(world->loop) + HANG_US);
}

static void open_once(struct world *world)
{
    static const str domain[] = {STR_INIT("s3.example.com")};
    size_t count;
    world->loop = loop_new();
    world->workers = workers_new(1);
    FUZZ_CHECK(world->loop && world->workers);
    FUZZ_CHECK(listen_open(STR("127.0.0.1:0"), &world->listener, 1, &count, NULL) == OK);
    world->settings = (struct s3_settings){
        .region = STR("us-east-1"), .domain = domain, .domain_count = 1, .anonymous = true};
    world->observer.seen = seen;
    timer_init(&world->hang, hangs);
    buf_init(&world->out, SIZE_MAX);
    buf_init(&world->in, REPLY_BYTES_MAX);
}

static void open_server(struct world *world)
{
    FUZZ_CHECK(mem_engine_open(&world->engine) == OK);
    world->users = users_new(&(struct users_options){.engine = world->engine,
                                                     .root_access_key = STR("rootrootroot"),
                                                     .root_secret_key = STR("secretsecret")});
    world->store = store_new(&(struct store_options){.engine = world->engine,
                                                     .workers = world->workers,
                                                     .inline_max_bytes = 1024,
                                                     .io_buffer_bytes = BUFFERS_BYTES,
                                                     .verify_reads = true});
    world->service = s3_service_new(&(struct s3_options){.settings = &world->settings,
                                                         .store = world->store,
                                                         .users = world->users,
                                                         .workers = world->workers,
                                                         .loop = world->loop,
                                                         .observer = &world->observer});
    world->server = http_server_new(&(struct http_server_options){
        .loop = world->loop,
        .service = world->service,
        .limits = {.head_max_bytes = 16 << 10,
                   .header_max_count = 200,
                   .head_timeout_ms = HANG_US / 1000,
                   .body_timeout_ms = HANG_US / 1000,
                   .idle_timeout_ms = HANG_US / 1000,
                   .drain_max_bytes = 1 << 20,
                   .connection_max_count = 8},
    });
    FUZZ_CHECK(http_server_listen(world->server, world->listener.fd, NULL) == OK);
}

static void close_server(struct world *world)
{
    struct s3_loop *s3 = container_of(world->service, struct s3_loop, service);
    FUZZ_CHECK(s3->held_bytes == 0);
    http_server_free(world->server);
    s3_service_free(world->service);
    loop_finish(world->loop);
    store_free(world->store);
    users_free(world->users);
    engine_close(world->engine);
}

/* ---- The client ---- */

/* The server counts its connections down a moment after the client has seen the end. */
static void settle(struct task *task)
{
    struct world *world = container_of(task, struct world, settle);
    if (http_server_connection_count(world->server) > 0)
        loop_post(world->loop, task);
    else
        loop_stop(world->loop);
}

static void hang_up(struct world *world)
{
    watch_remove(world->loop, &world->watch);
    (void)close(world->watch.fd);
    world->settle.run = settle;
    loop_post(world->loop, &world->settle);
}

static void send_some(struct world *world)
{
    ssize_t sent = send(world->watch.fd, world->left.ptr, world->left.len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
        return;
    world->left = sent < 0 ? (str){0} : str_skip(world->left, (size_t)sent);
    if (world->left.len > 0)
        return; /* else all is sent, or nobody takes it any more */
    (void)shutdown(world->watch.fd, SHUT_WR);
    watch_change(world->loop, &world->watch, EPOLLIN);
}

static void client_ready(struct watch *watch, uint32_t events)
{
    struct world *world = container_of(watch, struct world, watch);
    if ((events & EPOLLOUT) != 0)
        send_some(world);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
        return;
    char *dst = buf_reserve(&world->in, 64 << 10);
    FUZZ_CHECK(dst != NULL);
    ssize_t got = recv(watch->fd, dst, 64 << 10, 0);
    if (got > 0)
        buf_commit(&world->in, (size_t)got);
    else if (got == 0 || errno != EAGAIN)
        hang_up(world);
}

/* -1: the port that the kernel chose has just been used for the same address. */
static int connect_from(uint32_t address, uint16_t port)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(address)}};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    FUZZ_CHECK(errno == EADDRNOTAVAIL);
    (void)close(fd);
    return -1;
}

/* A connection that was closed keeps its port for a minute, and ports would run out: so each comes from another address of 127/8. */
static int connect_from_anywhere(uint16_t port)
{
    static uint32_t count;
    int fd = -1;
    for (int tries = 0; fd < 0 && tries < 100; tries++)
        fd = connect_from(INADDR_LOOPBACK + ++count % 60000, port);
    FUZZ_CHECK(fd >= 0);
    return fd;
}

/* Sends world->out, half closes, and runs the loop until the server has closed. */
static void speak(struct world *world)
{
    int fd = connect_from_anywhere(world->listener.port);
    buf_clear(&world->in);
    world->left = buf_str(&world->out);
    world->watch = (struct watch){.fd = fd, .events = EPOLLIN | EPOLLOUT, .ready = client_ready};
    FUZZ_CHECK(watch_add(world->loop, &world->watch) == OK);
    world->is_late = false;
    timer_set(world->loop, &world->hang, loop_now_us(world->loop) + HANG_US);
    loop_run(world->loop);
    timer_cancel(world->loop, &world->hang);
}

/* ---- Requests ---- */

static void append_replaced(struct world *world, str text)
{
    ptrdiff_t at;
    while ((at = str_find(text, STR("$U"))) >= 0) {
        buf_append(&world->out, str_slice(text, 0, (size_t)at));
        buf_append(&world->out, world->upload_id);
        text = str_skip(text, (size_t)at + 2);
    }
    buf_append(&world->out, text);
}

static void append_fields(struct world *world, str lines, str body)
{
    enum { MD5_TEXT_LEN = 24 };
    uint8_t digest[MD5_SIZE];
    char text[MD5_TEXT_LEN];
    str line;
    while (lines.len > 0) {
        (void)str_cut(lines, '\n', &line, &lines);
        append_replaced(world, line);
        buf_append(&world->out, STR("\r\n"));
    }
    buf_printf(&world->out, "Host: 127.0.0.1\r\nContent-Length: %zu\r\n", body.len);
    if (body.len > 0) {
        md5_of(body.ptr, body.len, digest);
        base64_encode(digest, MD5_SIZE, text);
        buf_printf(&world->out, "Content-MD5: %.*s\r\n", MD5_TEXT_LEN, text);
    }
    buf_append(&world->out, STR("\r\n"));
}

static void append_request(struct world *world, str text)
{
    str line, head = text, body = {0};
    ptrdiff_t at = str_find(text, STR("\n\n"));
    if (at >= 0) {
        head = str_slice(text, 0, (size_t)at + 1);
        body = str_skip(text, (size_t)at + 2);
    }
    (void)str_cut(head, '\n', &line, &head);
    append_replaced(world, line);
    buf_append(&world->out, STR(" HTTP/1.1\r\n"));
    append_fields(world, head, body);
    buf_append(&world->out, body);
}

static void append_requests(struct world *world, str text)
{
    for (size_t i = 0; i < REQUESTS_MAX && text.len > 0; i++) {
        ptrdiff_t at = str_find(text, STR("\n%%\n"));
        append_request(world, at < 0 ? text : str_slice(text, 0, (size_t)at));
        text = at < 0 ? (str){0} : str_skip(text, (size_t)at + 4);
    }
}

/* The bucket, the object and the upload. */
static void furnish(struct world *world)
{
    static char id[128];
    buf_clear(&world->out);
    append_requests(
        world, STR("PUT /bkt\n%%\nPUT /bkt/o\nx-amz-meta-a: b\n\nhello\n%%\nPOST /bkt/u?uploads"));
    speak(world);
    str reply = buf_str(&world->in);
    ptrdiff_t from = str_find(reply, STR("<UploadId>")), to = str_find(reply, STR("</UploadId>"));
    FUZZ_CHECK(from >= 0 && to > from && (size_t)(to - from) < sizeof id);
    size_t begin = (size_t)from + STR("<UploadId>").len;
    memcpy(id, reply.ptr + begin, (size_t)to - begin);
    world->upload_id = str_of(id, (size_t)to - begin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world *world;
    if (size == 0)
        return 0;
    if (world == NULL) {
        world = mem_new(struct world);
        open_once(world);
    }
    open_server(world);
    furnish(world);
    str text = fuzz_input(data + 1, size - 1);
    buf_clear(&world->out);
    if ((data[0] & IS_RAW) != 0)
        buf_append(&world->out, text);
    else
        append_requests(world, text);
    speak(world);
    close_server(world);
    return 0;
}
