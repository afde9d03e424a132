#include "app/flags.h"

#include <stdio.h>

#include "app/nearest.h"

static const struct flag *find_flag(const struct flag *table, str name)
{
    for (; table->name; table++)
        if (str_eq(name, str_from(table->name)))
            return table;
    return NULL;
}

static enum err unknown_flag(const struct flag *table, str name, struct fail *fail)
{
    const char *meant = NULL;
    size_t best = SIZE_MAX;
    for (; table->name; table++)
        if (word_is_nearer(name, str_from(table->name), &best))
            meant = table->name;
    if (meant)
        return fail_set(fail, ERR_BAD_ARGUMENT, NULL, "there is no flag --%.*s; did you mean --%s?",
                        STR_ARG(name), meant);
    return fail_set(fail, ERR_BAD_ARGUMENT, NULL, "there is no flag --%.*s", STR_ARG(name));
}

/* Takes one flag; *at is the place of its value when that stands behind it, and is moved there. */
static enum err take_flag(const struct flag_target *target, const char *const *argument,
                          size_t count, size_t *at, struct fail *fail)
{
    str name, value;
    bool has_value = str_cut(str_skip(str_from(argument[*at]), 2), '=', &name, &value);
    const struct flag *flag = find_flag(target->table, name);
    if (!flag)
        return unknown_flag(target->table, name, fail);
    void *member = (char *)target->base + flag->offset;
    if (!flag->argument && has_value)
        return fail_set(fail, ERR_BAD_ARGUMENT, NULL, "--%s takes no value", flag->name);
    if (!flag->argument) {
        *(bool *)member = true;
        return OK;
    }
    if (!has_value && *at + 1 == count)
        return fail_set(fail, ERR_BAD_ARGUMENT, NULL, "--%s wants a value", flag->name);
    *(str *)member = has_value ? value : str_from(argument[++*at]);
    return OK;
}

enum err flags_parse(const struct flag_target *target, const char *const *argument, size_t count,
                     struct arena *arena, struct flag_words *out_words, struct fail *fail)
{
    struct flag_words words = {.word = arena_new_array(arena, const char *, count + 1)};
    bool are_flags_over = false;
    for (size_t i = 0; i < count; i++) {
        str text = str_from(argument[i]);
        if (are_flags_over || !str_has_prefix(text, STR("--")))
            words.word[words.count++] = argument[i];
        else if (text.len == 2)
            are_flags_over = true;
        else
            TRY(take_flag(target, argument, count, &i, fail));
    }
    *out_words = words;
    return OK;
}

void flags_print(const struct flag *table)
{
    for (; table->name; table++) {
        int width = printf("  --%s%s%s", table->name, table->argument ? " " : "",
                           table->argument ? table->argument : "");
        (void)printf("%*s%s\n", width < 28 ? 28 - width : 1, "", table->help);
    }
}
