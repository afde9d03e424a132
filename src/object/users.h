/* Users and access keys: stored in the catalogue, looked up on every request, so kept in memory as well.
 *
 * The root account is not stored: its keys come from the settings or the root key file, its canonical id is derived. Secrets
 * lie sealed in the catalogue (iam/secret.h) under the master key of the data folder. A change is in force at once: it goes
 * through this struct, which forgets what it had cached after the commit. (Several processes over one database will
 * need an age limit of the cache; that comes with that engine.) */
#pragma once

#include "iam/identity.h"
#include "object/store.h"

struct users;

struct users_options {
    struct engine *engine;
    uint8_t master_key[32];
    str root_access_key; /* copied */
    str root_secret_key;
};
struct users *users_new(const struct users_options *options);
void users_free(struct users *users);

/* What a request is checked against. Plain values, copied out; no pointer into the cache. */
enum { ACCESS_KEY_MAX = 128, SECRET_KEY_MAX = 128, USER_NAME_MAX = 64, DISPLAY_NAME_MAX = 128 };
struct credential {
    char access_key[ACCESS_KEY_MAX + 1];
    char secret_key[SECRET_KEY_MAX + 1];
    char user_name[USER_NAME_MAX + 1]; /* empty for root */
    char display_name[DISPLAY_NAME_MAX + 1];
    char canonical_id[CANONICAL_ID_BYTES + 1];
    bool is_root;
    uint64_t generation; /* changes whenever this key's secret may have changed: part of a signing key cache's key */
};
/* Thread-safe. ERR_NO_SUCH_ACCESS_KEY (absent, disabled, expired, its user disabled), ERR_WOULD_BLOCK with VIEW_NOWAIT. */
enum err users_find_key(struct users *users, str access_key, enum view_flags flags, struct credential *out);
/* Display name of an owner: of root, or of the user with that canonical id; empty when unknown. Thread-safe, cached. */
enum err users_display_name(struct users *users, str canonical_id, enum view_flags flags, char out[DISPLAY_NAME_MAX + 1]);
str users_root_canonical_id(const struct users *users);

/* Administration; worker (these wait for the commit). */
struct user_info { /* strings in the arena */
    str name, canonical_id, display_name, email;
    int64_t created_ms;
    bool is_disabled;
};
struct key_info {
    str access_key, user, description;
    int64_t created_ms, expires_ms;
    bool is_disabled;
};
/* display_name and email may be empty, canonical_id empty: a new one. ERR_USER_EXISTS, ERR_BAD_ARGUMENT. */
enum err users_create(struct users *users, const struct user_info *wanted, struct arena *arena, struct user_info *out,
                      struct fail *fail);
/* ERR_USER_HAS_BUCKETS when it still owns buckets; its keys go with it. ERR_NO_SUCH_USER. */
enum err users_remove(struct users *users, str name, struct fail *fail);
enum err users_list(struct users *users, struct arena *arena, struct user_info **out, size_t *out_count);
/* access_key and secret may be empty: made. The secret is in *out_secret, in the arena, and never shown again. */
enum err keys_create(struct users *users, const struct key_info *wanted, str wanted_secret, struct arena *arena,
                     struct key_info *out, str *out_secret, struct fail *fail);
enum err keys_list(struct users *users, str user_or_empty, struct arena *arena, struct key_info **out, size_t *out_count);
enum err keys_revoke(struct users *users, str access_key, struct fail *fail);
