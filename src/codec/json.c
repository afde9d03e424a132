/* The reader looks over the document once before jansson does: jansson recurses and allocates as the document says, so depth
 * and number of values are bounded first. */
#include "codec/json.h"

#include <assert.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/encode.h"

/* Writer. */

void json_begin(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

static void append_quoted(struct buf *out, str text)
{
    buf_append_char(out, '"');
    json_escape(out, text);
    buf_append_char(out, '"');
}

static void separate(struct json_writer *w)
{
    bool *has_items = &w->has_items[w->depth - 1];
    if (*has_items)
        buf_append_char(w->out, ',');
    *has_items = true;
}

void json_name(struct json_writer *w, str name)
{
    assert(w->depth > 0 && !w->is_array[w->depth - 1] && !w->is_named);
    separate(w);
    append_quoted(w->out, name);
    buf_append_char(w->out, ':');
    w->is_named = true;
}

/* What stands before a value: a comma, and in an object the name. */
static void prepare(struct json_writer *w, const char *name)
{
    if (name)
        json_name(w, str_from(name));
    else if (w->depth > 0 && w->is_array[w->depth - 1])
        separate(w);
    else
        assert(w->depth == 0 || w->is_named);
    w->is_named = false;
}

static void open_level(struct json_writer *w, const char *name, bool is_array)
{
    assert(w->depth < JSON_DEPTH_MAX);
    prepare(w, name);
    w->is_array[w->depth] = is_array;
    w->has_items[w->depth] = false;
    w->depth++;
    buf_append_char(w->out, is_array ? '[' : '{');
}

void json_open_object(struct json_writer *w, const char *name)
{
    open_level(w, name, false);
}

void json_open_array(struct json_writer *w, const char *name)
{
    open_level(w, name, true);
}

void json_close(struct json_writer *w)
{
    assert(w->depth > 0 && !w->is_named);
    w->depth--;
    buf_append_char(w->out, w->is_array[w->depth] ? ']' : '}');
}

void json_text(struct json_writer *w, const char *name, str value)
{
    prepare(w, name);
    append_quoted(w->out, value);
}

void json_u64(struct json_writer *w, const char *name, uint64_t value)
{
    prepare(w, name);
    buf_append_u64(w->out, value);
}

void json_i64(struct json_writer *w, const char *name, int64_t value)
{
    prepare(w, name);
    if (value < 0)
        buf_append_char(w->out, '-');
    buf_append_u64(w->out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_bool(struct json_writer *w, const char *name, bool value)
{
    prepare(w, name);
    buf_append(w->out, value ? STR("true") : STR("false"));
}

void json_null_value(struct json_writer *w, const char *name)
{
    prepare(w, name);
    buf_append(w->out, STR("null"));
}

void json_time(struct json_writer *w, const char *name, int64_t real_ms)
{
    char text[CLOCK_TEXT_MAX];
    json_text(w, name, clock_format_iso(real_ms, text));
}

/* Reader. */

/* The string's end quote, or the document's end. */
static size_t skip_string(str document, size_t at)
{
    for (at++; at < document.len && document.ptr[at] != '"'; at++)
        if (document.ptr[at] == '\\')
            at++;
    return at;
}

/* Whether the brackets and commas, well-formed or not, keep to the limits. */
static bool is_within_limits(str document)
{
    size_t depth = 0, values = 1;
    for (size_t at = 0; at < document.len; at++) {
        switch (document.ptr[at]) {
        case '"':
            at = skip_string(document, at);
            break;
        case '[':
        case '{':
            depth++;
            values++;
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case ',':
            values++;
            break;
        default:
            break;
        }
        if (depth > JSON_DEPTH_MAX || values > JSON_VALUES_MAX)
            return false;
    }
    return true;
}

static enum err load(str document, json_t **out, struct fail *fail)
{
    if (document.len > JSON_BYTES_MAX)
        return fail_set(fail, ERR_TOO_LARGE, NULL, "the JSON document is larger than %d bytes",
                        JSON_BYTES_MAX);
    if (!is_within_limits(document))
        return fail_set(fail, ERR_BAD_INPUT, NULL,
                        "the JSON document nests deeper than %d or has more than %d values",
                        JSON_DEPTH_MAX, JSON_VALUES_MAX);
    json_error_t error;
    *out =
        json_loadb(document.len ? document.ptr : "", document.len, JSON_REJECT_DUPLICATES, &error);
    if (*out)
        return OK;
    enum err code =
        json_error_code(&error) == json_error_out_of_memory ? ERR_NO_MEMORY : ERR_BAD_INPUT;
    return fail_set(fail, code, NULL, "line %d, column %d: %s", error.line, error.column,
                    error.text);
}

static enum err convert(struct arena *arena, json_t *json, struct json_value **out);

static enum err convert_members(struct arena *arena, json_t *json, struct json_value **link)
{
    const char *name;
    json_t *member;
    json_object_foreach(json, name, member)
    {
        TRY(convert(arena, member, link));
        TRY(arena_try_str(arena, str_from(name), &(*link)->name));
        link = &(*link)->next;
    }
    return OK;
}

static enum err convert_items(struct arena *arena, json_t *json, struct json_value **link)
{
    for (size_t i = 0; i < json_array_size(json); i++) {
        TRY(convert(arena, json_array_get(json, i), link));
        link = &(*link)->next;
    }
    return OK;
}

static enum err fill(struct arena *arena, json_t *json, struct json_value *value)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        value->kind = JSON_KIND_OBJECT;
        return convert_members(arena, json, &value->child);
    case JSON_ARRAY:
        value->kind = JSON_KIND_ARRAY;
        return convert_items(arena, json, &value->child);
    case JSON_STRING:
        value->kind = JSON_KIND_TEXT;
        return arena_try_str(arena, str_of(json_string_value(json), json_string_length(json)),
                             &value->text);
    case JSON_INTEGER:
        value->kind = JSON_KIND_INTEGER;
        value->integer = json_integer_value(json);
        return OK;
    case JSON_REAL:
        value->kind = JSON_KIND_REAL;
        value->real = json_real_value(json);
        return OK;
    case JSON_TRUE:
    case JSON_FALSE:
        value->kind = JSON_KIND_BOOL;
        value->boolean = json_is_true(json);
        return OK;
    case JSON_NULL:
        value->kind = JSON_KIND_NULL;
        return OK;
    }
    return ERR_INTERNAL;
}

/* Recursion is as deep as the document, which is_within_limits bounded. */
static enum err convert(struct arena *arena, json_t *json, struct json_value **out)
{
    struct json_value *value = arena_try_alloc(arena, sizeof(*value));
    if (!value)
        return ERR_TOO_LARGE;
    *value = (struct json_value){0};
    TRY(fill(arena, json, value));
    *out = value;
    return OK;
}

enum err json_parse(struct arena *arena, str document, struct json_value **out_root,
                    struct fail *fail)
{
    json_t *json;
    TRY(load(document, &json, fail));
    struct json_value *root;
    enum err err = convert(arena, json, &root);
    json_decref(json);
    if (err != OK)
        return fail_set(fail, err, NULL, "the JSON document needs more memory than is allowed");
    *out_root = root;
    return OK;
}

const struct json_value *json_member(const struct json_value *object, const char *name)
{
    if (!object || object->kind != JSON_KIND_OBJECT)
        return NULL;
    const struct json_value *member = object->child;
    while (member && !str_eq(member->name, str_from(name)))
        member = member->next;
    return member;
}

str json_member_text(const struct json_value *object, const char *name)
{
    const struct json_value *member = json_member(object, name);
    return member ? member->text : (str){0};
}

size_t json_count(const struct json_value *value)
{
    size_t count = 0;
    for (const struct json_value *child = value->child; child; child = child->next)
        count++;
    return count;
}
