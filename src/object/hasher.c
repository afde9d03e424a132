/* One lock guards the streams and what waits. A thread has a gang: the streams whose first items it hashes, each in a lane. It
 * takes the lock once a slice, to let go of what is done and to take in who waits. */
#include "object/hasher.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/thread.h"

enum { NAME_SIZE = 24, US_PER_SECOND = 1000 * 1000 };

struct hasher {
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    unsigned lane_count, lane_min; /* of the processor: base/md5.h */
    struct list waiting;           /* streams that have items and no lane */
    unsigned waiting_count;
    unsigned active_count; /* streams in lanes */
    unsigned stream_count; /* all that are open */
    unsigned hurried_count;
    int64_t due_us; /* when hurried streams wait no longer, while there are some */
    unsigned idle_count;
    unsigned running_count;
    bool is_stopping;
    unsigned thread_count;
    pthread_t thread[];
};

struct gang {
    struct hash_stream *lane[MD5_LANES_MAX];
    unsigned count;
};

static struct hash_item *first_item(const struct hash_stream *stream)
{
    return container_of(stream->items.next, struct hash_item, link);
}

/* ---- Who hashes, and when ---- */

/* So many streams are worth a start. Of those that are open some may have stalled clients: a part of them is enough. */
static unsigned company_wanted(const struct hasher *hasher)
{
    if (hasher->stream_count < hasher->lane_min)
        return 1;
    unsigned most =
        hasher->stream_count < hasher->lane_count ? hasher->stream_count : hasher->lane_count;
    return most - most / 4;
}

static bool is_due(const struct hasher *hasher)
{
    return hasher->hurried_count > 0 && clock_mono_us() >= hasher->due_us;
}

/* How many threads should be at work now. */
static unsigned threads_wanted(const struct hasher *hasher)
{
    unsigned count = hasher->waiting_count + hasher->active_count;
    if (count == 0 || (count < company_wanted(hasher) && !is_due(hasher)))
        return 0;
    unsigned wanted =
        count < hasher->lane_min ? count : (count + hasher->lane_count - 1) / hasher->lane_count;
    return wanted < hasher->thread_count ? wanted : hasher->thread_count;
}

/* One more than those that are at work. */
static bool is_thread_needed(const struct hasher *hasher)
{
    return hasher->waiting_count > 0 && hasher->running_count < threads_wanted(hasher);
}

static void wake_locked(struct hasher *hasher)
{
    if (hasher->idle_count > 0 && is_thread_needed(hasher))
        pthread_cond_signal(&hasher->has_work);
}

/* ---- Streams ---- */

static void hurry_locked(struct hash_stream *stream)
{
    struct hasher *hasher = stream->hasher;
    if (stream->is_hurried || list_is_empty(&stream->items))
        return;
    stream->is_hurried = true;
    if (hasher->hurried_count++ > 0)
        return;
    hasher->due_us = clock_mono_us() + HASHER_PATIENCE_US;
    /* Somebody has to watch the time. */
    if (hasher->idle_count > 0)
        pthread_cond_signal(&hasher->has_work);
}

static void calm_locked(struct hash_stream *stream)
{
    if (stream->is_hurried)
        stream->hasher->hurried_count--;
    stream->is_hurried = false;
}

static void wait_locked(struct hash_stream *stream, bool is_first)
{
    struct hasher *hasher = stream->hasher;
    if (is_first)
        list_push_front(&hasher->waiting, &stream->link);
    else
        list_push_back(&hasher->waiting, &stream->link);
    hasher->waiting_count++;
}

void hash_stream_open(struct hash_stream *stream, struct hasher *hasher, struct md5 *md5)
{
    *stream = (struct hash_stream){.hasher = hasher, .md5 = md5};
    list_init(&stream->link);
    list_init(&stream->items);
    pthread_mutex_lock(&hasher->lock);
    hasher->stream_count++;
    pthread_mutex_unlock(&hasher->lock);
}

