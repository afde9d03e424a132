/* Aim: pieces of all sizes are aligned, do not overlap and live until reset; the cap holds for sizes from outside;
 * cleanups run once, in reverse order. The same tests run with chunks and, in sanitizer builds, with a malloc per piece. */
#include "base/arena.h"

#include "../unit.h"

static void test_pieces_do_not_overlap(void **state)
{
    (void)state;
    enum { PIECES = 400 };
    static const size_t limits[] = {1, 20, 300, 5000, 100000};
    struct {
        unsigned char *ptr;
        size_t len;
    } piece[PIECES];
    struct arena *arena = arena_new(SIZE_MAX);
    struct unit_random random = {2};
    for (int round = 0; round < 3; round++) {
        size_t sum = 0;
        for (size_t i = 0; i < PIECES; i++) {
            size_t len = unit_random_below(&random, limits[i % COUNT_OF(limits)]);
            piece[i].len = len;
            piece[i].ptr = arena_alloc(arena, len);
            assert_int_equal((uintptr_t)piece[i].ptr % _Alignof(max_align_t), 0);
            memset(piece[i].ptr, (int)(i % 256), len);
            sum += len;
        }
        assert_int_equal(arena_used(arena), sum);
        for (size_t i = 0; i < PIECES; i++)
            for (size_t k = 0; k < piece[i].len; k++)
                assert_int_equal(piece[i].ptr[k], i % 256);
        arena_reset(arena);
        assert_int_equal(arena_used(arena), 0);
    }
    arena_free(arena);
}

/* What lies at the edges of the first chunk, of a later one, and of the largest piece that goes into a chunk. */
static void test_sizes_around_the_chunks(void **state)
{
    (void)state;
    static const size_t edges[] = {0, 1, 16, 3900, 4096, 8192, 16384, 32768, 65536, 200000};
    for (size_t i = 0; i < COUNT_OF(edges); i++) {
        struct arena *arena = arena_new(SIZE_MAX);
        for (size_t less = 0; less < 40 && less <= edges[i]; less++)
            memset(arena_alloc(arena, edges[i] - less), 0xab, edges[i] - less);
        arena_free(arena);
    }
}

static void test_zeroed(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000);
    memset(arena_alloc(arena, 500), 0xff, 500);
    arena_reset(arena);
    const unsigned char *ptr = arena_zalloc(arena, 500);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(ptr[i], 0);
    assert_int_equal(*arena_new_of(arena, uint64_t), 0);
    assert_int_equal(arena_new_array(arena, uint64_t, 3)[2], 0);
    arena_free(arena);
}

static void test_cap(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000);
    assert_null(arena_try_alloc(arena, 1001));
    assert_null(arena_try_alloc(arena, SIZE_MAX));
    assert_non_null(arena_try_alloc(arena, 600));
    assert_null(arena_try_alloc(arena, 401));
    assert_non_null(arena_try_alloc(arena, 400));
    assert_null(arena_try_alloc(arena, 1));
    assert_non_null(arena_try_alloc(arena, 0));
    assert_non_null(arena_alloc(arena, 5000)); /* sizes that the program chose are not refused */
    assert_null(arena_try_alloc(arena, 0));
    arena_reset(arena);
    assert_non_null(arena_try_alloc(arena, 1000));
    arena_free(arena);
}

/* The terminator counts too. */
static void test_cap_of_texts(void **state)
{
    (void)state;
    struct arena *arena = arena_new(8);
    str text = STR("unset");
    assert_err(arena_try_str(arena, STR("12345678"), &text), ERR_TOO_LARGE);
    assert_str(text, STR("unset"));
    assert_ok(arena_try_str(arena, STR("1234567"), &text));
    assert_str(text, STR("1234567"));
    assert_int_equal(text.ptr[7], '\0');
    assert_err(arena_try_str(arena, STR(""), &text), ERR_TOO_LARGE);
    (void)arena_alloc(arena, 1);
    assert_err(arena_try_str(arena, STR(""), &text), ERR_TOO_LARGE);
    arena_free(arena);
}

/* The address sanitizer would otherwise end the process where malloc answers null. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_refused_memory(void **state)
{
    (void)state;
    struct arena *arena = arena_new(SIZE_MAX);
    assert_null(arena_try_alloc(arena, SIZE_MAX));
    assert_null(arena_try_alloc(arena, SIZE_MAX / 2));
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_try_alloc(arena, 10));
    arena_free(arena);
}

static void test_texts(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000);
    char original[] = "abc";
    str copy = arena_str(arena, str_of(original, 3));
    original[0] = 'x';
    assert_str(copy, STR("abc"));
    assert_int_equal(copy.ptr[3], '\0');
    assert_str(arena_str(arena, (str){0}), STR(""));
    assert_str(arena_lower(arena, STR("@AZ[`az{\xC3\x84 09")), STR("@az[`az{\xC3\x84 09"));
    assert_str(arena_lower(arena, (str){0}), STR(""));
    assert_int_equal(arena_str(arena, (str){0}).ptr[0], '\0');

    str text = arena_printf(arena, "%s-%d", "k", 42);
    assert_str(text, STR("k-42"));
    assert_int_equal(text.ptr[text.len], '\0');
    assert_int_equal(arena_printf(arena, "%*d", 9000, 1).len, 9000);

    const str pieces[] = {STR_INIT("a"), {NULL, 0}, STR_INIT("bc")};
    assert_str(arena_join(arena, pieces, 3), STR("abc"));
    assert_str(arena_join(arena, NULL, 0), STR(""));
    arena_free(arena);
}

struct trace {
    char order[16];
    size_t count;
    struct arena *arena;
};
struct note {
    struct trace *trace;
    char letter;
};

static void note_down(void *ctx)
{
    struct note *note = ctx;
    note->trace->order[note->trace->count++] = note->letter;
}

/* The note lives in the arena: it must still be there when the cleanup runs. */
static void register_note(struct trace *trace, char letter)
{
    struct note *note = arena_new_of(trace->arena, struct note);
    *note = (struct note){trace, letter};
    arena_on_reset(trace->arena, note_down, note);
}

static void register_another(void *ctx)
{
    register_note(ctx, 'n');
}

static void test_room(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    size_t *array = NULL, capacity = 0;
    for (size_t i = 0; i < 100; i++) {
        array = arena_room(arena, array, i, &capacity, sizeof(*array));
        assert_true(capacity > i && capacity <= 2 * i + 16);
        array[i] = i;
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(array[i], i);
    arena_free(arena);
}

static void test_cleanups(void **state)
{
    (void)state;
    struct trace trace = {.arena = arena_new(1000)};
    register_note(&trace, 'a');
    arena_on_reset(trace.arena, register_another, &trace);
    register_note(&trace, 'b');
    arena_reset(trace.arena);
    assert_string_equal(trace.order, "bna");
    arena_reset(trace.arena);
    assert_int_equal(trace.count, 3);
    register_note(&trace, 'c');
    arena_free(trace.arena);
    assert_string_equal(trace.order, "bnac");
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_do_not_overlap),
        cmocka_unit_test(test_sizes_around_the_chunks),
        cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_cap_of_texts),
        cmocka_unit_test(test_refused_memory),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_cleanups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
