/* Hexadecimal, base64 (RFC 4648) and the escaping of JSON strings. Encoders write exactly the stated length, no
 * terminator; decoders leave dst untouched when they refuse the text. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

void hex_encode(const void *src, size_t len, char *dst); /* 2 * len lower-case digits */
/* What a hexadecimal digit stands for, in either case; HEX_NONE for another character. */
enum { HEX_NONE = 16 };
uint8_t hex_value(char c);
enum err hex_decode(str text, void *dst); /* text.len / 2 bytes; either case; ERR_BAD_INPUT */

static inline size_t base64_encoded_len(size_t len)
{
    return (len + 2) / 3 * 4;
}
/* Writes base64_encoded_len(len) bytes, padded. */
void base64_encode(const void *src, size_t len, char *dst);
/* Strict: padded, no spaces, zero trailing bits. dst has room for text.len / 4 * 3 bytes. */
enum err base64_decode(str text, void *dst, size_t *out_len);

str arena_hex(struct arena *arena, const void *src, size_t len);
str arena_base64(struct arena *arena, const void *src, size_t len);

/* Appends text as the inside of a JSON string (RFC 8259), without the quotes around it. What is not UTF-8 becomes
 * U+FFFD; control characters, C1 and DEL included, are written as \u escapes, so that a line shown on a terminal cannot
 * steer it. */
void json_escape(struct buf *out, str text);
