/* `pail backup`: asks the running server for a backup and follows it; or, of a data folder that no server has open, takes it here. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/job_client.h"
#include "app/progress.h"
#include "base/clock.h"
#include "client/bench_units.h"
#include "store/local/backup.h"

struct backup_flags {
    struct admin_client client;
    str to, base, rate;
};

static const struct flag backup_flag[] = {
    {"to", "DIR", "the backup: a new folder, or an empty one; absolute, on the server's machine",
     offsetof(struct backup_flags, to)},
    {"base", "DIR", "an earlier backup: what has not changed is linked to it, not copied",
     offsetof(struct backup_flags, base)},
    {"rate", "SIZE", "copy at most so much a second (100MiB)", offsetof(struct backup_flags, rate)},
    ADMIN_CLIENT_FLAGS(struct backup_flags, client),
    {0},
};

enum { ARENA_BYTES = 64 << 20 };

struct backup_call {
    struct backup_flags flags;
    uint64_t rate_bytes;
    struct arena *arena;
    struct fail fail;
    const bool *stop;
};

/* ---- Telling ---- */

struct told {
    str taken;
    uint64_t sequence, files, bytes, linked_bytes;
};

static enum exit_code tell_done(struct backup_call *call, const struct told *told)
{
    progress_end();
    str copied = bench_format_size(call->arena, told->bytes - told->linked_bytes);
    str linked = bench_format_size(call->arena, told->linked_bytes);
    (void)printf("pail: backed up to %.*s\n", STR_ARG(call->flags.to));
    (void)printf("pail:   as of   %.*s, log record %llu\n", STR_ARG(told->taken),
                 (unsigned long long)told->sequence);
    (void)printf("pail:   copied  %.*s\n", STR_ARG(copied));
    if (call->flags.base.len)
        (void)printf("pail:   linked  %.*s\n", STR_ARG(linked));
    (void)printf("pail:   prove it: pail restore --verify-only --from %.*s\n",
                 STR_ARG(call->flags.to));
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static enum exit_code tell_failed(struct backup_call *call, enum err err)
{
    progress_end();
    complain_of("no backup was made", err, &call->fail);
    return EXIT_FAILED;
}

/* ---- Here ---- */

static void write_result(const struct local_backup_result *result, str to, struct buf *out)
{
    struct json_writer w;
    json_begin(&w, out);
    json_open_object(&w, NULL);
    json_text(&w, "state", STR("done"));
    json_open_object(&w, "results");
    json_text(&w, "to", to);
    json_time(&w, "taken", result->taken_ms);
    json_u64(&w, "sequence", result->sequence);
    json_u64(&w, "files", result->file_count);
    json_u64(&w, "bytes", result->byte_count);
    json_u64(&w, "linked_files", result->linked_file_count);
    json_u64(&w, "linked_bytes", result->linked_byte_count);
    json_close(&w);
    json_close(&w);
    buf_append_char(out, '\n');
}

static enum exit_code tell_here(struct backup_call *call, const struct local_backup_result *result)
{
    char taken[CLOCK_TEXT_MAX];
    struct told told = {
        .taken = clock_format_iso(result->taken_ms, taken),
        .sequence = result->sequence,
        .files = result->file_count,
        .bytes = result->byte_count,
        .linked_bytes = result->linked_byte_count,
    };
    if (!call->flags.client.is_json)
        return tell_done(call, &told);
    BUF_SCOPED struct buf text;
    buf_init(&text, ARENA_BYTES);
    write_result(result, call->flags.to, &text);
    bool is_written = fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    return is_written ? EXIT_DONE : EXIT_FAILED;
}

static enum exit_code back_up_here(struct backup_call *call, struct engine *engine)
{
    struct local_backup_options options = {
        .target = call->flags.to.ptr,
        .base = call->flags.base.ptr,
        .rate_bytes = call->rate_bytes,
        .found = progress_found,
        .progress = progress_show,
        .stop = call->stop,
    };
    struct local_backup_result result;
    enum err err = local_backup(engine, &options, &result, &call->fail);
    engine_close(engine);
    return err == OK ? tell_here(call, &result) : tell_failed(call, err);
}

/* A data folder that is not in use. ERR_BUSY: a server runs, and is to be asked. ERR_NOT_FOUND: there is none, or its root keys are
 * all that is wanted of it. */
static enum err open_folder(struct backup_call *call, struct engine **out_engine)
{
    const struct admin_client *client = &call->flags.client;
    if (!client->data_dir.len || client->endpoint.len)
        return ERR_NOT_FOUND;
    str format = arena_printf(call->arena, "%.*s/format", STR_ARG(client->data_dir));
    if (access(format.ptr, F_OK) != 0)
        return ERR_NOT_FOUND;
    struct local_options options = {.data_dir = client->data_dir.ptr};
    return local_engine_open(&options, out_engine, &call->fail);
}

/* ---- By the server ---- */

static str request_body(struct backup_call *call)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, 1 << 16);
    json_begin(&w, &text);
    json_open_object(&w, NULL);
    json_text(&w, "to", call->flags.to);
    if (call->flags.base.len)
        json_text(&w, "base", call->flags.base);
    if (call->rate_bytes)
        json_u64(&w, "rate", call->rate_bytes);
    json_close(&w);
    str body = arena_str(call->arena, buf_str(&text));
    buf_release(&text);
    return body;
}

