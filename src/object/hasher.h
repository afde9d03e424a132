/* hasher: the MD5 of bodies, whose pieces come in order, on threads of its own. Many bodies are hashed side by side (base/md5.h):
 * sixteen take little longer than one. So it pays to wait for company, and this file decides how long:
 *
 *  1. While there are only a few streams, each is hashed at once, one to a thread.
 *  2. Else a stream waits until enough others wait too, and all go together. Whoever waits meanwhile for memory, or for the end,
 *     says so (hash_stream_hurry), and is hashed soon, however few they are, until nothing of it is left.
 *  3. Who waits joins those that are under way as soon as they have hashed HASHER_SLICE_BYTES more. */
#pragma once

#include "base/list.h"
#include "base/md5.h"
#include "event/loop.h"

enum {
    HASHER_SLICE_BYTES = 64 << 10,
    /* How long one in a hurry still waits for company: as long as hashing 1 MiB side by side takes. */
    HASHER_PATIENCE_US = 2000,
};

struct hasher;

/* Null when the system refuses the threads. */
struct hasher *hasher_new(unsigned thread_count);
void hasher_free(struct hasher *hasher); /* no stream may be open; null is allowed */

/* Some bytes of a message, whose owner keeps them and this struct until `done`. */
struct hash_item {
    const uint8_t *data;
    size_t len; /* above 0; a multiple of MD5_BLOCK unless it is the message's last */
    struct loop *loop;
    void (*done)(struct hash_item *item); /* on the loop, in the order of the items */
    /* internal */
    struct list link;
    struct task task;
};

/* One message. The functions may be called from any thread. */
struct hash_stream {
    struct hasher *hasher;
    struct md5 *md5; /* not to be touched while an item is under way */
    /* internal; the hasher's lock guards it */
    struct list link; /* while it waits */
    struct list items;
    size_t offset; /* in the first item */
    bool is_hurried;
};

void hash_stream_open(struct hash_stream *stream, struct hasher *hasher, struct md5 *md5);
void hash_stream_push(struct hash_stream *stream, struct hash_item *item);
/* Somebody waits for what has been pushed. */
void hash_stream_hurry(struct hash_stream *stream);
/* Somebody waits for memory, whoever's: the same for every stream. */
void hasher_hurry(struct hasher *hasher);
/* After the last item's `done`. */
void hash_stream_close(struct hash_stream *stream);
