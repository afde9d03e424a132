/* Aim: a request is checked against what the catalogue holds now. Whatever an administrator changed is in force with the
 * next look, the cache notwithstanding, and no answer tells a stranger more than "no such key". */
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include "event/thread.h"
#include "iam/secret.h"
#include "object/users.h"
#include "store/mem/mem_engine.h"
#include "../unit.h"

struct fixture {
    struct engine *engine;
    struct users *users;
    struct arena *arena;
    struct fail fail;
};

static struct users *users_over(struct engine *engine, uint8_t master_byte)
{
    struct users_options options = {
        .engine = engine,
        .root_access_key = STR("rootkey"),
        .root_secret_key = STR("rootsecret"),
    };
    memset(options.master_key, master_byte, sizeof(options.master_key));
    return users_new(&options);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_ok(mem_engine_open(&f->engine));
    f->users = users_over(f->engine, 7);
    f->arena = arena_new(1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    users_free(f->users);
    engine_close(f->engine);
    arena_free(f->arena);
    free(f);
    return 0;
}

static struct user_info create_user(struct fixture *f, const char *name)
{
    struct user_info wanted = {.name = str_from(name)}, made;
    assert_ok(users_create(f->users, &wanted, f->arena, &made, &f->fail));
    return made;
}

static struct key_info create_key(struct fixture *f, const char *user, const char *access_key,
                                  const char *secret)
{
    struct key_info wanted = {.user = str_from(user), .access_key = str_from(access_key)}, made;
    str out_secret;
    assert_ok(
        keys_create(f->users, &wanted, str_from(secret), f->arena, &made, &out_secret, &f->fail));
    return made;
}

static enum err find(struct fixture *f, const char *access_key, struct credential *out)
{
    return users_find_key(f->users, str_from(access_key), VIEW_WAIT, out);
}

/* A row written behind the back of struct users, as another version or a restored backup would leave it. */
struct raw_write {
    struct update update;
    enum table_id table;
    const void *row;
};

static enum err apply_raw(struct update *update, struct tx *tx)
{
    struct raw_write *write = container_of(update, struct raw_write, update);
    return row_put(tx, write->table, write->row);
}

static void put_row(struct fixture *f, enum table_id table, const void *row)
{
    struct raw_write write = {.update.apply = apply_raw, .table = table, .row = row};
    assert_ok(catalog_update_wait(f->engine, &write.update));
}

static void test_root(void **state)
{
    struct fixture *f = *state;
    struct credential found;
    assert_ok(users_find_key(f->users, STR("rootkey"), VIEW_NOWAIT, &found));
    assert_true(found.is_root);
    assert_string_equal(found.secret_key, "rootsecret");
    assert_string_equal(found.user_name, "");
    assert_string_equal(found.display_name, "root");
    assert_true(canonical_id_is_valid(str_from(found.canonical_id)));
    assert_str(str_from(found.canonical_id), users_root_canonical_id(f->users));
    char name[DISPLAY_NAME_MAX + 1];
    assert_ok(users_display_name(f->users, users_root_canonical_id(f->users), VIEW_NOWAIT, name));
    assert_string_equal(name, "root");
    assert_err(keys_revoke(f->users, STR("rootkey"), &f->fail), ERR_BAD_ARGUMENT);
}

/* Root's canonical id follows the master key alone, so that a change of root's keys leaves it its buckets. */
static void test_root_id_is_of_the_installation(void **state)
{
    struct fixture *f = *state;
    struct users_options options = {.engine = f->engine,
                                    .root_access_key = STR("other"),
                                    .root_secret_key = STR("othersecret")};
    memset(options.master_key, 7, sizeof(options.master_key));
    struct users *same = users_new(&options);
    struct users *other = users_over(f->engine, 8);
    assert_str(users_root_canonical_id(same), users_root_canonical_id(f->users));
    assert_false(str_eq(users_root_canonical_id(other), users_root_canonical_id(f->users)));
    users_free(same);
    users_free(other);
}

static void test_created_key_is_found(void **state)
{
    struct fixture *f = *state;
    struct user_info wanted = {
        .name = STR("alice"), .display_name = STR("Alice A."), .email = STR("a@example.org")};
    struct user_info user;
    assert_ok(users_create(f->users, &wanted, f->arena, &user, &f->fail));
    assert_true(canonical_id_is_valid(user.canonical_id));
    assert_true(user.created_ms > 0);
    struct key_info key;
    str secret;
    assert_ok(keys_create(f->users,
                          &(struct key_info){.user = STR("alice"), .description = STR("laptop")},
                          STR(""), f->arena, &key, &secret, &f->fail));
    assert_true(str_has_prefix(key.access_key, STR("pail-")));
    assert_int_equal(key.access_key.len, ACCESS_KEY_ID_LEN);
    assert_int_equal(secret.len, ACCESS_KEY_SECRET_LEN);
    for (int pass = 0; pass < 2; pass++) {
        /* First from the catalogue, then from memory. */
        struct credential found;
        assert_ok(users_find_key(f->users, key.access_key, VIEW_WAIT, &found));
        assert_str(str_from(found.secret_key), secret);
        assert_string_equal(found.user_name, "alice");
        assert_string_equal(found.display_name, "Alice A.");
        assert_str(str_from(found.canonical_id), user.canonical_id);
        assert_false(found.is_root);
    }
}

static void test_wanted_key(void **state)
{
    struct fixture *f = *state;
    create_user(f, "alice");
    create_key(f, "alice", "AKIDEXAMPLE", "a secret that was chosen");
    struct credential found;
    assert_ok(find(f, "AKIDEXAMPLE", &found));
    assert_string_equal(found.secret_key, "a secret that was chosen");
}

/* The secret lies nowhere in the row as it was given. */
static void test_secret_is_sealed(void **state)
{
    struct fixture *f = *state;
    create_user(f, "alice");
    create_key(f, "alice", "AKID", "plainsecret");
    struct tx *tx;
    assert_ok(view_begin(f->engine, VIEW_WAIT, &tx));
    struct access_key_row row = {.id = STR("AKID")};
    assert_ok(row_get(tx, TABLE_access_key, &row, f->arena));
    assert_true(str_find(row.sealed_secret, STR("plainsecret")) < 0);
    assert_true(row.sealed_secret.len > 0);
    view_end(tx);
}

static void test_unknown_keys(void **state)
{
    struct fixture *f = *state;
    char longest[ACCESS_KEY_MAX + 2];
    memset(longest, 'k', sizeof(longest));
    str cases[] = {STR(""),
                   STR("x"),
                   STR("nobody"),
                   STR("ROOTKEY"),
                   str_of(longest, ACCESS_KEY_MAX),
                   str_of(longest, ACCESS_KEY_MAX + 1)};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct credential found;
        assert_err(users_find_key(f->users, cases[i], VIEW_WAIT, &found), ERR_NO_SUCH_ACCESS_KEY);
    }
}

