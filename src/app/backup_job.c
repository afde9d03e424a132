#include "app/backup_job.h"

#include "app/server_int.h"
#include "app/server_jobs.h"
#include "base/clock.h"
#include "store/local/backup.h"

enum { PATH_BYTES_MAX = 4095 };

const char *const backup_job_member[] = {"to", "base", "rate", NULL};

/* ---- What was asked for ---- */

/* The server's folder is not that of whoever asks, so only a whole path says what is meant. */
static enum err check_path(const struct json_value *input, const char *name, bool is_needed,
                           struct fail *fail)
{
    const struct json_value *member = json_member(input, name);
    if (!member && !is_needed)
        return OK;
    str path = json_member_text(input, name);
    if (path.len > 0 && path.len <= PATH_BYTES_MAX && path.ptr[0] == '/')
        return OK;
    return fail_set(fail, ERR_BAD_ARGUMENT, name,
                    "\"%s\" is an absolute path on the server's machine", name);
}

enum err backup_job_check(void *context, const struct json_value *input, struct fail *fail)
{
    const struct server *server = context;
    uint64_t rate;
    if (server->settings.values.engine != SETTING_ENGINE_LOCAL)
        return fail_set(fail, ERR_NOT_IMPLEMENTED, NULL,
                        "only a store in a folder (engine local) can be backed up");
    TRY(check_path(input, "to", true, fail));
    TRY(check_path(input, "base", false, fail));
    return job_rate(input, 0, &rate, fail);
}

/* ---- The work ---- */

struct telling {
    struct long_job *job;
    uint64_t done;
};

static void tell_found(void *context, const struct local_finding *finding)
{
    const struct telling *telling = context;
    long_job_found(telling->job, &(struct long_job_finding){
                                     .kind = LONG_JOB_DAMAGE,
                                     .where = str_from(finding->where),
                                     .what = str_from(finding->what),
                                 });
}

static void tell_progress(void *context, const struct local_progress *progress)
{
    struct telling *telling = context;
    long_job_progress(telling->job, progress->task, progress->done, progress->total);
    if (progress->done > telling->done)
        long_job_add_bytes(telling->job, progress->done - telling->done);
    telling->done = progress->done;
}

static void tell_result(struct long_job *job, const struct local_backup_result *result)
{
    char taken[CLOCK_TEXT_MAX];
    long_job_text(job, "taken", clock_format_iso(result->taken_ms, taken));
    long_job_figure(job, "sequence", result->sequence);
    long_job_figure(job, "files", result->file_count);
    long_job_figure(job, "bytes", result->byte_count);
    long_job_figure(job, "linked_files", result->linked_file_count);
    long_job_figure(job, "linked_bytes", result->linked_byte_count);
}

enum err backup_job_run(void *context, struct long_job *job, const struct json_value *input,
                        struct fail *fail)
{
    struct server *server = context;
    struct telling telling = {.job = job};
    struct local_backup_options options = {
        .target = json_member_text(input, "to").ptr,
        .base = json_member(input, "base") ? json_member_text(input, "base").ptr : NULL,
        .found = tell_found,
        .progress = tell_progress,
        .context = &telling,
        .stop = long_job_stop_flag(job),
    };
    struct local_backup_result result;
    TRY(job_rate(input, 0, &options.rate_bytes, fail));
    long_job_text(job, "to", json_member_text(input, "to"));
    TRY(local_backup(server->engine, &options, &result, fail));
    tell_result(job, &result);
    return OK;
}
