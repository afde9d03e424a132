/* flags: what follows a command: flags in any order and the words between them, by a table. */
#pragma once

#include "base/arena.h"
#include "base/fail.h"

struct flag {
    const char *name;     /* "display-name"; ends the table when null */
    const char *argument; /* how the help calls its value: "TEXT"; null: the flag stands alone */
    const char *help;
    size_t
        offset; /* of its member in the command's struct: a str, or a bool for one that stands alone */
};

struct flag_words {
    const char **word;
    size_t count;
};

/* Where flags are put. */
struct flag_target {
    const struct flag *table;
    void *base; /* the command's struct, zeroed: what is not given stays so */
};

/* Reads --name VALUE, --name=VALUE and --name; everything behind a "--" is a word. Words are in the arena, values are borrowed.
 * ERR_BAD_ARGUMENT with a sentence for an unknown flag (and what may have been meant), a missing value or one too many. */
enum err flags_parse(const struct flag_target *target, const char *const *argument, size_t count,
                     struct arena *arena, struct flag_words *out_words, struct fail *fail);

/* The table as lines of a help text, to standard output. */
void flags_print(const struct flag *table);
