/* bench_options: what `pail bench` was asked to do: one table of options feeds the parser, the help text and the README's
 * promise that both agree. Values come from the command line, then the environment, then the table's defaults. */
#pragma once

#include "base/arena.h"
#include "base/fail.h"
#include "client/endpoint.h"

/* What a request does. The first five can be asked for; the last two serve preparation and clean-up. */
enum bench_op {
    BENCH_PUT,
    BENCH_GET,
    BENCH_HEAD,
    BENCH_LIST,
    BENCH_DELETE,
    BENCH_MAKE_BUCKET,
    BENCH_DROP_BUCKET,
    BENCH_OP_COUNT,
};
enum { BENCH_USER_OP_COUNT = BENCH_DELETE + 1 };

/* "put", "get", ...: static. */
str bench_op_name(enum bench_op op);

/* Limits of the options, so that a slip of the finger is told and not run. */
enum {
    BENCH_CONCURRENCY_MAX = 65536,
    BENCH_THREADS_MAX = 256,
    BENCH_INDEX_DIGITS = 10, /* an index in a key is written with so many digits */
};
#define BENCH_OBJECTS_MAX UINT64_C(9999999999)
#define BENCH_SIZE_MAX (UINT64_C(5) << 40)

struct bench_options {
    bool help;

    /* What. */
    str operation;                   /* as written: an operation's name or "mixed" */
    unsigned weight[BENCH_OP_COUNT]; /* relative shares; one of them non-zero unless mixed */
    uint64_t objects;                /* keys 0 .. objects - 1 */
    uint64_t size_min, size_max;     /* bytes of an object; equal unless a range was given */
    uint64_t folders;                /* keys are spread over so many folders; 0: none */
    uint64_t max_keys;               /* of a list's page */
    bool delimiter;                  /* lists show folders */
    bool from_start;                 /* lists begin at the first key, not at a random one */
    bool each_once;                  /* reads alone take every key once */

    /* How hard. */
    uint64_t concurrency, threads;
    uint64_t duration_us, warmup_us, timeout_us;
    uint64_t requests; /* 0: as many as the duration allows */
    uint64_t rate;     /* requests a second, whatever the replies do; 0: as fast as they come */
    uint64_t seed;

    /* Where and who. */
    str endpoint_text;
    struct endpoint endpoint;
    str bucket, prefix, path_prefix;
    str access_key, secret_key, session_token, region;
    bool no_sign, sign_payload;

    /* The frame. */
    bool no_prepare, cleanup, verify, json;
};

/* Reads the words after `pail bench`. `env` looks a variable up (getenv, or a test's own). The strs borrow from the
 * words, the environment and the arena. ERR_BAD_INPUT with a sentence in `fail` for anything unknown, missing or out of
 * range. With --help only `help` is set. */
enum err bench_options_parse(const char *const *word, size_t count,
                             const char *(*env)(const char *name), struct arena *arena,
                             struct bench_options *out, struct fail *fail);

/* The help text, in the arena. */
str bench_options_help(struct arena *arena);
