#include "app/settings_text.h"

#include <string.h>

#include "app/settings_value.h"
#include "codec/json.h"

enum { LINE_MAX_COLUMNS = 100, HELP_INDENT = 8, SCRATCH_BYTES = 64 << 10 };

/* Calls for scratch memory end with the function that asked. */
static void free_arena(struct arena **arena)
{
    arena_free(*arena);
}
#define ARENA_SCOPED __attribute__((cleanup(free_arena)))

/* Appends text at an indent, broken between words. */
static void write_wrapped(struct buf *out, str text, size_t indent)
{
    size_t column = 0;
    str word;
    while (text.len > 0) {
        (void)str_cut(text, ' ', &word, &text);
        if (column > 0 && column + 1 + word.len > LINE_MAX_COLUMNS) {
            buf_append_char(out, '\n');
            column = 0;
        }
        if (column == 0)
            buf_printf(out, "%*s", (int)indent, "");
        else
            buf_append_char(out, ' ');
        column += (column == 0 ? indent : 1) + word.len;
        buf_append(out, word);
    }
    buf_append_char(out, '\n');
}

static const char *placeholder(const struct setting *row)
{
    switch (row->kind) {
    case SETTING_STRING:
        return "TEXT";
    case SETTING_PATH:
        return "PATH";
    case SETTING_INTEGER:
        return "NUMBER";
    case SETTING_BYTES:
        return "SIZE";
    case SETTING_DURATION:
        return "TIME";
    case SETTING_BOOLEAN:
        return "true|false";
    case SETTING_ENUM:
        return "WORD";
    case SETTING_ADDRESSES:
        return "HOST:PORT,...";
    case SETTING_HOSTS:
        return "HOST,...";
    }
    return "";
}

/* What may be written, for people: "8KiB to 1MiB", "local and mem", "path". */
static str allowed(const struct setting *row, struct arena *arena)
{
    switch (row->kind) {
    case SETTING_ENUM:
        return setting_choices(row, arena);
    case SETTING_INTEGER:
    case SETTING_BYTES:
    case SETTING_DURATION: {
        str least = setting_format_number(row->kind, row->min, arena);
        str most = setting_format_number(row->kind, row->max, arena);
        return arena_printf(arena, "%.*s to %.*s", STR_ARG(least), STR_ARG(most));
    }
    case SETTING_STRING:
        return arena_printf(arena, "%ju to %ju characters", (uintmax_t)row->min,
                            (uintmax_t)row->max);
    case SETTING_PATH:
        return STR("path");
    case SETTING_BOOLEAN:
        return STR("true and false");
    case SETTING_ADDRESSES:
        return arena_printf(arena, "%ju to %ju of host:port", (uintmax_t)row->min,
                            (uintmax_t)row->max);
    case SETTING_HOSTS:
        return arena_printf(arena, "%ju to %ju host names", (uintmax_t)row->min,
                            (uintmax_t)row->max);
    }
    return STR("");
}

static bool begins_section(size_t i)
{
    return i == 0 || strcmp(settings_table[i].section, settings_table[i - 1].section) != 0;
}

static bool has_default(const struct setting *row)
{
    return row->default_text && row->default_text[0];
}

void settings_write_help(struct buf *out)
{
    ARENA_SCOPED struct arena *arena = arena_new(SCRATCH_BYTES);
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        if (begins_section(i))
            buf_printf(out, "%s%s\n", i ? "\n" : "", row->section);
        buf_printf(out, "  %.*s %s", STR_ARG(settings_flag(row, arena)), placeholder(row));
        if (has_default(row))
            buf_printf(out, "  (default: %s)", row->default_text);
        buf_append_char(out, '\n');
        write_wrapped(out, str_from(row->help), HELP_INDENT);
        if (row->kind == SETTING_ENUM || row->kind == SETTING_INTEGER ||
            row->kind == SETTING_BYTES || row->kind == SETTING_DURATION)
            write_wrapped(out, arena_printf(arena, "allowed: %.*s", STR_ARG(allowed(row, arena))),
                          HELP_INDENT);
        arena_reset(arena);
    }
}

/* A secret is shown as set or not, never as itself nor by its length. */
static str shown_value(const struct setting *row, const struct settings *settings,
                       struct arena *arena)
{
    str text = setting_format(row, settings, arena);
    if (text.len > 0 && row->flags & SETTING_SECRET)
        return STR("********");
    return text;
}

/* {"settings": [{"name": ..., "value": ..., "source": ..., "where": ...}, ...], "warnings": [...]} */
static void write_values_json(const struct settings_loaded *loaded, struct arena *arena,
                              struct buf *out)
{
    static const char *const source_name[SETTINGS_SOURCES] = {
        [SETTINGS_FROM_DEFAULT] = "default",
        [SETTINGS_FROM_ENVIRONMENT] = "environment",
        [SETTINGS_FROM_FLAG] = "flag",
        [SETTINGS_FROM_FILE] = "file",
    };
    struct json_writer w;
    json_begin(&w, out);
    json_open_object(&w, NULL);
    json_open_array(&w, "settings");
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        json_open_object(&w, NULL);
        json_text(&w, "name", str_from(settings_table[i].name));
        json_text(&w, "value", shown_value(&settings_table[i], &loaded->values, arena));
        json_text(&w, "source", str_from(source_name[loaded->origin[i].source]));
        json_text(&w, "where", loaded->origin[i].where);
        json_close(&w);
    }
    json_close(&w);
    json_open_array(&w, "warnings");
    for (size_t i = 0; i < loaded->warning_count; i++)
        json_text(&w, NULL, loaded->warning[i]);
    json_close(&w);
    json_close(&w);
    buf_append_char(out, '\n');
}

