/* ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation. */
#include "object/bucket.h"

#include "base/encode.h"
#include "base/mem.h"
#include "s3/arguments.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/reply.h"
#include "s3/runner.h"
#include "s3/tags.h"

/* ---- ListBuckets ---- */

enum { LIST_BUCKETS_MAX = 10000 };

struct list_buckets {
    struct bucket_list_args args;
    bool is_paged;     /* asked with arguments: the answer then tells the region, too */
    bool is_elsewhere; /* filtered by another region */
    struct bucket_entry *entry;
    size_t count;
    bool is_truncated;
    char owner_name[DISPLAY_NAME_MAX + 1];
};

/* "eu-west-1": two letters, a word or more, a digit. Another region than ours has no buckets
 * here. */
static enum err region_filter_parse(struct s3_call *call, str region, bool *out_is_elsewhere)
{
    *out_is_elsewhere = region.len > 0 && !str_eq(region, call->s3->options.settings->region);
    if (!*out_is_elsewhere)
        return OK;
    bool is_region = region.len > 5 && region.ptr[2] == '-' && region.ptr[region.len - 1] >= '1' &&
                     region.ptr[region.len - 1] <= '9' && region.ptr[region.len - 2] == '-';
    for (size_t i = 0; i + 1 < region.len; i++)
        is_region =
            is_region && (region.ptr[i] == '-' || (region.ptr[i] >= 'a' && region.ptr[i] <= 'z'));
    if (is_region)
        return OK;
    return s3_bad_argument(call, "bucket-region", "Argument value is not a valid AWS Region",
                           region);
}

static enum err list_buckets_parse(struct s3_call *call)
{
    struct list_buckets *list = arena_new_of(call->arena, struct list_buckets);
    call->state = list;
    uint64_t max_count;
    TRY(s3_count_parse(call, "max-buckets", LIST_BUCKETS_MAX, INT32_MAX, &max_count));
    if (max_count < 1 || max_count > LIST_BUCKETS_MAX)
        return s3_bad_argument(call, "max-buckets",
                               "Argument max-buckets must be an integer between 1 and 10000",
                               s3_query(call, "max-buckets"));
    list->is_paged = call->query_count > 0;
    list->args = (struct bucket_list_args){
        .owner = s3_call_owner(call), .prefix = s3_query(call, "prefix"), .max_count = max_count};
    str token = s3_query(call, "continuation-token"), region = s3_query(call, "bucket-region");
    TRY(region_filter_parse(call, region, &list->is_elsewhere));
    if (token.len == 0)
        return OK;
    char *name = arena_alloc(call->arena, token.len + 1);
    size_t len;
    if (base64_decode(token, name, &len) != OK)
        return s3_bad_argument(call, "continuation-token",
                               "The continuation token provided is incorrect", token);
    list->args.after = str_of(name, len);
    return OK;
}

static enum err list_buckets_read(struct s3_call *call, enum view_flags flags)
{
    struct list_buckets *list = call->state;
    struct tx *tx;
    TRY(users_display_name(call->s3->options.users, list->args.owner, flags, list->owner_name));
    if (list->is_elsewhere)
        return OK;
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err =
        bucket_list(tx, &list->args, call->arena, &list->entry, &list->count, &list->is_truncated);
    view_end(tx);
    return err;
}

static void list_buckets_reply(struct s3_call *call)
{
    const struct list_buckets *list = call->state;
    struct s3_xml *xml = s3_xml_begin(call, "ListAllMyBucketsResult");
    struct xml_writer *w = &xml->w;
    s3_xml_owner(w, "Owner", list->args.owner, str_from(list->owner_name));
    xml_open(w, "Buckets");
    for (size_t i = 0; i < list->count; i++) {
        xml_open(w, "Bucket");
        xml_text(w, "Name", list->entry[i].name);
        xml_time(w, "CreationDate", list->entry[i].created_ms);
        if (list->is_paged)
            xml_text(w, "BucketRegion", call->s3->options.settings->region);
        xml_close(w);
    }
    xml_close(w);
    if (list->args.prefix.len > 0)
        xml_text(w, "Prefix", list->args.prefix);
    if (list->is_truncated) {
        str last = list->entry[list->count - 1].name;
        xml_text(w, "ContinuationToken", arena_base64(call->arena, last.ptr, last.len));
    }
    s3_xml_send(call, xml);
}

