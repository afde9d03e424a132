#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"

static void *must(void *ptr)
{
    if (!ptr)
        fatal("out of memory");
    return ptr;
}

/* malloc(0) may give null; asking for one byte keeps null for refusal alone. */
static size_t at_least_one(size_t size)
{
    return size ? size : 1;
}

void *mem_alloc(size_t size)
{
    return must(mem_try_alloc(size));
}

void *mem_zalloc(size_t size)
{
    return must(calloc(1, at_least_one(size)));
}

void *mem_resize(void *ptr, size_t size)
{
    return must(mem_try_resize(ptr, size));
}

void *mem_try_alloc(size_t size)
{
    return malloc(at_least_one(size));
}

void *mem_try_resize(void *ptr, size_t size)
{
    return realloc(ptr, at_least_one(size));
}

void *mem_alloc_aligned(size_t alignment, size_t size)
{
    assert(alignment && (alignment & (alignment - 1)) == 0);
    size_t rounded = mem_size_add(at_least_one(size), alignment - 1) & ~(alignment - 1);
    return must(aligned_alloc(alignment, rounded));
}

void *mem_room(void *array, size_t count, size_t *capacity, size_t element_size)
{
    enum { FIRST = 16 };
    if (count < *capacity)
        return array;
    *capacity = *capacity ? mem_size_mul(*capacity, 2) : FIRST;
    return mem_resize(array, mem_size_mul(*capacity, element_size));
}

void mem_free(void *ptr)
{
    free(ptr);
}

size_t mem_size_mul(size_t a, size_t b)
{
    size_t product;
    if (!size_mul_checked(a, b, &product))
        fatal("a size is too large to be expressed");
    return product;
}

size_t mem_size_add(size_t a, size_t b)
{
    size_t sum;
    if (!size_add_checked(a, b, &sum))
        fatal("a size is too large to be expressed");
    return sum;
}

void mem_free_scoped(void *pointer_to_pointer)
{
    void *ptr;
    memcpy(&ptr, pointer_to_pointer, sizeof(ptr));
    mem_free(ptr);
}
