/* Aim: a body's digests are those of its bytes, however it was cut and whichever lanes ran apart; and the checksum that is joined
 * from parts is the one computed from the whole. */
#include "../unit.h"

#include "base/arena.h"
#include "base/encode.h"
#include "object/digest.h"

enum { ALL_KINDS = 0x3e };

/* "123456789", the check value of every CRC's definition; the others from RFC 1321, RFC 3174 and FIPS 180-2 tools. */
static void test_known(void **state)
{
    (void)state;
    static const struct {
        enum checksum_kind kind;
        const char *hex;
    } cases[] = {
        {CHECKSUM_CRC32, "cbf43926"},
        {CHECKSUM_CRC32C, "e3069283"},
        {CHECKSUM_CRC64NVME, "ae8b14860a799888"},
        {CHECKSUM_SHA1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
        {CHECKSUM_SHA256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
    };
    struct digest digest;
    digest_init(&digest, ALL_KINDS);
    digest_update(&digest, "123456789", 9);
    digest_finish(&digest);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t expected[CHECKSUM_SIZE_MAX];
        assert_ok(hex_decode(str_from(cases[i].hex), expected));
        assert_int_equal(checksum_size(cases[i].kind), strlen(cases[i].hex) / 2);
        assert_str(digest_checksum(&digest, cases[i].kind),
                   str_of(expected, strlen(cases[i].hex) / 2));
    }
    uint8_t md5[MD5_SIZE];
    assert_ok(hex_decode(STR("25f9e794323b453885f5181f1b624d0b"), md5));
    assert_memory_equal(digest.md5_value, md5, MD5_SIZE);
    digest_release(&digest);
    assert_int_equal(checksum_size(CHECKSUM_NONE), 0);
}

static void test_lanes(void **state)
{
    (void)state;
    enum { SIZE = 5000 };
    uint8_t bytes[SIZE];
    struct unit_random random = {.state = 1};
    unit_random_fill(&random, bytes, SIZE);
    struct digest whole;
    digest_init(&whole, ALL_KINDS);
    digest_update(&whole, bytes, SIZE);
    digest_finish(&whole);
    for (digest_set wanted = 0; wanted <= ALL_KINDS; wanted += 2) {
        struct digest digest;
        digest_init(&digest, wanted);
        assert_true(digest_has_lane(&digest, DIGEST_LANE_MD5));
        bool has_sha = (wanted & (DIGEST_BIT(CHECKSUM_SHA1) | DIGEST_BIT(CHECKSUM_SHA256))) != 0;
        assert_int_equal(digest_has_lane(&digest, DIGEST_LANE_SHA), has_sha);
        bool has_crc = (wanted & ~(DIGEST_BIT(CHECKSUM_SHA1) | DIGEST_BIT(CHECKSUM_SHA256))) != 0;
        assert_int_equal(digest_has_lane(&digest, DIGEST_LANE_CRC), has_crc);
        /* The lanes one after the other, in pieces of their own, empty ones too. */
        for (enum digest_lane lane = 0; lane < DIGEST_LANE_COUNT; lane++) {
            for (size_t at = 0; at < SIZE;) {
                size_t len = unit_random_below(&random, 700);
                len = len < SIZE - at ? len : SIZE - at;
                digest_update_lane(&digest, lane, bytes + at, len);
                at += len;
            }
        }
        digest_finish(&digest);
        assert_memory_equal(digest.md5_value, whole.md5_value, MD5_SIZE);
        for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++)
            if ((wanted & DIGEST_BIT(kind)) != 0)
                assert_str(digest_checksum(&digest, kind), digest_checksum(&whole, kind));
        digest_release(&digest);
    }
    digest_release(&whole);
    digest_release(&(struct digest){0});
}

/* ---- The joiner ---- */

enum { PARTS_MAX = 5, JOIN_SIZE = 3000 };

struct join {
    uint8_t bytes[JOIN_SIZE];
    size_t size[PARTS_MAX];
    size_t part_count;
};

static void part_checksum(enum checksum_kind kind, const uint8_t *bytes, size_t len, uint8_t *dst)
{
    struct digest digest;
    digest_init(&digest, DIGEST_BIT(kind));
    digest_update(&digest, bytes, len);
    digest_finish(&digest);
    memcpy(dst, digest_checksum(&digest, kind).ptr, checksum_size(kind));
    digest_release(&digest);
}

static void check_join(const struct join *join, enum checksum_kind kind, enum checksum_type type)
{
    uint8_t sums[PARTS_MAX * CHECKSUM_SIZE_MAX], joined[CHECKSUM_SIZE_MAX],
        direct[CHECKSUM_SIZE_MAX];
    struct checksum_joiner joiner;
    size_t at = 0, size = checksum_size(kind);
    checksum_joiner_init(&joiner, kind, type);
    for (size_t i = 0; i < join->part_count; i++) {
        part_checksum(kind, join->bytes + at, join->size[i], sums + i * size);
        checksum_joiner_add(&joiner, str_of(sums + i * size, size), join->size[i]);
        at += join->size[i];
    }
    checksum_joiner_finish(&joiner, joined);
    if (type == CHECKSUM_COMPOSITE)
        part_checksum(kind, sums, join->part_count * size, direct);
    else
        part_checksum(kind, join->bytes, at, direct);
    assert_memory_equal(joined, direct, size);
}

static void test_joiner(void **state)
{
    (void)state;
    static const struct {
        size_t size[PARTS_MAX], part_count;
    } cases[] = {
        {{1}, 1},
        {{JOIN_SIZE}, 1},
        {{0}, 1},
        {{1, 1}, 2},
        {{1000, 1}, 2},
        {{1, 1000}, 2},
        {{500, 0}, 2},
        {{0, 500}, 2},
        {{64, 128, 256, 512, 1024}, 5},
        {{7, 0, 1, 999, 13}, 5},
        {{0, 0, 0}, 3},
    };
    struct join join;
    struct unit_random random = {.state = 2};
    unit_random_fill(&random, join.bytes, JOIN_SIZE);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        memcpy(join.size, cases[i].size, sizeof join.size);
        join.part_count = cases[i].part_count;
        for (enum checksum_kind kind = CHECKSUM_CRC32; kind <= CHECKSUM_CRC64NVME; kind++)
            check_join(&join, kind, CHECKSUM_FULL_OBJECT);
        for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++)
            check_join(&join, kind, CHECKSUM_COMPOSITE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_joiner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
