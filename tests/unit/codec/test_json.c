/* Aim: the writer's commas, names and escapes; the reader's kinds; refusals with their place; each limit at its edge. */
#include "codec/json.h"

#include "../unit.h"

static void test_writer(void **state)
{
    (void)state;
    BUF_SCOPED struct buf out;
    buf_init(&out, 1000);
    struct json_writer w;
    json_begin(&w, &out);
    json_open_object(&w, NULL);
    json_text(&w, "text", STR("a\"\n"));
    json_open_array(&w, "list");
    json_u64(&w, NULL, UINT64_MAX);
    json_i64(&w, NULL, INT64_MIN);
    json_i64(&w, NULL, 7);
    json_open_array(&w, NULL);
    json_close(&w);
    json_open_object(&w, NULL);
    json_bool(&w, "yes", true);
    json_close(&w);
    json_close(&w);
    json_null_value(&w, "nothing");
    json_time(&w, "date", 0);
    json_name(&w, STR("na\"me"));
    json_open_object(&w, NULL);
    json_name(&w, STR(""));
    json_bool(&w, NULL, false);
    json_close(&w);
    json_close(&w);
    assert_str(buf_str(&out), STR("{\"text\":\"a\\\"\\n\",\"list\":[18446744073709551615,"
                                  "-9223372036854775808,7,[],{\"yes\":true}],\"nothing\":null,"
                                  "\"date\":\"1970-01-01T00:00:00.000Z\","
                                  "\"na\\\"me\":{\"\":false}}"));
}

static void test_writer_of_one_value(void **state)
{
    (void)state;
    BUF_SCOPED struct buf out;
    buf_init(&out, 1000);
    struct json_writer w;
    json_begin(&w, &out);
    json_text(&w, NULL, STR("x"));
    assert_str(buf_str(&out), STR("\"x\""));
}

static void test_reader(void **state)
{
    (void)state;
    struct arena *arena = arena_new(10000);
    struct json_value *root;
    struct fail fail = {0};
    assert_ok(
        json_parse(arena,
                   STR(" {\"z\": \"a\\u00e4\\\"\", \"n\": -9223372036854775808, \"r\": 1.5,\n"
                       "\"t\": true, \"f\": false, \"null\": null, \"list\": [1, [], {\"x\": 2}],"
                       " \"\": \"empty\"} "),
                   &root, &fail));
    assert_int_equal(root->kind, JSON_KIND_OBJECT);
    assert_int_equal(json_count(root), 8);
    assert_str(root->child->name, STR("z"));
    assert_str(json_member_text(root, "z"), STR("a\xc3\xa4\""));
    assert_int_equal(json_member(root, "n")->kind, JSON_KIND_INTEGER);
    assert_int_equal(json_member(root, "n")->integer, INT64_MIN);
    assert_int_equal(json_member(root, "r")->kind, JSON_KIND_REAL);
    assert_true(json_member(root, "r")->real == 1.5);
    assert_int_equal(json_member(root, "t")->kind, JSON_KIND_BOOL);
    assert_true(json_member(root, "t")->boolean);
    assert_false(json_member(root, "f")->boolean);
    assert_int_equal(json_member(root, "null")->kind, JSON_KIND_NULL);
    assert_str(json_member_text(root, ""), STR("empty"));

    const struct json_value *list = json_member(root, "list");
    assert_int_equal(list->kind, JSON_KIND_ARRAY);
    assert_int_equal(json_count(list), 3);
    assert_int_equal(list->child->integer, 1);
    assert_int_equal(json_count(list->child->next), 0);
    assert_int_equal(json_member(list->child->next->next, "x")->integer, 2);

    assert_null(json_member(root, "absent"));
    assert_null(json_member(list, "x"));
    assert_null(json_member(NULL, "x"));
    assert_str(json_member_text(root, "n"), STR(""));
    assert_str(json_member_text(root, "absent"), STR(""));
    arena_free(arena);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        str document;
        const char *place;
    } cases[] = {
        {STR_INIT(""), "line 1, column 0: "},
        {STR_INIT("{"), "line 1, column 1: "},
        {STR_INIT("{}x"), "line 1, column 3: "},
        {STR_INIT("{} {}"), "line 1, column 4: "},
        {STR_INIT("\"text\""), "line 1, "}, /* neither object nor array */
        {STR_INIT("1"), "line 1, "},
        {STR_INIT("{\"a\": 1,\n\"a\": 2}"), "line 2, "},
        {STR_INIT("{\"a\": 1,}"), "line 1, "},
        {STR_INIT("[1 2]"), "line 1, "},
        {STR_INIT("{'a': 1}"), "line 1, "},
        {STR_INIT("[01]"), "line 1, "},
        {STR_INIT("[NaN]"), "line 1, "},
        {STR_INIT("[1e999]"), "line 1, "},
        {STR_INIT("[9223372036854775808]"), "line 1, "},
        {STR_INIT("[\"\n\"]"), "line 1, "},
        {STR_INIT("[\"\xff\"]"), "line 1, "},
        {STR_INIT("[\"\\ud800\"]"), "line 1, "},
        {STR_INIT("[\"\\u0000\"]"), "line 1, "},
        {STR_INIT("[\"\\x\"]"), "line 1, "},
        {STR_INIT("[\"a"), "line 1, "},
        {STR_INIT("[\"a\\"), "line 1, "},
        {STR_INIT("[1]\0"), "line 1, "},
    };
    struct arena *arena = arena_new(10000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_value *root = NULL;
        struct fail fail = {0};
        if (json_parse(arena, cases[i].document, &root, &fail) != ERR_BAD_INPUT)
            fail_msg("accepted: %.*s", STR_ARG(cases[i].document));
        if (!str_has_prefix(str_from(fail.detail), str_from(cases[i].place)))
            fail_msg("%.*s: %s", STR_ARG(cases[i].document), fail.detail);
        assert_null(root);
        assert_err(json_parse(arena, cases[i].document, &root, NULL), ERR_BAD_INPUT);
    }
    arena_free(arena);
}

