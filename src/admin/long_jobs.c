#include "admin/long_jobs.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "admin/prometheus.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"

enum {
    /* What is kept of a run's findings must fit into an answer that a client reads as a whole. */
    KEPT_BYTES_MAX = 256 << 10, /* as JSON, of each kind of finding */
    KEPT_FRAME_BYTES = 160,     /* names and marks around a finding's texts */
    ARENA_CAP = 8 << 20,
    ESCAPED_MAX = 64 << 10,
};

enum long_job_state { JOB_NONE, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };
static const char *const state_word[] = {
    [JOB_NONE] = "none",     [JOB_RUNNING] = "running",     [JOB_DONE] = "done",
    [JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled",
};

enum { FINDING_KINDS = LONG_JOB_HIT + 1 };

struct kept {
    struct kept *next;
    struct long_job_finding finding;
};

/* A number or a text that tells of the result. */
struct result {
    const char *name;
    bool is_text;
    uint64_t value;
    str text;
};

/* What one run has told so far. */
struct told {
    struct arena *arena; /* input, texts, findings */
    enum err err;
    struct fail fail;
    int64_t started_ms, ended_ms;
    const char *task;
    uint64_t done, total;
    struct result result[LONG_JOB_FIGURES_MAX];
    size_t result_count;
    struct {
        struct kept *first, **end;
        uint64_t count;
        size_t kept_count, kept_bytes;
    } found[FINDING_KINDS];
};

struct long_job {
    struct long_jobs *jobs;
    const struct long_job_kind *kind;
    enum long_job_state state;
    bool stop; /* atomic */
    struct told told;
    const struct json_value *input;
    /* Since the start of the program, or longer. */
    int64_t last_done_ms;
    uint64_t last_damage_count;
    uint64_t bytes_total, damage_total, runs_total, failures_total;
};

/* Everything of a job but `stop` is under the lock, which is held for moments only. */
struct long_jobs {
    pthread_mutex_t lock;
    bool is_stopped;
    bool has_thread; /* the last run's, which may have ended */
    pthread_t thread;
    struct long_job *running;
    size_t count;
    struct long_job job[];
};

/* ---- Life ---- */

struct long_jobs *long_jobs_new(const struct long_job_kind *kind)
{
    size_t count = 0;
    while (kind[count].name)
        count++;
    size_t size =
        mem_size_add(sizeof(struct long_jobs), mem_size_mul(sizeof(struct long_job), count));
    struct long_jobs *jobs = mem_zalloc(size);
    pthread_mutex_init(&jobs->lock, NULL);
    jobs->count = count;
    for (size_t i = 0; i < count; i++) {
        jobs->job[i].jobs = jobs;
        jobs->job[i].kind = &kind[i];
    }
    return jobs;
}

void long_jobs_stop(struct long_jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->is_stopped = true;
    if (jobs->running)
        __atomic_store_n(&jobs->running->stop, true, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&jobs->lock);
}

void long_jobs_free(struct long_jobs *jobs)
{
    if (!jobs)
        return;
    long_jobs_stop(jobs);
    if (jobs->has_thread)
        pthread_join(jobs->thread, NULL);
    for (size_t i = 0; i < jobs->count; i++)
        arena_free(jobs->job[i].told.arena);
    pthread_mutex_destroy(&jobs->lock);
    mem_free(jobs);
}

static struct long_job *find_job(struct long_jobs *jobs, str name)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (str_eq(name, str_from(jobs->job[i].kind->name)))
            return &jobs->job[i];
    return NULL;
}

static struct long_job *get_job(struct long_jobs *jobs, str name)
{
    struct long_job *job = find_job(jobs, name);
    assert(job);
    return job;
}

/* ---- Running ---- */

