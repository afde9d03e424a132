/* Aim: published vectors; streaming, reuse and pieces give the same digest as one call; OpenSSL allocates nothing for it. */
#include "base/hash.h"

#include "../unit.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/encode.h"

/* What OpenSSL allocates passes here. */
static atomic_size_t allocations;

static void *counted_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    allocations++;
    return malloc(size);
}
static void *counted_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    allocations++;
    return realloc(ptr, size);
}
static void plain_free(void *ptr, const char *file, int line)
{
    (void)file, (void)line;
    free(ptr);
}

static void assert_hex(const uint8_t *digest, size_t size, const char *expected)
{
    char text[2 * HASH_SIZE_MAX];
    hex_encode(digest, size, text);
    assert_str(str_of(text, 2 * size), str_from(expected));
}

static const struct {
    enum hash_kind kind;
    str message;
    const char *digest;
} vectors[] = {
    /* RFC 1321, A.5 */
    {HASH_MD5, STR_INIT(""), "d41d8cd98f00b204e9800998ecf8427e"},
    {HASH_MD5, STR_INIT("abc"), "900150983cd24fb0d6963f7d28e17f72"},
    {HASH_MD5,
     STR_INIT("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
     "57edf4a22be3c955ac49da2e2107b67a"},
    /* FIPS 180 */
    {HASH_SHA1, STR_INIT("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {HASH_SHA1, STR_INIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
     "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    {HASH_SHA256, STR_INIT(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {HASH_SHA256, STR_INIT("abc"),
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {HASH_SHA256, STR_INIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        str message = vectors[i].message;
        uint8_t digest[HASH_SIZE_MAX];
        struct hash hash = {0};
        hash_release(&hash);
        hash_init(&hash, vectors[i].kind);
        /* Three lives of one hash: whole, in bytes, and whole again after a message that was given up. */
        for (int life = 0; life < 3; life++) {
            size_t step = life == 1 ? 1 : message.len;
            for (size_t at = 0; at < message.len; at += step)
                hash_update(&hash, message.ptr + at, step);
            assert_hex(digest, hash_final(&hash, digest), vectors[i].digest);
            hash_restart(&hash);
            if (life == 1) {
                hash_update(&hash, "x", 1);
                hash_restart(&hash);
            }
        }
        hash_release(&hash);
        assert_null(hash.state);
        hash_release(&hash);

        if (vectors[i].kind == HASH_MD5)
            md5_of(message.ptr, message.len, digest);
        else if (vectors[i].kind == HASH_SHA256)
            sha256_of(message.ptr, message.len, digest);
        else
            continue;
        assert_hex(digest, strlen(vectors[i].digest) / 2, vectors[i].digest);
    }
}

static void test_hmac(void **state)
{
    (void)state;
    char keys[131], data[50];
    memset(keys, 0xaa, sizeof(keys));
    memset(data, 0xdd, sizeof(data));
    const struct {
        str key, message;
        const char *digest;
    } cases[] = {
        /* RFC 4231: 4.2, 4.3, 4.4, 4.7 (a key longer than a block) */
        {STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
         STR("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {STR("Jefe"), STR("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {str_of(keys, 20), str_of(data, 50),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {str_of(keys, 131), STR("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t digest[SHA256_SIZE];
        hmac_sha256(cases[i].key, cases[i].message, digest);
        assert_hex(digest, SHA256_SIZE, cases[i].digest);
        const str piece[] = {str_slice(cases[i].message, 0, 3), {0}, str_skip(cases[i].message, 3)};
        hmac_sha256_pieces(cases[i].key, piece, COUNT_OF(piece), digest);
        assert_hex(digest, SHA256_SIZE, cases[i].digest);
    }
    uint8_t empty[SHA256_SIZE];
    hmac_sha256((str){0}, (str){0}, empty);
    assert_hex(empty, SHA256_SIZE,
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* A key of exactly one block is used as it is, one byte more is hashed first. */
static void test_hmac_keys_around_a_block(void **state)
{
    (void)state;
    uint8_t key[65], short_key[SHA256_SIZE], digest[SHA256_SIZE], other[SHA256_SIZE];
    memset(key, 7, sizeof(key));
    sha256_of(key, 65, short_key);
    hmac_sha256(str_of((char *)key, 65), STR("m"), digest);
    hmac_sha256(str_of((char *)short_key, SHA256_SIZE), STR("m"), other);
    assert_memory_equal(digest, other, SHA256_SIZE);
    sha256_of(key, 64, short_key);
    hmac_sha256(str_of((char *)key, 64), STR("m"), digest);
    hmac_sha256(str_of((char *)short_key, SHA256_SIZE), STR("m"), other);
    assert_memory_not_equal(digest, other, SHA256_SIZE);
}

static void test_openssl_allocates_nothing(void **state)
{
    (void)state;
    uint8_t digest[HASH_SIZE_MAX];
    OPENSSL_free(OPENSSL_malloc(1));
    size_t before = allocations;
    assert_true(before > 0); /* they are counted */
    struct hash hash;
    hash_init(&hash, HASH_MD5);
    for (int i = 0; i < 10; i++) {
        md5_of("a", 1, digest);
        sha256_of("a", 1, digest);
        hmac_sha256(STR("key"), STR("message"), digest);
        hash_update(&hash, "a", 1);
        (void)hash_final(&hash, digest);
        hash_restart(&hash);
    }
    assert_int_equal(allocations, before);
    hash_release(&hash);
}

static void *hash_in_thread(void *seed)
{
    uint8_t digest[SHA256_SIZE];
    for (int i = 0; i < 1000; i++)
        sha256_of(seed, 1, digest);
    /* cmocka's assertions work in the first thread only. */
    return digest[0] == 0xca ? seed : NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t thread[4];
    static char a[] = "a";
    for (size_t i = 0; i < COUNT_OF(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hash_in_thread, a), 0);
    for (size_t i = 0; i < COUNT_OF(thread); i++) {
        void *result;
        assert_int_equal(pthread_join(thread[i], &result), 0);
        assert_ptr_equal(result, a);
    }
}

int main(void)
{
    if (!CRYPTO_set_mem_functions(counted_malloc, counted_realloc, plain_free))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hmac_keys_around_a_block),
        cmocka_unit_test(test_openssl_allocates_nothing),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
