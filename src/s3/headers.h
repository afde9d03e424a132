/* Object headers: from a request into a row, from a row into a reply; conditions, ranges, pairs. */
#pragma once

#include "object/conditions.h"
#include "s3/call.h"

/* Content headers, x-amz-meta-*, x-amz-tagging, storage class, website redirect. Strings live in
 * the arena. Refuses headers that ask for what is not served (ERR_NOT_IMPLEMENTED).
 * ERR_METADATA_TOO_LARGE, ERR_BAD_TAG, ERR_BAD_STORAGE_CLASS. */
enum err s3_object_headers_parse(struct s3_call *call, struct object_row *row);
/* Only the refusals: for operations that take no object headers. */
enum err s3_unserved_headers_check(struct s3_call *call);

/* All that GET and HEAD tell of a version, without length and range. `shows_checksum`:
 * x-amz-checksum-mode was ENABLED. */
void s3_object_headers_reply(struct s3_call *call, const struct object_row *row,
                             bool shows_checksum);

/* If-Match and its kin, of the request or of the source of a copy (x-amz-copy-source-if-match
 * ...). Dates that cannot be parsed are ignored, as RFC 9110 wants. */
enum s3_condition_place { S3_CONDITIONS_OF_REQUEST, S3_CONDITIONS_OF_SOURCE };
void s3_conditions_parse(struct s3_call *call, enum s3_condition_place place,
                         struct conditions *out);
/* Of writes: only If-Match with a tag, and If-None-Match: *. Others: ERR_NOT_IMPLEMENTED. */
enum err s3_write_conditions_parse(struct s3_call *call, struct conditions *out);

/* A range against a size (RFC 9110 section 14): the whole when there is none to honour (absent,
 * malformed, several). ERR_BAD_RANGE when it is not satisfiable. */
struct s3_range {
    bool is_partial; /* else first and length are those of the whole */
    uint64_t first, length;
};
enum err s3_range_resolve(str header, uint64_t size, struct s3_range *out);

const char *s3_storage_class_name(uint64_t storage_class);
enum err s3_storage_class_parse(struct s3_call *call, uint64_t *out);

/* Pairs packed in a row: metadata, tags. */
str s3_pairs_pack(struct arena *arena, const struct pair *pair, size_t count);
/* Gives one pair after another from a packed text: false at the end. */
bool s3_pairs_next(str *packed, struct pair *out);
