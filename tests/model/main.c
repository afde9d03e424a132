/* Aim: over long random histories the store answers every question as a naive model does, whatever came before: lookups, bytes, ranges,
 * listings with all parameters, conditions, uploads, usage; and its catalogue passes the audit.
 *
 *   model ENGINE [--seed N] [--steps N] [--seconds N] [--hard] [--trace]
 *
 * Without a seed each run takes another one and prints it; the same seed and engine give the same history. Each history has at most
 * --steps steps (2,000); new ones begin until --seconds (10) are over. */
#include "history.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/rand.h"

static struct options {
    uint64_t seed, steps, seconds;
    bool has_seed, is_traced, is_hard;
} options = {.steps = 2000, .seconds = 10};

static struct history history;
static bool is_under_way;

static void run_history(uint64_t seed, int64_t end_us)
{
    history_init(&history, seed);
    history.is_traced = options.is_traced;
    is_under_way = true;
    /* Before anything can end the process without a last word: a failed assertion, a sanitizer. */
    print_message("seed %llu begins\n", (unsigned long long)seed);
    (void)fflush(stdout);
    while (history.step < options.steps && (options.has_seed || clock_mono_us() < end_us))
        history_step(&history);
    history_finish(&history);
    is_under_way = false;
    print_message("seed %llu: %zu steps, %u successes, %u refusals\n", (unsigned long long)seed,
                  history.step, history.answer_count[1], history.answer_count[0]);
}

static void test_histories(void **state)
{
    (void)state;
    int64_t end_us = clock_mono_us() + (int64_t)options.seconds * 1000 * 1000;
    if (options.has_seed) {
        run_history(options.seed, end_us);
        return;
    }
    while (clock_mono_us() < end_us)
        run_history(rand_u64() >> 32, end_us);
}

/* Says how to see a failure again. */
static int tell_seed(void **state)
{
    (void)state;
    if (is_under_way)
        print_error("step %zu (%s); to see it again: --seed %llu --steps %zu\n", history.step,
                    history.step_name, (unsigned long long)history.seed, history.step + 1);
    return 0;
}

static bool parse_number(int argc, char **argv, int *i, uint64_t *out)
{
    return ++*i < argc && str_to_u64(str_from(argv[*i]), out) == OK;
}

static bool parse_options(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        str name = str_from(argv[i]);
        bool is_good = true;
        if (str_eq(name, STR("--seed")))
            is_good = options.has_seed = parse_number(argc, argv, &i, &options.seed);
        else if (str_eq(name, STR("--steps")))
            is_good = parse_number(argc, argv, &i, &options.steps);
        else if (str_eq(name, STR("--seconds")))
            is_good = parse_number(argc, argv, &i, &options.seconds);
        else if (str_eq(name, STR("--trace")))
            options.is_traced = true;
        else if (str_eq(name, STR("--hard")))
            options.is_hard = true;
        else
            is_good = false;
        if (!is_good)
            return false;
    }
    return argc > 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_histories, tell_seed)};
    char hard[] = "hard";
    bool is_good = parse_options(argc, argv);
    char *chosen[] = {argv[0], argc > 1 ? argv[1] : NULL, hard};
    if (!is_good || !world_choose(options.is_hard ? 3 : 2, chosen)) {
        print_error(
            "usage: model ENGINE [--seed N] [--steps N] [--seconds N] [--hard] [--trace]\n");
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
