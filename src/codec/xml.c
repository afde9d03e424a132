/* The reader builds the tree from expat's events. A document type declaration ends it at once, so no entity can be declared;
 * namespaces are resolved by expat and then dropped, for clients send S3's documents with and without one. */
#include "codec/xml.h"

#include <assert.h>
#include <expat.h>
#include <string.h>

#include "base/clock.h"

enum { DEPTH_MAX = 16, NODES_MAX = 50000 };

/* Writer. */

void xml_begin(struct xml_writer *w, struct buf *out)
{
    *w = (struct xml_writer){.out = out};
    buf_append(out, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
}

static void append_tag(struct buf *out, str before, const char *name)
{
    buf_append(out, before);
    buf_append(out, str_from(name));
    buf_append_char(out, '>');
}

void xml_open(struct xml_writer *w, const char *name)
{
    assert(w->depth < sizeof(w->open) / sizeof(w->open[0]));
    w->open[w->depth++] = name;
    append_tag(w->out, STR("<"), name);
}

void xml_open_with(struct xml_writer *w, const char *name, const char *attributes)
{
    assert(w->depth < sizeof(w->open) / sizeof(w->open[0]));
    w->open[w->depth++] = name;
    buf_append_char(w->out, '<');
    buf_append(w->out, str_from(name));
    append_tag(w->out, STR(" "), attributes);
}

void xml_close(struct xml_writer *w)
{
    assert(w->depth > 0);
    append_tag(w->out, STR("</"), w->open[--w->depth]);
}

void xml_text(struct xml_writer *w, const char *name, str value)
{
    append_tag(w->out, STR("<"), name);
    xml_escape(w->out, value);
    append_tag(w->out, STR("</"), name);
}

void xml_u64(struct xml_writer *w, const char *name, uint64_t value)
{
    append_tag(w->out, STR("<"), name);
    buf_append_u64(w->out, value);
    append_tag(w->out, STR("</"), name);
}

void xml_bool(struct xml_writer *w, const char *name, bool value)
{
    xml_text(w, name, value ? STR("true") : STR("false"));
}

void xml_time(struct xml_writer *w, const char *name, int64_t real_ms)
{
    char text[CLOCK_TEXT_MAX];
    xml_text(w, name, clock_format_iso(real_ms, text));
}

/* What stands for the character of that length that text begins with; null: itself. */
static const char *replacement(str text, size_t len)
{
    static const char forbidden[] = "\xef\xbf\xbd";
    if (len == 0)
        return forbidden;
    if (len == 3 &&
        (memcmp(text.ptr, "\xef\xbf\xbe", 3) == 0 || memcmp(text.ptr, "\xef\xbf\xbf", 3) == 0))
        return forbidden;
    switch (text.ptr[0]) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\t':
        return "&#9;";
    case '\n':
        return "&#10;";
    case '\r':
        return "&#13;";
    default:
        return (unsigned char)text.ptr[0] < 0x20 ? forbidden : NULL;
    }
}

static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '&' && c != '<' && c != '>' && c != '"';
}

static bool is_control(char c)
{
    return c > 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r';
}

/* By hand: a listing may be full of them. */
static void escape_control(struct buf *out, char c)
{
    static const char digit[] = "0123456789abcdef";
    const char low = digit[c & 15];
    const char two[] = {'&', '#', 'x', '1', low, ';'}, one[] = {'&', '#', 'x', low, ';'};
    buf_append(out, c < 16 ? str_of(one, sizeof(one)) : str_of(two, sizeof(two)));
}

void xml_escape(struct buf *out, str value)
{
    while (value.len) {
        size_t plain = 0;
        while (plain < value.len && is_plain(value.ptr[plain]))
            plain++;
        buf_append(out, str_slice(value, 0, plain));
        value = str_skip(value, plain);
        if (value.len == 0)
            return;
        size_t len = str_utf8_len(value);
        if (is_control(value.ptr[0])) {
            escape_control(out, value.ptr[0]);
        } else {
            const char *other = replacement(value, len);
            buf_append(out, other ? str_from(other) : str_slice(value, 0, len));
        }
        value = str_skip(value, len ? len : 1);
    }
}

/* Reader. */

/* An open element. Its text comes in pieces, between which children stand. */
struct level {
    struct xml_node *node;
    struct xml_node *last_child;
    struct buf text;
};

struct reading {
    XML_Parser parser;
    struct arena *arena;
    struct xml_node *root;
    struct level level[DEPTH_MAX];
    size_t depth, node_count;
    bool refused;
};

