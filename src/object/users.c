/* What a request is checked against: access keys and owners' names, from memory, else from the
 * catalogue.
 *
 * What was read is remembered only if no change was committed meanwhile (change_count), so that
 * nobody puts back what a revocation has just removed. An unknown access key is not remembered:
 * a stranger could fill the memory with names, and the next request may come after the key was
 * made. */
#include "object/users.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/hash.h"
#include "base/mem.h"
#include "iam/secret.h"
#include "object/users_int.h"

/* The most entries of each kind that are kept; then all are forgotten, which costs each key one
 * read. */
enum { KNOWN_MAX_COUNT = 8192, LOAD_ARENA_BYTES = 1 << 16 };

/* Copies a str into an array that a stored row's limits make large enough; ERR_CORRUPT when it
 * is not. */
static enum err put_text(char *dst, size_t size, str text)
{
    if (text.len >= size)
        return ERR_CORRUPT;
    if (text.len)
        memcpy(dst, text.ptr, text.len);
    dst[text.len] = '\0';
    return OK;
}

static void lock_init(pthread_rwlock_t *lock)
{
    /* Readers come without pause on a busy server; a revocation must not wait for a gap between
     * them. */
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

/* The root account's canonical id comes from the master key: it outlives a change of root's
 * keys, and differs between installations. */
static void set_root(struct users *users, const struct users_options *options)
{
    struct credential *root = &users->root;
    enum err err = put_text(root->access_key, sizeof(root->access_key), options->root_access_key);
    if (err == OK)
        err = put_text(root->secret_key, sizeof(root->secret_key), options->root_secret_key);
    assert(err == OK);
    uint8_t digest[SHA256_SIZE];
    hmac_sha256(str_of(users->master_key, sizeof(users->master_key)), STR("pail root canonical id"),
                digest);
    hex_encode(digest, sizeof(digest), root->canonical_id);
    memcpy(root->display_name, "root", sizeof("root"));
    root->is_root = true;
    root->generation = 1;
}

struct users *users_new(const struct users_options *options)
{
    assert(options->root_access_key.len && options->root_secret_key.len);
    struct users *users = mem_new(struct users);
    users->engine = options->engine;
    memcpy(users->master_key, options->master_key, sizeof(users->master_key));
    lock_init(&users->lock);
    users->key = map_new();
    users->owner = map_new();
    set_root(users, options);
    atomic_store(&users->generation, users->root.generation);
    return users;
}

static void forget_keys_locked(struct users *users)
{
    size_t at = 0;
    str name;
    void *value;
    while (map_next(users->key, &at, &name, &value)) {
        explicit_bzero(value, sizeof(struct known_key));
        mem_free(value);
    }
    map_free(users->key);
    users->key = map_new();
}

static void forget_owners_locked(struct users *users)
{
    size_t at = 0;
    str name;
    void *value;
    while (map_next(users->owner, &at, &name, &value))
        mem_free(value);
    map_free(users->owner);
    users->owner = map_new();
}

void users_forget(struct users *users)
{
    pthread_rwlock_wrlock(&users->lock);
    users->change_count++;
    forget_keys_locked(users);
    forget_owners_locked(users);
    pthread_rwlock_unlock(&users->lock);
}

void users_free(struct users *users)
{
    if (!users)
        return;
    users_forget(users);
    map_free(users->key);
    map_free(users->owner);
    pthread_rwlock_destroy(&users->lock);
    explicit_bzero(users, sizeof(*users));
    mem_free(users);
}

str users_root_canonical_id(const struct users *users)
{
    return str_of(users->root.canonical_id, CANONICAL_ID_BYTES);
}

/* ---- Access keys ---- */

/* Also gives the count of changes that what is read next belongs to. */
static bool find_known_key(struct users *users, str access_key, struct known_key *out,
                           uint64_t *out_change_count)
{
    pthread_rwlock_rdlock(&users->lock);
    const struct known_key *known = map_find(users->key, access_key);
    if (known)
        *out = *known;
    *out_change_count = users->change_count;
    pthread_rwlock_unlock(&users->lock);
    return known != NULL;
}

static void remember_key(struct users *users, const struct known_key *known, uint64_t change_count)
{
    struct known_key *entry = mem_new(struct known_key);
    *entry = *known;
    pthread_rwlock_wrlock(&users->lock);
    if (users->change_count == change_count) {
        if (map_count(users->key) >= KNOWN_MAX_COUNT)
            forget_keys_locked(users);
        entry = map_set(users->key, str_from(known->credential.access_key), entry);
    }
    pthread_rwlock_unlock(&users->lock);
    if (entry)
        explicit_bzero(entry, sizeof(*entry));
    mem_free(entry);
}

static enum err open_secret(const struct users *users, const struct access_key_row *row,
                            struct credential *out)
{
    struct secret secret;
    TRY(secret_open(users->master_key, row->id, row->sealed_secret, &secret));
    enum err err = put_text(out->secret_key, sizeof(out->secret_key), secret_str(&secret));
    secret_wipe(&secret);
    return err;
}

static enum err read_credential(const struct users *users, struct tx *tx, str access_key,
                                struct arena *arena, struct known_key *out)
{
    struct access_key_row key = {.id = access_key};
    TRY(row_get(tx, TABLE_access_key, &key, arena));
    struct user_row user = {.name = key.user};
    TRY(row_get(tx, TABLE_user, &user, arena));
    if (key.disabled || user.disabled)
        return ERR_NOT_FOUND;
    struct credential *credential = &out->credential;
    TRY(put_text(credential->access_key, sizeof(credential->access_key), access_key));
    TRY(put_text(credential->user_name, sizeof(credential->user_name), user.name));
    TRY(put_text(credential->display_name, sizeof(credential->display_name), user.display_name));
    TRY(put_text(credential->canonical_id, sizeof(credential->canonical_id), user.canonical_id));
    out->expires_ms = (int64_t)key.expires_ms;
    return open_secret(users, &key, credential);
}

/* ERR_NOT_FOUND for a key that may not be used, whatever the reason: a stranger learns nothing
 * from it. */
static enum err load_key(struct users *users, str access_key, enum view_flags flags,
                         struct known_key *out)
{
    struct tx *tx;
    TRY(view_begin(users->engine, flags, &tx));
    struct arena *arena = arena_new(LOAD_ARENA_BYTES);
    *out = (struct known_key){0};
    enum err err = read_credential(users, tx, access_key, arena, out);
    view_end(tx);
    arena_free(arena);
    out->credential.generation = atomic_fetch_add(&users->generation, 1) + 1;
    return err;
}

static bool is_over(const struct known_key *known)
{
    return known->expires_ms && clock_real_ms() >= known->expires_ms;
}

/* The key from memory or from the catalogue, expired or not. */
static enum err get_key(struct users *users, str access_key, enum view_flags flags,
                        struct known_key *out)
{
    uint64_t change_count;
    if (find_known_key(users, access_key, out, &change_count))
        return OK;
    TRY(load_key(users, access_key, flags, out));
    remember_key(users, out, change_count);
    return OK;
}

enum err users_find_key(struct users *users, str access_key, enum view_flags flags,
                        struct credential *out)
{
    if (str_eq(access_key, str_from(users->root.access_key))) {
        *out = users->root;
        return OK;
    }
    if (access_key.len < ACCESS_KEY_ID_MIN || access_key.len > ACCESS_KEY_MAX)
        return ERR_NO_SUCH_ACCESS_KEY;
    struct known_key known;
    enum err err = get_key(users, access_key, flags, &known);
    if (err == ERR_NOT_FOUND || (err == OK && is_over(&known)))
        err = ERR_NO_SUCH_ACCESS_KEY;
    if (err == OK)
        *out = known.credential;
    explicit_bzero(&known, sizeof(known));
    return err;
}

/* ---- Names of owners ---- */

static bool find_known_owner(struct users *users, str canonical_id, char out[DISPLAY_NAME_MAX + 1],
                             uint64_t *out_change_count)
{
    pthread_rwlock_rdlock(&users->lock);
    const struct known_owner *known = map_find(users->owner, canonical_id);
    if (known)
        memcpy(out, known->display_name, sizeof(known->display_name));
    *out_change_count = users->change_count;
    pthread_rwlock_unlock(&users->lock);
    return known != NULL;
}

static void remember_owner(struct users *users, str canonical_id, const struct known_owner *known,
                           uint64_t change_count)
{
    struct known_owner *entry = mem_new(struct known_owner);
    *entry = *known;
    pthread_rwlock_wrlock(&users->lock);
    if (users->change_count == change_count) {
        if (map_count(users->owner) >= KNOWN_MAX_COUNT)
            forget_owners_locked(users);
        entry = map_set(users->owner, canonical_id, entry);
    }
    pthread_rwlock_unlock(&users->lock);
    mem_free(entry);
}

enum err user_next_with_canonical_id(struct cursor *cursor, str canonical_id, struct user_row *out)
{
    enum err err;
    do
        err = cursor_next(cursor, out);
    while (err == OK && !str_eq(out->canonical_id, canonical_id));
    return err;
}

/* Looks through all users: rows are found by name only, and this happens once per owner and
 * change. */
static enum err search_owner(struct tx *tx, str canonical_id, struct known_owner *out)
{
    struct cursor *cursor;
    struct user_row row = {0};
    TRY(cursor_open(tx, TABLE_user, &row, 0, &cursor));
    enum err err = user_next_with_canonical_id(cursor, canonical_id, &row);
    if (err == OK)
        err = put_text(out->display_name, sizeof(out->display_name), row.display_name);
    cursor_close(cursor);
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err users_display_name(struct users *users, str canonical_id, enum view_flags flags,
                            char out[DISPLAY_NAME_MAX + 1])
{
    if (str_eq(canonical_id, users_root_canonical_id(users)))
        return put_text(out, DISPLAY_NAME_MAX + 1, str_from(users->root.display_name));
    if (canonical_id.len != CANONICAL_ID_BYTES)
        return put_text(out, DISPLAY_NAME_MAX + 1, STR(""));
    uint64_t change_count;
    if (find_known_owner(users, canonical_id, out, &change_count))
        return OK;
    /* A walk over all users is not for a loop, even where the engine could do it without
     * waiting. */
    if (flags & VIEW_NOWAIT)
        return ERR_WOULD_BLOCK;
    struct known_owner known = {0};
    struct tx *tx;
    TRY(view_begin(users->engine, flags, &tx));
    enum err err = search_owner(tx, canonical_id, &known);
    view_end(tx);
    if (err != OK)
        return err;
    remember_owner(users, canonical_id, &known, change_count);
    memcpy(out, known.display_name, sizeof(known.display_name));
    return OK;
}
