/* Aim: descriptors, timers and tasks are called when and only when the header says so, also when they remove each other
 * in one turn, and posts from many threads all arrive, in each poster's order, without a missed wake-up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/loop.h"
#include "event/thread.h"

static struct loop *new_loop(void)
{
    struct loop *loop = loop_new();
    assert_non_null(loop);
    return loop;
}

static int new_event_fd(unsigned value)
{
    int fd = eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

/* A timer that ends the loop, so that no test hangs for long. */
struct deadline {
    struct timer timer;
    struct loop *loop;
    bool has_fired;
};

static void deadline_fire(struct timer *timer)
{
    struct deadline *deadline = container_of(timer, struct deadline, timer);
    deadline->has_fired = true;
    loop_stop(deadline->loop);
}

static void run_for(struct loop *loop, int64_t duration_us)
{
    struct deadline deadline = {.loop = loop};
    timer_init(&deadline.timer, deadline_fire);
    timer_set(loop, &deadline.timer, clock_mono_us() + duration_us);
    loop_run(loop);
    timer_cancel(loop, &deadline.timer);
}

/* ---- Watches ---- */

struct probe {
    struct watch watch;
    struct loop *loop;
    struct probe *victim; /* removed by the first call */
    int call_count;
    uint32_t last_events;
};

static void probe_ready(struct watch *watch, uint32_t events)
{
    struct probe *probe = container_of(watch, struct probe, watch);
    probe->call_count++;
    probe->last_events = events;
    if (probe->victim != NULL && probe->victim->watch.fd >= 0) {
        watch_remove(probe->loop, &probe->victim->watch);
        probe->victim->watch.fd = -1;
    }
    watch_change(probe->loop, watch, 0);
    loop_stop(probe->loop);
}

static void test_ready_and_changed(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    struct probe probe = {.watch = {new_event_fd(1), EPOLLIN, probe_ready}, .loop = loop};
    assert_int_equal(watch_add(loop, &probe.watch), OK);
    loop_run(loop);
    assert_int_equal(probe.call_count, 1);
    assert_int_equal(probe.last_events, EPOLLIN);
    run_for(loop, 20000); /* the interest is zero: level-triggered or not, no call */
    assert_int_equal(probe.call_count, 1);
    watch_change(loop, &probe.watch, EPOLLIN);
    loop_run(loop);
    assert_int_equal(probe.call_count, 2);
    watch_remove(loop, &probe.watch);
    run_for(loop, 20000);
    assert_int_equal(probe.call_count, 2);
    close(probe.watch.fd);
    loop_free(loop);
}

/* Two descriptors are ready in one turn, and each removes the other: exactly one call may come. */
static void test_removed_in_the_same_turn(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    int fd[2] = {new_event_fd(1), new_event_fd(1)};
    struct probe probe[2] = {
        {.watch = {fd[0], EPOLLIN, probe_ready}, .loop = loop},
        {.watch = {fd[1], EPOLLIN, probe_ready}, .loop = loop},
    };
    probe[0].victim = &probe[1];
    probe[1].victim = &probe[0];
    assert_int_equal(watch_add(loop, &probe[0].watch), OK);
    assert_int_equal(watch_add(loop, &probe[1].watch), OK);
    loop_run(loop);
    assert_int_equal(probe[0].call_count + probe[1].call_count, 1);
    loop_free(loop);
    close(fd[0]);
    close(fd[1]);
}

static void test_bad_descriptor(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    struct watch watch = {-1, EPOLLIN, NULL};
    assert_int_equal(watch_add(loop, &watch), ERR_IO);
    loop_free(loop);
}

/* ---- Timers ---- */

struct alarm_clock {
    struct timer timer;
    struct loop *loop;
    struct alarm_clock *cancels;
    int number;
    int *order;
    int *count;
};

static void alarm_fire(struct timer *timer)
{
    struct alarm_clock *self = container_of(timer, struct alarm_clock, timer);
    assert_true(loop_now_us(self->loop) >= timer->at_us);
    self->order[(*self->count)++] = self->number;
    if (self->cancels != NULL)
        timer_cancel(self->loop, &self->cancels->timer);
}

