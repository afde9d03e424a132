#include "store/local/entry.h"

#include "base/bytes.h"
#include "store/rows.h"

void row_entry_encode(const struct row_entry *entry, struct buf *out)
{
    buf_append_varint(out, entry->segment);
    buf_append_varint(out, entry->offset);
    buf_append_varint(out, entry->length);
    buf_append_varint(out, entry->blob_length);
    if (entry->blob_length)
        buf_append_le32(out, entry->blob_crc32c);
    buf_append(out, entry->columns);
}

enum err row_entry_decode(str value, struct row_entry *out_entry)
{
    struct reader reader = reader_of(value);
    struct row_entry entry = {
        .segment = reader_varint(&reader),
        .offset = reader_varint(&reader),
        .length = reader_varint(&reader),
        .blob_length = reader_varint(&reader),
    };
    if (entry.blob_length)
        entry.blob_crc32c = reader_le32(&reader);
    uint64_t end;
    if (reader.failed || entry.blob_length > entry.length || entry.blob_length > ROW_BLOB_MAX ||
        entry.segment == 0 || __builtin_add_overflow(entry.offset, entry.length, &end))
        return ERR_CORRUPT;
    entry.columns = str_of(reader.ptr, reader.left);
    *out_entry = entry;
    return OK;
}

enum { SEGMENT_KEY_FRONT = 2 };

str position_key(void)
{
    return STR("\x00\x01");
}

str segment_key_front(void)
{
    return STR("\x00\x02");
}

str store_key(void)
{
    return STR("\x00\x03");
}

str segment_key(uint64_t segment, char dst[ENTRY_KEY_MAX])
{
    memcpy(dst, segment_key_front().ptr, SEGMENT_KEY_FRONT);
    put_be64(dst + SEGMENT_KEY_FRONT, segment);
    return str_of(dst, ENTRY_KEY_MAX);
}

enum err segment_key_decode(str key, uint64_t *out_segment)
{
    if (key.len != ENTRY_KEY_MAX || !str_has_prefix(key, segment_key_front()))
        return ERR_CORRUPT;
    *out_segment = get_be64(key.ptr + SEGMENT_KEY_FRONT);
    return OK;
}

void position_encode(const struct log_position *position, struct buf *out)
{
    buf_append_le64(out, position->segment);
    buf_append_le64(out, position->offset);
    buf_append_le64(out, position->sequence);
    buf_append_le32(out, position->chain);
}

enum err position_decode(str value, struct log_position *out_position)
{
    struct reader reader = reader_of(value);
    struct log_position position = {
        .segment = reader_le64(&reader),
        .offset = reader_le64(&reader),
        .sequence = reader_le64(&reader),
        .chain = reader_le32(&reader),
    };
    if (reader.failed || reader.left || position.offset < SEGMENT_HEADER_SIZE)
        return ERR_CORRUPT;
    *out_position = position;
    return OK;
}

void figures_encode(const struct log_figures *figures, struct buf *out)
{
    buf_append_varint(out, figures->size);
    buf_append_varint(out, figures->live_bytes);
    buf_append_varint(out, figures->tombstone_bytes);
}

enum err figures_decode(str value, struct log_figures *out_figures)
{
    struct reader reader = reader_of(value);
    struct log_figures figures = {
        .size = reader_varint(&reader),
        .live_bytes = reader_varint(&reader),
        .tombstone_bytes = reader_varint(&reader),
        .state = SEGMENT_SEALED,
    };
    if (reader.failed || reader.left)
        return ERR_CORRUPT;
    *out_figures = figures;
    return OK;
}
