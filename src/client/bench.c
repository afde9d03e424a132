#include "client/bench.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/bench_phase.h"
#include "client/bench_report.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    ARENA_MAX = 16 * 1024 * 1024,
    /* Preparation is not measured, so it takes what a durable server answers fastest, unless the objects are large. */
    PREPARE_CONCURRENCY = 64,
    PREPARE_SMALL_MAX = 1024 * 1024,
    DESCRIPTORS_BESIDE = 64, /* what the process needs beside connections */
};

struct bench {
    struct arena *arena;
    struct bench_options options;
    struct bench_content *content;
    struct sockaddr_storage address;
    socklen_t address_len;
};

/* ---- Reaching the service ---- */

static bool accepts(const struct addrinfo *candidate, int *out_errno)
{
    int fd = socket(candidate->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_connected = fd >= 0 && connect(fd, candidate->ai_addr, candidate->ai_addrlen) == 0;
    *out_errno = errno;
    if (fd >= 0)
        close(fd);
    return is_connected;
}

/* The first address of the name that takes a connection; all of the load goes there. */
static enum err find_address(struct bench *bench, struct fail *fail)
{
    const struct endpoint *endpoint = &bench->options.endpoint;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    str host = arena_str(bench->arena, endpoint->host);
    str port = arena_printf(bench->arena, "%u", endpoint->port);
    int failed = getaddrinfo(host.ptr, port.ptr, &hints, &list);
    if (failed)
        return fail_set(fail, ERR_UNAVAILABLE, "endpoint", "%s: %s", host.ptr,
                        gai_strerror(failed));
    enum err err = ERR_UNAVAILABLE;
    int number = 0;
    for (const struct addrinfo *at = list; at && err != OK; at = at->ai_next) {
        if (!accepts(at, &number))
            continue;
        memcpy(&bench->address, at->ai_addr, at->ai_addrlen);
        bench->address_len = at->ai_addrlen;
        err = OK;
    }
    freeaddrinfo(list);
    if (err != OK)
        return fail_set(fail, err, "endpoint", "cannot connect to %.*s: %s",
                        STR_ARG(bench->options.endpoint_text), strerror(number));
    return OK;
}

/* Each connection is a descriptor. */
static enum err allow_descriptors(uint64_t concurrency, struct fail *fail)
{
    struct rlimit limit;
    rlim_t wanted = concurrency + DESCRIPTORS_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_from_errno(errno);
    if (limit.rlim_cur >= wanted)
        return OK;
    if (wanted > limit.rlim_max)
        return fail_set(
            fail, ERR_TOO_LARGE, "concurrency",
            "%llu connections need more descriptors than this process may have (ulimit -Hn: %llu)",
            (unsigned long long)concurrency, (unsigned long long)limit.rlim_max);
    limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? OK : err_from_errno(errno);
}

/* ---- Phases ---- */

static enum err run_phase(struct bench *bench, const struct bench_phase *shape,
                          struct bench_stats *stats)
{
    struct bench_phase phase = *shape;
    phase.options = &bench->options;
    phase.content = bench->content;
    phase.address = &bench->address;
    phase.address_len = bench->address_len;
    phase.threads =
        bench->options.threads < phase.concurrency ? bench->options.threads : phase.concurrency;
    return bench_phase_run(&phase, stats);
}

/* `count` requests of one operation, as fast as they go. ERR_UNAVAILABLE when one of them failed. */
static enum err run_each(struct bench *bench, enum bench_op op, uint64_t count, struct fail *fail)
{
    struct bench_plan plan;
    bool is_small = bench->options.size_max <= PREPARE_SMALL_MAX;
    uint64_t concurrency = bench->options.concurrency;
    if (is_small && concurrency < PREPARE_CONCURRENCY)
        concurrency = PREPARE_CONCURRENCY;
    if (concurrency > count)
        concurrency = count;
    bench_plan_init_each(&plan, &bench->options, op, count);
    struct bench_stats *stats = bench_stats_new();
    enum err err =
        run_phase(bench, &(struct bench_phase){.plan = &plan, .concurrency = concurrency}, stats);
    uint64_t failures = bench_stats_failures(stats);
    if (err == OK && (failures || stats->op[op].latency.total != count))
        err =
            fail_set(fail, ERR_UNAVAILABLE, NULL, "%llu of %llu %s requests failed; the first: %s",
                     (unsigned long long)failures, (unsigned long long)count, bench_op_name(op).ptr,
                     stats->sample);
    bench_stats_free(stats);
    return err;
}

/* Whether the load expects objects to be there. */
static bool needs_objects(const struct bench_options *options)
{
    return options->weight[BENCH_GET] || options->weight[BENCH_HEAD] ||
           options->weight[BENCH_LIST] ||
           (options->weight[BENCH_DELETE] && !options->weight[BENCH_PUT]);
}

static enum err prepare(struct bench *bench, struct fail *fail)
{
    if (bench->options.no_prepare)
        return OK;
    TRY(run_each(bench, BENCH_MAKE_BUCKET, 1, fail));
    if (!needs_objects(&bench->options))
        return OK;
    (void)fprintf(stderr, "putting %llu objects\n", (unsigned long long)bench->options.objects);
    return run_each(bench, BENCH_PUT, bench->options.objects, fail);
}

static enum err clean_up(struct bench *bench, struct bench_plan *plan, struct fail *fail)
{
    if (!bench->options.cleanup)
        return OK;
    (void)fprintf(stderr, "deleting what was put\n");
    TRY(run_each(bench, BENCH_DELETE, bench_plan_highest(plan), fail));
    return run_each(bench, BENCH_DROP_BUCKET, 1, fail);
}

static enum err run_load(struct bench *bench, struct bench_plan *plan, struct bench_stats *stats)
{
    const struct bench_options *options = &bench->options;
    bench_plan_init_main(plan, options);
    const struct bench_phase phase = {
        .plan = plan,
        .concurrency = options->concurrency,
        .duration_us = options->requests ? 0 : options->duration_us,
        .warmup_us = options->warmup_us,
        .rate = options->rate,
    };
    return run_phase(bench, &phase, stats);
}

static void print_str(FILE *out, str text)
{
    (void)fwrite(text.ptr, 1, text.len, out);
    (void)fflush(out);
}

static enum err run(struct bench *bench, uint64_t *out_failures, struct fail *fail)
{
    struct bench_plan plan;
    TRY(allow_descriptors(bench->options.concurrency, fail));
    TRY(find_address(bench, fail));
    bench->content = bench_content_new(bench->options.seed);
    TRY(prepare(bench, fail));
    struct bench_stats *stats = bench_stats_new();
    enum err err = run_load(bench, &plan, stats);
    if (err == OK) {
        print_str(stdout, bench->options.json
                              ? bench_report_json(bench->arena, &bench->options, stats)
                              : bench_report_text(bench->arena, &bench->options, stats));
        *out_failures = bench_stats_failures(stats);
        err = clean_up(bench, &plan, fail);
    }
    bench_stats_free(stats);
    return err;
}

static const char *from_environment(const char *name)
{
    return getenv(name);
}

static int complain(const struct fail *fail, enum err err, int code)
{
    (void)fprintf(stderr, "pail bench: %s\n", fail->detail[0] ? fail->detail : err_fact(err));
    return code;
}

static int parse_and_run(struct bench *bench, const char *const *word, size_t count)
{
    struct fail fail = {0};
    enum err err =
        bench_options_parse(word, count, from_environment, bench->arena, &bench->options, &fail);
    if (err != OK) {
        (void)complain(&fail, err, EXIT_USAGE);
        (void)fprintf(stderr, "pail bench --help tells more\n");
        return EXIT_USAGE;
    }
    if (bench->options.help) {
        print_str(stdout, bench_options_help(bench->arena));
        return EXIT_DONE;
    }
    uint64_t failures = 0;
    err = run(bench, &failures, &fail);
    if (err != OK)
        return complain(&fail, err, EXIT_FAILED);
    return failures ? EXIT_FAILED : EXIT_DONE;
}

int bench_run(const char *const *word, size_t count)
{
    struct bench bench = {.arena = arena_new(ARENA_MAX)};
    (void)signal(SIGPIPE,
                 SIG_IGN); /* a closed connection is an error of the call that writes to it */
    int code = parse_and_run(&bench, word, count);
    bench_content_free(bench.content);
    arena_free(bench.arena);
    return code;
}

void bench_print_help(void)
{
    struct arena *arena = arena_new(ARENA_MAX);
    print_str(stdout, bench_options_help(arena));
    arena_free(arena);
}
