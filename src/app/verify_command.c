/* `pail verify`: lets the running server read everything that it stores and compare it with its checksums, beside its work. */
#include <stdio.h>

#include "app/command.h"
#include "app/job_client.h"
#include "app/progress.h"
#include "client/bench_units.h"

struct verify_flags {
    struct admin_client client;
    str rate;
};

static const struct flag verify_flag[] = {
    {"rate", "SIZE", "read at most so much a second (64MiB)", offsetof(struct verify_flags, rate)},
    ADMIN_CLIENT_FLAGS(struct verify_flags, client),
    {0},
};

enum { ARENA_BYTES = 64 << 20, BODY_BYTES = 1024 };

static enum exit_code tell_end(const struct verify_flags *flags, const struct admin_answer *answer)
{
    struct fail fail = {0};
    uint64_t count = job_number(answer->value, "damage_count");
    progress_end();
    if (flags->client.is_json)
        (void)printf("%.*s\n", STR_ARG(answer->text));
    else
        job_show_damage(answer);
    if (!job_is_done(answer)) {
        complain_of("the store was not verified to the end", job_failure(answer, &fail), &fail);
        return count ? EXIT_FAILED : EXIT_UNKNOWN;
    }
    if (!flags->client.is_json && count)
        (void)printf("pail: %llu damaged %s found; \"pail fsck\" names the objects that are hit\n",
                     (unsigned long long)count, count == 1 ? "place was" : "places were");
    else if (!flags->client.is_json)
        (void)printf("pail: everything that is stored is as it was written\n");
    return count ? EXIT_FAILED : EXIT_DONE;
}

static enum exit_code verify(struct verify_flags *flags, uint64_t rate, struct arena *arena)
{
    struct fail fail = {0};
    struct admin_answer answer;
    struct job_client job = {
        .client = &flags->client,
        .path = "/admin/v1/jobs/verify",
        .stop = progress_stop_on_signal(),
        .arena = arena,
        .fail = &fail,
    };
    BUF_SCOPED struct buf body;
    struct json_writer w;
    buf_init(&body, BODY_BYTES);
    json_begin(&w, &body);
    json_open_object(&w, NULL);
    if (rate)
        json_u64(&w, "rate", rate);
    json_close(&w);
    enum err err = job_run(&job, buf_str(&body), &answer);
    if (err == OK)
        return tell_end(flags, &answer);
    progress_end();
    complain_of("the store was not verified", err, &fail);
    return EXIT_UNKNOWN;
}

enum exit_code run_verify(const struct command *command, const char *const *argument, size_t count)
{
    (void)command;
    struct arena *own = arena_new(ARENA_BYTES), *answers = arena_new(ARENA_BYTES);
    struct verify_flags flags = {0};
    struct flag_target target = {.table = verify_flag, .base = &flags};
    struct flag_words words;
    struct fail fail = {0};
    uint64_t rate = 0;
    enum exit_code code = EXIT_USAGE;
    enum err err = flags_parse(&target, argument, count, own, &words, &fail);
    if (err == OK && words.count)
        err = fail_set(&fail, ERR_BAD_ARGUMENT, NULL, "write it so: pail verify [--rate SIZE]");
    if (err == OK && flags.rate.len && bench_parse_size(flags.rate, &rate) != OK)
        err = fail_set(&fail, ERR_BAD_ARGUMENT, "rate", "\"%.*s\" is no size; write it like 64MiB",
                       STR_ARG(flags.rate));
    if (err == OK)
        code = verify(&flags, rate, answers);
    else
        complain_of(NULL, err, &fail);
    arena_free(answers);
    arena_free(own);
    return code;
}

void help_verify(const struct command *command)
{
    (void)command;
    (void)fputs("Usage: pail verify [--rate SIZE] [--json]\n\n"
                "Lets the running server read all that it stores and compare it with its "
                "checksums, beside its work.\n"
                "What is damaged is told here and in the server's log. Interrupted, it asks the "
                "server to stop.\n\n"
                "Ends with 0 when everything is as it was written, 1 when something is damaged, 2 "
                "for wrong usage,\n"
                "3 when it could not be found out.\n\n"
                "Flags:\n",
                stdout);
    flags_print(verify_flag);
    (void)printf("\n%s", admin_client_help);
}
