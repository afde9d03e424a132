/* Aim: order of insertion, removal while walking, and that removing twice is harmless. */
#include "base/list.h"

#include "../unit.h"

struct item {
    int value;
    struct list link;
};

static int value_of(struct list *link)
{
    return container_of(link, struct item, link)->value;
}

static void assert_values(const struct list *head, const int *expected, size_t count)
{
    size_t i = 0;
    list_for_each (link, head) {
        assert_true(i < count);
        assert_int_equal(value_of(link), expected[i++]);
    }
    assert_int_equal(i, count);
}

static void test_order(void **state)
{
    (void)state;
    struct list head;
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_pop_front(&head));
    list_push_back(&head, &b.link);
    list_push_back(&head, &c.link);
    list_push_front(&head, &a.link);
    assert_false(list_is_empty(&head));
    assert_values(&head, (const int[]){1, 2, 3}, 3);
    list_remove(&b.link);
    list_remove(&b.link);
    assert_values(&head, (const int[]){1, 3}, 2);
    list_insert_before(&c.link, &b.link);
    assert_values(&head, (const int[]){1, 2, 3}, 3);
    assert_int_equal(value_of(list_pop_front(&head)), 1);
    assert_values(&head, (const int[]){2, 3}, 2);
}

static void test_removal_while_walking(void **state)
{
    (void)state;
    struct list head;
    struct item item[4];
    list_init(&head);
    for (int i = 0; i < 4; i++) {
        item[i].value = i;
        list_push_back(&head, &item[i].link);
    }
    list_for_each (link, &head) {
        if (value_of(link) % 2)
            list_remove(link);
    }
    assert_values(&head, (const int[]){0, 2}, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_removal_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
