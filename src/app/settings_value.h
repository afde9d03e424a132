/* settings_value: text into the member of a setting, and back.
 *
 * A value comes as pieces: one for most kinds, any number for lists. The pieces of a file's array are its strings; a
 * flag or a variable is split at commas. Messages quote what was written, except for secrets, and name what is allowed. */
#pragma once

#include "app/settings.h"

struct setting_pieces {
    const str *piece;
    size_t count;
};

/* The pieces of a text: split at commas and trimmed for lists (an empty text is an empty list), else the text itself. */
struct setting_pieces setting_split(const struct setting *row, str text, struct arena *arena);

/* Sets the row's member of *out; copies what it keeps into the arena. ERR_BAD_ARGUMENT with the message in
 * fail->detail and the row's name in fail->field; the member is untouched then. */
enum err setting_parse(const struct setting *row, struct setting_pieces pieces, struct arena *arena,
                       struct settings *out, struct fail *fail);

/* The member as text that setting_split and setting_parse would take: 64KiB, 30s, local, [::1]:9000. Secrets too. */
str setting_format(const struct setting *row, const struct settings *settings, struct arena *arena);

/* A number in the largest unit that leaves no remainder: 65536 is 64KiB, 90000 is 90s. For BYTES and DURATION; other
 * kinds get plain digits. */
str setting_format_number(enum setting_kind kind, uint64_t number, struct arena *arena);

/* "a, b and c": what an ENUM row allows. */
str setting_choices(const struct setting *row, struct arena *arena);

/* Whether both have the same value for that row. */
bool setting_is_equal(const struct setting *row, const struct settings *a, const struct settings *b,
                      struct arena *arena);

static inline bool setting_is_list(const struct setting *row)
{
    return row->kind == SETTING_ADDRESSES || row->kind == SETTING_HOSTS;
}
