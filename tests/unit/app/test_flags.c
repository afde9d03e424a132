/* Aim: flags and words in any order become what they say; what cannot be meant is refused with a sentence. */
#include "app/flags.h"

#include "../unit.h"

struct target {
    str name, other;
    bool is_loud;
};

static const struct flag table[] = {
    {"name", "TEXT", "a text", offsetof(struct target, name)},
    {"other-name", "TEXT", "another", offsetof(struct target, other)},
    {"loud", NULL, "alone", offsetof(struct target, is_loud)},
    {0},
};

enum { WORDS_MAX = 6 };

static enum err parse(const char *const *argument, struct arena *arena, struct target *out,
                      struct flag_words *words, struct fail *fail)
{
    size_t count = 0;
    while (count < WORDS_MAX && argument[count])
        count++;
    *out = (struct target){0};
    return flags_parse(&(struct flag_target){table, out}, argument, count, arena, words, fail);
}

static void test_good_ones(void **state)
{
    (void)state;
    const struct {
        const char *argument[WORDS_MAX + 1];
        const char *name, *other;
        bool is_loud;
        const char *words; /* each followed by ';' */
    } cases[] = {
        {{NULL}, "", "", false, ""},
        {{"a", "b"}, "", "", false, "a;b;"},
        {{"--name", "x", "a"}, "x", "", false, "a;"},
        {{"a", "--name=x", "b"}, "x", "", false, "a;b;"},
        {{"--name="}, "", "", false, ""},
        {{"--name=a=b"}, "a=b", "", false, ""},
        {{"--name", "--loud"}, "--loud", "", false, ""},
        {{"--loud", "--other-name", "y"}, "", "y", true, ""},
        {{"--name", "x", "--name", "y"}, "y", "", false, ""},
        {{"--", "--name", "x"}, "", "", false, "--name;x;"},
        {{"-x", "-"}, "", "", false, "-x;-;"},
        {{"", "a"}, "", "", false, ";a;"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena *arena = arena_new(1 << 16);
        struct target target;
        struct flag_words words;
        struct fail fail = {0};
        assert_ok(parse(cases[i].argument, arena, &target, &words, &fail));
        assert_str(target.name, str_from(cases[i].name));
        assert_str(target.other, str_from(cases[i].other));
        assert_int_equal(target.is_loud, cases[i].is_loud);
        str joined = STR("");
        for (size_t j = 0; j < words.count; j++)
            joined = arena_printf(arena, "%.*s%s;", STR_ARG(joined), words.word[j]);
        assert_str(joined, str_from(cases[i].words));
        arena_free(arena);
    }
}

static void test_bad_ones(void **state)
{
    (void)state;
    const struct {
        const char *argument[WORDS_MAX + 1];
        const char *told;
    } cases[] = {
        {{"--name"}, "--name wants a value"},
        {{"a", "--nane", "x"}, "did you mean --name?"},
        {{"--Other_nam=x"}, "did you mean --other-name?"},
        {{"--xyzzy"}, "there is no flag --xyzzy"},
        {{"--loud=yes"}, "--loud takes no value"},
        {{"--=x"}, "there is no flag --"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena *arena = arena_new(1 << 16);
        struct target target;
        struct flag_words words;
        struct fail fail = {0};
        assert_err(parse(cases[i].argument, arena, &target, &words, &fail), ERR_BAD_ARGUMENT);
        assert_non_null(strstr(fail.detail, cases[i].told));
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_ones),
        cmocka_unit_test(test_bad_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
