/* Aim: each of the three signals becomes one call on the loop, and SIGPIPE ends nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <unistd.h>

#include "base/list.h"
#include "event/signals.h"

struct record {
    struct signals signals;
    int caught[8];
    int count;
};

static void caught(struct signals *signals, int number)
{
    struct record *record = container_of(signals, struct record, signals);
    record->caught[record->count++] = number;
    if (record->count == 3)
        loop_stop(signals->loop);
}

static void test_three_signals(void **state)
{
    (void)state;
    signals_block();
    struct loop *loop = loop_new();
    assert_non_null(loop);
    struct record record = {0};
    assert_int_equal(signals_open(&record.signals, loop, caught), OK);
    assert_int_equal(raise(SIGPIPE), 0);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(kill(getpid(), SIGINT), 0);
    loop_run(loop);
    int sum = record.caught[0] + record.caught[1] + record.caught[2];
    assert_int_equal(sum, SIGHUP + SIGTERM + SIGINT);
    signals_close(&record.signals);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_signals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
