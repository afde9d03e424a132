/* Users and access keys over the admin API. */
#include "admin/admin_int.h"
#include "base/clock.h"

/* ---- Users ---- */

static void write_user(struct json_writer *w, const struct user_info *user)
{
    json_open_object(w, NULL);
    json_text(w, "name", user->name);
    json_text(w, "display_name", user->display_name);
    json_text(w, "email", user->email);
    json_text(w, "canonical_id", user->canonical_id);
    json_time(w, "created", user->created_ms);
    json_bool(w, "disabled", user->is_disabled);
    json_close(w);
}

enum err admin_run_users_list(struct admin_call *call)
{
    struct user_info *user;
    size_t count;
    TRY(users_list(call->admin->options.users, call->arena, &user, &count));
    struct json_writer *w = &call->json;
    json_open_object(w, NULL);
    json_open_array(w, "users");
    for (size_t i = 0; i < count; i++)
        write_user(w, &user[i]);
    json_close(w);
    json_close(w);
    return OK;
}

enum err admin_run_user_create(struct admin_call *call)
{
    static const char *const member[] = {"name", "display_name", "email", "canonical_id", NULL};
    struct user_info wanted = {0}, made;
    TRY(admin_input_only(call, member));
    TRY(admin_input_text(call, "name", &wanted.name));
    TRY(admin_input_text(call, "display_name", &wanted.display_name));
    TRY(admin_input_text(call, "email", &wanted.email));
    TRY(admin_input_text(call, "canonical_id", &wanted.canonical_id));
    TRY(users_create(call->admin->options.users, &wanted, call->arena, &made, &call->fail));
    call->status = 201;
    write_user(&call->json, &made);
    return OK;
}

enum err admin_run_user_remove(struct admin_call *call)
{
    TRY(users_remove(call->admin->options.users, call->argument, &call->fail));
    call->status = 204;
    return OK;
}

/* ---- Keys ---- */

static void write_key_members(struct json_writer *w, const struct key_info *key)
{
    json_text(w, "access_key", key->access_key);
    json_text(w, "user", key->user);
    json_text(w, "description", key->description);
    json_time(w, "created", key->created_ms);
    if (key->expires_ms)
        json_time(w, "expires", key->expires_ms);
    else
        json_null_value(w, "expires");
    json_bool(w, "disabled", key->is_disabled);
}

enum err admin_run_keys_list(struct admin_call *call)
{
    str user;
    struct key_info *key;
    size_t count;
    TRY(admin_query(call, "user", &user));
    enum err err = keys_list(call->admin->options.users, user, call->arena, &key, &count);
    if (err == ERR_NO_SUCH_USER)
        return fail_set(&call->fail, err, "user", "there is no user \"%.*s\"", STR_ARG(user));
    if (err != OK)
        return err;
    struct json_writer *w = &call->json;
    json_open_object(w, NULL);
    json_open_array(w, "keys");
    for (size_t i = 0; i < count; i++) {
        json_open_object(w, NULL);
        write_key_members(w, &key[i]);
        json_close(w);
    }
    json_close(w);
    json_close(w);
    return OK;
}

static enum err read_expiry(struct admin_call *call, int64_t *out_ms)
{
    str text;
    TRY(admin_input_text(call, "expires", &text));
    if (text.len == 0 || clock_parse_iso(text, out_ms) == OK)
        return OK;
    return fail_set(&call->fail, ERR_BAD_ARGUMENT, "expires",
                    "\"%.*s\" is not a time like 2030-01-31T12:00:00Z", STR_ARG(text));
}

enum err admin_run_key_create(struct admin_call *call)
{
    static const char *const member[] = {"user",        "access_key", "secret_key",
                                         "description", "expires",    NULL};
    struct key_info wanted = {0}, made;
    str wanted_secret, secret;
    TRY(admin_input_only(call, member));
    TRY(admin_input_text(call, "user", &wanted.user));
    TRY(admin_input_text(call, "access_key", &wanted.access_key));
    TRY(admin_input_text(call, "secret_key", &wanted_secret));
    TRY(admin_input_text(call, "description", &wanted.description));
    TRY(read_expiry(call, &wanted.expires_ms));
    TRY(keys_create(call->admin->options.users, &wanted, wanted_secret, call->arena, &made, &secret,
                    &call->fail));
    call->status = 201;
    struct json_writer *w = &call->json;
    json_open_object(w, NULL);
    write_key_members(w, &made);
    json_text(w, "secret_key", secret);
    json_close(w);
    return OK;
}

enum err admin_run_key_revoke(struct admin_call *call)
{
    TRY(keys_revoke(call->admin->options.users, call->argument, &call->fail));
    call->status = 204;
    return OK;
}
