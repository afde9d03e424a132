#include "s3/headers.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/url.h"
#include "s3/reply.h"
#include "s3/tags.h"

/* ---- What is not served ---- */

/* Headers that ask for functions which are not there yet. To take them and do nothing would be a
 * lie that costs data or privacy. `harmless` is the value that asks for what happens anyway. */
static const struct unserved {
    const char *name, *harmless;
} unserved[] = {
    {"x-amz-acl", "private"},
    {"x-amz-grant-full-control", NULL},
    {"x-amz-grant-read", NULL},
    {"x-amz-grant-read-acp", NULL},
    {"x-amz-grant-write", NULL},
    {"x-amz-grant-write-acp", NULL},
    {"x-amz-server-side-encryption", NULL},
    {"x-amz-server-side-encryption-aws-kms-key-id", NULL},
    {"x-amz-server-side-encryption-context", NULL},
    {"x-amz-server-side-encryption-customer-algorithm", NULL},
    {"x-amz-server-side-encryption-customer-key", NULL},
    {"x-amz-copy-source-server-side-encryption-customer-algorithm", NULL},
    {"x-amz-object-lock-mode", NULL},
    {"x-amz-object-lock-retain-until-date", NULL},
    {"x-amz-object-lock-legal-hold", NULL},
    {"x-amz-bucket-object-lock-enabled", "false"},
    {"x-amz-object-ownership", "BucketOwnerEnforced"},
    {"x-amz-mfa", NULL},
    {"x-amz-write-offset-bytes", NULL},
};

enum err s3_unserved_headers_check(struct s3_call *call)
{
    for (size_t i = 0; i < call->request->header_count; i++) {
        const struct pair *header = &call->request->header[i];
        if (!str_has_prefix_nocase(header->name, STR("x-amz-")))
            continue;
        for (size_t k = 0; k < sizeof unserved / sizeof unserved[0]; k++) {
            if (!str_eq_nocase(header->name, str_from(unserved[k].name)))
                continue;
            if (unserved[k].harmless != NULL &&
                str_eq_nocase(header->value, str_from(unserved[k].harmless)))
                continue;
            return fail_set(&call->fail, ERR_NOT_IMPLEMENTED, unserved[k].name,
                            "A header you provided implies functionality that is not implemented");
        }
    }
    return OK;
}

/* ---- Pairs ---- */

str s3_pairs_pack(struct arena *arena, const struct pair *pair, size_t count)
{
    enum { LENGTH_MAX_BYTES = 10 };
    size_t cap = 1;
    for (size_t i = 0; i < count; i++)
        cap += pair[i].name.len + pair[i].value.len + 2 * LENGTH_MAX_BYTES;
    struct buf packed;
    buf_init(&packed, cap);
    for (size_t i = 0; i < count; i++) {
        buf_append_varint(&packed, pair[i].name.len);
        buf_append(&packed, pair[i].name);
        buf_append_varint(&packed, pair[i].value.len);
        buf_append(&packed, pair[i].value);
    }
    str kept = arena_str(arena, buf_str(&packed));
    buf_release(&packed);
    return kept;
}

bool s3_pairs_next(str *packed, struct pair *out)
{
    struct reader reader = reader_of(*packed);
    out->name = reader_bytes(&reader, reader_varint(&reader));
    out->value = reader_bytes(&reader, reader_varint(&reader));
    if (packed->len == 0 || reader.failed)
        return false;
    *packed = str_of(reader.ptr, reader.left);
    return true;
}

/* ---- Storage class ---- */

static const char *const storage_class_name[] = {
    [STORAGE_STANDARD] = "STANDARD",
    [STORAGE_REDUCED_REDUNDANCY] = "REDUCED_REDUNDANCY",
    [STORAGE_STANDARD_IA] = "STANDARD_IA",
    [STORAGE_ONEZONE_IA] = "ONEZONE_IA",
    [STORAGE_INTELLIGENT_TIERING] = "INTELLIGENT_TIERING",
    [STORAGE_GLACIER] = "GLACIER",
    [STORAGE_DEEP_ARCHIVE] = "DEEP_ARCHIVE",
    [STORAGE_OUTPOSTS] = "OUTPOSTS",
    [STORAGE_GLACIER_IR] = "GLACIER_IR",
    [STORAGE_SNOW] = "SNOW",
    [STORAGE_EXPRESS_ONEZONE] = "EXPRESS_ONEZONE",
};
enum { STORAGE_CLASS_COUNT = sizeof storage_class_name / sizeof storage_class_name[0] };

const char *s3_storage_class_name(uint64_t storage_class)
{
    return storage_class < STORAGE_CLASS_COUNT ? storage_class_name[storage_class] : "STANDARD";
}

/* One tier: the class is kept and shown. Those whose objects must be restored before they can be
 * read are refused: they would be readable at once here, which is not what was asked for. */
