/* Aim: the digest is that of RFC 1321 and of OpenSSL, for every length, however the message is cut, and whoever is hashed beside
 * it, by each set of instructions that the processor has. */
#include "base/md5.h"

#include "../unit.h"

#include <openssl/evp.h>

#include "base/encode.h"
#include "base/md5_kernel.h"

static const struct md5_kernel *const kernels[] = {&md5_kernel_x16, &md5_kernel_x8, &md5_kernel_x4};

static void assert_openssl(const uint8_t digest[MD5_SIZE], const void *data, size_t len)
{
    uint8_t expected[MD5_SIZE];
    assert_int_equal(EVP_Digest(data, len, expected, NULL, EVP_md5(), NULL), 1);
    assert_memory_equal(digest, expected, MD5_SIZE);
}

/* RFC 1321, A.5 */
static const struct {
    str message;
    const char *hex;
} vectors[] = {
    {STR_INIT(""), "d41d8cd98f00b204e9800998ecf8427e"},
    {STR_INIT("a"), "0cc175b9c0f1b6a831c399e269772661"},
    {STR_INIT("abc"), "900150983cd24fb0d6963f7d28e17f72"},
    {STR_INIT("message digest"), "f96b697d7cb7938d525a2f31aaf161d0"},
    {STR_INIT("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b"},
    {STR_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
     "d174ab98d277d9f5a5611c2c9f419d9f"},
    {STR_INIT("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
     "57edf4a22be3c955ac49da2e2107b67a"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        str message = vectors[i].message;
        for (size_t step = 1; step <= message.len + 1; step++) {
            struct md5 md5;
            md5_init(&md5);
            for (size_t at = 0; at < message.len; at += step)
                md5_update(&md5, message.ptr + at,
                           step < message.len - at ? step : message.len - at);
            uint8_t digest[MD5_SIZE];
            md5_final(&md5, digest);
            char hex[2 * MD5_SIZE];
            hex_encode(digest, MD5_SIZE, hex);
            assert_str(str_of(hex, sizeof(hex)), str_from(vectors[i].hex));
        }
    }
}

/* Every length around the ends of blocks, in one piece and in random ones, empty and null ones too. */
static void test_lengths(void **state)
{
    (void)state;
    enum { LENGTH_MAX = 300 };
    uint8_t bytes[LENGTH_MAX], digest[MD5_SIZE];
    struct unit_random random = {.state = 3};
    unit_random_fill(&random, bytes, sizeof(bytes));
    for (size_t len = 0; len <= LENGTH_MAX; len++) {
        struct md5 md5;
        md5_init(&md5);
        md5_update(&md5, bytes, len);
        md5_final(&md5, digest);
        assert_openssl(digest, bytes, len);

        md5_init(&md5);
        md5_update(&md5, NULL, 0);
        for (size_t at = 0; at < len;) {
            size_t step = unit_random_below(&random, 150);
            step = step < len - at ? step : len - at;
            md5_update(&md5, bytes + at, step);
            at += step;
        }
        md5_final(&md5, digest);
        assert_openssl(digest, bytes, len);
    }
}

/* The length is told in bits, in 64 of them: more than 2^32 bits are the first that a narrower number would lose. */
static void test_long(void **state)
{
    (void)state;
    enum { CHUNK = 1 << 20, CHUNK_COUNT = 513 };
    static uint8_t chunk[CHUNK];
    EVP_MD_CTX *expected = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex(expected, EVP_md5(), NULL), 1);
    struct md5 md5;
    md5_init(&md5);
    for (int i = 0; i < CHUNK_COUNT; i++) {
        chunk[0] = (uint8_t)i;
        md5_update(&md5, chunk, CHUNK);
        assert_int_equal(EVP_DigestUpdate(expected, chunk, CHUNK), 1);
    }
    uint8_t digest[MD5_SIZE], theirs[MD5_SIZE];
    md5_final(&md5, digest);
    assert_int_equal(EVP_DigestFinal_ex(expected, theirs, NULL), 1);
    assert_memory_equal(digest, theirs, MD5_SIZE);
    EVP_MD_CTX_free(expected);
}

enum { MESSAGE_COUNT = 40, BLOCKS_MAX = 30, MESSAGE_SIZE = (BLOCKS_MAX + 1) * MD5_BLOCK };

struct messages {
    uint8_t bytes[MESSAGE_COUNT][MESSAGE_SIZE];
    struct md5 md5[MESSAGE_COUNT];
    struct unit_random random;
};

static struct messages *messages_new(uint64_t seed)
{
    struct messages *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    m->random.state = seed;
    unit_random_fill(&m->random, m->bytes, sizeof(m->bytes));
    for (size_t i = 0; i < MESSAGE_COUNT; i++)
        md5_init(&m->md5[i]);
    return m;
}

static void assert_message(struct messages *m, size_t i, size_t len)
{
    uint8_t digest[MD5_SIZE];
    md5_final(&m->md5[i], digest);
    assert_openssl(digest, m->bytes[i], len);
}

/* Each kernel by itself: all lanes, in two goes, so that the state is carried over. */
static void test_kernels(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(kernels); k++) {
        const struct md5_kernel *kernel = kernels[k];
        assert_true(kernel->lane_count <= MD5_LANES_MAX);
        assert_true(kernel->lane_min > 1 && kernel->lane_min <= kernel->lane_count);
        if (!kernel->works()) {
            print_message("%s: not on this processor\n", kernel->name);
            continue;
        }
        for (size_t blocks = 2; blocks <= BLOCKS_MAX; blocks++) {
            struct messages *m = messages_new(blocks);
            uint32_t *lane[MD5_LANES_MAX];
            const uint8_t *data[MD5_LANES_MAX];
            for (unsigned i = 0; i < kernel->lane_count; i++) {
                lane[i] = m->md5[i].state;
                data[i] = m->bytes[i];
            }
            size_t first = 1 + unit_random_below(&m->random, blocks - 1);
            kernel->blocks(lane, data, first);
            for (unsigned i = 0; i < kernel->lane_count; i++)
                data[i] += first * MD5_BLOCK;
            kernel->blocks(lane, data, blocks - first);
            for (unsigned i = 0; i < kernel->lane_count; i++) {
                m->md5[i].length = blocks * MD5_BLOCK;
                assert_message(m, i, blocks * MD5_BLOCK);
            }
            free(m);
        }
    }
}

