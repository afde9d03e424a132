/* Long jobs over the admin API. */
#include "admin/admin_int.h"
#include "admin/long_jobs.h"

enum err admin_run_jobs_list(struct admin_call *call)
{
    long_jobs_write_all(call->admin->options.jobs, &call->json);
    return OK;
}

static enum err no_such_job(struct admin_call *call, enum err err)
{
    if (err != ERR_NOT_FOUND)
        return err;
    return fail_set(&call->fail, err, NULL, "there is no job \"%.*s\"", STR_ARG(call->argument));
}

enum err admin_run_job_show(struct admin_call *call)
{
    return no_such_job(call,
                       long_jobs_write(call->admin->options.jobs, call->argument, &call->json));
}

/* The body is optional: whoever gives none gets the defaults. */
enum err admin_run_job_start(struct admin_call *call)
{
    struct long_jobs *jobs = call->admin->options.jobs;
    TRY(no_such_job(call,
                    long_jobs_start(jobs, call->argument, buf_str(&call->body), &call->fail)));
    call->status = 202;
    return long_jobs_write(jobs, call->argument, &call->json);
}

enum err admin_run_job_cancel(struct admin_call *call)
{
    TRY(no_such_job(call, long_jobs_cancel(call->admin->options.jobs, call->argument)));
    call->status = 204;
    return OK;
}
