/* `pail user`: users over the admin API. */
#include <stdio.h>

#include "app/action.h"

struct user_flags {
    struct admin_client client;
    str display_name, email, canonical_id;
};

static const struct flag user_flag[] = {
    {"display-name", "TEXT", "create: name for people (the user's name)",
     offsetof(struct user_flags, display_name)},
    {"email", "ADDRESS", "create: e-mail address", offsetof(struct user_flags, email)},
    {"canonical-id", "HEX", "create: 64 hex digits (made)",
     offsetof(struct user_flags, canonical_id)},
    ADMIN_CLIENT_FLAGS(struct user_flags, client),
    {0},
};

static enum err ask_create(struct action_call *call)
{
    const struct user_flags *flags = call->options;
    struct json_writer *w = action_begin_body(call);
    json_text(w, "name", str_from(call->word[0]));
    action_put_given(w, "display_name", flags->display_name);
    action_put_given(w, "email", flags->email);
    action_put_given(w, "canonical_id", flags->canonical_id);
    return action_ask(call, "POST", STR("/admin/v1/users"));
}

static void show_created(const struct action_call *call)
{
    const struct json_value *user = call->answer.value;
    action_print_member(user, "name", "user");
    action_print_member(user, "display_name", "display name");
    action_print_member(user, "email", "e-mail");
    action_print_member(user, "canonical_id", "canonical id");
    (void)printf("Next: pail key create %s\n", call->word[0]);
}

static enum err ask_list(struct action_call *call)
{
    return action_ask(call, "GET", STR("/admin/v1/users"));
}

static void show_list(const struct action_call *call)
{
    static const struct action_column column[] = {{"NAME", "name"},
                                                  {"DISPLAY NAME", "display_name"},
                                                  {"E-MAIL", "email"},
                                                  {"CREATED", "created"},
                                                  {0}};
    action_print_table(json_member(call->answer.value, "users"), column);
}

static enum err ask_remove(struct action_call *call)
{
    return action_ask(call, "DELETE",
                      admin_path(call->arena, "/admin/v1/users/", str_from(call->word[0])));
}

static void show_removed(const struct action_call *call)
{
    (void)printf("removed user %s and its access keys\n", call->word[0]);
}

static const struct action user_action[] = {
    {"create", "NAME", 1, 1, "make a user", ask_create, show_created},
    {"list", "", 0, 0, "list the users", ask_list, show_list},
    {"remove", "NAME", 1, 1, "remove a user that owns no bucket, with its keys", ask_remove,
     show_removed},
    {0},
};

enum exit_code run_user(const struct command *command, const char *const *argument, size_t count)
{
    struct user_flags flags = {0};
    struct action_table table = {user_action, user_flag, &flags, &flags.client};
    return action_run(&table, command, argument, count);
}

void help_user(const struct command *command)
{
    action_print_help(&(struct action_table){.action = user_action, .flag = user_flag}, command);
}
