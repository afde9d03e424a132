/* Aim: each kind of value and key is read as TOML 1.0 says, everything outside the subset is refused with its line, and the
 * limits hold. */
#include "codec/toml.h"

#include "../unit.h"

#include <stdio.h>

#include "base/buf.h"

struct document {
    struct arena *arena;
    struct toml_entry *entry;
    size_t count;
    struct fail fail;
};

static enum err parse(struct document *d, str text)
{
    *d = (struct document){.arena = arena_new(1 << 20)};
    return toml_parse(d->arena, STR("f.toml"), text, &d->entry, &d->count, &d->fail);
}

static const struct toml_entry *entry_of(const struct document *d, const char *key)
{
    for (size_t i = 0; i < d->count; i++)
        if (str_eq(d->entry[i].key, str_from(key)))
            return &d->entry[i];
    fail_msg("no entry %s", key);
    return NULL;
}

static void test_document(void **state)
{
    (void)state;
    struct document d;
    assert_ok(parse(&d, STR("# a comment with \t tab\n"
                            "name = \"pail\" # behind a value\r\n"
                            "\n"
                            "  a . b-1 =  true\n"
                            "[ tls . listen ]# behind a header\n"
                            "port\t=\t9_000\n"
                            "1 = 2\n"
                            "[tls]\n"
                            "off = false\n"
                            "list = [ # comment\n"
                            "  'one', \"two\",\r\n"
                            "\n"
                            "  '', # last\n"
                            "]\n"
                            "numbers=[1,-2,+3]\n"
                            "none = []\n"
                            "[empty]\n"
                            "[tls.other.deep]\n"
                            "last = 'x'")));
    assert_int_equal(d.count, 9);
    static const struct {
        const char *key;
        unsigned line;
        enum toml_kind kind;
    } expected[] = {
        {"name", 2, TOML_TEXT},
        {"a.b-1", 4, TOML_BOOL},
        {"tls.listen.port", 6, TOML_INTEGER},
        {"tls.listen.1", 7, TOML_INTEGER},
        {"tls.off", 9, TOML_BOOL},
        {"tls.list", 10, TOML_ARRAY},
        {"tls.numbers", 15, TOML_ARRAY},
        {"tls.none", 16, TOML_ARRAY},
        {"tls.other.deep.last", 19, TOML_TEXT},
    };
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_str(d.entry[i].key, str_from(expected[i].key));
        assert_int_equal(d.entry[i].line, expected[i].line);
        assert_int_equal(d.entry[i].value.kind, expected[i].kind);
    }
    assert_str(entry_of(&d, "name")->value.text, STR("pail"));
    assert_true(entry_of(&d, "a.b-1")->value.boolean);
    assert_false(entry_of(&d, "tls.off")->value.boolean);
    assert_int_equal(entry_of(&d, "tls.listen.port")->value.integer, 9000);
    const struct toml_value *list = &entry_of(&d, "tls.list")->value;
    assert_int_equal(list->item_count, 3);
    assert_str(list->item[0].text, STR("one"));
    assert_str(list->item[1].text, STR("two"));
    assert_str(list->item[2].text, STR(""));
    const struct toml_value *numbers = &entry_of(&d, "tls.numbers")->value;
    assert_int_equal(numbers->item_count, 3);
    assert_int_equal(numbers->item[1].integer, -2);
    assert_int_equal(numbers->item[2].integer, 3);
    assert_int_equal(entry_of(&d, "tls.none")->value.item_count, 0);
    arena_free(d.arena);
}

