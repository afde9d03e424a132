/* settings_text: the settings for people: the help text, the current values, the manual page. All three come from the
 * rows, so they cannot disagree with the program. */
#pragma once

#include "app/settings_load.h"
#include "base/buf.h"

/* `pail serve --help`: every setting under its heading, with its default and what is allowed. Plain text, at most 100
 * columns. */
void settings_write_help(struct buf *out);

/* `pail config show`: each value and where it comes from; secrets are stars; then the warnings. One JSON
 * object with as_json. */
void settings_write_values(const struct settings_loaded *loaded, bool as_json, struct buf *out);

/* docs/settings.md. */
void settings_write_manual(struct buf *out);
