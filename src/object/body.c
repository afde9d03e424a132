#include "object/body.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "object/store_int.h"

enum {
    IO_ALIGNMENT = 4096,
    BODY_BUFFER_MAX_COUNT = 4,
    HASH_ON_LOOP_MAX_BYTES = 16 << 10, /* 25 us of MD5: less than a trip to a worker and back */
};

struct io_buffer {
    struct list link; /* body->unwritten, until the extent has begun; body->spare */
    struct body *body;
    char *data;
    size_t capacity, len;
    uint64_t offset;
    unsigned use_count; /* jobs that still need it */
    struct job hash[DIGEST_LANE_COUNT];
    struct job write;
    enum err write_result;
};

enum extent_state { EXTENT_NONE, EXTENT_BEGINNING, EXTENT_OPEN, EXTENT_SEALED };

struct body {
    struct body_options options;
    uint64_t length;
    enum err failure;
    bool is_blocked;  /* body_write took less than it was given */
    bool is_finished; /* body_finish was called */
    bool is_kept;
    bool is_closing;

    struct digest digest;
    struct strand lane[DIGEST_LANE_COUNT];
    struct io_buffer *current; /* being filled */
    unsigned buffer_count;     /* all of them, the current one included */
    unsigned job_count;        /* under way */
    struct budget_waiter waiter;
    bool is_waiting; /* for the budget */

    enum extent_state extent_state;
    struct extent_writer *writer;
    struct list unwritten;
    struct list
        spare; /* empty whole buffers, kept for the next bytes: fresh memory costs page faults */
    struct job step; /* begin, seal, drop, or hashing an inline body: one at a time */
    enum err step_result;
    struct extent_row extent;

    void (*done)(void *context, enum err err);
    void (*closed)(void *context);
};

static void body_advance(struct body *body);

/* ---- Buffers ---- */

/* A body of known length needs no more than its length. */
static size_t buffer_capacity(const struct body *body)
{
    uint64_t left = body->options.length;
    if (left == BODY_LENGTH_UNKNOWN || left - body->length >= UPLOAD_BUFFER_BYTES)
        return UPLOAD_BUFFER_BYTES;
    left -= body->length;
    return left == 0 ? IO_ALIGNMENT
                     : (size_t)((left + IO_ALIGNMENT - 1) / IO_ALIGNMENT * IO_ALIGNMENT);
}

static void buffer_new(struct body *body, size_t capacity)
{
    struct io_buffer *buffer = mem_new(struct io_buffer);
    buffer->body = body;
    buffer->capacity = capacity;
    /* Small bodies have small buffers, which the allocator keeps at hand by itself. */
    buffer->data = capacity == UPLOAD_BUFFER_BYTES
                       ? buffers_take(&body->options.store->upload_buffers)
                       : mem_alloc_aligned(IO_ALIGNMENT, capacity);
    list_init(&buffer->link);
    body->current = buffer;
    body->buffer_count++;
}

static void buffer_free(struct io_buffer *buffer)
{
    struct body *body = buffer->body;
    budget_give(&body->options.store->upload_budget, buffer->capacity);
    body->buffer_count--;
    if (buffer->capacity == UPLOAD_BUFFER_BYTES)
        buffers_give(&body->options.store->upload_buffers, buffer->data);
    else
        mem_free(buffer->data);
    mem_free(buffer);
}

/* Nobody uses it any more: kept while the body may want more of its kind. */
static void buffer_recycle(struct io_buffer *buffer)
{
    struct body *body = buffer->body;
    if (body->is_finished || body->is_closing || buffer->capacity != UPLOAD_BUFFER_BYTES) {
        buffer_free(buffer);
        return;
    }
    buffer->len = 0;
    list_push_back(&body->spare, &buffer->link);
}

static void spare_free_all(struct body *body)
{
    list_for_each (link, &body->spare) {
        list_remove(link);
        buffer_free(container_of(link, struct io_buffer, link));
    }
}

