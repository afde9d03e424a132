/* The event loop: epoll, a binary heap of timers, and two queues of tasks.
 *
 * A turn: wait, run the callbacks of the descriptors that are ready, run the timers that are due, run the tasks.
 *
 * Invariants
 *  1. Tasks posted by the loop's own thread go to a plain list; those of other threads to a lock-free stack that is taken
 *     whole and reversed, so each poster's order is kept.
 *  2. The wake-up descriptor is written only when the loop has announced that it is about to sleep: the poster pushes and
 *     then looks at the announcement, the loop announces and then looks at the stack, all sequentially consistent, so one
 *     of the two always sees the other.
 *  3. A watch that was removed is struck from the events already collected, so its owner may free it at once.
 */
#include "event/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/prompt.h"
#include "event/heap.h"

enum {
    READY_MAX = 256,
    /* Tasks that tasks post run in the same turn once, so that an answer computed by a worker leaves without another
     * wait; what those post in their turn waits, so that descriptors are not starved. */
    TASK_PASSES = 2,
};

struct task_queue {
    struct task *first;
    struct task *last;
};

struct loop {
    int epoll_fd;
    int wake_fd;
    struct watch wake_watch;
    int64_t now_us;
    struct heap timers;
    struct task_queue tasks;       /* own thread only */
    _Atomic(struct task *) posted; /* other threads; newest first */
    _Atomic(pthread_t) thread;     /* of loop_run; 0 when it is not running */
    atomic_bool is_sleeping;       /* a poster must write to wake_fd */
    atomic_bool is_stopping;
    int ready_count;
    int ready_next;
    struct epoll_event ready[READY_MAX];
};

/* ---- Life ---- */

/* Edge-triggered, so the counter is never read back: each write is an edge of its own. */
static void wake_ready(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(struct loop);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->wake_watch =
        (struct watch){.fd = loop->wake_fd, .events = EPOLLIN | EPOLLET, .ready = wake_ready};
    loop->now_us = clock_mono_us();
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 || watch_add(loop, &loop->wake_watch) != OK) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    assert(atomic_load(&loop->thread) == 0);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    heap_release(&loop->timers);
    mem_free(loop);
}

bool loop_is_current(const struct loop *loop)
{
    return atomic_load_explicit(&loop->thread, memory_order_relaxed) == pthread_self();
}

int64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

/* ---- Watches ---- */

enum err watch_add(struct loop *loop, struct watch *watch)
{
    struct epoll_event event = {.events = watch->events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0)
        return err_from_errno(errno);
    return OK;
}

void watch_change(struct loop *loop, struct watch *watch, uint32_t events)
{
    if (events == watch->events)
        return;
    watch->events = events;
    struct epoll_event event = {.events = events, .data.ptr = watch};
    int failed = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
    assert(failed == 0);
}

void watch_remove(struct loop *loop, struct watch *watch)
{
    int failed = epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    assert(failed == 0);
    for (int i = loop->ready_next; i < loop->ready_count; i++) {
        if (loop->ready[i].data.ptr == watch)
            loop->ready[i].data.ptr = NULL;
    }
}

static void run_ready(struct loop *loop)
{
    loop->ready_next = 0;
    while (loop->ready_next < loop->ready_count) {
        struct epoll_event *event = &loop->ready[loop->ready_next++];
        struct watch *watch = event->data.ptr;
        if (watch == NULL)
            continue;
        /* The interest may have been narrowed since the kernel reported. */
        uint32_t events = event->events & (watch->events | EPOLLERR | EPOLLHUP);
        if (events != 0)
            watch->ready(watch, events);
    }
    loop->ready_count = 0;
}

/* ---- Tasks ---- */

static void queue_push(struct task_queue *queue, struct task *task)
{
    task->next = NULL;
    if (queue->first == NULL)
        queue->first = task;
    else
        queue->last->next = task;
    queue->last = task;
}

