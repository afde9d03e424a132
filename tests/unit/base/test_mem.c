/* Aim: allocations are usable, zeroed and aligned as promised; refusal is null or the end of the process, never more. */
#include "base/mem.h"

#include "death.h"

/* The address sanitizer would otherwise end the process where malloc answers null. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* Not a constant, so that the compiler does not warn of what is tested here. */
static volatile size_t too_much = SIZE_MAX / 2;

static void allocate_too_much(void)
{
    mem_free(mem_alloc(too_much));
}

static void multiply_too_much(void)
{
    (void)mem_size_mul(too_much, 3);
}

static void add_too_much(void)
{
    (void)mem_size_add(too_much, SIZE_MAX);
}

static void align_too_much(void)
{
    mem_free(mem_alloc_aligned(4096, SIZE_MAX - (too_much & 1)));
}

static void test_refusal(void **state)
{
    (void)state;
    assert_null(mem_try_alloc(too_much));
    char *kept = mem_alloc(8);
    memcpy(kept, "content", 8);
    assert_null(mem_try_resize(kept, too_much));
    assert_string_equal(kept, "content");
    mem_free(kept);
    assert_dies(allocate_too_much, "pail: out of memory\n");
    assert_dies(multiply_too_much, "pail: a size is too large to be expressed\n");
    assert_dies(add_too_much, "pail: a size is too large to be expressed\n");
    assert_dies(align_too_much, "pail: a size is too large to be expressed\n");
}

static void test_size_zero_is_not_refusal(void **state)
{
    (void)state;
    void *empty[] = {mem_alloc(0), mem_zalloc(0), mem_try_alloc(0), mem_alloc_aligned(512, 0)};
    for (size_t i = 0; i < COUNT_OF(empty); i++) {
        assert_non_null(empty[i]);
        mem_free(empty[i]);
    }
    void *shrunk = mem_resize(mem_alloc(8), 0);
    assert_non_null(shrunk);
    mem_free(shrunk);
    mem_free(NULL);
}

static void test_zeroed(void **state)
{
    (void)state;
    uint64_t *number = mem_new_array(uint64_t, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(number[i], 0);
    mem_free(number);
}

static void test_aligned(void **state)
{
    (void)state;
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        char *ptr = mem_alloc_aligned(alignment, alignment + 1);
        assert_int_equal((uintptr_t)ptr % alignment, 0);
        memset(ptr, 1, 2 * alignment); /* the size was rounded up */
        mem_free(ptr);
    }
}

static void test_checked_arithmetic(void **state)
{
    (void)state;
    size_t result = 7;
    assert_true(size_mul_checked(SIZE_MAX / 2, 2, &result));
    assert_int_equal(result, SIZE_MAX - 1);
    assert_false(size_mul_checked(SIZE_MAX / 2 + 1, 2, &result));
    assert_true(size_add_checked(SIZE_MAX, 0, &result));
    assert_false(size_add_checked(SIZE_MAX, 1, &result));
    assert_int_equal(mem_size_mul(6, 7), 42);
    assert_int_equal(mem_size_add(40, 2), 42);
}

/* Leaks show in the sanitizer run. */
static void test_scope(void **state)
{
    (void)state;
    char *left;
    {
        MEM_SCOPED char *freed = mem_alloc(10);
        MEM_SCOPED char *taken = mem_alloc(10);
        MEM_SCOPED char *nothing = NULL;
        (void)nothing;
        freed[9] = 'x';
        left = mem_take(&taken);
        assert_null(taken);
    }
    left[9] = 'x';
    mem_free(left);
}

static void test_room(void **state)
{
    (void)state;
    size_t *array = NULL, capacity = 0;
    for (size_t i = 0; i < 100; i++) {
        array = mem_room(array, i, &capacity, sizeof(*array));
        assert_true(capacity > i && capacity <= 2 * i + 16);
        array[i] = i;
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(array[i], i);
    mem_free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusal), cmocka_unit_test(test_size_zero_is_not_refusal),
        cmocka_unit_test(test_zeroed),  cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_scope),   cmocka_unit_test(test_checked_arithmetic),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
