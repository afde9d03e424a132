/* bench_plan: which request comes next: the operation by the mix's weights, the key by the operation's habit, and when
 * there are no more. One plan serves all threads of a phase; its counters are atomic, the rest is set once.
 *
 * Keys. An object is an index; its name, size and content follow from the index alone, so reader and writer agree without
 * talking. Reads choose at random among the prepared keys, or, alone and if so asked, take each once. Puts alone go round the keys in order. In a mix without deletes
 * puts overwrite keys at random; in one with deletes they make keys behind the prepared ones, and deletes take the oldest
 * of these, so that reads never meet a deleted key. */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "client/bench_options.h"
#include "client/bench_random.h"

struct bench_plan {
    const struct bench_options *options;
    unsigned weight[BENCH_OP_COUNT];
    uint64_t weight_total;
    uint64_t limit; /* counted requests; 0: none */
    uint64_t
        put_end; /* puts alone: the round ends here instead of beginning again; 0: it goes on */
    uint64_t delete_end;  /* deletes alone: the keys 0 .. delete_end - 1, each once */
    uint64_t read_stride; /* from one read to the next, when each key is read once */
    _Atomic uint64_t started, put_cursor, delete_cursor, read_cursor;
    atomic_bool is_aborted; /* a thread found that going on has no sense */
};

/* What was asked for. */
void bench_plan_init_main(struct bench_plan *plan, const struct bench_options *options);
/* `count` requests of one operation: puts and deletes take the keys 0 .. count - 1, the others choose as always. */
void bench_plan_init_each(struct bench_plan *plan, const struct bench_options *options,
                          enum bench_op op, uint64_t count);

struct bench_choice {
    enum bench_op op;
    uint64_t index;
};

/* The next request; false when the plan is done or aborted. Requests of the warm-up are not `counted`: the limit does not
 * apply to them. Any thread, each with its own `random`. */
bool bench_plan_next(struct bench_plan *plan, struct bench_random *random, bool counted,
                     struct bench_choice *out);

/* One more than the highest index that the plan has put. */
uint64_t bench_plan_highest(struct bench_plan *plan);

/* Appends the key of an object: prefix, folder if there are any, and the index in ten digits, so that the order of the
 * names is the order of the indices within a folder. */
void bench_key_append(const struct bench_options *options, uint64_t index, struct buf *out);
/* Its size in bytes. */
uint64_t bench_key_size(const struct bench_options *options, uint64_t index);
