/* action: what `pail user` and `pail key` share: a table of actions, each one request to the admin API and one way to show
 * its answer. */
#pragma once

#include "app/admin_client.h"
#include "app/command.h"
#include "base/buf.h"

struct action_call {
    const struct command *command;
    struct admin_client *client;
    const void *options;     /* the command's own flags */
    const char *const *word; /* what follows the action's name */
    size_t word_count;
    struct arena *arena;
    struct fail fail;
    struct buf body;
    struct json_writer json;
    struct admin_answer answer;
};

struct action {
    const char *name;   /* ends the table when null */
    const char *words;  /* as the help shows them: "NAME", "[USER]" */
    size_t least, most; /* number of words */
    const char *summary;
    enum err (*ask)(struct action_call *call);
    void (*show)(const struct action_call *call); /* not called with --json */
};

/* Reads the arguments by the table of flags, finds the action, asks and shows. Failures are told. */
struct action_table {
    const struct action *action;
    const struct flag *flag;
    void *options;               /* where flags go */
    struct admin_client *client; /* in there */
};
enum exit_code action_run(const struct action_table *table, const struct command *command,
                          const char *const *argument, size_t count);
/* Usage, actions and flags, to standard output. */
void action_print_help(const struct action_table *table, const struct command *command);

/* Begins the request's body; the writer stands in an open object, which action_ask closes. */
struct json_writer *action_begin_body(struct action_call *call);
/* A member for a flag that was given. */
void action_put_given(struct json_writer *w, const char *name, str value);
enum err action_ask(struct action_call *call, const char *method, str path);

/* A line "title   value"; nothing for a member that is absent or empty. */
void action_print_member(const struct json_value *object, const char *member, const char *title);

struct action_column {
    const char *title; /* ends the list when null */
    const char *member;
};
/* An array of objects as a table with a head; texts that a terminal would act on are escaped. */
void action_print_table(const struct json_value *array, const struct action_column *column);
