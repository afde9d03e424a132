/* What CopyObject and UploadPartCopy share: the source, and the caller's right to read it. */
#pragma once

#include "object/conditions.h"
#include "s3/call.h"

struct copy_source {
    str bucket, key, version_id; /* decoded */
    struct conditions conditions;
};
/* x-amz-copy-source: "/bucket/key?versionId=...", percent-encoded. ERR_BAD_ARGUMENT. */
enum err s3_copy_source_parse(struct s3_call *call, struct copy_source *out);
/* In a view: the source's bucket exists and the caller may read from it. */
enum err s3_copy_source_authorise(struct s3_call *call, struct tx *tx,
                                  const struct copy_source *source);
