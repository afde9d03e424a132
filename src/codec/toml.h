/* TOML, the part of it that a settings file needs: `key = value` at the top and below [table] headers, dotted keys, strings
 * of one line, integers, booleans, arrays of strings or of integers, comments. What is left out of TOML 1.0 (quoted keys,
 * multi-line strings, floats, dates, inline tables, arrays of tables) is an error that says so, never a guess. One thing
 * is read that TOML refuses: a table that dotted keys made may still get its header. */
#pragma once

#include "base/arena.h"
#include "base/fail.h"

enum toml_kind { TOML_TEXT, TOML_INTEGER, TOML_BOOL, TOML_ARRAY };

struct toml_value {
    enum toml_kind kind;
    bool boolean;
    int64_t integer;
    str text;
    struct toml_value *item; /* all of one kind, TOML_TEXT or TOML_INTEGER */
    size_t item_count;
};

struct toml_entry {
    str key; /* with its tables: "a.b.c" */
    struct toml_value value;
    unsigned line; /* from 1 */
};

/* Reads a document into entries, in its order. ERR_BAD_INPUT with "name:line: what is wrong" in fail (name is what people
 * know the document by, such as its path); ERR_TOO_LARGE when the arena's cap or TOML_BYTES_MAX does not allow it. A key
 * given twice, and a key that is a table as well, are errors. */
enum { TOML_BYTES_MAX = 1 << 20 };
enum err toml_parse(struct arena *arena, str name, str document, struct toml_entry **out_entry,
                    size_t *out_count, struct fail *fail);
