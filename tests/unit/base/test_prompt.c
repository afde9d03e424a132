/* Aim: asking changes the length of the thread's turns and nothing else: neither policy nor niceness. */
#include "base/prompt.h"

#include "../unit.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a thread has before and after it asked; a failed assertion of its own would be nobody's. */
struct asker {
    int nice, nice_after;
    int policy, policy_after;
    bool is_prompt;
};

static void *ask(void *context)
{
    struct asker *asker = context;
    id_t thread = (id_t)syscall(SYS_gettid);
    struct sched_param none = {0};
    (void)sched_setscheduler(0, asker->policy, &none);
    (void)setpriority(PRIO_PROCESS, thread, asker->nice);
    asker->is_prompt = prompt_ask();
    asker->nice_after = getpriority(PRIO_PROCESS, thread);
    asker->policy_after = sched_getscheduler(0);
    return NULL;
}

static void run(struct asker *asker)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, asker), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(asker->nice_after, asker->nice);
    assert_int_equal(asker->policy_after, asker->policy);
}

static void test_keeps_the_rest(void **state)
{
    (void)state;
    /* Upwards only: less niceness than before needs a privilege. */
    for (int nice = getpriority(PRIO_PROCESS, 0); nice < 19; nice += 5) {
        run(&(struct asker){.nice = nice, .policy = SCHED_OTHER});
        run(&(struct asker){.nice = nice, .policy = SCHED_BATCH});
    }
}

static void test_other_policies(void **state)
{
    (void)state;
    struct asker asker = {.nice = getpriority(PRIO_PROCESS, 0), .policy = SCHED_IDLE};
    run(&asker);
    assert_false(asker.is_prompt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_the_rest),
        cmocka_unit_test(test_other_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
