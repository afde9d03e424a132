/* Answers in S3's form: the fields every answer has, XML bodies, and the one writer of error
 * bodies. */
#pragma once

#include "codec/xml.h"
#include "s3/call.h"

/* Begins the answer with the request id. */
void s3_reply_begin(struct s3_call *call, int status);
/* Sends what was begun, without a body (204, or length 0). */
void s3_reply_empty(struct s3_call *call, int status);
/* An XML answer with status 200: s3_xml_begin opens the root element in S3's namespace,
 * s3_xml_send closes it and sends the document. */
struct s3_xml {
    struct xml_writer w;
    struct buf out;
};
struct s3_xml *s3_xml_begin(struct s3_call *call, const char *root);
/* A document's middle part, without a root: to be appended to one. */
struct s3_xml *s3_xml_entries(struct s3_call *call);
void s3_xml_send(struct s3_call *call, struct s3_xml *xml);
/* All but the sending: for answers with more header fields, which follow, and then
 * http_reply_send. */
void s3_xml_finish(struct s3_call *call, struct s3_xml *xml);

/* Answers with an error: sets call->error_code. Uses call->fail for what the client should be
 * told. */
void s3_reply_error(struct s3_call *call, enum err err);
int s3_error_status(enum err err);
const char *s3_error_code(enum err err);
const char *s3_error_message(enum err err);
/* Header fields that several answers share. */
void s3_reply_etag(struct s3_call *call, str md5, uint64_t part_count);
/* x-amz-version-id, where the bucket has or had versions. */
void s3_reply_version(struct s3_call *call, uint64_t versioning, str version_id);
str s3_etag_quoted(struct arena *arena, str md5, uint64_t part_count);
void s3_reply_checksum(struct s3_call *call, const struct object_row *row);
/* The base64 text of a stored checksum, with "-N" for a composite one. */
str s3_checksum_text(struct arena *arena, const struct object_row *row);
const char *s3_checksum_type_name(uint64_t checksum_type);
void s3_xml_owner(struct xml_writer *w, const char *element, str id, str display_name);