/* A key that was asked for in vain before it existed is found once it does. */
static void test_absence_is_not_remembered(void **state)
{
    struct fixture *f = *state;
    struct credential found;
    create_user(f, "alice");
    assert_err(find(f, "LATER", &found), ERR_NO_SUCH_ACCESS_KEY);
    create_key(f, "alice", "LATER", "secretsecret");
    assert_ok(find(f, "LATER", &found));
}

static void test_revoked_at_once(void **state)
{
    struct fixture *f = *state;
    struct credential found;
    create_user(f, "alice");
    create_key(f, "alice", "KEYONE", "secretsecret");
    create_key(f, "alice", "KEYTWO", "secretsecret");
    assert_ok(find(f, "KEYONE", &found));
    assert_ok(find(f, "KEYTWO", &found));
    assert_ok(keys_revoke(f->users, STR("KEYONE"), &f->fail));
    assert_err(find(f, "KEYONE", &found), ERR_NO_SUCH_ACCESS_KEY);
    assert_ok(find(f, "KEYTWO", &found));
    assert_err(keys_revoke(f->users, STR("KEYONE"), &f->fail), ERR_NO_SUCH_ACCESS_KEY);
}

/* The same access key with another secret: the generation tells caches of signing keys. */
static void test_generation_changes_with_the_secret(void **state)
{
    struct fixture *f = *state;
    struct credential before, after;
    create_user(f, "alice");
    create_key(f, "alice", "KEYONE", "secretone");
    assert_ok(find(f, "KEYONE", &before));
    assert_ok(find(f, "KEYONE", &after));
    assert_int_equal(before.generation, after.generation);
    assert_ok(keys_revoke(f->users, STR("KEYONE"), &f->fail));
    create_key(f, "alice", "KEYONE", "secrettwo");
    assert_ok(find(f, "KEYONE", &after));
    assert_string_equal(after.secret_key, "secrettwo");
    assert_int_not_equal(before.generation, after.generation);
    assert_true(after.generation > 1); /* root's */
}