static void test_timers_in_order(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    int order[4] = {-1, -1, -1, -1};
    int count = 0;
    struct alarm_clock clock[4];
    for (int i = 0; i < 4; i++) {
        clock[i] = (struct alarm_clock){.loop = loop, .number = i, .order = order, .count = &count};
        timer_init(&clock[i].timer, alarm_fire);
    }
    int64_t now = clock_mono_us();
    timer_set(loop, &clock[0].timer, now + 12000);
    timer_set(loop, &clock[1].timer, now + 4000);
    timer_set(loop, &clock[2].timer, now + 8000);
    timer_set(loop, &clock[3].timer, now + 9000);
    timer_set(loop, &clock[1].timer, now + 10000); /* moved */
    clock[2].cancels = &clock[3];
    run_for(loop, 30000);
    assert_int_equal(count, 3);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 1);
    assert_int_equal(order[2], 0);
    timer_cancel(loop, &clock[0].timer); /* not set any more: allowed */
    loop_free(loop);
}

/* ---- Tasks ---- */

struct step {
    struct task task;
    struct loop *loop;
    struct step *posts;
    int *turn;
    int ran_at;
};

static void step_run(struct task *task)
{
    struct step *step = container_of(task, struct step, task);
    step->ran_at = ++*step->turn;
    if (step->posts != NULL)
        loop_post(step->loop, &step->posts->task);
    else
        loop_stop(step->loop);
}

static void test_tasks_that_post_tasks(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    int turn = 0;
    struct step step[5];
    for (int i = 0; i < 5; i++) {
        step[i] = (struct step){.task.run = step_run, .loop = loop, .turn = &turn};
        step[i].posts = i < 4 ? &step[i + 1] : NULL;
    }
    loop_post(loop, &step[0].task); /* before loop_run */
    loop_run(loop);
    for (int i = 0; i < 5; i++)
        assert_int_equal(step[i].ran_at, i + 1);
    loop_free(loop);
}

enum { POSTER_COUNT = 3, POSTS_EACH = 5000 };

struct poster {
    struct loop *loop;
    struct message *message;
    pthread_t thread;
};

struct message {
    struct task task;
    struct tally *tally;
    int poster;
    int number;
};

struct tally {
    struct loop *loop;
    int next_number[POSTER_COUNT];
    int total;
};

static void message_run(struct task *task)
{
    struct message *message = container_of(task, struct message, task);
    struct tally *tally = message->tally;
    assert_true(loop_is_current(tally->loop));
    assert_int_equal(message->number, tally->next_number[message->poster]++);
    if (++tally->total == POSTER_COUNT * POSTS_EACH)
        loop_stop(tally->loop);
}

static void post_all(void *context)
{
    struct poster *poster = context;
    assert_false(loop_is_current(poster->loop));
    for (int i = 0; i < POSTS_EACH; i++) {
        loop_post(poster->loop, &poster->message[i].task);
        if (i % 50 == 0)
            usleep(100); /* lets the loop fall asleep, which is where a wake-up could be missed */
    }
}

static void test_posts_from_threads(void **state)
{
    (void)state;
    struct tally tally = {.loop = new_loop()};
    struct poster poster[POSTER_COUNT];
    for (int p = 0; p < POSTER_COUNT; p++) {
        poster[p] = (struct poster){.loop = tally.loop};
        poster[p].message = mem_new_array(struct message, POSTS_EACH);
        for (int i = 0; i < POSTS_EACH; i++)
            poster[p].message[i] = (struct message){
                .task.run = message_run, .tally = &tally, .poster = p, .number = i};
        assert_int_equal(thread_start(&poster[p].thread, "poster", post_all, &poster[p]), OK);
    }
    loop_run(tally.loop);
    assert_int_equal(tally.total, POSTER_COUNT * POSTS_EACH);
    for (int p = 0; p < POSTER_COUNT; p++) {
        thread_join(poster[p].thread);
        mem_free(poster[p].message);
    }
    loop_free(tally.loop);
}

static void stop_from_thread(void *context)
{
    usleep(5000);
    loop_stop(context);
}

static void test_stop_from_thread(void **state)
{
    (void)state;
    struct loop *loop = new_loop();
    pthread_t thread;
    assert_int_equal(
        thread_start(&thread, "a name longer than fifteen bytes", stop_from_thread, loop), OK);
    loop_run(loop); /* nothing else is there: only the wake-up can end it */
    thread_join(thread);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_and_changed),
        cmocka_unit_test(test_removed_in_the_same_turn),
        cmocka_unit_test(test_bad_descriptor),
        cmocka_unit_test(test_timers_in_order),
        cmocka_unit_test(test_tasks_that_post_tasks),
        cmocka_unit_test(test_posts_from_threads),
        cmocka_unit_test(test_stop_from_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
