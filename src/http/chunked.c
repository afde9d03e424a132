/* The chunked decoder. Framing is read byte by byte, data is passed on in slices. */
#include "http/chunked.h"

#include <assert.h>

#include "base/encode.h"
#include "http/chars.h"

enum { DIGITS_MAX = 16 };

static enum err move_to(struct chunked *chunked, enum chunked_state state)
{
    chunked->state = state;
    return OK;
}

static enum err expect(struct chunked *chunked, char c, char wanted, enum chunked_state then)
{
    return c == wanted ? move_to(chunked, then) : ERR_BAD_CHUNK;
}

/* ---- Size line ---- */

static enum err on_size(struct chunked *chunked, char c)
{
    if (http_char_class[(unsigned char)c] & HTTP_CHAR_HEX) {
        if (++chunked->digit_count > DIGITS_MAX || chunked->left > (uint64_t)INT64_MAX >> 4)
            return ERR_BAD_CHUNK;
        chunked->left = chunked->left << 4 | hex_value(c);
        return OK;
    }
    if (chunked->digit_count == 0)
        return ERR_BAD_CHUNK;
    if (c == ';')
        return move_to(chunked, CHUNKED_EXTENSION);
    return expect(chunked, c, '\r', CHUNKED_SIZE_LF);
}

static enum err on_extension(struct chunked *chunked, char c)
{
    if (c == '\r')
        return move_to(chunked, CHUNKED_SIZE_LF);
    if (!(http_char_class[(unsigned char)c] & HTTP_CHAR_VALUE))
        return ERR_BAD_CHUNK;
    bool is_too_long = ++chunked->line_bytes > CHUNKED_LINE_MAX ||
                       ++chunked->extension_bytes > CHUNKED_EXTENSION_MAX;
    return is_too_long ? ERR_BAD_CHUNK : OK;
}

static enum err on_size_lf(struct chunked *chunked, char c)
{
    enum chunked_state then = chunked->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER_START;
    return expect(chunked, c, '\n', then);
}

static enum err on_data_lf(struct chunked *chunked, char c)
{
    chunked->digit_count = 0;
    chunked->line_bytes = 0;
    return expect(chunked, c, '\n', CHUNKED_SIZE);
}

/* ---- Trailer section ---- */

static enum err keep_trailer(struct chunked *chunked, char c)
{
    if (chunked->trailer_bytes == CHUNKED_TRAILER_MAX)
        return ERR_BAD_CHUNK;
    if (chunked->trailer != NULL)
        chunked->trailer[chunked->trailer_bytes] = c;
    chunked->trailer_bytes++;
    return OK;
}

static enum err on_trailer_start(struct chunked *chunked, char c)
{
    if (c == '\r')
        return move_to(chunked, CHUNKED_END_LF);
    if (!http_is_token_char((unsigned char)c))
        return ERR_BAD_CHUNK;
    chunked->state = CHUNKED_TRAILER_LINE;
    return keep_trailer(chunked, c);
}

static enum err on_trailer_line(struct chunked *chunked, char c)
{
    if (c == '\r')
        chunked->state = CHUNKED_TRAILER_LF;
    else if (!(http_char_class[(unsigned char)c] & HTTP_CHAR_VALUE))
        return ERR_BAD_CHUNK;
    return keep_trailer(chunked, c);
}

static enum err on_trailer_lf(struct chunked *chunked, char c)
{
    TRY(expect(chunked, c, '\n', CHUNKED_TRAILER_START));
    return keep_trailer(chunked, c);
}

/* ---- Steps ---- */

static enum err on_byte(struct chunked *chunked, char c)
{
    switch (chunked->state) {
    case CHUNKED_SIZE:
        return on_size(chunked, c);
    case CHUNKED_EXTENSION:
        return on_extension(chunked, c);
    case CHUNKED_SIZE_LF:
        return on_size_lf(chunked, c);
    case CHUNKED_DATA_CR:
        return expect(chunked, c, '\r', CHUNKED_DATA_LF);
    case CHUNKED_DATA_LF:
        return on_data_lf(chunked, c);
    case CHUNKED_TRAILER_START:
        return on_trailer_start(chunked, c);
    case CHUNKED_TRAILER_LINE:
        return on_trailer_line(chunked, c);
    case CHUNKED_TRAILER_LF:
        return on_trailer_lf(chunked, c);
    case CHUNKED_END_LF:
        return expect(chunked, c, '\n', CHUNKED_DONE);
    case CHUNKED_DATA:
    case CHUNKED_DONE:
        break;
    }
    assert(false);
    return ERR_INTERNAL;
}

enum err chunked_next(struct chunked *chunked, str in, size_t *out_framing, str *out_data)
{
    size_t at = 0;
    while (at < in.len && chunked->state != CHUNKED_DATA && chunked->state != CHUNKED_DONE)
        TRY(on_byte(chunked, in.ptr[at++]));
    *out_framing = at;
    str rest = str_skip(in, at);
    if (chunked->state != CHUNKED_DATA)
        rest.len = 0;
    else if (rest.len > chunked->left)
        rest.len = (size_t)chunked->left;
    *out_data = rest;
    return OK;
}

void chunked_take(struct chunked *chunked, size_t len)
{
    if (len == 0)
        return;
    assert(chunked->state == CHUNKED_DATA && len <= chunked->left);
    chunked->left -= len;
    if (chunked->left == 0)
        chunked->state = CHUNKED_DATA_CR;
}

str chunked_trailer(const struct chunked *chunked)
{
    assert(chunked_is_done(chunked));
    return chunked->trailer == NULL ? STR("") : str_of(chunked->trailer, chunked->trailer_bytes);
}
