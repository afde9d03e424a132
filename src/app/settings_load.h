/* settings_load: gathers the settings from their sources and says which won.
 *
 * Precedence: the settings file, then flags, then the environment, then the default. The file stands first because it is
 * what people review and keep; a flag or variable that says otherwise is not silently dropped but warned about by name.
 * Every value of every source is checked, also those that lose; the first bad or unknown one stops the start.
 *
 * Nothing here logs or prints: warnings are returned as text, the failure is in struct fail. */
#pragma once

#include "app/settings.h"

enum settings_source {
    SETTINGS_FROM_DEFAULT,
    SETTINGS_FROM_ENVIRONMENT,
    SETTINGS_FROM_FLAG,
    SETTINGS_FROM_FILE,
    SETTINGS_SOURCES,
};

struct settings_origin {
    enum settings_source source;
    str where; /* "default", "PAIL_DATA_DIR", "--data-dir", "pail.toml:12" */
};

struct settings_loaded {
    struct settings values;
    struct settings_origin origin[SETTINGS_COUNT];
    const str *warning; /* whole sentences */
    size_t warning_count;
};

struct settings_input {
    const char *const *argument; /* what follows the command: --data-dir X, --data-dir=X */
    size_t argument_count;
    const char *const *environment; /* NAME=value, ends with null; as environ */
};

/* Reads everything and checks the whole with settings_check. Whatever *out points to belongs to the arena.
 * ERR_BAD_ARGUMENT for a bad or unknown setting, ERR_NOT_FOUND or ERR_IO for a settings file that cannot be read; the
 * place, the value and what is allowed are in fail->detail. */
enum err settings_load(const struct settings_input *input, struct arena *arena,
                       struct settings_loaded *out, struct fail *fail);

/* For SIGHUP: takes over from `fresh` the rows that may change while the server runs. Returns a sentence for each row
 * that has changed and needs a restart, in the arena, with their count in *out_count. What *current takes over still
 * belongs to fresh's arena, which must live as long. */
const str *settings_take_reloadable(struct settings_loaded *current,
                                    const struct settings_loaded *fresh, struct arena *arena,
                                    size_t *out_count);