void settings_write_values(const struct settings_loaded *loaded, bool as_json, struct buf *out)
{
    ARENA_SCOPED struct arena *arena = arena_new(SCRATCH_BYTES);
    if (as_json) {
        write_values_json(loaded, arena, out);
        return;
    }
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        str value = shown_value(row, &loaded->values, arena);
        buf_printf(out, "%-16s %-28.*s %.*s\n", row->name, STR_ARG(value),
                   STR_ARG(loaded->origin[i].where));
    }
    for (size_t i = 0; i < loaded->warning_count; i++)
        buf_printf(out, "%swarning: %.*s\n", i == 0 ? "\n" : "", STR_ARG(loaded->warning[i]));
}

static void write_manual_row(const struct setting *row, struct arena *arena, struct buf *out)
{
    buf_printf(out, "| `%s` | ", row->name);
    if (has_default(row))
        buf_printf(out, "`%s`", row->default_text);
    buf_printf(out, " | %.*s | %s", STR_ARG(allowed(row, arena)), row->help);
    if (row->flags & SETTING_RELOAD)
        buf_append(out, STR(" (SIGHUP takes a new value over)"));
    if (row->flags & SETTING_SECRET)
        buf_append(out, STR(" (never shown)"));
    if (row->flags & SETTING_NOT_IN_FILE)
        buf_append(out, STR(" (a flag or a variable, not in the file)"));
    buf_append(out, STR(" |\n"));
}

/* Writes each word of `words` as code, after a comma when something stands before it. */
static void write_names(struct buf *out, const char *before, const char *words, bool *any)
{
    str rest = str_from(words), word;
    while (rest.len > 0) {
        (void)str_cut(rest, ' ', &word, &rest);
        buf_printf(out, "%s`%s%.*s`", *any ? ", " : "", before, STR_ARG(word));
        *any = true;
    }
}

static void write_other_names(struct buf *out)
{
    buf_append(out,
               STR("\n## Other names\n\nTaken as well, so that what is there goes on working.\n\n"
                   "| Setting | Flags | Variables |\n| --- | --- | --- |\n"));
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        bool any_flag = false, any_variable = false;
        if (!row->flag_aliases[0] && !row->env_aliases[0])
            continue;
        buf_printf(out, "| `%s` | ", row->name);
        write_names(out, "--", row->flag_aliases, &any_flag);
        buf_append(out, STR(" | "));
        write_names(out, "", row->env_aliases, &any_variable);
        buf_append(out, STR(" |\n"));
    }
}

static const char manual_head[] =
    "# Settings\n"
    "\n"
    "Made by `pail config manual` from the table in `src/app/settings.def`; a test compares them.\n"
    "\n"
    "Each setting has one name and three places where it can be set:\n"
    "\n"
    "| Place | How `data_dir` is written there |\n"
    "| --- | --- |\n"
    "| settings file (TOML, named with `--config`) | `data_dir = \"/srv/pail\"`, or `dir = "
    "\"/srv/pail\"` in the table "
    "`[data]` |\n"
    "| flag | `--data-dir /srv/pail` or `--data-dir=/srv/pail` |\n"
    "| environment | `PAIL_DATA_DIR=/srv/pail` |\n"
    "\n"
    "The file stands before flags, flags before the environment, the environment before the "
    "default. A value that loses\n"
    "to another is warned about by name at the start. An unknown setting or a bad value stops the "
    "start, and the message\n"
    "says where it stands and what is allowed. `pail config show` prints each value and where it "
    "comes from.\n"
    "\n"
    "Sizes are digits and a unit (`kB`, `MB`, `GB`, `TB`, or `KiB`, `MiB`, `GiB`, `TiB`), times "
    "are digits and a unit\n"
    "(`ms`, `s`, `m`, `h`, `d`). Lists are separated by commas; in the file they are arrays of "
    "strings, and a flag of a\n"
    "list may be given several times. Relative paths begin at the working directory. An empty "
    "variable counts as not set.\n";

void settings_write_manual(struct buf *out)
{
    ARENA_SCOPED struct arena *arena = arena_new(SCRATCH_BYTES);
    buf_append(out, str_from(manual_head));
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (begins_section(i))
            buf_printf(
                out,
                "\n## %s\n\n| Setting | Default | Allowed | Meaning |\n| --- | --- | --- | --- |\n",
                settings_table[i].section);
        write_manual_row(&settings_table[i], arena, out);
        arena_reset(arena);
    }
    write_other_names(out);
}
