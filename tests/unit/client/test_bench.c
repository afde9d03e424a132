/* Aim: a phase as a whole, against a server that behaves well and badly: every request is counted once, as a success or under
 * what went wrong, nothing hangs, and the open loop charges a stall to everything that it delayed. */
#include "../unit.h"

#include <arpa/inet.h>

#include "client/bench_phase.h"
#include "client/bench_report.h"
#include "stub_server.h"

enum { REQUESTS = 60, MS = 1000 };

struct run {
    struct bench_options options;
    struct bench_plan plan;
    struct bench_stats *stats;
    struct stub_server server;
};

static struct bench_content *content;

static void prepare(struct run *run, enum bench_op op)
{
    memset(run, 0, sizeof(*run));
    run->options = (struct bench_options){
        .operation = bench_op_name(op),
        .objects = 10,
        .size_min = 1,
        .size_max = 20000,
        .max_keys = 1000,
        .concurrency = 4,
        .threads = 2,
        .requests = REQUESTS,
        .timeout_us = 10 * 1000 * MS,
        .seed = 1,
        .endpoint = {.authority = STR("h")},
        .endpoint_text = STR("http://h"),
        .bucket = STR("b"),
        .access_key = STR("key"),
        .secret_key = STR("secret"),
        .region = STR("r"),
        .verify = true,
    };
    run->options.weight[op] = 1;
    run->stats = bench_stats_new();
}

static void run_phase(struct run *run, uint16_t port)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in->sin_port = htons(port);
    bench_plan_init_main(&run->plan, &run->options);
    const struct bench_phase phase = {
        .options = &run->options,
        .content = content,
        .address = &address,
        .address_len = sizeof(*in),
        .plan = &run->plan,
        .concurrency = run->options.concurrency,
        .threads = run->options.threads,
        .duration_us = run->options.duration_us,
        .warmup_us = run->options.warmup_us,
        .rate = run->options.rate,
    };
    assert_ok(bench_phase_run(&phase, run->stats));
}

static void run_against(struct run *run, enum stub_mode mode)
{
    stub_start(&run->server, mode, &run->options, content);
    run_phase(run, run->server.port);
    stub_stop(&run->server);
}

static void finish(struct run *run)
{
    bench_stats_free(run->stats);
}

static void test_every_operation(void **state)
{
    (void)state;
    for (enum bench_op op = BENCH_PUT; op < BENCH_OP_COUNT; op++) {
        struct run run;
        prepare(&run, op);
        run.options.objects = REQUESTS; /* so many keys can be deleted */
        run_against(&run, STUB_GOOD);
        const struct bench_op_stats *stats = &run.stats->op[op];
        assert_int_equal(stats->latency.total, REQUESTS);
        assert_int_equal(bench_stats_failures(run.stats), 0);
        assert_int_equal(run.stats->requests, REQUESTS);
        assert_int_equal(run.server.requests, REQUESTS);
        assert_int_equal(run.server.connections, 4); /* kept, not opened anew */
        assert_int_equal(run.server.bad_puts, 0);
        assert_int_equal(stats->keys, op == BENCH_LIST ? REQUESTS * STUB_LIST_KEYS : 0);
        bool has_body = op == BENCH_PUT || op == BENCH_GET || op == BENCH_LIST;
        assert_int_equal(stats->bytes > 0, has_body);
        assert_true(run.stats->last_us > run.stats->first_us);
        assert_true(run.stats->cpu_us > 0);
        finish(&run);
    }
}

/* Bodies of many reads and writes, whole and compared. */
static void test_large_bodies(void **state)
{
    (void)state;
    static const enum bench_op ops[] = {BENCH_PUT, BENCH_GET};
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        for (int verify = 0; verify < 2; verify++) {
            struct run run;
            prepare(&run, ops[i]);
            run.options.size_min = run.options.size_max = (5 << 20) + 3;
            run.options.requests = 6;
            run.options.verify = verify;
            run_against(&run, STUB_GOOD);
            assert_int_equal(bench_stats_failures(run.stats), 0);
            assert_int_equal(run.stats->op[ops[i]].bytes, 6 * run.options.size_max);
            assert_int_equal(run.server.bad_puts, 0);
            finish(&run);
        }
    }
}

