/* DeleteObjects: up to 1,000 keys in one update; each succeeds or fails on its own. */
#include "base/clock.h"
#include "base/mem.h"
#include "codec/xml.h"
#include "object/object.h"
#include "s3/handlers.h"
#include "s3/headers.h"
#include "s3/reply.h"

struct delete_many {
    struct object_delete del;
    bool is_quiet;
};

static enum err entry_parse(const struct xml_node *node, struct object_delete_entry *entry)
{
    *entry = (struct object_delete_entry){.key = xml_child_text(node, "Key"),
                                          .version_id = xml_child_text(node, "VersionId"),
                                          .conditions = {.if_match = xml_child_text(node, "ETag")},
                                          .if_size = UINT64_MAX};
    str size = xml_child_text(node, "Size"), time = xml_child_text(node, "LastModifiedTime");
    enum { ETAG_MAX_BYTES = 80 }; /* one tag, not a list */
    if (entry->key.len == 0 || entry->conditions.if_match.len > ETAG_MAX_BYTES)
        return ERR_BAD_XML;

    if (size.len > 0 && str_to_u64(size, &entry->if_size) != OK)
        return ERR_BAD_XML;
    if (time.len > 0 && clock_parse_http(time, &entry->if_modified_ms) != OK &&
        clock_parse_iso(time, &entry->if_modified_ms) != OK)
        return ERR_BAD_XML;
    return OK;
}

static enum err document_parse(struct s3_call *call, struct delete_many *many)
{
    struct xml_node *root;
    TRY(xml_parse(call->arena, call->content, &root));
    size_t count = xml_count(root, "Object");
    if (!str_eq(root->name, STR("Delete")) || count == 0 || count > DELETE_MAX_KEYS)
        return ERR_BAD_XML;
    many->is_quiet = str_eq_nocase(xml_child_text(root, "Quiet"), STR("true"));
    many->del.entry = arena_new_array(call->arena, struct object_delete_entry, count);
    many->del.count = 0;
    for (const struct xml_node *node = xml_child(root, "Object"); node != NULL;
         node = xml_next_same(node))
        TRY(entry_parse(node, &many->del.entry[many->del.count++]));
    return OK;
}

/* The body names what is destroyed, so it must carry a digest. */
static enum err delete_parse(struct s3_call *call)
{
    TRY(s3_unserved_headers_check(call));
    if (!call->integrity.has_md5 && call->integrity.kind == CHECKSUM_NONE)
        return fail_set(
            &call->fail, ERR_BAD_REQUEST, "Content-MD5",
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
    return OK;
}

static enum err delete_read(struct s3_call *call, enum view_flags flags)
{
    (void)flags;
    struct delete_many *many = arena_new_of(call->arena, struct delete_many);
    call->state = many;
    many->del.op = s3_call_op(call);
    many->del.bucket = call->bucket;
    many->del.owner = s3_call_owner(call);
    many->del.makes_markers = call->bucket_row.versioning != VERSIONING_NEVER;
    if (call->content.len == 0)
        return ERR_MISSING_BODY;
    return document_parse(call, many);
}

static void delete_start(struct s3_call *call)
{
    struct delete_many *many = call->state;
    object_delete_start(&many->del);
}

static void write_entry(struct xml_writer *w, const struct object_delete_entry *entry,
                        bool is_quiet)
{
    if (entry->result == OK && is_quiet)
        return;
    xml_open(w, entry->result == OK ? "Deleted" : "Error");
    xml_text(w, "Key", entry->key);
    if (entry->version_id.len > 0)
        xml_text(w, "VersionId", entry->version_id);
    if (entry->result == OK && (entry->made_marker || entry->removed_marker)) {
        xml_bool(w, "DeleteMarker", true);
        xml_text(w, "DeleteMarkerVersionId", entry->deleted_version_id);
    }
    if (entry->result != OK) {
        xml_text(w, "Code", str_from(s3_error_code(entry->result)));
        xml_text(w, "Message", str_from(s3_error_message(entry->result)));
    }
    xml_close(w);
}

static void delete_reply(struct s3_call *call)
{
    const struct delete_many *many = call->state;
    struct s3_xml *xml = s3_xml_begin(call, "DeleteResult");
    for (size_t i = 0; i < many->del.count; i++)
        write_entry(&xml->w, &many->del.entry[i], many->is_quiet);
    s3_xml_send(call, xml);
}

const struct s3_handler handle_delete_objects = {
    .parse = delete_parse, .read = delete_read, .start = delete_start, .reply = delete_reply};
