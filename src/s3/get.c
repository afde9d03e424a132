/* GetObject, HeadObject, GetObjectAttributes. */
#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "object/object.h"
#include "object/reader.h"
#include "object/version.h"
#include "s3/arguments.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/reply.h"
#include "s3/runner.h"

struct get {
    struct conditions conditions;
    uint64_t part_number; /* 0: not asked for */
    bool is_head;
    bool shows_checksum;

    struct object_row row;
    struct object_part part;
    struct s3_range range;
    enum err verdict; /* of conditions and range, which need the row's headers in the answer */

    struct http_source source;
    struct s3_call *call;
    struct obj_reader *reader;
};

enum err s3_part_number_parse(struct s3_call *call, uint64_t *out)
{
    str text = s3_query(call, "partNumber");
    if (str_to_u64(text, out) != OK || *out < 1 || *out > PART_MAX_NUMBER)
        return s3_bad_argument(call, "partNumber",
                               "Part number must be an integer between 1 and 10000, inclusive",
                               text);
    return OK;
}

/* versionId: absent, "null", or of the form that ours have. */
enum err s3_version_id_check(struct s3_call *call, str version_id)
{
    if (version_id.len == 0 && s3_has_query(call, "versionId"))
        return s3_bad_argument(call, "versionId", "Version id cannot be the empty string",
                               version_id);
    if (version_id.len > 0 && !version_id_is_known_form(version_id))
        return s3_bad_argument(call, "versionId", "Invalid version id specified", version_id);
    return OK;
}

/* response-content-type and its kin go into the answer's head, so they must be fit for one; and
 * AWS lets only those who have signed choose them. */
static enum err overrides_check(struct s3_call *call)
{
    for (size_t i = 0; i < call->query_count; i++) {
        const struct pair *query = &call->query[i];
        if (!str_has_prefix(query->name, STR("response-")))
            continue;
        if (call->identity.kind == IDENTITY_ANONYMOUS && !call->s3->options.settings->anonymous)
            return fail_set(
                &call->fail, ERR_BAD_REQUEST, "response-*",
                "Request specific response headers cannot be used for anonymous GET requests.");
        for (size_t k = 0; k < query->value.len; k++)
            if ((unsigned char)query->value.ptr[k] < ' ' || query->value.ptr[k] == 0x7f)
                return s3_bad_argument(call, "response-*",
                                       "A response header value has a control character.",
                                       query->value);
    }
    return OK;
}

static enum err get_parse(struct s3_call *call)
{
    struct get *get = arena_new_of(call->arena, struct get);
    call->state = get;
    get->call = call;
    get->is_head = call->operation->method == S3_HEAD;
    get->shows_checksum = str_eq_nocase(s3_header(call, "x-amz-checksum-mode"), STR("ENABLED"));
    TRY(s3_unserved_headers_check(call));
    TRY(overrides_check(call));
    TRY(s3_version_id_check(call, s3_query(call, "versionId")));
    s3_conditions_parse(call, S3_CONDITIONS_OF_REQUEST, &get->conditions);
    if (!s3_has_query(call, "partNumber"))
        return OK;
    if (s3_header(call, "range").len > 0)
        return fail_set(&call->fail, ERR_BAD_REQUEST, "partNumber",
                        "Cannot specify both Range header and partNumber query parameter");
    return s3_part_number_parse(call, &get->part_number);
}

static void source_ready(void *context)
{
    struct s3_call *call = context;
    http_source_ready(call->x);
}

static enum err source_next(struct http_source *source, struct http_piece *out_piece)
{
    struct get *get = container_of(source, struct get, source);
    struct obj_piece piece;
    enum err err = obj_reader_next(get->reader, &piece);
    if (err != OK) {
        if (err != ERR_PENDING) {
            get->call->err =
                err; /* for the log: the head has gone out, only the connection can say it */
            get->call->error_code = s3_error_code(err);
        }
        return err;
    }
    *out_piece = (struct http_piece){.bytes = piece.bytes,
                                     .fd = piece.fd,
                                     .file_offset = piece.file_offset,
                                     .file_length = piece.file_length};
    return OK;
}

static void source_park(struct http_source *source, size_t unsent)
{
    obj_reader_park(container_of(source, struct get, source)->reader, unsent);
}

