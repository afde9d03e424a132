/* Fixed-width integers in byte buffers, and a bounds-checked reader over untrusted bytes. */
#pragma once

#include <string.h>

#include "base/str.h"

static inline void put_le16(void *dst, uint16_t v)
{
    memcpy(dst, &v, 2);
}
static inline void put_le32(void *dst, uint32_t v)
{
    memcpy(dst, &v, 4);
}
static inline void put_le64(void *dst, uint64_t v)
{
    memcpy(dst, &v, 8);
}
static inline uint16_t get_le16(const void *src)
{
    uint16_t v;
    memcpy(&v, src, 2);
    return v;
}
static inline uint32_t get_le32(const void *src)
{
    uint32_t v;
    memcpy(&v, src, 4);
    return v;
}
static inline uint64_t get_le64(const void *src)
{
    uint64_t v;
    memcpy(&v, src, 8);
    return v;
}
static inline void put_be16(void *dst, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(dst, &v, 2);
}
static inline void put_be32(void *dst, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(dst, &v, 4);
}
static inline void put_be64(void *dst, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(dst, &v, 8);
}
static inline uint16_t get_be16(const void *src)
{
    uint16_t v;
    memcpy(&v, src, 2);
    return __builtin_bswap16(v);
}
static inline uint32_t get_be32(const void *src)
{
    uint32_t v;
    memcpy(&v, src, 4);
    return __builtin_bswap32(v);
}
static inline uint64_t get_be64(const void *src)
{
    uint64_t v;
    memcpy(&v, src, 8);
    return __builtin_bswap64(v);
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "written for little-endian machines");

/* A reader over bytes that may be damaged: every read is checked, a failed one is sticky, gives zero or empty, and is
 * asked for once at the end. */
struct reader {
    const char *ptr;
    size_t left;
    bool failed;
};

struct reader reader_of(str bytes);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_le16(struct reader *reader);
uint32_t reader_le32(struct reader *reader);
uint64_t reader_le64(struct reader *reader);
uint64_t reader_varint(struct reader *reader); /* LEB128, at most 10 bytes, shortest form only */
str reader_bytes(struct reader *reader, size_t len);
