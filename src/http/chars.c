/* The table of byte classes. */
#include "http/chars.h"

enum {
    _ = 0,
    S = HTTP_CHAR_VALUE,                    /* space and tab */
    D = HTTP_CHAR_VALUE | HTTP_CHAR_TARGET, /* delimiters, and bytes beyond ASCII */
    T = D | HTTP_CHAR_TOKEN,
    H = D | HTTP_CHAR_HOST,
    A = H | HTTP_CHAR_TOKEN, /* letters, and what may stand everywhere as they do */
    X = A | HTTP_CHAR_HEX,
};

/* Sixteen bytes a row; what they are stands beside it. */
/* clang-format off */
const uint8_t http_char_class[256] = {
    _, _, _, _, _, _, _, _, _, S, _, _, _, _, _, _, /* 00 */
    _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, /* 10 */
    S, A, D, T, A, A, A, A, H, H, A, A, H, A, A, D, /* 20 !"#$%&'()*+,-./ */
    X, X, X, X, X, X, X, X, X, X, H, H, D, H, D, D, /* 30 0123456789:;<=>? */
    D, X, X, X, X, X, X, A, A, A, A, A, A, A, A, A, /* 40 @ABCDEFGHIJKLMNO */
    A, A, A, A, A, A, A, A, A, A, A, H, D, H, T, A, /* 50 PQRSTUVWXYZ[\]^_ */
    T, X, X, X, X, X, X, A, A, A, A, A, A, A, A, A, /* 60 `abcdefghijklmno */
    A, A, A, A, A, A, A, A, A, A, A, D, T, D, A, _, /* 70 pqrstuvwxyz{|}~ */
    D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, /* 80 */
    D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, /* 90 */
    D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, /* a0 */
    D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, /* b0 */
    D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, /* c0 */
    D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, /* d0 */
    D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, /* e0 */
    D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, D, /* f0 */
};
/* clang-format on */

static bool is_all(str s, unsigned class)
{
    unsigned common = class;
    for (size_t i = 0; i < s.len; i++)
        common &= http_char_class[(unsigned char)s.ptr[i]];
    return common != 0;
}

bool http_is_token(str s)
{
    return s.len > 0 && is_all(s, HTTP_CHAR_TOKEN);
}

bool http_is_field_value(str s)
{
    return is_all(s, HTTP_CHAR_VALUE);
}

bool http_is_target(str s)
{
    return is_all(s, HTTP_CHAR_TARGET);
}

bool http_is_host(str s)
{
    return is_all(s, HTTP_CHAR_HOST);
}
