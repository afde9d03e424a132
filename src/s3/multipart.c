/* Multipart uploads: create, upload a part, copy a part, abort, and the two lists. Complete is
 * in complete.c. */
#include "base/encode.h"
#include "base/mem.h"
#include "object/object.h"
#include "object/reader.h"
#include "object/upload.h"
#include "s3/arguments.h"
#include "s3/copy.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/ingest.h"
#include "s3/reply.h"
#include "s3/runner.h"
#include "s3/upload_id.h"

enum err s3_upload_id_parse(struct s3_call *call, uint64_t *out)
{
    return upload_id_parse(s3_query(call, "uploadId"), out);
}

str s3_upload_id_text(struct s3_call *call, uint64_t id)
{
    return upload_id_format(id, arena_alloc(call->arena, UPLOAD_ID_TEXT));
}

/* ---- CreateMultipartUpload ---- */

/* Which types each kind can be: CRC64NVME has no composite form, the SHAs have no full-object
 * one. */
static enum err checksum_type_parse(struct s3_call *call, struct upload_row *row)
{
    str type = s3_header(call, "x-amz-checksum-type");
    bool is_sha = row->checksum_kind == CHECKSUM_SHA1 || row->checksum_kind == CHECKSUM_SHA256;
    row->checksum_type =
        row->checksum_kind == CHECKSUM_CRC64NVME || row->checksum_kind == CHECKSUM_NONE
            ? CHECKSUM_FULL_OBJECT
            : CHECKSUM_COMPOSITE;
    if (type.len == 0)
        return OK;
    bool is_full = str_eq_nocase(type, STR("FULL_OBJECT"));
    if (!is_full && !str_eq_nocase(type, STR("COMPOSITE")))
        return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-checksum-type",
                        "Value for x-amz-checksum-type header is invalid.");
    if (row->checksum_kind == CHECKSUM_NONE)
        return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-checksum-type",
                        "The x-amz-checksum-type header can only be used with the "
                        "x-amz-checksum-algorithm header.");
    if ((is_full && is_sha) || (!is_full && row->checksum_kind == CHECKSUM_CRC64NVME))
        return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-checksum-type",
                        "The %s checksum type cannot be used with the %s checksum algorithm.",
                        is_full ? "FULL_OBJECT" : "COMPOSITE",
                        s3_checksum_name((enum checksum_kind)row->checksum_kind));
    row->checksum_type = is_full ? CHECKSUM_FULL_OBJECT : CHECKSUM_COMPOSITE;
    return OK;
}

static enum err upload_checksum_parse(struct s3_call *call, struct upload_row *row)
{
    str algorithm = s3_header(call, "x-amz-checksum-algorithm");
    enum checksum_kind kind = CHECKSUM_NONE;
    if (algorithm.len > 0 && !s3_checksum_find(algorithm, &kind))
        return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-checksum-algorithm",
                        "Checksum algorithm provided is unsupported. Please try again with any of "
                        "the valid types: "
                        "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
    row->checksum_kind = kind;
    return checksum_type_parse(call, row);
}

static void headers_to_upload(const struct object_row *headers, struct upload_row *row)
{
    row->content_type = headers->content_type;
    row->content_encoding = headers->content_encoding;
    row->content_disposition = headers->content_disposition;
    row->content_language = headers->content_language;
    row->cache_control = headers->cache_control;
    row->expires = headers->expires;
    row->website_redirect = headers->website_redirect;
    row->metadata = headers->metadata;
    row->tags = headers->tags;
    row->tag_count = headers->tag_count;
    row->storage_class = headers->storage_class;
}

static enum err create_parse(struct s3_call *call)
{
    struct upload_create *create = arena_new_of(call->arena, struct upload_create);
    struct object_row headers = {0};
    call->state = create;
    create->bucket = call->bucket;
    create->row.key = call->key;
    create->row.owner = create->row.initiator = s3_call_owner(call);
    TRY(s3_object_headers_parse(call, &headers));
    headers_to_upload(&headers, &create->row);
    return upload_checksum_parse(call, &create->row);
}

static void create_start(struct s3_call *call)
{
    struct upload_create *create = call->state;
    create->op = s3_call_op(call);
    upload_create_start(create);
}

