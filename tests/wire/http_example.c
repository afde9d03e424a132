/* A small service over src/http, for the wire tests and for measuring: each path shows one way to answer.
 *
 *   /bytes/N            N bytes from memory
 *   /source/N           N bytes from a source; ?piece=K bytes a piece, ?pending=1 each piece comes later, ?fail=1 after half
 *   /file/N             N bytes by sendfile
 *   /echo               the request's body (at most 1 MiB), its trailers as fields
 *   /count              takes the body and says how long it was; ?take=K bytes a millisecond; ?reply=1 before its end
 *   /refuse             403, the body is not asked for
 *   /close              200 and the connection closes
 *   /late?ms=N          answers later
 *   /status/NNN         that status, no body; ?length=N announces a length without a body
 *   /head               what was parsed of the head
 *   /loop               the number of the loop, and how many connections it has
 *   /outcomes           how the exchanges before this one ended
 *
 * Usage: http_example [--listen ADDRESS] [--loops N] [--certificate FILE --key FILE] [--LIMIT VALUE]... (fields of http_limits)
 * It prints the address and ends after SIGTERM when the running exchanges are done; SIGHUP reads certificate and key again. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "event/signals.h"
#include "event/thread.h"
#include "http/server.h"
#include "net/listen.h"
#include "net/tls.h"

enum { LOOP_MAX = 8, PATTERN_BYTES = 1 << 20, FILE_BYTES = 64 << 20, OUTCOME_MAX = 8 };

static char pattern[PATTERN_BYTES]; /* a to z, over and over */
static int pattern_file = -1;

struct node {
    struct http_service service;
    struct http_server *server;
    struct loop *loop;
    unsigned number;
    pthread_t thread;
    struct task drain;
    struct http_outcome outcome[OUTCOME_MAX];
    enum err body_err[OUTCOME_MAX];
    unsigned outcome_count;
};

/* One exchange of ours; lies in its arena. */
struct call {
    struct http_exchange *x;
    struct http_sink sink;
    struct http_source source;
    struct timer timer;
    struct buf body;
    uint64_t length;
    uint64_t given;
    uint64_t piece_max;
    uint64_t take_max;
    uint64_t taken;
    enum err body_err;
    bool is_pending;
    bool has_piece;
    bool fails;
    bool replies_early;
};

/* ---- Questions to the request ---- */

static uint64_t number_after(const struct http_request *request, str prefix)
{
    uint64_t value = 0;
    if (str_to_u64(str_skip(request->path, prefix.len), &value) != OK)
        return 0;
    return value;
}

static uint64_t query_number(const struct http_request *request, const char *name,
                             uint64_t otherwise)
{
    str rest = request->query;
    while (rest.len > 0) {
        str item, key, value;
        (void)str_cut(rest, '&', &item, &rest);
        (void)str_cut(item, '=', &key, &value);
        uint64_t number;
        if (str_eq(key, str_from(name)) && str_to_u64(value, &number) == OK)
            return number;
    }
    return otherwise;
}

static struct node *node_of(struct http_exchange *x)
{
    return container_of(http_service(x), struct node, service);
}

static void reply_text(struct http_exchange *x, int status, str text)
{
    http_reply_begin(x, status);
    http_reply_header(x, "Content-Type", STR("text/plain"));
    http_reply_body(x, text);
    http_reply_send(x);
}

/* ---- Bodies out ---- */

static void get_bytes(struct call *call)
{
    uint64_t length = number_after(http_request(call->x), STR("/bytes/"));
    http_reply_begin(call->x, 200);
    http_reply_body(call->x,
                    str_of(pattern, length < PATTERN_BYTES ? (size_t)length : PATTERN_BYTES));
    http_reply_send(call->x);
}

static void piece_ready(struct timer *timer)
{
    struct call *call = container_of(timer, struct call, timer);
    call->has_piece = true;
    http_source_ready(call->x);
}

