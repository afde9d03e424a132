/* Aim: the chunk and trailer signatures of AWS's two examples are accepted in their order and in no other, and a chunk
 * of other bytes, a damaged signature or a changed trailer is refused. What the client's side signs, the server's accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "iam/sigv4_chain.h"
#include "vectors.h"

static int set_up(void **state)
{
    *state = arena_new(4 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static void hash_of_a(size_t len, uint8_t hash[32])
{
    char *bytes = mem_alloc(len + 1);
    memset(bytes, 'a', len);
    sha256_of(bytes, len, hash);
    mem_free(bytes);
}

static struct sigv4_chain begin(const struct vector *vector, struct arena *arena)
{
    struct sigv4 sig;
    struct sigv4_chain chain;
    uint8_t key[SIGV4_KEY_SIZE];
    assert_int_equal(sigv4_parse(&vector->request, arena, &sig, NULL), OK);
    sigv4_signing_key(vector->secret, sig.date, sig.region, sig.service, key);
    sigv4_chain_begin(&chain, &sig, key);
    return chain;
}

static enum err verify(struct sigv4_chain *chain, const struct vector *vector, size_t i)
{
    uint8_t hash[32];
    hash_of_a(vector->chunk[i].len, hash);
    return sigv4_chain_verify_chunk(chain, hash, vector->chunk[i].signature);
}

static void test_examples(void **state)
{
    size_t count, checked = 0;
    const struct vector *vector = vectors_read(*state, "aws.txt", &count);
    for (size_t i = 0; i < count; i++) {
        if (vector[i].chunk_count == 0)
            continue;
        struct sigv4_chain chain = begin(&vector[i], *state);
        for (size_t k = 0; k < vector[i].chunk_count; k++)
            assert_int_equal(verify(&chain, &vector[i], k), OK);
        if (vector[i].trailer.name.len > 0)
            assert_int_equal(sigv4_chain_verify_trailer(&chain, &vector[i].trailer, 1,
                                                        vector[i].trailer_signature),
                             OK);
        checked++;
    }
    assert_int_equal(checked, 2);
}

/* The example with chunks and a trailer, and a chain before its first chunk. */
static const struct vector *find_example(struct arena *arena, struct sigv4_chain *chain)
{
    size_t count;
    const struct vector *vector = vectors_read(arena, "aws.txt", &count);
    size_t i = 0;
    while (i < count && vector[i].trailer.name.len == 0)
        i++;
    assert_true(i < count);
    *chain = begin(&vector[i], arena);
    return &vector[i];
}

