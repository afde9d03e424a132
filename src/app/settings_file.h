/* settings_file: the settings file. TOML; a key is a setting's name, and a table is a common prefix of names:
 * `log_level = "debug"`, and `level = "debug"` in the table [log], are the same setting. */
#pragma once

#include "app/settings_value.h"

struct settings_file_entry {
    const struct setting *row;
    struct setting_pieces pieces;
    uint64_t line;
};

/* Reads the file and finds the row of each key. At most SETTINGS_COUNT entries, one a row. ERR_BAD_ARGUMENT for syntax, an
 * unknown or repeated setting, or a value of the wrong type, with "path:line: ..." in fail->detail; ERR_NOT_FOUND,
 * ERR_IO and the like when the file cannot be read. *out_exposed tells that the file holds a secret and that others
 * than its owner and group may read it. */
enum err settings_read_file(str path, struct arena *arena, struct settings_file_entry **out_entry,
                            size_t *out_count, bool *out_exposed, struct fail *fail);