static void test_framings(void **state)
{
    (void)state;
    static const enum stub_mode modes[] = {STUB_CHUNKED, STUB_UNTIL_CLOSE, STUB_CLOSE_SAID};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct run run;
        prepare(&run, BENCH_GET);
        run_against(&run, modes[i]);
        assert_int_equal(run.stats->op[BENCH_GET].latency.total, REQUESTS);
        assert_int_equal(bench_stats_failures(run.stats), 0);
        assert_int_equal(run.stats->reconnects, 0); /* announced ends are no surprise */
        finish(&run);
    }
}

/* A kept connection that the server ends is no failure, but it is told. */
static void test_unannounced_ends_are_retried(void **state)
{
    (void)state;
    struct run run;
    prepare(&run, BENCH_GET);
    run_against(&run, STUB_CLOSE_UNSAID);
    assert_int_equal(run.stats->op[BENCH_GET].latency.total, REQUESTS);
    assert_int_equal(bench_stats_failures(run.stats), 0);
    assert_true(run.stats->reconnects >= REQUESTS / 3 - 4);
    finish(&run);
}

static void test_failures_are_counted(void **state)
{
    (void)state;
    static const struct {
        enum stub_mode mode;
        enum bench_op op;
        int status; /* 0: by cause */
        enum bench_cause cause;
        const char *sample;
    } cases[] = {
        {STUB_STATUS_503, BENCH_GET, 503, 0, "HTTP 503: busy"},
        {STUB_STATUS_503, BENCH_PUT, 503, 0, "put of key"},
        {STUB_STATUS_503, BENCH_HEAD, 503, 0, "HTTP 503"},
        {STUB_STATUS_503, BENCH_MAKE_BUCKET, 503, 0, "make-bucket: HTTP 503: busy"},
        {STUB_EARLY_403, BENCH_PUT, 403, 0, "HTTP 403: denied"},
        {STUB_GARBAGE, BENCH_GET, 0, BENCH_CAUSE_MALFORMED, "no valid HTTP"},
        {STUB_EXTRA, BENCH_GET, 0, BENCH_CAUSE_MALFORMED, NULL},
        {STUB_SHORT, BENCH_GET, 0, BENCH_CAUSE_CLOSED, "connection lost"},
        {STUB_WRONG_BYTE, BENCH_GET, 0, BENCH_CAUSE_MISMATCH, "not what was put"},
        {STUB_WRONG_LENGTH, BENCH_GET, 0, BENCH_CAUSE_MISMATCH, NULL},
        {STUB_WRONG_LENGTH, BENCH_HEAD, 0, BENCH_CAUSE_MISMATCH, NULL},
        {STUB_SILENT, BENCH_GET, 0, BENCH_CAUSE_TIMEOUT, "time-out"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct run run;
        prepare(&run, cases[i].op);
        run.options.size_min = run.options.size_max =
            cases[i].mode == STUB_EARLY_403 ? 5 << 20 : 5000;
        run.options.requests = 8;
        run.options.timeout_us = cases[i].mode == STUB_SILENT ? 120 * MS : 10 * 1000 * MS;
        run_against(&run, cases[i].mode);
        uint64_t counted =
            cases[i].status ? run.stats->status[cases[i].status] : run.stats->cause[cases[i].cause];
        uint64_t successes = run.stats->op[cases[i].op].latency.total;
        assert_int_equal(counted, 8);
        assert_int_equal(successes, 0);
        assert_int_equal(bench_stats_failures(run.stats), counted);
        assert_int_equal(run.stats->op[cases[i].op].failures, counted);
        if (cases[i].sample && !strstr(run.stats->sample, cases[i].sample))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, run.stats->sample, cases[i].sample);
        finish(&run);
    }
}

