/* The table itself: every row is whole, is found by its names, and a misspelt name finds its neighbour. */
#include "app/settings_value.h"
#include "unit/unit.h"

static void test_each_row_is_whole(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        struct settings values;
        struct fail fail = {0};
        assert_int_equal(settings_id(row), i);
        assert_non_null(row->section);
        assert_true(strlen(row->help) > 0);
        assert_int_not_equal(row->help[strlen(row->help) - 1], '.');
        assert_true(row->min <= row->max);
        assert_int_equal(row->kind == SETTING_ENUM, row->choice != NULL);
        /* A minus in front: the place of a value is what a flag's neighbour is. */
        assert_ptr_equal(settings_find_flag(str_skip(settings_flag(row, arena), 2)), row);
        if (!row->default_text)
            continue;
        struct setting_pieces pieces = setting_split(row, str_from(row->default_text), arena);
        if (setting_parse(row, pieces, arena, &values, &fail) != OK)
            fail_msg("%s: the default \"%s\": %s", row->name, row->default_text, fail.detail);
    }
    arena_free(arena);
}

/* Two rows that answer to one name would let a value go astray. */
static void test_names_are_told_apart(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        str name = str_from(settings_table[i].name);
        assert_ptr_equal(settings_find(name), &settings_table[i]);
        str rest = str_from(settings_table[i].flag_aliases), alias;
        while (rest.len > 0) {
            (void)str_cut(rest, ' ', &alias, &rest);
            assert_ptr_equal(settings_find_flag(alias), &settings_table[i]);
        }
    }
    assert_true(
        str_eq(settings_variable(settings_find(STR("data_dir")), arena), STR("PAIL_DATA_DIR")));
    assert_true(str_eq(settings_flag(settings_find(STR("data_dir")), arena), STR("--data-dir")));
    arena_free(arena);
}

static void test_finding(void **state)
{
    (void)state;
    assert_ptr_equal(settings_find_flag(STR("backend")), settings_find(STR("engine")));
    assert_ptr_equal(settings_find_flag(STR("console-listen")), settings_find(STR("admin_listen")));
    static const char *const strangers[] = {"",          "data",     "data_dir",
                                            "data-dir-", "Data-dir", "backend console-listen"};
    for (size_t i = 0; i < COUNT_OF(strangers); i++)
        assert_null(settings_find_flag(str_from(strangers[i])));
    assert_null(settings_find(STR("")));
    assert_null(settings_find(STR("data-dir")));
}

static void test_nearest_name(void **state)
{
    (void)state;
    static const struct {
        const char *written, *nearest;
    } cases[] = {
        {"data_dri", "data_dir"},
        {"data-dir", "data_dir"},
        {"datadir", "data_dir"},
        {"DATA_DIR", "data_dir"},
        {"listne", "listen"},
        {"log.lvel", "log_level"},
        {"tls_crt", "tls_cert"},
        {"tls-keys", "tls_key"},
        {"acess_key", "access_key"},
        {"xyz", NULL},
        {"", NULL},
        {"colour_scheme", NULL},
        {"a_name_that_is_longer_than_every_name_in_the_table", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct setting *row = settings_nearest(str_from(cases[i].written));
        const char *name = row ? row->name : "(none)";
        assert_string_equal(name, cases[i].nearest ? cases[i].nearest : "(none)");
    }
}

/* What rows say together. */
static void test_check(void **state)
{
    (void)state;
    const str set = STR_INIT("somewhere"), key = STR_INIT("key"), secret = STR_INIT("12345678");
    const struct {
        struct settings values;
        const char *field; /* null: good */
    } cases[] = {
        {{.data_dir = set}, NULL},
        {{.data_dir = {NULL, 0}}, "data_dir"},
        {{.engine = SETTING_ENGINE_MEM}, NULL},
        {{.data_dir = set, .tls_cert = set}, "tls_key"},
        {{.data_dir = set, .tls_key = set}, "tls_cert"},
        {{.data_dir = set, .tls_key = set, .tls_cert = set}, NULL},
        {{.data_dir = set, .access_key = key}, "secret_key"},
        {{.data_dir = set, .secret_key = secret}, "access_key"},
        {{.data_dir = set, .access_key = key, .secret_key = secret}, NULL},
        {{.data_dir = set, .access_key = STR("a/b"), .secret_key = secret}, "access_key"},
        {{.data_dir = set, .access_key = key, .secret_key = STR("1234567\xc3\xa9")}, "secret_key"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fail fail = {0};
        enum err err = settings_check(&cases[i].values, &fail);
        assert_int_equal(err, cases[i].field ? ERR_BAD_ARGUMENT : OK);
        assert_string_equal(fail.field, cases[i].field ? cases[i].field : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_is_whole),
        cmocka_unit_test(test_names_are_told_apart),
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_nearest_name),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
