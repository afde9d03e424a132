/* Who wins, who is warned about, and what stops the start, for every pair of sources. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/settings_load.h"
#include "app/settings_value.h"
#include "base/fd.h"
#include "unit/unit.h"

#define ARGUMENTS_MAX 8

/* A start of the server. The file, when there is one, is passed by --config. */
struct start {
    const char *argument[ARGUMENTS_MAX];
    const char *environment[ARGUMENTS_MAX];
    const char *file;
};

struct start_case {
    const char *aim;
    struct start start;
    /* The setting that is looked at, how its value prints, and what its place ends with. */
    const char *name, *value, *where;
    const char *warning; /* a part of the only warning, or null for none */
};

static const struct start_case good[] = {
    {"the default", {.argument = {"--engine=mem"}}, "region", "us-east-1", "default", NULL},
    {"nothing is nothing", {.argument = {"--engine=mem"}}, "tls_cert", "", "not set", NULL},
    {"a flag with =", {.argument = {"--data-dir=/a=b"}}, "data_dir", "/a=b", "--data-dir", NULL},
    {"a flag and a word", {.argument = {"--data-dir", "/a"}}, "data_dir", "/a", "--data-dir", NULL},
    {"a flag's other name", {.argument = {"--backend", "mem"}}, "engine", "mem", "--backend", NULL},
    {"a value that begins with one dash",
     {.argument = {"--engine=mem", "--access-log", "-"}},
     "access_log",
     "-",
     "--access-log",
     NULL},
    {"a bare boolean flag",
     {.argument = {"--anonymous", "--engine=mem"}},
     "anonymous",
     "true",
     "--anonymous",
     NULL},
    {"a boolean flag takes no word",
     {.argument = {"--anonymous", "--engine", "mem"}},
     "engine",
     "mem",
     "--engine",
     NULL},
    {"a boolean flag with =",
     {.argument = {"--anonymous=false", "--engine=mem"}},
     "anonymous",
     "false",
     "--anonymous",
     NULL},
    {"a list flag grows",
     {.argument = {"--engine=mem", "--listen=:1", "--listen", ":2,:3"}},
     "listen",
     ":1,:2,:3",
     "--listen",
     NULL},
    {"a repeated flag: the last one counts",
     {.argument = {"--engine=local", "--engine=mem"}},
     "engine",
     "mem",
     "--engine",
     "engine is given more than once"},
    {"a repeated flag that says the same",
     {.argument = {"--engine=mem", "--engine=mem"}},
     "engine",
     "mem",
     "--engine",
     NULL},
    {"a variable", {.environment = {"PAIL_DATA_DIR=/a"}}, "data_dir", "/a", "PAIL_DATA_DIR", NULL},
    {"a variable's other name",
     {.argument = {"--engine=mem"}, .environment = {"POST3_HOST=0.0.0.0:1"}},
     "listen",
     "0.0.0.0:1",
     "POST3_HOST",
     NULL},
    {"own name before the other one",
     {.argument = {"--engine=mem"}, .environment = {"POST3_HOST=:1", "PAIL_LISTEN=:2"}},
     "listen",
     ":2",
     "PAIL_LISTEN",
     "POST3_HOST is not used, because PAIL_LISTEN is set"},
    {"an empty variable counts as not set",
     {.argument = {"--engine=mem"}, .environment = {"PAIL_REGION="}},
     "region",
     "us-east-1",
     "default",
     NULL},
    {"variables of others are theirs",
     {.argument = {"--engine=mem"}, .environment = {"PAILS=1", "HOME=/", "x"}},
     "region",
     "us-east-1",
     "default",
     NULL},
    {"a service link is no setting",
     {.argument = {"--engine=mem"},
      .environment = {"PAIL_PORT=tcp://10.0.0.1:9000", "PAIL_PORT_9000_TCP=x",
                      "PAIL_SERVICE_HOST=10.0.0.1"}},
     "region",
     "us-east-1",
     "default",
     NULL},
    {"the clients' endpoint is no setting",
     {.argument = {"--engine=mem"}, .environment = {"PAIL_ENDPOINT=http://a"}},
     "region",
     "us-east-1",
     "default",
     NULL},
    {"flag before variable",
     {.argument = {"--data-dir=/a"}, .environment = {"PAIL_DATA_DIR=/b"}},
     "data_dir",
     "/a",
     "--data-dir",
     "data_dir: the value from PAIL_DATA_DIR is not used, because --data-dir stands before it"},
    {"the same from both is no loss",
     {.argument = {"--data-dir=/a"}, .environment = {"PAIL_DATA_DIR=/a"}},
     "data_dir",
     "/a",
     "--data-dir",
     NULL},
    {"equal in other words is no loss",
     {.argument = {"--engine=mem", "--head-timeout=60s"}, .environment = {"PAIL_HEAD_TIMEOUT=1m"}},
     "head_timeout",
     "1m",
     "--head-timeout",
     NULL},
    {"the file", {.file = "data_dir = \"/c\"\n"}, "data_dir", "/c", "settings.toml:1", NULL},
    {"a table is a prefix",
     {.file = "data_dir = \"/c\"\n[log]\nlevel = \"debug\"\n"},
     "log_level",
     "debug",
     "settings.toml:3",
     NULL},
    {"file before flag",
     {.argument = {"--data-dir=/a"}, .file = "\ndata_dir = \"/c\"\n"},
     "data_dir",
     "/c",
     "settings.toml:2",
     "data_dir: the value from --data-dir is not used"},
    {"file before variable",
     {.environment = {"PAIL_DATA_DIR=/a"}, .file = "data_dir = \"/c\"\n"},
     "data_dir",
     "/c",
     "settings.toml:1",
     "data_dir: the value from PAIL_DATA_DIR is not used"},
    {"a file that says the default wins all the same",
     {.argument = {"--region=x"}, .file = "data_dir = \"/c\"\nregion = \"us-east-1\"\n"},
     "region",
     "us-east-1",
     "settings.toml:2",
     "region: the value from --region is not used"},
    {"keys of another store",
     {.argument = {"--engine=mem"},
      .environment = {"MINIO_ROOT_USER=minioadmin", "MINIO_ROOT_PASSWORD=minioadmin"}},
     "access_key",
     "minioadmin",
     "MINIO_ROOT_USER",
     NULL},
};

