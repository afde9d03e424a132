/* bench: `pail bench`, a load generator against any S3 endpoint. `pail bench --help` is its manual; how its parts work
 * together is in README.md. */
#pragma once

#include <stddef.h>

/* `word` is what follows `pail bench`. Prints the report to standard output, everything else to standard error. Returns the
 * exit code: 0 when every request succeeded, 1 when one failed or the service could not be reached, 2 for wrong options.
 * Ignores SIGPIPE in the process. */
int bench_run(const char *const *word, size_t count);

/* The manual, to standard output. */
void bench_print_help(void);
