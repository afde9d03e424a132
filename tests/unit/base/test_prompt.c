/* Aim: asking changes the length of the thread's turns and nothing else: neither policy nor niceness. */
#include "base/prompt.h"

#include "../unit.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *ask(void *context)
{
    int nice = *(const int *)context;
    pid_t thread = (pid_t)syscall(SYS_gettid);
    assert_int_equal(setpriority(PRIO_PROCESS, (id_t)thread, nice), 0);
    (void)prompt_ask();
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)thread), nice);
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
    return NULL;
}

static void test_keeps_the_rest(void **state)
{
    (void)state;
    /* Upwards only: less niceness than before needs a privilege. */
    int before = getpriority(PRIO_PROCESS, 0);
    for (int nice = before; nice < 19; nice += 5) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, ask, &nice), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

static void *ask_idle(void *context)
{
    (void)context;
    struct sched_param none = {0};
    assert_int_equal(sched_setscheduler(0, SCHED_IDLE, &none), 0);
    assert_false(prompt_ask());
    assert_int_equal(sched_getscheduler(0), SCHED_IDLE);
    return NULL;
}

static void test_other_policies(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_idle, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_the_rest),
        cmocka_unit_test(test_other_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