void hash_stream_push(struct hash_stream *stream, struct hash_item *item)
{
    struct hasher *hasher = stream->hasher;
    assert(item->len > 0);
    pthread_mutex_lock(&hasher->lock);
    bool was_idle = list_is_empty(&stream->items);
    list_push_back(&stream->items, &item->link);
    if (was_idle)
        wait_locked(stream, false);
    wake_locked(hasher);
    pthread_mutex_unlock(&hasher->lock);
}

void hash_stream_hurry(struct hash_stream *stream)
{
    struct hasher *hasher = stream->hasher;
    pthread_mutex_lock(&hasher->lock);
    hurry_locked(stream);
    pthread_mutex_unlock(&hasher->lock);
}

void hasher_hurry(struct hasher *hasher)
{
    pthread_mutex_lock(&hasher->lock);
    list_for_each (link, &hasher->waiting) {
        hurry_locked(container_of(link, struct hash_stream, link));
    }
    pthread_mutex_unlock(&hasher->lock);
}

void hash_stream_close(struct hash_stream *stream)
{
    struct hasher *hasher = stream->hasher;
    pthread_mutex_lock(&hasher->lock);
    assert(list_is_empty(&stream->items) && !stream->is_hurried);
    hasher->stream_count--;
    wake_locked(hasher); /* fewer are wanted now */
    pthread_mutex_unlock(&hasher->lock);
}

/* ---- A thread's gang ---- */

static void tell_done(struct task *task)
{
    struct hash_item *item = container_of(task, struct hash_item, task);
    item->done(item);
}

/* Under the lock, so that the last completion is seen only when the stream is idle and may be closed. The item is its
 * owner's from here on. */
static void finish_item(struct hash_stream *stream)
{
    struct hash_item *item = first_item(stream);
    list_remove(&item->link);
    stream->offset = 0;
    item->task.run = tell_done;
    loop_post(item->loop, &item->task);
}

/* Lets go of the lanes whose item is done; a stream that has more goes to the end of those that wait. */
static void gang_settle(struct hasher *hasher, struct gang *gang)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < gang->count; i++) {
        struct hash_stream *stream = gang->lane[i];
        if (stream->offset < first_item(stream)->len) {
            gang->lane[kept++] = stream;
            continue;
        }
        finish_item(stream);
        hasher->active_count--;
        if (list_is_empty(&stream->items))
            calm_locked(stream);
        else
            wait_locked(stream, false);
    }
    gang->count = kept;
}

static void gang_shrink(struct hasher *hasher, struct gang *gang, unsigned count)
{
    while (gang->count > count) {
        wait_locked(gang->lane[--gang->count], true);
        hasher->active_count--;
    }
}

/* How many lanes a thread should have: a few streams are shared out over the threads, many go together. */
static unsigned room_of(const struct hasher *hasher)
{
    unsigned count = hasher->waiting_count + hasher->active_count;
    if (count >= hasher->lane_min)
        return hasher->lane_count;
    unsigned threads = threads_wanted(hasher);
    return threads == 0 ? 0 : (count + threads - 1) / threads;
}

static void gang_fill(struct hasher *hasher, struct gang *gang)
{
    unsigned room = room_of(hasher);
    gang_shrink(hasher, gang, room);
    while (gang->count < room && hasher->waiting_count > 0) {
        struct list *link = list_pop_front(&hasher->waiting);
        gang->lane[gang->count++] = container_of(link, struct hash_stream, link);
        hasher->waiting_count--;
        hasher->active_count++;
    }
}

