#include "codec/url.h"

#include <string.h>

#include "base/encode.h"

/* Writes the decoded form of text, which is never longer than text. */
static enum err decode_into(str text, bool plus_is_space, char *dst, size_t *out_len)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3 || hex_decode(str_slice(text, i + 1, i + 3), &c) != OK)
                return ERR_BAD_URI;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        dst[len++] = c;
    }
    *out_len = len;
    return OK;
}

enum err url_decode(struct arena *arena, str text, bool plus_is_space, str *out)
{
    bool has_escape = str_find_char(text, '%') >= 0;
    bool has_space = plus_is_space && str_find_char(text, '+') >= 0;
    if (!has_escape && !has_space) {
        *out = text;
        return OK;
    }
    char *decoded = arena_try_alloc(arena, text.len);
    if (!decoded)
        return ERR_TOO_LARGE;
    size_t len;
    TRY(decode_into(text, plus_is_space, decoded, &len));
    *out = str_of(decoded, len);
    return OK;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void append_escape(struct buf *out, char c)
{
    static const char digit[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)c;
    const char escape[] = {'%', digit[byte >> 4], digit[byte & 15]};
    buf_append(out, str_of(escape, sizeof(escape)));
}

void url_encode(struct buf *out, str text, bool keep_slash)
{
    while (text.len) {
        size_t plain = 0;
        while (plain < text.len &&
               (is_unreserved(text.ptr[plain]) || (keep_slash && text.ptr[plain] == '/')))
            plain++;
        buf_append(out, str_slice(text, 0, plain));
        text = str_skip(text, plain);
        if (text.len) {
            append_escape(out, text.ptr[0]);
            text = str_skip(text, 1);
        }
    }
}

/* The next piece that is not empty: "a&&b" has two. */
static bool next_piece(str *rest, str *out_piece)
{
    while (rest->len) {
        (void)str_cut(*rest, '&', out_piece, rest);
        if (out_piece->len)
            return true;
    }
    return false;
}

static size_t count_pieces(str query)
{
    size_t count = 0;
    for (str piece; next_piece(&query, &piece);)
        count++;
    return count;
}

static enum err decode_pair(struct arena *arena, str piece, struct pair *out)
{
    str name, value;
    (void)str_cut(piece, '=', &name, &value);
    TRY(url_decode(arena, name, true, &out->name));
    return url_decode(arena, value, true, &out->value);
}

enum err url_parse_query(struct arena *arena, str query, size_t max_count, struct pair **out_pair,
                         size_t *out_count)
{
    size_t count = count_pieces(query);
    if (count > max_count)
        return ERR_TOO_LARGE;
    struct pair *pair = arena_new_array(arena, struct pair, count);
    str piece;
    for (size_t i = 0; i < count && next_piece(&query, &piece); i++)
        TRY(decode_pair(arena, piece, &pair[i]));
    *out_pair = pair;
    *out_count = count;
    return OK;
}
