/* Administration of users and access keys: each change is one update, waited for, after which
 * what was in memory is forgotten. These run on workers, seldom; looking through all users or
 * keys inside an update is therefore allowed. */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "iam/secret.h"
#include "object/users_int.h"

/* Keys with made ids meet an existing one once in 2^50; a few attempts are certainty. */
enum { MAKE_ATTEMPTS = 4 };

/* What an update needs besides its row. */
struct change {
    struct update update;
    struct users *users;
    struct arena *arena;
    struct fail *fail;
    const void *row; /* user_row or access_key_row */
    str name;
};

static struct change *change_of(struct update *update)
{
    return container_of(update, struct change, update);
}

/* Forgets even when the update failed: a failed answer does not prove that nothing was written. */
static enum err make_change(struct change *change,
                            enum err (*apply)(struct update *update, struct tx *tx))
{
    change->update.apply = apply;
    enum err err = catalog_update_wait(change->users->engine, &change->update);
    users_forget(change->users);
    return err;
}

static bool text_is_fit(str text, size_t max)
{
    if (text.len > max || !str_is_utf8(text))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool email_is_fit(str email)
{
    return email.len == 0 || (text_is_fit(email, EMAIL_MAX) && str_find_char(email, ' ') < 0 &&
                              str_find_char(email, '@') > 0);
}

/* ---- Users ---- */

static enum err check_user(const struct users *users, const struct user_info *wanted,
                           struct fail *fail)
{
    if (!user_name_is_valid(wanted->name))
        return fail_set(fail, ERR_BAD_ARGUMENT, "name",
                        "a user name has 1 to %d characters of A-Z a-z 0-9 + = , . @ _ -",
                        (int)USER_NAME_MAX);
    if (str_eq_nocase(wanted->name, STR("root")))
        return fail_set(fail, ERR_BAD_ARGUMENT, "name", "\"%.*s\" is the root account's name",
                        STR_ARG(wanted->name));
    if (!text_is_fit(wanted->display_name, DISPLAY_NAME_MAX))
        return fail_set(fail, ERR_BAD_ARGUMENT, "display_name",
                        "a display name is UTF-8 text of at most %d bytes", (int)DISPLAY_NAME_MAX);
    if (!email_is_fit(wanted->email))
        return fail_set(fail, ERR_BAD_ARGUMENT, "email", "\"%.*s\" is not an e-mail address",
                        STR_ARG(wanted->email));
    if (wanted->canonical_id.len && !canonical_id_is_valid(wanted->canonical_id))
        return fail_set(fail, ERR_BAD_ARGUMENT, "canonical_id",
                        "a canonical id is %d lower-case hexadecimal digits",
                        (int)CANONICAL_ID_LEN);
    if (str_eq(wanted->canonical_id, users_root_canonical_id(users)))
        return fail_set(fail, ERR_USER_EXISTS, "canonical_id", "this is root's canonical id");
    return OK;
}

/* Two users with one canonical id would own each other's buckets. */
static enum err check_canonical_id_is_free(struct tx *tx, str canonical_id, struct fail *fail)
{
    struct cursor *cursor;
    struct user_row row = {0};
    TRY(cursor_open(tx, TABLE_user, &row, 0, &cursor));
    enum err err = user_next_with_canonical_id(cursor, canonical_id, &row);
    if (err == OK)
        err = fail_set(fail, ERR_USER_EXISTS, "canonical_id", "user \"%.*s\" has this canonical id",
                       STR_ARG(row.name));
    cursor_close(cursor);
    return err == ERR_NOT_FOUND ? OK : err;
}

static enum err apply_create_user(struct update *update, struct tx *tx)
{
    struct change *change = change_of(update);
    const struct user_row *wanted = change->row;
    struct user_row row = {.name = wanted->name};
    enum err err = row_get(tx, TABLE_user, &row, change->arena);
    if (err == OK)
        return fail_set(change->fail, ERR_USER_EXISTS, "name", "there is a user \"%.*s\" already",
                        STR_ARG(wanted->name));
    if (err != ERR_NOT_FOUND)
        return err;
    TRY(check_canonical_id_is_free(tx, wanted->canonical_id, change->fail));
    return row_put(tx, TABLE_user, wanted);
}

static struct user_info user_info_of(const struct user_row *row, struct arena *arena)
{
    return (struct user_info){
        .name = arena_str(arena, row->name),
        .canonical_id = arena_str(arena, row->canonical_id),
        .display_name = arena_str(arena, row->display_name),
        .email = arena_str(arena, row->email),
        .created_ms = (int64_t)row->created_ms,
        .is_disabled = row->disabled != 0,
    };
}

enum err users_create(struct users *users, const struct user_info *wanted, struct arena *arena,
                      struct user_info *out, struct fail *fail)
{
    TRY(check_user(users, wanted, fail));
    char made_id[CANONICAL_ID_LEN];
    canonical_id_make(made_id);
    struct user_row row = {
        .name = wanted->name,
        .canonical_id =
            wanted->canonical_id.len ? wanted->canonical_id : str_of(made_id, CANONICAL_ID_LEN),
        .display_name = wanted->display_name.len ? wanted->display_name : wanted->name,
        .email = wanted->email,
        .created_ms = (uint64_t)clock_real_ms(),
    };
    struct change change = {.users = users, .arena = arena, .fail = fail, .row = &row};
    TRY(make_change(&change, apply_create_user));
    *out = user_info_of(&row, arena);
    return OK;
}

static enum err check_owns_nothing(struct tx *tx, const struct user_row *user, struct fail *fail)
{
    struct owned_bucket_row from = {.owner = user->canonical_id}, row;
    struct cursor *cursor;
    TRY(cursor_open(tx, TABLE_owned_bucket, &from, 1, &cursor));
    enum err err = cursor_next(cursor, &row);
    if (err == OK)
        err =
            fail_set(fail, ERR_USER_HAS_BUCKETS, "name", "user \"%.*s\" still owns bucket \"%.*s\"",
                     STR_ARG(user->name), STR_ARG(row.name));
    cursor_close(cursor);
    return err == ERR_NOT_FOUND ? OK : err;
}

/* A list of ids, so that no row is deleted under an open cursor. */
struct key_id {
    struct key_id *next;
    str id;
};

static enum err collect_keys(struct tx *tx, str user, struct arena *arena, struct key_id **out)
{
    struct cursor *cursor;
    struct access_key_row row = {0};
    TRY(cursor_open(tx, TABLE_access_key, &row, 0, &cursor));
    struct key_id *first = NULL;
    enum err err;
    while ((err = cursor_next(cursor, &row)) == OK) {
        if (!str_eq(row.user, user))
            continue;
        struct key_id *link = arena_new_of(arena, struct key_id);
        *link = (struct key_id){.next = first, .id = arena_str(arena, row.id)};
        first = link;
    }
    cursor_close(cursor);
    if (err != ERR_NOT_FOUND)
        return err;
    *out = first;
    return OK;
}

static enum err get_user(struct tx *tx, str name, struct arena *arena, struct user_row *out,
                         struct fail *fail)
{
    *out = (struct user_row){.name = name};
    enum err err = row_get(tx, TABLE_user, out, arena);
    if (err != ERR_NOT_FOUND)
        return err;
    return fail_set(fail, ERR_NO_SUCH_USER, "user", "there is no user \"%.*s\"", STR_ARG(name));
}

static enum err apply_remove_user(struct update *update, struct tx *tx)
{
    struct change *change = change_of(update);
    struct user_row user;
    TRY(get_user(tx, change->name, change->arena, &user, change->fail));
    TRY(check_owns_nothing(tx, &user, change->fail));
    struct key_id *key = NULL;
    TRY(collect_keys(tx, user.name, change->arena, &key));
    for (; key; key = key->next) {
        struct access_key_row row = {.id = key->id};
        TRY(row_delete(tx, TABLE_access_key, &row));
    }
    return row_delete(tx, TABLE_user, &user);
}

enum { REMOVE_ARENA_BYTES = 1 << 20 };

enum err users_remove(struct users *users, str name, struct fail *fail)
{
    struct arena *arena = arena_new(REMOVE_ARENA_BYTES);
    struct change change = {
        .update.flags = UPDATE_FREES, .users = users, .arena = arena, .fail = fail, .name = name};
    enum err err = make_change(&change, apply_remove_user);
    arena_free(arena);
    return err;
}

static enum err list_users(struct tx *tx, struct arena *arena, struct user_info **out,
                           size_t *out_count)
{
    struct cursor *cursor;
    struct user_row row = {0};
    TRY(cursor_open(tx, TABLE_user, &row, 0, &cursor));
    struct user_info *user = NULL;
    size_t count = 0, capacity = 0;
    enum err err;
    while ((err = cursor_next(cursor, &row)) == OK) {
        user = arena_room(arena, user, count, &capacity, sizeof(*user));
        user[count++] = user_info_of(&row, arena);
    }
    cursor_close(cursor);
    if (err != ERR_NOT_FOUND)
        return err;
    *out = user;
    *out_count = count;
    return OK;
}

enum err users_list(struct users *users, struct arena *arena, struct user_info **out,
                    size_t *out_count)
{
    struct tx *tx;
    TRY(view_begin(users->engine, VIEW_WAIT, &tx));
    enum err err = list_users(tx, arena, out, out_count);
    view_end(tx);
    return err;
}

/* ---- Access keys ---- */

static enum err check_key(const struct key_info *wanted, str secret, struct fail *fail)
{
    if (wanted->access_key.len && !access_key_id_is_valid(wanted->access_key))
        return fail_set(
            fail, ERR_BAD_ARGUMENT, "access_key",
            "an access key has %d to %d printable characters without space, comma or slash",
            (int)ACCESS_KEY_ID_MIN, (int)ACCESS_KEY_ID_MAX);
    if (secret.len && !access_key_secret_is_valid(secret))
        return fail_set(fail, ERR_BAD_ARGUMENT, "secret_key",
                        "a secret key has %d to %d printable characters",
                        (int)ACCESS_KEY_SECRET_MIN, (int)ACCESS_KEY_SECRET_MAX);
    if (!text_is_fit(wanted->description, KEY_DESCRIPTION_MAX))
        return fail_set(fail, ERR_BAD_ARGUMENT, "description",
                        "a description is UTF-8 text of at most %d bytes",
                        (int)KEY_DESCRIPTION_MAX);
    if (wanted->expires_ms && wanted->expires_ms <= clock_real_ms())
        return fail_set(fail, ERR_BAD_ARGUMENT, "expires", "the time of expiry has passed");
    return OK;
}

static enum err apply_create_key(struct update *update, struct tx *tx)
{
    struct change *change = change_of(update);
    const struct access_key_row *wanted = change->row;
    struct user_row user;
    TRY(get_user(tx, wanted->user, change->arena, &user, change->fail));
    struct access_key_row row = {.id = wanted->id};
    enum err err = row_get(tx, TABLE_access_key, &row, change->arena);
    if (err == OK)
        return ERR_EXISTS;
    return err == ERR_NOT_FOUND ? row_put(tx, TABLE_access_key, wanted) : err;
}

static struct key_info key_info_of(const struct access_key_row *row, struct arena *arena)
{
    return (struct key_info){
        .access_key = arena_str(arena, row->id),
        .user = arena_str(arena, row->user),
        .description = arena_str(arena, row->description),
        .created_ms = (int64_t)row->created_ms,
        .expires_ms = (int64_t)row->expires_ms,
        .is_disabled = row->disabled != 0,
    };
}

/* Seals the secret for the row's id and stores the row. */
static enum err store_key(struct change *change, struct access_key_row *row, str secret)
{
    struct users *users = change->users;
    if (str_eq(row->id, str_from(users->root.access_key)))
        return ERR_EXISTS;
    struct secret_sealed sealed;
    TRY(secret_seal(users->master_key, row->id, secret, &sealed));
    row->sealed_secret = secret_sealed_str(&sealed);
    change->row = row;
    return make_change(change, apply_create_key);
}

/* Tries made ids until one is free; a wanted one is tried once. */
static enum err store_key_under_free_id(struct change *change, struct access_key_row *row,
                                        str secret)
{
    bool is_made = row->id.len == 0;
    enum err err = ERR_EXISTS;
    for (int attempt = 0; err == ERR_EXISTS && attempt < (is_made ? MAKE_ATTEMPTS : 1); attempt++) {
        char made[ACCESS_KEY_ID_LEN];
        if (is_made) {
            access_key_make_id(made);
            row->id = arena_str(change->arena, str_of(made, sizeof(made)));
        }
        err = store_key(change, row, secret);
    }
    if (err == ERR_EXISTS)
        return fail_set(change->fail, err, "access_key", "access key \"%.*s\" exists already",
                        STR_ARG(row->id));
    return err;
}

enum err keys_create(struct users *users, const struct key_info *wanted, str wanted_secret,
                     struct arena *arena, struct key_info *out, str *out_secret, struct fail *fail)
{
    TRY(check_key(wanted, wanted_secret, fail));
    char made_secret[ACCESS_KEY_SECRET_LEN];
    access_key_make_secret(made_secret);
    str secret = wanted_secret.len ? wanted_secret : str_of(made_secret, sizeof(made_secret));
    struct access_key_row row = {
        .id = wanted->access_key,
        .user = wanted->user,
        .description = wanted->description,
        .created_ms = (uint64_t)clock_real_ms(),
        .expires_ms = (uint64_t)wanted->expires_ms,
    };
    struct change change = {.users = users, .arena = arena, .fail = fail};
    enum err err = store_key_under_free_id(&change, &row, secret);
    if (err == OK) {
        *out = key_info_of(&row, arena);
        *out_secret = arena_str(arena, secret);
    }
    explicit_bzero(made_secret, sizeof(made_secret));
    return err;
}

static enum err list_keys(struct tx *tx, str user, struct arena *arena, struct key_info **out,
                          size_t *out_count)
{
    struct user_row owner;
    if (user.len)
        TRY(get_user(tx, user, arena, &owner, NULL));
    struct cursor *cursor;
    struct access_key_row row = {0};
    TRY(cursor_open(tx, TABLE_access_key, &row, 0, &cursor));
    struct key_info *key = NULL;
    size_t count = 0, capacity = 0;
    enum err err;
    while ((err = cursor_next(cursor, &row)) == OK) {
        if (user.len && !str_eq(row.user, user))
            continue;
        key = arena_room(arena, key, count, &capacity, sizeof(*key));
        key[count++] = key_info_of(&row, arena);
    }
    cursor_close(cursor);
    if (err != ERR_NOT_FOUND)
        return err;
    *out = key;
    *out_count = count;
    return OK;
}

enum err keys_list(struct users *users, str user_or_empty, struct arena *arena,
                   struct key_info **out, size_t *out_count)
{
    struct tx *tx;
    TRY(view_begin(users->engine, VIEW_WAIT, &tx));
    enum err err = list_keys(tx, user_or_empty, arena, out, out_count);
    view_end(tx);
    return err;
}

static enum err apply_revoke(struct update *update, struct tx *tx)
{
    struct change *change = change_of(update);
    struct access_key_row row = {.id = change->name};
    enum err err = row_get(tx, TABLE_access_key, &row, change->arena);
    if (err == ERR_NOT_FOUND)
        return fail_set(change->fail, ERR_NO_SUCH_ACCESS_KEY, "access_key",
                        "there is no access key \"%.*s\"", STR_ARG(change->name));
    return err == OK ? row_delete(tx, TABLE_access_key, &row) : err;
}

enum err keys_revoke(struct users *users, str access_key, struct fail *fail)
{
    if (str_eq(access_key, str_from(users->root.access_key)))
        return fail_set(
            fail, ERR_BAD_ARGUMENT, "access_key",
            "root's own key is not stored: change it in the settings or the root key file");
    struct arena *arena = arena_new(REMOVE_ARENA_BYTES);
    struct change change = {.update.flags = UPDATE_FREES,
                            .users = users,
                            .arena = arena,
                            .fail = fail,
                            .name = access_key};
    enum err err = make_change(&change, apply_revoke);
    arena_free(arena);
    return err;
}

/* ---- The master key ---- */

/* A text sealed like a secret, under an id that no access key can have (it holds spaces). */
#define MARK_ID STR("mark of the master key")
#define MARK_TEXT STR("pail")

static enum err apply_mark(struct update *update, struct tx *tx)
{
    struct change *change = change_of(update);
    struct setting_row row = {.name = MARK_ID};
    enum err err = row_get(tx, TABLE_setting, &row, change->arena);
    if (err == ERR_NOT_FOUND)
        return row_put(tx, TABLE_setting, change->row);
    return err;
}

/* OK when there is no mark yet: ERR_NOT_FOUND. */
static enum err read_mark(struct users *users, struct tx *tx, struct arena *arena)
{
    struct setting_row row = {.name = MARK_ID};
    TRY(row_get(tx, TABLE_setting, &row, arena));
    struct secret secret;
    return secret_open(users->master_key, MARK_ID, row.value, &secret);
}

static enum err set_mark(struct users *users, struct arena *arena)
{
    struct secret_sealed sealed;
    TRY(secret_seal(users->master_key, MARK_ID, MARK_TEXT, &sealed));
    struct setting_row row = {.name = MARK_ID, .value = secret_sealed_str(&sealed)};
    struct change change = {.users = users, .arena = arena, .row = &row};
    return make_change(&change, apply_mark);
}

enum err users_check_master_key(struct users *users, struct fail *fail)
{
    struct tx *tx;
    TRY(view_begin(users->engine, VIEW_WAIT, &tx));
    struct arena *arena = arena_new(REMOVE_ARENA_BYTES);
    enum err err = read_mark(users, tx, arena);
    view_end(tx);
    if (err == ERR_NOT_FOUND)
        err = set_mark(users, arena);
    arena_free(arena);
    if (err == ERR_CORRUPT)
        return fail_set(fail, err, NULL,
                        "the master key is not the one that the stored secrets are sealed under");
    return err;
}