static void refuse(struct reading *r)
{
    r->refused = true;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

/* A copy in the arena; when the cap forbids it the document is refused. */
static str keep(struct reading *r, str s)
{
    str copy = {"", 0};
    if (s.len && arena_try_str(r->arena, s, &copy) != OK)
        refuse(r);
    return copy;
}

static const XML_Char namespace_end = '\n';

static str local_name(const XML_Char *name)
{
    const XML_Char *end = strrchr(name, namespace_end);
    return str_from(end ? end + 1 : name);
}

/* attribute: names and values by turns, ended by null. */
static void keep_attributes(struct reading *r, struct xml_node *node, const XML_Char **attribute)
{
    size_t count = 0;
    while (attribute[2 * count])
        count++;
    if (count == 0)
        return;
    struct pair *pair = arena_try_alloc(r->arena, count * sizeof(*pair));
    if (!pair) {
        refuse(r);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        pair[i].name = keep(r, local_name(attribute[2 * i]));
        pair[i].value = keep(r, str_from(attribute[2 * i + 1]));
    }
    node->attribute = pair;
    node->attribute_count = count;
}

static struct xml_node *keep_node(struct reading *r, const XML_Char *name,
                                  const XML_Char **attribute)
{
    struct xml_node *node = arena_try_alloc(r->arena, sizeof(*node));
    if (!node)
        return NULL;
    *node = (struct xml_node){.name = keep(r, local_name(name)), .text = {"", 0}};
    keep_attributes(r, node, attribute);
    return node;
}

static void append_child(struct level *parent, struct xml_node *node)
{
    if (parent->last_child)
        parent->last_child->next = node;
    else
        parent->node->child = node;
    parent->last_child = node;
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attribute)
{
    struct reading *r = ctx;
    struct xml_node *node = NULL;
    if (r->depth < DEPTH_MAX && r->node_count < NODES_MAX)
        node = keep_node(r, name, attribute);
    if (!node) {
        refuse(r);
        return;
    }
    r->node_count++;
    if (r->depth)
        append_child(&r->level[r->depth - 1], node);
    else
        r->root = node;
    struct level *level = &r->level[r->depth++];
    level->node = node;
    level->last_child = NULL;
    buf_clear(&level->text);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    struct reading *r = ctx;
    (void)name;
    /* A refused element was not entered, and expat may still tell its end. */
    if (r->refused)
        return;
    struct level *level = &r->level[--r->depth];
    if (buf_err(&level->text) != OK)
        refuse(r);
    level->node->text = keep(r, buf_str(&level->text));
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int len)
{
    struct reading *r = ctx;
    if (!r->refused)
        buf_append(&r->level[r->depth - 1].text, str_of(text, (size_t)len));
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_internal_subset;
    refuse(ctx);
}

static enum err read_document(struct reading *r, str document)
{
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    enum XML_Status status = XML_Parse(r->parser, document.ptr, (int)document.len, XML_TRUE);
    return status == XML_STATUS_OK && !r->refused ? OK : ERR_BAD_XML;
}

enum err xml_parse(struct arena *arena, str document, struct xml_node **out_root)
{
    /* expat takes the length as an int; half of that is beyond every limit on bodies. */
    if (document.len > INT32_MAX / 2)
        return ERR_BAD_XML;
    struct reading r = {.arena = arena, .parser = XML_ParserCreateNS(NULL, namespace_end)};
    if (!r.parser)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < DEPTH_MAX; i++)
        buf_init(&r.level[i].text, SIZE_MAX);
    enum err err = read_document(&r, document);
    for (size_t i = 0; i < DEPTH_MAX; i++)
        buf_release(&r.level[i].text);
    XML_ParserFree(r.parser);
    if (err == OK)
        *out_root = r.root;
    return err;
}

/* The first of the siblings that has the name. */
static const struct xml_node *find_sibling(const struct xml_node *node, str name)
{
    while (node && !str_eq(node->name, name))
        node = node->next;
    return node;
}

const struct xml_node *xml_child(const struct xml_node *node, const char *name)
{
    return node ? find_sibling(node->child, str_from(name)) : NULL;
}

const struct xml_node *xml_next_same(const struct xml_node *node)
{
    return find_sibling(node->next, node->name);
}

size_t xml_count(const struct xml_node *node, const char *name)
{
    size_t count = 0;
    for (const struct xml_node *child = xml_child(node, name); child; child = xml_next_same(child))
        count++;
    return count;
}

str xml_child_text(const struct xml_node *node, const char *name)
{
    const struct xml_node *child = xml_child(node, name);
    return child ? child->text : (str){0};
}
