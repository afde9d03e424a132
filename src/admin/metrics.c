#include "admin/metrics.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"

enum { CACHE_LINE_BYTES = 64 };

/* The statuses that S3 and the admin API answer. Another one counts under its class, in the rows behind. */
static const int status_table[] = {0,   200, 204, 206, 301, 304, 307, 400, 403, 404, 405, 408,
                                   409, 411, 412, 413, 416, 431, 500, 501, 503, 505, 507};
enum { STATUS_KNOWN = sizeof(status_table) / sizeof(status_table[0]), STATUS_CLASSES = 6 };
enum { STATUS_COUNT = STATUS_KNOWN + STATUS_CLASSES };

/* Upper bounds of the histograms: from what an index read takes to what a person gives up on. The last bucket, without a
 * bound, follows. */
static const uint64_t bound_us[] = {500,     1000,    2500,    5000,     10000,
                                    25000,   50000,   100000,  250000,   500000,
                                    1000000, 2500000, 5000000, 10000000, 30000000};
enum { BOUND_COUNT = sizeof(bound_us) / sizeof(bound_us[0]), BUCKET_COUNT = BOUND_COUNT + 1 };

typedef _Atomic uint64_t cell;

struct histogram {
    cell bucket[BUCKET_COUNT];
    cell sum_us;
};

struct operation {
    cell by_status[STATUS_COUNT];
    cell incomplete;
    cell body_in_bytes, body_out_bytes;
    struct histogram first_byte, total;
};

struct metrics_lane {
    const struct metrics *metrics;
    struct operation *operation; /* one for each name, the last for "-" */
};

struct metrics {
    struct metrics_lane *lane;
    size_t lane_count;
    const char **name; /* "-" is the last one */
    size_t name_count;
    struct map *index; /* name to its place in `name`, as a pointer, plus one */
};

struct metrics *metrics_new(size_t lane_count, const char *(*operation_name)(size_t index))
{
    struct metrics *metrics = mem_new(struct metrics);
    while (operation_name(metrics->name_count))
        metrics->name_count++;
    metrics->name_count++;
    metrics->name = mem_new_array(const char *, metrics->name_count);
    metrics->index = map_new();
    for (size_t i = 0; i < metrics->name_count; i++) {
        bool is_last = i + 1 == metrics->name_count;
        metrics->name[i] = is_last ? "-" : operation_name(i);
        (void)map_set(metrics->index, str_from(metrics->name[i]), (void *)(i + 1));
    }
    metrics->lane_count = lane_count;
    metrics->lane = mem_new_array(struct metrics_lane, lane_count);
    for (size_t i = 0; i < lane_count; i++) {
        size_t bytes = mem_size_mul(sizeof(struct operation), metrics->name_count);
        metrics->lane[i].metrics = metrics;
        metrics->lane[i].operation = mem_alloc_aligned(CACHE_LINE_BYTES, bytes);
        for (size_t j = 0; j < metrics->name_count; j++)
            metrics->lane[i].operation[j] = (struct operation){0};
    }
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < metrics->lane_count; i++)
        mem_free(metrics->lane[i].operation);
    mem_free(metrics->lane);
    mem_free(metrics->name);
    map_free(metrics->index);
    mem_free(metrics);
}

struct metrics_lane *metrics_lane(struct metrics *metrics, size_t index)
{
    assert(index < metrics->lane_count);
    return &metrics->lane[index];
}

/* ---- Counting ---- */

static void add(cell *counter, uint64_t amount)
{
    /* One writer: a plain load and store, not a locked addition. */
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}

static uint64_t value_of(const cell *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static size_t status_slot(int status)
{
    for (size_t i = 0; i < STATUS_KNOWN; i++)
        if (status_table[i] == status)
            return i;
    bool has_class = status >= 100 && status < 600;
    return STATUS_KNOWN + (has_class ? (size_t)status / 100 : 0);
}

static void histogram_add(struct histogram *histogram, int64_t value_us)
{
    uint64_t us = value_us > 0 ? (uint64_t)value_us : 0;
    size_t slot = 0;
    while (slot < BOUND_COUNT && us > bound_us[slot])
        slot++;
    add(&histogram->bucket[slot], 1);
    add(&histogram->sum_us, us);
}

void metrics_count(struct metrics_lane *lane, const struct metrics_exchange *exchange)
{
    const struct metrics *metrics = lane->metrics;
    size_t place = (size_t)map_find(metrics->index, str_from(exchange->operation));
    struct operation *operation = &lane->operation[place ? place - 1 : metrics->name_count - 1];
    add(&operation->by_status[status_slot(exchange->status)], 1);
    add(&operation->body_in_bytes, exchange->body_in_bytes);
    add(&operation->body_out_bytes, exchange->body_out_bytes);
    if (!exchange->is_complete)
        add(&operation->incomplete, 1);
    if (exchange->status == 0)
        return; /* No reply, so nothing took until it. */
    histogram_add(&operation->first_byte, exchange->first_byte_us);
    histogram_add(&operation->total, exchange->total_us);
}

/* ---- Summing ---- */

static uint64_t sum_of(const struct metrics *metrics, size_t name, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < metrics->lane_count; i++) {
        const char *operation = (const char *)&metrics->lane[i].operation[name];
        sum += value_of((const cell *)(const void *)(operation + offset));
    }
    return sum;
}
#define SUM(metrics, name, member) sum_of((metrics), (name), offsetof(struct operation, member))

