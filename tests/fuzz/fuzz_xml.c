/* Any bytes to the XML reader. What is accepted, written again and read again gives the same tree. */
#include "fuzz.h"

#include "codec/xml.h"

static void write_node(struct xml_writer *w, const struct xml_node *node, char name[])
{
    /* Names in other alphabets are the reader's matter; the writer's are literals. */
    xml_open(w, name);
    xml_text(w, "text", node->text);
    for (const struct xml_node *child = node->child; child; child = child->next)
        write_node(w, child, name);
    xml_close(w);
}

static void compare(const struct xml_node *node, const struct xml_node *again)
{
    const struct xml_node *copy = again->child;
    FUZZ_CHECK(str_eq(copy->text, node->text));
    copy = copy->next;
    for (const struct xml_node *child = node->child; child; child = child->next) {
        compare(child, copy);
        copy = copy->next;
    }
    FUZZ_CHECK(!copy);
}

static size_t depth_of(const struct xml_node *node)
{
    size_t deepest = 0;
    for (const struct xml_node *child = node->child; child; child = child->next) {
        size_t depth = depth_of(child);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static void check_written_again(struct arena *arena, const struct xml_node *root)
{
    char name[] = "node";
    BUF_SCOPED struct buf out;
    buf_init(&out, SIZE_MAX);
    struct xml_writer w;
    xml_begin(&w, &out);
    write_node(&w, root, name);
    struct xml_node *again;
    FUZZ_CHECK(xml_parse(arena, buf_str(&out), &again) == OK);
    compare(root, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(16 << 20);
    struct xml_node *root;
    /* The text elements lie one level deeper, and 16 are allowed. */
    if (xml_parse(arena, fuzz_input(data, size), &root) == OK && depth_of(root) < 16)
        check_written_again(arena, root);
    arena_free(arena);
    return 0;
}
