#include "client/bench_report.h"

#include "client/bench_units.h"
#include "codec/json.h"

enum { REPORT_MAX = 64 * 1024, SECOND_US = 1000 * 1000 };

static const struct {
    const char *label;
    const char *json_name;
    double percent;
} percentiles[] = {
    {"p50", "p50_us", 50},
    {"p90", "p90_us", 90},
    {"p99", "p99_us", 99},
    {"p99.9", "p99_9_us", 99.9},
};
enum { PERCENTILES_COUNT = sizeof(percentiles) / sizeof(percentiles[0]) };

/* From the beginning of counting to the end of the last counted request; at least a microsecond. */
static uint64_t elapsed_us(const struct bench_stats *stats)
{
    return stats->last_us > stats->first_us ? (uint64_t)(stats->last_us - stats->first_us) : 1;
}

static double per_second(uint64_t count, const struct bench_stats *stats)
{
    return (double)count * SECOND_US / (double)elapsed_us(stats);
}

static bool was_used(const struct bench_op_stats *op)
{
    return op->latency.total || op->failures;
}

/* ---- Text ---- */

static void append_title(struct arena *arena, const struct bench_options *options,
                         const struct bench_stats *stats, struct buf *out)
{
    str size = bench_format_size(arena, options->size_min);
    if (options->size_max != options->size_min)
        size = arena_printf(arena, "%.*s to %.*s", STR_ARG(size),
                            STR_ARG(bench_format_size(arena, options->size_max)));
    buf_printf(
        out, "%.*s on %.*s, bucket %.*s: %.*s, %llu keys, %llu connection%s, %llu thread%s, %.*s\n",
        STR_ARG(options->operation), STR_ARG(options->endpoint_text), STR_ARG(options->bucket),
        STR_ARG(size), (unsigned long long)options->objects,
        (unsigned long long)options->concurrency, options->concurrency == 1 ? "" : "s",
        (unsigned long long)options->threads, options->threads == 1 ? "" : "s",
        STR_ARG(bench_format_duration(arena, elapsed_us(stats))));
    if (options->rate)
        buf_printf(out, "%llu requests due a second; latency counts from when each was due\n",
                   (unsigned long long)options->rate);
}

/* Small numbers with a decimal: three large uploads a second are not two. */
static str format_rate(struct arena *arena, double rate)
{
    return arena_printf(arena, "%.*f", rate < 100 ? 1 : 0, rate);
}

static void append_row(struct arena *arena, const struct bench_stats *stats, enum bench_op op,
                       struct buf *out)
{
    const struct bench_op_stats *row = &stats->op[op];
    buf_printf(out, "%-9.*s %10llu %8llu %10.*s %9.1f", STR_ARG(bench_op_name(op)),
               (unsigned long long)row->latency.total, (unsigned long long)row->failures,
               STR_ARG(format_rate(arena, per_second(row->latency.total, stats))),
               per_second(row->bytes, stats) / (1 << 20));
    str mean = bench_format_duration(arena, (uint64_t)(bench_histogram_mean(&row->latency) + 0.5));
    buf_printf(out, " %9.*s", STR_ARG(mean));
    for (size_t i = 0; i < PERCENTILES_COUNT; i++) {
        uint64_t us = bench_histogram_percentile(&row->latency, percentiles[i].percent);
        buf_printf(out, " %9.*s", STR_ARG(bench_format_duration(arena, us)));
    }
    buf_printf(out, " %9.*s\n", STR_ARG(bench_format_duration(arena, row->latency.max)));
    if (row->keys)
        buf_printf(out, "%-9s %10llu keys and prefixes, %.0f a second\n", "",
                   (unsigned long long)row->keys, per_second(row->keys, stats));
}

static void append_table(struct arena *arena, const struct bench_stats *stats, struct buf *out)
{
    buf_printf(out, "\n%-9s %10s %8s %10s %9s %9s", "operation", "requests", "failed", "a second",
               "MiB/s", "mean");
    for (size_t i = 0; i < PERCENTILES_COUNT; i++)
        buf_printf(out, " %9s", percentiles[i].label);
    buf_printf(out, " %9s\n", "max");
    for (enum bench_op op = BENCH_PUT; op < BENCH_OP_COUNT; op++) {
        if (was_used(&stats->op[op]))
            append_row(arena, stats, op, out);
    }
}