static enum err next_piece(struct http_source *source, struct http_piece *out_piece)
{
    struct call *call = container_of(source, struct call, source);
    if (call->fails && call->given >= call->length / 2)
        return ERR_CORRUPT;
    if (call->is_pending && !call->has_piece) {
        timer_set(http_loop(call->x), &call->timer, loop_now_us(http_loop(call->x)) + 500);
        return ERR_PENDING;
    }
    call->has_piece = false;
    uint64_t left = call->length - call->given;
    uint64_t size = left < call->piece_max ? left : call->piece_max;
    uint64_t offset = call->given % 26; /* the pattern goes on where the last piece ended */
    if (size > PATTERN_BYTES - 26)
        size = PATTERN_BYTES - 26;
    out_piece->bytes = str_of(pattern + offset, (size_t)size);
    call->given += size;
    return OK;
}

static void close_source(struct http_source *source)
{
    struct call *call = container_of(source, struct call, source);
    timer_cancel(http_loop(call->x), &call->timer);
}

static void get_source(struct call *call)
{
    const struct http_request *request = http_request(call->x);
    call->length = number_after(request, STR("/source/"));
    call->piece_max = query_number(request, "piece", 65536);
    call->is_pending = query_number(request, "pending", 0) != 0;
    call->fails = query_number(request, "fail", 0) != 0;
    call->source = (struct http_source){.next = next_piece, .close = close_source};
    timer_init(&call->timer, piece_ready);
    http_reply_begin(call->x, 200);
    http_reply_source(call->x, &call->source, call->length);
    http_reply_send(call->x);
}

static enum err next_span(struct http_source *source, struct http_piece *out_piece)
{
    struct call *call = container_of(source, struct call, source);
    *out_piece = (struct http_piece){.fd = pattern_file, .file_length = call->length};
    return OK;
}

static void get_file(struct call *call)
{
    uint64_t length = number_after(http_request(call->x), STR("/file/"));
    call->length = length < FILE_BYTES ? length : FILE_BYTES;
    call->source = (struct http_source){.next = next_span, .close = close_source};
    timer_init(&call->timer, piece_ready);
    http_reply_begin(call->x, 200);
    http_reply_source(call->x, &call->source, call->length);
    http_reply_send(call->x);
}

/* ---- Bodies in ---- */

static void fail_body(struct http_sink *sink, enum err err)
{
    struct call *call = container_of(sink, struct call, sink);
    call->body_err = err;
    timer_cancel(http_loop(call->x), &call->timer);
    reply_text(call->x, err == ERR_SLOW_CLIENT ? 408 : 400, str_from(err_name(err)));
}

static size_t echo_write(struct http_sink *sink, str data)
{
    struct call *call = container_of(sink, struct call, sink);
    buf_append(&call->body, data);
    return data.len;
}

static void echo_end(struct http_sink *sink)
{
    struct call *call = container_of(sink, struct call, sink);
    if (buf_err(&call->body) != OK) {
        reply_text(call->x, 413, STR("too large"));
        return;
    }
    http_reply_begin(call->x, 200);
    size_t count;
    const struct pair *trailer = http_trailers(call->x, &count);
    for (size_t i = 0; i < count; i++)
        http_reply_header(
            call->x,
            arena_printf(http_arena(call->x), "X-Trailer-%.*s", STR_ARG(trailer[i].name)).ptr,
            trailer[i].value);
    http_reply_body(call->x, buf_str(&call->body));
    http_reply_send(call->x);
}

static void release_body(void *context)
{
    buf_release(context);
}

static void put_echo(struct call *call)
{
    buf_init(&call->body, PATTERN_BYTES);
    arena_on_reset(http_arena(call->x), release_body, &call->body);
    timer_init(&call->timer, piece_ready);
    call->sink = (struct http_sink){.write = echo_write, .end = echo_end, .fail = fail_body};
    http_body_read(call->x, &call->sink);
}

static void count_end(struct http_sink *sink)
{
    struct call *call = container_of(sink, struct call, sink);
    timer_cancel(http_loop(call->x), &call->timer);
    reply_text(call->x, 200, arena_printf(http_arena(call->x), "%" PRIu64, call->taken));
}

static size_t count_write(struct http_sink *sink, str data)
{
    struct call *call = container_of(sink, struct call, sink);
    size_t size = data.len < call->take_max ? data.len : (size_t)call->take_max;
    call->taken += size;
    if (call->replies_early)
        count_end(sink);
    else if (size < data.len)
        timer_set(http_loop(call->x), &call->timer, loop_now_us(http_loop(call->x)) + 1000);
    return size;
}

