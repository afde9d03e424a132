/* backup_job: `backup` as one of the server's long jobs (admin/long_jobs.h): docs/admin-api.md, "Jobs". Its context is the server. */
#pragma once

#include "admin/long_jobs.h"

extern const char *const backup_job_member[];

enum err backup_job_check(void *context, const struct json_value *input, struct fail *fail);
enum err backup_job_run(void *context, struct long_job *job, const struct json_value *input,
                        struct fail *fail);
