/* Allocation. Sizes that the program chose never fail: the process ends with a message, and the store is crash-safe.
 * Sizes that come from the wire or the disk use the mem_try_ forms. Only this module calls malloc. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

void *mem_alloc(size_t size);  /* uninitialised */
void *mem_zalloc(size_t size); /* zeroed */
void *mem_resize(void *ptr, size_t size);
void *mem_try_alloc(size_t size); /* null when refused */
void *mem_try_resize(void *ptr, size_t size);
void *mem_alloc_aligned(size_t alignment, size_t size); /* size is rounded up to the alignment */
void mem_free(void *ptr);                               /* null is allowed */

#define mem_new(type) ((type *)mem_zalloc(sizeof(type)))
#define mem_new_array(type, count) ((type *)mem_zalloc(mem_size_mul(sizeof(type), (count))))

/* Room for one more element behind the `count` there are: the array, moved and doubled when it was full. */
void *mem_room(void *array, size_t count, size_t *capacity, size_t element_size);

/* Checked size arithmetic; the first two end the process on overflow, the others return false. */
size_t mem_size_mul(size_t a, size_t b);
size_t mem_size_add(size_t a, size_t b);
static inline bool size_mul_checked(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool size_add_checked(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* Scope-bound memory: `MEM_SCOPED char *x = ...` is freed when the scope ends; `mem_take(&x)` lets it leave. */
void mem_free_scoped(void *pointer_to_pointer);
#define MEM_SCOPED __attribute__((cleanup(mem_free_scoped)))
#define mem_take(pointer)                                                                          \
    __extension__({                                                                                \
        __typeof__(*(pointer)) taken_ = *(pointer);                                                \
        *(pointer) = NULL;                                                                         \
        taken_;                                                                                    \
    })
