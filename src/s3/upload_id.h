/* The uploadId parameter. */
#pragma once

#include "s3/call.h"

enum err s3_upload_id_parse(struct s3_call *call, uint64_t *out);
str s3_upload_id_text(struct s3_call *call, uint64_t id); /* in the arena */