static void count_again(struct timer *timer)
{
    struct call *call = container_of(timer, struct call, timer);
    http_body_resume(call->x);
}

static void put_count(struct call *call)
{
    call->take_max = query_number(http_request(call->x), "take", UINT64_MAX);
    call->replies_early = query_number(http_request(call->x), "reply", 0) != 0;
    timer_init(&call->timer, count_again);
    call->sink = (struct http_sink){.write = count_write, .end = count_end, .fail = fail_body};
    http_body_read(call->x, &call->sink);
}

/* ---- Others ---- */

static void refuse(struct call *call)
{
    reply_text(call->x, 403, STR("refused"));
}

static void get_close(struct call *call)
{
    http_reply_begin(call->x, 200);
    http_reply_close(call->x);
    http_reply_body(call->x, STR("bye"));
    http_reply_send(call->x);
}

static void late_reply(struct timer *timer)
{
    struct call *call = container_of(timer, struct call, timer);
    reply_text(call->x, 200, http_is_lost(call->x) ? STR("lost") : STR("late"));
}

static void get_late(struct call *call)
{
    int64_t wait_ms = (int64_t)query_number(http_request(call->x), "ms", 20);
    timer_init(&call->timer, late_reply);
    timer_set(http_loop(call->x), &call->timer, loop_now_us(http_loop(call->x)) + wait_ms * 1000);
}

static void get_status(struct call *call)
{
    const struct http_request *request = http_request(call->x);
    uint64_t status = number_after(request, STR("/status/"));
    http_reply_begin(call->x, status >= 200 && status <= 599 ? (int)status : 400);
    uint64_t length = query_number(request, "length", UINT64_MAX);
    if (length != UINT64_MAX && (status == 304 || str_eq(request->method, STR("HEAD"))))
        http_reply_length_only(call->x, length);
    http_reply_send(call->x);
}

static void get_head(struct call *call)
{
    const struct http_request *request = http_request(call->x);
    struct arena *arena = http_arena(call->x);
    struct buf *text = &call->body;
    buf_init(text, PATTERN_BYTES);
    arena_on_reset(arena, release_body, text);
    buf_printf(text, "%.*s path=%.*s query=%.*s host=%.*s minor=%u peer=%d\n",
               STR_ARG(request->method), STR_ARG(request->path), STR_ARG(request->query),
               STR_ARG(request->host), request->minor_version, http_peer(call->x).len > 0);
    for (size_t i = 0; i < request->header_count; i++)
        buf_printf(text, "%.*s=%.*s\n", STR_ARG(request->header[i].name),
                   STR_ARG(request->header[i].value));
    reply_text(call->x, 200, buf_str(text));
}

static void get_loop(struct call *call)
{
    const struct node *node = node_of(call->x);
    reply_text(call->x, 200,
               arena_printf(http_arena(call->x), "%u %u", node->number,
                            http_server_connection_count(node->server)));
}

static void get_outcomes(struct call *call)
{
    struct node *node = node_of(call->x);
    struct buf *text = &call->body;
    buf_init(text, PATTERN_BYTES);
    arena_on_reset(http_arena(call->x), release_body, text);
    unsigned first = node->outcome_count > OUTCOME_MAX ? node->outcome_count - OUTCOME_MAX : 0;
    for (unsigned i = first; i < node->outcome_count; i++) {
        const struct http_outcome *outcome = &node->outcome[i % OUTCOME_MAX];
        buf_printf(text, "status=%d in=%" PRIu64 " out=%" PRIu64 " complete=%d body=%s\n",
                   outcome->status, outcome->body_in_bytes, outcome->body_out_bytes,
                   outcome->is_complete, err_name(node->body_err[i % OUTCOME_MAX]));
    }
    reply_text(call->x, 200, buf_str(text));
}

/* ---- The service ---- */

struct route {
    str prefix;
    void (*run)(struct call *call);
};

static const struct route routes[] = {
    {STR_INIT("/bytes/"), get_bytes},      {STR_INIT("/source/"), get_source},
    {STR_INIT("/file/"), get_file},        {STR_INIT("/echo"), put_echo},
    {STR_INIT("/count"), put_count},       {STR_INIT("/refuse"), refuse},
    {STR_INIT("/close"), get_close},       {STR_INIT("/late"), get_late},
    {STR_INIT("/status/"), get_status},    {STR_INIT("/loop"), get_loop},
    {STR_INIT("/head"), get_head},         {STR_INIT("*"), get_head},
    {STR_INIT("/outcomes"), get_outcomes},
};

