#include "s3/reply.h"

#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "object/conditions.h"
#include "object/version.h"
#include "s3/runner.h"

#define S3_NAMESPACE "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
enum {
    XML_REPLY_MAX_BYTES = 32 << 20
}; /* 1,000 keys of 1,024 bytes, each byte escaped, several times over */

static const struct error_row {
    int status;
    const char *code, *message;
} errors[ERR_COUNT] = {
#define S3_ERROR(name, status_, code_, message_)                                                   \
    [ERR_##name] = {.status = status_, .code = code_, .message = message_},
#include "s3/errors.def"
#undef S3_ERROR
};

int s3_error_status(enum err err)
{
    return errors[err].status;
}

const char *s3_error_code(enum err err)
{
    return errors[err].code;
}

const char *s3_error_message(enum err err)
{
    return errors[err].message;
}

void s3_reply_begin(struct s3_call *call, int status)
{
    http_reply_begin(call->x, status);
    http_reply_header(call->x, "x-amz-request-id", str_of(call->request_id, REQUEST_ID_BYTES));
}

void s3_reply_empty(struct s3_call *call, int status)
{
    s3_reply_begin(call, status);
    if (status != 204 && status != 304)
        http_reply_body(call->x, (str){0});
    http_reply_send(call->x);
}

static void xml_release(void *context)
{
    struct s3_xml *xml = context;
    buf_release(&xml->out);
}

struct s3_xml *s3_xml_entries(struct s3_call *call)
{
    struct s3_xml *xml = arena_new_of(call->arena, struct s3_xml);
    buf_init(&xml->out, XML_REPLY_MAX_BYTES);
    arena_on_reset(call->arena, xml_release, xml);
    xml->w.out = &xml->out;
    return xml;
}

struct s3_xml *s3_xml_begin(struct s3_call *call, const char *root)
{
    struct s3_xml *xml = s3_xml_entries(call);
    xml_begin(&xml->w, &xml->out);
    xml_open_with(&xml->w, root, S3_NAMESPACE);
    return xml;
}

static void attach_xml(struct s3_call *call, struct s3_xml *xml)
{
    http_reply_header(call->x, "Content-Type", STR("application/xml"));
    s3_call_hold(call, xml->out.capacity);
    http_reply_body(call->x, buf_str(&xml->out));
}

void s3_xml_finish(struct s3_call *call, struct s3_xml *xml)
{
    xml_close(&xml->w);
    if (buf_err(&xml->out) !=
        OK) { /* cannot happen to a page of bounded size; and must not end as half a document */
        buf_clear(&xml->out);
        call->err = ERR_INTERNAL;
        call->error_code = s3_error_code(ERR_INTERNAL);
        s3_reply_begin(call, s3_error_status(ERR_INTERNAL));
    } else {
        s3_reply_begin(call, 200);
    }
    attach_xml(call, xml);
}

void s3_xml_send(struct s3_call *call, struct s3_xml *xml)
{
    s3_xml_finish(call, xml);
    http_reply_send(call->x);
}

/* ---- Errors ---- */

/* The fail's detail replaces the general message where it is a sentence of its own (what AWS
 * words per case). */
static bool detail_is_message(enum err err)
{
    switch ((int)err) {
    case ERR_BAD_REQUEST:
    case ERR_BAD_CHECKSUM:
    case ERR_BAD_CHECKSUM_FORM:
    case ERR_BAD_REGION:
    case ERR_BAD_AUTH_QUERY:
    case ERR_BAD_UPLOAD_CHECKSUM:
    case ERR_BAD_ARGUMENT:
    case ERR_NOT_IMPLEMENTED:
    case ERR_BAD_RANGE:
    case ERR_BAD_TAG:
    case ERR_TOO_MANY_TAGS:
        return true;
    default:
        return false;
    }
}

/* Which of the request's conditions an answer 412 is about: the first that is there, in the
 * order in which they are judged. */
static str failed_condition(const struct s3_call *call)
{
    static const char *const name[] = {"x-amz-copy-source-If-Match",
                                       "x-amz-copy-source-If-Unmodified-Since",
                                       "x-amz-copy-source-If-None-Match",
                                       "x-amz-copy-source-If-Modified-Since",
                                       "If-Match",
                                       "If-Unmodified-Since",
                                       "If-None-Match"};
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++)
        if (http_has_header(call->request, str_from(name[i])))
            return str_from(name[i]);
    return (str){0};
}

