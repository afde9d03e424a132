/* Any bytes to the JSON reader. What is accepted, written again and read again gives the same tree. */
#include "fuzz.h"

#include "codec/json.h"

static void write_value(struct json_writer *w, const struct json_value *value)
{
    switch (value->kind) {
    case JSON_KIND_NULL:
        json_null_value(w, NULL);
        return;
    case JSON_KIND_BOOL:
        json_bool(w, NULL, value->boolean);
        return;
    case JSON_KIND_INTEGER:
        json_i64(w, NULL, value->integer);
        return;
    case JSON_KIND_REAL: /* the writer has no reals */
        json_null_value(w, NULL);
        return;
    case JSON_KIND_TEXT:
        json_text(w, NULL, value->text);
        return;
    case JSON_KIND_ARRAY:
        json_open_array(w, NULL);
        break;
    case JSON_KIND_OBJECT:
        json_open_object(w, NULL);
        break;
    }
    for (const struct json_value *child = value->child; child; child = child->next) {
        if (value->kind == JSON_KIND_OBJECT)
            json_name(w, child->name);
        write_value(w, child);
    }
    json_close(w);
}

static void compare(const struct json_value *a, const struct json_value *b)
{
    FUZZ_CHECK(a->kind == b->kind || (a->kind == JSON_KIND_REAL && b->kind == JSON_KIND_NULL));
    FUZZ_CHECK(a->boolean == b->boolean && a->integer == b->integer);
    FUZZ_CHECK(str_eq(a->text, b->text) && str_eq(a->name, b->name));
    FUZZ_CHECK(str_is_utf8(a->text) && str_is_utf8(a->name));
    const struct json_value *child = a->child, *other = b->child;
    for (; child && other; child = child->next, other = other->next)
        compare(child, other);
    FUZZ_CHECK(!child && !other);
}

static void check_written_again(struct arena *arena, const struct json_value *root)
{
    BUF_SCOPED struct buf out;
    buf_init(&out, SIZE_MAX);
    struct json_writer w;
    json_begin(&w, &out);
    write_value(&w, root);
    struct json_value *again;
    /* Escapes may make the text longer than the reader takes. */
    if (out.len > JSON_BYTES_MAX)
        return;
    FUZZ_CHECK(json_parse(arena, buf_str(&out), &again, NULL) == OK);
    compare(root, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(64 << 20);
    struct json_value *root;
    struct fail fail = {0};
    enum err err = json_parse(arena, fuzz_input(data, size), &root, &fail);
    FUZZ_CHECK((err == OK) == (fail.detail[0] == '\0'));
    if (err == OK)
        check_written_again(arena, root);
    arena_free(arena);
    return 0;
}
