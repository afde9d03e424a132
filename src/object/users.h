/* Users and access keys: stored in the catalogue, looked up on every request, so kept in memory
 * as well.
 *
 * The root account is not stored: its keys come from the settings or the root key file, its
 * canonical id is derived. Secrets lie sealed in the catalogue (iam/secret.h) under the master
 * key of the data folder. A change is in force at once: it goes through this struct, which
 * forgets what it had cached after the commit. (Several processes over one database will need an
 * age limit of the cache; that comes with that engine.) */
#pragma once

#include "iam/identity.h"
#include "iam/keys.h"
#include "object/store.h"

struct users;

struct users_options {
    struct engine *engine;
    uint8_t master_key[32];
    str root_access_key; /* copied */
    str root_secret_key;
};
struct users *users_new(const struct users_options *options);
void users_free(struct users *users); /* wipes the secrets; null is allowed */

/* Whether this master key is the one that the catalogue's secrets are sealed under; leaves a
 * mark in a new catalogue. To be asked once at start: another key would refuse every user, one
 * by one. ERR_CORRUPT with a sentence in fail. Worker. */
enum err users_check_master_key(struct users *users, struct fail *fail);

/* What a request is checked against. Plain values, copied out; no pointer into the cache. */
enum {
    ACCESS_KEY_MAX = ACCESS_KEY_ID_MAX,
    SECRET_KEY_MAX = ACCESS_KEY_SECRET_MAX,
    DISPLAY_NAME_MAX = 128,
    EMAIL_MAX = 254,           /* RFC 5321 4.5.3.1.3, without the brackets */
    KEY_DESCRIPTION_MAX = 256, /* bytes */
};
struct credential {
    char access_key[ACCESS_KEY_MAX + 1];
    char secret_key[SECRET_KEY_MAX + 1];
    char user_name[USER_NAME_MAX + 1]; /* empty for root */
    char display_name[DISPLAY_NAME_MAX + 1];
    char canonical_id[CANONICAL_ID_BYTES + 1];
    bool is_root;
    uint64_t
        generation; /* changes whenever this key's secret may have changed: part of a signing key cache's key */
};
/* Thread-safe. ERR_NO_SUCH_ACCESS_KEY (absent, disabled, expired, its user disabled),
 * ERR_WOULD_BLOCK with VIEW_NOWAIT, ERR_CORRUPT when the secret does not open. The caller wipes
 * what it no longer needs. */
enum err users_find_key(struct users *users, str access_key, enum view_flags flags,
                        struct credential *out);
/* Display name of an owner: of root, or of the user with that canonical id; empty when unknown.
 * Thread-safe, cached; what is not in memory yet is ERR_WOULD_BLOCK with VIEW_NOWAIT. */
enum err users_display_name(struct users *users, str canonical_id, enum view_flags flags,
                            char out[DISPLAY_NAME_MAX + 1]);
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
/* email may be empty, display_name empty: the name, canonical_id empty: a new one; created_ms is
 * set. ERR_USER_EXISTS (also for a canonical id that another has), ERR_BAD_ARGUMENT. The name
 * "root" is not given away. */
enum err users_create(struct users *users, const struct user_info *wanted, struct arena *arena,
                      struct user_info *out, struct fail *fail);
/* ERR_USER_HAS_BUCKETS when it still owns buckets; its keys go with it. ERR_NO_SUCH_USER. */
enum err users_remove(struct users *users, str name, struct fail *fail);
enum err users_list(struct users *users, struct arena *arena, struct user_info **out,
                    size_t *out_count);
/* access_key and secret may be empty: made; expires_ms 0: never. The secret is in *out_secret,
 * in the arena, and never shown again. ERR_NO_SUCH_USER, ERR_EXISTS, ERR_BAD_ARGUMENT. */
enum err keys_create(struct users *users, const struct key_info *wanted, str wanted_secret,
                     struct arena *arena, struct key_info *out, str *out_secret, struct fail *fail);
/* Of one user, or of all. ERR_NO_SUCH_USER. */
enum err keys_list(struct users *users, str user_or_empty, struct arena *arena,
                   struct key_info **out, size_t *out_count);
/* When it returns OK, no request with this key is accepted any more. ERR_NO_SUCH_ACCESS_KEY. */
enum err keys_revoke(struct users *users, str access_key, struct fail *fail);
