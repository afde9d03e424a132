/* Query arguments that several operations share. */
#pragma once

#include "s3/call.h"

enum err s3_part_number_parse(struct s3_call *call, uint64_t *out);
enum err s3_version_id_check(struct s3_call *call, str version_id);
/* The version of the call's key that versionId names, or the current one (object/version.h); an
 * error about a delete marker is answered with what AWS tells of it. *out_row lives as long as
 * the call. */
enum err s3_object_find(struct s3_call *call, struct tx *tx, struct object_row *out_row);
/* A whole number from 0 to 2^31-1, cut to `most`; `fallback` when absent. ERR_BAD_ARGUMENT. */
enum err s3_count_parse(struct s3_call *call, const char *name, uint64_t fallback, uint64_t most,
                        uint64_t *out);
/* encoding-type: true for "url". ERR_BAD_ARGUMENT for anything else. */
enum err s3_encoding_parse(struct s3_call *call, bool *out_is_url);
/* A key or prefix for an XML answer, percent-encoded when asked for. */
str s3_encode_name(struct s3_call *call, bool is_url, str name);
