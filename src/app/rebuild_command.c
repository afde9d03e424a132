/* `pail rebuild-index`: the index made anew from the log, for a folder that no server has open. */
#include <stdio.h>
#include <unistd.h>

#include "app/command.h"
#include "app/flags.h"
#include "app/progress.h"
#include "store/local/local_engine.h"

struct rebuild_flags {
    str data_dir;
};

static const struct flag rebuild_flag[] = {
    {"data-dir", "DIR", "the data folder; its server must not run",
     offsetof(struct rebuild_flags, data_dir)},
    {0},
};

static enum exit_code rebuild(const char *const *argument, size_t count, struct arena *arena)
{
    struct rebuild_flags flags = {0};
    struct flag_target target = {.table = rebuild_flag, .base = &flags};
    struct flag_words words;
    struct fail fail = {0};
    enum err err = flags_parse(&target, argument, count, arena, &words, &fail);
    if (err == OK && (words.count || !flags.data_dir.len))
        err = fail_set(&fail, ERR_BAD_ARGUMENT, NULL,
                       "write it so: pail rebuild-index --data-dir DIR");
    if (err != OK) {
        complain_of(NULL, err, &fail);
        return EXIT_USAGE;
    }
    /* The engine would make a folder that is not there: with a mistyped name it would rebuild nothing. */
    if (access(flags.data_dir.ptr, F_OK) != 0) {
        complain("there is no folder \"%.*s\"", STR_ARG(flags.data_dir));
        return EXIT_USAGE;
    }
    struct local_options options = {.data_dir = flags.data_dir.ptr};
    err = local_rebuild_index(&options, progress_show, NULL, &fail);
    progress_end();
    if (err != OK) {
        complain_of("the index was not rebuilt", err, &fail);
        return EXIT_FAILED;
    }
    (void)printf("pail: rebuilt the index of %.*s\n", STR_ARG(flags.data_dir));
    return EXIT_DONE;
}

enum exit_code run_rebuild(const struct command *command, const char *const *argument, size_t count)
{
    (void)command;
    enum { ARENA_BYTES = 1 << 16 };
    struct arena *arena = arena_new(ARENA_BYTES);
    enum exit_code code = rebuild(argument, count, arena);
    arena_free(arena);
    return code;
}

void help_rebuild(const struct command *command)
{
    (void)command;
    (void)fputs("Usage: pail rebuild-index --data-dir DIR\n\n"
                "Makes the index anew from the log, which alone holds the truth. The old index is "
                "replaced\n"
                "when the new one is complete. The server of that folder must not run.\n\n",
                stdout);
    flags_print(rebuild_flag);
}
