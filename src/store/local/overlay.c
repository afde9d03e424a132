#include "store/local/overlay.h"

#include <assert.h>
#include <string.h>

enum {
    LEVELS = 12,
    ARENA_CAP = 1 << 30, /* the batch's own bounds are far below */
};

/* What a node held before. */
struct former_change {
    struct overlay_node *node;
    const struct overlay_change *change;
};

struct overlay {
    struct overlay_node *first[LEVELS];
    struct arena *arena;
    size_t count;
    uint64_t random;
    struct former_change *former;
    size_t former_count, former_capacity;
};

struct overlay *overlay_new(void)
{
    struct overlay *overlay = mem_new(struct overlay);
    overlay->arena = arena_new(ARENA_CAP);
    overlay->random = 0x9E3779B97F4A7C15u;
    return overlay;
}

void overlay_free(struct overlay *overlay)
{
    if (!overlay)
        return;
    arena_free(overlay->arena);
    mem_free(overlay->former);
    mem_free(overlay);
}

void overlay_clear(struct overlay *overlay)
{
    arena_reset(overlay->arena);
    memset(overlay->first, 0, sizeof(overlay->first));
    overlay->count = 0;
    overlay->former_count = 0;
}

size_t overlay_count(const struct overlay *overlay)
{
    return overlay->count;
}

size_t overlay_bytes(const struct overlay *overlay)
{
    return arena_used(overlay->arena);
}

/* A level has a quarter of the nodes of the one below it. */
static size_t random_height(struct overlay *overlay)
{
    overlay->random ^= overlay->random << 13;
    overlay->random ^= overlay->random >> 7;
    overlay->random ^= overlay->random << 17;
    size_t height = 1;
    for (uint64_t bits = overlay->random; height < LEVELS && (bits & 3) == 0; bits >>= 2)
        height++;
    return height;
}

/* For each level the link that leads to the first node not below key; returns that node of level 0. */
static struct overlay_node *search(struct overlay *overlay, str key,
                                   struct overlay_node **links[LEVELS])
{
    struct overlay_node **link = overlay->first;
    for (size_t level = LEVELS; level-- > 0;) {
        while (link[level] && str_cmp(link[level]->key, key) < 0)
            link = link[level]->next;
        links[level] = &link[level];
    }
    return link[0];
}

struct overlay_node *overlay_find_from(const struct overlay *overlay, str key)
{
    struct overlay_node *const *link = overlay->first;
    for (size_t level = LEVELS; level-- > 0;)
        while (link[level] && str_cmp(link[level]->key, key) < 0)
            link = link[level]->next;
    return link[0];
}

struct overlay_node *overlay_find(const struct overlay *overlay, str key)
{
    struct overlay_node *node = overlay_find_from(overlay, key);
    return node && str_eq(node->key, key) ? node : NULL;
}

struct overlay_node *overlay_find_below(const struct overlay *overlay, str key)
{
    struct overlay_node *const *link = overlay->first;
    struct overlay_node *node = NULL;
    for (size_t level = LEVELS; level-- > 0;)
        while (link[level] && str_cmp(link[level]->key, key) < 0) {
            node = link[level];
            link = node->next;
        }
    return node;
}

struct overlay_node *overlay_make(struct overlay *overlay, str key)
{
    struct overlay_node **links[LEVELS];
    struct overlay_node *node = search(overlay, key, links);
    if (node && str_eq(node->key, key))
        return node;
    size_t height = random_height(overlay);
    node = arena_zalloc(overlay->arena, sizeof(*node) + height * sizeof(void *));
    node->key = arena_str(overlay->arena, key);
    for (size_t level = 0; level < height; level++) {
        node->next[level] = *links[level];
        *links[level] = node;
    }
    overlay->count++;
    return node;
}

void overlay_set(struct overlay *overlay, struct overlay_node *node,
                 const struct overlay_change *change)
{
    overlay->former = mem_room(overlay->former, overlay->former_count, &overlay->former_capacity,
                               sizeof(struct former_change));
    overlay->former[overlay->former_count++] = (struct former_change){node, node->change};
    struct overlay_change *copy = arena_alloc(overlay->arena, sizeof(*copy));
    *copy = *change;
    copy->entry.columns = arena_str(overlay->arena, change->entry.columns);
    node->change = copy;
}

size_t overlay_mark(const struct overlay *overlay)
{
    return overlay->former_count;
}

void overlay_undo(struct overlay *overlay, size_t mark)
{
    assert(mark <= overlay->former_count);
    while (overlay->former_count > mark) {
        struct former_change *former = &overlay->former[--overlay->former_count];
        former->node->change = former->change;
    }
}
