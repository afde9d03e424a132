#include "object/body.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "object/store_int.h"

enum {
    IO_ALIGNMENT = 4096,
    /* One being filled, the others being hashed and written: some 7 ms of MD5 in hand when the disk or the scheduler is slow
     * for a moment. */
    BODY_LARGE_MAX_COUNT = 8,
    HASH_ON_LOOP_MAX_BYTES = 16 << 10, /* 25 us of MD5: less than a trip to a worker and back */
};

struct io_buffer {
    struct list link; /* body->unwritten, until the extent has begun */
    struct body *body;
    struct budget *budget; /* gets `charge` back */
    size_t charge;
    char *data;
    size_t capacity, len;
    uint64_t offset;    /* in the body */
    bool is_old;        /* its client was given time to fill it once already */
    unsigned use_count; /* jobs that still need it */
    struct hash_item md5;
    struct job sha;
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
    struct hash_stream md5; /* open from the first buffer that is sent on */
    bool is_md5_open;
    struct strand sha;
    struct io_buffer *current; /* being filled */
    unsigned buffer_count;     /* all of them, the current one included */
    unsigned job_count;        /* under way */
    struct budget_waiter waiter;
    struct budget *waits_for; /* null: it does not stand in line */
    struct timer patience;    /* while a large buffer is being filled */

    enum extent_state extent_state;
    struct extent_writer *writer;
    struct list unwritten;
    struct job step; /* begin, seal, drop, or hashing an inline body: one at a time */
    enum err step_result;
    struct extent_row extent;

    void (*done)(void *context, enum err err);
    void (*closed)(void *context);
};

static void body_advance(struct body *body);

/* ---- Buffers ---- */

/* A body of known length needs no more than its length. Less than `size`, and so maybe no whole number of
 * blocks, is only the last buffer. */
static size_t capacity_for(const struct body *body, size_t size)
{
    if (body->options.length == BODY_LENGTH_UNKNOWN)
        return size;
    uint64_t left = body->options.length - body->length;
    if (left >= size)
        return size;
    return left == 0 ? IO_ALIGNMENT
                     : (size_t)((left + IO_ALIGNMENT - 1) / IO_ALIGNMENT * IO_ALIGNMENT);
}

static size_t block_size(const struct body *body)
{
    return extent_block_size(body->options.store->engine);
}

static bool is_large(const struct io_buffer *buffer)
{
    return buffer->capacity > block_size(buffer->body);
}

/* The bytes have been taken from the budget already. */
static struct io_buffer *buffer_new(struct body *body, struct budget *budget, size_t capacity)
{
    struct io_buffer *buffer = mem_new(struct io_buffer);
    buffer->body = body;
    buffer->budget = budget;
    buffer->capacity = capacity;
    /* A wish for more than there is was granted as all there is. */
    buffer->charge = capacity < budget->total_bytes ? capacity : budget->total_bytes;
    /* Small buffers are kept at hand by the allocator itself. */
    buffer->data = capacity == UPLOAD_BUFFER_BYTES
                       ? buffers_take(&body->options.store->upload_buffers)
                       : mem_alloc_aligned(IO_ALIGNMENT, capacity);
    list_init(&buffer->link);
    body->buffer_count++;
    return buffer;
}

static void buffer_free(struct io_buffer *buffer)
{
    struct body *body = buffer->body;
    budget_give(buffer->budget, buffer->charge);
    body->buffer_count--;
    if (buffer->capacity == UPLOAD_BUFFER_BYTES)
        buffers_give(&body->options.store->upload_buffers, buffer->data);
    else
        mem_free(buffer->data);
    mem_free(buffer);
}

/* What was sent to be hashed is waited for: to be used again, or because it was the last. */
static void md5_hurry(struct body *body)
{
    if (body->is_md5_open)
        hash_stream_hurry(&body->md5);
}

static void watch_client(struct body *body)
{
    struct loop *loop = body->options.loop;
    if (body->patience.slot == SIZE_MAX && !body->is_finished && !body->is_closing)
        timer_set(loop, &body->patience, loop_now_us(loop) + body->options.store->patience_us);
}

static void fill_next(struct body *body, struct budget *budget, size_t capacity)
{
    body->current = buffer_new(body, budget, capacity);
    body->current->offset = body->length;
    if (is_large(body->current))
        watch_client(body);
}

static void budget_granted(struct budget_waiter *waiter)
{
    struct body *body = container_of(waiter, struct body, waiter);
    fill_next(body, mem_take(&body->waits_for), waiter->bytes);
    body_advance(body);
}

