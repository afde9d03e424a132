/* Each kind of setting reads what it should, refuses what it should not, and writes a value that reads back as itself. */
#include "app/settings_value.h"
#include "unit/unit.h"

/* A value: the setting, what is written, and either how it is printed again or a part of the refusal. */
struct value_case {
    const char *name;
    const char *text;
    const char *printed; /* null: refused */
    const char *message;
};

static const struct value_case cases[] = {
    /* STRING: length limits, no control characters, UTF-8. */
    {"region", "us-east-1", "us-east-1", NULL},
    {"region", "", NULL, "0 characters"},
    {"region", "1234567890123456789012345678901234567890123456789012345678901234",
     "1234567890123456789012345678901234567890123456789012345678901234", NULL},
    {"region", "12345678901234567890123456789012345678901234567890123456789012345", NULL,
     "allowed are 1 to 64"},
    {"region", "a\nb", NULL, "control characters"},
    {"region", "a\xff", NULL, "UTF-8"},
    {"secret_key", "1234567", NULL, "7 characters"},

    /* PATH */
    {"data_dir", "/srv/pail, with a comma", "/srv/pail, with a comma", NULL},
    {"data_dir", "", NULL, "empty"},
    {"data_dir", "a\tb", NULL, "control"},
    {"access_log", "-", "-", NULL},

    /* INTEGER: digits only, limits on both sides. */
    {"threads", "0", "0", NULL},
    {"threads", "256", "256", NULL},
    {"threads", "257", NULL, "allowed are 0 to 256"},
    {"threads", "-1", NULL, "\"-1\" is not a number"},
    {"threads", " 1", NULL, "not a number"},
    {"threads", "1k", NULL, "not a number"},
    {"threads", "", NULL, "not a number"},
    {"threads", "18446744073709551616", NULL, "not a number"},
    {"max_connections", "0", NULL, "out of range"},

    /* BYTES: both families of units, no fraction, no overflow. */
    {"io_buffers", "64MiB", "64MiB", NULL},
    {"io_buffers", "64 MiB", "64MiB", NULL},
    {"io_buffers", "1024MiB", "1GiB", NULL},
    {"io_buffers", "100MB", "100MB", NULL},
    {"io_buffers", "16777216", "16MiB", NULL},
    {"io_buffers", "16777217", "16777217B", NULL},
    {"io_buffers", "16777217B", "16777217B", NULL},
    {"io_buffers", "16777215", NULL, "allowed are 16MiB to 1TiB"},
    {"io_buffers", "1TiB", "1TiB", NULL},
    {"io_buffers", "1025GiB", NULL, "out of range"},
    {"io_buffers", "64M", NULL, "write digits and a unit"},
    {"io_buffers", "64mib", NULL, "not a size"},
    {"io_buffers", "1.5GiB", NULL, "not a size"},
    {"io_buffers", "MiB", NULL, "not a size"},
    {"io_buffers", "-64MiB", NULL, "not a size"},
    {"io_buffers", "18446744073709551615TiB", NULL, "not a size"},
    {"inline_max", "0", "0", NULL},

    /* DURATION: a unit is needed, except for zero. */
    {"head_timeout", "1ms", "1ms", NULL},
    {"head_timeout", "1500ms", "1500ms", NULL},
    {"head_timeout", "60s", "1m", NULL},
    {"head_timeout", "90s", "90s", NULL},
    {"head_timeout", "1h", "1h", NULL},
    {"head_timeout", "61m", NULL, "allowed are 1ms to 1h"},
    {"head_timeout", "0s", NULL, "out of range"},
    {"head_timeout", "10", NULL, "write digits and a unit (ms, s, m, h, d)"},
    {"head_timeout", "10sec", NULL, "not a duration"},
    {"head_timeout", "", NULL, "not a duration"},
    {"head_timeout", "18446744073709551615d", NULL, "not a duration"},
    {"idle_timeout", "1d", "1d", NULL},
    {"drain_timeout", "0", "0", NULL},

    /* BOOLEAN */
    {"anonymous", "true", "true", NULL},
    {"anonymous", "TRUE", "true", NULL},
    {"anonymous", "no", "false", NULL},
    {"anonymous", "on", "true", NULL},
    {"anonymous", "0", "false", NULL},
    {"anonymous", "2", NULL, "allowed are true and false"},
    {"anonymous", "", NULL, "allowed are"},

    /* ENUM: words and their aliases, case matters. */
    {"engine", "local", "local", NULL},
    {"engine", "fs", "local", NULL},
    {"engine", "mem", "mem", NULL},
    {"engine", "Mem", NULL, "\"Mem\" is not allowed; allowed are local and mem"},
    {"engine", "", NULL, "allowed are"},
    {"log_level", "warning", "warn", NULL},
    {"log_level", "chatty", NULL, "allowed are error, warn, info and debug"},

    /* ADDRESSES */
    {"listen", "127.0.0.1:9000", "127.0.0.1:9000", NULL},
    {"listen", "127.0.0.1:0", "127.0.0.1:0", NULL},
    {"listen", "127.0.0.1:65535", "127.0.0.1:65535", NULL},
    {"listen", "127.0.0.1:65536", NULL, "not an address"},
    {"listen", "127.0.0.1:000080", NULL, "not an address"},
    {"listen", "[::1]:9000", "[::1]:9000", NULL},
    {"listen", "[::]:9000, 127.0.0.1:9000", "[::]:9000,127.0.0.1:9000", NULL},
    {"listen", "[fe80::1", NULL, "not an address"},
    {"listen", "[::1]9000", NULL, "not an address"},
    {"listen", "[::1]", NULL, "not an address"},
    {"listen", "[127.0.0.1]:9000", NULL, "not an address"},
    {"listen", "::1:9000", NULL, "not an address"},
    {"listen", ":9000", ":9000", NULL},
    {"listen", "localhost:9000", "localhost:9000", NULL},
    {"listen", "9000", NULL, "host:port"},
    {"listen", "127.0.0.1", NULL, "host:port"},
    {"listen", "127.0.0.1:", NULL, "not an address"},
    {"listen", "127.0.0.256:1", NULL, "not an address"},
    {"listen", "127.1:1", NULL, "not an address"},
    {"listen", "a b:1", NULL, "not an address"},
    {"listen", "127.0.0.1:1,", NULL, "not an address"},
    {"listen", "", NULL, "0 given; allowed are 1 to 16"},
    {"listen", "off", NULL, "not an address"},
    {"listen", ":1,:2,:3,:4,:5,:6,:7,:8,:9,:10,:11,:12,:13,:14,:15,:16,:17", NULL, "17 given"},
    {"admin_listen", "off", "", NULL},
    {"admin_listen", "", "", NULL},

    /* HOSTS */
    {"domain", "", "", NULL},
    {"domain", "S3.example.org, localhost", "s3.example.org,localhost", NULL},
    {"domain", "a..b", NULL, "not a host name"},
    {"domain", ".a", NULL, "not a host name"},
    {"domain", "a.", NULL, "not a host name"},
    {"domain", "-a", NULL, "not a host name"},
    {"domain", "a-", NULL, "not a host name"},
    {"domain", "a-.b", NULL, "not a host name"},
    {"domain", "a-b.c", "a-b.c", NULL},
    {"domain", "*.a", NULL, "not a host name"},
    {"domain", "a,,b", NULL, "not a host name"},
    {"domain", "123456789012345678901234567890123456789012345678901234567890123.org",
     "123456789012345678901234567890123456789012345678901234567890123.org", NULL},
    {"domain", "1234567890123456789012345678901234567890123456789012345678901234.org", NULL,
     "not a host name"},
};

