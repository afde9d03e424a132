/* arena: memory that lives as long as one request (or one job). Bump allocation from chunks, a cap on the total, and a
 * list of cleanups that runs in reverse order at reset. Nothing is freed singly. Not thread-safe: one owner at a time.
 *
 * Sanitizer builds give each allocation its own malloc, so that the memory checker sees every piece. */
#pragma once

#include <stdarg.h>

#include "base/mem.h"
#include "base/str.h"

struct arena;

/* cap_bytes bounds what arena_try_* may hand out between two resets; everything handed out counts against it. */
struct arena *arena_new(size_t cap_bytes);
void arena_free(struct arena *arena);  /* runs the cleanups; null is allowed */
void arena_reset(struct arena *arena); /* runs the cleanups, keeps the first chunk */

/* Never null. For sizes the program chose. Aligned for any type. arena_zalloc zeroes. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);
#define arena_new_of(arena, type) ((type *)arena_zalloc((arena), sizeof(type)))
#define arena_new_array(arena, type, count)                                                        \
    ((type *)arena_zalloc((arena), mem_size_mul(sizeof(type), (count))))

/* For sizes from outside: null when the cap would be passed. */
void *arena_try_alloc(struct arena *arena, size_t size);
/* arena_str for a text from outside: ERR_TOO_LARGE when the cap would be passed. */
enum err arena_try_str(struct arena *arena, str s, str *out);

/* Copies into the arena. The results are also terminated with a zero byte (not counted in len). */
/* mem_room in an arena, which keeps what was outgrown: at most as much again. */
void *arena_room(struct arena *arena, void *array, size_t count, size_t *capacity,
                 size_t element_size);
str arena_str(struct arena *arena, str s);
str arena_lower(struct arena *arena, str s); /* ASCII letters in lower case */
str arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
str arena_vprintf(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Joins count pieces. */
str arena_join(struct arena *arena, const str *piece, size_t count);

/* Registers a cleanup; run in reverse order of registration at reset and free. */
void arena_on_reset(struct arena *arena, void (*fn)(void *ctx), void *ctx);

/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);