static void test_removed_user_takes_its_keys(void **state)
{
    struct fixture *f = *state;
    struct credential found;
    create_user(f, "alice");
    create_user(f, "bob");
    create_key(f, "alice", "ALICE1", "secretsecret");
    create_key(f, "alice", "ALICE2", "secretsecret");
    create_key(f, "bob", "BOB1", "secretsecret");
    assert_ok(find(f, "ALICE1", &found));
    assert_ok(users_remove(f->users, STR("alice"), &f->fail));
    assert_err(find(f, "ALICE1", &found), ERR_NO_SUCH_ACCESS_KEY);
    assert_err(find(f, "ALICE2", &found), ERR_NO_SUCH_ACCESS_KEY);
    assert_ok(find(f, "BOB1", &found));
    struct key_info *key;
    size_t count;
    assert_ok(keys_list(f->users, STR(""), f->arena, &key, &count));
    assert_int_equal(count, 1);
    assert_err(users_remove(f->users, STR("alice"), &f->fail), ERR_NO_SUCH_USER);
    /* A new user of that name does not inherit them. */
    create_user(f, "alice");
    assert_err(find(f, "ALICE1", &found), ERR_NO_SUCH_ACCESS_KEY);
}

static void test_user_with_buckets_stays(void **state)
{
    struct fixture *f = *state;
    struct credential found;
    struct user_info alice = create_user(f, "alice");
    create_key(f, "alice", "ALICE1", "secretsecret");
    put_row(f, TABLE_owned_bucket,
            &(struct owned_bucket_row){.owner = alice.canonical_id, .name = STR("photos")});
    assert_err(users_remove(f->users, STR("alice"), &f->fail), ERR_USER_HAS_BUCKETS);
    assert_non_null(strstr(f->fail.detail, "photos"));
    assert_ok(find(f, "ALICE1", &found));
}

static void test_disabled(void **state)
{
    struct fixture *f = *state;
    struct user_info alice = create_user(f, "alice");
    create_key(f, "alice", "KEYONE", "secretsecret");
    struct user_row row = {.name = alice.name, .canonical_id = alice.canonical_id, .disabled = 1};
    put_row(f, TABLE_user, &row);
    struct credential found;
    assert_err(find(f, "KEYONE", &found), ERR_NO_SUCH_ACCESS_KEY);
    row.disabled = 0;
    put_row(f, TABLE_user, &row);
    assert_ok(find(f, "KEYONE", &found));
    put_row(f, TABLE_access_key,
            &(struct access_key_row){.id = STR("KEYTWO"), .user = alice.name, .disabled = 1});
    assert_err(find(f, "KEYTWO", &found), ERR_NO_SUCH_ACCESS_KEY);
}

