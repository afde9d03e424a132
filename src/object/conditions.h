/* Preconditions (RFC 9110 section 13, with S3's rules for writes). The texts are the request's,
 * not yet parsed. */
#pragma once

#include "object/types.h"

struct conditions {
    str if_match; /* "*" or a list of entity tags; empty: no condition */
    str if_none_match;
    int64_t if_modified_since_ms; /* 0: no condition */
    int64_t if_unmodified_since_ms;
};

/* The entity tag without quotes: 32 hex digits, or "-N" behind them. dst has room for
 * ETAG_TEXT_MAX bytes. */
enum { ETAG_TEXT_MAX = 48 };
str etag_format(str md5, uint64_t part_count, char dst[ETAG_TEXT_MAX]);
/* Whether one tag as written in a request (quoted or not, W/ ignored) names this version. */
bool etag_is(str tag, str md5, uint64_t part_count);
/* The same for a list of tags, where "*" stands for any. */
bool etag_matches(str list, str md5, uint64_t part_count);

/* For GET, HEAD and the source of a copy. ERR_PRECONDITION_FAILED, ERR_NOT_MODIFIED. */
enum err conditions_check_read(const struct conditions *conditions, const struct object_row *row);
/* For PUT, Complete, DELETE and the target of a copy: `current` is null when there is no such
 * object. ERR_PRECONDITION_FAILED; ERR_NO_SUCH_KEY for If-Match on nothing. */
enum err conditions_check_write(const struct conditions *conditions,
                                const struct object_row *current);
