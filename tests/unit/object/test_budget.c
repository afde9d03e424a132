/* Aim: never more is out than the total, who wants little passes who wants much but does not starve it, and whoever gives up
 * waiting neither loses bytes nor holds up those behind. */
#include "../unit.h"

#include "event/thread.h"
#include "object/budget.h"

enum { WAITERS = 4 };

struct fixture {
    struct budget budget;
    struct loop *loop;
    struct budget_waiter waiter[WAITERS];
    unsigned granted[WAITERS]; /* in which order; 0: not yet */
    unsigned grant_count, wanted_count;
};

static struct fixture fixture;

static void granted(struct budget_waiter *waiter)
{
    assert_true(loop_is_current(fixture.loop));
    size_t i = (size_t)(waiter - fixture.waiter);
    assert_int_equal(fixture.granted[i], 0);
    fixture.granted[i] = ++fixture.grant_count;
    if (fixture.grant_count >= fixture.wanted_count)
        loop_stop(fixture.loop);
}

static void stop(struct task *task)
{
    (void)task;
    loop_stop(fixture.loop);
}

/* Runs what has been posted. */
static void run_posted(void)
{
    struct task task = {.run = stop};
    fixture.wanted_count = UINT32_MAX;
    loop_post(fixture.loop, &task);
    loop_run(fixture.loop);
}

static int set_up(void **state)
{
    (void)state;
    fixture = (struct fixture){.loop = loop_new()};
    budget_init(&fixture.budget, 100);
    for (size_t i = 0; i < WAITERS; i++)
        fixture.waiter[i] = (struct budget_waiter){.loop = fixture.loop, .granted = granted};
    return 0;
}

/* budget_release asserts that all came back. */
static int tear_down(void **state)
{
    (void)state;
    budget_release(&fixture.budget);
    loop_free(fixture.loop);
    return 0;
}

static void test_take_and_give(void **state)
{
    (void)state;
    struct budget *budget = &fixture.budget;
    assert_true(budget_try_take(budget, 60));
    assert_false(budget_try_take(budget, 41));
    assert_true(budget_try_take(budget, 40));
    assert_false(budget_try_take(budget, 1));
    assert_true(budget_try_take(budget, 0));
    budget_give(budget, 60);
    assert_true(budget_try_take(budget, 60));
    budget_give(budget, 100);
}

static void test_extra(void **state)
{
    (void)state;
    struct budget *budget = &fixture.budget;
    assert_false(budget_try_take_extra(budget, 51));
    assert_true(budget_try_take_extra(budget, 50));
    assert_false(budget_try_take_extra(budget, 1));
    assert_true(budget_try_take(budget, 50));
    budget_give(budget, 100);
}

/* What is larger than all there is gets all there is, and gives back as much. */
static void test_too_large(void **state)
{
    (void)state;
    struct budget *budget = &fixture.budget;
    assert_true(budget_try_take(budget, 1000));
    assert_false(budget_try_take(budget, 1));
    assert_false(budget_take(budget, &fixture.waiter[0], 500));
    budget_give(budget, 1000);
    run_posted();
    assert_int_equal(fixture.granted[0], 1);
    assert_int_equal(budget->free_bytes, 0);
    budget_give(budget, 500);
    assert_int_equal(budget->free_bytes, 100);
}

static void test_order(void **state)
{
    (void)state;
    struct budget *budget = &fixture.budget;
    assert_true(budget_take(budget, &fixture.waiter[0], 100));
    for (size_t i = 1; i < WAITERS; i++)
        assert_false(budget_take(budget, &fixture.waiter[i], 40));
    budget_give(budget, 30);
    run_posted();
    assert_int_equal(fixture.grant_count, 0);
    assert_false(budget_try_take(budget, 1)); /* these two never pass */
    assert_false(budget_try_take_extra(budget, 1));
    budget_give(budget, 60);
    run_posted();
    assert_int_equal(fixture.granted[1], 1);
    assert_int_equal(fixture.granted[2], 2);
    assert_int_equal(budget->free_bytes, 10);
    budget_give(budget, 40);
    run_posted();
    assert_int_equal(fixture.granted[3], 3);
    budget_give(budget, 90);
}

/* ---- Passing ---- */

