#include "admin/access_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json.h"

enum {
    GATHER_BYTES = 32 * 1024,      /* written at once when so much has gathered */
    GATHER_US = 200 * 1000,        /* or when the first line is so old */
    WAITING_MAX_BYTES = 512 * 1024 /* of one loop; more is dropped */
};

/* What `target` holds. */
enum { TARGET_NONE = -1 };

struct access_log {
    struct workers *workers;
    pthread_mutex_t lock; /* of fd: held while a worker writes */
    int fd;               /* TARGET_NONE: nothing is logged */
    atomic_bool is_on;
    atomic_int format;
    atomic_uint_fast64_t dropped;
};

struct gathered {
    struct buf text;
    uint64_t line_count;
};

struct access_log_lane {
    struct access_log *log;
    struct loop *loop;
    struct gathered filling;
    struct gathered writing; /* the worker's while is_writing */
    bool is_writing;
    struct job job;
    struct timer timer;
};

/* ---- The target ---- */

struct access_log *access_log_new(struct workers *workers)
{
    struct access_log *log = mem_new(struct access_log);
    log->workers = workers;
    log->fd = TARGET_NONE;
    pthread_mutex_init(&log->lock, NULL);
    return log;
}

static void close_target(int fd)
{
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

void access_log_free(struct access_log *log)
{
    if (!log)
        return;
    close_target(log->fd);
    pthread_mutex_destroy(&log->lock);
    mem_free(log);
}

static enum err open_target(str path, int *out_fd, struct fail *fail)
{
    *out_fd = TARGET_NONE;
    if (path.len == 0 || str_eq(path, STR("off")))
        return OK;
    if (str_eq(path, STR("-"))) {
        *out_fd = STDOUT_FILENO;
        return OK;
    }
    struct arena *arena = arena_new(path.len + 1);
    enum err err = file_open_append(AT_FDCWD, arena_str(arena, path).ptr, 0640, out_fd);
    arena_free(arena);
    if (err == OK)
        return OK;
    return fail_set(fail, err, "access_log", "access log \"%.*s\": %s", STR_ARG(path),
                    err_fact(err));
}

enum err access_log_set_target(struct access_log *log, str path, enum access_log_format format,
                               struct fail *fail)
{
    int fd;
    TRY(open_target(path, &fd, fail));
    pthread_mutex_lock(&log->lock);
    int former = log->fd;
    log->fd = fd;
    pthread_mutex_unlock(&log->lock);
    close_target(former);
    atomic_store(&log->format, (int)format);
    atomic_store(&log->is_on, fd != TARGET_NONE);
    return OK;
}

uint64_t access_log_dropped(const struct access_log *log)
{
    return atomic_load(&log->dropped);
}

/* ---- Writing ---- */

static void gathered_init(struct gathered *gathered)
{
    buf_init(&gathered->text, WAITING_MAX_BYTES);
    gathered->line_count = 0;
}

/* Gives memory back that only a burst needed. */
static void gathered_clear(struct gathered *gathered)
{
    if (gathered->text.capacity > 2 * GATHER_BYTES)
        buf_release(&gathered->text);
    buf_clear(&gathered->text);
    gathered->line_count = 0;
}

static void write_gathered(struct access_log *log, const struct gathered *gathered)
{
    pthread_mutex_lock(&log->lock);
    enum err err = OK;
    if (log->fd != TARGET_NONE)
        err = fd_write_full(log->fd, gathered->text.ptr, gathered->text.len);
    pthread_mutex_unlock(&log->lock);
    /* Requests do not fail for their log; the count of what is missing is a metric. */
    if (err != OK)
        atomic_fetch_add(&log->dropped, gathered->line_count);
}

static void run_write(struct job *job)
{
    struct access_log_lane *lane = container_of(job, struct access_log_lane, job);
    write_gathered(lane->log, &lane->writing);
}

/* While a write is under way the lines gather on; its end begins the next one. */
static void begin_write(struct access_log_lane *lane)
{
    if (lane->is_writing || lane->filling.line_count == 0)
        return;
    struct gathered filled = lane->filling;
    lane->filling = lane->writing;
    lane->writing = filled;
    lane->is_writing = true;
    timer_cancel(lane->loop, &lane->timer);
    workers_submit(lane->log->workers, &lane->job);
}

static void end_write(struct job *job)
{
    struct access_log_lane *lane = container_of(job, struct access_log_lane, job);
    lane->is_writing = false;
    gathered_clear(&lane->writing);
    begin_write(lane);
}

static void gathered_long_enough(struct timer *timer)
{
    begin_write(container_of(timer, struct access_log_lane, timer));
}

struct access_log_lane *access_log_lane_new(struct access_log *log, struct loop *loop)
{
    struct access_log_lane *lane = mem_new(struct access_log_lane);
    lane->log = log;
    lane->loop = loop;
    lane->job = (struct job){.loop = loop, .run = run_write, .done = end_write};
    gathered_init(&lane->filling);
    gathered_init(&lane->writing);
    timer_init(&lane->timer, gathered_long_enough);
    return lane;
}

void access_log_lane_free(struct access_log_lane *lane)
{
    if (!lane)
        return;
    if (lane->filling.line_count)
        write_gathered(lane->log, &lane->filling);
    timer_cancel(lane->loop, &lane->timer);
    buf_release(&lane->filling.text);
    buf_release(&lane->writing.text);
    mem_free(lane);
}

/* ---- A line ---- */

/* The value of a signature or a token in a link would let a reader of the log use the link. */
static const str secret_parameter[] = {STR_INIT("X-Amz-Signature="), STR_INIT("Signature="),
                                       STR_INIT("X-Amz-Security-Token=")};

static bool begins_secret(str text, size_t *out_len)
{
    for (size_t i = 0; i < sizeof(secret_parameter) / sizeof(secret_parameter[0]); i++) {
        if (!str_has_prefix_nocase(text, secret_parameter[i]))
            continue;
        *out_len = secret_parameter[i].len;
        return true;
    }
    return false;
}

static void append_target(struct buf *out, str target)
{
    while (target.len) {
        char c = target.ptr[0];
        buf_append_char(out, c);
        target = str_skip(target, 1);
        size_t len;
        if ((c != '?' && c != '&') || !begins_secret(target, &len))
            continue;
        buf_append(out, str_slice(target, 0, len));
        buf_append(out, STR("..."));
        ptrdiff_t end = str_find_char(target, '&');
        target = end < 0 ? STR("") : str_skip(target, (size_t)end);
    }
}

/* A target is at most as long as a request head; twice that is never needed. */
enum { TARGET_MAX_BYTES = 2 << 20 };

static void write_json(struct buf *out, const struct s3_event *event, str target)
{
    const struct http_outcome *outcome = event->outcome;
    struct json_writer w;
    json_begin(&w, out);
    json_open_object(&w, NULL);
    json_time(&w, "time", clock_real_ms());
    json_text(&w, "peer", event->peer);
    json_text(&w, "access_key", event->access_key);
    json_text(&w, "operation", str_from(event->operation));
    json_text(&w, "bucket", event->bucket);
    json_text(&w, "key", event->key);
    json_text(&w, "method", event->method);
    json_text(&w, "target", target);
    json_i64(&w, "status", outcome->status);
    json_text(&w, "error", str_from(event->error_code));
    json_u64(&w, "bytes_in", outcome->body_in_bytes);
    json_u64(&w, "bytes_out", outcome->body_out_bytes);
    json_i64(&w, "first_byte_us", outcome->first_byte_us);
    json_i64(&w, "total_us", outcome->total_us);
    json_bool(&w, "complete", outcome->is_complete);
    json_text(&w, "user_agent", event->user_agent);
    json_text(&w, "request_id", event->request_id);
    json_close(&w);
    buf_append_char(out, '\n');
}

static void append_word(struct buf *out, str word)
{
    buf_append_char(out, ' ');
    if (word.len)
        json_escape(out, word);
    else
        buf_append_char(out, '-');
}

static void append_quoted(struct buf *out, str text)
{
    buf_append(out, STR(" \""));
    json_escape(out, text);
    buf_append_char(out, '"');
}

/* time peer access-key operation status error bytes-in bytes-out total-ms request-id "METHOD target" "user agent" */
static void write_text(struct buf *out, const struct s3_event *event, str target)
{
    const struct http_outcome *outcome = event->outcome;
    char time[CLOCK_TEXT_MAX];
    buf_append(out, clock_format_iso(clock_real_ms(), time));
    append_word(out, event->peer);
    append_word(out, event->access_key);
    append_word(out, str_from(event->operation));
    buf_printf(out, " %d", outcome->status);
    append_word(out, str_from(event->error_code));
    buf_printf(out, " %llu %llu %lld.%03lld", (unsigned long long)outcome->body_in_bytes,
               (unsigned long long)outcome->body_out_bytes, (long long)outcome->total_us / 1000,
               (long long)outcome->total_us % 1000);
    append_word(out, event->request_id);
    buf_append(out, STR(" \""));
    json_escape(out, event->method);
    buf_append_char(out, ' ');
    json_escape(out, target);
    buf_append_char(out, '"');
    append_quoted(out, event->user_agent);
    buf_append_char(out, '\n');
}

/* A line is there whole or not at all. */
static void gather(struct access_log_lane *lane, const struct s3_event *event, str target)
{
    struct buf *out = &lane->filling.text;
    size_t len = out->len;
    if (atomic_load_explicit(&lane->log->format, memory_order_relaxed) == ACCESS_LOG_JSON)
        write_json(out, event, target);
    else
        write_text(out, event, target);
    if (buf_err(out) == OK) {
        lane->filling.line_count++;
        return;
    }
    out->failure = OK;
    out->len = len;
    atomic_fetch_add(&lane->log->dropped, 1);
}

void access_log_add(struct access_log_lane *lane, const struct s3_event *event)
{
    if (!atomic_load_explicit(&lane->log->is_on, memory_order_relaxed))
        return;
    BUF_SCOPED struct buf target;
    buf_init(&target, TARGET_MAX_BYTES);
    append_target(&target, event->target);
    if (lane->filling.line_count == 0 && !lane->is_writing)
        timer_set(lane->loop, &lane->timer, loop_now_us(lane->loop) + GATHER_US);
    gather(lane, event, buf_str(&target));
    if (lane->filling.text.len >= GATHER_BYTES)
        begin_write(lane);
}