struct bad_case {
    const char *aim;
    struct start start;
    const char *message; /* parts, separated by '|' */
};

static const struct bad_case bad[] = {
    {"no data folder", {.argument = {NULL}}, "no data folder|--data-dir DIR"},
    {"an unknown flag",
     {.argument = {"--data-dri=/a"}},
     "--data-dri is not a setting; did you mean --data-dir?"},
    {"an unknown flag like nothing",
     {.argument = {"--colour-scheme=x"}},
     "--colour-scheme is not a setting"},
    {"no flag at all", {.argument = {"/data"}}, "\"/data\" is not a setting"},
    {"one dash", {.argument = {"-data-dir"}}, "\"-data-dir\" is not a setting"},
    {"two dashes alone", {.argument = {"--"}}, "-- is not a setting"},
    {"a flag without value at the end", {.argument = {"--data-dir"}}, "--data-dir needs a value"},
    {"a flag without value before another",
     {.argument = {"--data-dir", "--engine=mem"}},
     "--data-dir needs a value"},
    {"a bad value in a flag",
     {.argument = {"--engine=lcoal"}},
     "--engine: engine: \"lcoal\" is not allowed|local and mem"},
    {"a bad value in a variable",
     {.argument = {"--engine=mem"}, .environment = {"PAIL_THREADS=many"}},
     "PAIL_THREADS: threads: \"many\" is not a number"},
    {"a bad value that would lose",
     {.argument = {"--engine=mem", "--threads=1"}, .environment = {"PAIL_THREADS=many"}},
     "PAIL_THREADS: threads: \"many\" is not a number"},
    {"an unknown variable",
     {.argument = {"--engine=mem"}, .environment = {"PAIL_DATADIR=/a"}},
     "the environment's PAIL_DATADIR is not a setting; did you mean PAIL_DATA_DIR?"},
    {"a file that is not there",
     {.argument = {"--engine=mem", "--config=/nonexistent/x.toml"}},
     "the settings file \"/nonexistent/x.toml\" cannot be read"},
    {"a bad value in the file",
     {.file = "engine = \"mem\"\n[log]\nlevel = \"loud\"\n"},
     "settings.toml:3: log_level: \"loud\" is not allowed|error, warn, info and debug"},
    {"certificate without key",
     {.argument = {"--engine=mem", "--tls-cert=a.pem"}},
     "tls_cert is set and tls_key is not"},
    {"a short secret",
     {.argument = {"--engine=mem", "--access-key=abc", "--secret-key=hunter2"}},
     "--secret-key: secret_key: the value has 7 characters"},
};