static void test_refusals(void **state)
{
    struct sigv4_chain start, chain;
    const struct vector *vector = find_example(*state, &start);
    uint8_t hash[32], other_hash[32];
    char damaged[64];
    hash_of_a(vector->chunk[0].len, hash);
    hash_of_a(vector->chunk[0].len - 1, other_hash);
    str good = vector->chunk[0].signature;
    memcpy(damaged, good.ptr, 64);
    damaged[63] = damaged[63] == '0' ? '1' : '0';
    const struct {
        const uint8_t *hash;
        str signature;
        enum err expected;
    } row[] = {
        {hash, good, OK},
        {other_hash, good, ERR_SIGNATURE_MISMATCH},
        {hash, str_of(damaged, 64), ERR_SIGNATURE_MISMATCH},
        {hash, vector->chunk[1].signature, ERR_SIGNATURE_MISMATCH}, /* out of order */
        {hash, str_slice(good, 0, 63), ERR_SIGNATURE_MISMATCH},
        {hash, STR(""), ERR_SIGNATURE_MISMATCH},
        {hash, STR("zz55627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
         ERR_SIGNATURE_MISMATCH},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        chain = start;
        assert_int_equal(sigv4_chain_verify_chunk(&chain, row[i].hash, row[i].signature),
                         row[i].expected);
    }
    /* A chunk left out, and a chunk sent twice. */
    chain = start;
    assert_int_equal(verify(&chain, vector, 1), ERR_SIGNATURE_MISMATCH);
    chain = start;
    assert_int_equal(verify(&chain, vector, 0), OK);
    assert_int_equal(verify(&chain, vector, 0), ERR_SIGNATURE_MISMATCH);
}

static void test_trailer_forms(void **state)
{
    struct sigv4_chain start, chain;
    const struct vector *vector = find_example(*state, &start);
    for (size_t i = 0; i < vector->chunk_count; i++)
        assert_int_equal(verify(&start, vector, i), OK);
    static const struct {
        struct pair field[2];
        size_t count;
        enum err expected;
    } row[] = {
        {{{STR_INIT("X-Amz-Checksum-CRC32C"), STR_INIT("  sOO8/Q== \t")}}, 1, OK},
        {{{STR_INIT("x-amz-checksum-crc32c"), STR_INIT("sOO8/R==")}}, 1, ERR_SIGNATURE_MISMATCH},
        {{{STR_INIT("x-amz-checksum-crc32"), STR_INIT("sOO8/Q==")}}, 1, ERR_SIGNATURE_MISMATCH},
        {{{STR_INIT("x-amz-checksum-crc32c"), STR_INIT("sOO8/Q==")},
          {STR_INIT("x-amz-meta-a"), STR_INIT("b")}},
         2,
         ERR_SIGNATURE_MISMATCH},
        {{{STR_INIT(""), STR_INIT("")}}, 0, ERR_SIGNATURE_MISMATCH},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        chain = start;
        assert_int_equal(sigv4_chain_verify_trailer(&chain, row[i].field, row[i].count,
                                                    vector->trailer_signature),
                         row[i].expected);
    }
}

/* Both sides see the fields in one order, and the trailer has a limit. */
static void test_trailer_order_and_limit(void **state)
{
    struct sigv4_chain start, client, server;
    (void)find_example(*state, &start);
    const struct pair field[] = {
        {STR("b"), STR("1")}, {STR("A-b"), STR("2")}, {STR("a"), STR("3")}};
    const struct pair turned[] = {
        {STR("a"), STR("3")}, {STR("a-B"), STR("2")}, {STR("B"), STR("1")}};
    char signature[SIGV4_SIGNATURE_HEX_LEN];
    client = server = start;
    assert_int_equal(sigv4_chain_sign_trailer(&client, field, 3, signature), OK);
    assert_int_equal(
        sigv4_chain_verify_trailer(&server, turned, 3, str_of(signature, sizeof signature)), OK);
    struct pair many[SIGV4_TRAILER_FIELDS_MAX + 1];
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        many[i] = field[0];
    client = start;
    assert_int_equal(sigv4_chain_sign_trailer(&client, many, SIGV4_TRAILER_FIELDS_MAX, signature),
                     OK);
    assert_int_equal(
        sigv4_chain_sign_trailer(&client, many, SIGV4_TRAILER_FIELDS_MAX + 1, signature),
        ERR_TOO_LARGE);
    struct pair huge = {STR("a"), arena_join(*state, (str[]){STR("")}, 1)};
    huge.value = str_of(arena_zalloc(*state, 20000), 20000);
    assert_int_equal(sigv4_chain_verify_trailer(&start, &huge, 1, STR("")), ERR_TOO_LARGE);
}

static void test_client_and_server(void **state)
{
    struct sigv4_chain client, server;
    (void)find_example(*state, &client);
    server = client;
    for (size_t len = 0; len < 20; len++) {
        uint8_t hash[32];
        char signature[SIGV4_SIGNATURE_HEX_LEN];
        hash_of_a(len, hash);
        sigv4_chain_sign_chunk(&client, hash, signature);
        assert_int_equal(
            sigv4_chain_verify_chunk(&server, hash, str_of(signature, sizeof signature)), OK);
    }
}

/* The longest names that sigv4_parse lets through fit. */
static void test_longest_scope(void **state)
{
    (void)state;
    char name[SIGV4_REGION_MAX];
    const uint8_t key[SIGV4_KEY_SIZE] = {0};
    struct sigv4_chain chain;
    memset(name, 'r', sizeof name);
    struct sigv4 sig = {.date = STR("20260301"),
                        .timestamp = STR("20260301T000000Z"),
                        .region = str_of(name, SIGV4_REGION_MAX),
                        .service = str_of(name, SIGV4_SERVICE_MAX)};
    sigv4_chain_begin(&chain, &sig, key);
    assert_true(chain.scope_len <= sizeof chain.scope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),          cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_trailer_forms),     cmocka_unit_test(test_trailer_order_and_limit),
        cmocka_unit_test(test_client_and_server), cmocka_unit_test(test_longest_scope),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
