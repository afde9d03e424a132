/* Aim: a key comes back for exactly the names and the secret that it was put with, never for others, however full the
 * cache is; and what is too long for it is simply not cached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "iam/sigv4_cache.h"

static struct sigv4 claim(str access_key, str date, str region, str service)
{
    return (struct sigv4){
        .access_key = access_key, .date = date, .region = region, .service = service};
}

static void test_exact(void **state)
{
    (void)state;
    struct sigv4_cache *cache = sigv4_cache_new(1);
    struct sigv4 sig = claim(STR("key"), STR("20260301"), STR("r"), STR("s3"));
    const uint8_t key[SIGV4_KEY_SIZE] = {1, 2, 3};
    uint8_t got[SIGV4_KEY_SIZE];
    assert_false(sigv4_cache_find(cache, &sig, STR("tag"), got));
    sigv4_cache_put(cache, &sig, STR("tag"), key);
    assert_true(sigv4_cache_find(cache, &sig, STR("tag"), got));
    assert_memory_equal(got, key, sizeof key);
    const struct {
        struct sigv4 sig;
        str tag;
    } other[] = {
        {claim(STR("key2"), STR("20260301"), STR("r"), STR("s3")), STR("tag")},
        {claim(STR("ke"), STR("20260301"), STR("r"), STR("s3")), STR("tag")},
        {claim(STR("key"), STR("20260302"), STR("r"), STR("s3")), STR("tag")},
        {claim(STR("key"), STR("20260301"), STR("q"), STR("s3")), STR("tag")},
        {claim(STR("key"), STR("20260301"), STR("r"), STR("s4")), STR("tag")},
        {sig, STR("tagg")},
        {sig, STR("ta")},
        {sig, STR("")},
        {sig, STR("tah")},
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        assert_false(sigv4_cache_find(cache, &other[i].sig, other[i].tag, got));
    sigv4_cache_free(cache);
}

static void test_replace(void **state)
{
    (void)state;
    struct sigv4_cache *cache = sigv4_cache_new(4);
    struct sigv4 sig = claim(STR("key"), STR("20260301"), STR("r"), STR("s3"));
    uint8_t key[SIGV4_KEY_SIZE] = {1}, got[SIGV4_KEY_SIZE];
    sigv4_cache_put(cache, &sig, STR("tag"), key);
    key[0] = 2;
    sigv4_cache_put(cache, &sig, STR("tag"), key);
    assert_true(sigv4_cache_find(cache, &sig, STR("tag"), got));
    assert_int_equal(got[0], 2);
    sigv4_cache_free(cache);
}

static struct sigv4 numbered(char text[16], unsigned number)
{
    (void)snprintf(text, 16, "key-%u", number);
    return claim(str_from(text), STR("20260301"), STR("r"), STR("s3"));
}

/* Many more keys than places: an answer, if there is one, is the right one, and the newest is always there. */
static void test_overflow(void **state)
{
    (void)state;
    enum { ENTRIES = 64, KEYS = 2000 };
    struct sigv4_cache *cache = sigv4_cache_new(ENTRIES);
    unsigned found = 0;
    char text[16];
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t key[SIGV4_KEY_SIZE] = {0}, got[SIGV4_KEY_SIZE];
        memcpy(key, &i, sizeof i);
        struct sigv4 sig = numbered(text, i);
        sigv4_cache_put(cache, &sig, STR("tag"), key);
        assert_true(sigv4_cache_find(cache, &sig, STR("tag"), got));
        assert_memory_equal(got, key, sizeof key);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t got[SIGV4_KEY_SIZE];
        struct sigv4 sig = numbered(text, i);
        if (!sigv4_cache_find(cache, &sig, STR("tag"), got))
            continue;
        assert_memory_equal(got, &i, sizeof i);
        found++;
    }
    assert_true(found <= ENTRIES);
    assert_true(found >= ENTRIES / 2);
    sigv4_cache_free(cache);
}

static void test_too_long(void **state)
{
    (void)state;
    struct sigv4_cache *cache = sigv4_cache_new(16);
    char text[1024];
    memset(text, 'a', sizeof text);
    struct sigv4 sig = claim(STR("key"), STR("20260301"), STR("r"), STR("s3"));
    const uint8_t key[SIGV4_KEY_SIZE] = {1};
    uint8_t got[SIGV4_KEY_SIZE];
    size_t longest = 0;
    for (size_t len = 0; len <= sizeof text; len++) {
        sigv4_cache_put(cache, &sig, str_of(text, len), key);
        if (sigv4_cache_find(cache, &sig, str_of(text, len), got))
            longest = len;
    }
    /* The largest sealed secret and a common key fit. */
    assert_true(longest >= 160);
    assert_true(longest < sizeof text);
    sigv4_cache_free(cache);
    sigv4_cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
