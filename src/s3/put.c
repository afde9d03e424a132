/* PutObject, DeleteObject. */
#include "base/mem.h"
#include "object/object.h"
#include "s3/arguments.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/ingest.h"
#include "s3/reply.h"
#include "s3/runner.h"

/* ---- PutObject ---- */

enum err s3_upload_length_check(struct s3_call *call)
{
    uint64_t length;
    TRY(s3_content_length(call, &length));
    if (length == BODY_LENGTH_UNKNOWN)
        return ERR_MISSING_LENGTH;
    return length > PUT_MAX_BYTES ? ERR_ENTITY_TOO_LARGE : OK;
}

static enum err put_parse(struct s3_call *call)
{
    struct object_put *put = arena_new_of(call->arena, struct object_put);
    call->state = put;
    put->bucket = call->bucket;
    put->row.key = call->key;
    put->row.owner = s3_call_owner(call);
    TRY(s3_upload_length_check(call));
    TRY(s3_write_conditions_parse(call, &put->conditions));
    return s3_object_headers_parse(call, &put->row);
}

static enum err put_body(struct s3_call *call, struct body_options *options)
{
    options->digests |= DIGEST_BIT(s3_stored_checksum(call));
    return OK;
}

static void put_start(struct s3_call *call)
{
    struct object_put *put = call->state;
    const struct digest *digest = body_digest(call->ingest->body);
    put->op = s3_call_op(call);
    put->body = call->ingest->body;
    put->row.md5 = str_of(digest->md5_value, MD5_BYTES);
    put->row.checksum_kind = s3_stored_checksum(call);
    put->row.checksum_type = CHECKSUM_FULL_OBJECT;
    put->row.checksum = digest_checksum(digest, s3_stored_checksum(call));
    object_put_start(put);
}

static void put_reply(struct s3_call *call)
{
    const struct object_put *put = call->state;
    s3_reply_begin(call, 200);
    s3_reply_etag(call, put->row.md5, 0);
    s3_reply_checksum(call, &put->row);
    s3_reply_version(call, put->op.versioning, put->row.version_id);
    http_reply_body(call->x, (str){0});
    http_reply_send(call->x);
}

const struct s3_handler handle_put_object = {
    .parse = put_parse, .body = put_body, .start = put_start, .reply = put_reply};

/* ---- DeleteObject ---- */

struct delete_one {
    struct object_delete del;
    struct object_delete_entry entry;
};

static enum err delete_parse(struct s3_call *call)
{
    struct delete_one *state = arena_new_of(call->arena, struct delete_one);
    call->state = state;
    state->entry = (struct object_delete_entry){
        .key = call->key,
        .version_id = s3_query(call, "versionId"),
        .conditions = {.if_match = s3_header(call, "if-match")},
        .if_size = UINT64_MAX,
    };
    TRY(s3_unserved_headers_check(call));
    /* Conditions of directory buckets only. */
    static const char *const not_served[] = {"x-amz-if-match-last-modified-time",
                                             "x-amz-if-match-size"};
    for (size_t i = 0; i < sizeof not_served / sizeof not_served[0]; i++)
        if (s3_header(call, not_served[i]).len > 0)
            return fail_set(&call->fail, ERR_NOT_IMPLEMENTED, not_served[i],
                            "A header you provided implies functionality that is not implemented");
    return s3_version_id_check(call, state->entry.version_id);
}

static void delete_start(struct s3_call *call)
{
    struct delete_one *state = call->state;
    state->del =
        (struct object_delete){.op = s3_call_op(call),
                               .bucket = call->bucket,
                               .owner = s3_call_owner(call),
                               .makes_markers = call->bucket_row.versioning != VERSIONING_NEVER,
                               .entry = &state->entry,
                               .count = 1};
    object_delete_start(&state->del);
}

static void delete_reply(struct s3_call *call)
{
    const struct object_delete_entry *entry = &((struct delete_one *)call->state)->entry;
    if (entry->result != OK) {
        s3_reply_error(call, entry->result);
        return;
    }
    s3_reply_begin(call, 204);
    if (entry->made_marker || entry->removed_marker)
        http_reply_header(call->x, "x-amz-delete-marker", STR("true"));
    if (entry->deleted_version_id.len > 0)
        http_reply_header(call->x, "x-amz-version-id", entry->deleted_version_id);
    http_reply_send(call->x);
}

const struct s3_handler handle_delete_object = {
    .parse = delete_parse, .start = delete_start, .reply = delete_reply};