static void log_end(const struct long_job *job, enum long_job_state state)
{
    const struct told *told = &job->told;
    bool is_bad = state == JOB_FAILED || told->found[LONG_JOB_DAMAGE].count > 0;
    const char *reason = told->fail.detail[0] ? told->fail.detail : err_fact(told->err);
    log_event(is_bad ? LOG_ERROR : LOG_INFO, "job", "a job has ended",
              LOG_STR("job", str_from(job->kind->name)),
              LOG_STR("state", str_from(state_word[state])),
              LOG_U64("damage", told->found[LONG_JOB_DAMAGE].count),
              LOG_U64("hit", told->found[LONG_JOB_HIT].count),
              LOG_STR("detail", state == JOB_FAILED ? str_from(reason) : STR("")));
}

static void end_run(struct long_job *job, enum err err)
{
    enum long_job_state state = err == OK              ? JOB_DONE
                                : err == ERR_CANCELLED ? JOB_CANCELLED
                                                       : JOB_FAILED;
    pthread_mutex_lock(&job->jobs->lock);
    job->told.err = err;
    job->told.ended_ms = clock_real_ms();
    job->runs_total++;
    job->failures_total += state == JOB_FAILED;
    if (state == JOB_DONE) {
        job->last_done_ms = job->told.ended_ms;
        job->last_damage_count = job->told.found[LONG_JOB_DAMAGE].count;
    }
    pthread_mutex_unlock(&job->jobs->lock);
    log_end(job, state);
    pthread_mutex_lock(&job->jobs->lock);
    job->state = state;
    job->jobs->running = NULL;
    pthread_mutex_unlock(&job->jobs->lock);
}

static void *run_job(void *context)
{
    struct long_job *job = context;
    struct fail fail = {0};
    log_event(LOG_INFO, "job", "a job begins", LOG_STR("job", str_from(job->kind->name)));
    enum err err = job->kind->run(job->kind->context, job, job->input, &fail);
    pthread_mutex_lock(&job->jobs->lock);
    job->told.fail = fail;
    pthread_mutex_unlock(&job->jobs->lock);
    end_run(job, err);
    return NULL;
}

static bool is_listed(str name, const char *const *listed)
{
    for (; *listed; listed++)
        if (str_eq(name, str_from(*listed)))
            return true;
    return false;
}

static enum err read_input(const struct long_job_kind *kind, struct arena *arena, str text,
                           struct json_value **out_input, struct fail *fail)
{
    str kept = arena_str(arena, text.len ? text : STR("{}"));
    struct json_value *input;
    TRY(json_parse(arena, kept, &input, fail));
    if (input->kind != JSON_KIND_OBJECT)
        return fail_set(fail, ERR_BAD_INPUT, NULL, "a job takes a JSON object");
    for (const struct json_value *member = input->child; member; member = member->next)
        if (!is_listed(member->name, kind->member))
            return fail_set(fail, ERR_BAD_ARGUMENT, NULL, "there is no member \"%.*s\"",
                            STR_ARG(member->name));
    if (kind->check)
        TRY(kind->check(kind->context, input, fail));
    *out_input = input;
    return OK;
}

/* Under the lock. Takes the arena when it begins. */
static enum err begin(struct long_job *job, struct arena *arena, const struct json_value *input,
                      struct fail *fail)
{
    struct long_jobs *jobs = job->jobs;
    if (jobs->is_stopped)
        return fail_set(fail, ERR_UNAVAILABLE, NULL, "the server is ending");
    if (jobs->running)
        return fail_set(fail, ERR_BUSY, NULL, "the job \"%s\" is running; one runs at a time",
                        jobs->running->kind->name);
    /* A thread that is not `running` any more takes the lock no more, either. */
    if (jobs->has_thread)
        pthread_join(jobs->thread, NULL);
    struct arena *before = job->told.arena;
    job->told = (struct told){.arena = arena, .started_ms = clock_real_ms(), .task = ""};
    for (size_t i = 0; i < FINDING_KINDS; i++)
        job->told.found[i].end = &job->told.found[i].first;
    arena_free(before);
    job->input = input;
    job->state = JOB_RUNNING;
    jobs->running = job;
    __atomic_store_n(&job->stop, false, __ATOMIC_RELAXED);
    jobs->has_thread = pthread_create(&jobs->thread, NULL, run_job, job) == 0;
    if (jobs->has_thread) {
        (void)pthread_setname_np(jobs->thread, "pail-job");
        return OK;
    }
    jobs->running = NULL;
    job->state = JOB_NONE;
    job->told = (struct told){0};
    return fail_set(fail, ERR_UNAVAILABLE, NULL, "the system refuses a thread");
}

