#include "app/server_jobs.h"

#include <assert.h>

#include "app/backup_job.h"
#include "app/server_int.h"
#include "app/settings_value.h"
#include "store/local/local_engine.h"

enum {
    RATE_MIN_BYTES = 64 << 10,
    RATE_DEFAULT_BYTES = 64 << 20,
    PAUSED_BYTES = 1 << 20, /* what a scrub reads between two pauses */
};

/* ---- Input ---- */

enum err job_rate(const struct json_value *input, uint64_t fallback, uint64_t *out_rate,
                  struct fail *fail)
{
    const struct json_value *rate = json_member(input, "rate");
    *out_rate = fallback;
    if (!rate)
        return OK;
    if (rate->kind != JSON_KIND_INTEGER || rate->integer < RATE_MIN_BYTES)
        return fail_set(fail, ERR_BAD_ARGUMENT, "rate",
                        "\"rate\" is a number of bytes a second, at least %d", (int)RATE_MIN_BYTES);
    *out_rate = (uint64_t)rate->integer;
    return OK;
}

/* ---- verify ---- */

static enum err check_verify(void *context, const struct json_value *input, struct fail *fail)
{
    const struct server *server = context;
    if (server->settings.values.engine != SETTING_ENGINE_LOCAL)
        return fail_set(fail, ERR_NOT_IMPLEMENTED, NULL,
                        "only a store in a folder (engine local) can be verified");
    uint64_t rate;
    return job_rate(input, RATE_DEFAULT_BYTES, &rate, fail);
}

static void verify_found(void *context, const struct local_finding *finding)
{
    long_job_found(context, &(struct long_job_finding){
                                .kind = finding->err == OK ? LONG_JOB_NOTE : LONG_JOB_DAMAGE,
                                .where = str_from(finding->where),
                                .what = str_from(finding->what),
                            });
}

static void verify_progress(void *context, const struct local_progress *progress)
{
    long_job_progress(context, progress->task, progress->done, progress->total);
}

static enum err run_verify(void *context, struct long_job *job, const struct json_value *input,
                           struct fail *fail)
{
    struct server *server = context;
    uint64_t rate;
    TRY(job_rate(input, RATE_DEFAULT_BYTES, &rate, fail));
    struct local_scrub scrub = {
        .found = verify_found,
        .progress = verify_progress,
        .context = job,
        .pause_us = (int64_t)(PAUSED_BYTES * UINT64_C(1000000) / rate),
        .stop = long_job_stop_flag(job),
    };
    return local_check_open(server->engine, &scrub);
}

/* ---- The table ---- */

struct long_jobs *server_jobs_new(struct server *server)
{
    static const char *const verify_member[] = {"rate", NULL};
    struct long_job_kind *kind = server->job_kind;
    size_t count = 0;
    kind[count++] =
        (struct long_job_kind){"verify", verify_member, server, check_verify, run_verify};
    kind[count++] = (struct long_job_kind){"backup", backup_job_member, server, backup_job_check,
                                           backup_job_run};
    assert(count < SERVER_JOB_KINDS);
    return long_jobs_new(kind);
}