/* What a person with a wrong clock, or an old link, needs to see. */
static void time_specifics(const struct s3_call *call, struct xml_writer *w, enum err err)
{
    int64_t now_ms = clock_real_ms();
    if (err == ERR_CLOCK_SKEW) {
        xml_text(w, "RequestTime", call->sig.timestamp);
        xml_time(w, "ServerTime", now_ms);
        xml_u64(w, "MaxAllowedSkewMilliseconds", SIGV4_SKEW_MS);
        return;
    }
    xml_u64(w, "X-Amz-Expires", (uint64_t)call->sig.expires_s);
    xml_time(w, "Expires", call->sig.time_ms + call->sig.expires_s * 1000);
    xml_time(w, "ServerTime", now_ms);
}

static void error_specifics(struct s3_call *call, struct xml_writer *w, enum err err)
{
    switch ((int)err) {
    case ERR_NO_SUCH_BUCKET:
    case ERR_BUCKET_NOT_EMPTY:
    case ERR_BUCKET_EXISTS:
    case ERR_BUCKET_OWNED:
    case ERR_BAD_BUCKET_NAME:
        xml_text(w, "BucketName", call->bucket);
        break;
    case ERR_NO_SUCH_KEY:
        xml_text(w, "Key", call->key);
        break;
    case ERR_NO_SUCH_VERSION:
        xml_text(w, "Key", call->key);
        xml_text(w, "VersionId", s3_query(call, "versionId"));
        break;
    case ERR_IS_DELETE_MARKER:
        xml_text(w, "Method", call->request->method);
        xml_text(w, "ResourceType", STR("DeleteMarker"));
        break;
    case ERR_BAD_ARGUMENT:
    case ERR_BAD_HEADER:
        xml_text(w, "ArgumentName", str_from(call->fail.field));
        break;
    case ERR_BAD_REGION:
        xml_text(w, "Region", call->s3->options.settings->region);
        break;
    case ERR_NOT_IMPLEMENTED:
        if (call->fail.field[0] != '\0')
            xml_text(w, "Header", str_from(call->fail.field));
        break;
    case ERR_UNSIGNED_HEADER:
        xml_text(w, "HeadersNotSigned", str_from(call->fail.detail));
        break;
    case ERR_SIGNATURE_MISMATCH:
        xml_text(w, "AWSAccessKeyId", call->sig.access_key);
        xml_text(w, "StringToSign", call->mismatch.string_to_sign);
        xml_text(w, "CanonicalRequest", call->mismatch.canonical_request);
        break;
    case ERR_NO_SUCH_ACCESS_KEY:
        xml_text(w, "AWSAccessKeyId", call->sig.access_key);
        break;
    case ERR_NO_SUCH_UPLOAD:
        xml_text(w, "UploadId", s3_query(call, "uploadId"));
        break;
    case ERR_KEY_TOO_LONG:
        xml_u64(w, "Size", call->key.len);
        xml_u64(w, "MaxSizeAllowed", KEY_MAX_BYTES);
        break;
    case ERR_BAD_RANGE:
        xml_text(w, "RangeRequested", s3_header(call, "range"));
        break;
    case ERR_CLOCK_SKEW:
    case ERR_SIGNATURE_EXPIRED:
        time_specifics(call, w, err);
        break;
    case ERR_BAD_PART_NUMBER:
        xml_text(w, "PartNumberRequested", s3_query(call, "partNumber"));
        break;
    case ERR_PRECONDITION_FAILED:
        xml_text(w, "Condition", failed_condition(call));
        break;
    default:
        if (call->fail.detail[0] != '\0' && s3_error_status(err) < 500)
            xml_text(w, "Detail", str_from(call->fail.detail));
        break;
    }
}