enum err s3_storage_class_parse(struct s3_call *call, uint64_t *out)
{
    str text = s3_header(call, "x-amz-storage-class");
    if (text.len == 0)
        return OK;
    for (uint64_t i = 0; i < STORAGE_CLASS_COUNT; i++) {
        if (str_eq(text, str_from(storage_class_name[i]))) {
            *out = i;
            return OK;
        }
    }
    return ERR_BAD_STORAGE_CLASS;
}

/* ---- Request headers into a row ---- */

static str kept_header(struct s3_call *call, const char *name)
{
    return s3_header(call, name);
}

static bool names_aws_chunked(str list)
{
    str item;
    while (list.len > 0) {
        (void)str_cut(list, ',', &item, &list);
        if (str_eq_nocase(str_trim(item), STR("aws-chunked")))
            return true;
    }
    return false;
}

/* "aws-chunked" is the transport's, not the object's. */
static str content_encoding(struct s3_call *call)
{
    str rest = s3_header(call, "content-encoding"), item;
    if (!names_aws_chunked(rest))
        return rest;
    struct buf kept;
    buf_init(&kept, rest.len + 1);
    while (rest.len > 0) {
        (void)str_cut(rest, ',', &item, &rest);
        item = str_trim(item);
        if (item.len == 0 || str_eq_nocase(item, STR("aws-chunked")))
            continue;
        if (kept.len > 0)
            buf_append_char(&kept, ',');
        buf_append(&kept, item);
    }
    str result = arena_str(call->arena, buf_str(&kept));
    buf_release(&kept);
    return result;
}

static enum err metadata_parse(struct s3_call *call, str *out)
{
    static const str prefix = STR_INIT("x-amz-meta-");
    const struct http_request *request = call->request;
    struct pair *pair = NULL;
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (!str_has_prefix_nocase(request->header[i].name, prefix))
            continue;
        if (pair == NULL)
            pair = arena_new_array(call->arena, struct pair, request->header_count);
        str name = arena_lower(call->arena, str_skip(request->header[i].name, prefix.len));
        bytes += name.len + request->header[i].value.len;
        /* Repeated names are one value, joined (RFC 9110 section 5.3). */
        struct pair *same = (struct pair *)(uintptr_t)pair_find(pair, count, name);
        if (same != NULL)
            same->value = arena_printf(call->arena, "%.*s,%.*s", STR_ARG(same->value),
                                       STR_ARG(request->header[i].value));
        else
            pair[count++] = (struct pair){.name = name, .value = request->header[i].value};
    }
    if (bytes > METADATA_MAX_BYTES)
        return ERR_METADATA_TOO_LARGE;
    if (count > 0)
        *out = s3_pairs_pack(call->arena, pair, count);
    return OK;
}

static bool is_redirect(str location)
{
    return str_has_prefix(location, STR("/")) || str_has_prefix(location, STR("http://")) ||
           str_has_prefix(location, STR("https://"));
}

enum err s3_object_headers_parse(struct s3_call *call, struct object_row *row)
{
    TRY(s3_unserved_headers_check(call));
    row->content_type = kept_header(call, "content-type");
    row->content_encoding = content_encoding(call);
    row->content_disposition = kept_header(call, "content-disposition");
    row->content_language = kept_header(call, "content-language");
    row->cache_control = kept_header(call, "cache-control");
    row->expires = kept_header(call, "expires");
    row->website_redirect = kept_header(call, "x-amz-website-redirect-location");
    if (row->website_redirect.len > 0 && !is_redirect(row->website_redirect))
        return ERR_BAD_REDIRECT;
    TRY(metadata_parse(call, &row->metadata));
    TRY(s3_tags_header_parse(call, &row->tags, &row->tag_count));
    return s3_storage_class_parse(call, &row->storage_class);
}

/* ---- A row into reply headers ---- */

static void reply_text(struct s3_call *call, const char *name, str value)
{
    if (value.len > 0)
        http_reply_header(call->x, name, value);
}

/* The override of a GET's query, else what was stored. */
static void reply_overridable(struct s3_call *call, const char *name, const char *parameter,
                              str stored)
{
    str wanted = s3_query(call, parameter);
    reply_text(call, name, wanted.len > 0 ? wanted : stored);
}

static void reply_metadata(struct s3_call *call, str packed)
{
    struct pair pair;
    while (s3_pairs_next(&packed, &pair))
        http_reply_header(call->x,
                          arena_printf(call->arena, "x-amz-meta-%.*s", STR_ARG(pair.name)).ptr,
                          pair.value);
}