static void wake(struct loop *loop)
{
    if (!atomic_load(&loop->is_sleeping) || !atomic_exchange(&loop->is_sleeping, false))
        return;
    uint64_t one = 1;
    ssize_t written = write(loop->wake_fd, &one, sizeof(one));
    (void)written; /* it can only fail when the counter is full, and then the loop is awake */
}

void loop_post(struct loop *loop, struct task *task)
{
    if (loop_is_current(loop)) {
        queue_push(&loop->tasks, task);
        return;
    }
    struct task *head = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do {
        task->next = head;
    } while (!atomic_compare_exchange_weak(&loop->posted, &head, task));
    wake(loop);
}

/* Moves what other threads posted to the end of the own queue. */
static void collect_posted(struct loop *loop)
{
    if (atomic_load_explicit(&loop->posted, memory_order_relaxed) == NULL)
        return;
    struct task *newest = atomic_exchange(&loop->posted, NULL);
    struct task *oldest = NULL;
    while (newest != NULL) {
        struct task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct task *next = oldest->next;
        queue_push(&loop->tasks, oldest);
        oldest = next;
    }
}

static void run_tasks(struct loop *loop)
{
    for (int pass = 0; pass < TASK_PASSES; pass++) {
        collect_posted(loop);
        struct task *task = loop->tasks.first;
        loop->tasks = (struct task_queue){0};
        while (task != NULL) {
            struct task *next = task->next; /* run may free the task */
            task->run(task);
            task = next;
        }
    }
}

/* ---- Timers ---- */

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.slot = SIZE_MAX, .fire = fire};
}

void timer_set(struct loop *loop, struct timer *timer, int64_t at_us)
{
    assert(timer->fire != NULL);
    heap_set(&loop->timers, timer, at_us);
}

void timer_cancel(struct loop *loop, struct timer *timer)
{
    heap_remove(&loop->timers, timer);
}

static void run_timers(struct loop *loop)
{
    for (;;) {
        struct timer *timer = heap_first(&loop->timers);
        if (timer == NULL || timer->at_us > loop->now_us)
            return;
        heap_remove(&loop->timers, timer);
        timer->fire(timer);
    }
}

/* ---- Turns ---- */

/* Milliseconds for epoll_wait, rounded up so that a timer is never looked at too early. */
static int wait_ms(const struct loop *loop)
{
    if (loop->tasks.first != NULL)
        return 0;
    const struct timer *timer = heap_first(&loop->timers);
    if (timer == NULL)
        return -1;
    int64_t left_us = timer->at_us - clock_mono_us();
    if (left_us <= 0)
        return 0;
    int64_t left_ms = left_us / 1000 + (left_us % 1000 != 0);
    return left_ms > 3600 * 1000 ? 3600 * 1000 : (int)left_ms;
}

static void wait_for_events(struct loop *loop)
{
    int timeout_ms = wait_ms(loop);
    if (timeout_ms != 0) {
        atomic_store(&loop->is_sleeping, true);
        if (atomic_load(&loop->posted) != NULL || atomic_load(&loop->is_stopping))
            timeout_ms = 0;
    }
    int count = epoll_wait(loop->epoll_fd, loop->ready, READY_MAX, timeout_ms);
    atomic_store(&loop->is_sleeping, false);
    assert(count >= 0 || errno == EINTR);
    loop->ready_count = count < 0 ? 0 : count;
    loop->now_us = clock_mono_us();
}

void loop_run(struct loop *loop)
{
    (void)prompt_ask(); /* somebody waits for whatever a loop does, and it never does it for long */
    atomic_store(&loop->thread, pthread_self());
    while (!atomic_load(&loop->is_stopping)) {
        wait_for_events(loop);
        run_ready(loop);
        run_timers(loop);
        run_tasks(loop);
    }
    atomic_store(&loop->is_stopping, false);
    atomic_store(&loop->thread, 0);
}

void loop_finish(struct loop *loop)
{
    while (atomic_load(&loop->posted) != NULL || loop->tasks.first != NULL)
        run_tasks(loop);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    wake(loop);
}
