#include "store/local/record.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc.h"

/* ---- Segment headers ---- */

static const char segment_magic[8] = {'P', 'A', 'I', 'L', 'S', 'E', 'G', '\n'};

enum {
    SEGMENT_FIELDS_SIZE = 64, /* what the check covers ends here */
    SEGMENT_COPY_OFFSET = 2048,
    SEGMENT_VERSION = 1,
    SHARD = 0,
};

void segment_header_encode(struct segment_header *header, char dst[SEGMENT_HEADER_SIZE])
{
    memset(dst, 0, SEGMENT_HEADER_SIZE);
    memcpy(dst, segment_magic, sizeof(segment_magic));
    put_le16(dst + 12, SEGMENT_VERSION);
    put_le16(dst + 14, SHARD);
    put_le64(dst + 16, header->id);
    put_le64(dst + 24, header->epoch);
    put_le64(dst + 32, header->size);
    memcpy(dst + 40, header->store_id, STORE_ID_SIZE);
    put_le64(dst + 56, header->created_ms);
    header->check = crc32c_update(0, dst + 12, SEGMENT_FIELDS_SIZE - 12);
    put_le32(dst + 8, header->check);
    memcpy(dst + SEGMENT_COPY_OFFSET, dst, SEGMENT_FIELDS_SIZE);
}

static enum err decode_copy(const char *src, struct segment_header *out_header)
{
    uint32_t check = crc32c_update(0, src + 12, SEGMENT_FIELDS_SIZE - 12);
    if (memcmp(src, segment_magic, sizeof(segment_magic)) != 0 || get_le32(src + 8) != check ||
        get_le16(src + 12) != SEGMENT_VERSION || get_le16(src + 14) != SHARD)
        return ERR_CORRUPT;
    *out_header = (struct segment_header){
        .id = get_le64(src + 16),
        .epoch = get_le64(src + 24),
        .size = get_le64(src + 32),
        .created_ms = get_le64(src + 56),
        .check = check,
    };
    memcpy(out_header->store_id, src + 40, STORE_ID_SIZE);
    return OK;
}

enum err segment_header_decode(const char src[SEGMENT_HEADER_SIZE],
                               struct segment_header *out_header)
{
    if (decode_copy(src, out_header) == OK)
        return OK;
    return decode_copy(src + SEGMENT_COPY_OFFSET, out_header);
}

/* ---- Records ---- */

enum { RECORD_MAGIC = 0x43524C50, RECORD_VERSION = 1 }; /* "PLRC" */

/* The check covers everything behind itself. */
static uint32_t check_of(const char *bytes, uint32_t payload_length)
{
    return crc32c_update(0, bytes + 8, RECORD_HEADER_SIZE - 8 + (size_t)payload_length);
}

void record_encode(struct record *record, char *bytes)
{
    put_le32(bytes, RECORD_MAGIC);
    bytes[8] = RECORD_VERSION;
    bytes[9] = (char)record->kind;
    put_le16(bytes + 10, SHARD);
    put_le32(bytes + 12, record->payload_length);
    put_le64(bytes + 16, record->epoch);
    put_le64(bytes + 24, record->sequence);
    put_le64(bytes + 32, record->durable);
    put_le32(bytes + 40, record->change_count);
    put_le32(bytes + 44, record->chain);
    put_le64(bytes + 48, record->salt);
    record->check = check_of(bytes, record->payload_length);
    put_le32(bytes + 4, record->check);
}

enum err record_header_decode(str bytes, struct record *out_record)
{
    if (bytes.len < RECORD_HEADER_SIZE || get_le32(bytes.ptr) != RECORD_MAGIC ||
        bytes.ptr[8] != RECORD_VERSION || get_le16(bytes.ptr + 10) != SHARD)
        return ERR_CORRUPT;
    uint8_t kind = (uint8_t)bytes.ptr[9];
    if (kind != RECORD_UPDATE && kind != RECORD_SEAL)
        return ERR_CORRUPT;
    *out_record = (struct record){
        .kind = (enum record_kind)kind,
        .payload_length = get_le32(bytes.ptr + 12),
        .epoch = get_le64(bytes.ptr + 16),
        .sequence = get_le64(bytes.ptr + 24),
        .durable = get_le64(bytes.ptr + 32),
        .change_count = get_le32(bytes.ptr + 40),
        .chain = get_le32(bytes.ptr + 44),
        .salt = get_le64(bytes.ptr + 48),
        .check = get_le32(bytes.ptr + 4),
    };
    return OK;
}

enum err record_verify(const struct record *record, const char *bytes)
{
    return check_of(bytes, record->payload_length) == record->check ? OK : ERR_CORRUPT;
}

/* ---- Changes ---- */

void change_encode(const struct change *change, struct buf *out)
{
    buf_append_char(out, (char)change->kind);
    buf_append_varint(out, change->key.len);
    buf_append(out, change->key);
    if (change->kind == CHANGE_DELETE)
        return;
    buf_append_varint(out, change->value.len);
    buf_append(out, change->value);
    buf_append_varint(out, change->blob_length);
    if (change->blob_length)
        buf_append_le32(out, change->blob_crc32c);
}

/* A length and as many bytes. */
static str read_counted(struct reader *reader)
{
    uint64_t len = reader_varint(reader);
    if (len > reader->left)
        reader->failed = true;
    return reader->failed ? (str){0} : reader_bytes(reader, len);
}

static void read_put(struct reader *reader, struct change *change)
{
    change->value = read_counted(reader);
    change->blob_length = reader_varint(reader);
    if (change->blob_length == 0)
        return;
    change->blob_crc32c = reader_le32(reader);
    if (change->blob_length > reader->left)
        reader->failed = true;
    else
        (void)reader_bytes(reader, change->blob_length);
}

enum err change_decode(str *payload, struct change *out_change, size_t *out_length)
{
    struct reader reader = reader_of(*payload);
    uint8_t kind = reader_u8(&reader);
    if (kind != CHANGE_PUT && kind != CHANGE_DELETE)
        return ERR_CORRUPT;
    struct change change = {.kind = (enum change_kind)kind, .key = read_counted(&reader)};
    if (kind == CHANGE_PUT)
        read_put(&reader, &change);
    if (reader.failed || change.key.len == 0)
        return ERR_CORRUPT;
    *out_length = payload->len - reader.left;
    *payload = str_skip(*payload, *out_length);
    *out_change = change;
    return OK;
}