static void append_failures(const struct bench_stats *stats, struct buf *out)
{
    for (int status = 0; status < BENCH_STATUS_END; status++) {
        if (stats->status[status])
            buf_printf(out, "failed: %llu with HTTP %d\n",
                       (unsigned long long)stats->status[status], status);
    }
    for (enum bench_cause cause = 0; cause < BENCH_CAUSE_COUNT; cause++) {
        if (stats->cause[cause])
            buf_printf(out, "failed: %llu, %s\n", (unsigned long long)stats->cause[cause],
                       bench_cause_words(cause));
    }
    if (stats->sample[0])
        buf_printf(out, "the first: %s\n", stats->sample);
    if (stats->not_started)
        buf_printf(out, "not started: %llu requests that were due; the service did not keep up\n",
                   (unsigned long long)stats->not_started);
    if (stats->reconnects)
        buf_printf(out, "reconnected: %llu times after the server had ended a kept connection\n",
                   (unsigned long long)stats->reconnects);
}

str bench_report_text(struct arena *arena, const struct bench_options *options,
                      const struct bench_stats *stats)
{
    struct buf out BUF_SCOPED;
    buf_init(&out, REPORT_MAX);
    append_title(arena, options, stats, &out);
    append_table(arena, stats, &out);
    append_failures(stats, &out);
    if (stats->requests)
        buf_printf(&out, "client: %.1f us of CPU a request\n",
                   (double)stats->cpu_us / (double)stats->requests);
    return arena_str(arena, buf_str(&out));
}

/* ---- JSON ---- */

static void write_op(struct json_writer *json, const struct bench_stats *stats, enum bench_op op)
{
    const struct bench_op_stats *row = &stats->op[op];
    json_open_object(json, NULL);
    json_text(json, "operation", bench_op_name(op));
    json_u64(json, "requests", row->latency.total);
    json_u64(json, "failed", row->failures);
    json_u64(json, "bytes", row->bytes);
    json_u64(json, "keys", row->keys);
    json_u64(json, "requests_per_second", (uint64_t)(per_second(row->latency.total, stats) + 0.5));
    json_u64(json, "bytes_per_second", (uint64_t)(per_second(row->bytes, stats) + 0.5));
    json_u64(json, "mean_us", (uint64_t)(bench_histogram_mean(&row->latency) + 0.5));
    for (size_t i = 0; i < PERCENTILES_COUNT; i++)
        json_u64(json, percentiles[i].json_name,
                 bench_histogram_percentile(&row->latency, percentiles[i].percent));
    json_u64(json, "max_us", row->latency.max);
    json_close(json);
}

static void write_failure(struct json_writer *json, const char *kind, str value, uint64_t count)
{
    json_open_object(json, NULL);
    json_text(json, kind, value);
    json_u64(json, "count", count);
    json_close(json);
}

static void write_failures(struct arena *arena, struct json_writer *json,
                           const struct bench_stats *stats)
{
    json_open_array(json, "failures");
    for (int status = 0; status < BENCH_STATUS_END; status++) {
        if (stats->status[status])
            write_failure(json, "status", arena_printf(arena, "%d", status), stats->status[status]);
    }
    for (enum bench_cause cause = 0; cause < BENCH_CAUSE_COUNT; cause++) {
        if (stats->cause[cause])
            write_failure(json, "cause", str_from(bench_cause_words(cause)), stats->cause[cause]);
    }
    json_close(json);
    json_text(json, "first_failure", str_from(stats->sample));
}

static void write_setting(struct json_writer *json, const struct bench_options *options)
{
    json_text(json, "operation", options->operation);
    json_text(json, "endpoint", options->endpoint_text);
    json_text(json, "bucket", options->bucket);
    json_u64(json, "objects", options->objects);
    json_u64(json, "size_min_bytes", options->size_min);
    json_u64(json, "size_max_bytes", options->size_max);
    json_u64(json, "concurrency", options->concurrency);
    json_u64(json, "threads", options->threads);
    json_u64(json, "rate", options->rate);
}

str bench_report_json(struct arena *arena, const struct bench_options *options,
                      const struct bench_stats *stats)
{
    struct json_writer json;
    struct buf out BUF_SCOPED;
    buf_init(&out, REPORT_MAX);
    json_begin(&json, &out);
    json_open_object(&json, NULL);
    write_setting(&json, options);
    json_u64(&json, "elapsed_us", elapsed_us(stats));
    json_open_array(&json, "operations");
    for (enum bench_op op = BENCH_PUT; op < BENCH_OP_COUNT; op++) {
        if (was_used(&stats->op[op]))
            write_op(&json, stats, op);
    }
    json_close(&json);
    json_u64(&json, "failed", bench_stats_failures(stats));
    write_failures(arena, &json, stats);
    json_u64(&json, "not_started", stats->not_started);
    json_u64(&json, "reconnects", stats->reconnects);
    json_u64(&json, "client_cpu_ns_per_request",
             stats->requests ? stats->cpu_us * 1000 / stats->requests : 0);
    json_close(&json);
    buf_append_char(&out, '\n');
    return arena_str(arena, buf_str(&out));
}
