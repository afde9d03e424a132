/* The numbers that the catalogue's rows hold, and the limits of the S3 model. The enums are a
 * format: values never change. */
#pragma once

#include "store/rows.h"

enum versioning { VERSIONING_NEVER = 0, VERSIONING_ENABLED = 1, VERSIONING_SUSPENDED = 2 };

enum version_flags { VERSION_IS_DELETE_MARKER = 1 << 0 };

enum checksum_kind {
    CHECKSUM_NONE = 0,
    CHECKSUM_CRC32 = 1,
    CHECKSUM_CRC32C = 2,
    CHECKSUM_CRC64NVME = 3,
    CHECKSUM_SHA1 = 4,
    CHECKSUM_SHA256 = 5,
};
enum checksum_type { CHECKSUM_FULL_OBJECT = 0, CHECKSUM_COMPOSITE = 1 };
enum { CHECKSUM_SIZE_MAX = 32 };
#define CHECKSUM_KIND_END 6 /* one past the last kind */

enum storage_class {
    STORAGE_STANDARD = 0,
    STORAGE_REDUCED_REDUNDANCY = 1,
    STORAGE_STANDARD_IA = 2,
    STORAGE_ONEZONE_IA = 3,
    STORAGE_INTELLIGENT_TIERING = 4,
    STORAGE_GLACIER = 5,
    STORAGE_DEEP_ARCHIVE = 6,
    STORAGE_OUTPOSTS = 7,
    STORAGE_GLACIER_IR = 8,
    STORAGE_SNOW = 9,
    STORAGE_EXPRESS_ONEZONE = 10,
};

enum garbage_kind {
    GARBAGE_EXTENT = 1,
    GARBAGE_MANIFEST = 2,
    GARBAGE_UPLOAD = 3,
    GARBAGE_BUCKET = 4
};

/* Documents of a bucket; a bit of bucket.config_flags each. */
enum bucket_config_kind { CONFIG_TAGS = 1, CONFIG_KIND_END };

enum {
    KEY_MAX_BYTES = 1024,
    METADATA_MAX_BYTES = 2048,
    TAG_MAX_COUNT = 10,
    BUCKET_TAG_MAX_COUNT = 50,
    PART_MAX_NUMBER = 10000,
    PIECE_MAX_COUNT =
        100000, /* of one object: what a commit can write without holding others up for long */
    PAGE_MAX_KEYS = 1000,
    DELETE_MAX_KEYS = 1000,
    MD5_BYTES = 16,
    CANONICAL_ID_BYTES = 64,
};
#define PART_MIN_BYTES (UINT64_C(5) << 20)
#define PART_MAX_BYTES (UINT64_C(5) << 30)
#define PUT_MAX_BYTES (UINT64_C(5) << 30)
#define COPY_MAX_BYTES (UINT64_C(5) << 30)
#define OBJECT_MAX_BYTES (UINT64_C(5) << 40)
