/* CopyObject: by reference, in one update. Only a copy that asks for another kind of checksum
 * than its source has reads the bytes. */
#include "s3/copy.h"

#include "base/mem.h"
#include "codec/url.h"
#include "object/object.h"
#include "object/version.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/reply.h"
#include "s3/runner.h"

/* ---- Shared with UploadPartCopy ---- */

enum err s3_copy_source_parse(struct s3_call *call, struct copy_source *out)
{
    str raw = s3_header(call, "x-amz-copy-source"), path, version, bucket, key;
    if (str_has_prefix(raw, STR("/")))
        raw = str_skip(raw, 1);
    /* '?' of a key is percent-encoded; what follows a raw one is the version. */
    ptrdiff_t at = str_find(raw, STR("?versionId="));
    path = at < 0 ? raw : str_slice(raw, 0, (size_t)at);
    version = at < 0 ? (str){0} : str_skip(raw, (size_t)at + sizeof "?versionId=" - 1);
    bool is_good = url_decode(call->arena, path, false, &path) == OK &&
                   url_decode(call->arena, version, false, &version) == OK &&
                   str_cut(path, '/', &bucket, &key) && bucket.len > 0 && key.len > 0;
    if (!is_good)
        return s3_bad_argument(
            call, "x-amz-copy-source",
            "Invalid copy source object key: it must be bucket/key, percent-encoded", raw);
    if (key.len > KEY_MAX_BYTES)
        return ERR_KEY_TOO_LONG;
    if (version.len > 0 && !version_id_is_known_form(version))
        return s3_bad_argument(call, "x-amz-copy-source", "Invalid version id specified", version);
    out->bucket = bucket;
    out->key = key;
    out->version_id = version;
    s3_conditions_parse(call, S3_CONDITIONS_OF_SOURCE, &out->conditions);
    return OK;
}

enum err s3_copy_source_find(struct s3_call *call, struct tx *tx, struct copy_source *source,
                             struct object_row *out_row)
{
    struct bucket_row bucket;
    TRY(bucket_find(tx, source->bucket, call->arena, &bucket));
    const struct access_request request = {
        .action = STR("s3:GetObject"),
        .bucket = source->bucket,
        .key = source->key,
        .bucket_owner = bucket.owner,
        .bucket_exists = true,
        .anonymous_mode = call->s3->options.settings->anonymous,
    };
    TRY(iam_authorise(&call->identity, &request, &call->fail));
    str expected_owner = s3_header(call, "x-amz-source-expected-bucket-owner");
    if (expected_owner.len > 0 && !str_eq(expected_owner, bucket.owner))
        return ERR_ACCESS_DENIED;
    source->bucket_id = bucket.id;
    source->versioning = bucket.versioning;
    enum err err = object_find(tx, &bucket, source->key, source->version_id, call->arena, out_row);
    if (err == ERR_IS_DELETE_MARKER)
        return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-copy-source",
                        "The source of a copy request may not specifically refer to a delete "
                        "marker by version id.");
    return err;
}

void s3_copy_source_reply(struct s3_call *call, const struct copy_source *source,
                          const struct object_row *row)
{
    if (source->versioning != VERSIONING_NEVER)
        http_reply_header(call->x, "x-amz-copy-source-version-id",
                          version_id_shown(row->version_id));
}

/* ---- CopyObject ---- */

struct copy {
    struct object_copy op;
    struct copy_source source;
    enum checksum_kind wanted;   /* CHECKSUM_NONE: the source's */
    struct object_checksum *sum; /* under way */
};

static enum err directive_parse(struct s3_call *call, const char *name, bool *out_replaces)
{
    str text = s3_header(call, name);
    *out_replaces = str_eq_nocase(text, STR("REPLACE"));
    if (text.len == 0 || *out_replaces || str_eq_nocase(text, STR("COPY")))
        return OK;
    return s3_bad_argument(call, name, "Unknown directive: it must be COPY or REPLACE.", text);
}

/* A copy onto itself that changes nothing is refused, as AWS does. */
static enum err self_copy_check(struct s3_call *call, const struct copy *copy)
{
    bool is_self = str_eq(copy->source.bucket, call->bucket) &&
                   str_eq(copy->source.key, call->key) && copy->source.version_id.len == 0;
    bool changes = copy->op.replaces_metadata || copy->op.replaces_tags ||
                   s3_header(call, "x-amz-storage-class").len > 0 ||
                   s3_header(call, "x-amz-website-redirect-location").len > 0 ||
                   copy->wanted != CHECKSUM_NONE;
    return is_self && !changes ? ERR_COPY_ONTO_ITSELF : OK;
}