enum err long_jobs_start(struct long_jobs *jobs, str name, str input, struct fail *fail)
{
    struct long_job *job = find_job(jobs, name);
    if (!job)
        return ERR_NOT_FOUND;
    struct arena *arena = arena_new(ARENA_CAP);
    struct json_value *value;
    enum err err = read_input(job->kind, arena, input, &value, fail);
    if (err == OK) {
        pthread_mutex_lock(&jobs->lock);
        err = begin(job, arena, value, fail);
        pthread_mutex_unlock(&jobs->lock);
    }
    if (err != OK)
        arena_free(arena);
    return err;
}

enum err long_jobs_cancel(struct long_jobs *jobs, str name)
{
    struct long_job *job = find_job(jobs, name);
    if (!job)
        return ERR_NOT_FOUND;
    __atomic_store_n(&job->stop, true, __ATOMIC_RELAXED);
    return OK;
}

int64_t long_jobs_last_done_ms(struct long_jobs *jobs, str name)
{
    pthread_mutex_lock(&jobs->lock);
    int64_t last_ms = get_job(jobs, name)->last_done_ms;
    pthread_mutex_unlock(&jobs->lock);
    return last_ms;
}

void long_jobs_set_last_done(struct long_jobs *jobs, str name, int64_t real_ms)
{
    pthread_mutex_lock(&jobs->lock);
    get_job(jobs, name)->last_done_ms = real_ms;
    pthread_mutex_unlock(&jobs->lock);
}

/* ---- For a job ---- */

bool long_job_is_stopped(const struct long_job *job)
{
    return __atomic_load_n(&job->stop, __ATOMIC_RELAXED);
}

const bool *long_job_stop_flag(const struct long_job *job)
{
    return &job->stop;
}

void long_job_progress(struct long_job *job, const char *task, uint64_t done, uint64_t total)
{
    pthread_mutex_lock(&job->jobs->lock);
    job->told.task = task;
    job->told.done = done;
    job->told.total = total;
    pthread_mutex_unlock(&job->jobs->lock);
}

void long_job_add_bytes(struct long_job *job, uint64_t bytes)
{
    pthread_mutex_lock(&job->jobs->lock);
    job->bytes_total += bytes;
    pthread_mutex_unlock(&job->jobs->lock);
}

/* Under the lock. */
static struct result *result_of(struct long_job *job, const char *name)
{
    struct told *told = &job->told;
    for (size_t i = 0; i < told->result_count; i++)
        if (strcmp(told->result[i].name, name) == 0)
            return &told->result[i];
    assert(told->result_count < LONG_JOB_FIGURES_MAX);
    told->result[told->result_count].name = name;
    return &told->result[told->result_count++];
}

void long_job_figure(struct long_job *job, const char *name, uint64_t value)
{
    pthread_mutex_lock(&job->jobs->lock);
    struct result *result = result_of(job, name);
    result->is_text = false;
    result->value = value;
    pthread_mutex_unlock(&job->jobs->lock);
}

void long_job_text(struct long_job *job, const char *name, str value)
{
    pthread_mutex_lock(&job->jobs->lock);
    struct result *result = result_of(job, name);
    result->is_text = true;
    result->text = arena_str(job->told.arena, value);
    pthread_mutex_unlock(&job->jobs->lock);
}

/* ---- Findings ---- */

static const struct {
    const char *name;
    size_t offset;
} finding_text[] = {
    {"where", offsetof(struct long_job_finding, where)},
    {"what", offsetof(struct long_job_finding, what)},
    {"bucket", offsetof(struct long_job_finding, bucket)},
    {"key", offsetof(struct long_job_finding, key)},
    {"version_id", offsetof(struct long_job_finding, version_id)},
    {"upload_id", offsetof(struct long_job_finding, upload_id)},
};
enum { FINDING_TEXTS = sizeof(finding_text) / sizeof(finding_text[0]) };