/* Takes from the budget, or stands in its line: then buffer_get is false. */
static bool buffer_wait(struct body *body, struct budget *budget, size_t capacity)
{
    if (!budget_take(budget, &body->waiter, capacity)) {
        body->waits_for = budget;
        hasher_hurry(body->options.store->hasher);
        return false;
    }
    fill_next(body, budget, capacity);
    return true;
}

static bool is_small(const struct body *body)
{
    return body->options.length != BODY_LENGTH_UNKNOWN &&
           body->options.length <= body->options.store->inline_max_bytes;
}

/* Gets a buffer to fill; false when one will come later. Only who has none waits in line, and for a
 * small one; what makes an upload faster is not taken from those who wait. */
static bool buffer_get(struct body *body)
{
    struct store *store = body->options.store;
    struct budget *budget = &store->upload_budget;
    if (body->waits_for != NULL)
        return false;
    if (is_small(body)) {
        size_t capacity = capacity_for(body, UPLOAD_BUFFER_BYTES);
        if (budget_try_take(&store->small_budget, capacity))
            budget = &store->small_budget;
        else if (!budget_try_take(budget, capacity))
            return buffer_wait(body, &store->small_budget, capacity);
        fill_next(body, budget, capacity);
        return true;
    }
    size_t capacity = capacity_for(body, UPLOAD_BUFFER_BYTES);
    if (body->buffer_count < BODY_LARGE_MAX_COUNT && budget_try_take_extra(budget, capacity)) {
        fill_next(body, budget, capacity);
        return true;
    }
    if (body->buffer_count > 0) {
        md5_hurry(body);
        return false;
    }
    return buffer_wait(body, budget, capacity_for(body, block_size(body)));
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
        buffer_free(buffer);
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

static void md5_done(struct hash_item *item)
{
    buffer_unuse(container_of(item, struct io_buffer, md5));
}

static void md5_submit(struct io_buffer *buffer)
{
    struct body *body = buffer->body;
    if (!body->is_md5_open)
        hash_stream_open(&body->md5, body->options.store->hasher, &body->digest.md5);
    body->is_md5_open = true;
    buffer->use_count++;
    body->job_count++;
    buffer->md5 = (struct hash_item){
        .data = (const uint8_t *)buffer->data,
        .len = buffer->len,
        .loop = body->options.loop,
        .done = md5_done,
    };
    hash_stream_push(&body->md5, &buffer->md5);
    /* Small ones are used when memory is short; and nobody watches whether their clients go on. */
    if (!is_large(buffer))
        md5_hurry(body);
}

static void sha_run(struct job *job)
{
    struct io_buffer *buffer = container_of(job, struct io_buffer, sha);
    digest_update_lane(&buffer->body->digest, DIGEST_LANE_SHA, buffer->data, buffer->len);
}

static void sha_done(struct job *job)
{
    buffer_unuse(container_of(job, struct io_buffer, sha));
}

static void sha_submit(struct io_buffer *buffer)
{
    struct body *body = buffer->body;
    if (!digest_has_lane(&body->digest, DIGEST_LANE_SHA))
        return;
    buffer->use_count++;
    body->job_count++;
    buffer->sha = (struct job){.loop = body->options.loop, .run = sha_run, .done = sha_done};
    strand_submit(&body->sha, &buffer->sha);
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

/* Sends a buffer on its way: to the digests and to the extent. */
static void buffer_send(struct io_buffer *buffer)
{
    struct body *body = buffer->body;
    buffer->use_count = 1; /* the write, now or after the extent has begun */
    md5_submit(buffer);
    sha_submit(buffer);
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

/* ---- Slow clients ---- */

/* Out of a large buffer into one of a block, which takes its charge over from it. */
static struct io_buffer *buffer_split(struct io_buffer *large, size_t tail)
{
    struct body *body = large->body;
    size_t size = block_size(body);
    size_t capacity = large->capacity - (large->len - tail);
    struct io_buffer *small = buffer_new(body, large->budget, capacity < size ? capacity : size);
    if (small->charge > large->charge)
        small->charge = large->charge;
    large->charge -= small->charge;
    large->len -= tail;
    memcpy(small->data, large->data + large->len, tail);
    small->len = tail;
    small->offset = large->offset + large->len;
    return small;
}

static void current_shrink(struct body *body)
{
    struct io_buffer *large = mem_take(&body->current);
    size_t tail = large->len % block_size(body);
    if (tail > 0)
        body->current = buffer_split(large, tail);
    if (large->len > 0)
        buffer_send(large);
    else
        buffer_free(large);
    md5_hurry(body); /* it would keep its memory until others come */
}

/* It is only seen here that a client is slow, so that a fast one pays for a timer and nothing else. */
static void patience_over(struct timer *timer)
{
    struct body *body = container_of(timer, struct body, patience);
    struct io_buffer *current = body->current;
    md5_hurry(body); /* what it holds is not to wait for the company of others */
    if (current == NULL || !is_large(current))
        return; /* the next large one is watched again */
    if (current->is_old) {
        current_shrink(body);
        return;
    }
    current->is_old = true;
    watch_client(body);
}

/* ---- Life ---- */

struct body *body_new(const struct body_options *options)
{
    struct body *body = arena_new_of(options->arena, struct body);
    body->options = *options;
    body->waiter = (struct budget_waiter){.loop = options->loop, .granted = budget_granted};
    list_init(&body->unwritten);
    timer_init(&body->patience, patience_over);
    digest_init(&body->digest, options->digests);
    strand_init(&body->sha, options->store->workers);
    return body;
}

static bool ends_inline(const struct body *body)
{
    return !body->options.must_be_extent && body->extent_state == EXTENT_NONE &&
           body->length <= body->options.store->inline_max_bytes;
}

/* Makes sure that there is a buffer with room. */
static bool current_ready(struct body *body)
{
    if (body->current != NULL && body->current->len == body->current->capacity)
        buffer_send(mem_take(&body->current));
    return body->current != NULL || buffer_get(body);
}

char *body_room(struct body *body, size_t *out_len)
{
    assert(!body->is_finished && !body->is_closing);
    if (body->failure != OK || !current_ready(body))
        return NULL;
    struct io_buffer *buffer = body->current;
    assert(buffer->len < buffer->capacity); /* the caller lets no body be longer than it said */
    *out_len = buffer->capacity - buffer->len;
    return buffer->data + buffer->len;
}

void body_took(struct body *body, size_t len)
{
    struct io_buffer *buffer = body->current;
    assert(len <= buffer->capacity - buffer->len);
    /* While the bytes are in the cache. */
    digest_update_lane(&body->digest, DIGEST_LANE_CRC, buffer->data + buffer->len, len);
    buffer->len += len;
    body->length += len;
    /* A body that may end here and lie inline keeps its only buffer. */
    if (buffer->len == buffer->capacity && !ends_inline(body))
        buffer_send(mem_take(&body->current));
}

size_t body_write(struct body *body, str data)
{
    size_t taken = 0;
    while (taken < data.len) {
        if (body->failure != OK)
            return data.len;
        size_t len = 0;
        char *room = body_room(body, &len);
        if (room == NULL)
            break;
        if (len > data.len - taken)
            len = data.len - taken;
        memcpy(room, data.ptr + taken, len);
        body_took(body, len);
        taken += len;
    }
    body->is_blocked = taken < data.len;
    return taken;
}

enum err body_failure(const struct body *body)
{
    return body->failure;
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
    if (body->current != NULL) {
        const struct io_buffer *all = body->current;
        digest_update_lane(&body->digest, DIGEST_LANE_MD5, all->data, all->len);
        digest_update_lane(&body->digest, DIGEST_LANE_SHA, all->data, all->len);
    }
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
    if (body->waits_for != NULL) {
        if (!budget_cancel(body->waits_for, &body->waiter))
            return;
        body->waits_for = NULL;
    }
    if (body->job_count > 0)
        return;
    if (body->current != NULL)
        buffer_free(mem_take(&body->current));
    if (body->extent_state != EXTENT_NONE && !body->is_kept) {
        job_submit(body, &body->step, drop_run, drop_done);
        return;
    }
    digest_release(&body->digest);
    if (body->is_md5_open)
        hash_stream_close(&body->md5);
    strand_release(&body->sha);
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
    timer_cancel(body->options.loop, &body->patience);
    if (body->failure == OK && ends_inline(body)) {
        if (body->length > HASH_ON_LOOP_MAX_BYTES) {
            job_submit(body, &body->step, inline_run, inline_done);
            return;
        }
        inline_hash(body);
    } else if (body->failure == OK && body->current != NULL) {
        buffer_send(mem_take(&body->current));
    } else if (body->length == 0) {
        digest_finish(&body->digest);
    }
    md5_hurry(body);
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
    timer_cancel(body->options.loop, &body->patience);
    body->done = NULL;
    body->closed = closed;
    md5_hurry(body);
    close_advance(body);
}