/* A key that was good when it was read into memory is over at its time all the same. */
static void test_expiry(void **state)
{
    struct fixture *f = *state;
    create_user(f, "alice");
    struct key_info wanted = {.user = STR("alice"),
                              .access_key = STR("SHORT"),
                              .expires_ms = clock_real_ms() + 60},
                    made;
    str secret;
    assert_ok(keys_create(f->users, &wanted, STR(""), f->arena, &made, &secret, &f->fail));
    struct credential found;
    assert_ok(find(f, "SHORT", &found));
    while (clock_real_ms() < wanted.expires_ms)
        ;
    assert_err(find(f, "SHORT", &found), ERR_NO_SUCH_ACCESS_KEY);
}

static void test_damaged_secret(void **state)
{
    struct fixture *f = *state;
    create_user(f, "alice");
    put_row(f, TABLE_access_key,
            &(struct access_key_row){
                .id = STR("BROKEN"), .user = STR("alice"), .sealed_secret = STR("\1nonsense")});
    struct credential found;
    assert_err(find(f, "BROKEN", &found), ERR_CORRUPT);
}

static void test_bad_users(void **state)
{
    struct fixture *f = *state;
    struct user_info alice = create_user(f, "alice");
    static char long_text[300];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[0] = '@' + 1;
    const struct {
        struct user_info wanted;
        enum err expected;
        const char *field;
    } cases[] = {
        {{.name = STR("")}, ERR_BAD_ARGUMENT, "name"},
        {{.name = STR("a b")}, ERR_BAD_ARGUMENT, "name"},
        {{.name = STR("a/b")}, ERR_BAD_ARGUMENT, "name"},
        {{.name = str_of(long_text, 65)}, ERR_BAD_ARGUMENT, "name"},
        {{.name = STR("root")}, ERR_BAD_ARGUMENT, "name"},
        {{.name = STR("Root")}, ERR_BAD_ARGUMENT, "name"},
        {{.name = STR("alice")}, ERR_USER_EXISTS, "name"},
        {{.name = STR("bob"), .display_name = str_of(long_text, 129)},
         ERR_BAD_ARGUMENT,
         "display_name"},
        {{.name = STR("bob"), .display_name = STR("a\nb")}, ERR_BAD_ARGUMENT, "display_name"},
        {{.name = STR("bob"), .display_name = STR("\xff")}, ERR_BAD_ARGUMENT, "display_name"},
        {{.name = STR("bob"), .email = STR("nobody")}, ERR_BAD_ARGUMENT, "email"},
        {{.name = STR("bob"), .email = STR("@example.org")}, ERR_BAD_ARGUMENT, "email"},
        {{.name = STR("bob"), .email = STR("a b@example.org")}, ERR_BAD_ARGUMENT, "email"},
        {{.name = STR("bob"), .canonical_id = STR("12")}, ERR_BAD_ARGUMENT, "canonical_id"},
        {{.name = STR("bob"), .canonical_id = alice.canonical_id}, ERR_USER_EXISTS, "canonical_id"},
        {{.name = STR("bob"), .canonical_id = users_root_canonical_id(f->users)},
         ERR_USER_EXISTS,
         "canonical_id"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fail fail = {0};
        struct user_info made;
        assert_err(users_create(f->users, &cases[i].wanted, f->arena, &made, &fail),
                   cases[i].expected);
        assert_string_equal(fail.field, cases[i].field);
    }
    struct user_info *user;
    size_t count;
    assert_ok(users_list(f->users, f->arena, &user, &count));
    assert_int_equal(count, 1);
    /* On the limits. */
    struct user_info most = {.name = str_of(long_text, 64), .display_name = str_of(long_text, 128)},
                     made;
    assert_ok(users_create(f->users, &most, f->arena, &made, &f->fail));
}

static void test_bad_keys(void **state)
{
    struct fixture *f = *state;
    create_user(f, "alice");
    create_key(f, "alice", "TAKEN", "secretsecret");
    static char long_text[300];
    memset(long_text, 'x', sizeof(long_text) - 1);
    const struct {
        struct key_info wanted;
        const char *secret;
        enum err expected;
    } cases[] = {
        {{.user = STR("nobody")}, "", ERR_NO_SUCH_USER},
        {{.user = STR("")}, "", ERR_NO_SUCH_USER},
        {{.user = STR("alice"), .access_key = STR("TAKEN")}, "", ERR_EXISTS},
        {{.user = STR("alice"), .access_key = STR("rootkey")}, "", ERR_EXISTS},
        {{.user = STR("alice"), .access_key = STR("ab")}, "", ERR_BAD_ARGUMENT},
        {{.user = STR("alice"), .access_key = STR("a/b/c")}, "", ERR_BAD_ARGUMENT},
        {{.user = STR("alice"), .access_key = str_of(long_text, 129)}, "", ERR_BAD_ARGUMENT},
        {{.user = STR("alice")}, "short", ERR_BAD_ARGUMENT},
        {{.user = STR("alice"), .description = str_of(long_text, 257)}, "", ERR_BAD_ARGUMENT},
        {{.user = STR("alice"), .expires_ms = 1}, "", ERR_BAD_ARGUMENT},
        {{.user = STR("alice"), .expires_ms = -1}, "", ERR_BAD_ARGUMENT},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fail fail = {0};
        struct key_info made;
        str secret;
        assert_err(keys_create(f->users, &cases[i].wanted, str_from(cases[i].secret), f->arena,
                               &made, &secret, &fail),
                   cases[i].expected);
        assert_true(fail.detail[0] != '\0');
    }
}

static void test_lists(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 40 };
    char name[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "user%02d", i);
        create_user(f, name);
        create_key(f, name, "", "");
    }
    create_key(f, "user07", "SEVEN", "secretsecret");
    struct user_info *user;
    struct key_info *key;
    size_t count;
    assert_ok(users_list(f->users, f->arena, &user, &count));
    assert_int_equal(count, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "user%02d", i);
        assert_str(user[i].name, str_from(name));
        assert_str(user[i].display_name, str_from(name));
    }
    assert_ok(keys_list(f->users, STR(""), f->arena, &key, &count));
    assert_int_equal(count, MANY + 1);
    assert_ok(keys_list(f->users, STR("user07"), f->arena, &key, &count));
    assert_int_equal(count, 2);
    assert_str(key[0].user, STR("user07"));
    assert_err(keys_list(f->users, STR("nobody"), f->arena, &key, &count), ERR_NO_SUCH_USER);
}

