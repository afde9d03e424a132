/* ListObjects, ListObjectsV2, ListObjectVersions. The entries are written into the answer while
 * the index is walked: a page holds no list in memory but its own text. */
#include "object/list.h"

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "codec/url.h"
#include "object/conditions.h"
#include "object/version.h"
#include "s3/arguments.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/reply.h"
#include "s3/runner.h"

enum list_kind { LIST_V1, LIST_V2, LIST_VERSIONS };

struct listing {
    struct list_visitor visitor;
    struct version_visitor version_visitor;
    struct s3_call *call;
    enum list_kind kind;
    struct list_args args;
    bool is_url_encoded;
    bool shows_owner;
    struct list_result result;
    str last_version; /* of LIST_VERSIONS: where the page ends */
    struct s3_xml
        *entries;      /* what is walked goes there; the answer's head needs the result first */
    struct buf common; /* the common prefixes stand after the entries */
    char owner_name[DISPLAY_NAME_MAX + 1];
};

/* ---- Arguments ---- */

enum err s3_count_parse(struct s3_call *call, const char *name, uint64_t fallback, uint64_t most,
                        uint64_t *out)
{
    str text = s3_query(call, name);
    *out = fallback;
    if (text.len > 0 && (str_to_u64(text, out) != OK || *out > INT32_MAX))
        return s3_bad_argument(call, name,
                               "Provided value is not an integer or within integer range", text);
    if (*out > most)
        *out = most;
    return OK;
}

enum err s3_encoding_parse(struct s3_call *call, bool *out_is_url)
{
    str text = s3_query(call, "encoding-type");
    *out_is_url = str_eq(text, STR("url"));
    if (s3_has_query(call, "encoding-type") && !*out_is_url)
        return s3_bad_argument(call, "encoding-type",
                               "Invalid Encoding Method specified in Request", text);
    return OK;
}

str s3_encode_name(struct s3_call *call, bool is_url, str name)
{
    if (!is_url)
        return name;
    struct buf out;
    buf_init(&out, 3 * name.len + 1);
    url_encode(&out, name, true);
    str kept = arena_str(call->arena, buf_str(&out));
    buf_release(&out);
    return kept;
}

static enum err continuation_parse(struct s3_call *call, struct listing *list)
{
    list->args.after = s3_query(call, "start-after");
    str token = s3_query(call, "continuation-token");
    if (!s3_has_query(call, "continuation-token"))
        return OK;
    char *key = arena_alloc(call->arena, token.len + 1);
    size_t len;
    if (token.len == 0 || base64_decode(token, key, &len) != OK || len > KEY_MAX_BYTES)
        return s3_bad_argument(call, "continuation-token",
                               "The continuation token provided is incorrect", token);
    list->args.after = str_of(key, len);
    return OK;
}

static enum err marker_parse(struct s3_call *call, struct listing *list)
{
    switch (list->kind) {
    case LIST_V1:
        list->args.after = s3_query(call, "marker");
        return OK;
    case LIST_V2:
        list->shows_owner = str_eq(s3_query(call, "fetch-owner"), STR("true"));
        return continuation_parse(call, list);
    case LIST_VERSIONS:
        list->args.after = s3_query(call, "key-marker");
        if (s3_query(call, "version-id-marker").len > 0 && list->args.after.len == 0)
            return s3_bad_argument(call, "version-id-marker",
                                   "A version-id marker cannot be specified without a key marker.",
                                   s3_query(call, "version-id-marker"));
        if (s3_query(call, "version-id-marker").len > 0 &&
            !version_id_is_known_form(s3_query(call, "version-id-marker")))
            return s3_bad_argument(call, "version-id-marker", "Invalid version id specified",
                                   s3_query(call, "version-id-marker"));
        return OK;
    }
    return ERR_INTERNAL;
}

static enum err list_parse(struct s3_call *call, enum list_kind kind)
{
    struct listing *list = arena_new_of(call->arena, struct listing);
    uint64_t max_keys;
    call->state = list;
    list->call = call;
    list->kind = kind;
    list->shows_owner = kind != LIST_V2;
    list->args.bucket_id = call->bucket_row.id;
    list->args.prefix = s3_query(call, "prefix");
    list->args.delimiter = s3_query(call, "delimiter");
    TRY(s3_count_parse(call, "max-keys", PAGE_MAX_KEYS, PAGE_MAX_KEYS, &max_keys));
    list->args.max_count = max_keys;
    TRY(s3_encoding_parse(call, &list->is_url_encoded));
    return marker_parse(call, list);
}

