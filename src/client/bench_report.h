/* bench_report: a phase's figures, for people and for programs. Pure. */
#pragma once

#include "base/arena.h"
#include "client/bench_stats.h"

/* A few aligned lines: what was done, a row per operation, failures by status and cause, and what the client itself cost.
 * In the arena. */
str bench_report_text(struct arena *arena, const struct bench_options *options,
                      const struct bench_stats *stats);

/* The same as one JSON object and a line end. Times are whole microseconds or, with _ns in the name, nanoseconds. In the
 * arena. */
str bench_report_json(struct arena *arena, const struct bench_options *options,
                      const struct bench_stats *stats);