static enum exit_code tell_end(struct backup_call *call, const struct admin_answer *answer)
{
    const struct json_value *results = json_member(answer->value, "results");
    bool is_done = job_is_done(answer);
    if (call->flags.client.is_json) {
        (void)printf("%.*s\n", STR_ARG(answer->text));
        return is_done && fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
    }
    if (is_done)
        return tell_done(call, &(struct told){
                                   .taken = json_member_text(results, "taken"),
                                   .sequence = job_number(results, "sequence"),
                                   .files = job_number(results, "files"),
                                   .bytes = job_number(results, "bytes"),
                                   .linked_bytes = job_number(results, "linked_bytes"),
                               });
    job_show_damage(answer);
    return tell_failed(call, job_failure(answer, &call->fail));
}

static enum exit_code back_up_there(struct backup_call *call)
{
    struct admin_answer answer;
    struct arena *arena = arena_new(ARENA_BYTES);
    struct job_client job = {
        .client = &call->flags.client,
        .path = "/admin/v1/jobs/backup",
        .stop = call->stop,
        .arena = arena,
        .fail = &call->fail,
    };
    if (call->flags.to.ptr[0] != '/' || (call->flags.base.len && call->flags.base.ptr[0] != '/')) {
        complain("the server writes the backup: give absolute paths on its machine");
        arena_free(arena);
        return EXIT_USAGE;
    }
    enum err err = job_run(&job, request_body(call), &answer);
    enum exit_code code = err == OK ? tell_end(call, &answer) : tell_failed(call, err);
    arena_free(arena);
    return code;
}

/* ---- The command ---- */

static enum err parse(struct backup_call *call, const char *const *argument, size_t count)
{
    struct flag_target target = {.table = backup_flag, .base = &call->flags};
    struct flag_words words;
    TRY(flags_parse(&target, argument, count, call->arena, &words, &call->fail));
    if (words.count || !call->flags.to.len)
        return fail_set(&call->fail, ERR_BAD_ARGUMENT, NULL,
                        "write it so: pail backup --to DIR [--base DIR] [--data-dir DIR]");
    if (call->flags.rate.len && bench_parse_size(call->flags.rate, &call->rate_bytes) != OK)
        return fail_set(&call->fail, ERR_BAD_ARGUMENT, "rate",
                        "\"%.*s\" is no size; write it like 100MiB", STR_ARG(call->flags.rate));
    return OK;
}

static enum exit_code back_up(struct backup_call *call)
{
    struct engine *engine;
    call->stop = progress_stop_on_signal();
    enum err err = open_folder(call, &engine);
    if (err == OK)
        return back_up_here(call, engine);
    if (err != ERR_BUSY && err != ERR_NOT_FOUND)
        return tell_failed(call, err);
    call->fail = (struct fail){0};
    return back_up_there(call);
}

enum exit_code run_backup(const struct command *command, const char *const *argument, size_t count)
{
    (void)command;
    struct backup_call call = {.arena = arena_new(ARENA_BYTES)};
    enum exit_code code = EXIT_USAGE;
    enum err err = parse(&call, argument, count);
    if (err == OK)
        code = back_up(&call);
    else
        complain_of(NULL, err, &call.fail);
    arena_free(call.arena);
    return code;
}

void help_backup(const struct command *command)
{
    (void)command;
    (void)fputs("Usage: pail backup --to DIR [--base DIR] [--rate SIZE]\n\n"
                "Copies the store as it is at one moment, while it goes on. The server writes the "
                "backup itself,\n"
                "so the paths are those of its machine. A data folder (--data-dir) that no server "
                "has open is\n"
                "backed up by this command. Interrupted, or after an error, it removes what it has "
                "written.\n\n"
                "The backup holds the keys of the store too: keep it as safe as the store.\n\n"
                "Flags:\n",
                stdout);
    flags_print(backup_flag);
    (void)printf("\n%s", admin_client_help);
}
