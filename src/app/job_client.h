/* job_client: a long job of a running server, from its begin to its end, for the commands that ask for one. */
#pragma once

#include "app/admin_client.h"

struct job_client {
    struct admin_client *client;
    const char *path; /* "/admin/v1/jobs/NAME" */
    const bool *
        stop; /* when it becomes true, the server is asked to stop the job, which is then followed to its end */
    struct arena *arena; /* reset before each answer */
    struct fail *fail;
};

/* Starts the job and shows how far it is until it has ended. OK: *out is the job as the server tells of it, in the arena. */
enum err job_run(struct job_client *job, str body, struct admin_answer *out);

bool job_is_done(const struct admin_answer *answer); /* else it failed or was cancelled */
/* Why it is not done, as a sentence in fail. */
enum err job_failure(const struct admin_answer *answer, struct fail *fail);
/* Its first findings, a line each on standard error. */
void job_show_damage(const struct admin_answer *answer);

/* A member that is a number above 0; else 0. */
uint64_t job_number(const struct json_value *object, const char *name);
