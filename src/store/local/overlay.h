/* The overlay: what a batch of updates has changed, on top of the index, in key order. Updates of the batch read through it;
 * when the batch is durable it is written to the index and emptied.
 *
 * A skip list whose nodes are never removed before all are: taking back the changes of an update that failed puts the
 * former change in its place again, or none. One thread at a time. */
#pragma once

#include "store/local/entry.h"

/* What the batch does to a row. The place is in the log (segment not 0), or, while the batch is being made, in the batch's
 * bytes (segment 0). */
struct overlay_change {
    enum change_kind kind;
    struct row_entry entry; /* of a put; of a delete segment, offset and length alone */
};

struct overlay_node {
    str key;
    const struct overlay_change *change; /* null: the row is as the index has it */

    /* What the index has; filled by whoever asked it first. */
    bool is_base_known, has_base;
    uint64_t base_segment, base_offset, base_length;

    struct overlay_node *next[]; /* level 0 is the order of all nodes */
};

struct overlay;

struct overlay *overlay_new(void);
void overlay_free(struct overlay *overlay); /* null is allowed */
void overlay_clear(struct overlay *overlay);
size_t overlay_count(const struct overlay *overlay); /* of nodes */
size_t overlay_bytes(const struct overlay *overlay);

/* Nodes live until the overlay is cleared. Null when there is none. */
struct overlay_node *overlay_find(const struct overlay *overlay, str key);
struct overlay_node *overlay_find_from(const struct overlay *overlay, str key);  /* not below key */
struct overlay_node *overlay_find_below(const struct overlay *overlay, str key); /* below key */
static inline struct overlay_node *overlay_next(const struct overlay_node *node)
{
    return node->next[0];
}

/* The key's node, made without a change when there was none. The key is copied. */
struct overlay_node *overlay_make(struct overlay *overlay, str key);

/* Copies the change and its columns. */
void overlay_set(struct overlay *overlay, struct overlay_node *node,
                 const struct overlay_change *change);

/* overlay_undo takes back all changes that were set since the mark was taken. */
size_t overlay_mark(const struct overlay *overlay);
void overlay_undo(struct overlay *overlay, size_t mark);
