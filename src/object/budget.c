#include "object/budget.h"

#include <assert.h>

void budget_init(struct budget *budget, size_t total_bytes)
{
    pthread_mutex_init(&budget->lock, NULL);
    budget->free_bytes = budget->total_bytes = total_bytes;
    list_init(&budget->waiting);
    budget->passed_count = 0;
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

/* The same past those who wait, whose head wants more than there is. */
static bool pass_locked(struct budget *budget, size_t bytes)
{
    bytes = fitting(budget, bytes);
    if (budget->passed_count >= BUDGET_PASS_MAX || budget->free_bytes < bytes)
        return false;
    budget->free_bytes -= bytes;
    budget->passed_count++;
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
    bool taken = take_locked(budget, bytes, 0) || pass_locked(budget, bytes);
    if (!taken) {
        waiter->bytes = bytes;
        waiter->is_waiting = true;
        waiter->task.run = tell_granted;
        list_push_back(&budget->waiting, &waiter->link);
    }
    pthread_mutex_unlock(&budget->lock);
    return taken;
}

static struct budget_waiter *head_locked(const struct budget *budget)
{
    return container_of(budget->waiting.next, struct budget_waiter, link);
}

static bool grant_one_locked(struct budget *budget, struct budget_waiter *waiter)
{
    size_t bytes = fitting(budget, waiter->bytes);
    if (budget->free_bytes < bytes)
        return false;
    budget->free_bytes -= bytes;
    list_remove(&waiter->link);
    waiter->is_waiting = false;
    loop_post(waiter->loop, &waiter->task);
    return true;
}

/* Hands free bytes to those who wait: to the head as long as there is enough for it, then to a few
 * of those behind it who want less. How far it looks is bounded, because the line is not. */
static void grant_locked(struct budget *budget)
{
    while (!list_is_empty(&budget->waiting) && grant_one_locked(budget, head_locked(budget)))
        budget->passed_count = 0;
    unsigned looked_count = 0;
    list_for_each (link, &budget->waiting) {
        if (budget->free_bytes == 0 || budget->passed_count >= BUDGET_PASS_MAX ||
            looked_count++ == BUDGET_PASS_MAX)
            return;
        if (grant_one_locked(budget, container_of(link, struct budget_waiter, link)))
            budget->passed_count++;
    }
}

bool budget_cancel(struct budget *budget, struct budget_waiter *waiter)
{
    pthread_mutex_lock(&budget->lock);
    bool was_waiting = waiter->is_waiting;
    if (was_waiting) {
        if (head_locked(budget) == waiter)
            budget->passed_count = 0;
        list_remove(&waiter->link);
    }
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