/* Any number of messages, which go on by different lengths together, end by themselves, and do not disturb those that are left
 * out. The data lies at odd addresses, too. */
static void test_many(void **state)
{
    (void)state;
    for (size_t count = 0; count <= MESSAGE_COUNT; count++) {
        struct messages *m = messages_new(1000 + count);
        struct md5_piece piece[MESSAGE_COUNT];
        size_t at = 0;
        while (at < BLOCKS_MAX * MD5_BLOCK) {
            size_t len = MD5_BLOCK * unit_random_below(&m->random, 6);
            len = len < BLOCKS_MAX * MD5_BLOCK - at ? len : BLOCKS_MAX * MD5_BLOCK - at;
            for (size_t i = 0; i < count; i++)
                piece[i] = (struct md5_piece){&m->md5[i], m->bytes[i] + at};
            md5_update_many(piece, count, len);
            at += len;
        }
        for (size_t i = 0; i < MESSAGE_COUNT; i++) {
            size_t rest = unit_random_below(&m->random, MD5_BLOCK);
            if (i >= count)
                at = 0;
            md5_update(&m->md5[i], m->bytes[i] + at, rest);
            assert_message(m, i, at + rest);
        }
        free(m);
    }
}

static void test_unaligned(void **state)
{
    (void)state;
    struct messages *m = messages_new(5);
    struct md5_piece piece[MD5_LANES_MAX];
    for (size_t i = 0; i < MD5_LANES_MAX; i++) {
        memmove(m->bytes[i] + i, m->bytes[i], MESSAGE_SIZE - i);
        piece[i] = (struct md5_piece){&m->md5[i], m->bytes[i] + i};
    }
    md5_update_many(piece, MD5_LANES_MAX, BLOCKS_MAX * MD5_BLOCK);
    for (size_t i = 0; i < MD5_LANES_MAX; i++) {
        uint8_t digest[MD5_SIZE];
        md5_final(&m->md5[i], digest);
        assert_openssl(digest, m->bytes[i] + i, BLOCKS_MAX * MD5_BLOCK);
    }
    free(m);
}

static void test_numbers(void **state)
{
    (void)state;
    assert_true(md5_lane_count() >= 4 && md5_lane_count() <= MD5_LANES_MAX);
    assert_true(md5_lane_min() >= 2 && md5_lane_min() <= md5_lane_count());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_long),    cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_many),    cmocka_unit_test(test_unaligned),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
