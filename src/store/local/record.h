/* Records of the log as bytes (docs/format/log.md). Pure functions: they know neither files nor the index. What is decoded
 * comes from a disk and is trusted in nothing. */
#pragma once

#include "base/buf.h"
#include "base/str.h"

enum {
    SEGMENT_HEADER_SIZE = 4096, /* with its second copy */
    RECORD_HEADER_SIZE = 56,
    RECORD_ALIGNMENT = 512, /* of batches */
    STORE_ID_SIZE = 16,
};

struct segment_header {
    uint64_t id;
    uint64_t epoch;
    uint64_t size; /* of the file */
    uint8_t store_id[STORE_ID_SIZE];
    uint64_t created_ms;
    uint32_t check; /* set by both functions: the chain begins with it */
};

void segment_header_encode(struct segment_header *header, char dst[SEGMENT_HEADER_SIZE]);
/* ERR_CORRUPT when both copies are damaged. */
enum err segment_header_decode(const char src[SEGMENT_HEADER_SIZE],
                               struct segment_header *out_header);

enum record_kind { RECORD_UPDATE = 1, RECORD_SEAL = 2 };

struct record {
    enum record_kind kind;
    uint32_t payload_length;
    uint32_t change_count;
    uint64_t epoch;
    uint64_t sequence;
    uint64_t durable;
    uint32_t chain; /* the check of the record before it */
    uint64_t
        salt; /* makes its check another one than that of an equal record which was lost in its place */
    uint32_t check; /* its own; set by both functions */
};

/* Writes the header in front of the payload, which stands behind it already: bytes[RECORD_HEADER_SIZE ...]. Sets the check. */
void record_encode(struct record *record, char *bytes);
/* Reads the header's fields alone. ERR_CORRUPT when the magic, version, shard or kind are not those of a record. */
enum err record_header_decode(str bytes, struct record *out_record);
/* Whether the check is that of the bytes, header and payload; ERR_CORRUPT. */
enum err record_verify(const struct record *record, const char *bytes);

/* Where the record behind one that ends at `end` may begin at the latest. */
static inline uint64_t record_aligned(uint64_t end)
{
    return (end + RECORD_ALIGNMENT - 1) & ~(uint64_t)(RECORD_ALIGNMENT - 1);
}

enum change_kind { CHANGE_PUT = 1, CHANGE_DELETE = 2 };

/* One row's change in an update's payload. */
struct change {
    enum change_kind kind;
    str key;
    str value;            /* of a put */
    uint64_t blob_length; /* of a put; the blob is the end of the change */
    uint32_t blob_crc32c;
};

/* Appends everything but the blob's bytes, which the caller appends next. */
void change_encode(const struct change *change, struct buf *out);
/* The next change of a payload, from *payload on, which is moved behind it; *out_length is that of the change, blob included.
 * The strings point into the payload. ERR_CORRUPT. */
enum err change_decode(str *payload, struct change *out_change, size_t *out_length);