static void create_reply(struct s3_call *call)
{
    const struct upload_create *create = call->state;
    struct s3_xml *xml = s3_xml_begin(call, "InitiateMultipartUploadResult");
    xml_text(&xml->w, "Bucket", call->bucket);
    xml_text(&xml->w, "Key", call->key);
    xml_text(&xml->w, "UploadId", s3_upload_id_text(call, create->row.id));
    if (create->row.checksum_kind == CHECKSUM_NONE) {
        s3_xml_send(call, xml);
        return;
    }
    s3_xml_finish(call, xml);
    http_reply_header(call->x, "x-amz-checksum-algorithm",
                      str_from(s3_checksum_name((enum checksum_kind)create->row.checksum_kind)));
    http_reply_header(call->x, "x-amz-checksum-type",
                      str_from(s3_checksum_type_name(create->row.checksum_type)));
    http_reply_send(call->x);
}

const struct s3_handler handle_create_multipart_upload = {
    .parse = create_parse, .start = create_start, .reply = create_reply};

/* ---- UploadPart ---- */

static enum err part_parse(struct s3_call *call)
{
    struct upload_part *part = arena_new_of(call->arena, struct upload_part);
    call->state = part;
    part->bucket = call->bucket;
    part->key = call->key;
    TRY(s3_unserved_headers_check(call));
    TRY(s3_part_number_parse(call, &part->row.number));
    TRY(s3_upload_id_parse(call, &part->upload_id));
    return s3_upload_length_check(call);
}

/* The part's checksum is the kind the upload was created with; only after the body is the row
 * read, so every kind that it may need and is nearly free is computed, and the SHAs where the
 * client sends them. */
static enum err part_body(struct s3_call *call, struct body_options *options)
{
    options->must_be_extent = true;
    options->digests |= DIGEST_BIT(CHECKSUM_CRC32) | DIGEST_BIT(CHECKSUM_CRC32C) |
                        DIGEST_BIT(CHECKSUM_CRC64NVME) | DIGEST_BIT(s3_stored_checksum(call));
    return OK;
}

/* An upload that was created without a kind keeps CRC64NVME, from which the whole's can be had,
 * whatever the client sent to protect its part. */
static enum err part_checksum_choose(struct s3_call *call, const struct upload_row *upload,
                                     enum checksum_kind *out)
{
    enum checksum_kind wanted = (enum checksum_kind)upload->checksum_kind;
    enum checksum_kind sent = call->integrity.kind;
    *out = wanted != CHECKSUM_NONE ? wanted : CHECKSUM_CRC64NVME;
    bool is_computed = wanted != CHECKSUM_SHA1 && wanted != CHECKSUM_SHA256;
    if (wanted == CHECKSUM_NONE || sent == wanted || (sent == CHECKSUM_NONE && is_computed))
        return OK;
    return fail_set(
        &call->fail, ERR_BAD_REQUEST, "x-amz-checksum-algorithm",
        "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
        s3_checksum_name(wanted), sent == CHECKSUM_NONE ? "null" : s3_checksum_name(sent));
}

static enum err part_read(struct s3_call *call, enum view_flags flags)
{
    struct upload_part *part = call->state;
    struct upload_row upload;
    struct tx *tx;
    enum checksum_kind kind;
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err =
        upload_find(tx, call->bucket_row.id, call->key, part->upload_id, call->arena, &upload);
    view_end(tx);
    TRY(err);
    TRY(part_checksum_choose(call, &upload, &kind));
    part->row.checksum_kind = kind;
    return OK;
}

static void part_start(struct s3_call *call)
{
    struct upload_part *part = call->state;
    const struct digest *digest = body_digest(call->ingest->body);
    part->op = s3_call_op(call);
    part->body = call->ingest->body;
    part->row.md5 = str_of(digest->md5_value, MD5_BYTES);
    part->row.checksum = digest_checksum(digest, (enum checksum_kind)part->row.checksum_kind);
    upload_part_start(part);
}

static void part_reply(struct s3_call *call)
{
    const struct upload_part *part = call->state;
    s3_reply_begin(call, 200);
    s3_reply_etag(call, part->row.md5, 0);
    str checksum = digest_checksum(body_digest(part->body), s3_stored_checksum(call));
    http_reply_header(call->x, s3_checksum_header(s3_stored_checksum(call)),
                      arena_base64(call->arena, checksum.ptr, checksum.len));
    http_reply_body(call->x, (str){0});
    http_reply_send(call->x);
}

const struct s3_handler handle_upload_part = {.parse = part_parse,
                                              .body = part_body,
                                              .read = part_read,
                                              .start = part_start,
                                              .reply = part_reply};

/* ---- AbortMultipartUpload ---- */

static enum err abort_parse(struct s3_call *call)
{
    struct upload_abort *abort = arena_new_of(call->arena, struct upload_abort);
    call->state = abort;
    abort->bucket = call->bucket;
    abort->key = call->key;
    return s3_upload_id_parse(call, &abort->upload_id);
}