static void error_document(struct s3_call *call, struct s3_xml *xml, enum err err)
{
    struct xml_writer *w = &xml->w;
    bool has_own = detail_is_message(err) && call->fail.detail[0] != '\0';
    xml_begin(w, &xml->out);
    xml_open(w, "Error");
    xml_text(w, "Code", str_from(errors[err].code));
    xml_text(w, "Message", str_from(has_own ? call->fail.detail : errors[err].message));
    error_specifics(call, w, err);
    for (size_t i = 0; i < call->detail_count; i++)
        xml_text(w, call->detail[i].name.ptr, call->detail[i].value);
    xml_text(w, "Resource", call->request->path);
    xml_text(w, "RequestId", str_of(call->request_id, REQUEST_ID_BYTES));
    xml_text(w, "HostId", STR("pail"));
    xml_close(w);
}

/* The delete marker in whose place the error is answered. */
static void marker_headers(struct s3_call *call, enum err err)
{
    const struct object_row *marker = call->delete_marker;
    char text[CLOCK_TEXT_MAX];
    http_reply_header(call->x, "x-amz-delete-marker", STR("true"));
    http_reply_header(call->x, "x-amz-version-id", version_id_shown(marker->version_id));
    if (err != ERR_IS_DELETE_MARKER)
        return;
    http_reply_header(call->x, "Last-Modified",
                      clock_format_http((int64_t)marker->modified_ms, text));
    http_reply_header(call->x, "Allow", STR("DELETE"));
}

void s3_reply_error(struct s3_call *call, enum err err)
{
    call->err = err;
    call->error_code = errors[err].code;
    s3_reply_begin(call, errors[err].status);
    if (errors[err].status == 503)
        http_reply_header(call->x, "Retry-After", STR("1"));
    if (call->delete_marker != NULL)
        marker_headers(call, err);
    if (errors[err].status == 304 || str_eq(call->request->method, STR("HEAD"))) {
        http_reply_send(call->x);
        return;
    }
    struct s3_xml *xml = s3_xml_entries(call);
    error_document(call, xml, err);
    attach_xml(call, xml);
    http_reply_send(call->x);
}

/* ---- Shared fields ---- */

str s3_etag_quoted(struct arena *arena, str md5, uint64_t part_count)
{
    char *text = arena_alloc(arena, ETAG_TEXT_MAX + 2);
    str etag = etag_format(md5, part_count, text + 1);
    text[0] = '"';
    text[1 + etag.len] = '"';
    return str_of(text, etag.len + 2);
}

void s3_reply_etag(struct s3_call *call, str md5, uint64_t part_count)
{
    http_reply_header(call->x, "ETag", s3_etag_quoted(call->arena, md5, part_count));
}

str s3_checksum_text(struct arena *arena, const struct object_row *row)
{
    str text = arena_base64(arena, row->checksum.ptr, row->checksum.len);
    if (row->checksum_type == CHECKSUM_COMPOSITE && row->part_count > 0)
        text = arena_printf(arena, "%.*s-%llu", STR_ARG(text), (unsigned long long)row->part_count);
    return text;
}

const char *s3_checksum_type_name(uint64_t checksum_type)
{
    return checksum_type == CHECKSUM_COMPOSITE ? "COMPOSITE" : "FULL_OBJECT";
}

void s3_reply_version(struct s3_call *call, uint64_t versioning, str version_id)
{
    if (versioning != VERSIONING_NEVER)
        http_reply_header(call->x, "x-amz-version-id", version_id_shown(version_id));
}

void s3_reply_checksum(struct s3_call *call, const struct object_row *row)
{
    if (row->checksum_kind == CHECKSUM_NONE)
        return;
    http_reply_header(call->x, s3_checksum_header((enum checksum_kind)row->checksum_kind),
                      s3_checksum_text(call->arena, row));
    http_reply_header(call->x, "x-amz-checksum-type",
                      str_from(s3_checksum_type_name(row->checksum_type)));
}

void s3_xml_owner(struct xml_writer *w, const char *element, str id, str display_name)
{
    xml_open(w, element);
    xml_text(w, "ID", id);
    if (display_name.len > 0)
        xml_text(w, "DisplayName", display_name);
    xml_close(w);
}