static str *text_of(struct long_job_finding *finding, size_t i)
{
    return (str *)(void *)((char *)finding + finding_text[i].offset);
}

static size_t json_size(struct long_job_finding *finding)
{
    BUF_SCOPED struct buf text;
    buf_init(&text, ESCAPED_MAX);
    for (size_t i = 0; i < FINDING_TEXTS; i++)
        json_escape(&text, *text_of(finding, i));
    return KEPT_FRAME_BYTES + (buf_err(&text) == OK ? text.len : (size_t)KEPT_BYTES_MAX);
}

/* Under the lock. False: it is only counted. */
static bool keep(struct long_job *job, const struct long_job_finding *finding)
{
    struct long_job_finding copy = *finding;
    size_t size = json_size(&copy);
    __typeof__(job->told.found[0]) *found = &job->told.found[finding->kind];
    found->count++;
    job->damage_total += finding->kind == LONG_JOB_DAMAGE;
    if (found->kept_count >= LONG_JOB_FINDINGS_MAX || found->kept_bytes + size > KEPT_BYTES_MAX)
        return false;
    for (size_t i = 0; i < FINDING_TEXTS; i++)
        *text_of(&copy, i) = arena_str(job->told.arena, *text_of(&copy, i));
    struct kept *kept = arena_new_of(job->told.arena, struct kept);
    kept->finding = copy;
    *found->end = kept;
    found->end = &kept->next;
    found->kept_count++;
    found->kept_bytes += size;
    return true;
}

void long_job_found(struct long_job *job, const struct long_job_finding *finding)
{
    assert((size_t)finding->kind < FINDING_KINDS);
    pthread_mutex_lock(&job->jobs->lock);
    bool is_kept = keep(job, finding);
    pthread_mutex_unlock(&job->jobs->lock);
    if (!is_kept)
        return; /* the end tells how many there were */
    log_event(finding->kind == LONG_JOB_NOTE ? LOG_INFO : LOG_ERROR, "job", "a job has found",
              LOG_STR("job", str_from(job->kind->name)), LOG_STR("what", finding->what),
              LOG_STR("where", finding->where), LOG_STR("bucket", finding->bucket),
              LOG_STR("key", finding->key), LOG_STR("version_id", finding->version_id),
              LOG_STR("upload_id", finding->upload_id),
              LOG_U64("part_number", finding->part_number));
}

/* ---- Telling ---- */

static void write_findings(const struct told *told, enum long_job_finding_kind kind,
                           const char *name, struct json_writer *w)
{
    json_open_array(w, name);
    for (const struct kept *kept = told->found[kind].first; kept; kept = kept->next) {
        struct long_job_finding finding = kept->finding;
        json_open_object(w, NULL);
        for (size_t i = 0; i < FINDING_TEXTS; i++)
            if (text_of(&finding, i)->len)
                json_text(w, finding_text[i].name, *text_of(&finding, i));
        if (finding.part_number)
            json_u64(w, "part_number", finding.part_number);
        json_close(w);
    }
    json_close(w);
}

static void write_results(const struct told *told, struct json_writer *w)
{
    json_open_object(w, "results");
    for (size_t i = 0; i < told->result_count; i++) {
        const struct result *result = &told->result[i];
        if (result->is_text)
            json_text(w, result->name, result->text);
        else
            json_u64(w, result->name, result->value);
    }
    json_close(w);
}

static void write_time(struct json_writer *w, const char *name, int64_t real_ms)
{
    if (real_ms)
        json_time(w, name, real_ms);
}

