/* UploadPartCopy: a range of an object becomes a part, by reference. */
#include "base/encode.h"
#include "base/mem.h"
#include "object/object.h"
#include "object/upload.h"
#include "s3/arguments.h"
#include "s3/copy.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/reply.h"
#include "s3/runner.h"
#include "s3/upload_id.h"

struct part_copy {
    struct upload_part_copy op;
    struct copy_source source;
    struct object_checksum *sum; /* under way */
};

/* "bytes=first-last", both given: nothing else is a range here. */
static enum err source_range_parse(struct s3_call *call, struct upload_part_copy *op)
{
    str text = s3_header(call, "x-amz-copy-source-range"), first, last;
    if (text.len == 0)
        return OK;
    bool is_good =
        str_has_prefix(text, STR("bytes=")) && str_cut(str_skip(text, 6), '-', &first, &last) &&
        str_to_u64(first, &op->range_first) == OK && str_to_u64(last, &op->range_last) == OK &&
        op->range_first <= op->range_last && op->range_last != UINT64_MAX;
    if (!is_good)
        return s3_bad_argument(
            call, "x-amz-copy-source-range",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
            text);
    op->has_range = true;
    return OK;
}

static enum err part_copy_parse(struct s3_call *call)
{
    struct part_copy *copy = arena_new_of(call->arena, struct part_copy);
    struct upload_part_copy *op = &copy->op;
    call->state = copy;
    TRY(s3_unserved_headers_check(call));
    TRY(s3_part_number_parse(call, &op->row.number));
    TRY(s3_upload_id_parse(call, &op->upload_id));
    TRY(s3_copy_source_parse(call, &copy->source));
    op->bucket = call->bucket;
    op->key = call->key;
    op->source_bucket = copy->source.bucket;
    op->source_key = copy->source.key;
    op->source_version_id = copy->source.version_id;
    op->source_conditions = copy->source.conditions;
    return source_range_parse(call, op);
}

static enum err range_check(struct s3_call *call, const struct upload_part_copy *op, uint64_t size)
{
    uint64_t length = op->has_range ? op->range_last - op->range_first + 1 : size;
    if (op->has_range && op->range_first >= size)
        return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-copy-source-range",
                        "The specified copy range is invalid for the source object size");
    if (op->has_range && op->range_last >= size)
        return fail_set(&call->fail, ERR_BAD_ARGUMENT, "x-amz-copy-source-range",
                        "Range specified is not valid for source object of size: %llu",
                        (unsigned long long)size);
    return length > PART_MAX_BYTES ? ERR_COPY_TOO_LARGE : OK;
}

static enum err range_checksum(struct s3_call *call, struct part_copy *copy,
                               enum checksum_kind kind, uint64_t *out_sequence)
{
    struct upload_part_copy *op = &copy->op;
    const struct object_checksum_args args = {
        .bucket = copy->source.bucket,
        .key = copy->source.key,
        .version_id = copy->source.version_id,
        .kind = kind,
        .offset = op->range_first,
        .length = op->has_range ? op->range_last - op->range_first + 1 : 0,
    };
    if (copy->sum == NULL)
        copy->sum = object_checksum_new(call->s3->options.store, &args, call->arena);
    TRY(object_checksum_step(copy->sum));
    op->row.checksum_kind = kind;
    op->row.checksum = copy->sum->checksum;
    *out_sequence = copy->sum->row.sequence;
    return OK;
}

/* What cannot be referred to, or must be read for its checksum: a worker's task. */
static enum err prepare_bytes(struct s3_call *call, struct part_copy *copy,
                              const struct upload_row *upload, const struct object_row *source,
                              enum view_flags flags)
{
    struct upload_part_copy *op = &copy->op;
    struct store *store = call->s3->options.store;
    bool is_inline = source->extent_id == 0 && source->manifest_id == 0 && source->size > 0;
    bool needs_extent =
        is_inline || op->has_extent; /* of a run before this one, then to be given up */
    bool needs_checksum = upload->checksum_kind != CHECKSUM_NONE;
    if ((needs_extent || needs_checksum) && (flags & VIEW_NOWAIT) != 0) {
        copy->sum = NULL; /* of a try before this one, whose source was replaced */
        return ERR_WOULD_BLOCK;
    }
    uint64_t summed_sequence = 0;
    if (needs_checksum)
        TRY(range_checksum(call, copy, (enum checksum_kind)upload->checksum_kind,
                           &summed_sequence));
    op->expected_sequence = summed_sequence;
    if (!needs_extent)
        return OK;
    TRY(upload_part_copy_inline_wait(store, op, call->arena));
    return summed_sequence != 0 && summed_sequence != op->expected_sequence ? ERR_RETRY : OK;
}

static enum err part_copy_read(struct s3_call *call, enum view_flags flags)
{
    struct part_copy *copy = call->state;
    struct object_row source;
    struct upload_row upload;
    struct tx *tx;
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err =
        upload_find(tx, call->bucket_row.id, call->key, copy->op.upload_id, call->arena, &upload);
    if (err == OK)
        err = s3_copy_source_find(call, tx, &copy->source, &source);
    view_end(tx);
    TRY(err);
    copy->op.source_bucket_id = copy->source.bucket_id;
    /* Judged again by the commit; here so that nothing is written in vain. */
    err = conditions_check_read(&copy->source.conditions, &source);
    if (err != OK)
        return err == ERR_NOT_MODIFIED ? ERR_PRECONDITION_FAILED : err;
    TRY(range_check(call, &copy->op, source.size));
    return prepare_bytes(call, copy, &upload, &source, flags);
}

static void part_copy_start(struct s3_call *call)
{
    struct part_copy *copy = call->state;
    copy->op.op = s3_call_op(call);
    upload_part_copy_start(&copy->op);
}

static void part_copy_reply(struct s3_call *call)
{
    const struct part_copy *copy = call->state;
    const struct part_row *row = &copy->op.row;
    struct s3_xml *xml = s3_xml_begin(call, "CopyPartResult");
    struct xml_writer *w = &xml->w;
    xml_time(w, "LastModified", (int64_t)row->modified_ms);
    xml_text(w, "ETag", s3_etag_quoted(call->arena, row->md5, 0));
    if (row->checksum_kind != CHECKSUM_NONE)
        xml_text(w, s3_checksum_element((enum checksum_kind)row->checksum_kind),
                 arena_base64(call->arena, row->checksum.ptr, row->checksum.len));
    s3_xml_finish(call, xml);
    s3_copy_source_reply(call, &copy->source, &copy->op.source);
    http_reply_send(call->x);
}

static void part_copy_undo(struct s3_call *call)
{
    struct part_copy *copy = call->state;
    upload_part_copy_drop_wait(call->s3->options.store, &copy->op);
}

const struct s3_handler handle_upload_part_copy = {.parse = part_copy_parse,
                                                   .undo = part_copy_undo,
                                                   .read = part_copy_read,
                                                   .start = part_copy_start,
                                                   .reply = part_copy_reply};
