/* Entries of the index as bytes (docs/format/index.md). Pure functions. */
#pragma once

#include "base/buf.h"
#include "store/local/log.h"

/* Where a row's newest change lies, and its columns. */
struct row_entry {
    uint64_t segment, offset, length; /* of the change in the log */
    uint64_t blob_length;             /* the blob is the change's end */
    uint32_t blob_crc32c;
    str columns; /* row_value_decode */
};
void row_entry_encode(const struct row_entry *entry, struct buf *out);
/* The columns point into value. ERR_CORRUPT. */
enum err row_entry_decode(str value, struct row_entry *out_entry);

static inline uint64_t row_entry_blob_offset(const struct row_entry *entry)
{
    return entry->offset + entry->length - entry->blob_length;
}

enum { ENTRY_KEY_MAX = 10 };
str position_key(void);
str store_key(void);
str segment_key(uint64_t segment, char dst[ENTRY_KEY_MAX]);
/* The common front of all segments' keys. */
str segment_key_front(void);
enum err segment_key_decode(str key, uint64_t *out_segment);

void position_encode(const struct log_position *position, struct buf *out);
enum err position_decode(str value, struct log_position *out_position);

/* id and state are not part of the value. */
void figures_encode(const struct log_figures *figures, struct buf *out);
enum err figures_decode(str value, struct log_figures *out_figures);
