/* GetBucketVersioning, PutBucketVersioning. */
#include "base/mem.h"
#include "codec/xml.h"
#include "object/bucket.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/reply.h"

/* ---- GetBucketVersioning ---- */

static void get_reply(struct s3_call *call)
{
    struct s3_xml *xml = s3_xml_begin(call, "VersioningConfiguration");
    if (call->bucket_row.versioning == VERSIONING_ENABLED)
        xml_text(&xml->w, "Status", STR("Enabled"));
    else if (call->bucket_row.versioning == VERSIONING_SUSPENDED)
        xml_text(&xml->w, "Status", STR("Suspended"));
    s3_xml_send(call, xml);
}

const struct s3_handler handle_get_bucket_versioning = {.reply = get_reply};

/* ---- PutBucketVersioning ---- */

static enum err document_parse(struct s3_call *call, enum versioning *out_versioning)
{
    struct xml_node *root;
    TRY(xml_parse(call->arena, call->content, &root));
    if (!str_eq(root->name, STR("VersioningConfiguration")))
        return ERR_BAD_XML;
    str status = xml_child_text(root, "Status"), mfa = xml_child_text(root, "MfaDelete");
    if (str_eq(mfa, STR("Enabled")))
        return fail_set(&call->fail, ERR_NOT_IMPLEMENTED, "MfaDelete",
                        "MFA delete is not implemented.");
    if (mfa.len > 0 && !str_eq(mfa, STR("Disabled")))
        return ERR_BAD_XML;
    if (xml_child(root, "Status") == NULL)
        return ERR_BAD_VERSIONING;
    if (str_eq(status, STR("Enabled")))
        *out_versioning = VERSIONING_ENABLED;
    else if (str_eq(status, STR("Suspended")))
        *out_versioning = VERSIONING_SUSPENDED;
    else
        return ERR_BAD_XML;
    return OK;
}

static enum err put_read(struct s3_call *call, enum view_flags flags)
{
    (void)flags;
    struct bucket_set_versioning *set = arena_new_of(call->arena, struct bucket_set_versioning);
    call->state = set;
    set->op = s3_call_op(call);
    set->name = call->bucket;
    if (call->content.len == 0)
        return ERR_MISSING_BODY;
    return document_parse(call, &set->versioning);
}

static void put_start(struct s3_call *call)
{
    bucket_set_versioning_start(call->state);
}

static void put_reply(struct s3_call *call)
{
    s3_reply_empty(call, 200);
}

const struct s3_handler handle_put_bucket_versioning = {
    .parse = s3_unserved_headers_check, .read = put_read, .start = put_start, .reply = put_reply};