const struct s3_handler handle_list_buckets = {
    .parse = list_buckets_parse, .read = list_buckets_read, .reply = list_buckets_reply};

/* ---- CreateBucket ---- */

static enum err create_parse(struct s3_call *call)
{
    call->state = arena_new_of(call->arena, struct bucket_create);
    if (call->identity.kind == IDENTITY_ANONYMOUS && !call->s3->options.settings->anonymous)
        return ERR_ACCESS_DENIED;
    return s3_unserved_headers_check(call);
}

/* us-east-1 is never named as a constraint on AWS; a server of that region takes it all the
 * same. */
static enum err configuration_parse(struct s3_call *call, struct bucket_create *create)
{
    struct xml_node *root;
    if (str_trim(call->content).len == 0)
        return OK;
    TRY(xml_parse(call->arena, call->content, &root));
    if (!str_eq(root->name, STR("CreateBucketConfiguration")))
        return ERR_BAD_XML;
    if (xml_child(root, "Location") != NULL || xml_child(root, "Bucket") != NULL)
        return fail_set(&call->fail, ERR_NOT_IMPLEMENTED, NULL,
                        "Directory buckets are not implemented.");
    const struct xml_node *tags = xml_child(root, "Tags");
    uint64_t tag_count;
    if (tags != NULL)
        TRY(s3_tags_parse(call, tags, BUCKET_TAG_MAX_COUNT, &create->tags, &tag_count));
    str region = xml_child_text(root, "LocationConstraint");
    if (region.len > 0 && !str_eq(region, call->s3->options.settings->region) &&
        !str_eq(region, STR("EU")))
        return fail_set(&call->fail, ERR_BAD_LOCATION, "LocationConstraint",
                        "this server's region is \"%.*s\"",
                        STR_ARG(call->s3->options.settings->region));
    create->region = region;
    return OK;
}

static enum err create_read(struct s3_call *call, enum view_flags flags)
{
    (void)flags;
    struct bucket_create *create = call->state;
    *create = (struct bucket_create){
        .op = s3_call_op(call), .name = call->bucket, .owner = s3_call_owner(call)};
    return configuration_parse(call, create);
}

static void create_start(struct s3_call *call)
{
    bucket_create_start(call->state);
}

/* In us-east-1 a second creation by the owner succeeds, for AWS's oldest clients; elsewhere it
 * is refused. */
static enum err create_failed(struct s3_call *call, enum err err)
{
    return err == ERR_BUCKET_OWNED && str_eq(call->s3->options.settings->region, STR("us-east-1"))
               ? OK
               : err;
}

static void create_reply(struct s3_call *call)
{
    s3_reply_begin(call, 200);
    http_reply_header(call->x, "Location",
                      arena_printf(call->arena, "/%.*s", STR_ARG(call->bucket)));
    http_reply_body(call->x, (str){0});
    http_reply_send(call->x);
}

const struct s3_handler handle_create_bucket = {.parse = create_parse,
                                                .read = create_read,
                                                .start = create_start,
                                                .failed = create_failed,
                                                .reply = create_reply,
                                                .creates_bucket = true};

/* ---- HeadBucket, DeleteBucket, GetBucketLocation ---- */

static void head_reply(struct s3_call *call)
{
    s3_reply_begin(call, 200);
    http_reply_header(call->x, "x-amz-bucket-region", call->s3->options.settings->region);
    http_reply_length_only(call->x, 0);
    http_reply_send(call->x);
}

const struct s3_handler handle_head_bucket = {.reply = head_reply};

static void delete_start(struct s3_call *call)
{
    struct bucket_delete *del = arena_new_of(call->arena, struct bucket_delete);
    *del = (struct bucket_delete){.op = s3_call_op(call), .name = call->bucket};
    bucket_delete_start(del);
}

static void delete_reply(struct s3_call *call)
{
    s3_reply_empty(call, 204);
}

const struct s3_handler handle_delete_bucket = {.start = delete_start, .reply = delete_reply};

static void location_reply(struct s3_call *call)
{
    struct s3_xml *xml = s3_xml_begin(call, "LocationConstraint");
    str region = call->s3->options.settings->region;
    if (!str_eq(region, STR("us-east-1")))
        xml_escape(&xml->out, region);
    s3_xml_send(call, xml);
}

const struct s3_handler handle_get_bucket_location = {.reply = location_reply};
