/* Intrusive doubly linked list: a head and links that live in the members. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}
static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}
static inline void list_insert_before(struct list *at, struct list *link)
{
    link->prev = at->prev;
    link->next = at;
    at->prev->next = link;
    at->prev = link;
}
static inline void list_push_back(struct list *head, struct list *link)
{
    list_insert_before(head, link);
}
static inline void list_push_front(struct list *head, struct list *link)
{
    list_insert_before(head->next, link);
}
/* Leaves the link pointing at itself, so removing twice is harmless. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = link->prev = link;
}
static inline struct list *list_pop_front(struct list *head)
{
    struct list *first = head->next;
    if (first == head)
        return NULL;
    list_remove(first);
    return first;
}
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define list_for_each(link, head)                                                                  \
    for (struct list *link = (head)->next, *link##_next_ = link->next; link != (head);             \
         link = link##_next_, link##_next_ = link->next)
