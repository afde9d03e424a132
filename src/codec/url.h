/* URL pieces: percent coding (RFC 3986), query strings. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/pair.h"

/* Decodes %XX. '+' stays '+' unless plus_is_space. ERR_BAD_URI for a broken escape. Returns the input itself when there
 * is nothing to decode. */
enum err url_decode(struct arena *arena, str text, bool plus_is_space, str *out);

/* Encodes all but A-Z a-z 0-9 - . _ ~ and, when keep_slash, '/'. Upper-case hex. This is SigV4's UriEncode. */
void url_encode(struct buf *out, str text, bool keep_slash);

/* Splits a raw query (without '?') at '&' and the first '='; names and values decoded ('+' is a space). A name without '='
 * has an empty value. ERR_BAD_URI for broken escapes, ERR_TOO_LARGE for more than max_count parameters. */
enum err url_parse_query(struct arena *arena, str query, size_t max_count, struct pair **out_pair,
                         size_t *out_count);
