/* The blocks of an extent and their checksums, as every engine that keeps extents itself needs them: a table of CRC32C
 * values that is filled while the extent is written, in any order and from several threads, and the checks of a read. */
#pragma once

#include <pthread.h>

#include "store/rows.h"

/* The table of one extent that is being written. */
struct block_crcs {
    pthread_mutex_t mutex;
    size_t block_size;
    uint32_t *crc;
    uint32_t *size; /* bytes of the block that are there; 0: not written yet */
    size_t count, capacity;
};

void block_crcs_init(struct block_crcs *crcs, size_t block_size);
void block_crcs_release(struct block_crcs *crcs);

/* Takes note of data that was written at offset, a multiple of the block size. Any thread. ERR_TOO_LARGE when the extent
 * would need more checksums than a row can hold. */
enum err block_crcs_add(struct block_crcs *crcs, const void *data, size_t len, uint64_t offset);

/* Sets length, block_size and block_crcs (in the arena) of the row. ERR_BAD_INPUT when a block below length was never
 * written, or bytes above it were. */
enum err block_crcs_finish(struct block_crcs *crcs, uint64_t length, struct arena *arena,
                           struct extent_row *out_row);

/* Whether the columns of a row that came from the disk agree with each other; ERR_CORRUPT. */
enum err extent_row_check(const struct extent_row *row);

/* The whole blocks that a read of at most len bytes from offset on takes. */
struct block_span {
    uint64_t start; /* of the first block, in the extent */
    size_t len;     /* to the end of the last block, or of the extent */
    size_t skip;    /* from start to the offset that was asked for */
};
/* Asserts that offset lies in the extent; ERR_TOO_LARGE when two blocks do not fit into len. */
enum err block_span_of(const struct extent_row *row, uint64_t offset, size_t len,
                       struct block_span *out_span);

/* Checks the bytes of a span; ERR_CORRUPT. */
enum err block_span_verify(const struct extent_row *row, const struct block_span *span,
                           const void *data);
