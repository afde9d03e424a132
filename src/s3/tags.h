/* Tags: from a header, from and to XML documents. */
#pragma once

#include "codec/xml.h"
#include "s3/call.h"

/* x-amz-tagging, "name=value&name=value": packed pairs (s3/headers.h) in the arena, empty when the
 * header is not there. ERR_BAD_TAG, ERR_TOO_MANY_TAGS, ERR_BAD_ARGUMENT. */
enum err s3_tags_header_parse(struct s3_call *call, str *out_packed, uint64_t *out_count);
/* The Tag elements in `set`, packed in the same way. ERR_BAD_XML, ERR_BAD_TAG, ERR_TOO_MANY_TAGS. */
enum err s3_tags_parse(struct s3_call *call, const struct xml_node *set, size_t max_count,
                       str *out_packed, uint64_t *out_count);
