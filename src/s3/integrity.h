/* What a request claims about its body: Content-MD5, one of S3's checksums in a header or a
 * trailer. Source: Amazon S3 user guide, "Checking object integrity". */
#pragma once

#include "object/digest.h"

struct s3_call;

struct s3_integrity {
    bool has_md5;
    uint8_t md5[MD5_SIZE];
    enum checksum_kind kind; /* CHECKSUM_NONE: the client sent and announced none */
    bool has_value;          /* of a header, or after the trailer came */
    bool is_in_trailer;
    uint8_t value[CHECKSUM_SIZE_MAX];
};

/* From the head. ERR_BAD_DIGEST_FORM, ERR_BAD_CHECKSUM_FORM, ERR_BAD_REQUEST. */
enum err s3_integrity_parse(struct s3_call *call);
/* A field of the body's trailer. */
enum err s3_integrity_trailer(struct s3_call *call, str name, str value);
/* Which digests the body needs. */
digest_set s3_integrity_digests(const struct s3_call *call);
/* After the body: ERR_PAYLOAD_MISMATCH, ERR_BAD_DIGEST, ERR_BAD_CHECKSUM, or ERR_BAD_REQUEST for
 * an announced trailer that did not come. */
enum err s3_integrity_check(struct s3_call *call, const struct digest *digest);

/* The same for a request without a body. */
enum err s3_integrity_check_empty(struct s3_call *call);

/* The kind that is kept with the object: the client's; without one CRC64NVME, as AWS does. */
enum checksum_kind s3_stored_checksum(const struct s3_call *call);

/* "x-amz-checksum-crc32", "CRC32", "ChecksumCRC32"; null for none. */
const char *s3_checksum_header(enum checksum_kind kind);
const char *s3_checksum_name(enum checksum_kind kind);
const char *s3_checksum_element(enum checksum_kind kind);
/* From "CRC32" and so on, any case; false when unknown. */
bool s3_checksum_find(str name, enum checksum_kind *out);
/* From base64 of the right length; ERR_BAD_CHECKSUM_FORM. */
enum err s3_checksum_decode(enum checksum_kind kind, str text, uint8_t dst[CHECKSUM_SIZE_MAX]);
