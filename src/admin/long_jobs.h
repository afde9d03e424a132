/* long_jobs: work that takes minutes or hours and that the operator asks for: to verify what is stored, to back it up. One runs at a
 * time, on a thread of its own, so that it never takes a worker from requests; it is started, asked how far it is, and
 * cancelled (docs/admin-api.md, "Jobs").
 *
 *   none ── start ──→ running ──┬─ run says OK ─────────────→ done
 *                      ↑        ├─ run says ERR_CANCELLED ──→ cancelled
 *                      │        └─ run says anything else ──→ failed
 *                      └─────────── start ── any of these
 *
 * What a kind of job does is the program's business: it gives a table of functions. What each kind did last is kept until it is
 * started again. Beginnings, ends and findings are logged here, once. */
#pragma once

#include "base/buf.h"
#include "base/fail.h"
#include "codec/json.h"

struct long_jobs;
struct long_job;

struct long_job_kind {
    const char *name;          /* "verify": its place is /admin/v1/jobs/verify; a static string */
    const char *const *member; /* what the body of the request may have; ends with null */
    void *context;             /* for the functions; borrowed */
    /* Refuses what must not be begun with this input, before anything is begun. Worker. Null: everything may. */
    enum err (*check)(void *context, const struct json_value *input, struct fail *fail);
    /* The work, on the job's thread. `input` is the request's body, or an empty object; it lives until run returns. Looks at
     * long_job_is_stopped often (several times a second), and then returns ERR_CANCELLED. */
    enum err (*run)(void *context, struct long_job *job, const struct json_value *input,
                    struct fail *fail);
};

/* The kinds are borrowed; ends with one whose name is null. */
struct long_jobs *long_jobs_new(const struct long_job_kind *kind);
/* What runs is told to stop, and no other begins. Any thread. */
void long_jobs_stop(struct long_jobs *jobs);
/* Stops, and waits for the end of what runs; null is allowed. */
void long_jobs_free(struct long_jobs *jobs);

/* Starts one. `input`: a JSON object, copied; empty for none. ERR_BUSY when one runs, with its name in the detail; ERR_NOT_FOUND:
 * there is no such kind; ERR_BAD_ARGUMENT or ERR_BAD_INPUT: the input; ERR_UNAVAILABLE after long_jobs_stop, or when the system
 * refuses a thread; what `check` says. Any thread that may wait. */
enum err long_jobs_start(struct long_jobs *jobs, str name, str input, struct fail *fail);
/* Asks it to stop; OK when it does not run, too. ERR_NOT_FOUND: there is no such kind. */
enum err long_jobs_cancel(struct long_jobs *jobs, str name);

/* When the kind was last done, for those who want it done every so often: 0 when never. It is set at the end of each, and by who
 * remembers it over a restart. Names must exist. */
int64_t long_jobs_last_done_ms(struct long_jobs *jobs, str name);
void long_jobs_set_last_done(struct long_jobs *jobs, str name, int64_t real_ms);

/* The state of one as a JSON object, of all as an object with an array "jobs". ERR_NOT_FOUND. */
enum err long_jobs_write(struct long_jobs *jobs, str name, struct json_writer *w);
void long_jobs_write_all(struct long_jobs *jobs, struct json_writer *w);
/* Families with a label "job". */
void long_jobs_write_metrics(struct long_jobs *jobs, struct buf *out);

/* ---- For a job, on its thread ---- */

bool long_job_is_stopped(const struct long_job *job);
/* The same as a place to look at (with __atomic_load_n), for functions below that take one. */
const bool *long_job_stop_flag(const struct long_job *job);

/* How far it is: `task` is a static text ("reading the log"); bytes of this task; total 0: not known. Cheap. */
void long_job_progress(struct long_job *job, const char *task, uint64_t done, uint64_t total);
/* Bytes that were worked on, all tasks together: for the counter in the metrics. */
void long_job_add_bytes(struct long_job *job, uint64_t bytes);

/* A number that tells of the result: "objects", 12. `name` is a static text; at most LONG_JOB_FIGURES_MAX names, each set as often as
 * one likes. */
enum { LONG_JOB_FIGURES_MAX = 16 };
void long_job_figure(struct long_job *job, const char *name, uint64_t value);
/* A text that tells of the result: "path", "/backup/1". Copied; the same rule and limit. */
void long_job_text(struct long_job *job, const char *name, str value);

/* Something that the operator must know. Texts are copied and may be empty. All are counted and logged; the first
 * LONG_JOB_FINDINGS_MAX are kept for who asks. */
enum { LONG_JOB_FINDINGS_MAX = 1000 };
enum long_job_finding_kind {
    LONG_JOB_NOTE,   /* harmless */
    LONG_JOB_DAMAGE, /* something stored is not what it was */
    LONG_JOB_HIT,    /* what a client loses by damage that was told before */
};
struct long_job_finding {
    enum long_job_finding_kind kind;
    str where; /* a file and offset, or a row */
    str what;  /* a sentence without a full stop */
    str bucket, key, version_id, upload_id;
    uint64_t part_number; /* 0: none */
};
void long_job_found(struct long_job *job, const struct long_job_finding *finding);
