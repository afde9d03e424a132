/* Aim: options come from words, environment and defaults in that order; what is unknown, missing or out of range is refused
 * with a sentence; the help names every option. */
#include "../unit.h"

#include "client/bench_options.h"

enum { WORDS_MAX = 8 };

static const char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static const char *full_environment(const char *name)
{
    static const char *const pairs[][2] = {
        {"AWS_ACCESS_KEY_ID", "env-key"},
        {"AWS_SECRET_ACCESS_KEY", "env-secret"},
        {"PAIL_ENDPOINT", ""},
        {"AWS_ENDPOINT_URL", "http://env:1"},
        {"AWS_REGION", "eu-west-1"},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        if (strcmp(pairs[i][0], name) == 0)
            return pairs[i][1];
    }
    return NULL;
}

static enum err parse(const char *const *word, const char *(*env)(const char *),
                      struct arena *arena, struct bench_options *out, struct fail *fail)
{
    size_t count = 0;
    while (count < WORDS_MAX && word[count])
        count++;
    return bench_options_parse(word, count, env, arena, out, fail);
}

static void test_defaults(void **state)
{
    struct bench_options options;
    struct fail fail = {0};
    const char *word[WORDS_MAX] = {"get", "--no-sign"};
    assert_ok(parse(word, no_environment, *state, &options, &fail));
    assert_str(options.operation, STR("get"));
    assert_int_equal(options.weight[BENCH_GET], 1);
    assert_int_equal(options.weight[BENCH_PUT], 0);
    assert_int_equal(options.objects, 10000);
    assert_int_equal(options.size_min, 4096);
    assert_int_equal(options.size_max, 4096);
    assert_int_equal(options.concurrency, 16);
    assert_true(options.threads >= 1);
    assert_int_equal(options.duration_us, 10000000);
    assert_int_equal(options.requests, 0);
    assert_int_equal(options.timeout_us, 60000000);
    assert_str(options.endpoint.authority, STR("127.0.0.1:9000"));
    assert_str(options.bucket, STR("pail-bench"));
    assert_str(options.prefix, STR("bench/"));
    assert_str(options.region, STR("us-east-1"));
    assert_true(options.no_sign);
    assert_false(options.json);
}

static void test_words_win_over_environment(void **state)
{
    struct bench_options options;
    struct fail fail = {0};
    const char *from_env[WORDS_MAX] = {"put"};
    assert_ok(parse(from_env, full_environment, *state, &options, &fail));
    assert_str(options.access_key, STR("env-key"));
    assert_str(options.secret_key, STR("env-secret"));
    assert_str(options.region, STR("eu-west-1"));
    assert_str(options.endpoint.authority, STR("env:1")); /* an empty variable is not set */

    const char *from_words[WORDS_MAX] = {"--region=r", "--access-key", "k",
                                         "put",        "--endpoint",   "h:2"};
    assert_ok(parse(from_words, full_environment, *state, &options, &fail));
    assert_str(options.access_key, STR("k"));
    assert_str(options.region, STR("r"));
    assert_str(options.endpoint.authority, STR("h:2"));
}

static void test_forms(void **state)
{
    struct bench_options options;
    struct fail fail = {0};
    const char *mixed[WORDS_MAX] = {"mixed",        "--no-sign",  "--mix", "get=3,delete=1",
                                    "--size=1K-2K", "--duration", "1.5s",  "--concurrency=1"};
    assert_ok(parse(mixed, no_environment, *state, &options, &fail));
    assert_int_equal(options.weight[BENCH_GET], 3);
    assert_int_equal(options.weight[BENCH_DELETE], 1);
    assert_int_equal(options.weight[BENCH_PUT], 0);
    assert_int_equal(options.weight[BENCH_HEAD], 0);
    assert_int_equal(options.size_min, 1024);
    assert_int_equal(options.size_max, 2048);
    assert_int_equal(options.duration_us, 1500000);
    assert_int_equal(options.threads, 1); /* never more than connections */

    const char *help[WORDS_MAX] = {"-h"};
    assert_ok(parse(help, no_environment, *state, &options, &fail));
    assert_true(options.help);
    const char *long_help[WORDS_MAX] = {"nonsense", "--help"};
    assert_ok(parse(long_help, no_environment, *state, &options, &fail));
    assert_true(options.help);
}

static void test_refused(void **state)
{
    static const char *const cases[][WORDS_MAX] = {
        {NULL},
        {"--no-sign"},
        {"get"}, /* no keys */
        {"get", "--access-key", "k"},
        {"fly", "--no-sign"},
        {"make-bucket", "--no-sign"},
        {"get", "put", "--no-sign"},
        {"get", "--no-sign", "--nonsense"},
        {"get", "--no-sign", "--"},
        {"get", "--no-sign=1"},
        {"get", "--no-sign", "--objects"},
        {"get", "--no-sign", "--objects", ""},
        {"get", "--no-sign", "--objects", "0"},
        {"get", "--no-sign", "--objects", "-1"},
        {"get", "--no-sign", "--objects", "10000000000"},
        {"get", "--no-sign", "--size", "2K-1K"},
        {"get", "--no-sign", "--size", "1K-"},
        {"get", "--no-sign", "--size", "6TiB"},
        {"get", "--no-sign", "--concurrency", "0"},
        {"get", "--no-sign", "--concurrency", "65537"},
        {"get", "--no-sign", "--threads", "257", "--concurrency", "300"},
        {"get", "--no-sign", "--max-keys", "1001"},
        {"get", "--no-sign", "--duration", "0"},
        {"get", "--no-sign", "--timeout", "10us"},
        {"get", "--no-sign", "--folders", "100001"},
        {"mixed", "--no-sign", "--mix", "get"},
        {"mixed", "--no-sign", "--mix", "get=0"},
        {"mixed", "--no-sign", "--mix", "get=1,get=2"},
        {"mixed", "--no-sign", "--mix", "fly=1"},
        {"mixed", "--no-sign", "--mix", "drop-bucket=1"},
        {"mixed", "--no-sign", "--mix", "get=1000001"},
        {"get", "--no-sign", "--bucket", "a/b"},
        {"get", "--no-sign", "--bucket", "a b"},
        {"get", "--no-sign", "--bucket", ""},
        {"get", "--no-sign", "--bucket", "a\r\nX: y"},
        {"get", "--no-sign", "--path-prefix", "/a b"},
        {"get", "--no-sign", "--endpoint", "ftp://h"},
        {"get", "--no-sign", "--endpoint", "https://h"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench_options options = {.objects = 77};
        struct fail fail = {0};
        if (parse(cases[i], no_environment, *state, &options, &fail) != ERR_BAD_INPUT)
            fail_msg("case %zu was accepted", i);
        assert_int_equal(options.objects, 77);
        assert_true(fail.detail[0] != '\0');
    }
}

static void test_help_names_every_option(void **state)
{
    str help = bench_options_help(*state);
#define OPTION(section, flag, kind, member, value, default_, environment, text)                    \
    assert_true(str_find(help, STR("--" flag)) > 0);                                               \
    assert_true(str_find(help, STR(text)) > 0);
#include "client/bench_options.def"
#undef OPTION
}

static int make(void **state)
{
    *state = arena_new(1 << 20);
    return 0;
}

static int drop(void **state)
{
    arena_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_words_win_over_environment),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_help_names_every_option),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
