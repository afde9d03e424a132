#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

enum { FIRST_CAPACITY = 240 };

void buf_init(struct buf *buf, size_t cap_bytes)
{
    *buf = (struct buf){.cap_bytes = cap_bytes};
}

void buf_release(struct buf *buf)
{
    mem_free(buf->ptr);
    buf_init(buf, buf->cap_bytes);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failure = OK;
}

static bool fail(struct buf *buf, enum err failure)
{
    buf->failure = failure;
    return false;
}

/* The allocation is one byte larger than the capacity, for the terminator that vsnprintf insists on. */
static bool grow(struct buf *buf, size_t size)
{
    if (size > buf->cap_bytes - buf->len)
        return fail(buf, ERR_TOO_LARGE);
    size_t needed = buf->len + size;
    size_t capacity = buf->capacity ? buf->capacity : FIRST_CAPACITY;
    while (capacity < needed && size_add_checked(capacity, capacity, &capacity))
        ;
    if (capacity < needed || capacity > buf->cap_bytes)
        capacity = buf->cap_bytes;
    size_t allocation;
    char *ptr =
        size_add_checked(capacity, 1, &allocation) ? mem_try_resize(buf->ptr, allocation) : NULL;
    if (!ptr)
        return fail(buf, ERR_NO_MEMORY);
    buf->ptr = ptr;
    buf->capacity = capacity;
    return true;
}

static inline bool ensure(struct buf *buf, size_t size)
{
    if (buf->failure != OK)
        return false;
    return (buf->ptr && size <= buf->capacity - buf->len) || grow(buf, size);
}

void buf_append(struct buf *buf, str s)
{
    if (s.len == 0 || !ensure(buf, s.len))
        return;
    memcpy(buf->ptr + buf->len, s.ptr, s.len);
    buf->len += s.len;
}

void buf_append_char(struct buf *buf, char c)
{
    if (ensure(buf, 1))
        buf->ptr[buf->len++] = c;
}

void buf_append_u64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_append(buf, str_of(digits + at, sizeof(digits) - at));
}

static int __attribute__((format(printf, 2, 0)))
print_at_end(struct buf *buf, const char *format, va_list args)
{
    return vsnprintf(buf->ptr + buf->len, buf->capacity - buf->len + 1, format, args);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    if (!ensure(buf, 0))
        return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = print_at_end(buf, format, args);
    assert(len >= 0);
    bool fitted = (size_t)len <= buf->capacity - buf->len;
    if (fitted || ensure(buf, (size_t)len)) {
        if (!fitted)
            (void)print_at_end(buf, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

char *buf_reserve(struct buf *buf, size_t size)
{
    return ensure(buf, size) ? buf->ptr + buf->len : NULL;
}

void buf_commit(struct buf *buf, size_t size)
{
    assert(size <= buf->capacity - buf->len);
    buf->len += size;
}

void buf_consume(struct buf *buf, size_t n)
{
    assert(n <= buf->len);
    buf->len -= n;
    if (n && buf->len)
        memmove(buf->ptr, buf->ptr + n, buf->len);
}

void buf_append_le16(struct buf *buf, uint16_t value)
{
    char bytes[2];
    put_le16(bytes, value);
    buf_append(buf, str_of(bytes, sizeof(bytes)));
}

void buf_append_le32(struct buf *buf, uint32_t value)
{
    char bytes[4];
    put_le32(bytes, value);
    buf_append(buf, str_of(bytes, sizeof(bytes)));
}

void buf_append_le64(struct buf *buf, uint64_t value)
{
    char bytes[8];
    put_le64(bytes, value);
    buf_append(buf, str_of(bytes, sizeof(bytes)));
}

void buf_append_varint(struct buf *buf, uint64_t value)
{
    char bytes[10];
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[len++] = (char)(value | 0x80);
    bytes[len++] = (char)value;
    buf_append(buf, str_of(bytes, len));
}