static void test_display_names(void **state)
{
    struct fixture *f = *state;
    struct user_info alice = create_user(f, "alice");
    char name[DISPLAY_NAME_MAX + 1];
    /* A walk over all users is not for a loop; once known, the answer is. */
    assert_err(users_display_name(f->users, alice.canonical_id, VIEW_NOWAIT, name),
               ERR_WOULD_BLOCK);
    assert_ok(users_display_name(f->users, alice.canonical_id, VIEW_WAIT, name));
    assert_string_equal(name, "alice");
    assert_ok(users_display_name(f->users, alice.canonical_id, VIEW_NOWAIT, name));
    assert_string_equal(name, "alice");
    str cases[] = {STR(""), STR("12"),
                   STR("0000000000000000000000000000000000000000000000000000000000000000")};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_ok(users_display_name(f->users, cases[i], VIEW_WAIT, name));
        assert_string_equal(name, "");
    }
    assert_ok(users_remove(f->users, STR("alice"), &f->fail));
    assert_ok(users_display_name(f->users, alice.canonical_id, VIEW_WAIT, name));
    assert_string_equal(name, "");
}

static void test_master_key_is_checked(void **state)
{
    struct fixture *f = *state;
    assert_ok(users_check_master_key(f->users, &f->fail));
    assert_ok(users_check_master_key(f->users, &f->fail));
    struct users *other = users_over(f->engine, 8);
    assert_err(users_check_master_key(other, &f->fail), ERR_CORRUPT);
    assert_non_null(strstr(f->fail.detail, "master key"));
    users_free(other);
    assert_ok(users_check_master_key(f->users, &f->fail));
}