static enum err list_v1_parse(struct s3_call *call)
{
    if (s3_has_query(call, "list-type"))
        return s3_bad_argument(call, "list-type", "Invalid List Type specified in Request",
                               s3_query(call, "list-type"));
    return list_parse(call, LIST_V1);
}

static enum err list_v2_parse(struct s3_call *call)
{
    return list_parse(call, LIST_V2);
}

static enum err list_versions_parse(struct s3_call *call)
{
    return list_parse(call, LIST_VERSIONS);
}

/* ---- The walk ---- */

static void write_name(struct listing *list, struct buf *out, str name)
{
    if (list->is_url_encoded)
        url_encode(out, name, true);
    else
        xml_escape(out, name);
}

static void write_checksum(struct xml_writer *w, const struct object_row *row)
{
    if (row->checksum_kind == CHECKSUM_NONE)
        return;
    xml_text(w, "ChecksumAlgorithm",
             str_from(s3_checksum_name((enum checksum_kind)row->checksum_kind)));
    xml_text(w, "ChecksumType", str_from(s3_checksum_type_name(row->checksum_type)));
}

static void write_common(struct listing *list, str name)
{
    buf_append(&list->common, STR("<CommonPrefixes><Prefix>"));
    write_name(list, &list->common, name);
    buf_append(&list->common, STR("</Prefix></CommonPrefixes>"));
}

static void write_owner(struct listing *list, struct xml_writer *w, const struct object_row *row)
{
    if (list->shows_owner)
        s3_xml_owner(w, "Owner", row->owner,
                     str_eq(row->owner, list->call->bucket_row.owner) ? str_from(list->owner_name)
                                                                      : (str){0});
}

/* What an object and a version that is one have in common. */
static void write_object(struct listing *list, struct xml_writer *w, const struct object_row *row)
{
    char etag[ETAG_TEXT_MAX];
    xml_time(w, "LastModified", (int64_t)row->modified_ms);
    buf_append(w->out, STR("<ETag>&quot;"));
    buf_append(w->out, etag_format(row->md5, row->part_count, etag));
    buf_append(w->out, STR("&quot;</ETag>"));
    write_checksum(w, row);
    xml_u64(w, "Size", row->size);
    write_owner(list, w, row);
    xml_text(w, "StorageClass", str_from(s3_storage_class_name(row->storage_class)));
}

/* One entry. The literal pieces are joined by hand here: this loop is what a listing costs. */
static enum err write_entry(struct list_visitor *visitor, str name, const struct object_row *row)
{
    struct listing *list = container_of(visitor, struct listing, visitor);
    struct xml_writer *w = &list->entries->w;
    if (row == NULL) {
        write_common(list, name);
        return OK;
    }
    buf_append(w->out, STR("<Contents><Key>"));
    write_name(list, w->out, name);
    buf_append(w->out, STR("</Key>"));
    write_object(list, w, row);
    buf_append(w->out, STR("</Contents>"));
    return OK;
}

static enum err write_version(struct version_visitor *visitor, str name,
                              const struct object_row *row, bool is_latest)
{
    struct listing *list = container_of(visitor, struct listing, version_visitor);
    struct xml_writer *w = &list->entries->w;
    if (row == NULL) {
        write_common(list, name);
        return OK;
    }
    bool is_marker = is_delete_marker(row);
    buf_append(w->out, is_marker ? STR("<DeleteMarker><Key>") : STR("<Version><Key>"));
    write_name(list, w->out, name);
    buf_append(w->out, STR("</Key>"));
    xml_text(w, "VersionId", version_id_shown(row->version_id));
    xml_bool(w, "IsLatest", is_latest);
    if (is_marker) {
        xml_time(w, "LastModified", (int64_t)row->modified_ms);
        write_owner(list, w, row);
    } else {
        write_object(list, w, row);
    }
    buf_append(w->out, is_marker ? STR("</DeleteMarker>") : STR("</Version>"));
    return OK;
}

static void common_release(void *context)
{
    struct listing *list = context;
    buf_release(&list->common);
}

