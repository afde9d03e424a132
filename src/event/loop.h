/* loop: one thread that waits for descriptors (epoll), timers and tasks posted by other threads,
 * and runs their callbacks. A callback never blocks. Everything but loop_post and loop_stop is
 * called on the loop's own thread (or before loop_run).
 *
 * All structs here are embedded in their owners; the loop borrows them while they are
 * registered. */
#pragma once

#include <sys/epoll.h>

#include "base/list.h"
#include "base/str.h"

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *loop);
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop); /* any thread */
/* Runs the tasks that are still posted, and those that they post: after the end of loop_run and
 * of the workers, so that a completion that came late still frees what it completes. */
void loop_finish(struct loop *loop);
bool loop_is_current(const struct loop *loop);
/* Monotonic time of this turn of the loop, in microseconds; cheap. */
int64_t loop_now_us(const struct loop *loop);

/* A descriptor of interest. `events` are EPOLLIN, EPOLLOUT, EPOLLRDHUP; level-triggered. */
struct watch {
    int fd;
    uint32_t events;
    void (*ready)(struct watch *watch, uint32_t events);
};
enum err watch_add(struct loop *loop, struct watch *watch);
void watch_change(struct loop *loop, struct watch *watch, uint32_t events);
/* After this no callback comes, not even one already collected in this turn. */
void watch_remove(struct loop *loop, struct watch *watch);

/* Runs once, in a later turn (or this turn's end), in the order posted. */
struct task {
    struct task *next;
    void (*run)(struct task *task);
};
void loop_post(struct loop *loop, struct task *task); /* any thread */

struct timer {
    int64_t at_us; /* loop_now_us scale */
    size_t slot;   /* internal; SIZE_MAX when not set */
    void (*fire)(struct timer *timer);
};
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
/* Moves it when it is set already. */
void timer_set(struct loop *loop, struct timer *timer, int64_t at_us);
/* Allowed when it is not set. */
void timer_cancel(struct loop *loop, struct timer *timer);
