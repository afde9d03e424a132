/* The server's long jobs: the table of their kinds (admin/long_jobs.h), and the scrub that begins by itself. */
#pragma once

#include "admin/long_jobs.h"

struct server;

/* The kinds that this server has; its engine and store are open and outlive the jobs. */
struct long_jobs *server_jobs_new(struct server *server);

/* The member "rate" of a job's input, in bytes a second; without it, what the caller says. ERR_BAD_ARGUMENT. */
enum err job_rate(const struct json_value *input, uint64_t fallback, uint64_t *out_rate,
                  struct fail *fail);