/* More keys than are kept in memory: all of them still work. */
static void test_cache_is_bounded(void **state)
{
    struct fixture *f = *state;
    enum { MORE_THAN_KEPT = 8200 };
    struct user_info alice = create_user(f, "alice");
    uint8_t master[32];
    memset(master, 7, sizeof(master));
    char id[16];
    struct secret_sealed sealed;
    for (int i = 0; i < MORE_THAN_KEPT; i++) {
        snprintf(id, sizeof(id), "key%05d", i);
        assert_ok(secret_seal(master, str_from(id), str_from(id), &sealed));
        put_row(f, TABLE_access_key,
                &(struct access_key_row){.id = str_from(id),
                                         .user = alice.name,
                                         .sealed_secret = secret_sealed_str(&sealed)});
    }
    struct credential found;
    for (int i = 0; i < MORE_THAN_KEPT; i++) {
        snprintf(id, sizeof(id), "key%05d", i);
        assert_ok(find(f, id, &found));
        assert_string_equal(found.secret_key, id);
    }
    assert_ok(find(f, "key00000", &found));
}

/* Readers beside an administrator who makes and revokes one key: after keys_revoke has returned, no reader may get it,
 * although readers put what they read into the cache all the time. */
struct race {
    struct fixture *f;
    int stop;
};

static void read_all_the_time(void *context)
{
    struct race *race = context;
    struct credential found;
    while (!__atomic_load_n(&race->stop, __ATOMIC_ACQUIRE))
        (void)users_find_key(race->f->users, STR("FLICKER"), VIEW_WAIT, &found);
}

static void test_no_reader_revives_a_revoked_key(void **state)
{
    struct fixture *f = *state;
    struct race race = {.f = f};
    create_user(f, "alice");
    pthread_t reader[4];
    for (size_t i = 0; i < COUNT_OF(reader); i++)
        assert_ok(thread_start(&reader[i], "reader", read_all_the_time, &race));
    int revived_count = 0;
    for (int i = 0; i < 1500; i++) {
        struct credential found;
        create_key(f, "alice", "FLICKER", "secretsecret");
        assert_ok(find(f, "FLICKER", &found));
        assert_ok(keys_revoke(f->users, STR("FLICKER"), &f->fail));
        revived_count += find(f, "FLICKER", &found) != ERR_NO_SUCH_ACCESS_KEY;
    }
    /* The readers end before anything is asserted: they use what a failure takes down. */
    __atomic_store_n(&race.stop, 1, __ATOMIC_RELEASE);
    for (size_t i = 0; i < COUNT_OF(reader); i++)
        thread_join(reader[i]);
    assert_int_equal(revived_count, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_root),
        CASE(test_root_id_is_of_the_installation),
        CASE(test_created_key_is_found),
        CASE(test_wanted_key),
        CASE(test_secret_is_sealed),
        CASE(test_unknown_keys),
        CASE(test_absence_is_not_remembered),
        CASE(test_revoked_at_once),
        CASE(test_generation_changes_with_the_secret),
        CASE(test_removed_user_takes_its_keys),
        CASE(test_user_with_buckets_stays),
        CASE(test_disabled),
        CASE(test_expiry),
        CASE(test_damaged_secret),
        CASE(test_bad_users),
        CASE(test_bad_keys),
        CASE(test_lists),
        CASE(test_display_names),
        CASE(test_master_key_is_checked),
        CASE(test_cache_is_bounded),
        CASE(test_no_reader_revives_a_revoked_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
