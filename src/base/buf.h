/* buf: an owned, growable run of bytes with a cap that is told at creation. A failed append (cap reached, memory refused)
 * is sticky: later appends do nothing, and buf_err tells it once at the end. */
#pragma once

#include <stdarg.h>

#include "base/str.h"

struct buf {
    char *ptr;
    size_t len;
    size_t capacity;
    size_t cap_bytes;
    enum err failure;
};

void buf_init(struct buf *buf, size_t cap_bytes);
void buf_release(struct buf *buf); /* frees; leaves it initialised and empty */
void buf_clear(struct buf *buf);   /* empties, keeps the memory, clears the failure */

void buf_append(struct buf *buf, str s);
void buf_append_char(struct buf *buf, char c);
void buf_append_u64(struct buf *buf, uint64_t value); /* decimal */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for `size` more bytes at the returned pointer, to be followed by buf_commit of what was written; null (and
 * sticky) when the cap forbids it. */
char *buf_reserve(struct buf *buf, size_t size);
void buf_commit(struct buf *buf, size_t size);

/* Drops the first n bytes. */
void buf_consume(struct buf *buf, size_t n);

static inline str buf_str(const struct buf *buf)
{
    return (str){buf->ptr, buf->len};
}
/* ERR_TOO_LARGE after an append past the cap, ERR_NO_MEMORY after a refused allocation, else OK. */
static inline enum err buf_err(const struct buf *buf)
{
    return buf->failure;
}
#define BUF_SCOPED __attribute__((cleanup(buf_release)))

/* Little-endian fields of on-disk formats. */
void buf_append_le16(struct buf *buf, uint16_t value);
void buf_append_le32(struct buf *buf, uint32_t value);
void buf_append_le64(struct buf *buf, uint64_t value);
void buf_append_varint(struct buf *buf, uint64_t value); /* LEB128, what reader_varint reads */
