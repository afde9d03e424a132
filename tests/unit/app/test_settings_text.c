/* What people read comes from the rows: the committed manual is the one that the program writes, every setting is in the
 * help, and no secret is ever shown. */
#include <fcntl.h>

#include "app/settings_text.h"
#include "base/fd.h"
#include "codec/json.h"
#include "unit/unit.h"

enum { TEXT_MAX = 1 << 20, COLUMNS_MAX = 100 };

static void load(struct arena *arena, struct settings_loaded *out)
{
    static const char *const argument[] = {"--engine=mem", "--access-key=someone", "--region=eu",
                                           "--listen=:1,[::1]:2"};
    static const char *const environment[] = {"PAIL_SECRET_KEY=hunter2hunter2", "PAIL_REGION=us",
                                              NULL};
    struct settings_input input = {argument, COUNT_OF(argument), environment};
    struct fail fail = {0};
    assert_ok(settings_load(&input, arena, out, &fail));
}

static void test_the_manual_is_up_to_date(void **state)
{
    (void)state;
    const char *root = getenv("PAIL_SOURCE_ROOT");
    BUF_SCOPED struct buf made, committed, path;
    buf_init(&made, TEXT_MAX);
    buf_init(&committed, TEXT_MAX);
    buf_init(&path, 4096);
    buf_printf(&path, "%s/docs/settings.md", root ? root : ".");
    buf_append_char(&path, '\0');
    settings_write_manual(&made);
    assert_ok(buf_err(&made));
    assert_ok(file_read(AT_FDCWD, path.ptr, &committed));
    if (!str_eq(buf_str(&made), buf_str(&committed)))
        fail_msg("docs/settings.md is out of date: build/pail config manual > docs/settings.md");
}

static void test_help_has_every_setting_and_short_lines(void **state)
{
    (void)state;
    struct arena *arena = arena_new(TEXT_MAX);
    BUF_SCOPED struct buf help;
    buf_init(&help, TEXT_MAX);
    settings_write_help(&help);
    assert_ok(buf_err(&help));
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        str flag =
            arena_printf(arena, "\n  %.*s ", STR_ARG(settings_flag(&settings_table[i], arena)));
        assert_true(str_find(buf_str(&help), flag) >= 0);
        assert_true(
            str_find(buf_str(&help), arena_printf(arena, "%s\n", settings_table[i].section)) >= 0);
    }
    str rest = buf_str(&help), line;
    while (str_cut(rest, '\n', &line, &rest))
        assert_in_range(line.len, 0, COLUMNS_MAX);
    arena_free(arena);
}

static void test_values_name_their_source_and_hide_secrets(void **state)
{
    (void)state;
    struct arena *arena = arena_new(TEXT_MAX);
    struct settings_loaded loaded;
    BUF_SCOPED struct buf out;
    buf_init(&out, TEXT_MAX);
    load(arena, &loaded);
    settings_write_values(&loaded, false, &out);
    assert_ok(buf_err(&out));
    assert_true(str_find(buf_str(&out), STR("hunter2")) < 0);
    static const char *const lines[] = {
        "region           eu                           --region\n",
        "secret_key       ********                     PAIL_SECRET_KEY\n",
        "tls_cert                                      not set\n",
        "head_timeout     30s                          default\n",
        "\nwarning: region: the value from PAIL_REGION is not used, because --region ",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_true(str_find(buf_str(&out), str_from(lines[i])) >= 0);
    arena_free(arena);
}

static const struct json_value *find_setting(const struct json_value *root, const char *name)
{
    const struct json_value *row = json_member(root, "settings")->child;
    while (row && !str_eq(json_member_text(row, "name"), str_from(name)))
        row = row->next;
    assert_non_null(row);
    return row;
}

static void test_values_as_json(void **state)
{
    (void)state;
    struct arena *arena = arena_new(TEXT_MAX);
    struct settings_loaded loaded;
    struct json_value *root;
    struct fail fail = {0};
    BUF_SCOPED struct buf out;
    buf_init(&out, TEXT_MAX);
    load(arena, &loaded);
    settings_write_values(&loaded, true, &out);
    assert_true(str_find(buf_str(&out), STR("hunter2")) < 0);
    assert_ok(json_parse(arena, buf_str(&out), &root, &fail));
    assert_int_equal(json_count(json_member(root, "settings")), SETTINGS_COUNT);
    const struct json_value *listen = find_setting(root, "listen");
    assert_str(json_member_text(listen, "value"), STR(":1,[::1]:2"));
    assert_str(json_member_text(listen, "source"), STR("flag"));
    assert_str(json_member_text(listen, "where"), STR("--listen"));
    assert_str(json_member_text(find_setting(root, "secret_key"), "source"), STR("environment"));
    assert_int_equal(json_count(json_member(root, "warnings")), 1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_manual_is_up_to_date),
        cmocka_unit_test(test_help_has_every_setting_and_short_lines),
        cmocka_unit_test(test_values_name_their_source_and_hide_secrets),
        cmocka_unit_test(test_values_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
