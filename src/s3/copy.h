/* What CopyObject and UploadPartCopy share: the source, and the caller's right to read it. */
#pragma once

#include "object/conditions.h"
#include "s3/call.h"

struct copy_source {
    str bucket, key, version_id; /* decoded */
    struct conditions conditions;
    uint64_t bucket_id, versioning; /* of the bucket; after s3_copy_source_find */
};
/* x-amz-copy-source: "/bucket/key?versionId=...", percent-encoded. ERR_BAD_ARGUMENT. */
enum err s3_copy_source_parse(struct s3_call *call, struct copy_source *out);
/* In a view: finds the source, which the caller may read; sets its bucket's id.
 * ERR_NO_SUCH_BUCKET, ERR_ACCESS_DENIED, ERR_NO_SUCH_KEY. The commit finds it again, and takes
 * it from no other bucket. */
enum err s3_copy_source_find(struct s3_call *call, struct tx *tx, struct copy_source *source,
                             struct object_row *out_row);
/* The answer's header about the version that was copied. */
void s3_copy_source_reply(struct s3_call *call, const struct copy_source *source,
                          const struct object_row *row);
