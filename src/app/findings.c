#include "app/findings.h"

#include <stdio.h>

#include "base/encode.h"

enum { LINE_MAX_BYTES = 64 << 10 };

static const char *const kind_word[] = {
    [FINDING_NOTE] = "note",
    [FINDING_DAMAGE] = "damage",
    [FINDING_HIT] = "hit",
    [FINDING_REPAIR] = "repair",
};

static void flush(struct findings *findings)
{
    (void)fwrite(findings->text.ptr, 1, findings->text.len, stdout);
    (void)fflush(stdout);
    buf_clear(&findings->text);
}

void findings_init(struct findings *findings, bool is_json)
{
    *findings = (struct findings){.is_json = is_json};
    buf_init(&findings->text, LINE_MAX_BYTES);
    if (!is_json)
        return;
    json_begin(&findings->json, &findings->text);
    json_open_object(&findings->json, NULL);
    json_open_array(&findings->json, "findings");
}

/* ---- For people ---- */

static void append_named(struct buf *out, const char *name, str value)
{
    if (!value.len)
        return;
    buf_printf(out, "%s \"", name);
    json_escape(out, value); /* names are anybody's: a terminal must not act on them */
    buf_append_char(out, '"');
}

static void write_line(struct buf *out, const struct finding *finding)
{
    buf_printf(out, "%s: ", kind_word[finding->kind]);
    if (finding->where.len) {
        json_escape(out, finding->where);
        buf_append(out, STR(": "));
    }
    json_escape(out, finding->what);
    append_named(out, ": bucket", finding->bucket);
    append_named(out, ", key", finding->key);
    append_named(out, ", version", finding->version_id);
    append_named(out, ", upload", finding->upload_id);
    if (finding->part_number)
        buf_printf(out, ", part %llu", (unsigned long long)finding->part_number);
    buf_append_char(out, '\n');
}

/* ---- For programs ---- */

static void put_given(struct json_writer *w, const char *name, str value)
{
    if (value.len)
        json_text(w, name, value);
}

static void write_json(struct json_writer *w, const struct finding *finding)
{
    json_open_object(w, NULL);
    json_text(w, "kind", str_from(kind_word[finding->kind]));
    put_given(w, "where", finding->where);
    put_given(w, "what", finding->what);
    put_given(w, "bucket", finding->bucket);
    put_given(w, "key", finding->key);
    put_given(w, "version_id", finding->version_id);
    put_given(w, "upload_id", finding->upload_id);
    if (finding->part_number)
        json_u64(w, "part_number", finding->part_number);
    json_close(w);
}

void findings_add(struct findings *findings, const struct finding *finding)
{
    findings->count[finding->kind]++;
    if (findings->is_json)
        write_json(&findings->json, finding);
    else
        write_line(&findings->text, finding);
    flush(findings);
}

void findings_end(struct findings *findings, const char *state)
{
    if (!findings->is_json)
        return;
    struct json_writer *w = &findings->json;
    json_close(w);
    json_text(w, "state", str_from(state));
    json_u64(w, "note_count", findings->count[FINDING_NOTE]);
    json_u64(w, "damage_count", findings->count[FINDING_DAMAGE]);
    json_u64(w, "hit_count", findings->count[FINDING_HIT]);
    json_u64(w, "repair_count", findings->count[FINDING_REPAIR]);
    json_close(w);
    buf_append_char(&findings->text, '\n');
    flush(findings);
}

void findings_release(struct findings *findings)
{
    buf_release(&findings->text);
}