static enum err copy_parse(struct s3_call *call)
{
    struct copy *copy = arena_new_of(call->arena, struct copy);
    call->state = copy;
    struct object_copy *op = &copy->op;
    if (http_has_header(call->request, STR("range")))
        return s3_bad_argument(call, "Range", "The Range header is not supported by CopyObject",
                               s3_header(call, "range"));
    TRY(s3_copy_source_parse(call, &copy->source));
    TRY(directive_parse(call, "x-amz-metadata-directive", &op->replaces_metadata));
    TRY(directive_parse(call, "x-amz-tagging-directive", &op->replaces_tags));
    TRY(s3_write_conditions_parse(call, &op->conditions));
    TRY(s3_object_headers_parse(call, &op->row));
    str algorithm = s3_header(call, "x-amz-checksum-algorithm");
    if (algorithm.len > 0 && !s3_checksum_find(algorithm, &copy->wanted))
        return s3_bad_argument(
            call, "x-amz-checksum-algorithm",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            "types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            algorithm);
    op->bucket = call->bucket;
    op->source_bucket = copy->source.bucket;
    op->source_key = copy->source.key;
    op->source_version_id = copy->source.version_id;
    op->source_conditions = copy->source.conditions;
    op->row.key = call->key;
    op->row.owner = s3_call_owner(call);
    return self_copy_check(call, copy);
}

/* Computes the checksum that was asked for when the source has another. */
static enum err checksum_prepare(struct s3_call *call, struct copy *copy,
                                 const struct object_row *source, enum view_flags flags)
{
    struct object_copy *op = &copy->op;
    bool is_kept = copy->wanted == CHECKSUM_NONE ||
                   (copy->wanted == (enum checksum_kind)source->checksum_kind &&
                    source->checksum_type == CHECKSUM_FULL_OBJECT);
    op->checksum_kind = CHECKSUM_NONE;
    op->expected_sequence = 0;
    if (is_kept)
        return OK;
    if ((flags & VIEW_NOWAIT) != 0) {
        copy->sum = NULL; /* of a try before this one, whose source was replaced */
        return ERR_WOULD_BLOCK;
    }
    const struct object_checksum_args args = {.bucket = copy->source.bucket,
                                              .key = copy->source.key,
                                              .version_id = copy->source.version_id,
                                              .kind = copy->wanted};
    if (copy->sum == NULL)
        copy->sum = object_checksum_new(call->s3->options.store, &args, call->arena);
    TRY(object_checksum_step(copy->sum));
    op->checksum = copy->sum->checksum;
    op->checksum_kind = copy->wanted;
    op->expected_sequence = copy->sum->row.sequence;
    return OK;
}

static enum err copy_read(struct s3_call *call, enum view_flags flags)
{
    struct copy *copy = call->state;
    struct tx *tx;
    struct object_row source;
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err = s3_copy_source_find(call, tx, &copy->source, &source);
    view_end(tx);
    TRY(err);
    copy->op.source_bucket_id = copy->source.bucket_id;
    if (source.size > COPY_MAX_BYTES)
        return ERR_COPY_TOO_LARGE;
    return checksum_prepare(call, copy, &source, flags);
}

static void copy_start(struct s3_call *call)
{
    struct copy *copy = call->state;
    copy->op.op = s3_call_op(call);
    object_copy_start(&copy->op);
}

static void copy_reply(struct s3_call *call)
{
    const struct copy *copy = call->state;
    const struct object_row *row = &copy->op.row;
    struct s3_xml *xml = s3_xml_begin(call, "CopyObjectResult");
    struct xml_writer *w = &xml->w;
    xml_text(w, "ETag", s3_etag_quoted(call->arena, row->md5, row->part_count));
    xml_time(w, "LastModified", (int64_t)row->modified_ms);
    if (row->checksum_kind != CHECKSUM_NONE) {
        xml_text(w, "ChecksumType", str_from(s3_checksum_type_name(row->checksum_type)));
        xml_text(w, s3_checksum_element((enum checksum_kind)row->checksum_kind),
                 s3_checksum_text(call->arena, row));
    }
    s3_xml_finish(call, xml);
    s3_reply_version(call, copy->op.op.versioning, row->version_id);
    s3_copy_source_reply(call, &copy->source, &copy->op.source);
    http_reply_send(call->x);
}

const struct s3_handler handle_copy_object = {
    .parse = copy_parse, .read = copy_read, .start = copy_start, .reply = copy_reply};