static void abort_start(struct s3_call *call)
{
    struct upload_abort *abort = call->state;
    abort->op = s3_call_op(call);
    upload_abort_start(abort);
}

static void abort_reply(struct s3_call *call)
{
    s3_reply_empty(call, 204);
}

const struct s3_handler handle_abort_multipart_upload = {
    .parse = abort_parse, .start = abort_start, .reply = abort_reply};

/* ---- ListParts ---- */

struct list_parts {
    uint64_t upload_id, after, max_count;
    bool is_url_encoded;
    struct upload_row upload;
    struct part_row *part;
    size_t count;
    bool is_truncated;
    char owner_name[DISPLAY_NAME_MAX + 1];
};

static enum err list_parts_parse(struct s3_call *call)
{
    struct list_parts *list = arena_new_of(call->arena, struct list_parts);
    call->state = list;
    TRY(s3_upload_id_parse(call, &list->upload_id));
    TRY(s3_count_parse(call, "part-number-marker", 0, INT32_MAX, &list->after));
    TRY(s3_encoding_parse(call, &list->is_url_encoded));
    return s3_count_parse(call, "max-parts", PAGE_MAX_KEYS, PAGE_MAX_KEYS, &list->max_count);
}

static enum err list_parts_read(struct s3_call *call, enum view_flags flags)
{
    struct list_parts *list = call->state;
    struct tx *tx;
    TRY(users_display_name(call->s3->options.users, call->bucket_row.owner, flags,
                           list->owner_name));
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err = upload_find(tx, call->bucket_row.id, call->key, list->upload_id, call->arena,
                               &list->upload);
    if (err == OK)
        err = upload_part_list(tx, list->upload_id, list->after, list->max_count, call->arena,
                               &list->part, &list->count, &list->is_truncated);
    view_end(tx);
    return err;
}

static void xml_part(struct s3_call *call, struct xml_writer *w, const struct part_row *part)
{
    xml_open(w, "Part");
    xml_u64(w, "PartNumber", part->number);
    xml_time(w, "LastModified", (int64_t)part->modified_ms);
    xml_text(w, "ETag", s3_etag_quoted(call->arena, part->md5, 0));
    xml_u64(w, "Size", part->size);
    if (part->checksum_kind != CHECKSUM_NONE)
        xml_text(w, s3_checksum_element((enum checksum_kind)part->checksum_kind),
                 arena_base64(call->arena, part->checksum.ptr, part->checksum.len));
    xml_close(w);
}

static void list_parts_reply(struct s3_call *call)
{
    const struct list_parts *list = call->state;
    struct s3_xml *xml = s3_xml_begin(call, "ListPartsResult");
    struct xml_writer *w = &xml->w;
    xml_text(w, "Bucket", call->bucket);
    xml_text(w, "Key", s3_encode_name(call, list->is_url_encoded, call->key));
    xml_text(w, "UploadId", s3_upload_id_text(call, list->upload_id));
    s3_xml_owner(w, "Initiator", list->upload.initiator, str_from(list->owner_name));
    s3_xml_owner(w, "Owner", list->upload.owner, str_from(list->owner_name));
    xml_text(w, "StorageClass", str_from(s3_storage_class_name(list->upload.storage_class)));
    xml_u64(w, "PartNumberMarker", list->after);
    xml_u64(w, "NextPartNumberMarker", list->count > 0 ? list->part[list->count - 1].number : 0);
    xml_u64(w, "MaxParts", list->max_count);
    xml_bool(w, "IsTruncated", list->is_truncated);
    if (list->upload.checksum_kind != CHECKSUM_NONE) {
        xml_text(w, "ChecksumAlgorithm",
                 str_from(s3_checksum_name((enum checksum_kind)list->upload.checksum_kind)));
        xml_text(w, "ChecksumType", str_from(s3_checksum_type_name(list->upload.checksum_type)));
    }
    for (size_t i = 0; i < list->count; i++)
        xml_part(call, w, &list->part[i]);
    s3_xml_send(call, xml);
}

const struct s3_handler handle_list_parts = {
    .parse = list_parts_parse, .read = list_parts_read, .reply = list_parts_reply};

/* ---- ListMultipartUploads ---- */

struct list_uploads {
    struct upload_list_args args;
    bool is_url_encoded;
    struct upload_entry *entry;
    size_t count;
    bool is_truncated;
    char owner_name[DISPLAY_NAME_MAX + 1];
};

