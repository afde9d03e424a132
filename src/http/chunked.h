/* The chunked coding of a body (RFC 9112 7.1), taken apart as it arrives: a pure state machine over bytes.
 *
 * Strict: CRLF only, one to sixteen hexadecimal digits, nothing between size and extension. Extensions are passed over, and
 * bounded for each line and for the body, so that a client cannot send a gigabyte of framing for a kilobyte of data.
 *
 *   size ── CR LF ──> data ── CR LF ──> size ...        0 ── CR LF ──> trailer lines ── CR LF ──> done
 */
#pragma once

#include "base/str.h"

enum {
    CHUNKED_LINE_MAX = 256,       /* of one size line */
    CHUNKED_EXTENSION_MAX = 8192, /* extensions of all chunks of a body */
    CHUNKED_TRAILER_MAX = 4096,   /* the trailer section */
};

enum chunked_state {
    CHUNKED_SIZE,
    CHUNKED_EXTENSION,
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER_START,
    CHUNKED_TRAILER_LINE,
    CHUNKED_TRAILER_LF,
    CHUNKED_END_LF,
    CHUNKED_DONE,
};

/* Zeroed to begin. */
struct chunked {
    enum chunked_state state;
    unsigned digit_count;
    unsigned line_bytes;
    unsigned extension_bytes;
    unsigned trailer_bytes;
    uint64_t left; /* of the current chunk's data */
    char *
        trailer; /* where the trailer lines go, CHUNKED_TRAILER_MAX bytes; null: they are passed over */
};

/* Reads framing from the front of `in` up to the next data. *out_framing bytes were read and are to be dropped; then
 * *out_data, which follows them in `in`, is data (empty when `in` ended, or when the body is done). The caller drops what
 * it took of the data and says so by chunked_take, before the next call. ERR_BAD_CHUNK: malformed, or past a limit. */
enum err chunked_next(struct chunked *chunked, str in, size_t *out_framing, str *out_data);
void chunked_take(struct chunked *chunked, size_t len);

static inline bool chunked_is_done(const struct chunked *chunked)
{
    return chunked->state == CHUNKED_DONE;
}

/* The field lines of the trailer section, for http_fields_parse; once done, and when there was a place for them. */
str chunked_trailer(const struct chunked *chunked);