/* Under the lock. */
static void write_members(const struct long_job *job, struct json_writer *w)
{
    const struct told *told = &job->told;
    json_text(w, "job", str_from(job->kind->name));
    json_text(w, "state", str_from(state_word[job->state]));
    write_time(w, "started", told->started_ms);
    write_time(w, "ended", told->ended_ms);
    write_time(w, "last_done", job->last_done_ms);
    json_text(w, "task", str_from(told->task));
    json_u64(w, "done_bytes", told->done);
    json_u64(w, "total_bytes", told->total);
    write_results(told, w);
    json_u64(w, "note_count", told->found[LONG_JOB_NOTE].count);
    json_u64(w, "damage_count", told->found[LONG_JOB_DAMAGE].count);
    json_u64(w, "hit_count", told->found[LONG_JOB_HIT].count);
    if (job->state != JOB_FAILED)
        return;
    json_open_object(w, "error");
    json_text(w, "code", str_from(err_name(told->err)));
    json_text(w, "message", str_from(err_fact(told->err)));
    if (told->fail.detail[0])
        json_text(w, "detail", str_from(told->fail.detail));
    json_close(w);
}

enum err long_jobs_write(struct long_jobs *jobs, str name, struct json_writer *w)
{
    struct long_job *job = find_job(jobs, name);
    if (!job)
        return ERR_NOT_FOUND;
    pthread_mutex_lock(&jobs->lock);
    json_open_object(w, NULL);
    write_members(job, w);
    write_findings(&job->told, LONG_JOB_NOTE, "notes", w);
    write_findings(&job->told, LONG_JOB_DAMAGE, "damage", w);
    write_findings(&job->told, LONG_JOB_HIT, "hits", w);
    json_close(w);
    pthread_mutex_unlock(&jobs->lock);
    return OK;
}

void long_jobs_write_all(struct long_jobs *jobs, struct json_writer *w)
{
    pthread_mutex_lock(&jobs->lock);
    json_open_object(w, NULL);
    json_open_array(w, "jobs");
    for (size_t i = 0; i < jobs->count; i++) {
        json_open_object(w, NULL);
        write_members(&jobs->job[i], w);
        json_close(w);
    }
    json_close(w);
    json_close(w);
    pthread_mutex_unlock(&jobs->lock);
}

/* ---- Metrics ---- */

static uint64_t is_running(const struct long_job *job)
{
    return job->state == JOB_RUNNING;
}

static uint64_t bytes_total(const struct long_job *job)
{
    return job->bytes_total;
}

static uint64_t damage_total(const struct long_job *job)
{
    return job->damage_total;
}

static uint64_t failures_total(const struct long_job *job)
{
    return job->failures_total;
}

static uint64_t last_done(const struct long_job *job)
{
    return (uint64_t)job->last_done_ms / 1000;
}

static uint64_t last_damage(const struct long_job *job)
{
    return job->last_damage_count;
}

void long_jobs_write_metrics(struct long_jobs *jobs, struct buf *out)
{
    static const struct {
        const char *name, *help;
        enum prom_type type;
        uint64_t (*value)(const struct long_job *job);
    } family[] = {
        {"pail_job_running", "1 while the job runs.", PROM_GAUGE, is_running},
        {"pail_job_bytes_total", "Bytes that the job has worked on since start.", PROM_COUNTER,
         bytes_total},
        {"pail_job_damage_total", "Damage that the job has found since start.", PROM_COUNTER,
         damage_total},
        {"pail_job_failures_total", "Runs of the job that failed since start.", PROM_COUNTER,
         failures_total},
        {"pail_job_last_done_timestamp_seconds",
         "When the job last came to its end, in Unix time; 0: never.", PROM_GAUGE, last_done},
        {"pail_job_last_damage", "Damage that this last run had found.", PROM_GAUGE, last_damage},
    };
    pthread_mutex_lock(&jobs->lock);
    for (size_t i = 0; i < sizeof(family) / sizeof(family[0]); i++) {
        prom_family(out, family[i].name, family[i].type, family[i].help);
        for (size_t k = 0; k < jobs->count; k++) {
            struct prom_label label[] = {{"job", str_from(jobs->job[k].kind->name)}, {0}};
            prom_u64(out, &(struct prom_sample){family[i].name, "", label},
                     family[i].value(&jobs->job[k]));
        }
    }
    pthread_mutex_unlock(&jobs->lock);
}
