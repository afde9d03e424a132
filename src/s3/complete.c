/* CompleteMultipartUpload. */
#include "base/encode.h"
#include "base/mem.h"
#include "codec/url.h"
#include "codec/xml.h"
#include "object/upload.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/reply.h"
#include "s3/runner.h"
#include "s3/upload_id.h"

/* ---- Arguments ---- */

static enum err whole_checksum_parse(struct s3_call *call, struct upload_complete *complete)
{
    for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++) {
        str text = s3_header(call, s3_checksum_header(kind)), value, parts;
        if (text.len == 0)
            continue;
        (void)str_cut(text, '-', &value,
                      &parts); /* a composite one may say how many parts it is of */
        uint8_t *bytes = arena_alloc(call->arena, CHECKSUM_SIZE_MAX);
        if (complete->checksum_kind != CHECKSUM_NONE ||
            s3_checksum_decode(kind, value, bytes) != OK)
            return fail_set(&call->fail, ERR_BAD_CHECKSUM_FORM, s3_checksum_header(kind),
                            "Value for %s header is invalid.", s3_checksum_header(kind));
        complete->checksum_kind = kind;
        complete->checksum = str_of(bytes, checksum_size(kind));
    }
    return OK;
}

static enum err whole_type_parse(struct s3_call *call, struct upload_complete *complete)
{
    str type = s3_header(call, "x-amz-checksum-type");
    if (type.len == 0)
        return OK;
    complete->has_checksum_type = true;
    if (str_eq_nocase(type, STR("FULL_OBJECT")))
        complete->checksum_type = CHECKSUM_FULL_OBJECT;
    else if (str_eq_nocase(type, STR("COMPOSITE")))
        complete->checksum_type = CHECKSUM_COMPOSITE;
    else
        return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-checksum-type",
                        "Value for x-amz-checksum-type header is invalid.");
    return OK;
}

static enum err complete_parse(struct s3_call *call)
{
    struct upload_complete *complete = arena_new_of(call->arena, struct upload_complete);
    call->state = complete;
    complete->bucket = call->bucket;
    complete->key = call->key;
    complete->expected_size = UINT64_MAX;
    str size = s3_header(call, "x-amz-mp-object-size");
    TRY(s3_unserved_headers_check(call));
    TRY(s3_upload_id_parse(call, &complete->upload_id));
    TRY(s3_write_conditions_parse(call, &complete->conditions));
    if (size.len > 0 && str_to_u64(size, &complete->expected_size) != OK)
        return s3_bad_argument(call, "x-amz-mp-object-size", "The value must be a whole number",
                               size);
    TRY(whole_checksum_parse(call, complete));
    return whole_type_parse(call, complete);
}

/* ---- The document ---- */

static enum err part_parse(struct s3_call *call, const struct xml_node *node,
                           struct completed_part *part)
{
    if (str_to_u64(xml_child_text(node, "PartNumber"), &part->number) != OK ||
        xml_child(node, "ETag") == NULL)
        return ERR_BAD_XML;
    if (part->number < 1 || part->number > PART_MAX_NUMBER)
        return s3_bad_argument(call, "partNumber", "PartNumber must be >= 1 and <= 10000",
                               xml_child_text(node, "PartNumber"));
    part->etag = xml_child_text(node, "ETag");
    for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++) {
        str text = xml_child_text(node, s3_checksum_element(kind));
        if (text.len == 0)
            continue;
        uint8_t *bytes = arena_alloc(call->arena, CHECKSUM_SIZE_MAX);
        if (s3_checksum_decode(kind, text, bytes) != OK)
            return ERR_BAD_PART;
        part->checksum_kind = kind;
        part->checksum = str_of(bytes, checksum_size(kind));
    }
    return OK;
}

static enum err document_parse(struct s3_call *call, struct upload_complete *complete)
{
    struct xml_node *root;
    TRY(xml_parse(call->arena, call->content, &root));
    size_t count = xml_count(root, "Part");
    if (!str_eq(root->name, STR("CompleteMultipartUpload")) || count == 0 ||
        count > PART_MAX_NUMBER)
        return ERR_BAD_XML;
    struct completed_part *part = arena_new_array(call->arena, struct completed_part, count);
    complete->part = part;
    complete->part_count = count;
    for (const struct xml_node *node = xml_child(root, "Part"); node != NULL;
         node = xml_next_same(node))
        TRY(part_parse(call, node, part++));
    return OK;
}

