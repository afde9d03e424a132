/* Aim: every job runs once on a worker and is completed once where it asked for; a strand's jobs never overlap and keep
 * their order, on the worker and on the loop; what is queued is finished before the workers go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <unistd.h>

#include "base/mem.h"
#include "event/workers.h"

enum { JOB_COUNT = 2000, THREAD_COUNT = 3, STRAND_COUNT = 4 };

struct total {
    struct loop *loop;
    atomic_int run_count;
    int done_count; /* on the loop */
    int expected;
};

struct item {
    struct job job;
    struct total *total;
};

static void item_run(struct job *job)
{
    struct item *item = container_of(job, struct item, job);
    assert_false(loop_is_current(item->total->loop));
    atomic_fetch_add(&item->total->run_count, 1);
}

static void item_done(struct job *job)
{
    struct item *item = container_of(job, struct item, job);
    struct total *total = item->total;
    assert_true(loop_is_current(total->loop));
    mem_free(item);
    if (++total->done_count == total->expected)
        loop_stop(total->loop);
}

static void test_jobs_complete_on_the_loop(void **state)
{
    (void)state;
    struct total total = {.loop = loop_new(), .expected = JOB_COUNT};
    assert_non_null(total.loop);
    struct workers *workers = workers_new(THREAD_COUNT);
    assert_non_null(workers);
    for (int i = 0; i < JOB_COUNT; i++) {
        struct item *item = mem_new(struct item);
        item->total = &total;
        item->job.loop = total.loop;
        item->job.run = item_run;
        item->job.done = item_done;
        workers_submit(workers, &item->job);
    }
    loop_run(total.loop);
    assert_int_equal(atomic_load(&total.run_count), JOB_COUNT);
    assert_int_equal(total.done_count, JOB_COUNT);
    workers_free(workers);
    loop_free(total.loop);
}

/* ---- Without a loop ---- */

struct lone {
    struct job job;
    atomic_int *count;
};

static void lone_run_and_free(struct job *job)
{
    struct lone *lone = container_of(job, struct lone, job);
    atomic_fetch_add(lone->count, 1);
    mem_free(lone);
}

static void lone_run(struct job *job)
{
    struct lone *lone = container_of(job, struct lone, job);
    atomic_fetch_add(lone->count, 1);
}

static void lone_done_and_free(struct job *job)
{
    struct lone *lone = container_of(job, struct lone, job);
    atomic_fetch_add(lone->count, 1);
    mem_free(lone);
}

static void test_free_waits_for_the_queue(void **state)
{
    (void)state;
    atomic_int count = 0;
    struct workers *workers = workers_new(1);
    assert_non_null(workers);
    for (int i = 0; i < JOB_COUNT; i++) {
        struct lone *lone = mem_new(struct lone);
        lone->count = &count;
        lone->job.run = i % 2 == 0 ? lone_run_and_free : lone_run;
        lone->job.done = i % 2 == 0 ? NULL : lone_done_and_free;
        workers_submit(workers, &lone->job);
    }
    workers_free(workers);
    assert_int_equal(atomic_load(&count), JOB_COUNT + JOB_COUNT / 2);
    workers_free(NULL);
}

/* ---- Strands ---- */

struct lane {
    struct strand strand;
    struct lane_job *job;
    struct lanes *lanes;
    atomic_int inside;
    int ran; /* only touched by the strand's jobs, so unsynchronised on purpose: TSan proves the strand */
    int done; /* on the loop */
};

struct lanes {
    struct loop *loop;
    int finished;
};

struct lane_job {
    struct job job;
    struct lane *lane;
    int number;
};

static void lane_run(struct job *job)
{
    struct lane_job *self = container_of(job, struct lane_job, job);
    assert_int_equal(atomic_fetch_add(&self->lane->inside, 1), 0);
    assert_int_equal(self->lane->ran++, self->number);
    atomic_fetch_sub(&self->lane->inside, 1);
}

static void lane_done(struct job *job)
{
    struct lane_job *self = container_of(job, struct lane_job, job);
    struct lane *lane = self->lane;
    assert_int_equal(lane->done++, self->number);
    if (lane->done < JOB_COUNT)
        return;
    strand_release(&lane->strand); /* allowed at once in the last completion */
    if (++lane->lanes->finished == STRAND_COUNT)
        loop_stop(lane->lanes->loop);
}

static void test_strands_keep_order(void **state)
{
    (void)state;
    struct lanes lanes = {.loop = loop_new()};
    assert_non_null(lanes.loop);
    struct workers *workers = workers_new(THREAD_COUNT);
    assert_non_null(workers);
    struct lane *lane = mem_new_array(struct lane, STRAND_COUNT);
    for (int s = 0; s < STRAND_COUNT; s++) {
        lane[s].lanes = &lanes;
        lane[s].job = mem_new_array(struct lane_job, JOB_COUNT);
        strand_init(&lane[s].strand, workers);
    }
    for (int i = 0; i < JOB_COUNT; i++) {
        for (int s = 0; s < STRAND_COUNT; s++) {
            lane[s].job[i] = (struct lane_job){
                .job = {.loop = lanes.loop, .run = lane_run, .done = lane_done},
                .lane = &lane[s],
                .number = i,
            };
            strand_submit(&lane[s].strand, &lane[s].job[i].job);
        }
    }
    loop_run(lanes.loop);
    workers_free(workers);
    for (int s = 0; s < STRAND_COUNT; s++) {
        assert_int_equal(lane[s].done, JOB_COUNT);
        mem_free(lane[s].job);
    }
    mem_free(lane);
    loop_free(lanes.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_complete_on_the_loop),
        cmocka_unit_test(test_free_waits_for_the_queue),
        cmocka_unit_test(test_strands_keep_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