static void test_less_passes_more(void **state)
{
    (void)state;
    struct budget *budget = &fixture.budget;
    assert_true(budget_try_take(budget, 90));
    assert_false(budget_take(budget, &fixture.waiter[0], 80));
    assert_true(budget_take(budget, &fixture.waiter[1], 10)); /* a newcomer */
    assert_false(budget_take(budget, &fixture.waiter[2], 30));
    assert_false(budget_take(budget, &fixture.waiter[3], 20));
    budget_give(budget, 25);
    run_posted();
    assert_int_equal(fixture.granted[3], 1); /* from behind two for whom it is too little */
    assert_int_equal(fixture.grant_count, 1);
    budget_give(budget, 75);
    run_posted();
    assert_int_equal(fixture.granted[0], 2);
    assert_int_equal(budget->free_bytes, 0);
    budget_give(budget, 100);
    run_posted();
    assert_int_equal(fixture.granted[2], 3);
    budget_give(budget, 30);
}

/* As many as may pass the head of the line. */
static void pass_until_stopped(struct budget *budget)
{
    for (size_t i = 0; i < BUDGET_PASS_MAX; i++) {
        assert_true(budget_take(budget, &fixture.waiter[3], 10));
        budget_give(budget, 10);
    }
    assert_false(budget_take(budget, &fixture.waiter[2], 10));
    run_posted();
    assert_int_equal(fixture.granted[2], 0);
}

/* The head gets its turn however many want less; then as many may pass the next one. */
static void test_passing_is_bounded(void **state)
{
    (void)state;
    struct budget *budget = &fixture.budget;
    assert_true(budget_try_take(budget, 90));
    assert_false(budget_take(budget, &fixture.waiter[0], 80));
    pass_until_stopped(budget);
    budget_give(budget, 70);
    run_posted();
    assert_int_equal(fixture.granted[0], 1); /* what had been saved for it was there */
    assert_int_equal(fixture.granted[2], 0);
    budget_give(budget, 20);
    run_posted();
    assert_int_equal(fixture.granted[2], 2);
    assert_false(budget_take(budget, &fixture.waiter[1], 80));
    fixture.granted[2] = 0;
    pass_until_stopped(budget);
    /* Nor is it held against the next one when the head gives up. */
    assert_true(budget_cancel(budget, &fixture.waiter[1]));
    run_posted();
    assert_int_equal(fixture.granted[2], 3);
    assert_int_equal(budget->passed_count, 0);
    budget_give(budget, 100);
}

static void test_cancel(void **state)
{
    (void)state;
    struct budget *budget = &fixture.budget;
    assert_true(budget_take(budget, &fixture.waiter[0], 90));
    assert_false(budget_take(budget, &fixture.waiter[1], 80));
    budget->passed_count = BUDGET_PASS_MAX;
    assert_false(budget_take(budget, &fixture.waiter[2], 10));
    assert_true(budget_cancel(budget, &fixture.waiter[1]));
    run_posted();
    assert_int_equal(fixture.granted[1], 0);
    assert_int_equal(fixture.granted[2], 1); /* waited only for its turn */
    /* Granted, but not yet told: the bytes are the waiter's already. */
    assert_false(budget_take(budget, &fixture.waiter[3], 50));
    budget_give(budget, 90);
    assert_false(budget_cancel(budget, &fixture.waiter[3]));
    assert_false(budget_cancel(budget, &fixture.waiter[3]));
    run_posted();
    assert_int_equal(fixture.granted[3], 2);
    budget_give(budget, 10);
    budget_give(budget, 50);
}

/* Many threads take and give; the sum is watched from inside. */
static void churn(void *context)
{
    struct budget *budget = context;
    struct unit_random random = {.state = (uint64_t)pthread_self()};
    for (int i = 0; i < 20000; i++) {
        size_t bytes = unit_random_below(&random, 60);
        bool taken =
            i % 2 == 0 ? budget_try_take(budget, bytes) : budget_try_take_extra(budget, bytes);
        if (taken)
            budget_give(budget, bytes);
    }
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t thread[3];
    for (size_t i = 0; i < COUNT_OF(thread); i++)
        assert_ok(thread_start(&thread[i], "churn", churn, &fixture.budget));
    for (int i = 0; i < 2000; i++) {
        fixture.waiter[0].is_waiting = false;
        fixture.granted[0] = fixture.grant_count = 0;
        fixture.wanted_count = 1;
        if (!budget_take(&fixture.budget, &fixture.waiter[0], 90))
            loop_run(fixture.loop);
        budget_give(&fixture.budget, 90);
    }
    for (size_t i = 0; i < COUNT_OF(thread); i++)
        thread_join(thread[i]);
    assert_int_equal(fixture.budget.free_bytes, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_take_and_give, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_extra, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_less_passes_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_passing_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
