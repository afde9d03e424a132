/* Tags of objects and of buckets: Get, Put and Delete of both, and the header of writes.
 *
 * Source: Amazon S3 user guide, "Categorizing your storage using tags". */
#include "s3/tags.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/url.h"
#include "codec/xml.h"
#include "object/bucket_config.h"
#include "object/object.h"
#include "object/version.h"
#include "s3/arguments.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/reply.h"
#include "s3/runner.h"

enum { TAG_NAME_MAX_CHARS = 128, TAG_VALUE_MAX_CHARS = 256 };

/* ---- What a tag may be ---- */

/* Letters, digits and spaces of any language, and + - = . _ : / @. */
static bool is_tag_text(str text, size_t max_chars)
{
    size_t chars = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_plain && c < 0x80 && str_find_char(STR(" +-=._:/@"), (char)c) < 0)
            return false;
        chars += (c & 0xc0) != 0x80; /* all but the further bytes of a character */
    }
    return chars <= max_chars;
}

static enum err tag_check(struct s3_call *call, const struct pair *tag)
{
    if (tag->name.len == 0 || !is_tag_text(tag->name, TAG_NAME_MAX_CHARS))
        return fail_set(&call->fail, ERR_BAD_TAG, "Tag", "The TagKey you have provided is invalid");
    if (!is_tag_text(tag->value, TAG_VALUE_MAX_CHARS))
        return fail_set(&call->fail, ERR_BAD_TAG, "Tag",
                        "The TagValue you have provided is invalid");
    if (str_has_prefix_nocase(tag->name, STR("aws:")))
        return fail_set(&call->fail, ERR_BAD_TAG, "Tag",
                        "System tags cannot be added/updated by requester");
    return OK;
}

