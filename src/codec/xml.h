/* XML: a streaming writer with one escape function, and a small tree reader over expat with DTDs and entities off.
 *
 * Reader limits protect against hostile documents: depth, number of nodes, bytes of text; all memory is the arena's. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/pair.h"

/* Writer. Elements nest; xml_close writes the end tag of the innermost one. Names are literals of this program. */
struct xml_writer {
    struct buf *out; /* borrows */
    const char *open[16];
    unsigned depth;
};
/* Writes <?xml version="1.0" encoding="UTF-8"?> and a newline. */
void xml_begin(struct xml_writer *w, struct buf *out);
void xml_open(struct xml_writer *w, const char *name);
/* attributes: literal text, xmlns="..." */
void xml_open_with(struct xml_writer *w, const char *name, const char *attributes);
void xml_close(struct xml_writer *w);
void xml_text(struct xml_writer *w, const char *name, str value); /* <name>escaped</name> */
void xml_u64(struct xml_writer *w, const char *name, uint64_t value);
void xml_bool(struct xml_writer *w, const char *name, bool value);
void xml_time(struct xml_writer *w, const char *name, int64_t real_ms);
/* Escapes & < > " and \t \n \r. Other control characters are written as references (&#x1;), which
 * XML 1.0 does not allow and S3 does: a client that reads them strictly fails, and none is told
 * another name than the one that is there. What is not UTF-8, and NUL, becomes U+FFFD. */
void xml_escape(struct buf *out, str value);

/* Reader. */
struct xml_node {
    str name;               /* local name, without namespace prefix */
    str text;               /* the element's own character data, joined */
    struct pair *attribute; /* local names */
    size_t attribute_count;
    struct xml_node *child; /* first child */
    struct xml_node *next;  /* next sibling */
};
/* ERR_BAD_XML for anything that is not well-formed or passes a limit. *out_root lives in the arena. */
enum err xml_parse(struct arena *arena, str document, struct xml_node **out_root);
/* First child of that name, or null (node may be null). */
const struct xml_node *xml_child(const struct xml_node *node, const char *name);
/* Next sibling of the same name, or null. */
const struct xml_node *xml_next_same(const struct xml_node *node);
size_t xml_count(const struct xml_node *node, const char *name);
/* Text of that child, or the empty str. */
str xml_child_text(const struct xml_node *node, const char *name);
