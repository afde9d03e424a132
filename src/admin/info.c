/* The pages that tell of the whole: /metrics, /admin/v1/info, /admin/v1/settings, and the order to reload. */
#include "admin/admin_int.h"
#include "admin/long_jobs.h"
#include "admin/process.h"
#include "base/clock.h"
#include "object/usage.h"

/* Prometheus keeps a series for each bucket; a store with more buckets is asked by other means. */
enum { USAGE_MAX_BUCKETS = 1000 };

static void read_engine(struct admin_call *call, struct engine_stats *out)
{
    store_stats(call->admin->options.store, out);
}

/* ---- /metrics ---- */

static void write_engine_metrics(struct admin_call *call, struct buf *out)
{
    struct engine_stats stats;
    read_engine(call, &stats);
    const struct {
        const char *name;
        enum prom_type type;
        const char *help;
        uint64_t value;
    } row[] = {
        {"pail_engine_updates_total", PROM_COUNTER, "Changes made durable since start.",
         stats.updates},
        {"pail_engine_batches_total", PROM_COUNTER, "Groups that changes were committed in.",
         stats.batches},
        {"pail_engine_syncs_total", PROM_COUNTER, "Times the disk was made to keep what it has.",
         stats.syncs},
        {"pail_engine_log_bytes", PROM_GAUGE, "Size of the log.", stats.log_bytes},
        {"pail_engine_log_live_bytes", PROM_GAUGE, "Of the log, what is still referred to.",
         stats.log_live_bytes},
        {"pail_engine_index_bytes", PROM_GAUGE, "Size of the index.", stats.index_bytes},
        {"pail_engine_index_cached_bytes", PROM_GAUGE, "What of the index is in memory.",
         stats.index_cached_bytes},
        {"pail_engine_read_only", PROM_GAUGE, "1 after a failed sync: only a restart helps.",
         stats.is_read_only},
        {"pail_disk_free_bytes", PROM_GAUGE, "Free space where the data lies.",
         stats.disk_free_bytes},
        {"pail_disk_total_bytes", PROM_GAUGE, "Size of the file system where the data lies.",
         stats.disk_total_bytes},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        prom_single(out, row[i].name, row[i].type, row[i].help, row[i].value);
}

static void write_usage_family(struct buf *out, const struct usage_entry *entry, size_t count,
                               const char *name, const char *help, size_t member)
{
    prom_family(out, name, PROM_GAUGE, help);
    for (size_t i = 0; i < count; i++) {
        const char *base = (const char *)&entry[i];
        struct prom_label label[] = {{"bucket", entry[i].bucket}, {0}};
        prom_u64(out, &(struct prom_sample){name, "", label},
                 *(const uint64_t *)(const void *)(base + member));
    }
}

static enum err write_usage(struct admin_call *call, struct buf *out)
{
    struct usage_entry *entry;
    size_t count;
    bool is_truncated;
    TRY(usage_list(call->admin->options.store, USAGE_MAX_BUCKETS, call->arena, &entry, &count,
                   &is_truncated));
    static const struct {
        const char *name, *help;
        size_t member;
    } row[] = {
        {"pail_bucket_objects", "Objects in the bucket.",
         offsetof(struct usage_entry, object_count)},
        {"pail_bucket_bytes", "Bytes of the bucket's objects.",
         offsetof(struct usage_entry, object_bytes)},
        {"pail_bucket_old_versions", "Versions and delete markers behind the objects.",
         offsetof(struct usage_entry, version_count)},
        {"pail_bucket_old_version_bytes", "Bytes of those.",
         offsetof(struct usage_entry, version_bytes)},
        {"pail_bucket_uploads", "Unfinished multipart uploads.",
         offsetof(struct usage_entry, upload_count)},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        write_usage_family(out, entry, count, row[i].name, row[i].help, row[i].member);
    prom_single(out, "pail_bucket_list_truncated", PROM_GAUGE,
                "1 when there are more buckets than the families above show.", is_truncated);
    return OK;
}

static void write_build(const struct admin_call *call, struct buf *out)
{
    static const char name[] = "pail_build_info";
    struct prom_label label[] = {{"version", str_from(call->admin->options.version)}, {0}};
    prom_family(out, name, PROM_GAUGE, "The program's version; always 1.");
    prom_u64(out, &(struct prom_sample){name, "", label}, 1);
}

enum err admin_run_metrics(struct admin_call *call)
{
    const struct admin_options *options = &call->admin->options;
    struct buf *out = &call->reply;
    write_build(call, out);
    metrics_write(options->metrics, out);
    prom_single(out, "pail_connections", PROM_GAUGE, "Open connections to the S3 listeners.",
                options->connection_count(options->context));
    prom_single(out, "pail_access_log_dropped_total", PROM_COUNTER,
                "Lines of the access log that could not be written in time.",
                access_log_dropped(options->access_log));
    write_engine_metrics(call, out);
    long_jobs_write_metrics(options->jobs, out);
    TRY(write_usage(call, out));
    process_write(out);
    call->content_type = PROM_CONTENT_TYPE;
    return OK;
}

/* ---- /admin/v1/info ---- */

static void write_engine_info(struct admin_call *call, struct json_writer *w)
{
    struct engine_stats stats;
    read_engine(call, &stats);
    json_open_object(w, "engine");
    json_u64(w, "updates", stats.updates);
    json_u64(w, "batches", stats.batches);
    json_u64(w, "syncs", stats.syncs);
    json_u64(w, "log_bytes", stats.log_bytes);
    json_u64(w, "log_live_bytes", stats.log_live_bytes);
    json_u64(w, "index_bytes", stats.index_bytes);
    json_u64(w, "index_cached_bytes", stats.index_cached_bytes);
    json_u64(w, "disk_free_bytes", stats.disk_free_bytes);
    json_u64(w, "disk_total_bytes", stats.disk_total_bytes);
    json_bool(w, "read_only", stats.is_read_only);
    if (stats.is_read_only)
        json_text(w, "read_only_reason", str_from(stats.read_only_reason));
    json_close(w);
}

static void write_traffic(struct admin_call *call, struct json_writer *w)
{
    const struct admin_options *options = &call->admin->options;
    struct metrics_totals totals;
    metrics_totals(options->metrics, &totals);
    json_open_object(w, "traffic");
    json_u64(w, "connections", options->connection_count(options->context));
    json_u64(w, "requests", totals.requests);
    json_u64(w, "server_faults", totals.server_faults);
    json_u64(w, "body_in_bytes", totals.body_in_bytes);
    json_u64(w, "body_out_bytes", totals.body_out_bytes);
    json_close(w);
}

enum err admin_run_info(struct admin_call *call)
{
    const struct admin *admin = call->admin;
    struct process_memory memory = {0};
    (void)process_memory(&memory); /* 0 where /proc does not tell */
    struct json_writer *w = &call->json;
    json_open_object(w, NULL);
    json_text(w, "version", str_from(admin->options.version));
    json_text(w, "region", admin->options.region);
    json_text(w, "root_canonical_id", users_root_canonical_id(admin->options.users));
    json_time(w, "started", admin->started_ms);
    json_bool(w, "draining", atomic_load(&admin->options.health->is_draining));
    json_u64(w, "resident_bytes", memory.resident_bytes);
    write_engine_info(call, w);
    write_traffic(call, w);
    json_close(w);
    return OK;
}

enum err admin_run_settings(struct admin_call *call)
{
    const struct admin_options *options = &call->admin->options;
    options->write_settings(options->context, &call->reply);
    return OK;
}

enum err admin_run_reload(struct admin_call *call)
{
    const struct admin_options *options = &call->admin->options;
    TRY(options->reload(options->context, &call->fail));
    call->status = 204;
    return OK;
}