static enum err walk(struct listing *list, struct tx *tx)
{
    struct s3_call *call = list->call;
    struct version_list_result versions;
    list->visitor.entry = write_entry;
    list->version_visitor.entry = write_version;
    if (list->kind != LIST_VERSIONS)
        return object_list(tx, &list->args, &list->visitor, call->arena, &list->result);
    TRY(object_version_list(tx, &list->args, s3_query(call, "version-id-marker"),
                            &list->version_visitor, call->arena, &versions));
    list->last_version = versions.last_version;
    list->result = (struct list_result){
        .is_truncated = versions.is_truncated, .last = versions.last, .count = versions.count};
    return OK;
}

static enum err list_read(struct s3_call *call, enum view_flags flags)
{
    enum { COMMON_MAX_BYTES = 16 << 20 };
    struct listing *list = call->state;
    struct tx *tx;
    if (list->shows_owner)
        TRY(users_display_name(call->s3->options.users, call->bucket_row.owner, flags,
                               list->owner_name));
    if (list->entries == NULL) {
        list->entries = s3_xml_entries(call);
        buf_init(&list->common, COMMON_MAX_BYTES);
        arena_on_reset(call->arena, common_release, list);
    }
    buf_clear(&list->entries->out);
    buf_clear(&list->common);
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err = walk(list, tx);
    view_end(tx);
    return err;
}

/* ---- The answer ---- */

static void write_markers(struct listing *list, struct xml_writer *w)
{
    struct s3_call *call = list->call;
    str last = list->result.last;
    bool more = list->result.is_truncated;
    switch (list->kind) {
    case LIST_V1:
        xml_text(w, "Marker", s3_encode_name(call, list->is_url_encoded, list->args.after));
        if (more && list->args.delimiter.len > 0)
            xml_text(w, "NextMarker", s3_encode_name(call, list->is_url_encoded, last));
        break;
    case LIST_V2:
        if (s3_has_query(call, "start-after"))
            xml_text(w, "StartAfter",
                     s3_encode_name(call, list->is_url_encoded, s3_query(call, "start-after")));
        if (s3_has_query(call, "continuation-token"))
            xml_text(w, "ContinuationToken", s3_query(call, "continuation-token"));
        if (more)
            xml_text(w, "NextContinuationToken", arena_base64(call->arena, last.ptr, last.len));
        xml_u64(w, "KeyCount", list->result.count);
        break;
    case LIST_VERSIONS:
        xml_text(w, "KeyMarker", s3_encode_name(call, list->is_url_encoded, list->args.after));
        xml_text(w, "VersionIdMarker", s3_query(call, "version-id-marker"));
        if (more) {
            xml_text(w, "NextKeyMarker", s3_encode_name(call, list->is_url_encoded, last));
            if (list->last_version.len > 0)
                xml_text(w, "NextVersionIdMarker", list->last_version);
        }
        break;
    }
}

/* The first version of the operation does not encode the prefix that it echoes, and its clients
 * do not decode it: but a prefix that XML cannot hold would make the whole answer unreadable. */
static bool is_xml_text(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
            return false;
    }
    return true;
}

static void list_reply(struct s3_call *call)
{
    struct listing *list = call->state;
    struct s3_xml *xml =
        s3_xml_begin(call, list->kind == LIST_VERSIONS ? "ListVersionsResult" : "ListBucketResult");
    struct xml_writer *w = &xml->w;
    xml_text(w, "Name", call->bucket);
    bool is_prefix_encoded =
        list->is_url_encoded && (list->kind != LIST_V1 || !is_xml_text(list->args.prefix));
    xml_text(w, "Prefix", s3_encode_name(call, is_prefix_encoded, list->args.prefix));
    write_markers(list, w);
    xml_u64(w, "MaxKeys", list->args.max_count);
    if (list->args.delimiter.len > 0)
        xml_text(w, "Delimiter", s3_encode_name(call, list->is_url_encoded, list->args.delimiter));
    if (list->is_url_encoded)
        xml_text(w, "EncodingType", STR("url"));
    xml_bool(w, "IsTruncated", list->result.is_truncated);
    buf_append(&xml->out, buf_str(&list->entries->out));
    buf_append(&xml->out, buf_str(&list->common));
    /* A slow reader holds the document only. */
    buf_release(&list->entries->out);
    buf_release(&list->common);
    s3_xml_send(call, xml);
}

const struct s3_handler handle_list_objects = {
    .parse = list_v1_parse, .read = list_read, .reply = list_reply};
const struct s3_handler handle_list_objects_v2 = {
    .parse = list_v2_parse, .read = list_read, .reply = list_reply};
const struct s3_handler handle_list_object_versions = {
    .parse = list_versions_parse, .read = list_read, .reply = list_reply};
