/* A binary search tree by key that is at the same time a heap by random priorities, which keeps its depth near log(n).
 * Every change copies the nodes from the root to the place of the change and shares the rest. */
#include "store/mem/treap.h"

#include <string.h>

#include "base/crc.h"
#include "base/mem.h"
#include "base/rand.h"

struct node {
    size_t references;
    uint64_t priority;
    struct node *left, *right; /* owned references */
    struct entry *entry;       /* owned reference */
};

static str copy_to(char **at, str bytes)
{
    str copy = str_of(*at, bytes.len);
    if (bytes.len)
        memcpy(*at, bytes.ptr, bytes.len);
    *at += bytes.len;
    return copy;
}

struct entry *entry_new(str key, str value, str blob)
{
    size_t len = mem_size_add(mem_size_add(key.len, value.len), blob.len);
    struct entry *entry = mem_alloc(mem_size_add(sizeof(*entry), len));
    char *at = entry->bytes;
    entry->references = 1;
    entry->key = copy_to(&at, key);
    entry->value = copy_to(&at, value);
    entry->blob = copy_to(&at, blob);
    entry->blob_crc32c = crc32c_update(0, entry->blob.ptr, entry->blob.len);
    return entry;
}

static void hold(size_t *references)
{
    __atomic_add_fetch(references, 1, __ATOMIC_RELAXED);
}

/* Whether that was the last one. */
static bool drop(size_t *references)
{
    return __atomic_sub_fetch(references, 1, __ATOMIC_ACQ_REL) == 0;
}

void entry_hold(struct entry *entry)
{
    hold(&entry->references);
}

void entry_drop(struct entry *entry)
{
    if (entry && drop(&entry->references))
        mem_free(entry);
}

void node_hold(struct node *node)
{
    if (node)
        hold(&node->references);
}

void node_drop(struct node *node)
{
    if (!node || !drop(&node->references))
        return;
    node_drop(node->left);
    node_drop(node->right);
    entry_drop(node->entry);
    mem_free(node);
}

static struct node *held(struct node *node)
{
    node_hold(node);
    return node;
}

/* Takes the references to left and right. */
static struct node *node_new(uint64_t priority, struct entry *entry, struct node *left,
                             struct node *right)
{
    struct node *node = mem_alloc(sizeof(*node));
    *node = (struct node){
        .references = 1, .priority = priority, .left = left, .right = right, .entry = entry};
    entry_hold(entry);
    return node;
}

/* The two rotations work in place: they are given nodes that node_put has just made and nobody else knows. */
static struct node *lift_left(struct node *node)
{
    struct node *top = node->left;
    node->left = top->right;
    top->right = node;
    return top;
}

static struct node *lift_right(struct node *node)
{
    struct node *top = node->right;
    node->right = top->left;
    top->left = node;
    return top;
}

struct node *node_put(struct node *map, struct entry *entry)
{
    if (!map)
        return node_new(rand_u64(), entry, NULL, NULL);
    int order = str_cmp(entry->key, map->entry->key);
    if (order == 0)
        return node_new(map->priority, entry, held(map->left), held(map->right));
    if (order < 0) {
        struct node *left = node_put(map->left, entry);
        struct node *node = node_new(map->priority, map->entry, left, held(map->right));
        return left->priority > node->priority ? lift_left(node) : node;
    }
    struct node *right = node_put(map->right, entry);
    struct node *node = node_new(map->priority, map->entry, held(map->left), right);
    return right->priority > node->priority ? lift_right(node) : node;
}

/* All keys of `low` are below those of `high`; both are borrowed. */
static struct node *join(struct node *low, struct node *high)
{
    if (!low || !high)
        return held(low ? low : high);
    if (low->priority > high->priority)
        return node_new(low->priority, low->entry, held(low->left), join(low->right, high));
    return node_new(high->priority, high->entry, join(low, high->left), held(high->right));
}

static struct node *remove_present(struct node *map, str key)
{
    int order = str_cmp(key, map->entry->key);
    if (order == 0)
        return join(map->left, map->right);
    if (order < 0)
        return node_new(map->priority, map->entry, remove_present(map->left, key),
                        held(map->right));
    return node_new(map->priority, map->entry, held(map->left), remove_present(map->right, key));
}

struct node *node_remove(struct node *map, str key)
{
    return node_find(map, key) ? remove_present(map, key) : held(map);
}

struct entry *node_find(const struct node *map, str key)
{
    struct entry *entry = node_find_from(map, key);
    return entry && str_eq(entry->key, key) ? entry : NULL;
}

struct entry *node_find_from(const struct node *map, str key)
{
    struct entry *best = NULL;
    while (map) {
        bool is_below = str_cmp(map->entry->key, key) < 0;
        if (!is_below)
            best = map->entry;
        map = is_below ? map->right : map->left;
    }
    return best;
}

struct entry *node_find_before(const struct node *map, str key)
{
    struct entry *best = NULL;
    while (map) {
        bool is_above = str_cmp(map->entry->key, key) > 0;
        if (!is_above)
            best = map->entry;
        map = is_above ? map->left : map->right;
    }
    return best;
}
