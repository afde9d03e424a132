#include "app/job_client.h"

#include <time.h>

#include "app/command.h"
#include "app/progress.h"

enum { POLL_MS = 300 };

uint64_t job_number(const struct json_value *object, const char *name)
{
    const struct json_value *member = json_member(object, name);
    return member && member->kind == JSON_KIND_INTEGER && member->integer > 0
               ? (uint64_t)member->integer
               : 0;
}

static bool is_in_state(const struct admin_answer *answer, str state)
{
    return str_eq(json_member_text(answer->value, "state"), state);
}

bool job_is_done(const struct admin_answer *answer)
{
    return is_in_state(answer, STR("done"));
}

enum err job_failure(const struct admin_answer *answer, struct fail *fail)
{
    if (is_in_state(answer, STR("cancelled")))
        return fail_set(fail, ERR_CANCELLED, NULL, "it was cancelled");
    str why = json_member_text(json_member(answer->value, "error"), "detail");
    return fail_set(fail, ERR_IO, NULL, "%.*s", STR_ARG(why));
}

void job_show_damage(const struct admin_answer *answer)
{
    const struct json_value *list = json_member(answer->value, "damage");
    for (const struct json_value *item = list ? list->child : NULL; item; item = item->next) {
        str where = json_member_text(item, "where"), what = json_member_text(item, "what");
        progress_end();
        complain("%.*s: %.*s", STR_ARG(where), STR_ARG(what));
    }
}

static void show_state(const struct job_client *job, const struct admin_answer *answer)
{
    struct local_progress progress = {
        .task = arena_str(job->arena, json_member_text(answer->value, "task")).ptr,
        .done = job_number(answer->value, "done_bytes"),
        .total = job_number(answer->value, "total_bytes"),
    };
    if (progress.task[0])
        progress_show(NULL, &progress);
}

static enum err ask(struct job_client *job, const char *method, str body, struct admin_answer *out)
{
    struct admin_request request = {.method = method, .path = str_from(job->path), .body = body};
    return admin_ask(job->client, &request, job->arena, out, job->fail);
}

static void cancel(struct job_client *job)
{
    struct admin_answer answer;
    if (ask(job, "DELETE", (str){0}, &answer) != OK)
        *job->fail = (struct fail){0}; /* it may have ended just now, which is found out next */
}

enum err job_run(struct job_client *job, str body, struct admin_answer *out)
{
    bool is_cancelled = false;
    TRY(ask(job, "POST", body, out));
    for (;;) {
        arena_reset(job->arena);
        TRY(ask(job, "GET", (str){0}, out));
        if (!is_in_state(out, STR("running")))
            return OK;
        show_state(job, out);
        if (!is_cancelled && __atomic_load_n(job->stop, __ATOMIC_RELAXED)) {
            is_cancelled = true;
            cancel(job);
        }
        struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
}