static void check_refused(const struct value_case *c, enum err err, const struct fail *fail)
{
    if (err != ERR_BAD_ARGUMENT || !strstr(fail->detail, c->message))
        fail_msg("%s=\"%s\": %s, \"%s\"; expected \"%s\"", c->name, c->text, err_name(err),
                 fail->detail, c->message);
    assert_string_equal(fail->field, c->name);
}

static void test_each_value(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct value_case *c = &cases[i];
        const struct setting *row = settings_find(str_from(c->name));
        struct settings values = {0}, before = values;
        struct fail fail = {0};
        assert_non_null(row);
        enum err err =
            setting_parse(row, setting_split(row, str_from(c->text), arena), arena, &values, &fail);
        if (!c->printed) {
            check_refused(c, err, &fail);
            assert_memory_equal(&values, &before, sizeof(values));
            continue;
        }
        str printed = setting_format(row, &values, arena);
        if (err != OK || !str_eq(printed, str_from(c->printed)))
            fail_msg("%s=\"%s\": %s \"%s\", printed \"%.*s\"", c->name, c->text, err_name(err),
                     fail.detail, STR_ARG(printed));
        assert_int_equal(
            setting_parse(row, setting_split(row, printed, arena), arena, &before, &fail), OK);
        assert_true(setting_is_equal(row, &values, &before, arena));
    }
    arena_free(arena);
}