static enum err parse_repeated(str head, str repeated, size_t count, str tail)
{
    struct arena *arena = arena_new(SIZE_MAX);
    BUF_SCOPED struct buf out;
    buf_init(&out, SIZE_MAX);
    buf_append(&out, head);
    for (size_t i = 0; i < count; i++)
        buf_append(&out, repeated);
    buf_append(&out, tail);
    struct json_value *root;
    struct fail fail = {0};
    enum err err = json_parse(arena, buf_str(&out), &root, &fail);
    assert_int_equal(err != OK, fail.detail[0] != '\0');
    arena_free(arena);
    return err;
}

static void test_depth(void **state)
{
    (void)state;
    char closing[JSON_DEPTH_MAX + 1];
    memset(closing, ']', sizeof(closing));
    assert_ok(parse_repeated(STR(""), STR("["), JSON_DEPTH_MAX, str_of(closing, JSON_DEPTH_MAX)));
    assert_err(
        parse_repeated(STR(""), STR("["), JSON_DEPTH_MAX + 1, str_of(closing, JSON_DEPTH_MAX + 1)),
        ERR_BAD_INPUT);
    assert_err(parse_repeated(STR(""), STR("{\"a\":"), 100000, STR("")), ERR_BAD_INPUT);
    /* Brackets in strings are none, whatever is escaped. */
    assert_ok(parse_repeated(STR("[\"\\\\\\\""), STR("[{"), 100, STR("\\\\\"]")));
}

static void test_number_of_values(void **state)
{
    (void)state;
    /* One for the array, one for each item. */
    assert_ok(parse_repeated(STR("["), STR("1,"), JSON_VALUES_MAX - 3, STR("1]")));
    assert_err(parse_repeated(STR("["), STR("1,"), JSON_VALUES_MAX, STR("1]")), ERR_BAD_INPUT);
}

static void test_size(void **state)
{
    (void)state;
    assert_ok(parse_repeated(STR("[]"), STR(" "), JSON_BYTES_MAX - 2, STR("")));
    assert_err(parse_repeated(STR("[]"), STR(" "), JSON_BYTES_MAX - 1, STR("")), ERR_TOO_LARGE);
}

static void test_cap_of_the_arena(void **state)
{
    (void)state;
    size_t accepted = 0;
    for (size_t cap = 0; cap < 1000; cap++) {
        struct arena *arena = arena_new(cap);
        struct json_value *root;
        enum err err = json_parse(arena, STR("{\"a\": [\"text\", {\"b\": 1}]}"), &root, NULL);
        assert_true(arena_used(arena) <= cap);
        assert_err(err, accepted ? OK : err == OK ? OK : ERR_TOO_LARGE);
        accepted += err == OK;
        arena_free(arena);
    }
    assert_true(accepted > 0 && accepted < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer), cmocka_unit_test(test_writer_of_one_value),
        cmocka_unit_test(test_reader), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),  cmocka_unit_test(test_number_of_values),
        cmocka_unit_test(test_size),   cmocka_unit_test(test_cap_of_the_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