static str write_file(const char *text, struct arena *arena)
{
    str path = arena_printf(arena, "settings-%d.d/settings.toml", (int)getpid());
    str folder = arena_printf(arena, "settings-%d.d", (int)getpid());
    (void)mkdir(folder.ptr, 0700);
    assert_ok(file_replace(AT_FDCWD, path.ptr, str_from(text), 0600));
    return path;
}

static void remove_file(struct arena *arena)
{
    (void)unlink(arena_printf(arena, "settings-%d.d/settings.toml", (int)getpid()).ptr);
    (void)rmdir(arena_printf(arena, "settings-%d.d", (int)getpid()).ptr);
}

static enum err load(const struct start *start, struct arena *arena, struct settings_loaded *out,
                     struct fail *fail)
{
    const char *argument[ARGUMENTS_MAX + 2];
    size_t count = 0;
    while (count < ARGUMENTS_MAX && start->argument[count]) {
        argument[count] = start->argument[count];
        count++;
    }
    if (start->file) {
        argument[count++] = "--config";
        argument[count++] = write_file(start->file, arena).ptr;
    }
    struct settings_input input = {argument, count, start->environment};
    enum err err = settings_load(&input, arena, out, fail);
    remove_file(arena);
    return err;
}

static void check_good(const struct start_case *c, struct arena *arena)
{
    struct settings_loaded loaded;
    struct fail fail = {0};
    const struct setting *row = settings_find(str_from(c->name));
    enum err err = load(&c->start, arena, &loaded, &fail);
    if (err != OK)
        fail_msg("%s: %s: %s", c->aim, err_name(err), fail.detail);
    str value = setting_format(row, &loaded.values, arena),
        where = loaded.origin[settings_id(row)].where;
    if (!str_eq(value, str_from(c->value)) || !str_has_suffix(where, str_from(c->where)))
        fail_msg("%s: \"%.*s\" from \"%.*s\"", c->aim, STR_ARG(value), STR_ARG(where));
    if (loaded.warning_count != (c->warning ? 1 : 0))
        fail_msg("%s: %zu warnings", c->aim, loaded.warning_count);
    if (c->warning && str_find(loaded.warning[0], str_from(c->warning)) < 0)
        fail_msg("%s: \"%.*s\"", c->aim, STR_ARG(loaded.warning[0]));
}

static void test_good_starts(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4 << 20);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        check_good(&good[i], arena);
        arena_reset(arena);
    }
    arena_free(arena);
}

static void test_bad_starts(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4 << 20);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct settings_loaded loaded, before;
        struct fail fail = {0};
        memset(&loaded, 0x55, sizeof(loaded));
        before = loaded;
        enum err err = load(&bad[i].start, arena, &loaded, &fail);
        if (err == OK)
            fail_msg("%s: was taken", bad[i].aim);
        str rest = str_from(bad[i].message), part;
        while (rest.len > 0) {
            (void)str_cut(rest, '|', &part, &rest);
            if (str_find(str_from(fail.detail), part) < 0)
                fail_msg("%s: \"%s\"", bad[i].aim, fail.detail);
        }
        assert_null(strstr(fail.detail, "hunter2"));
        assert_memory_equal(&loaded, &before, sizeof(loaded));
        arena_reset(arena);
    }
    arena_free(arena);
}

