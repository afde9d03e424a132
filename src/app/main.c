/* pail: finds the command and runs it. Everything else is in the commands (app/command.h) and what they call. */
#include <stdarg.h>
#include <stdio.h>

#include "app/command.h"
#include "app/nearest.h"

static enum exit_code run_help(const struct command *command, const char *const *argument,
                               size_t count);
static void help_help(const struct command *command);

static const struct command command_table[] = {
    {"serve", "run the server", run_serve, help_serve},
    {"user", "create, list and remove users", run_user, help_user},
    {"key", "create, list and revoke access keys", run_key, help_key},
    {"config", "show or explain the settings", run_config, help_config},
    {"bench", "measure an S3 endpoint under load", run_bench, help_bench},
    {"backup", "copy the store as it is at one moment", run_backup, help_backup},
    {"restore", "make a data folder from a backup, and prove it", run_restore, help_restore},
    {"rebuild-index", "make the index anew from the log", run_rebuild, help_rebuild},
    {"fsck", "check a data folder, and repair it", run_fsck, help_fsck},
    {"verify", "let a running server check all that it stores", run_verify, help_verify},
    {"version", "print the version", run_version, help_version},
    {"help", "explain a command: pail help COMMAND", run_help, help_help},
};
enum { COMMAND_COUNT = sizeof(command_table) / sizeof(command_table[0]) };

void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("pail: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

void complain_of(const char *doing, enum err err, const struct fail *fail)
{
    const char *what = fail->detail[0] ? fail->detail : err_fact(err);
    if (doing)
        complain("%s: %s", doing, what);
    else
        complain("%s", what);
}

static const struct command *find_command(str name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (str_eq(name, str_from(command_table[i].name)))
            return &command_table[i];
    return NULL;
}

static void write_overview(FILE *out)
{
    (void)fputs(
        "pail: an S3-compatible object store\n\nUsage: pail COMMAND [ARGUMENTS]\n\nCommands:\n",
        out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)fprintf(out, "  %-14s %s\n", command_table[i].name, command_table[i].summary);
    (void)fputs("\nThe start of everything: pail serve --data-dir DIR\n"
                "More about a command: pail COMMAND --help\n"
                "Ends with 0 when it worked, 1 when it did not, 2 for wrong usage or settings.\n",
                out);
}

static enum exit_code complain_unknown(str name)
{
    const char *meant = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (word_is_nearer(name, str_from(command_table[i].name), &best))
            meant = command_table[i].name;
    if (meant)
        complain("there is no command \"%.*s\"; did you mean \"%s\"?", STR_ARG(name), meant);
    else
        complain("there is no command \"%.*s\"; \"pail help\" lists them", STR_ARG(name));
    return EXIT_USAGE;
}

static enum exit_code run_help(const struct command *command, const char *const *argument,
                               size_t count)
{
    (void)command;
    if (count == 0) {
        write_overview(stdout);
        return EXIT_DONE;
    }
    const struct command *about = find_command(str_from(argument[0]));
    if (!about)
        return complain_unknown(str_from(argument[0]));
    about->write_help(about);
    return EXIT_DONE;
}

static void help_help(const struct command *command)
{
    (void)command;
    write_overview(stdout);
}

static bool is_help_flag(str text)
{
    return str_eq(text, STR("--help")) || str_eq(text, STR("-h"));
}

static enum exit_code run(const char *const *argument, size_t count)
{
    if (count == 0) {
        write_overview(stderr);
        return EXIT_USAGE;
    }
    str name = str_from(argument[0]);
    if (is_help_flag(name))
        return run_help(NULL, NULL, 0);
    if (str_eq(name, STR("--version")))
        name = STR("version");
    const struct command *command = find_command(name);
    if (!command)
        return complain_unknown(name);
    for (size_t i = 1; i < count; i++) {
        if (is_help_flag(str_from(argument[i]))) {
            command->write_help(command);
            return EXIT_DONE;
        }
    }
    return command->run(command, argument + 1, count - 1);
}

int main(int argc, char **argv)
{
    const char *const *argument = (const char *const *)argv;
    return (int)run(argument + (argc > 0), argc > 0 ? (size_t)(argc - 1) : 0);
}
