#include "base/bytes.h"

struct reader reader_of(str bytes)
{
    return (struct reader){.ptr = bytes.ptr, .left = bytes.len};
}

/* The next len bytes, or null and the reader is failed for good. */
static const void *advance(struct reader *reader, size_t len)
{
    if (reader->failed || len > reader->left) {
        reader->failed = true;
        return NULL;
    }
    const char *at = reader->ptr;
    reader->ptr = at + len;
    reader->left -= len;
    return at;
}

uint8_t reader_u8(struct reader *reader)
{
    const uint8_t *at = advance(reader, 1);
    return at ? *at : 0;
}

uint16_t reader_le16(struct reader *reader)
{
    const void *at = advance(reader, 2);
    return at ? get_le16(at) : 0;
}

uint32_t reader_le32(struct reader *reader)
{
    const void *at = advance(reader, 4);
    return at ? get_le32(at) : 0;
}

uint64_t reader_le64(struct reader *reader)
{
    const void *at = advance(reader, 8);
    return at ? get_le64(at) : 0;
}

uint64_t reader_varint(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = reader_u8(reader);
        uint64_t bits = byte & 0x7f;
        if (bits << shift >> shift != bits)
            break;
        value |= bits << shift;
        if (byte & 0x80)
            continue;
        /* A last byte of zero would say nothing: not the shortest form (and what a failed read gives). */
        if (byte == 0 && shift > 0)
            break;
        return value;
    }
    reader->failed = true;
    return 0;
}

str reader_bytes(struct reader *reader, size_t len)
{
    if (len == 0)
        return (str){0};
    const char *at = advance(reader, len);
    return at ? str_of(at, len) : (str){0};
}
