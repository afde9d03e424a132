#include "app/action.h"

#include <stdio.h>

#include "app/nearest.h"
#include "base/encode.h"

enum {
    ARENA_BYTES = 64 << 20,
    BODY_MAX_BYTES = 64 << 10,
    COLUMN_MAX_WIDTH = 64,
    CELL_MAX_BYTES = 8192
};

/* ---- Finding and running ---- */

static const struct action *find_action(const struct action_table *table, str name)
{
    for (const struct action *action = table->action; action->name; action++)
        if (str_eq(name, str_from(action->name)))
            return action;
    return NULL;
}

static enum exit_code complain_no_action(const struct action_table *table,
                                         const struct command *command, str name)
{
    const char *meant = NULL;
    size_t best = SIZE_MAX;
    for (const struct action *action = table->action; action->name; action++)
        if (word_is_nearer(name, str_from(action->name), &best))
            meant = action->name;
    if (!name.len)
        complain("say what to do: \"pail %s --help\" lists it", command->name);
    else if (meant)
        complain("\"pail %s\" has no \"%.*s\"; did you mean \"%s\"?", command->name, STR_ARG(name),
                 meant);
    else
        complain("\"pail %s\" has no \"%.*s\"; \"pail %s --help\" lists what it has", command->name,
                 STR_ARG(name), command->name);
    return EXIT_USAGE;
}

static enum exit_code run_action(const struct action *action, struct action_call *call)
{
    if (call->word_count < action->least || call->word_count > action->most) {
        complain("write it so: pail %s %s %s", call->command->name, action->name, action->words);
        return EXIT_USAGE;
    }
    buf_init(&call->body, BODY_MAX_BYTES);
    enum err err = action->ask(call);
    buf_release(&call->body);
    if (err != OK) {
        complain_of(NULL, err, &call->fail);
        return err == ERR_BAD_ARGUMENT || err == ERR_BAD_INPUT ? EXIT_USAGE : EXIT_FAILED;
    }
    if (call->client->is_json)
        (void)fwrite(call->answer.text.ptr, 1, call->answer.text.len, stdout);
    else
        action->show(call);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static enum exit_code run_in_arena(const struct action_table *table, const struct command *command,
                                   const char *const *argument, size_t count, struct arena *arena)
{
    struct action_call call = {
        .command = command, .client = table->client, .options = table->options, .arena = arena};
    struct flag_words words;
    struct flag_target target = {.table = table->flag, .base = table->options};
    enum err err = flags_parse(&target, argument, count, arena, &words, &call.fail);
    if (err != OK) {
        complain_of(NULL, err, &call.fail);
        return EXIT_USAGE;
    }
    str name = words.count ? str_from(words.word[0]) : STR("");
    const struct action *action = find_action(table, name);
    if (!action)
        return complain_no_action(table, command, name);
    call.word = words.word + 1;
    call.word_count = words.count - 1;
    return run_action(action, &call);
}

enum exit_code action_run(const struct action_table *table, const struct command *command,
                          const char *const *argument, size_t count)
{
    struct arena *arena = arena_new(ARENA_BYTES);
    enum exit_code code = run_in_arena(table, command, argument, count, arena);
    arena_free(arena);
    return code;
}

void action_print_help(const struct action_table *table, const struct command *command)
{
    (void)fputs("Usage:\n", stdout);
    for (const struct action *action = table->action; action->name; action++) {
        int width = printf("  pail %s %s %s", command->name, action->name, action->words);
        (void)printf("%*s%s\n", width < 40 ? 40 - width : 1, "", action->summary);
    }
    (void)fputs("\nFlags:\n", stdout);
    flags_print(table->flag);
    (void)printf("\n%s", admin_client_help);
}

/* ---- Asking ---- */

struct json_writer *action_begin_body(struct action_call *call)
{
    json_begin(&call->json, &call->body);
    json_open_object(&call->json, NULL);
    return &call->json;
}

void action_put_given(struct json_writer *w, const char *name, str value)
{
    if (value.len)
        json_text(w, name, value);
}

enum err action_ask(struct action_call *call, const char *method, str path)
{
    if (call->body.len)
        json_close(&call->json);
    TRY(buf_err(&call->body));
    struct admin_request request = {.method = method, .path = path, .body = buf_str(&call->body)};
    return admin_ask(call->client, &request, call->arena, &call->answer, &call->fail);
}

/* ---- Showing ---- */

void action_print_member(const struct json_value *object, const char *member, const char *title)
{
    BUF_SCOPED struct buf text;
    buf_init(&text, CELL_MAX_BYTES);
    json_escape(&text, json_member_text(object, member));
    if (text.len)
        (void)printf("%-14s%.*s\n", title, STR_ARG(buf_str(&text)));
}

static str cell_text(const struct json_value *row, const char *member, struct buf *text)
{
    buf_clear(text);
    json_escape(text, json_member_text(row, member));
    if (text->len == 0)
        buf_append_char(text, '-');
    return buf_str(text);
}

/* Characters, not bytes: names in other scripts stand in line, too (wide ones nearly). */
static size_t width_of(str text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const struct json_value *array, const struct action_column *column,
                           struct buf *text)
{
    size_t width = str_from(column->title).len;
    for (const struct json_value *row = array->child; row; row = row->next) {
        size_t cell = width_of(cell_text(row, column->member, text));
        width = cell > width ? cell : width;
    }
    return width < COLUMN_MAX_WIDTH ? width : COLUMN_MAX_WIDTH;
}

static void print_cell(str text, size_t width, bool is_last)
{
    size_t own = width_of(text);
    (void)fwrite(text.ptr, 1, text.len, stdout);
    if (is_last)
        (void)fputc('\n', stdout);
    else
        (void)printf("%*s", (int)(own < width ? width - own + 2 : 2), "");
}

void action_print_table(const struct json_value *array, const struct action_column *column)
{
    enum { COLUMNS_MAX = 16 };
    size_t width[COLUMNS_MAX] = {0};
    BUF_SCOPED struct buf text;
    buf_init(&text, CELL_MAX_BYTES);
    if (json_count(array) == 0)
        return;
    for (size_t i = 0; i < COLUMNS_MAX && column[i].title; i++)
        width[i] = column_width(array, &column[i], &text);
    for (size_t i = 0; i < COLUMNS_MAX && column[i].title; i++)
        print_cell(str_from(column[i].title), width[i], !column[i + 1].title);
    for (const struct json_value *row = array->child; row; row = row->next)
        for (size_t i = 0; i < COLUMNS_MAX && column[i].title; i++)
            print_cell(cell_text(row, column[i].member, &text), width[i], !column[i + 1].title);
}