static void budget_granted(struct budget_waiter *waiter)
{
    struct body *body = container_of(waiter, struct body, waiter);
    body->is_waiting = false;
    buffer_new(body, waiter->bytes);
    body_advance(body);
}

/* Gets a buffer to fill; false when one will come later. The first may be waited for in line;
 * further ones only make the upload faster, and are not taken from those who have none. */
static bool buffer_get(struct body *body)
{
    struct budget *budget = &body->options.store->upload_budget;
    struct list *spare = list_pop_front(&body->spare);
    if (spare != NULL) {
        body->current = container_of(spare, struct io_buffer, link);
        return true;
    }
    size_t capacity = buffer_capacity(body);
    if (body->is_waiting || body->buffer_count >= BODY_BUFFER_MAX_COUNT)
        return false;
    if (body->buffer_count > 0 && !budget_try_take_extra(budget, capacity))
        return false;
    if (body->buffer_count == 0 && !budget_take(budget, &body->waiter, capacity)) {
        body->is_waiting = true;
        return false;
    }
    buffer_new(body, capacity);
    return true;
}

static void fail_with(struct body *body, enum err err)
{
    if (body->failure == OK)
        body->failure = err;
}

/* ---- Jobs ---- */

static void job_submit(struct body *body, struct job *job, void (*run)(struct job *job),
                       void (*done)(struct job *job))
{
    body->job_count++;
    *job = (struct job){.loop = body->options.loop, .run = run, .done = done};
    workers_submit(body->options.store->workers, job);
}

static void buffer_unuse(struct io_buffer *buffer)
{
    struct body *body = buffer->body;
    body->job_count--;
    if (--buffer->use_count == 0)
        buffer_recycle(buffer);
    body_advance(body);
}

static void write_run(struct job *job)
{
    struct io_buffer *buffer = container_of(job, struct io_buffer, write);
    struct body *body = buffer->body;
    /* Told through the buffer: the body belongs to the loop's thread. */
    buffer->write_result = extent_write(body->writer, buffer->data, buffer->len, buffer->offset);
}

static void write_done(struct job *job)
{
    struct io_buffer *buffer = container_of(job, struct io_buffer, write);
    if (buffer->write_result != OK)
        fail_with(buffer->body, buffer->write_result);
    buffer_unuse(buffer);
}

static void md5_lane_run(struct job *job)
{
    struct io_buffer *buffer = container_of(job, struct io_buffer, hash[DIGEST_LANE_MD5]);
    digest_update_lane(&buffer->body->digest, DIGEST_LANE_MD5, buffer->data, buffer->len);
}

static void md5_lane_done(struct job *job)
{
    buffer_unuse(container_of(job, struct io_buffer, hash[DIGEST_LANE_MD5]));
}

static void sha_lane_run(struct job *job)
{
    struct io_buffer *buffer = container_of(job, struct io_buffer, hash[DIGEST_LANE_SHA]);
    digest_update_lane(&buffer->body->digest, DIGEST_LANE_SHA, buffer->data, buffer->len);
}

static void sha_lane_done(struct job *job)
{
    buffer_unuse(container_of(job, struct io_buffer, hash[DIGEST_LANE_SHA]));
}

static void lane_submit(struct io_buffer *buffer, enum digest_lane lane)
{
    static void (*const run[])(struct job *) = {md5_lane_run, sha_lane_run};
    static void (*const done[])(struct job *) = {md5_lane_done, sha_lane_done};
    struct body *body = buffer->body;
    if (!digest_has_lane(&body->digest, lane))
        return;
    buffer->use_count++;
    body->job_count++;
    buffer->hash[lane] =
        (struct job){.loop = body->options.loop, .run = run[lane], .done = done[lane]};
    strand_submit(&body->lane[lane], &buffer->hash[lane]);
}

static void write_submit(struct io_buffer *buffer)
{
    job_submit(buffer->body, &buffer->write, write_run, write_done);
}