/* Without --verify a wrong byte passes: the test of the option itself. */
static void test_verify_is_an_option(void **state)
{
    (void)state;
    struct run run;
    prepare(&run, BENCH_GET);
    run.options.verify = false;
    run_against(&run, STUB_WRONG_BYTE);
    assert_int_equal(bench_stats_failures(run.stats), 0);
    finish(&run);
}

/* Nobody listens: the phase ends by itself, with failures and not with silence. */
static void test_no_server(void **state)
{
    (void)state;
    struct run run;
    prepare(&run, BENCH_GET);
    stub_start(&run.server, STUB_GOOD, &run.options, content);
    uint16_t port = run.server.port;
    stub_stop(&run.server);
    run_phase(&run, port);
    assert_true(run.stats->cause[BENCH_CAUSE_CONNECT] > 0);
    assert_int_equal(run.stats->requests, 0);
    assert_true(strstr(run.stats->sample, "could not connect") != NULL);
    finish(&run);
}

static void test_duration_and_warmup(void **state)
{
    (void)state;
    struct run run;
    prepare(&run, BENCH_HEAD);
    run.options.requests = 0;
    run.options.warmup_us = 100 * MS;
    run.options.duration_us = 200 * MS;
    run_against(&run, STUB_GOOD);
    uint64_t counted = run.stats->op[BENCH_HEAD].latency.total;
    assert_true(counted > 0 && counted < run.stats->requests);
    int64_t elapsed_us = run.stats->last_us - run.stats->first_us;
    assert_in_range(elapsed_us, 100 * MS, 2000 * MS);
    finish(&run);
}

/* Requests are due every 10 ms, the first takes 200 ms: those behind it wait on a single connection, and their waiting
 * counts. The closed loop, for comparison, sees one slow request. */
static void test_stall_is_charged_to_all(void **state)
{
    (void)state;
    for (int rate = 0; rate <= 100; rate += 100) {
        struct run run;
        prepare(&run, BENCH_HEAD);
        run.options.requests = 20;
        run.options.concurrency = run.options.threads = 1;
        run.options.rate = (uint64_t)rate;
        run_against(&run, STUB_SLOW_FIRST);
        const struct bench_histogram *latency = &run.stats->op[BENCH_HEAD].latency;
        assert_int_equal(latency->total, 20);
        assert_true(latency->max >= STUB_SLOW_MS * MS);
        uint64_t median = bench_histogram_percentile(latency, 50);
        if (rate)
            assert_true(median >= STUB_SLOW_MS * MS / 3);
        else
            assert_true(median < STUB_SLOW_MS * MS / 3);
        finish(&run);
    }
}

/* 1000 a second over four connections that never get an answer: what was due and could not be sent is told. */
static void test_what_was_not_started_is_told(void **state)
{
    (void)state;
    struct run run;
    prepare(&run, BENCH_HEAD);
    run.options.requests = 0;
    run.options.duration_us = 200 * MS;
    run.options.timeout_us = 600 * MS;
    run.options.threads = 1;
    run.options.rate = 1000;
    run_against(&run, STUB_SILENT);
    assert_int_equal(run.stats->cause[BENCH_CAUSE_TIMEOUT], 4);
    assert_in_range(run.stats->not_started, 190, 200);
    finish(&run);
}

static void test_rate_is_kept(void **state)
{
    (void)state;
    struct run run;
    prepare(&run, BENCH_HEAD);
    run.options.requests = 0;
    run.options.duration_us = 300 * MS;
    run.options.rate = 1000;
    run_against(&run, STUB_GOOD);
    assert_in_range(run.stats->op[BENCH_HEAD].latency.total + run.stats->not_started, 295, 301);
    finish(&run);
}

static void test_mixed(void **state)
{
    (void)state;
    struct run run;
    prepare(&run, BENCH_GET);
    run.options.weight[BENCH_PUT] = run.options.weight[BENCH_DELETE] =
        run.options.weight[BENCH_LIST] = 1;
    run.options.requests = 200;
    run_against(&run, STUB_GOOD);
    uint64_t total = 0;
    for (enum bench_op op = BENCH_PUT; op < BENCH_OP_COUNT; op++)
        total += run.stats->op[op].latency.total;
    assert_int_equal(total, 200);
    assert_int_equal(bench_stats_failures(run.stats), 0);
    assert_int_equal(run.server.bad_puts, 0);
    assert_true(run.stats->op[BENCH_DELETE].latency.total > 0);
    finish(&run);
}

