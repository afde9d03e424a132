#include "store/blocks.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc.h"

enum { BLOCK_SIZE_MIN = 4096, BLOCK_SIZE_MAX = 16 << 20, CRC_BYTES = 4 };

void block_crcs_init(struct block_crcs *crcs, size_t block_size)
{
    *crcs = (struct block_crcs){.block_size = block_size};
    pthread_mutex_init(&crcs->mutex, NULL);
}

void block_crcs_release(struct block_crcs *crcs)
{
    mem_free(crcs->crc);
    mem_free(crcs->size);
    pthread_mutex_destroy(&crcs->mutex);
}

static void grow_to(struct block_crcs *crcs, size_t count)
{
    if (count > crcs->capacity) {
        size_t capacity = count < 64 ? 64 : mem_size_mul(count, 2);
        crcs->crc = mem_resize(crcs->crc, mem_size_mul(capacity, sizeof(*crcs->crc)));
        crcs->size = mem_resize(crcs->size, mem_size_mul(capacity, sizeof(*crcs->size)));
        crcs->capacity = capacity;
    }
    if (count > crcs->count) {
        memset(crcs->size + crcs->count, 0, (count - crcs->count) * sizeof(*crcs->size));
        crcs->count = count;
    }
}

static void set_block(struct block_crcs *crcs, size_t i, uint32_t crc, size_t size)
{
    pthread_mutex_lock(&crcs->mutex);
    grow_to(crcs, i + 1);
    crcs->crc[i] = crc;
    crcs->size[i] = (uint32_t)size;
    pthread_mutex_unlock(&crcs->mutex);
}

enum err block_crcs_add(struct block_crcs *crcs, const void *data, size_t len, uint64_t offset)
{
    assert(offset % crcs->block_size == 0);
    uint64_t first = offset / crcs->block_size;
    uint64_t count = (len + crcs->block_size - 1) / crcs->block_size;
    uint64_t limit = ROW_VALUE_MAX / 2 / CRC_BYTES;
    if (first > limit || count > limit - first)
        return ERR_TOO_LARGE;
    const char *at = data;
    for (uint64_t i = first; len; i++) {
        size_t size = len < crcs->block_size ? len : crcs->block_size;
        /* Checksums are made outside of the lock; they are what takes time. */
        set_block(crcs, i, crc32c_update(0, at, size), size);
        at += size;
        len -= size;
    }
    return OK;
}

static uint64_t count_of(uint64_t length, uint64_t block_size)
{
    return length / block_size + (length % block_size != 0);
}

enum err block_crcs_finish(struct block_crcs *crcs, uint64_t length, struct arena *arena,
                           struct extent_row *out_row)
{
    uint64_t count = count_of(length, crcs->block_size);
    if (count != crcs->count)
        return ERR_BAD_INPUT;
    for (size_t i = 0; i < count; i++) {
        uint64_t left = length - (uint64_t)i * crcs->block_size;
        if (crcs->size[i] != (left < crcs->block_size ? left : crcs->block_size))
            return ERR_BAD_INPUT;
    }
    char *bytes = arena_alloc(arena, count * CRC_BYTES);
    for (size_t i = 0; i < count; i++)
        put_le32(bytes + i * CRC_BYTES, crcs->crc[i]);
    out_row->length = length;
    out_row->block_size = crcs->block_size;
    out_row->block_crcs = str_of(bytes, count * CRC_BYTES);
    return OK;
}

enum err extent_row_check(const struct extent_row *row)
{
    uint64_t size = row->block_size;
    if (size < BLOCK_SIZE_MIN || size > BLOCK_SIZE_MAX || (size & (size - 1)) != 0)
        return ERR_CORRUPT;
    if (row->block_crcs.len % CRC_BYTES != 0 ||
        row->block_crcs.len / CRC_BYTES != count_of(row->length, size))
        return ERR_CORRUPT;
    return OK;
}

enum err block_span_of(const struct extent_row *row, uint64_t offset, size_t len,
                       struct block_span *out_span)
{
    assert(offset < row->length);
    if (len / 2 < row->block_size)
        return ERR_TOO_LARGE;
    uint64_t start = offset - offset % row->block_size;
    uint64_t most = len - len % row->block_size;
    uint64_t left = row->length - start;
    *out_span = (struct block_span){
        .start = start,
        .len = left < most ? left : most,
        .skip = offset - start,
    };
    return OK;
}

enum err block_span_verify(const struct extent_row *row, const struct block_span *span,
                           const void *data)
{
    const char *at = data;
    size_t block = span->start / row->block_size;
    for (size_t left = span->len; left; block++) {
        size_t size = left < row->block_size ? left : row->block_size;
        if (crc32c_update(0, at, size) != get_le32(row->block_crcs.ptr + block * CRC_BYTES))
            return ERR_CORRUPT;
        at += size;
        left -= size;
    }
    return OK;
}