/* The same number of blocks for each lane, and what is left of a last item that has less than a block to go. */
static void gang_hash(const struct gang *gang)
{
    struct md5_piece piece[MD5_LANES_MAX];
    struct hash_stream *going[MD5_LANES_MAX];
    size_t count = 0, len = HASHER_SLICE_BYTES;
    for (unsigned i = 0; i < gang->count; i++) {
        struct hash_stream *stream = gang->lane[i];
        const struct hash_item *item = first_item(stream);
        const uint8_t *data = item->data + stream->offset;
        size_t left = item->len - stream->offset;
        if (left < MD5_BLOCK) {
            md5_update(stream->md5, data, left);
            stream->offset += left;
            continue;
        }
        len = left < len ? left - left % MD5_BLOCK : len;
        going[count] = stream;
        piece[count++] = (struct md5_piece){stream->md5, data};
    }
    md5_update_many(piece, count, count > 0 ? len : 0);
    for (size_t i = 0; i < count; i++)
        going[i]->offset += len;
}

/* ---- Threads ---- */

static void wait_until_due(struct hasher *hasher)
{
    struct timespec until = {.tv_sec = hasher->due_us / US_PER_SECOND,
                             .tv_nsec = hasher->due_us % US_PER_SECOND * 1000};
    (void)pthread_cond_timedwait(&hasher->has_work, &hasher->lock, &until);
}

/* Until this thread is wanted (true) or the hasher ends. */
static bool wait_for_work(struct hasher *hasher)
{
    hasher->running_count--;
    while (!hasher->is_stopping && !is_thread_needed(hasher)) {
        hasher->idle_count++;
        if (hasher->hurried_count > 0 && hasher->running_count == 0)
            wait_until_due(hasher);
        else
            pthread_cond_wait(&hasher->has_work, &hasher->lock);
        hasher->idle_count--;
    }
    hasher->running_count++;
    return !hasher->is_stopping;
}

static void work(void *context)
{
    struct hasher *hasher = context;
    struct gang gang = {0};
    pthread_mutex_lock(&hasher->lock);
    hasher->running_count++;
    for (;;) {
        gang_settle(hasher, &gang);
        bool is_needless = gang.count == 0 && hasher->waiting_count == 0;
        if (is_needless || hasher->running_count > threads_wanted(hasher)) {
            gang_shrink(hasher, &gang, 0);
            if (!wait_for_work(hasher))
                break;
        }
        gang_fill(hasher, &gang);
        wake_locked(hasher);
        pthread_mutex_unlock(&hasher->lock);
        gang_hash(&gang);
        pthread_mutex_lock(&hasher->lock);
    }
    pthread_mutex_unlock(&hasher->lock);
}

/* ---- Life ---- */

static void hasher_end(struct hasher *hasher, unsigned started_count)
{
    pthread_mutex_lock(&hasher->lock);
    hasher->is_stopping = true;
    pthread_cond_broadcast(&hasher->has_work);
    pthread_mutex_unlock(&hasher->lock);
    for (unsigned i = 0; i < started_count; i++)
        thread_join(hasher->thread[i]);
    pthread_cond_destroy(&hasher->has_work);
    pthread_mutex_destroy(&hasher->lock);
    mem_free(hasher);
}

struct hasher *hasher_new(unsigned thread_count)
{
    assert(thread_count > 0);
    struct hasher *hasher =
        mem_zalloc(mem_size_add(sizeof(*hasher), mem_size_mul(thread_count, sizeof(pthread_t))));
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&hasher->has_work, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&hasher->lock, NULL);
    list_init(&hasher->waiting);
    hasher->lane_count = md5_lane_count();
    hasher->lane_min = md5_lane_min();
    hasher->thread_count = thread_count;
    for (unsigned i = 0; i < thread_count; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof(name), "hash-%u", i);
        if (thread_start(&hasher->thread[i], name, work, hasher) == OK)
            continue;
        hasher_end(hasher, i);
        return NULL;
    }
    return hasher;
}

void hasher_free(struct hasher *hasher)
{
    if (hasher == NULL)
        return;
    assert(hasher->stream_count == 0);
    hasher_end(hasher, hasher->thread_count);
}
