/* damage: what clients lose by damage that an engine's check has found, told in their words, and what of it can be mended.
 *
 * The check collects what is damaged here (extents, and rows that the engine can only half read); afterwards one pass over the catalogue finds
 * the objects, versions and parts that need it. Memory is bounded: DAMAGE_MAX things are remembered, the rest is counted. One
 * thread at a time. */
#pragma once

#include "store/engine.h"

enum { DAMAGE_MAX = 100000 };

struct damage;
struct damage *damage_new(void);
void damage_free(struct damage *damage); /* null is allowed */

void damage_add_extent(struct damage *damage, uint64_t extent_id);
/* row_key: as row_key_encode makes it; copied. */
void damage_add_row(struct damage *damage, str row_key);
bool damage_is_empty(const struct damage *damage);
/* What could not be remembered. */
uint64_t damage_forgotten_count(const struct damage *damage);

/* Something that a client has stored and that cannot be read whole. Texts are valid during the call. */
struct damage_hit {
    const char *what; /* "the object", "an old version", "a part of an unfinished upload" */
    str bucket, key;
    str version_id; /* "null" for the null version; empty for an upload */
    str upload_id;
    uint64_t part_number; /* 0: none */
};
struct damage_search {
    void (*hit)(void *context, const struct damage_hit *hit);
    void *context;
    const bool *stop; /* null: never */
};
/* Goes through the whole catalogue. ERR_CANCELLED; ERR_CORRUPT where the catalogue itself cannot be read to its end. Worker. */
enum err damage_name(struct damage *damage, struct engine *engine,
                     const struct damage_search *search);

/* Writes each row that was added anew, as the catalogue still knows it, so that the engine has it whole again. Rows whose body is
 * gone cannot be, and stay as they are: reading them is an error, until they are deleted or put again. Worker. */
enum err damage_mend_rows(struct damage *damage, struct engine *engine, uint64_t *out_mended,
                          uint64_t *out_left);