static struct call *new_call(struct http_exchange *x)
{
    struct call *call = arena_new_of(http_arena(x), struct call);
    call->x = x;
    http_set_context(x, call);
    return call;
}

static void on_head(struct http_service *service, struct http_exchange *x)
{
    (void)service;
    struct call *call = new_call(x);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (str_has_prefix(http_request(x)->path, routes[i].prefix)) {
            routes[i].run(call);
            return;
        }
    }
    reply_text(x, 404, STR("no such path"));
}

static int status_of(enum err err)
{
    return err == ERR_HEAD_TOO_LARGE    ? 431
           : err == ERR_SLOW_CLIENT     ? 408
           : err == ERR_NOT_IMPLEMENTED ? 501
                                        : 400;
}

static void on_bad_request(struct http_service *service, struct http_exchange *x, enum err err)
{
    (void)service;
    reply_text(x, status_of(err), str_from(err_name(err)));
}

static void on_done(struct http_service *service, struct http_exchange *x,
                    const struct http_outcome *outcome)
{
    struct node *node = container_of(service, struct node, service);
    const struct call *call = http_context(x);
    unsigned slot = node->outcome_count++ % OUTCOME_MAX;
    node->outcome[slot] = *outcome;
    node->body_err[slot] = call == NULL ? OK : call->body_err;
}

/* ---- The program ---- */

struct options {
    const char *address;
    unsigned loop_count;
    const char *certificate;
    const char *key;
    struct http_limits limits;
};

struct program {
    struct options options;
    struct signals signals;
    struct node node[LOOP_MAX];
    bool is_draining;
    struct http_group *group;
    struct tls_context *tls;
    struct listener listener[4];
    size_t listener_count;
};

struct limit_row {
    const char *flag;
    size_t offset;
    size_t size;
};

#define LIMIT_ROW(name)                                                                            \
    {                                                                                              \
        "--" #name, offsetof(struct http_limits, name), sizeof(((struct http_limits *)0)->name)    \
    }
static const struct limit_row limit_rows[] = {
    LIMIT_ROW(head_max_bytes),       LIMIT_ROW(header_max_count),
    LIMIT_ROW(head_timeout_ms),      LIMIT_ROW(body_timeout_ms),
    LIMIT_ROW(idle_timeout_ms),      LIMIT_ROW(drain_max_bytes),
    LIMIT_ROW(connection_max_count), LIMIT_ROW(body_min_rate),
    LIMIT_ROW(body_rate_window_ms),  LIMIT_ROW(fd_max),
};

static bool set_limit(struct http_limits *limits, const char *flag, uint64_t value)
{
    for (size_t i = 0; i < sizeof(limit_rows) / sizeof(limit_rows[0]); i++) {
        if (strcmp(flag, limit_rows[i].flag) == 0) {
            memcpy((char *)limits + limit_rows[i].offset, &value, limit_rows[i].size);
            return true;
        }
    }
    return false;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i += 2) {
        uint64_t value = 0;
        if (i + 1 >= argc)
            return false;
        if (strcmp(argv[i], "--listen") == 0) {
            options->address = argv[i + 1];
        } else if (strcmp(argv[i], "--certificate") == 0) {
            options->certificate = argv[i + 1];
        } else if (strcmp(argv[i], "--key") == 0) {
            options->key = argv[i + 1];
        } else if (str_to_u64(str_from(argv[i + 1]), &value) != OK) {
            return false;
        } else if (strcmp(argv[i], "--loops") == 0 && value >= 1 && value <= LOOP_MAX) {
            options->loop_count = (unsigned)value;
        } else if (!set_limit(&options->limits, argv[i], value)) {
            return false;
        }
    }
    return true;
}

static bool make_pattern(void)
{
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)('a' + i % 26);
    pattern_file = memfd_create("pattern", MFD_CLOEXEC);
    if (pattern_file < 0 || ftruncate(pattern_file, FILE_BYTES) != 0)
        return false;
    char *map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, pattern_file, 0);
    if (map == MAP_FAILED)
        return false;
    for (size_t i = 0; i < FILE_BYTES; i++)
        map[i] = (char)('a' + i % 26);
    return munmap(map, FILE_BYTES) == 0;
}