static void begin_run(struct job *job)
{
    struct body *body = container_of(job, struct body, step);
    uint64_t hint = body->options.length == BODY_LENGTH_UNKNOWN ? 0 : body->options.length;
    body->step_result = extent_begin(body->options.store->engine, hint, &body->writer);
}

static void begin_done(struct job *job)
{
    struct body *body = container_of(job, struct body, step);
    body->extent_state = body->step_result == OK ? EXTENT_OPEN : EXTENT_NONE;
    if (body->step_result != OK)
        fail_with(body, body->step_result);
    /* This job counts until the list is empty: else a buffer that is let go could be the body's
     * end. */
    list_for_each (link, &body->unwritten) {
        struct io_buffer *buffer = container_of(link, struct io_buffer, link);
        list_remove(link);
        if (body->extent_state == EXTENT_OPEN && !body->is_closing) {
            write_submit(buffer);
        } else {
            body->job_count++; /* buffer_unuse counts it down: it stands for the write that does not come */
            buffer_unuse(buffer);
        }
    }
    body->job_count--;
    body_advance(body);
}

/* Sends the current buffer on its way: to the digests and to the extent. */
static void buffer_send(struct body *body)
{
    struct io_buffer *buffer = mem_take(&body->current);
    buffer->offset = body->length - buffer->len;
    buffer->use_count = 1; /* the write, now or after the extent has begun */
    for (enum digest_lane lane = 0; lane < DIGEST_LANE_COUNT; lane++)
        lane_submit(buffer, lane);
    if (body->extent_state == EXTENT_OPEN) {
        write_submit(buffer);
        return;
    }
    list_push_back(&body->unwritten, &buffer->link);
    if (body->extent_state == EXTENT_NONE) {
        body->extent_state = EXTENT_BEGINNING;
        job_submit(body, &body->step, begin_run, begin_done);
    }
}

/* ---- Life ---- */

struct body *body_new(const struct body_options *options)
{
    struct body *body = arena_new_of(options->arena, struct body);
    body->options = *options;
    body->waiter = (struct budget_waiter){.loop = options->loop, .granted = budget_granted};
    list_init(&body->unwritten);
    list_init(&body->spare);
    digest_init(&body->digest, options->digests);
    for (enum digest_lane lane = 0; lane < DIGEST_LANE_COUNT; lane++)
        strand_init(&body->lane[lane], options->store->workers);
    return body;
}

size_t body_write(struct body *body, str data)
{
    assert(!body->is_finished && !body->is_closing);
    size_t taken = 0;
    while (taken < data.len) {
        if (body->failure != OK)
            return data.len;
        if (body->current == NULL && !buffer_get(body))
            break;
        struct io_buffer *buffer = body->current;
        size_t room = buffer->capacity - buffer->len;
        assert(room > 0); /* the caller lets no body be longer than it said */
        size_t len = data.len - taken < room ? data.len - taken : room;
        memcpy(buffer->data + buffer->len, data.ptr + taken, len);
        buffer->len += len;
        body->length += len;
        taken += len;
        /* A short buffer is the only one of its body, which may end inline; it is sent at the
         * end. */
        if (buffer->len == UPLOAD_BUFFER_BYTES)
            buffer_send(body);
    }
    body->is_blocked = taken < data.len;
    return taken;
}

enum err body_failure(const struct body *body)
{
    return body->failure;
}

static bool ends_inline(const struct body *body)
{
    return !body->options.must_be_extent && body->extent_state == EXTENT_NONE &&
           body->length <= body->options.store->inline_max_bytes;
}

static void seal_run(struct job *job)
{
    struct body *body = container_of(job, struct body, step);
    digest_finish(&body->digest);
    body->step_result = extent_seal(body->writer, body->length, body->options.arena, &body->extent);
}

static void seal_done(struct job *job)
{
    struct body *body = container_of(job, struct body, step);
    body->job_count--;
    body->writer = NULL;
    body->extent_state = body->step_result == OK ? EXTENT_SEALED : EXTENT_NONE;
    if (body->step_result != OK)
        fail_with(body, body->step_result);
    body_advance(body);
}