static void source_close(struct http_source *source)
{
    obj_reader_close(container_of(source, struct get, source)->reader);
}

/* What part of the object is asked for. */
static enum err resolve_range(struct get *get, struct tx *tx)
{
    struct s3_call *call = get->call;
    if (get->part_number == 0)
        return s3_range_resolve(s3_header(call, "range"), get->row.size, &get->range);
    TRY(object_part_find(tx, &get->row, get->part_number, call->arena, &get->part));
    get->range =
        (struct s3_range){.is_partial = true, .first = get->part.offset, .length = get->part.size};
    return OK;
}

static enum err open_reader(struct get *get, struct tx *tx, enum view_flags flags)
{
    struct s3_call *call = get->call;
    if (get->is_head || get->verdict != OK || get->range.length == 0)
        return OK;
    const struct obj_reader_options options = {
        .store = call->s3->options.store,
        .loop = call->s3->options.loop,
        .arena = call->arena,
        .row = &get->row,
        .offset = get->range.first,
        .length = get->range.length,
        .ready = source_ready,
        .context = call,
    };
    return obj_reader_open(tx, flags, &options, &get->reader);
}

enum err s3_object_find(struct s3_call *call, struct tx *tx, struct object_row *out_row)
{
    call->delete_marker = NULL;
    enum err err = object_find(tx, &call->bucket_row, call->key, s3_query(call, "versionId"),
                               call->arena, out_row);
    if (err != OK && is_delete_marker(out_row))
        call->delete_marker = out_row;
    return err;
}

static enum err look_up(struct get *get, struct tx *tx, enum view_flags flags)
{
    struct s3_call *call = get->call;
    TRY(s3_object_find(call, tx, &get->row));
    get->verdict = conditions_check_read(&get->conditions, &get->row);
    if (get->verdict == OK) {
        enum err err = resolve_range(get, tx);
        if (err == ERR_WOULD_BLOCK || err == ERR_CORRUPT || err == ERR_IO)
            return err;
        get->verdict = err;
    }
    return open_reader(get, tx, flags);
}

static enum err get_read(struct s3_call *call, enum view_flags flags)
{
    struct get *get = call->state;
    struct tx *tx;
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err = look_up(get, tx, flags);
    view_end(tx);
    return err;
}

static void reply_refused(struct s3_call *call, struct get *get)
{
    if (get->verdict == ERR_BAD_RANGE)
        s3_error_detail_u64(call, "ActualObjectSize", get->row.size);
    if (get->verdict == ERR_BAD_PART_NUMBER)
        s3_error_detail_u64(call, "ActualPartCount",
                            get->row.part_count > 0 ? get->row.part_count : 1);
    if (get->verdict != ERR_NOT_MODIFIED) {
        s3_reply_error(call, get->verdict);
        return;
    }
    /* RFC 9110 section 15.4.5: the fields that a 200 would have had and caches need. */
    call->err = OK;
    s3_reply_begin(call, 304);
    s3_object_headers_reply(call, &get->row, false);
    http_reply_send(call->x);
}

static void reply_range(struct s3_call *call, const struct get *get)
{
    const struct s3_range *range = &get->range;
    if (range->length == 0)
        return;
    char text[80];
    int len = snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)range->first,
                       (unsigned long long)(range->first + range->length - 1),
                       (unsigned long long)get->row.size);
    http_reply_header(call->x, "Content-Range", str_of(text, (size_t)len));
}

static void reply_part(struct s3_call *call, const struct get *get)
{
    enum checksum_kind kind = (enum checksum_kind)get->row.checksum_kind;
    http_reply_header_u64(call->x, "x-amz-mp-parts-count", get->row.part_count);
    if (!get->shows_checksum || get->row.checksum_type != CHECKSUM_COMPOSITE ||
        get->part.checksum.len != checksum_size(kind))
        return;
    http_reply_header(call->x, s3_checksum_header(kind),
                      arena_base64(call->arena, get->part.checksum.ptr, get->part.checksum.len));
    http_reply_header(call->x, "x-amz-checksum-type",
                      str_from(s3_checksum_type_name(get->row.checksum_type)));
}

