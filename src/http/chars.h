/* Which bytes may stand where in a head (RFC 9110 5.6.2 tokens, 5.5 field values; RFC 3986 3.2 hosts). */
#pragma once

#include "base/str.h"

extern const uint8_t http_char_class[256];

enum http_char_classes {
    HTTP_CHAR_TOKEN = 1 << 0,  /* names of methods and fields */
    HTTP_CHAR_VALUE = 1 << 1,  /* field values: visible, space, tab, 0x80 to 0xff */
    HTTP_CHAR_TARGET = 1 << 2, /* targets: visible and 0x80 to 0xff */
    HTTP_CHAR_HOST = 1 << 3,   /* names, addresses, brackets and the colon of a port */
    HTTP_CHAR_HEX = 1 << 4,
};

static inline bool http_is_token_char(unsigned char c)
{
    return (http_char_class[c] & HTTP_CHAR_TOKEN) != 0;
}
static inline bool http_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
bool http_is_token(str s);       /* not empty */
bool http_is_field_value(str s); /* may be empty */
bool http_is_target(str s);
bool http_is_host(str s); /* may be empty */