/* A composite checksum is one over the parts' checksums: the client must say which parts it
 * means by theirs. */
static enum err part_checksums_check(struct s3_call *call, const struct upload_complete *complete,
                                     const struct upload_row *upload)
{
    if (upload->checksum_kind == CHECKSUM_NONE || upload->checksum_type != CHECKSUM_COMPOSITE)
        return OK;
    for (size_t i = 0; i < complete->part_count; i++)
        if (complete->part[i].checksum.len == 0)
            return fail_set(
                &call->fail, ERR_BAD_REQUEST, "Part",
                "The upload was created using a %s checksum. The complete request must include the "
                "checksum for each part. It was missing for part %llu in the request.",
                s3_checksum_name((enum checksum_kind)upload->checksum_kind),
                (unsigned long long)complete->part[i].number);
    return OK;
}

static enum err complete_read(struct s3_call *call, enum view_flags flags)
{
    struct upload_complete *complete = call->state;
    struct upload_row upload;
    struct tx *tx;
    if (str_trim(call->content).len == 0)
        return ERR_BAD_XML;
    TRY(document_parse(call, complete));
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err =
        upload_find(tx, call->bucket_row.id, call->key, complete->upload_id, call->arena, &upload);
    view_end(tx);
    if (err == ERR_NO_SUCH_UPLOAD)
        return OK; /* perhaps completed before: the commit knows */
    TRY(err);
    return part_checksums_check(call, complete, &upload);
}

static void complete_start(struct s3_call *call)
{
    struct upload_complete *complete = call->state;
    complete->op = s3_call_op(call);
    upload_complete_start(complete);
}

/* ---- The answer ---- */

static str location(struct s3_call *call)
{
    struct buf out;
    buf_init(&out, 4 * KEY_MAX_BYTES + 1024);
    buf_append(&out, call->request->is_tls ? STR("https://") : STR("http://"));
    buf_append(&out, call->request->host);
    buf_append_char(&out, '/');
    buf_append(&out, call->bucket);
    buf_append_char(&out, '/');
    url_encode(&out, call->key, true);
    str kept = arena_str(call->arena, buf_str(&out));
    buf_release(&out);
    return kept;
}

static void complete_reply(struct s3_call *call)
{
    const struct upload_complete *complete = call->state;
    const struct object_row *row = &complete->row;
    struct s3_xml *xml = s3_xml_begin(call, "CompleteMultipartUploadResult");
    struct xml_writer *w = &xml->w;
    xml_text(w, "Location", location(call));
    xml_text(w, "Bucket", call->bucket);
    xml_text(w, "Key", call->key);
    xml_text(w, "ETag", s3_etag_quoted(call->arena, row->md5, row->part_count));
    if (row->checksum_kind != CHECKSUM_NONE) {
        xml_text(w, s3_checksum_element((enum checksum_kind)row->checksum_kind),
                 s3_checksum_text(call->arena, row));
        xml_text(w, "ChecksumType", str_from(s3_checksum_type_name(row->checksum_type)));
    }
    s3_xml_finish(call, xml);
    s3_reply_version(call, complete->op.versioning, row->version_id);
    http_reply_send(call->x);
}

static enum err complete_failed(struct s3_call *call, enum err err)
{
    const struct upload_complete *complete = call->state;
    if (complete == NULL || complete->refused == NULL)
        return err;
    if (err == ERR_BAD_PART)
        s3_error_detail(call, "UploadId", s3_query(call, "uploadId"));
    if (err == ERR_ENTITY_TOO_SMALL) {
        s3_error_detail_u64(call, "ProposedSize", complete->refused_size);
        s3_error_detail_u64(call, "MinSizeAllowed", PART_MIN_BYTES);
    }
    s3_error_detail_u64(call, "PartNumber", complete->refused->number);
    s3_error_detail(call, "ETag", complete->refused->etag);
    return err;
}

const struct s3_handler handle_complete_multipart_upload = {.parse = complete_parse,
                                                            .failed = complete_failed,
                                                            .read = complete_read,
                                                            .start = complete_start,
                                                            .reply = complete_reply,
                                                            .checksums_are_arguments = true};