/* Every setting in every source at once: the file's, flags' and environment's values all differ. */
static void test_all_sources_together(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4 << 20);
    struct settings_loaded loaded;
    struct fail fail = {0};
    struct start start = {
        .argument = {"--threads=2", "--workers=2", "--engine=mem"},
        .environment = {"PAIL_THREADS=1", "PAIL_WORKERS=1", "PAIL_MAX_CONNECTIONS=1"},
        .file = "threads = 3\n",
    };
    assert_ok(load(&start, arena, &loaded, &fail));
    assert_int_equal(loaded.values.threads, 3);
    assert_int_equal(loaded.values.workers, 2);
    assert_int_equal(loaded.values.max_connections, 1);
    assert_int_equal(loaded.origin[SETTING_ID_threads].source, SETTINGS_FROM_FILE);
    assert_int_equal(loaded.origin[SETTING_ID_workers].source, SETTINGS_FROM_FLAG);
    assert_int_equal(loaded.origin[SETTING_ID_max_connections].source, SETTINGS_FROM_ENVIRONMENT);
    assert_int_equal(loaded.origin[SETTING_ID_region].source, SETTINGS_FROM_DEFAULT);
    assert_int_equal(loaded.warning_count, 3);
    arena_free(arena);
}

/* Thousands of repeated flags must not run over the list of warnings. */
static void test_many_repeated_flags(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    static const char *argument[MANY + 1];
    const char *environment[] = {NULL};
    struct arena *arena = arena_new(16 << 20);
    struct settings_loaded loaded;
    struct fail fail = {0};
    for (size_t i = 0; i < MANY; i++)
        argument[i] = i % 2 ? "--threads=1" : "--threads=2";
    argument[MANY] = "--engine=mem";
    struct settings_input input = {argument, MANY + 1, environment};
    assert_ok(settings_load(&input, arena, &loaded, &fail));
    assert_int_equal(loaded.values.threads, 1);
    assert_in_range(loaded.warning_count, 1, MANY - 1);
    arena_free(arena);
}

static void test_secret_in_an_open_file_is_warned_about(void **state)
{
    (void)state;
    static const char text[] =
        "engine = \"mem\"\naccess_key = \"someone\"\nsecret_key = \"hunter2hunter2\"\n";
    struct arena *arena = arena_new(4 << 20);
    for (int open = 0; open <= 1; open++) {
        struct settings_loaded loaded;
        struct fail fail = {0};
        str path = write_file(text, arena);
        assert_int_equal(chmod(path.ptr, open ? 0644 : 0640), 0);
        const char *argument[] = {"--config", path.ptr}, *environment[] = {NULL};
        struct settings_input input = {argument, 2, environment};
        assert_ok(settings_load(&input, arena, &loaded, &fail));
        assert_int_equal(loaded.warning_count, open);
        if (open)
            assert_true(str_find(loaded.warning[0], STR("holds a secret")) >= 0);
        remove_file(arena);
    }
    arena_free(arena);
}

static void test_reload_takes_only_what_it_may(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4 << 20);
    struct settings_loaded current, fresh;
    struct fail fail = {0};
    size_t count;
    struct start before = {.argument = {"--engine=mem", "--log-level=info", "--threads=1"}};
    struct start after = {.argument = {"--engine=mem", "--log-level=debug", "--threads=2"}};
    assert_ok(load(&before, arena, &current, &fail));
    assert_ok(load(&after, arena, &fresh, &fail));
    const str *sentence = settings_take_reloadable(&current, &fresh, arena, &count);
    assert_int_equal(current.values.log_level, SETTING_LOG_DEBUG);
    assert_int_equal(current.values.threads, 1);
    assert_int_equal(count, 1);
    assert_true(str_has_prefix(sentence[0], STR("threads has changed in --threads")));
    (void)settings_take_reloadable(&current, &current, arena, &count);
    assert_int_equal(count, 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_starts),
        cmocka_unit_test(test_bad_starts),
        cmocka_unit_test(test_all_sources_together),
        cmocka_unit_test(test_many_repeated_flags),
        cmocka_unit_test(test_secret_in_an_open_file_is_warned_about),
        cmocka_unit_test(test_reload_takes_only_what_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