/* ---- Reports ---- */

static void fill_stats(struct bench_stats *stats)
{
    stats->first_us = 1000000;
    stats->last_us = 3000000; /* two seconds */
    for (int i = 1; i <= 100; i++)
        bench_histogram_add(&stats->op[BENCH_GET].latency, (uint64_t)i);
    stats->op[BENCH_GET].bytes = 2 << 20;
    stats->op[BENCH_GET].failures = 3;
    stats->status[503] = 2;
    stats->cause[BENCH_CAUSE_TIMEOUT] = 1;
    stats->requests = 102;
    stats->cpu_us = 510;
    stats->not_started = 9;
    stats->reconnects = 4;
    bench_stats_sample(stats, "get: \"%s\"\n\x1b[1m", "busy");
    bench_stats_sample(stats, "a later one is not kept");
}

static void test_reports(void **state)
{
    (void)state;
    static const char *const in_text[] = {"\nget ",
                                          " 100 ",
                                          " 50.0 ",
                                          "1.0",
                                          "99 us",
                                          "failed: 2 with HTTP 503",
                                          "failed: 1, no progress",
                                          "the first: get: \"busy\"..[1m",
                                          "not started: 9 ",
                                          "reconnected: 4 times",
                                          "client: 5.0 us"};
    static const char *const in_json[] = {"\"requests\":100,\"failed\":3,",
                                          "\"requests_per_second\":50,",
                                          "\"bytes_per_second\":1048576,",
                                          "\"p50_us\":50,",
                                          "\"p99_us\":99,",
                                          "\"p99_9_us\":100,",
                                          "\"max_us\":100",
                                          "\"failed\":3,\"failures\":",
                                          "{\"status\":\"503\",\"count\":2}",
                                          "\"not_started\":9,",
                                          "\"reconnects\":4,",
                                          "\"client_cpu_ns_per_request\":5000",
                                          "\"first_failure\":\"get: \\\"busy\\\"..[1m\"",
                                          "\"elapsed_us\":2000000,"};
    struct run run;
    prepare(&run, BENCH_GET);
    fill_stats(run.stats);
    struct arena *arena = arena_new(1 << 20);
    str text = bench_report_text(arena, &run.options, run.stats);
    str json = bench_report_json(arena, &run.options, run.stats);
    for (size_t i = 0; i < COUNT_OF(in_text); i++)
        if (str_find(text, str_from(in_text[i])) < 0)
            fail_msg("\"%s\" is missing in:\n%.*s", in_text[i], STR_ARG(text));
    for (size_t i = 0; i < COUNT_OF(in_json); i++)
        if (str_find(json, str_from(in_json[i])) < 0)
            fail_msg("\"%s\" is missing in:\n%.*s", in_json[i], STR_ARG(json));
    arena_free(arena);
    finish(&run);
}

/* Nothing was answered: no division by nothing. */
static void test_empty_reports(void **state)
{
    (void)state;
    struct run run;
    prepare(&run, BENCH_GET);
    struct arena *arena = arena_new(1 << 20);
    assert_true(bench_report_text(arena, &run.options, run.stats).len > 0);
    assert_true(
        str_find(bench_report_json(arena, &run.options, run.stats), STR("\"operations\":[]")) > 0);
    arena_free(arena);
    finish(&run);
}

static int make(void **state)
{
    (void)state;
    content = bench_content_new(1);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    bench_content_free(content);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_framings),
        cmocka_unit_test(test_unannounced_ends_are_retried),
        cmocka_unit_test(test_failures_are_counted),
        cmocka_unit_test(test_verify_is_an_option),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_duration_and_warmup),
        cmocka_unit_test(test_stall_is_charged_to_all),
        cmocka_unit_test(test_what_was_not_started_is_told),
        cmocka_unit_test(test_rate_is_kept),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_empty_reports),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
