#include "base/encode.h"

static const char hex_digit[] = "0123456789abcdef";
static const char base64_digit[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(const void *src, size_t len, char *dst)
{
    const unsigned char *byte = src;
    for (size_t i = 0; i < len; i++) {
        dst[2 * i] = hex_digit[byte[i] >> 4];
        dst[2 * i + 1] = hex_digit[byte[i] & 15];
    }
}

/* A table, because the digits of signatures are random, and so would be branches on them. */
uint8_t hex_value(char c)
{
    static const uint8_t value[256] = {
#define DIGIT(digit, number) [digit] = (number) + 1
        DIGIT('0', 0),  DIGIT('1', 1),  DIGIT('2', 2),  DIGIT('3', 3),  DIGIT('4', 4),
        DIGIT('5', 5),  DIGIT('6', 6),  DIGIT('7', 7),  DIGIT('8', 8),  DIGIT('9', 9),
        DIGIT('a', 10), DIGIT('b', 11), DIGIT('c', 12), DIGIT('d', 13), DIGIT('e', 14),
        DIGIT('f', 15), DIGIT('A', 10), DIGIT('B', 11), DIGIT('C', 12), DIGIT('D', 13),
        DIGIT('E', 14), DIGIT('F', 15),
#undef DIGIT
    };
    uint8_t found = value[(unsigned char)c];
    return found == 0 ? HEX_NONE : (uint8_t)(found - 1);
}

enum err hex_decode(str text, void *dst)
{
    unsigned char *byte = dst;
    unsigned seen = 0;
    if (text.len % 2)
        return ERR_BAD_INPUT;
    for (size_t i = 0; i < text.len; i++)
        seen |= hex_value(text.ptr[i]);
    if (seen >= HEX_NONE)
        return ERR_BAD_INPUT;
    for (size_t i = 0; i < text.len; i += 2)
        byte[i / 2] = (unsigned char)(hex_value(text.ptr[i]) << 4 | hex_value(text.ptr[i + 1]));
    return OK;
}

void base64_encode(const void *src, size_t len, char *dst)
{
    const unsigned char *byte = src;
    for (; len >= 3; len -= 3, byte += 3, dst += 4) {
        dst[0] = base64_digit[byte[0] >> 2];
        dst[1] = base64_digit[(byte[0] & 3) << 4 | byte[1] >> 4];
        dst[2] = base64_digit[(byte[1] & 15) << 2 | byte[2] >> 6];
        dst[3] = base64_digit[byte[2] & 63];
    }
    if (len == 0)
        return;
    unsigned second = len == 2 ? byte[1] : 0;
    dst[0] = base64_digit[byte[0] >> 2];
    dst[1] = base64_digit[(byte[0] & 3u) << 4 | second >> 4];
    dst[2] = len == 2 ? base64_digit[(second & 15) << 2] : '=';
    dst[3] = '=';
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* text without its padding: digits only, and no bit set beyond the last whole byte. */
static bool is_base64(str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (base64_value(text.ptr[i]) < 0)
            return false;
    int unused = text.len % 4 == 2 ? 15 : text.len % 4 == 3 ? 3 : 0;
    return unused == 0 || (base64_value(text.ptr[text.len - 1]) & unused) == 0;
}

enum err base64_decode(str text, void *dst, size_t *out_len)
{
    if (text.len % 4)
        return ERR_BAD_INPUT;
    size_t padding = str_has_suffix(text, STR("==")) ? 2 : str_has_suffix(text, STR("=")) ? 1 : 0;
    str digits = str_slice(text, 0, text.len - padding);
    if (!is_base64(digits))
        return ERR_BAD_INPUT;
    unsigned char *byte = dst;
    size_t len = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < digits.len; i++) {
        bits = bits << 6 | (uint32_t)base64_value(digits.ptr[i]);
        if (i % 4) /* the second to fourth digit of a group complete a byte each */
            byte[len++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    *out_len = len;
    return OK;
}

str arena_hex(struct arena *arena, const void *src, size_t len)
{
    char *text = arena_alloc(arena, mem_size_mul(len, 2));
    hex_encode(src, len, text);
    return str_of(text, 2 * len);
}

str arena_base64(struct arena *arena, const void *src, size_t len)
{
    char *text = arena_alloc(arena, base64_encoded_len(len));
    base64_encode(src, len, text);
    return str_of(text, base64_encoded_len(len));
}

/* Bytes that stand for themselves in a JSON string. */
static bool is_plain_json(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void append_unicode(struct buf *out, unsigned char c)
{
    const char text[] = {'\\', 'u', '0', '0', hex_digit[c >> 4], hex_digit[c & 15]};
    buf_append(out, str_of(text, sizeof(text)));
}

static void append_ascii(struct buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        buf_append(out, STR("\\\""));
        return;
    case '\\':
        buf_append(out, STR("\\\\"));
        return;
    case '\n':
        buf_append(out, STR("\\n"));
        return;
    case '\r':
        buf_append(out, STR("\\r"));
        return;
    case '\t':
        buf_append(out, STR("\\t"));
        return;
    default:
        append_unicode(out, c);
    }
}

/* Writes the one character, or broken byte, that text begins with, and returns its length. */
static size_t append_special(struct buf *out, str text)
{
    unsigned char first = (unsigned char)text.ptr[0];
    size_t len = str_utf8_len(text);
    if (len == 0) {
        buf_append(out, STR("\xef\xbf\xbd"));
        return 1;
    }
    if (len == 1)
        append_ascii(out, first);
    else if (first == 0xc2 && (unsigned char)text.ptr[1] < 0xa0)
        append_unicode(out, (unsigned char)text.ptr[1]);
    else
        buf_append(out, str_slice(text, 0, len));
    return len;
}

void json_escape(struct buf *out, str text)
{
    while (text.len) {
        size_t plain = 0;
        while (plain < text.len && is_plain_json((unsigned char)text.ptr[plain]))
            plain++;
        buf_append(out, str_slice(text, 0, plain));
        text = str_skip(text, plain);
        if (text.len)
            text = str_skip(text, append_special(out, text));
    }
}
