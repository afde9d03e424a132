/* An ordered map from byte strings to entries that never changes: putting and removing make a new map which shares what is
 * the same, so a snapshot is a pointer. A treap; nodes and entries are counted references, and may be shared between
 * threads. A null node is the empty map. */
#pragma once

#include "base/str.h"

/* A row as it is kept: key, columns and blob behind each other in one allocation. */
struct entry {
    size_t references;
    str key, value, blob;
    uint32_t blob_crc32c;
    char bytes[];
};

/* Copies. The caller owns the one reference. */
struct entry *entry_new(str key, str value, str blob);
void entry_hold(struct entry *entry);
void entry_drop(struct entry *entry); /* null is allowed */

struct node;

/* The functions below borrow the map; those that return a node return an owned reference to another map. */
void node_hold(struct node *node);
void node_drop(struct node *node);                            /* null is allowed */
struct node *node_put(struct node *map, struct entry *entry); /* holds the entry */
struct node *node_remove(struct node *map, str key);

/* Entries live as long as the map. Null when there is none. */
struct entry *node_find(const struct node *map, str key);
struct entry *node_find_from(const struct node *map, str key);   /* the first not below key */
struct entry *node_find_before(const struct node *map, str key); /* the last not above key */
