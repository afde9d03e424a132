/* The memory engine's map against a plain array: contents, order, and that old maps never change. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "store/mem/treap.h"

enum { KEYS = 60, STEPS = 3000, KEPT = 20 };

/* Key i as text of fixed width, so that byte order is number order. */
static str key_text(size_t i, char dst[8])
{
    (void)snprintf(dst, 8, "%04zu", i);
    return str_of(dst, 4);
}

struct model {
    int value[KEYS]; /* -1: absent */
};

static void check_one(const struct node *map, const struct model *model, size_t i)
{
    char text[8];
    str key = key_text(i, text);
    const struct entry *found = node_find(map, key);
    assert_int_equal(found != NULL, model->value[i] >= 0);
    if (found)
        assert_memory_equal(found->value.ptr, &model->value[i], sizeof(int));
    size_t after = i, before = i + 1;
    while (after < KEYS && model->value[after] < 0)
        after++;
    while (before > 0 && model->value[before - 1] < 0)
        before--;
    const struct entry *next = node_find_from(map, key), *last = node_find_before(map, key);
    assert_int_equal(next != NULL, after < KEYS);
    if (next)
        assert_true(str_eq(next->key, key_text(after, text)));
    assert_int_equal(last != NULL, before > 0);
    if (last)
        assert_true(str_eq(last->key, key_text(before - 1, text)));
}

static void check(const struct node *map, const struct model *model)
{
    for (size_t i = 0; i < KEYS; i++)
        check_one(map, model, i);
}

static struct node *step(struct node *map, struct model *model, uint64_t random)
{
    size_t i = random % KEYS;
    char text[8];
    str key = key_text(i, text);
    if (random / KEYS % 3 == 0) {
        model->value[i] = -1;
        return node_remove(map, key);
    }
    model->value[i] = (int)(random % 100000);
    struct entry *entry = entry_new(key, str_of(&model->value[i], sizeof(int)), (str){0});
    struct node *next = node_put(map, entry);
    entry_drop(entry);
    return next;
}

static void behaves_like_an_array_and_keeps_old_maps(void **state)
{
    (void)state;
    struct node *map = NULL, *kept[KEPT] = {0};
    struct model model, kept_model[KEPT];
    memset(&model, 0xFF, sizeof(model));
    for (size_t i = 0; i < KEPT; i++)
        kept_model[i] = model;
    uint64_t random = 7;
    for (size_t i = 0; i < STEPS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct node *next = step(map, &model, random >> 33);
        if (i % 16 == 0) {
            size_t slot = i / 16 % KEPT;
            check(kept[slot], &kept_model[slot]);
            node_drop(kept[slot]);
            node_hold(next);
            kept[slot] = next;
            kept_model[slot] = model;
        }
        node_drop(map);
        map = next;
        if (i % 10 == 0)
            check(map, &model);
    }
    node_drop(map);
    for (size_t i = 0; i < KEPT; i++) {
        check(kept[i], &kept_model[i]);
        node_drop(kept[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_an_array_and_keeps_old_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
