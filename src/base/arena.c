/* The first chunk lies behind the struct arena itself, so that a request which needs less than 4 KiB costs no allocation
 * after the first. Later chunks double up to 64 KiB. What is larger than half a chunk is a piece of its own, so that
 * the rest of the current chunk is not lost. */
#include "base/arena.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/fatal.h"

#if defined(__SANITIZE_ADDRESS__)
#define PIECE_PER_ALLOCATION true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PIECE_PER_ALLOCATION true
#endif
#endif
#ifndef PIECE_PER_ALLOCATION
#define PIECE_PER_ALLOCATION false
#endif

enum { FIRST_SIZE = 4096, CHUNK_MAX = 65536, ALIGNMENT = _Alignof(max_align_t) };

/* Heads an allocation, of a chunk or of a single piece. */
struct block {
    _Alignas(max_align_t) struct block *next;
};

struct cleanup {
    struct cleanup *next;
    void (*fn)(void *ctx);
    void *ctx;
};

struct arena {
    char *at, *end; /* what is free in the current chunk */
    size_t used, cap_bytes;
    size_t next_chunk; /* size of the next chunk */
    struct block *block;
    struct cleanup *cleanup; /* the last registered first */
    _Alignas(max_align_t) char first[];
};

_Static_assert(sizeof(struct arena) < FIRST_SIZE / 4,
               "the struct leaves the first chunk most of its space");

static void start_over(struct arena *arena)
{
    arena->at = arena->first;
    arena->end = (char *)arena + FIRST_SIZE;
    arena->used = 0;
    arena->next_chunk = 2 * FIRST_SIZE;
    arena->block = NULL;
}

struct arena *arena_new(size_t cap_bytes)
{
    struct arena *arena = mem_alloc(FIRST_SIZE);
    *arena = (struct arena){.cap_bytes = cap_bytes};
    start_over(arena);
    return arena;
}

/* A cleanup may still use the arena, and may even register another one. */
static void run_cleanups(struct arena *arena)
{
    while (arena->cleanup) {
        struct cleanup *cleanup = arena->cleanup;
        arena->cleanup = cleanup->next;
        cleanup->fn(cleanup->ctx);
    }
}

static void free_blocks(struct arena *arena)
{
    for (struct block *block = arena->block, *next; block; block = next) {
        next = block->next;
        mem_free(block);
    }
}

void arena_reset(struct arena *arena)
{
    run_cleanups(arena);
    free_blocks(arena);
    start_over(arena);
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    run_cleanups(arena);
    free_blocks(arena);
    mem_free(arena);
}

/* null when the memory is refused. */
static char *add_block(struct arena *arena, size_t size)
{
    size_t total;
    if (!size_add_checked(size, sizeof(struct block), &total))
        return NULL;
    struct block *block = mem_try_alloc(total);
    if (!block)
        return NULL;
    block->next = arena->block;
    arena->block = block;
    return (char *)(block + 1);
}

static char *bump(struct arena *arena, size_t size, size_t alignment)
{
    size_t padding = (size_t)(-(uintptr_t)arena->at & (alignment - 1));
    size_t free_bytes = (size_t)(arena->end - arena->at);
    if (padding > free_bytes || size > free_bytes - padding)
        return NULL;
    char *ptr = arena->at + padding;
    arena->at = ptr + size;
    return ptr;
}

static char *allocate_slowly(struct arena *arena, size_t size, size_t alignment)
{
    if (PIECE_PER_ALLOCATION || size > arena->next_chunk / 2)
        return add_block(arena, size);
    size_t chunk = arena->next_chunk - sizeof(struct block);
    char *at = add_block(arena, chunk);
    if (!at)
        return NULL;
    arena->at = at;
    arena->end = at + chunk;
    if (arena->next_chunk < CHUNK_MAX)
        arena->next_chunk *= 2;
    return bump(arena, size, alignment);
}

/* null when the memory is refused. */
static char *allocate(struct arena *arena, size_t size, size_t alignment)
{
    char *ptr = PIECE_PER_ALLOCATION ? NULL : bump(arena, size, alignment);
    if (!ptr)
        ptr = allocate_slowly(arena, size, alignment);
    if (ptr)
        arena->used += size;
    return ptr;
}

static char *must_allocate(struct arena *arena, size_t size, size_t alignment)
{
    char *ptr = allocate(arena, size, alignment);
    if (!ptr)
        fatal("out of memory");
    return ptr;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return must_allocate(arena, size, ALIGNMENT);
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void *arena_try_alloc(struct arena *arena, size_t size)
{
    if (arena->used > arena->cap_bytes || size > arena->cap_bytes - arena->used)
        return NULL;
    return allocate(arena, size, ALIGNMENT);
}

/* Room for a text and its terminator, which is written. Texts need no alignment. */
static char *text_room(struct arena *arena, size_t len)
{
    char *ptr = must_allocate(arena, mem_size_add(len, 1), 1);
    ptr[len] = '\0';
    return ptr;
}

str arena_str(struct arena *arena, str s)
{
    return arena_join(arena, &s, 1);
}

void *arena_room(struct arena *arena, void *array, size_t count, size_t *capacity,
                 size_t element_size)
{
    enum { FIRST = 8 };
    if (count < *capacity)
        return array;
    size_t grown = *capacity ? mem_size_mul(*capacity, 2) : FIRST;
    void *larger = arena_alloc(arena, mem_size_mul(grown, element_size));
    if (count)
        memcpy(larger, array, count * element_size);
    *capacity = grown;
    return larger;
}

str arena_lower(struct arena *arena, str s)
{
    char *text = text_room(arena, s.len);
    for (size_t i = 0; i < s.len; i++)
        text[i] = char_lower(s.ptr[i]);
    return str_of(text, s.len);
}

enum err arena_try_str(struct arena *arena, str s, str *out)
{
    if (arena->used > arena->cap_bytes || s.len >= arena->cap_bytes - arena->used)
        return ERR_TOO_LARGE;
    *out = arena_str(arena, s);
    return OK;
}

str arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    assert(len >= 0);
    char *text = text_room(arena, (size_t)len);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    return str_of(text, (size_t)len);
}

str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

str arena_join(struct arena *arena, const str *piece, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len = mem_size_add(len, piece[i].len);
    char *text = text_room(arena, len), *at = text;
    for (size_t i = 0; i < count; i++) {
        if (piece[i].len)
            memcpy(at, piece[i].ptr, piece[i].len);
        at += piece[i].len;
    }
    return str_of(text, len);
}

void arena_on_reset(struct arena *arena, void (*fn)(void *ctx), void *ctx)
{
    struct cleanup *cleanup = arena_alloc(arena, sizeof(*cleanup));
    *cleanup = (struct cleanup){.next = arena->cleanup, .fn = fn, .ctx = ctx};
    arena->cleanup = cleanup;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
