#include "object/budget.h"

#include <assert.h>

void budget_init(struct budget *budget, size_t total_bytes)
{
    pthread_mutex_init(&budget->lock, NULL);
    budget->free_bytes = budget->total_bytes = total_bytes;
    list_init(&budget->waiting);
}

void budget_release(struct budget *budget)
{
    assert(list_is_empty(&budget->waiting));
    assert(budget->free_bytes == budget->total_bytes);
    pthread_mutex_destroy(&budget->lock);
}

/* A single wish can be larger than the whole budget; it then gets the whole. */
static size_t fitting(const struct budget *budget, size_t bytes)
{
    return bytes < budget->total_bytes ? bytes : budget->total_bytes;
}

static bool take_locked(struct budget *budget, size_t bytes, size_t keep_free)
{
    bytes = fitting(budget, bytes);
    if (!list_is_empty(&budget->waiting) || budget->free_bytes < bytes ||
        budget->free_bytes - bytes < keep_free)
        return false;
    budget->free_bytes -= bytes;
    return true;
}

bool budget_try_take(struct budget *budget, size_t bytes)
{
    pthread_mutex_lock(&budget->lock);
    bool taken = take_locked(budget, bytes, 0);
    pthread_mutex_unlock(&budget->lock);
    return taken;
}

bool budget_try_take_extra(struct budget *budget, size_t bytes)
{
    pthread_mutex_lock(&budget->lock);
    bool taken = take_locked(budget, bytes, budget->total_bytes / 2);
    pthread_mutex_unlock(&budget->lock);
    return taken;
}

static void tell_granted(struct task *task)
{
    struct budget_waiter *waiter = container_of(task, struct budget_waiter, task);
    waiter->granted(waiter);
}

bool budget_take(struct budget *budget, struct budget_waiter *waiter, size_t bytes)
{
    assert(!waiter->is_waiting);
    pthread_mutex_lock(&budget->lock);
    bool taken = take_locked(budget, bytes, 0);
    if (!taken) {
        waiter->bytes = bytes;
        waiter->is_waiting = true;
        waiter->task.run = tell_granted;
        list_push_back(&budget->waiting, &waiter->link);
    }
    pthread_mutex_unlock(&budget->lock);
    return taken;
}

/* Hands free bytes to those who wait, in order. */
static void grant_locked(struct budget *budget)
{
    while (!list_is_empty(&budget->waiting)) {
        struct budget_waiter *first =
            container_of(budget->waiting.next, struct budget_waiter, link);
        size_t bytes = fitting(budget, first->bytes);
        if (budget->free_bytes < bytes)
            return;
        budget->free_bytes -= bytes;
        list_remove(&first->link);
        first->is_waiting = false;
        loop_post(first->loop, &first->task);
    }
}

bool budget_cancel(struct budget *budget, struct budget_waiter *waiter)
{
    pthread_mutex_lock(&budget->lock);
    bool was_waiting = waiter->is_waiting;
    if (was_waiting)
        list_remove(&waiter->link);
    waiter->is_waiting = false;
    /* Those behind it may have waited only for their turn. */
    grant_locked(budget);
    pthread_mutex_unlock(&budget->lock);
    return was_waiting;
}

void budget_give(struct budget *budget, size_t bytes)
{
    pthread_mutex_lock(&budget->lock);
    budget->free_bytes += fitting(budget, bytes);
    assert(budget->free_bytes <= budget->total_bytes);
    grant_locked(budget);
    pthread_mutex_unlock(&budget->lock);
}