static void inline_hash(struct body *body)
{
    if (body->current != NULL)
        digest_update(&body->digest, body->current->data, body->current->len);
    digest_finish(&body->digest);
}

static void inline_run(struct job *job)
{
    inline_hash(container_of(job, struct body, step));
}

static void inline_done(struct job *job)
{
    struct body *body = container_of(job, struct body, step);
    body->job_count--;
    body_advance(body);
}

static void tell_done(struct body *body)
{
    void (*done)(void *, enum err) = mem_take(&body->done);
    done(body->options.context, body->failure);
}

static void drop_run(struct job *job)
{
    struct body *body = container_of(job, struct body, step);
    if (body->extent_state == EXTENT_SEALED)
        (void)extent_drop(body->options.store->engine,
                          body->extent.id); /* else found at the next start */
    else
        extent_abort(body->writer);
}

static void drop_done(struct job *job)
{
    struct body *body = container_of(job, struct body, step);
    body->job_count--;
    body->extent_state = EXTENT_NONE;
    body->writer = NULL;
    body_advance(body);
}

/* Closing: first the jobs end, then the extent goes, then the memory. */
static void close_advance(struct body *body)
{
    if (body->is_waiting) {
        if (!budget_cancel(&body->options.store->upload_budget, &body->waiter))
            return;
        body->is_waiting = false;
    }
    if (body->job_count > 0)
        return;
    if (body->current != NULL)
        buffer_free(mem_take(&body->current));
    spare_free_all(body);
    if (body->extent_state != EXTENT_NONE && !body->is_kept) {
        job_submit(body, &body->step, drop_run, drop_done);
        return;
    }
    digest_release(&body->digest);
    for (enum digest_lane lane = 0; lane < DIGEST_LANE_COUNT; lane++)
        strand_release(&body->lane[lane]);
    void (*closed)(void *) = mem_take(&body->closed);
    closed(body->options.context);
}

/* Called whenever something has come to its end: goes on with what can go on. */
static void body_advance(struct body *body)
{
    if (body->is_closing) {
        close_advance(body);
        return;
    }
    if (body->done != NULL) {
        if (body->job_count > 0)
            return;
        if (body->extent_state == EXTENT_OPEN && body->failure == OK)
            job_submit(body, &body->step, seal_run, seal_done);
        else
            tell_done(body);
        return;
    }
    if (body->is_blocked && (body->current != NULL || body->failure != OK || buffer_get(body))) {
        body->is_blocked = false;
        body->options.ready(body->options.context);
    }
}

void body_finish(struct body *body, void (*done)(void *context, enum err err))
{
    assert(!body->is_finished && !body->is_closing);
    body->is_finished = true;
    body->done = done;
    spare_free_all(body);
    if (body->failure == OK && ends_inline(body)) {
        if (body->length > HASH_ON_LOOP_MAX_BYTES) {
            job_submit(body, &body->step, inline_run, inline_done);
            return;
        }
        inline_hash(body);
    } else if (body->failure == OK && body->current != NULL) {
        buffer_send(body);
    } else if (body->length == 0) {
        digest_finish(&body->digest);
    }
    body_advance(body);
}

uint64_t body_length(const struct body *body)
{
    return body->length;
}

const struct digest *body_digest(const struct body *body)
{
    return &body->digest;
}

str body_inline(const struct body *body)
{
    if (body->extent_state != EXTENT_NONE || body->current == NULL)
        return (str){0};
    return str_of(body->current->data, body->current->len);
}

const struct extent_row *body_extent(const struct body *body)
{
    return body->extent_state == EXTENT_SEALED ? &body->extent : NULL;
}

void body_keep(struct body *body)
{
    body->is_kept = true;
}

void body_close(struct body *body, void (*closed)(void *context))
{
    assert(!body->is_closing);
    body->is_closing = true;
    body->done = NULL;
    body->closed = closed;
    close_advance(body);
}
