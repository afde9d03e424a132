/* Aim: what the writer writes the reader reads back; hostile and broken documents are refused;
 * each limit holds at its edge. */
#include "codec/xml.h"

#include "../unit.h"

static void test_writer(void **state)
{
    (void)state;
    BUF_SCOPED struct buf out;
    buf_init(&out, 1000);
    struct xml_writer w;
    xml_begin(&w, &out);
    xml_open_with(&w, "List", "xmlns=\"urn:x\"");
    xml_open(&w, "Entry");
    xml_text(&w, "Key", STR("a<b>&\"c'"));
    xml_text(&w, "None", (str){0});
    xml_u64(&w, "Size", UINT64_MAX);
    xml_bool(&w, "Last", false);
    xml_time(&w, "Date", 0);
    xml_close(&w);
    xml_close(&w);
    assert_str(buf_str(&out), STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                  "<List xmlns=\"urn:x\"><Entry>"
                                  "<Key>a&lt;b&gt;&amp;&quot;c'</Key><None></None>"
                                  "<Size>18446744073709551615</Size><Last>false</Last>"
                                  "<Date>1970-01-01T00:00:00.000Z</Date></Entry></List>"));
}

static void test_escape(void **state)
{
    (void)state;
    static const struct {
        str text, escaped;
    } cases[] = {
        {STR_INIT("\r\n\t"), STR_INIT("&#13;&#10;&#9;")},
        {STR_INIT("a\0b\x01\x1f"), STR_INIT("a\xef\xbf\xbd"
                                            "b&#x1;&#x1f;")},
        {STR_INIT("\x0b\x0f\x10"), STR_INIT("&#xb;&#xf;&#x10;")},
        {STR_INIT("\x7f\xc2\x80"), STR_INIT("\x7f\xc2\x80")},
        {STR_INIT("\xef\xbf\xbe\xef\xbf\xbf"), STR_INIT("\xef\xbf\xbd\xef\xbf\xbd")},
        {STR_INIT("\xff\xc3"), STR_INIT("\xef\xbf\xbd\xef\xbf\xbd")},
        {STR_INIT("\xc3\xa4\xf0\x9f\x98\x80"), STR_INIT("\xc3\xa4\xf0\x9f\x98\x80")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        BUF_SCOPED struct buf out;
        buf_init(&out, 1000);
        xml_escape(&out, cases[i].text);
        assert_str(buf_str(&out), cases[i].escaped);
    }
}

/* Any bytes but control characters (which S3 writes as references that XML 1.0 does not know)
 * become a document that can be read, and what XML can carry comes back as it was. */
static void test_escape_round_trip(void **state)
{
    (void)state;
    struct unit_random random = {13};
    struct arena *arena = arena_new(SIZE_MAX);
    for (int round = 0; round < 2000; round++) {
        char bytes[40];
        size_t len = unit_random_below(&random, sizeof(bytes));
        unit_random_fill(&random, bytes, len);
        bool carried = round % 2;
        for (size_t i = 0; carried && i < len; i++)
            bytes[i] = "\t\n\r <>&\"'az]"[unit_random_below(&random, 12)];
        for (size_t i = 0; !carried && i < len; i++)
            if (bytes[i] > 0 && bytes[i] < ' ')
                bytes[i] = 0;
        BUF_SCOPED struct buf out;
        buf_init(&out, 10000);
        struct xml_writer w;
        xml_begin(&w, &out);
        xml_text(&w, "a", str_of(bytes, len));
        struct xml_node *root;
        assert_ok(xml_parse(arena, buf_str(&out), &root));
        assert_true(str_is_utf8(root->text));
        if (carried)
            assert_true(str_eq(root->text, str_of(bytes, len)));
        arena_reset(arena);
    }
    arena_free(arena);
}

static void test_reader(void **state)
{
    (void)state;
    struct arena *arena = arena_new(10000);
    struct xml_node *root;
    assert_ok(
        xml_parse(arena,
                  STR("<?xml version='1.0'?><!-- c --><?pi?>\n"
                      "<d:Delete xmlns:d='urn:d' xmlns='urn:o'>\n"
                      "<Quiet>true</Quiet>"
                      "<d:Object id='7' d:kind='&lt;x&gt;'><Key>a&amp;<!-- c -->b&#x20ac;</Key>"
                      "</d:Object><Object><Key><![CDATA[<k>]]></Key></Object><Object/>tail"
                      "</d:Delete>\n"),
                  &root));
    assert_str(root->name, STR("Delete"));
    assert_str(root->text, STR("\ntail"));
    assert_int_equal(root->attribute_count, 0);
    assert_null(root->next);
    assert_str(xml_child_text(root, "Quiet"), STR("true"));
    assert_str(xml_child_text(root, "Absent"), STR(""));
    assert_str(xml_child_text(NULL, "Absent"), STR(""));
    assert_null(xml_child(root, "absent"));
    assert_null(xml_child(NULL, "Object"));
    assert_int_equal(xml_count(root, "Object"), 3);
    assert_int_equal(xml_count(root, "Absent"), 0);

    const struct xml_node *object = xml_child(root, "Object");
    assert_str(xml_child_text(object, "Key"), STR("a&b\xe2\x82\xac"));
    assert_int_equal(object->attribute_count, 2);
    assert_str(pair_find(object->attribute, 2, STR("id"))->value, STR("7"));
    assert_str(pair_find(object->attribute, 2, STR("kind"))->value, STR("<x>"));
    object = xml_next_same(object);
    assert_str(xml_child_text(object, "Key"), STR("<k>"));
    object = xml_next_same(object);
    assert_null(object->child);
    assert_str(object->text, STR(""));
    assert_null(xml_next_same(object));
    arena_free(arena);
}

static void test_refused(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT(""),
        STR_INIT(" "),
        STR_INIT("text"),
        STR_INIT("<a>"),
        STR_INIT("<a></b>"),
        STR_INIT("<a/><b/>"),
        STR_INIT("<a/>x"),
        STR_INIT("<a b=1/>"),
        STR_INIT("<a b='1' b='2'/>"),
        STR_INIT("<a>&lt</a>"),
        STR_INIT("<a>&unknown;</a>"),
        STR_INIT("<a>&#0;</a>"),
        STR_INIT("<a>\x01</a>"),
        STR_INIT("<a>\xff</a>"),
        STR_INIT("<a>\0</a>"),
        STR_INIT("<n:a/>"), /* a prefix that is not declared */
        STR_INIT("<!DOCTYPE a><a/>"),
        STR_INIT("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"),
        STR_INIT("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"),
        STR_INIT("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>"),
        STR_INIT("<?xml version='1.0' encoding='EBCDIC'?><a/>"),
    };
    struct arena *arena = arena_new(10000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct xml_node *root = NULL;
        if (xml_parse(arena, cases[i], &root) != ERR_BAD_XML)
            fail_msg("accepted: %.*s", STR_ARG(cases[i]));
        assert_null(root);
    }
    arena_free(arena);
}

