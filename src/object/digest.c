#include "object/digest.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/crc.h"

static bool wants(const struct digest *digest, enum checksum_kind kind)
{
    return (digest->wanted & DIGEST_BIT(kind)) != 0;
}

void digest_init(struct digest *digest, digest_set wanted)
{
    *digest = (struct digest){.wanted = wanted};
    md5_init(&digest->md5);
    if (wants(digest, CHECKSUM_SHA1))
        hash_init(&digest->sha1, HASH_SHA1);
    if (wants(digest, CHECKSUM_SHA256))
        hash_init(&digest->sha256, HASH_SHA256);
}

bool digest_has_lane(const struct digest *digest, enum digest_lane lane)
{
    static const digest_set sets[DIGEST_LANE_COUNT] = {
        [DIGEST_LANE_SHA] = DIGEST_BIT(CHECKSUM_SHA1) | DIGEST_BIT(CHECKSUM_SHA256),
        [DIGEST_LANE_CRC] = DIGEST_BIT(CHECKSUM_CRC32) | DIGEST_BIT(CHECKSUM_CRC32C) |
                            DIGEST_BIT(CHECKSUM_CRC64NVME),
    };
    return lane == DIGEST_LANE_MD5 || (digest->wanted & sets[lane]) != 0;
}

static void update_crc_lane(struct digest *digest, const void *data, size_t len)
{
    if (wants(digest, CHECKSUM_CRC32))
        digest->crc32 = crc32_update(digest->crc32, data, len);
    if (wants(digest, CHECKSUM_CRC32C))
        digest->crc32c = crc32c_update(digest->crc32c, data, len);
    if (wants(digest, CHECKSUM_CRC64NVME))
        digest->crc64nvme = crc64nvme_update(digest->crc64nvme, data, len);
}

static void update_sha_lane(struct digest *digest, const void *data, size_t len)
{
    if (wants(digest, CHECKSUM_SHA1))
        hash_update(&digest->sha1, data, len);
    if (wants(digest, CHECKSUM_SHA256))
        hash_update(&digest->sha256, data, len);
}

void digest_update_lane(struct digest *digest, enum digest_lane lane, const void *data, size_t len)
{
    if (lane == DIGEST_LANE_MD5)
        md5_update(&digest->md5, data, len);
    else if (lane == DIGEST_LANE_SHA)
        update_sha_lane(digest, data, len);
    else
        update_crc_lane(digest, data, len);
}

void digest_update(struct digest *digest, const void *data, size_t len)
{
    for (enum digest_lane lane = 0; lane < DIGEST_LANE_COUNT; lane++)
        digest_update_lane(digest, lane, data, len);
}

void digest_finish(struct digest *digest)
{
    md5_final(&digest->md5, digest->md5_value);
    put_be32(digest->value[CHECKSUM_CRC32], digest->crc32);
    put_be32(digest->value[CHECKSUM_CRC32C], digest->crc32c);
    put_be64(digest->value[CHECKSUM_CRC64NVME], digest->crc64nvme);
    if (wants(digest, CHECKSUM_SHA1))
        hash_final(&digest->sha1, digest->value[CHECKSUM_SHA1]);
    if (wants(digest, CHECKSUM_SHA256))
        hash_final(&digest->sha256, digest->value[CHECKSUM_SHA256]);
}

void digest_release(struct digest *digest)
{
    hash_release(&digest->sha1);
    hash_release(&digest->sha256);
}

size_t checksum_size(enum checksum_kind kind)
{
    switch (kind) {
    case CHECKSUM_CRC32:
    case CHECKSUM_CRC32C:
        return sizeof(uint32_t);
    case CHECKSUM_CRC64NVME:
        return sizeof(uint64_t);
    case CHECKSUM_SHA1:
        return SHA1_SIZE;
    case CHECKSUM_SHA256:
        return SHA256_SIZE;
    case CHECKSUM_NONE:
        break;
    }
    return 0;
}

str digest_checksum(const struct digest *digest, enum checksum_kind kind)
{
    assert(wants(digest, kind));
    return str_of(digest->value[kind], checksum_size(kind));
}

void checksum_joiner_init(struct checksum_joiner *joiner, enum checksum_kind kind,
                          enum checksum_type type)
{
    *joiner = (struct checksum_joiner){.kind = kind, .type = type};
    if (type == CHECKSUM_COMPOSITE)
        digest_init(&joiner->composite, DIGEST_BIT(kind));
}

static uint64_t crc_of_bytes(str bytes)
{
    return bytes.len == sizeof(uint32_t) ? get_be32(bytes.ptr) : get_be64(bytes.ptr);
}

static uint64_t crc_join(enum checksum_kind kind, uint64_t a, uint64_t b, uint64_t len_b)
{
    if (kind == CHECKSUM_CRC32)
        return crc32_combine((uint32_t)a, (uint32_t)b, len_b);
    if (kind == CHECKSUM_CRC32C)
        return crc32c_combine((uint32_t)a, (uint32_t)b, len_b);
    assert(kind == CHECKSUM_CRC64NVME);
    return crc64nvme_combine(a, b, len_b);
}

void checksum_joiner_add(struct checksum_joiner *joiner, str part_checksum, uint64_t part_size)
{
    assert(part_checksum.len == checksum_size(joiner->kind));
    if (joiner->type == CHECKSUM_COMPOSITE) {
        digest_update(&joiner->composite, part_checksum.ptr, part_checksum.len);
        return;
    }
    uint64_t crc = crc_of_bytes(part_checksum);
    joiner->crc = joiner->is_begun ? crc_join(joiner->kind, joiner->crc, crc, part_size) : crc;
    joiner->is_begun = true;
}

void checksum_joiner_finish(struct checksum_joiner *joiner, uint8_t *dst)
{
    if (joiner->type == CHECKSUM_COMPOSITE) {
        digest_finish(&joiner->composite);
        str value = digest_checksum(&joiner->composite, joiner->kind);
        memcpy(dst, value.ptr, value.len);
        digest_release(&joiner->composite);
        return;
    }
    if (joiner->kind == CHECKSUM_CRC64NVME)
        put_be64(dst, joiner->crc);
    else
        put_be32(dst, (uint32_t)joiner->crc);
}