static void test_members_get_the_value_in_their_unit(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    struct settings values = {0};
    static const struct {
        const char *name, *text;
    } given[] = {{"io_buffers", "64MiB"}, {"head_timeout", "2m"}, {"threads", "7"},
                 {"anonymous", "yes"},    {"engine", "mem"},      {"listen", "[::1]:80,:0"},
                 {"domain", "A.b"}};
    for (size_t i = 0; i < COUNT_OF(given); i++) {
        const struct setting *row = settings_find(str_from(given[i].name));
        struct setting_pieces pieces = setting_split(row, str_from(given[i].text), arena);
        assert_int_equal(setting_parse(row, pieces, arena, &values, NULL), OK);
    }
    assert_int_equal(values.io_buffers_bytes, 64 << 20);
    assert_int_equal(values.head_timeout_ms, 120000);
    assert_int_equal(values.threads, 7);
    assert_true(values.anonymous);
    assert_int_equal(values.engine, SETTING_ENGINE_MEM);
    assert_int_equal(values.listen.count, 2);
    assert_true(str_eq(values.listen.address[0].host, STR("::1")));
    assert_int_equal(values.listen.address[0].port, 80);
    assert_int_equal(values.listen.address[1].host.len, 0);
    assert_int_equal(values.domain.count, 1);
    assert_true(str_eq(values.domain.host[0], STR("a.b")));
    arena_free(arena);
}

/* 253 characters are the most that a name may have (RFC 1035, 3.1, without the root's dot). */
static void test_longest_host_name(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    const struct setting *row = settings_find(STR("domain"));
    char name[254];
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 64 == 63 ? '.' : 'a';
    for (size_t len = 252; len <= 254; len++) {
        struct settings values;
        struct setting_pieces pieces = setting_split(row, str_of(name, len), arena);
        assert_int_equal(setting_parse(row, pieces, arena, &values, NULL),
                         len <= 253 ? OK : ERR_BAD_ARGUMENT);
    }
    arena_free(arena);
}

/* A secret must not come back in a message, whatever is wrong with it. */
static void test_secrets_are_not_quoted(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    const struct setting *row = settings_find(STR("secret_key"));
    static const char *const texts[] = {"hunter2", "hunter2\n and more of it"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct settings values;
        struct fail fail = {0};
        struct setting_pieces pieces = setting_split(row, str_from(texts[i]), arena);
        assert_int_equal(setting_parse(row, pieces, arena, &values, &fail), ERR_BAD_ARGUMENT);
        assert_null(strstr(fail.detail, "hunter2"));
    }
    arena_free(arena);
}

static void test_one_value_is_not_a_list(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 20);
    str two[] = {STR("1"), STR("2")};
    struct settings values;
    struct fail fail = {0};
    struct setting_pieces none = {two, 0}, both = {two, 2};
    assert_int_equal(setting_parse(settings_find(STR("threads")), both, arena, &values, &fail),
                     ERR_BAD_ARGUMENT);
    assert_int_equal(setting_parse(settings_find(STR("threads")), none, arena, &values, &fail),
                     ERR_BAD_ARGUMENT);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_value),
        cmocka_unit_test(test_members_get_the_value_in_their_unit),
        cmocka_unit_test(test_longest_host_name),
        cmocka_unit_test(test_secrets_are_not_quoted),
        cmocka_unit_test(test_one_value_is_not_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