/* Documents in other encodings come out as UTF-8. */
static void test_encodings(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT("<a>\xc3\xa4</a>"),
        STR_INIT("\xef\xbb\xbf<a>\xc3\xa4</a>"),
        STR_INIT("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe4</a>"),
        STR_INIT("\xff\xfe<\0a\0>\0\xe4\0<\0/\0a\0>\0"),
    };
    struct arena *arena = arena_new(10000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct xml_node *root;
        assert_ok(xml_parse(arena, cases[i], &root));
        assert_str(root->text, STR("\xc3\xa4"));
    }
    arena_free(arena);
}

static void repeat(struct buf *out, str text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_append(out, text);
}

static enum err parse_nested(size_t depth, str innermost)
{
    struct arena *arena = arena_new(SIZE_MAX);
    BUF_SCOPED struct buf out;
    buf_init(&out, 10000);
    repeat(&out, STR("<a>"), depth);
    buf_append(&out, innermost);
    repeat(&out, STR("</a>"), depth);
    struct xml_node *root;
    enum err err = xml_parse(arena, buf_str(&out), &root);
    arena_free(arena);
    return err;
}

static void test_depth(void **state)
{
    (void)state;
    assert_ok(parse_nested(16, STR("x")));
    assert_err(parse_nested(17, STR("x")), ERR_BAD_XML);
    assert_err(parse_nested(1000, STR("x")), ERR_BAD_XML);
    /* Empty elements: expat tells their end although the parsing was stopped at their start. */
    assert_ok(parse_nested(15, STR("<b/>")));
    assert_err(parse_nested(16, STR("<b/>")), ERR_BAD_XML);
}

static void test_number_of_nodes(void **state)
{
    (void)state;
    for (size_t nodes = 50000; nodes <= 50001; nodes++) {
        struct arena *arena = arena_new(SIZE_MAX);
        BUF_SCOPED struct buf out;
        buf_init(&out, 1000000);
        buf_append(&out, STR("<a>"));
        repeat(&out, STR("<b/>"), nodes - 1);
        buf_append(&out, STR("</a>"));
        struct xml_node *root;
        assert_err(xml_parse(arena, buf_str(&out), &root), nodes > 50000 ? ERR_BAD_XML : OK);
        if (nodes == 50000)
            assert_int_equal(xml_count(root, "b"), 49999);
        arena_free(arena);
    }
}

/* Whatever the cap is, the reader answers, and within the cap. */
static void test_cap_of_the_arena(void **state)
{
    (void)state;
    static const str document =
        STR_INIT("<a x='1' y='2'>one<b>two</b>three<c z='long value'/></a>");
    size_t accepted = 0;
    for (size_t cap = 0; cap < 1000; cap++) {
        struct arena *arena = arena_new(cap);
        struct xml_node *root;
        enum err err = xml_parse(arena, document, &root);
        assert_true(arena_used(arena) <= cap);
        if (err == OK) {
            assert_str(root->text, STR("onethree"));
            accepted++;
        } else {
            assert_err(err, ERR_BAD_XML);
            assert_int_equal(accepted, 0); /* a larger cap never refuses what a smaller one took */
        }
        arena_free(arena);
    }
    assert_true(accepted > 0 && accepted < 1000);

    /* An empty root that is refused: expat tells its end all the same. */
    struct arena *none = arena_new(0);
    struct xml_node *root;
    assert_err(xml_parse(none, STR("<a/>"), &root), ERR_BAD_XML);
    arena_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_escape_round_trip),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_number_of_nodes),
        cmocka_unit_test(test_cap_of_the_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