static uint64_t sum_status(const struct metrics *metrics, size_t name, size_t slot)
{
    return sum_of(metrics, name, offsetof(struct operation, by_status) + slot * sizeof(cell));
}

static bool has_happened(const struct metrics *metrics, size_t name)
{
    for (size_t slot = 0; slot < STATUS_COUNT; slot++)
        if (sum_status(metrics, name, slot))
            return true;
    return false;
}

/* "404"; "2xx" for a class, "lost" for no reply, "other" for what is no status. */
static str status_text(size_t slot, char dst[8])
{
    if (slot >= STATUS_KNOWN) {
        size_t class = slot - STATUS_KNOWN;
        (void)snprintf(dst, 8, class ? "%zuxx" : "other", class);
    } else {
        (void)snprintf(dst, 8, status_table[slot] ? "%d" : "lost", status_table[slot]);
    }
    return str_from(dst);
}

static void write_requests(const struct metrics *metrics, struct buf *out)
{
    static const char name[] = "pail_requests_total";
    prom_family(
        out, name, PROM_COUNTER,
        "Requests that are over, by operation and status; lost: the client left before the reply.");
    for (size_t i = 0; i < metrics->name_count; i++) {
        for (size_t slot = 0; slot < STATUS_COUNT; slot++) {
            uint64_t count = sum_status(metrics, i, slot);
            char text[8];
            struct prom_label label[] = {{"operation", str_from(metrics->name[i])},
                                         {"status", status_text(slot, text)},
                                         {0}};
            if (count)
                prom_u64(out, &(struct prom_sample){name, "", label}, count);
        }
    }
}

static void write_counter(const struct metrics *metrics, struct buf *out, const char *name,
                          const char *help, size_t offset)
{
    prom_family(out, name, PROM_COUNTER, help);
    for (size_t i = 0; i < metrics->name_count; i++) {
        struct prom_label label[] = {{"operation", str_from(metrics->name[i])}, {0}};
        if (has_happened(metrics, i))
            prom_u64(out, &(struct prom_sample){name, "", label}, sum_of(metrics, i, offset));
    }
}

static str bound_text(size_t slot, char dst[24])
{
    if (slot == BOUND_COUNT)
        return STR("+Inf");
    (void)snprintf(dst, 24, "%g", (double)bound_us[slot] / 1e6);
    return str_from(dst);
}

static void write_histogram_of(const struct metrics *metrics, struct buf *out, const char *name,
                               size_t operation, size_t offset)
{
    uint64_t count = 0;
    for (size_t slot = 0; slot < BUCKET_COUNT; slot++) {
        char bound[24];
        struct prom_label label[] = {{"operation", str_from(metrics->name[operation])},
                                     {"le", bound_text(slot, bound)},
                                     {0}};
        count += sum_of(metrics, operation,
                        offset + offsetof(struct histogram, bucket) + slot * sizeof(cell));
        prom_u64(out, &(struct prom_sample){name, "_bucket", label}, count);
    }
    struct prom_label label[] = {{"operation", str_from(metrics->name[operation])}, {0}};
    prom_seconds(out, &(struct prom_sample){name, "_sum", label},
                 sum_of(metrics, operation, offset + offsetof(struct histogram, sum_us)));
    prom_u64(out, &(struct prom_sample){name, "_count", label}, count);
}

static void write_histogram(const struct metrics *metrics, struct buf *out, const char *name,
                            const char *help, size_t offset)
{
    prom_family(out, name, PROM_HISTOGRAM, help);
    for (size_t i = 0; i < metrics->name_count; i++)
        if (has_happened(metrics, i))
            write_histogram_of(metrics, out, name, i, offset);
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
    write_requests(metrics, out);
    write_counter(metrics, out, "pail_replies_cut_total", "Replies that did not go out whole.",
                  offsetof(struct operation, incomplete));
    write_counter(metrics, out, "pail_request_body_bytes_total",
                  "Bytes of request bodies received.", offsetof(struct operation, body_in_bytes));
    write_counter(metrics, out, "pail_reply_body_bytes_total", "Bytes of reply bodies sent.",
                  offsetof(struct operation, body_out_bytes));
    write_histogram(metrics, out, "pail_request_first_byte_seconds",
                    "Time from the whole request head to the first byte of the reply.",
                    offsetof(struct operation, first_byte));
    write_histogram(metrics, out, "pail_request_duration_seconds",
                    "Time from the whole request head to the end of the exchange.",
                    offsetof(struct operation, total));
}

void metrics_totals(const struct metrics *metrics, struct metrics_totals *out)
{
    *out = (struct metrics_totals){0};
    for (size_t i = 0; i < metrics->name_count; i++) {
        for (size_t slot = 0; slot < STATUS_COUNT; slot++) {
            uint64_t count = sum_status(metrics, i, slot);
            bool is_fault =
                slot < STATUS_KNOWN ? status_table[slot] >= 500 : slot == STATUS_KNOWN + 5;
            out->requests += count;
            out->server_faults += is_fault ? count : 0;
        }
        out->body_in_bytes += SUM(metrics, i, body_in_bytes);
        out->body_out_bytes += SUM(metrics, i, body_out_bytes);
    }
}
