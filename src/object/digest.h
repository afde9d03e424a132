/* digest: the running digests of one body: MD5 for the ETag, and whichever of S3's checksums are
 * wanted, in lanes that may run on threads of their own at once: MD5, the SHA family, and the
 * (nearly free) CRCs. */
#pragma once

#include "base/md5.h"
#include "object/types.h"

/* Which digests: bits of 1 << enum checksum_kind. MD5 is always among them. */
typedef unsigned digest_set;
#define DIGEST_BIT(kind) (1u << (kind))

enum digest_lane { DIGEST_LANE_MD5, DIGEST_LANE_SHA, DIGEST_LANE_CRC, DIGEST_LANE_COUNT };

struct digest {
    digest_set wanted;
    struct md5 md5;
    struct hash sha1, sha256;
    uint32_t crc32, crc32c;
    uint64_t crc64nvme;
    /* After digest_finish. CRCs are big-endian, as S3 writes them. */
    uint8_t md5_value[MD5_SIZE];
    uint8_t value[CHECKSUM_KIND_END][CHECKSUM_SIZE_MAX];
};

void digest_init(struct digest *digest, digest_set wanted);
bool digest_has_lane(const struct digest *digest, enum digest_lane lane);
void digest_update_lane(struct digest *digest, enum digest_lane lane, const void *data, size_t len);
void digest_update(struct digest *digest, const void *data, size_t len); /* all lanes */
void digest_finish(struct digest *digest);
void digest_release(struct digest *digest); /* allowed on a zeroed struct */

size_t checksum_size(enum checksum_kind kind); /* 0 for none */
/* The finished value, as bytes in the digest. */
str digest_checksum(const struct digest *digest, enum checksum_kind kind);

/* Checksum of a body of parts, from the parts' checksums: FULL_OBJECT by combining CRCs,
 * COMPOSITE by hashing the values in order. Feed the parts, then take it. */
struct checksum_joiner {
    enum checksum_kind kind;
    enum checksum_type type;
    struct digest composite;
    uint64_t crc;
    bool is_begun;
};
void checksum_joiner_init(struct checksum_joiner *joiner, enum checksum_kind kind,
                          enum checksum_type type);
void checksum_joiner_add(struct checksum_joiner *joiner, str part_checksum, uint64_t part_size);
/* Writes checksum_size(kind) bytes and releases what the joiner held. */
void checksum_joiner_finish(struct checksum_joiner *joiner, uint8_t *dst);
