/* The engine that a test runs on, by the list of the conformance suite (tests/engine/engines.c), so that an engine that is
 * added there is one that these tests can name. Behind functions of its own because that suite's header has assertions of
 * the same names as unit.h. */
#pragma once

#include <stdbool.h>

struct engine;
struct subject;

bool subject_choose(const char *name); /* false when there is none of that name */
const char *subject_name(void);
bool subject_is_durable(void); /* subject_reopen keeps what was committed */

struct subject *subject_open(void);
void subject_reopen(struct subject *subject);
void subject_close(struct subject *subject);
struct engine *subject_engine(struct subject *subject);
/* Changes a byte of a stored extent. */
void subject_damage_extent(struct subject *subject, unsigned long long id,
                           unsigned long long offset);
