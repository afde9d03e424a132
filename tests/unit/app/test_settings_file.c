/* The settings file: which TOML value fits which kind, and what is refused with which words. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/settings_file.h"
#include "base/fd.h"
#include "unit/unit.h"

/* One file. Either the pieces of its last entry joined by '|', or a part of the refusal. */
struct file_case {
    const char *text;
    const char *pieces;
    const char *message;
};

static const struct file_case cases[] = {
    /* What fits. */
    {"region = \"eu\"", "eu", NULL},
    {"threads = 4", "4", NULL},
    {"threads = 1_0", "10", NULL},
    {"io_buffers = 67108864", "67108864", NULL},
    {"io_buffers = \"64MiB\"", "64MiB", NULL},
    {"head_timeout = \"10s\"", "10s", NULL},
    {"drain_timeout = 0", "0", NULL},
    {"anonymous = true", "true", NULL},
    {"listen = [\":1\", \"[::1]:2\"]", ":1|[::1]:2", NULL},
    {"listen = [\n  \":1\", # one\n  \":2\",\n]", ":1|:2", NULL},
    {"listen = \":1, :2\"", ":1|:2", NULL},
    {"domain = []", "", NULL},
    {"[tls]\ncert = \"a\"\nkey = \"b\"", "b", NULL},
    {"tls.cert = \"a\"", "a", NULL},
    {"[admin]\nlisten = \":1\"", ":1", NULL},

    /* What does not. */
    {"region = 4", NULL, "region must be a text in quotes"},
    {"region = [\"eu\"]", NULL, "region must be a text in quotes"},
    {"threads = \"4\"", NULL, "threads must be a number without quotes"},
    {"threads = true", NULL, "threads must be a number"},
    {"anonymous = \"true\"", NULL, "anonymous must be true or false without quotes"},
    {"anonymous = 1", NULL, "anonymous must be true or false"},
    {"head_timeout = 10", NULL, "head_timeout must be a time in quotes"},
    {"listen = [9000]", NULL, "listen must be an array of texts"},
    {"listen = 9000", NULL, "listen must be an array of texts"},
    {"\n\nlog_lvel = \"info\"", NULL,
     ".toml:3: \"log_lvel\" is not a setting; did you mean \"log_level\"?"},
    {"[log]\nlvel = \"info\"", NULL,
     ".toml:2: \"log.lvel\" is not a setting; did you mean \"log_level\"?"},
    {"colour_scheme = 1", NULL, ".toml:1: \"colour_scheme\" is not a setting"},
    {"data-dir = \"/a\"", NULL, "\"data-dir\" is not a setting; did you mean \"data_dir\"?"},
    {"config = \"other.toml\"", NULL, "config cannot be set in the file"},
    {"tls_cert = \"a\"\n[tls]\ncert = \"b\"", NULL, ".toml:3: tls_cert was set in line 1 already"},
    {"region = \"a\"\nregion = \"b\"", NULL, ".toml:2"},
    {"region = ", NULL, ".toml:1"},
    {"region = \"a", NULL, ".toml:1"},
    {"this is no settings file", NULL, ".toml:1"},
};

static str joined(struct setting_pieces pieces, struct arena *arena)
{
    str text = STR("");
    for (size_t i = 0; i < pieces.count; i++)
        text = arena_printf(arena, "%.*s%s%.*s", STR_ARG(text), i ? "|" : "",
                            STR_ARG(pieces.piece[i]));
    return text;
}

static void check_case(const struct file_case *c, str path, struct arena *arena)
{
    struct settings_file_entry *entry = NULL;
    size_t count = 0;
    bool exposed = true;
    struct fail fail = {0};
    assert_ok(file_replace(AT_FDCWD, path.ptr, str_from(c->text), 0644));
    enum err err = settings_read_file(path, arena, &entry, &count, &exposed, &fail);
    if (c->message) {
        if (err != ERR_BAD_ARGUMENT || !strstr(fail.detail, c->message))
            fail_msg("%s: %s \"%s\"", c->text, err_name(err), fail.detail);
        assert_null(entry);
        return;
    }
    if (err != OK || count == 0)
        fail_msg("%s: %s \"%s\"", c->text, err_name(err), fail.detail);
    assert_str(joined(entry[count - 1].pieces, arena), str_from(c->pieces));
    assert_false(exposed);
}

static void test_each_file(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4 << 20);
    str path = arena_printf(arena, "settings-file-%d.toml", (int)getpid());
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_case(&cases[i], path, arena);
    (void)unlink(path.ptr);
    arena_free(arena);
}

static void test_an_empty_file_says_nothing(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4 << 20);
    struct settings_file_entry *entry;
    size_t count = 1;
    bool exposed;
    struct fail fail = {0};
    assert_ok(settings_read_file(STR("/dev/null"), arena, &entry, &count, &exposed, &fail));
    assert_int_equal(count, 0);
    arena_free(arena);
}

static void test_a_file_that_cannot_be_read(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum err err;
    } files[] = {{"/nonexistent.toml", ERR_NOT_FOUND}, {"/", ERR_IO}, {"/dev/zero", ERR_TOO_LARGE}};
    struct arena *arena = arena_new(4 << 20);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct settings_file_entry *entry;
        size_t count;
        bool exposed;
        struct fail fail = {0};
        assert_err(
            settings_read_file(str_from(files[i].path), arena, &entry, &count, &exposed, &fail),
            files[i].err);
        assert_non_null(strstr(fail.detail, files[i].path));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_file),
        cmocka_unit_test(test_an_empty_file_says_nothing),
        cmocka_unit_test(test_a_file_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
