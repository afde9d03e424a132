/* body: takes the bytes of an upload, computes their digests beside the writing, and ends as inline
 * bytes (small) or as a sealed extent (large). Memory is bounded by the store's budgets: when there
 * is no buffer, body_write takes fewer bytes, and `ready` is called when there is room.
 *
 * Slow clients do not hold up the others:
 *  1. A body waits in line only while it has no buffer at all, and then for no more than a block of
 *     an extent, so whoever holds memory can go on with what it holds.
 *  2. Large buffers come out of the upper half of the budget. A client that does not fill one within
 *     a second or two loses it: whole blocks are written, and the rest waits in a buffer of one block.
 *     (Until they are written, that block's memory comes on top of the budget.)
 *  3. A body that is known to end inline has a budget of its own, and what is free of the other one.
 *
 * Everything is called, and calls back, on one loop, which computes the CRCs, too. MD5 is the hasher's (object/hasher.h); SHA
 * digests and writing run on workers:
 *
 *   body_write → buffer full ─┬─ MD5, beside others (in order) ─┬─ buffer free again → ready
 *                             ├─ SHA, on a strand   (in order) ─┤
 *                             └─ extent_write      (any order) ─┘
 *   body_finish → last buffer as above → extent_seal → done
 */
#pragma once

#include "object/digest.h"
#include "object/store.h"

#define BODY_LENGTH_UNKNOWN UINT64_MAX

struct body;

struct body_options {
    struct store *store;
    struct loop *loop;
    struct arena *arena; /* the body's own until it is closed */
    uint64_t length;     /* exactly, or BODY_LENGTH_UNKNOWN */
    digest_set digests;
    bool must_be_extent; /* parts: never inline (an empty one has no extent) */
    void (*ready)(void *context);
    void *context;
};

struct body *body_new(const struct body_options *options);
/* Takes the front of data; returns how many bytes. After a failure it takes, and drops,
 * everything. */
size_t body_write(struct body *body, str data);
/* Where the next bytes may be put instead of being given to body_write, and how many; null when there is no room. It holds
 * until the return to the loop, or until body_took tells how many were put there. */
char *body_room(struct body *body, size_t *out_len);
void body_took(struct body *body, size_t len);
/* The first failure so far: a reason to refuse the rest of an upload early. */
enum err body_failure(const struct body *body);
/* No more comes. `done` tells the failure, or OK: then the functions below may be asked. It may
 * come before the return. */
void body_finish(struct body *body, void (*done)(void *context, enum err err));

uint64_t body_length(const struct body *body);
const struct digest *body_digest(const struct body *body);
/* Inline bytes (null ptr when the body is an extent or empty), and the sealed extent's row (null
 * when there is none). */
str body_inline(const struct body *body);
const struct extent_row *body_extent(const struct body *body);

/* The extent belongs to a committed row now (or may: the commit's outcome is unknown): closing
 * does not drop it. */
void body_keep(struct body *body);
/* Gives everything up that was not kept; `closed` comes when nothing of the body is in use any
 * more, maybe before the return. Allowed at any time, once. */
void body_close(struct body *body, void (*closed)(void *context));