static int compare_names(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

/* Checked, and packed in the order of their names: a set has none of its own. */
static enum err tags_pack(struct s3_call *call, struct pair *tag, size_t count, str *out_packed,
                          uint64_t *out_count)
{
    for (size_t i = 0; i < count; i++)
        TRY(tag_check(call, &tag[i]));
    if (count > 0)
        qsort(tag, count, sizeof(*tag), compare_names);
    for (size_t i = 1; i < count; i++)
        if (str_eq(tag[i - 1].name, tag[i].name))
            return fail_set(&call->fail, ERR_BAD_TAG, "Tag",
                            "Cannot provide multiple Tags with the same key");
    *out_packed = s3_pairs_pack(call->arena, tag, count);
    *out_count = count;
    return OK;
}

/* ---- The header ---- */

enum err s3_tags_header_parse(struct s3_call *call, str *out_packed, uint64_t *out_count)
{
    static const char *const name = "x-amz-tagging";
    str text = s3_header(call, name);
    struct pair *tag;
    size_t count;
    *out_packed = (str){0};
    *out_count = 0;
    if (text.len == 0)
        return OK;
    enum err err = url_parse_query(call->arena, text, TAG_MAX_COUNT, &tag, &count);
    if (err == ERR_TOO_LARGE)
        return ERR_TOO_MANY_TAGS;
    for (size_t i = 0; err == OK && i < count; i++)
        if (pair_find(tag, i, tag[i].name) != NULL)
            err = ERR_BAD_URI;
    if (err != OK)
        return s3_bad_argument(call, name,
                               "The header 'x-amz-tagging' shall be encoded as UTF-8 then "
                               "URLEncoded URL query parameters without tag name duplicates.",
                               text);
    return tags_pack(call, tag, count, out_packed, out_count);
}

/* ---- Documents ---- */

enum err s3_tags_parse(struct s3_call *call, const struct xml_node *set, size_t max_count,
                       str *out_packed, uint64_t *out_count)
{
    size_t count = xml_count(set, "Tag"), i = 0;
    struct pair *tag = arena_new_array(call->arena, struct pair, count + 1);
    for (const struct xml_node *node = xml_child(set, "Tag"); node; node = xml_next_same(node)) {
        if (xml_child(node, "Key") == NULL || xml_child(node, "Value") == NULL)
            return ERR_BAD_XML;
        tag[i++] = (struct pair){.name = xml_child_text(node, "Key"),
                                 .value = xml_child_text(node, "Value")};
    }
    if (count > max_count && max_count == TAG_MAX_COUNT)
        return ERR_TOO_MANY_TAGS;
    if (count > max_count)
        return fail_set(&call->fail, ERR_TOO_MANY_TAGS, "TagSet",
                        "Bucket tag count cannot be greater than 50");
    return tags_pack(call, tag, count, out_packed, out_count);
}

static enum err document_parse(struct s3_call *call, size_t max_count, str *out_packed,
                               uint64_t *out_count)
{
    struct xml_node *root;
    if (call->content.len == 0)
        return ERR_MISSING_BODY;
    TRY(xml_parse(call->arena, call->content, &root));
    const struct xml_node *set = xml_child(root, "TagSet");
    if (!str_eq(root->name, STR("Tagging")) || set == NULL)
        return ERR_BAD_XML;
    return s3_tags_parse(call, set, max_count, out_packed, out_count);
}

static struct s3_xml *document_write(struct s3_call *call, str packed)
{
    struct s3_xml *xml = s3_xml_begin(call, "Tagging");
    struct pair tag;
    xml_open(&xml->w, "TagSet");
    while (s3_pairs_next(&packed, &tag)) {
        xml_open(&xml->w, "Tag");
        xml_text(&xml->w, "Key", tag.name);
        xml_text(&xml->w, "Value", tag.value);
        xml_close(&xml->w);
    }
    xml_close(&xml->w);
    return xml;
}

/* ---- Objects ---- */

static enum err object_parse(struct s3_call *call)
{
    TRY(s3_unserved_headers_check(call));
    return s3_version_id_check(call, s3_query(call, "versionId"));
}

static enum err object_get_read(struct s3_call *call, enum view_flags flags)
{
    struct object_row *row = arena_new_of(call->arena, struct object_row);
    struct tx *tx;
    call->state = row;
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err = s3_object_find(call, tx, row);
    view_end(tx);
    return err;
}

static void object_get_reply(struct s3_call *call)
{
    const struct object_row *row = call->state;
    s3_xml_finish(call, document_write(call, row->tags));
    s3_reply_version(call, call->bucket_row.versioning, row->version_id);
    http_reply_send(call->x);
}

const struct s3_handler handle_get_object_tagging = {
    .parse = object_parse, .read = object_get_read, .reply = object_get_reply};

static enum err object_delete_read(struct s3_call *call, enum view_flags flags)
{
    (void)flags;
    struct object_set_tags *set = arena_new_of(call->arena, struct object_set_tags);
    call->state = set;
    set->op = s3_call_op(call);
    set->bucket = call->bucket;
    set->key = call->key;
    set->version_id = s3_query(call, "versionId");
    return OK;
}

static enum err object_put_read(struct s3_call *call, enum view_flags flags)
{
    TRY(object_delete_read(call, flags));
    struct object_set_tags *set = call->state;
    return document_parse(call, TAG_MAX_COUNT, &set->tags, &set->tag_count);
}

static void object_start(struct s3_call *call)
{
    object_set_tags_start(call->state);
}

static void object_reply(struct s3_call *call, int status)
{
    const struct object_set_tags *set = call->state;
    s3_reply_begin(call, status);
    s3_reply_version(call, set->op.versioning, set->row.version_id);
    if (status != 204)
        http_reply_body(call->x, (str){0});
    http_reply_send(call->x);
}

static void object_put_reply(struct s3_call *call)
{
    object_reply(call, 200);
}

static void object_delete_reply(struct s3_call *call)
{
    object_reply(call, 204);
}

const struct s3_handler handle_put_object_tagging = {.parse = object_parse,
                                                     .read = object_put_read,
                                                     .start = object_start,
                                                     .reply = object_put_reply};
const struct s3_handler handle_delete_object_tagging = {.parse = object_parse,
                                                        .read = object_delete_read,
                                                        .start = object_start,
                                                        .reply = object_delete_reply};

/* ---- Buckets ---- */

static enum err bucket_get_read(struct s3_call *call, enum view_flags flags)
{
    str *packed = arena_new_of(call->arena, str);
    struct tx *tx;
    call->state = packed;
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err = bucket_config_get(tx, &call->bucket_row, CONFIG_TAGS, call->arena, packed);
    view_end(tx);
    return err == ERR_NOT_FOUND ? ERR_NO_TAGS : err;
}

static void bucket_get_reply(struct s3_call *call)
{
    const str *packed = call->state;
    s3_xml_send(call, document_write(call, *packed));
}

const struct s3_handler handle_get_bucket_tagging = {.read = bucket_get_read,
                                                     .reply = bucket_get_reply};

static enum err bucket_delete_read(struct s3_call *call, enum view_flags flags)
{
    (void)flags;
    struct bucket_set_config *set = arena_new_of(call->arena, struct bucket_set_config);
    call->state = set;
    set->op = s3_call_op(call);
    set->name = call->bucket;
    set->kind = CONFIG_TAGS;
    set->is_removed = true;
    return OK;
}

static enum err bucket_put_read(struct s3_call *call, enum view_flags flags)
{
    uint64_t count;
    TRY(bucket_delete_read(call, flags));
    struct bucket_set_config *set = call->state;
    TRY(document_parse(call, BUCKET_TAG_MAX_COUNT, &set->document, &count));
    set->is_removed = count == 0; /* an empty set is none */
    return OK;
}

static void bucket_start(struct s3_call *call)
{
    bucket_set_config_start(call->state);
}

/* Both answer 204 at AWS. */
static void bucket_reply(struct s3_call *call)
{
    s3_reply_empty(call, 204);
}

const struct s3_handler handle_put_bucket_tagging = {.parse = s3_unserved_headers_check,
                                                     .read = bucket_put_read,
                                                     .start = bucket_start,
                                                     .reply = bucket_reply};
const struct s3_handler handle_delete_bucket_tagging = {
    .read = bucket_delete_read, .start = bucket_start, .reply = bucket_reply};