void s3_object_headers_reply(struct s3_call *call, const struct object_row *row,
                             bool shows_checksum)
{
    char text[CLOCK_TEXT_MAX];
    http_reply_header(call->x, "Last-Modified", clock_format_http((int64_t)row->modified_ms, text));
    http_reply_header(call->x, "Accept-Ranges", STR("bytes"));
    s3_reply_etag(call, row->md5, row->part_count);
    s3_reply_version(call, call->bucket_row.versioning, row->version_id);
    reply_overridable(call, "Content-Type", "response-content-type",
                      row->content_type.len > 0 ? row->content_type : STR("binary/octet-stream"));
    reply_overridable(call, "Content-Encoding", "response-content-encoding", row->content_encoding);
    reply_overridable(call, "Content-Disposition", "response-content-disposition",
                      row->content_disposition);
    reply_overridable(call, "Content-Language", "response-content-language", row->content_language);
    reply_overridable(call, "Cache-Control", "response-cache-control", row->cache_control);
    reply_overridable(call, "Expires", "response-expires", row->expires);
    reply_text(call, "x-amz-website-redirect-location", row->website_redirect);
    if (row->storage_class != STORAGE_STANDARD)
        http_reply_header(call->x, "x-amz-storage-class",
                          str_from(s3_storage_class_name(row->storage_class)));
    if (row->tag_count > 0)
        http_reply_header_u64(call->x, "x-amz-tagging-count", row->tag_count);
    reply_metadata(call, row->metadata);
    if (shows_checksum)
        s3_reply_checksum(call, row);
}

/* ---- Conditions ---- */

/* 0 means no condition, so the first second of 1970 is said by its first millisecond. */
static const struct condition_names {
    const char *if_match, *if_none_match, *if_modified_since, *if_unmodified_since;
} condition_names[] = {
    [S3_CONDITIONS_OF_REQUEST] = {"if-match", "if-none-match", "if-modified-since",
                                  "if-unmodified-since"},
    [S3_CONDITIONS_OF_SOURCE] = {"x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
                                 "x-amz-copy-source-if-modified-since",
                                 "x-amz-copy-source-if-unmodified-since"},
};

static int64_t date_header(struct s3_call *call, const char *name)
{
    int64_t ms;
    str text = s3_header(call, name);
    if (text.len == 0 || clock_parse_http(text, &ms) != OK)
        return 0;
    return ms != 0 ? ms : 1; /* the epoch is a date, too, and conditions know whole seconds only */
}

void s3_conditions_parse(struct s3_call *call, enum s3_condition_place place,
                         struct conditions *out)
{
    const struct condition_names *names = &condition_names[place];
    *out = (struct conditions){
        .if_match = s3_header(call, names->if_match),
        .if_none_match = s3_header(call, names->if_none_match),
        .if_modified_since_ms = date_header(call, names->if_modified_since),
        .if_unmodified_since_ms = date_header(call, names->if_unmodified_since),
    };
    /* A date in the future is no condition (RFC 9110 section 13.1.3). */
    if (out->if_modified_since_ms > clock_real_ms())
        out->if_modified_since_ms = 0;
}

static enum err condition_not_served(struct s3_call *call, const char *name)
{
    return fail_set(&call->fail, ERR_NOT_IMPLEMENTED, name,
                    "A header you provided implies functionality that is not implemented");
}

enum err s3_write_conditions_parse(struct s3_call *call, struct conditions *out)
{
    *out = (struct conditions){
        .if_match = s3_header(call, "if-match"),
        .if_none_match = s3_header(call, "if-none-match"),
    };
    if (out->if_none_match.len > 0 && !str_eq(out->if_none_match, STR("*")))
        return condition_not_served(call, "If-None-Match");
    if (str_eq(out->if_match, STR("*")))
        return condition_not_served(call, "If-Match");
    if (out->if_match.len > 0 && out->if_none_match.len > 0)
        return condition_not_served(call, "If-Match");
    return OK;
}

/* ---- Ranges ---- */

/* A position of any number of digits: one that no number here can hold is behind every end. */
static bool parse_position(str text, uint64_t *out)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    if (str_to_u64(text, out) != OK)
        *out = UINT64_MAX;
    return true;
}

static bool parse_bounds(str spec, bool *has_first, uint64_t *first, bool *has_last, uint64_t *last)
{
    str left, right;
    if (!str_cut(spec, '-', &left, &right))
        return false;
    left = str_trim(left);
    right = str_trim(right);
    *has_first = left.len > 0;
    *has_last = right.len > 0;
    if (!parse_position(left, first) || !parse_position(right, last))
        return false;
    return *has_first || *has_last;
}

enum err s3_range_resolve(str header, uint64_t size, struct s3_range *out)
{
    uint64_t first = 0, last = 0;
    bool has_first, has_last;
    *out = (struct s3_range){.length = size};
    if (!str_has_prefix_nocase(header, STR("bytes=")) || str_find_char(header, ',') >= 0)
        return OK;
    if (!parse_bounds(str_skip(header, 6), &has_first, &first, &has_last, &last))
        return OK;
    if (!has_first) { /* the last bytes */
        if (last == 0 || size == 0)
            return ERR_BAD_RANGE;
        uint64_t length = last < size ? last : size;
        *out = (struct s3_range){.is_partial = true, .first = size - length, .length = length};
        return OK;
    }
    if (has_last && last < first)
        return OK;
    if (first >= size)
        return ERR_BAD_RANGE;
    if (!has_last || last >= size)
        last = size - 1;
    *out = (struct s3_range){.is_partial = true, .first = first, .length = last - first + 1};
    return OK;
}
