/* `pail config`: the settings as a start with the same flags and environment would have them. */
#include <stdio.h>

#include "app/command.h"
#include "app/settings_text.h"
#include "base/arena.h"
#include "base/buf.h"

extern char **environ;

enum { ARENA_BYTES = 1 << 20, TEXT_MAX_BYTES = 4 << 20 };

static enum exit_code print_and_release(struct buf *text)
{
    enum exit_code code = buf_err(text) == OK ? EXIT_DONE : EXIT_FAILED;
    if (fwrite(text->ptr, 1, text->len, stdout) != text->len)
        code = EXIT_FAILED;
    buf_release(text);
    return code;
}

/* Takes the flag --json out of the arguments, which are settings otherwise. */
static size_t without_json(const char *const *argument, size_t count, const char **out,
                           bool *is_json)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (str_eq(str_from(argument[i]), STR("--json")))
            *is_json = true;
        else
            out[kept++] = argument[i];
    }
    return kept;
}

static enum exit_code show(const char *const *argument, size_t count)
{
    struct arena *arena = arena_new(ARENA_BYTES);
    const char **setting = arena_new_array(arena, const char *, count + 1);
    bool is_json = false;
    struct settings_input input = {
        .argument = setting,
        .argument_count = without_json(argument, count, setting, &is_json),
        .environment = (const char *const *)environ,
    };
    struct settings_loaded loaded;
    struct fail fail = {0};
    enum exit_code code = EXIT_USAGE;
    enum err err = settings_load(&input, arena, &loaded, &fail);
    if (err == OK) {
        struct buf text;
        buf_init(&text, TEXT_MAX_BYTES);
        settings_write_values(&loaded, is_json, &text);
        code = print_and_release(&text);
    } else {
        complain_of(NULL, err, &fail);
    }
    arena_free(arena);
    return code;
}

static enum exit_code manual(void)
{
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES);
    settings_write_manual(&text);
    return print_and_release(&text);
}

enum exit_code run_config(const struct command *command, const char *const *argument, size_t count)
{
    (void)command;
    str action = count ? str_from(argument[0]) : STR("");
    if (str_eq(action, STR("show")))
        return show(argument + 1, count - 1);
    if (str_eq(action, STR("manual")) && count == 1)
        return manual();
    complain("say what to do: \"pail config show\" or \"pail config manual\"");
    return EXIT_USAGE;
}

void help_config(const struct command *command)
{
    (void)command;
    (void)fputs(
        "Usage: pail config show [--json] [SETTINGS]\n"
        "       pail config manual\n\n"
        "show    each setting's value and where it comes from, as a start with the same flags,\n"
        "        environment and file would have it; secrets are stars\n"
        "manual  what every setting means, as Markdown\n",
        stdout);
}
