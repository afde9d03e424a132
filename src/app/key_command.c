/* `pail key`: access keys over the admin API. */
#include <stdio.h>

#include "app/action.h"

struct key_flags {
    struct admin_client client;
    str access_key, secret_key, description, expires;
};

static const struct flag key_flag[] = {
    {"access-key", "KEY", "create: this access key (made)", offsetof(struct key_flags, access_key)},
    {"secret-key", "SECRET", "create: this secret key (made)",
     offsetof(struct key_flags, secret_key)},
    {"description", "TEXT", "create: what it is for", offsetof(struct key_flags, description)},
    {"expires", "TIME", "create: good until then, like 2030-01-31T12:00:00Z",
     offsetof(struct key_flags, expires)},
    ADMIN_CLIENT_FLAGS(struct key_flags, client),
    {0},
};

static enum err ask_create(struct action_call *call)
{
    const struct key_flags *flags = call->options;
    struct json_writer *w = action_begin_body(call);
    json_text(w, "user", str_from(call->word[0]));
    action_put_given(w, "access_key", flags->access_key);
    action_put_given(w, "secret_key", flags->secret_key);
    action_put_given(w, "description", flags->description);
    action_put_given(w, "expires", flags->expires);
    return action_ask(call, "POST", STR("/admin/v1/keys"));
}

static void show_created(const struct action_call *call)
{
    const struct json_value *key = call->answer.value;
    action_print_member(key, "user", "user");
    action_print_member(key, "access_key", "access key");
    action_print_member(key, "secret_key", "secret key");
    action_print_member(key, "expires", "expires");
    (void)fputs("The secret key is shown this once.\n", stdout);
}

static enum err ask_list(struct action_call *call)
{
    if (call->word_count == 0)
        return action_ask(call, "GET", STR("/admin/v1/keys"));
    return action_ask(call, "GET",
                      admin_path(call->arena, "/admin/v1/keys?user=", str_from(call->word[0])));
}

static void show_list(const struct action_call *call)
{
    static const struct action_column column[] = {
        {"ACCESS KEY", "access_key"},   {"USER", "user"},
        {"CREATED", "created"},         {"EXPIRES", "expires"},
        {"DESCRIPTION", "description"}, {0}};
    action_print_table(json_member(call->answer.value, "keys"), column);
}

static enum err ask_revoke(struct action_call *call)
{
    return action_ask(call, "DELETE",
                      admin_path(call->arena, "/admin/v1/keys/", str_from(call->word[0])));
}

static void show_revoked(const struct action_call *call)
{
    (void)printf("revoked access key %s\n", call->word[0]);
}

static const struct action key_action[] = {
    {"create", "USER", 1, 1, "make an access key for a user", ask_create, show_created},
    {"list", "[USER]", 0, 1, "list the access keys", ask_list, show_list},
    {"revoke", "ACCESS-KEY", 1, 1, "revoke an access key, at once", ask_revoke, show_revoked},
    {0},
};

enum exit_code run_key(const struct command *command, const char *const *argument, size_t count)
{
    struct key_flags flags = {0};
    struct action_table table = {key_action, key_flag, &flags, &flags.client};
    return action_run(&table, command, argument, count);
}

void help_key(const struct command *command)
{
    action_print_help(&(struct action_table){.action = key_action, .flag = key_flag}, command);
}