static void node_drained(void *context)
{
    struct node *node = context;
    loop_stop(node->loop);
}

static void node_drain(struct task *task)
{
    struct node *node = container_of(task, struct node, drain);
    http_server_drain(node->server, node_drained, node);
}

static void caught(struct signals *signals, int number)
{
    struct program *program = container_of(signals, struct program, signals);
    if (number == SIGHUP) {
        struct fail fail = {0};
        if (program->tls != NULL && tls_context_reload(program->tls, &fail) != OK)
            (void)dprintf(STDOUT_FILENO, "not reloaded: %s\n", fail.detail);
        else
            (void)dprintf(STDOUT_FILENO, "reloaded\n");
        return;
    }
    if (program->is_draining)
        return;
    program->is_draining = true;
    for (size_t i = 0; i < program->listener_count; i++)
        listen_stop(&program->listener[i]);
    for (unsigned i = 0; i < program->options.loop_count; i++)
        loop_post(program->node[i].loop, &program->node[i].drain);
}

static void run_node(void *context)
{
    struct node *node = context;
    loop_run(node->loop);
}

static bool open_node(struct program *program, struct node *node)
{
    node->service = (struct http_service){
        .context = node, .on_head = on_head, .on_bad_request = on_bad_request, .on_done = on_done};
    node->loop = loop_new();
    node->drain.run = node_drain;
    node->server = http_server_new(&(struct http_server_options){
        .loop = node->loop,
        .service = &node->service,
        .limits = program->options.limits,
        .server_name = STR("example"),
        .group = program->group,
    });
    for (size_t i = 0; i < program->listener_count; i++) {
        if (http_server_listen(node->server, program->listener[i].fd, program->tls) != OK)
            return false;
    }
    return true;
}

static bool open_program(struct program *program, struct fail *fail)
{
    const struct options *options = &program->options;
    if (options->certificate != NULL &&
        tls_context_open(options->certificate, options->key, &program->tls, fail) != OK)
        return false;
    if (listen_open(str_from(options->address), program->listener, 4, &program->listener_count,
                    fail) != OK)
        return false;
    program->group = http_group_new(options->loop_count);
    for (unsigned i = 0; i < options->loop_count; i++) {
        program->node[i].number = i;
        if (!open_node(program, &program->node[i]))
            return false;
    }
    return signals_open(&program->signals, program->node[0].loop, caught) == OK;
}

int main(int argc, char **argv)
{
    static struct program program = {
        .options =
            {
                .address = "127.0.0.1:0",
                .loop_count = 1,
                .limits = {.head_max_bytes = 16384,
                           .header_max_count = 100,
                           .head_timeout_ms = 10000,
                           .body_timeout_ms = 10000,
                           .body_rate_window_ms = 20000,
                           .idle_timeout_ms = 60000,
                           .drain_max_bytes = 65536,
                           .connection_max_count = 100000},
            },
    };
    struct fail fail = {0};
    signals_block();
    if (!parse_options(argc, argv, &program.options) || !make_pattern() ||
        !open_program(&program, &fail)) {
        (void)dprintf(STDERR_FILENO, "http_example: cannot start: %s\n", fail.detail);
        return 1;
    }
    (void)dprintf(STDOUT_FILENO, "listening on %s\n", program.listener[0].text);
    unsigned count = program.options.loop_count;
    for (unsigned i = 1; i < count; i++) {
        if (thread_start(&program.node[i].thread, "loop", run_node, &program.node[i]) != OK)
            return 1;
    }
    run_node(&program.node[0]);
    for (unsigned i = 1; i < count; i++)
        thread_join(program.node[i].thread);
    signals_close(&program.signals);
    for (unsigned i = 0; i < count; i++) {
        http_server_free(program.node[i].server);
        loop_free(program.node[i].loop);
    }
    http_group_free(program.group);
    for (size_t i = 0; i < program.listener_count; i++)
        listen_close(&program.listener[i]);
    tls_context_free(program.tls);
    close(pattern_file);
    return 0;
}
