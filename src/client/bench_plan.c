#include "client/bench_plan.h"

static void set_weights(struct bench_plan *plan, const unsigned *weight)
{
    plan->weight_total = 0;
    for (size_t i = 0; i < BENCH_OP_COUNT; i++) {
        plan->weight[i] = weight[i];
        plan->weight_total += weight[i];
    }
}

static bool is_only(const struct bench_plan *plan, enum bench_op op)
{
    return plan->weight[op] == plan->weight_total;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Steps of so many pass every key before one comes again: near the golden section, so that they scatter, and without a factor
 * in common with the number of keys. */
static uint64_t find_stride(uint64_t objects)
{
    uint64_t stride = objects / 1000 * 618 + objects % 1000 * 618 / 1000;
    while (common_divisor(stride, objects) != 1)
        stride++;
    return stride;
}

void bench_plan_init_main(struct bench_plan *plan, const struct bench_options *options)
{
    *plan = (struct bench_plan){.options = options,
                                .limit = options->requests,
                                .delete_end = options->objects,
                                .read_stride = find_stride(options->objects)};
    set_weights(plan, options->weight);
}

void bench_plan_init_each(struct bench_plan *plan, const struct bench_options *options,
                          enum bench_op op, uint64_t count)
{
    *plan = (struct bench_plan){
        .options = options, .limit = count, .put_end = count, .delete_end = count};
    unsigned weight[BENCH_OP_COUNT] = {0};
    weight[op] = 1;
    set_weights(plan, weight);
}

static enum bench_op choose_op(const struct bench_plan *plan, struct bench_random *random)
{
    uint64_t ticket = bench_random_below(random, plan->weight_total);
    enum bench_op op = BENCH_PUT;
    while (ticket >= plan->weight[op])
        ticket -= plan->weight[op++];
    return op;
}

/* Takes the oldest of the keys made by this mix. False while those that are left may still be in flight. */
static bool take_deletable(struct bench_plan *plan, uint64_t *out_index)
{
    uint64_t cursor = atomic_load(&plan->delete_cursor);
    do {
        if (cursor + plan->options->concurrency >= atomic_load(&plan->put_cursor))
            return false;
    } while (!atomic_compare_exchange_weak(&plan->delete_cursor, &cursor, cursor + 1));
    *out_index = plan->options->objects + cursor;
    return true;
}

static bool choose_put(struct bench_plan *plan, struct bench_random *random, uint64_t *out_index)
{
    uint64_t objects = plan->options->objects;
    if (!is_only(plan, BENCH_PUT) && !plan->weight[BENCH_DELETE]) {
        *out_index = bench_random_below(random, objects);
        return true;
    }
    uint64_t cursor = atomic_fetch_add(&plan->put_cursor, 1);
    if (!is_only(plan, BENCH_PUT))
        *out_index = objects + cursor;
    else if (plan->put_end)
        *out_index = cursor;
    else
        *out_index = cursor % objects;
    return !plan->put_end || cursor < plan->put_end;
}

/* Each key once, and none after its neighbour, which the system may have read ahead. */
static bool choose_unread(struct bench_plan *plan, uint64_t *out_index)
{
    uint64_t objects = plan->options->objects;
    uint64_t cursor = atomic_fetch_add(&plan->read_cursor, 1);
    if (cursor >= objects)
        return false;
    *out_index = (uint64_t)((bench_wide)cursor * plan->read_stride % objects);
    return true;
}

static bool choose_index(struct bench_plan *plan, struct bench_random *random,
                         struct bench_choice *choice)
{
    if (choice->op == BENCH_DELETE) {
        if (is_only(plan, BENCH_DELETE)) {
            choice->index = atomic_fetch_add(&plan->delete_cursor, 1);
            return choice->index < plan->delete_end;
        }
        if (take_deletable(plan, &choice->index))
            return true;
        choice->op = BENCH_PUT; /* there is nothing to delete yet, so something is made */
    }
    if (choice->op == BENCH_PUT)
        return choose_put(plan, random, &choice->index);
    if (plan->options->each_once && choice->op != BENCH_LIST && is_only(plan, choice->op))
        return choose_unread(plan, &choice->index);
    choice->index = bench_random_below(random, plan->options->objects);
    return true;
}

bool bench_plan_next(struct bench_plan *plan, struct bench_random *random, bool counted,
                     struct bench_choice *out)
{
    if (atomic_load_explicit(&plan->is_aborted, memory_order_relaxed))
        return false;
    if (counted && plan->limit && atomic_fetch_add(&plan->started, 1) >= plan->limit)
        return false;
    struct bench_choice choice = {.op = choose_op(plan, random)};
    if (!choose_index(plan, random, &choice))
        return false;
    *out = choice;
    return true;
}

uint64_t bench_plan_highest(struct bench_plan *plan)
{
    uint64_t objects = plan->options->objects;
    bool is_mixed = !is_only(plan, BENCH_PUT);
    return is_mixed ? objects + atomic_load(&plan->put_cursor) : objects;
}

void bench_key_append(const struct bench_options *options, uint64_t index, struct buf *out)
{
    buf_append(out, options->prefix);
    if (options->folders)
        buf_printf(out, "%05llu/", (unsigned long long)(index % options->folders));
    buf_printf(out, "%0*llu", BENCH_INDEX_DIGITS, (unsigned long long)index);
}

uint64_t bench_key_size(const struct bench_options *options, uint64_t index)
{
    uint64_t span = options->size_max - options->size_min;
    if (!span)
        return options->size_min;
    return options->size_min + bench_mix(index + 1) % (span + 1);
}