static void reply_content(struct s3_call *call, struct get *get)
{
    if (get->is_head) {
        http_reply_length_only(call->x, get->range.length);
    } else if (get->reader == NULL) {
        http_reply_body(call->x, (str){0});
    } else if (obj_reader_inline(get->reader).len > 0) {
        s3_call_hold(call, get->row.size);
        http_reply_body(call->x, obj_reader_inline(get->reader));
        obj_reader_close(get->reader);
    } else {
        get->source =
            (struct http_source){.next = source_next, .park = source_park, .close = source_close};
        http_reply_source(call->x, &get->source, get->range.length);
    }
}

static void get_reply(struct s3_call *call)
{
    struct get *get = call->state;
    if (get->verdict != OK) {
        reply_refused(call, get);
        return;
    }
    bool is_part = get->part_number > 0 && get->row.part_count > 0;
    /* A checksum is told only with the bytes that it is of. */
    bool is_whole = get->range.length == get->row.size;
    s3_reply_begin(call, get->range.is_partial ? 206 : 200);
    s3_object_headers_reply(call, &get->row, get->shows_checksum && !is_part && is_whole);
    if (get->range.is_partial)
        reply_range(call, get);
    if (is_part)
        reply_part(call, get);
    reply_content(call, get);
    http_reply_send(call->x);
}

const struct s3_handler handle_get_object = {
    .parse = get_parse, .read = get_read, .reply = get_reply};
const struct s3_handler handle_head_object = {
    .parse = get_parse, .read = get_read, .reply = get_reply};

/* ---- GetObjectAttributes ---- */

enum attribute {
    WANT_ETAG = 1,
    WANT_CHECKSUM = 2,
    WANT_PARTS = 4,
    WANT_STORAGE_CLASS = 8,
    WANT_SIZE = 16
};

struct attributes {
    unsigned wanted; /* enum attribute */
    uint64_t max_parts, marker;
    struct object_row row;
    struct object_part *part;
    size_t part_count;
    bool is_truncated;
};

static enum err attribute_names_parse(struct s3_call *call, struct attributes *attributes)
{
    static const char *const name[] = {"ETag", "Checksum", "ObjectParts", "StorageClass",
                                       "ObjectSize"};
    bool was_there = false;
    for (size_t h = 0; h < call->request->header_count; h++) {
        if (!str_eq_nocase(call->request->header[h].name, STR("x-amz-object-attributes")))
            continue;
        was_there = true;
        str rest = call->request->header[h].value, item;
        while (rest.len > 0) {
            (void)str_cut(rest, ',', &item, &rest);
            item = str_trim(item);
            unsigned bit = 0;
            for (unsigned i = 0; i < sizeof name / sizeof name[0]; i++)
                if (str_eq(item, str_from(name[i])))
                    bit = 1u << i;
            if (bit == 0)
                return s3_bad_argument(call, "x-amz-object-attributes",
                                       "Invalid attribute name specified.", item);
            attributes->wanted |= bit;
        }
    }
    if (was_there && attributes->wanted != 0)
        return OK;
    return s3_bad_argument(
        call, "x-amz-object-attributes",
        "The x-amz-object-attributes header specifying the attributes to be retrieved is either "
        "missing or empty",
        (str){0});
}

static enum err number_header(struct s3_call *call, const char *name, uint64_t fallback,
                              uint64_t *out)
{
    str text = s3_header(call, name);
    *out = fallback;
    if (text.len > 0 && str_to_u64(text, out) != OK)
        return s3_bad_argument(call, name,
                               "Provided value is not an integer or within integer range", text);
    return OK;
}

static enum err attributes_parse(struct s3_call *call)
{
    struct attributes *attributes = arena_new_of(call->arena, struct attributes);
    call->state = attributes;
    TRY(s3_unserved_headers_check(call));
    TRY(s3_version_id_check(call, s3_query(call, "versionId")));
    TRY(attribute_names_parse(call, attributes));
    TRY(number_header(call, "x-amz-max-parts", PAGE_MAX_KEYS, &attributes->max_parts));
    TRY(number_header(call, "x-amz-part-number-marker", 0, &attributes->marker));
    if (attributes->max_parts > PAGE_MAX_KEYS)
        attributes->max_parts = PAGE_MAX_KEYS;
    return OK;
}