static enum err list_uploads_parse(struct s3_call *call)
{
    struct list_uploads *list = arena_new_of(call->arena, struct list_uploads);
    uint64_t max_count;
    call->state = list;
    TRY(s3_count_parse(call, "max-uploads", PAGE_MAX_KEYS, PAGE_MAX_KEYS, &max_count));
    TRY(s3_encoding_parse(call, &list->is_url_encoded));
    list->args = (struct upload_list_args){
        .bucket_id = call->bucket_row.id,
        .prefix = s3_query(call, "prefix"),
        .delimiter = s3_query(call, "delimiter"),
        .key_after = s3_query(call, "key-marker"),
        .max_count = max_count,
    };
    /* The upload's marker means nothing without the key's. */
    str id = s3_query(call, "upload-id-marker");
    list->args.has_id_after = list->args.key_after.len > 0 && id.len > 0;
    if (list->args.has_id_after && upload_id_parse(id, &list->args.id_after) != OK)
        return s3_bad_argument(call, "upload-id-marker", "Invalid uploadId marker", id);
    return OK;
}

static enum err list_uploads_read(struct s3_call *call, enum view_flags flags)
{
    struct list_uploads *list = call->state;
    struct tx *tx;
    TRY(users_display_name(call->s3->options.users, call->bucket_row.owner, flags,
                           list->owner_name));
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err =
        upload_list(tx, &list->args, call->arena, &list->entry, &list->count, &list->is_truncated);
    view_end(tx);
    return err;
}

static void xml_upload(struct s3_call *call, struct xml_writer *w, const struct list_uploads *list,
                       const struct upload_row *row)
{
    xml_open(w, "Upload");
    xml_text(w, "Key", s3_encode_name(call, list->is_url_encoded, row->key));
    xml_text(w, "UploadId", s3_upload_id_text(call, row->id));
    s3_xml_owner(w, "Initiator", row->initiator, str_from(list->owner_name));
    s3_xml_owner(w, "Owner", row->owner, str_from(list->owner_name));
    xml_text(w, "StorageClass", str_from(s3_storage_class_name(row->storage_class)));
    xml_time(w, "Initiated", (int64_t)row->created_ms);
    if (row->checksum_kind != CHECKSUM_NONE) {
        xml_text(w, "ChecksumAlgorithm",
                 str_from(s3_checksum_name((enum checksum_kind)row->checksum_kind)));
        xml_text(w, "ChecksumType", str_from(s3_checksum_type_name(row->checksum_type)));
    }
    xml_close(w);
}

static void list_uploads_reply(struct s3_call *call)
{
    const struct list_uploads *list = call->state;
    struct s3_xml *xml = s3_xml_begin(call, "ListMultipartUploadsResult");
    struct xml_writer *w = &xml->w;
    xml_text(w, "Bucket", call->bucket);
    xml_text(w, "KeyMarker", s3_encode_name(call, list->is_url_encoded, list->args.key_after));
    xml_text(w, "UploadIdMarker", s3_query(call, "upload-id-marker"));
    if (list->is_truncated && list->count > 0) {
        const struct upload_entry *last = &list->entry[list->count - 1];
        xml_text(w, "NextKeyMarker",
                 s3_encode_name(call, list->is_url_encoded, last->key_or_prefix));
        xml_text(w, "NextUploadIdMarker",
                 last->row != NULL ? s3_upload_id_text(call, last->row->id) : (str){0});
    }
    xml_text(w, "Prefix", s3_encode_name(call, list->is_url_encoded, list->args.prefix));
    if (list->args.delimiter.len > 0)
        xml_text(w, "Delimiter", s3_encode_name(call, list->is_url_encoded, list->args.delimiter));
    if (list->is_url_encoded)
        xml_text(w, "EncodingType", STR("url"));
    xml_u64(w, "MaxUploads", list->args.max_count);
    xml_bool(w, "IsTruncated", list->is_truncated);
    for (size_t i = 0; i < list->count; i++)
        if (list->entry[i].row != NULL)
            xml_upload(call, w, list, list->entry[i].row);
    for (size_t i = 0; i < list->count; i++) {
        if (list->entry[i].row != NULL)
            continue;
        xml_open(w, "CommonPrefixes");
        xml_text(w, "Prefix",
                 s3_encode_name(call, list->is_url_encoded, list->entry[i].key_or_prefix));
        xml_close(w);
    }
    s3_xml_send(call, xml);
}

const struct s3_handler handle_list_multipart_uploads = {
    .parse = list_uploads_parse, .read = list_uploads_read, .reply = list_uploads_reply};