static void test_empty_documents(void **state)
{
    (void)state;
    static const str cases[] = {STR_INIT(""), STR_INIT("\n\r\n"), STR_INIT("# only"),
                                STR_INIT(" \t")};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct document d;
        assert_ok(parse(&d, cases[i]));
        assert_int_equal(d.count, 0);
        arena_free(d.arena);
    }
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        str written, meant;
    } cases[] = {
        {STR_INIT("''"), STR_INIT("")},
        {STR_INIT("\"\""), STR_INIT("")},
        {STR_INIT("'a\\n\"b#'"), STR_INIT("a\\n\"b#")},
        {STR_INIT("\"a'b#\""), STR_INIT("a'b#")},
        {STR_INIT("\"\\b\\t\\n\\f\\r\\\"\\\\\""), STR_INIT("\b\t\n\f\r\"\\")},
        {STR_INIT("\"\\\\\""), STR_INIT("\\")},
        {STR_INIT("\"\\u0041\\u00e4\\u20AC\\U0001F600\""),
         STR_INIT("A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")},
        {STR_INIT("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\U0010ffff\""),
         STR_INIT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf")},
        {STR_INIT("\"tab\there\""), STR_INIT("tab\there")},
        {STR_INIT("\"\xc3\xa4\""), STR_INIT("\xc3\xa4")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[100];
        (void)snprintf(text, sizeof(text), "k = %.*s\n", STR_ARG(cases[i].written));
        struct document d;
        assert_ok(parse(&d, str_from(text)));
        assert_str(d.entry[0].value.text, cases[i].meant);
        arena_free(d.arena);
    }
}

static void test_integers(void **state)
{
    (void)state;
    static const struct {
        const char *written;
        int64_t meant;
    } cases[] = {
        {"0", 0},
        {"+0", 0},
        {"-0", 0},
        {"+17", 17},
        {"1_2_3", 123},
        {"9223372036854775807", INT64_MAX},
        {"-9_223_372_036_854_775_808", INT64_MIN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[100];
        (void)snprintf(text, sizeof(text), "k=%s", cases[i].written);
        struct document d;
        assert_ok(parse(&d, str_from(text)));
        assert_int_equal(d.entry[0].value.kind, TOML_INTEGER);
        assert_int_equal(d.entry[0].value.integer, cases[i].meant);
        arena_free(d.arena);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        str text;
        const char *message;
    } cases[] = {
        {STR_INIT("a = 1\na = 2"), "f.toml:2: \"a\" is given twice"},
        {STR_INIT("[t]\na = 1\n[u]\n[t]"), "f.toml:4: the table \"t\" is given twice"},
        {STR_INIT("[t]\na = 1\n[u]\na = 1\n[t.v]\n[u.v]\n[t.v]"),
         "f.toml:7: the table \"t.v\" is given twice"},
        {STR_INIT("a.b = 1\n[a]\nb = 1"), "f.toml:3: \"a.b\" is given twice"},
        {STR_INIT("a = 1\na.b = 2"), "f.toml:2: \"a\" has a value above and cannot be a table"},
        {STR_INIT("a = 1\n[a]"), "f.toml:2: \"a\" has a value above and cannot be a table"},
        {STR_INIT("a.b = 1\na = 2"), "f.toml:2: \"a\" is a table above and cannot have a value"},
        {STR_INIT("[a.b]\n[a]\nb = 2"),
         "f.toml:3: \"a.b\" is a table above and cannot have a value"},
        {STR_INIT("\"a\" = 1"), "f.toml:1: quoted keys are not supported"},
        {STR_INIT("a.'b' = 1"), "f.toml:1: quoted keys are not supported"},
        {STR_INIT("= 1"), "f.toml:1: a key is missing (letters, digits, \"_\" and \"-\")"},
        {STR_INIT("a. = 1"), "f.toml:1: a key is missing (letters, digits, \"_\" and \"-\")"},
        {STR_INIT(".a = 1"), "f.toml:1: a key is missing (letters, digits, \"_\" and \"-\")"},
        {STR_INIT("[]"), "f.toml:1: a key is missing (letters, digits, \"_\" and \"-\")"},
        {STR_INIT("\xc3\xa4 = 1"), "f.toml:1: a key is missing (letters, digits, \"_\" and \"-\")"},
        {STR_INIT("a"), "f.toml:1: \"=\" is missing behind a key"},
        {STR_INIT("a b = 1"), "f.toml:1: \"=\" is missing behind a key"},
        {STR_INIT("a\n= 1"), "f.toml:1: \"=\" is missing behind a key"},
        {STR_INIT("[a"), "f.toml:1: \"]\" is missing behind a table's name"},
        {STR_INIT("[a b]"), "f.toml:1: \"]\" is missing behind a table's name"},
        {STR_INIT("[[a]]"), "f.toml:1: arrays of tables are not supported"},
        {STR_INIT("a = {b = 1}"), "f.toml:1: inline tables are not supported"},
        {STR_INIT("a = [[1]]"), "f.toml:1: arrays in arrays are not supported"},
        {STR_INIT("a = [true]"), "f.toml:1: an array holds strings or integers"},
        {STR_INIT("a = [1, 'b']"), "f.toml:1: an array holds strings or integers, not both"},
        {STR_INIT("a = [1,\n2\n3]"), "f.toml:3: \",\" or \"]\" is missing in an array"},
        {STR_INIT("a = [1,\n"), "f.toml:2: a value is missing"},
        {STR_INIT("a = [,]"), "f.toml:1: a value is missing"},
        {STR_INIT("a = [1,,2]"), "f.toml:1: a value is missing"},
        {STR_INIT("a ="), "f.toml:1: a value is missing"},
        {STR_INIT("a = # comment"), "f.toml:1: a value is missing"},
        {STR_INIT("a = 1 2"), "f.toml:1: the line does not end where it should"},
        {STR_INIT("a = 'x' y"), "f.toml:1: the line does not end where it should"},
        {STR_INIT("[a] b = 1"), "f.toml:1: the line does not end where it should"},
        {STR_INIT("a = 1\rb = 2"), "f.toml:1: the line does not end where it should"},
        {STR_INIT("a = 1 # \x01"), "f.toml:1: the line does not end where it should"},
        {STR_INIT("a = 'x\n'"), "f.toml:1: the string does not end on its line"},
        {STR_INIT("a = \"x"), "f.toml:1: the string does not end on its line"},
        {STR_INIT("a = \"x\\\""), "f.toml:1: the string does not end on its line"},
        {STR_INIT("a = \"x\\"), "f.toml:1: the string does not end on its line"},
        {STR_INIT("a = '\x7f'"), "f.toml:1: the string does not end on its line"},
        {STR_INIT("a = \"\0\""), "f.toml:1: the string does not end on its line"},
        {STR_INIT("a = '''x'''"), "f.toml:1: strings of several lines are not supported"},
        {STR_INIT("a = \"\"\"x\"\"\""), "f.toml:1: strings of several lines are not supported"},
        {STR_INIT("a = \"\\x\""), "f.toml:1: an unknown escape; a backslash itself is \"\\\\\""},
        {STR_INIT("a = \"\\u12\""), "f.toml:1: an escape ends early"},
        {STR_INIT("a = \"\\u12g4\""), "f.toml:1: \"12g4\" is not a number of hexadecimal digits"},
        {STR_INIT("a = \"\\u0000\""), "f.toml:1: U+0000 is not a character"},
        {STR_INIT("a = \"\\ud800\""), "f.toml:1: U+d800 is not a character"},
        {STR_INIT("a = \"\\U00110000\""), "f.toml:1: U+00110000 is not a character"},
        {STR_INIT("a = 1\n\nb = '\xff'"), "f.toml:3: the line is not UTF-8"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct document d;
        if (parse(&d, cases[i].text) != ERR_BAD_INPUT)
            fail_msg("accepted: %.*s", STR_ARG(cases[i].text));
        assert_string_equal(d.fail.detail, cases[i].message);
        assert_null(d.entry);
        arena_free(d.arena);
    }
}

static void test_what_is_no_integer(void **state)
{
    (void)state;
    static const char *const cases[] = {"debug",
                                        "True",
                                        "1.5",
                                        "1e3",
                                        "inf",
                                        "nan",
                                        "0x10",
                                        "0o7",
                                        "0b1",
                                        "01",
                                        "-01",
                                        "1_",
                                        "_1",
                                        "1__2",
                                        "+",
                                        "-",
                                        "+-1",
                                        "1979-05-27",
                                        "07:32:00",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "1_0000000000_0000000000_0000000000",
                                        "truex"};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[100], expected[200];
        (void)snprintf(text, sizeof(text), "k = %s\n", cases[i]);
        (void)snprintf(
            expected, sizeof(expected),
            "f.toml:1: \"%s\" is not an integer of 64 bits, true or false; a text needs quotes",
            cases[i]);
        struct document d;
        assert_err(parse(&d, str_from(text)), ERR_BAD_INPUT);
        assert_string_equal(d.fail.detail, expected);
        arena_free(d.arena);
    }
}

static void test_length_of_keys(void **state)
{
    (void)state;
    for (int len = 250; len <= 262; len++) {
        char text[600];
        (void)snprintf(text, sizeof(text), "[t]\n%0*d.%0*d = 1", len - 12, 0, 9, 0); /* t.000.000 */
        struct document d;
        assert_err(parse(&d, str_from(text)), len <= 256 ? OK : ERR_BAD_INPUT);
        if (len <= 256)
            assert_int_equal(d.entry[0].key.len, len);
        else
            assert_string_equal(d.fail.detail, "f.toml:2: a key is longer than 256 bytes");
        arena_free(d.arena);
    }
}

static void test_many_entries(void **state)
{
    (void)state;
    struct arena *arena = arena_new(10 << 20);
    BUF_SCOPED struct buf text;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "k%d = [%d, %d]\n", i, i, -i);
    struct toml_entry *entry;
    size_t count;
    assert_ok(toml_parse(arena, STR("f"), buf_str(&text), &entry, &count, NULL));
    assert_int_equal(count, 5000);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(entry[i].value.item[1].integer, -i);
    arena_free(arena);
}

static void test_limits(void **state)
{
    (void)state;
    static char large[TOML_BYTES_MAX + 1];
    memset(large, '\n', sizeof(large));
    struct document d;
    assert_ok(parse(&d, str_of(large, TOML_BYTES_MAX)));
    arena_free(d.arena);
    assert_err(parse(&d, str_of(large, TOML_BYTES_MAX + 1)), ERR_TOO_LARGE);
    assert_string_equal(d.fail.detail, "f.toml:1: the document is larger than is allowed");
    arena_free(d.arena);

    size_t accepted = 0;
    for (size_t cap = 0; cap < 2500; cap += 7) {
        struct arena *arena = arena_new(cap);
        struct toml_entry *entry;
        size_t count;
        enum err err = toml_parse(arena, STR("f"), STR("[t]\na = \"x\"\nb = 'y'\nc = [1, 2]"),
                                  &entry, &count, NULL);
        assert_true(arena_used(arena) <= cap);
        assert_err(err, accepted || err == OK ? OK : ERR_TOO_LARGE);
        accepted += err == OK;
        arena_free(arena);
    }
    assert_true(accepted > 0 && accepted < 2500 / 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),       cmocka_unit_test(test_empty_documents),
        cmocka_unit_test(test_strings),        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_what_is_no_integer),
        cmocka_unit_test(test_length_of_keys), cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