static enum err attributes_read(struct s3_call *call, enum view_flags flags)
{
    struct attributes *attributes = call->state;
    struct tx *tx;
    TRY(view_begin(store_engine(call->s3->options.store), flags, &tx));
    enum err err = s3_object_find(call, tx, &attributes->row);
    if (err == OK && attributes->row.manifest_id != 0 && (attributes->wanted & WANT_PARTS) != 0)
        err = object_part_list(tx, &attributes->row, attributes->marker, attributes->max_parts,
                               call->arena, &attributes->part, &attributes->part_count,
                               &attributes->is_truncated);
    view_end(tx);
    return err;
}

static void xml_checksum(struct s3_call *call, struct xml_writer *w, const struct object_row *row)
{
    xml_open(w, "Checksum");
    /* Here alone AWS leaves the number of parts out of a composite one. */
    xml_text(w, s3_checksum_element((enum checksum_kind)row->checksum_kind),
             arena_base64(call->arena, row->checksum.ptr, row->checksum.len));
    xml_text(w, "ChecksumType", str_from(s3_checksum_type_name(row->checksum_type)));
    xml_close(w);
}

/* Single parts are listed only where they have checksums of their own kind, as AWS does. */
static void xml_parts(struct s3_call *call, struct xml_writer *w,
                      const struct attributes *attributes)
{
    const struct object_row *row = &attributes->row;
    xml_open(w, "ObjectParts");
    xml_u64(w, "PartsCount", row->part_count);
    bool has_parts = attributes->part_count > 0 && attributes->part[0].checksum.len > 0 &&
                     row->checksum_kind != CHECKSUM_NONE &&
                     row->checksum_type == CHECKSUM_COMPOSITE;
    if (has_parts) {
        xml_u64(w, "PartNumberMarker", attributes->marker);
        xml_u64(w, "NextPartNumberMarker",
                attributes->part_count > 0 ? attributes->part[attributes->part_count - 1].number
                                           : 0);
        xml_u64(w, "MaxParts", attributes->max_parts);
        xml_bool(w, "IsTruncated", attributes->is_truncated);
        for (size_t i = 0; i < attributes->part_count; i++) {
            const struct object_part *part = &attributes->part[i];
            xml_open(w, "Part");
            xml_u64(w, "PartNumber", part->number);
            xml_u64(w, "Size", part->size);
            if (part->checksum.len == checksum_size((enum checksum_kind)row->checksum_kind) &&
                part->checksum.len > 0)
                xml_text(w, s3_checksum_element((enum checksum_kind)row->checksum_kind),
                         arena_base64(call->arena, part->checksum.ptr, part->checksum.len));
            xml_close(w);
        }
    }
    xml_close(w);
}

static void attributes_reply(struct s3_call *call)
{
    struct attributes *attributes = call->state;
    const struct object_row *row = &attributes->row;
    char text[ETAG_TEXT_MAX], time[CLOCK_TEXT_MAX];
    struct s3_xml *xml = s3_xml_begin(call, "GetObjectAttributesResponse");
    struct xml_writer *w = &xml->w;
    if ((attributes->wanted & WANT_ETAG) != 0)
        xml_text(w, "ETag", etag_format(row->md5, row->part_count, text));
    if ((attributes->wanted & WANT_CHECKSUM) != 0 && row->checksum_kind != CHECKSUM_NONE)
        xml_checksum(call, w, row);
    if ((attributes->wanted & WANT_PARTS) != 0 && row->part_count > 0)
        xml_parts(call, w, attributes);
    if ((attributes->wanted & WANT_STORAGE_CLASS) != 0)
        xml_text(w, "StorageClass", str_from(s3_storage_class_name(row->storage_class)));
    if ((attributes->wanted & WANT_SIZE) != 0)
        xml_u64(w, "ObjectSize", row->size);
    s3_xml_finish(call, xml);
    http_reply_header(call->x, "Last-Modified", clock_format_http((int64_t)row->modified_ms, time));
    s3_reply_version(call, call->bucket_row.versioning, row->version_id);
    http_reply_send(call->x);
}

const struct s3_handler handle_get_object_attributes = {
    .parse = attributes_parse, .read = attributes_read, .reply = attributes_reply};
