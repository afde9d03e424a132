/* Aim: periodic work runs at once and then after each pause, never twice at a time, goes on after a failure, and stops when
 * told. */
#include "admin/periodic.h"

#include "../unit.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/list.h"

struct work {
    struct periodic periodic;
    struct loop *loop;
    struct workers *workers;
    atomic_int runs, at_once, most_at_once;
    int run_ms;
    enum err result;
    struct timer end;
};

static enum err run(void *context, struct fail *fail)
{
    struct work *work = context;
    (void)fail;
    int now = atomic_fetch_add(&work->at_once, 1) + 1;
    if (now > atomic_load(&work->most_at_once))
        atomic_store(&work->most_at_once, now);
    usleep((useconds_t)work->run_ms * 1000);
    atomic_fetch_sub(&work->at_once, 1);
    atomic_fetch_add(&work->runs, 1);
    return work->result;
}

static void stop_loop(struct timer *timer)
{
    loop_stop(container_of(timer, struct work, end)->loop);
}

static void run_for(struct work *work, int64_t interval_ms, int64_t total_ms)
{
    work->loop = loop_new();
    work->workers = workers_new(2);
    work->periodic =
        (struct periodic){.name = "test", .interval_ms = interval_ms, .run = run, .context = work};
    periodic_start(&work->periodic, work->loop, work->workers);
    timer_init(&work->end, stop_loop);
    timer_set(work->loop, &work->end, loop_now_us(work->loop) + total_ms * 1000);
    loop_run(work->loop);
    periodic_stop(&work->periodic);
    workers_free(work->workers);
    loop_free(work->loop);
}

static void test_first_run_is_at_once(void **state)
{
    (void)state;
    struct work work = {0};
    run_for(&work, 60000, 100);
    assert_int_equal(atomic_load(&work.runs), 1);
}

static void test_runs_again(void **state)
{
    (void)state;
    struct work work = {0};
    run_for(&work, 10, 300);
    assert_in_range(atomic_load(&work.runs), 5, 31);
}

static void test_goes_on_after_a_failure(void **state)
{
    (void)state;
    struct work work = {.result = ERR_IO};
    run_for(&work, 10, 300);
    assert_in_range(atomic_load(&work.runs), 5, 31);
}

static void test_never_twice_at_a_time(void **state)
{
    (void)state;
    struct work work = {.run_ms = 30};
    run_for(&work, 1, 200);
    assert_int_equal(atomic_load(&work.most_at_once), 1);
    assert_in_range(atomic_load(&work.runs), 2, 7);
}

static void test_stopping_before_the_start(void **state)
{
    (void)state;
    struct periodic never = {0};
    periodic_stop(&never); /* of a server whose start failed half-way */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_run_is_at_once),
        cmocka_unit_test(test_runs_again),
        cmocka_unit_test(test_goes_on_after_a_failure),
        cmocka_unit_test(test_never_twice_at_a_time),
        cmocka_unit_test(test_stopping_before_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
