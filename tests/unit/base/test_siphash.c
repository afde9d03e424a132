/* Aim: SipHash-1-3 agrees with OpenSSL's implementation for every length of the last word, and depends on the key. */
#include "base/siphash.h"

#include "../unit.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/bytes.h"

static uint64_t by_openssl(EVP_MAC *mac, const uint64_t key[2], const void *data, size_t len)
{
    unsigned int size = 8, c_rounds = 1, d_rounds = 3;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size),
        OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c_rounds),
        OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d_rounds),
        OSSL_PARAM_construct_end(),
    };
    unsigned char key_bytes[16], digest[8];
    memcpy(key_bytes, key, sizeof(key_bytes));
    size_t digest_len;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    assert_true(EVP_MAC_init(ctx, key_bytes, sizeof(key_bytes), params));
    assert_true(EVP_MAC_update(ctx, data, len));
    assert_true(EVP_MAC_final(ctx, digest, &digest_len, sizeof(digest)));
    EVP_MAC_CTX_free(ctx);
    return get_le64(digest);
}

static void test_agrees_with_openssl(void **state)
{
    (void)state;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    assert_non_null(mac);
    struct unit_random random = {1};
    uint8_t data[70];
    for (size_t len = 0; len < sizeof(data); len++) {
        uint64_t key[2] = {unit_random_u64(&random), unit_random_u64(&random)};
        unit_random_fill(&random, data, len);
        uint64_t hash = siphash13(key, data, len);
        assert_true(hash == by_openssl(mac, key, data, len));
        key[1] ^= 1;
        assert_true(hash != siphash13(key, data, len));
    }
    EVP_MAC_free(mac);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agrees_with_openssl)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
