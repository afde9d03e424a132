/* Aim: JSON lines are JSON whatever the texts hold, text lines are one line each, levels filter, a long line is cut by whole
 * fields, and lines of several threads do not mix. */
#include "base/log.h"

#include "../unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"

static int log_fd;

static int open_log(void **state)
{
    (void)state;
    log_fd = memfd_create("log", MFD_CLOEXEC);
    return log_fd < 0 ? -1 : fcntl(log_fd, F_SETFL, O_APPEND);
}

static int close_log(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_TEXT, STDERR_FILENO);
    return close(log_fd);
}

static void configure(enum log_level level, enum log_format format)
{
    assert_int_equal(ftruncate(log_fd, 0), 0);
    assert_int_equal(lseek(log_fd, 0, SEEK_SET), 0);
    log_configure(level, format, log_fd);
}

/* What was logged since configure. */
static void read_log(struct buf *out)
{
    buf_init(out, 10 << 20);
    assert_int_equal(lseek(log_fd, 0, SEEK_SET), 0);
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", log_fd);
    assert_ok(file_read(AT_FDCWD, path, out));
}

static json_t *parse_line(str line)
{
    json_error_t error;
    json_t *object = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        fail_msg("%s: %.*s", error.text, STR_ARG(line));
    return object;
}

static void test_json(void **state)
{
    (void)state;
    configure(LOG_INFO, LOG_JSON);
    int64_t before = clock_real_ms();
    log_event(LOG_WARN, "s3", "a \"message\"\nof two lines", LOG_STR("text", STR("a\\b\xff\x01\"")),
              LOG_U64("large", UINT64_MAX >> 1), LOG_I64("small", -5), LOG_STR("none", (str){0}));
    BUF_SCOPED struct buf out;
    read_log(&out);
    assert_int_equal(str_find_char(buf_str(&out), '\n'), out.len - 1);
    json_t *object = parse_line(buf_str(&out));
    int64_t time;
    assert_ok(clock_parse_iso(str_from(json_string_value(json_object_get(object, "time"))), &time));
    assert_true(time >= before && time <= clock_real_ms());
    assert_string_equal(json_string_value(json_object_get(object, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(object, "area")), "s3");
    assert_string_equal(json_string_value(json_object_get(object, "message")),
                        "a \"message\"\nof two lines");
    assert_string_equal(json_string_value(json_object_get(object, "text")),
                        "a\\b\xef\xbf\xbd\x01\"");
    assert_int_equal(json_integer_value(json_object_get(object, "large")), INT64_MAX);
    assert_int_equal(json_integer_value(json_object_get(object, "small")), -5);
    assert_string_equal(json_string_value(json_object_get(object, "none")), "");
    assert_int_equal(json_object_size(object), 8);
    json_decref(object);
}

static void test_text(void **state)
{
    (void)state;
    configure(LOG_DEBUG, LOG_TEXT);
    log_event(LOG_INFO, "app", "it starts");
    log_event(LOG_ERROR, "app", "red \x1b[31m\n", LOG_STR("key", STR("a b\n")),
              LOG_I64("n", INT64_MIN));
    BUF_SCOPED struct buf out;
    read_log(&out);
    str first, second, rest;
    assert_true(str_cut(buf_str(&out), '\n', &first, &rest));
    assert_true(str_cut(rest, '\n', &second, &rest));
    assert_str(rest, STR(""));
    int64_t time;
    assert_ok(clock_parse_iso(str_slice(first, 0, 24), &time));
    assert_str(str_skip(first, 24), STR(" info  app: it starts"));
    assert_str(str_skip(second, 24),
               STR(" error app: red \\u001b[31m\\n key=\"a b\\n\" n=-9223372036854775808"));
}

static void test_levels(void **state)
{
    (void)state;
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};
    for (size_t limit = 0; limit < COUNT_OF(levels); limit++) {
        configure(levels[limit], LOG_TEXT);
        for (size_t i = 0; i < COUNT_OF(levels); i++) {
            assert_int_equal(log_wants(levels[i]), i <= limit);
            log_event(levels[i], "test", "x");
        }
        BUF_SCOPED struct buf out;
        read_log(&out);
        size_t lines = 0;
        for (size_t i = 0; i < out.len; i++)
            lines += out.ptr[i] == '\n';
        assert_int_equal(lines, limit + 1);
    }
}

static void test_long_line(void **state)
{
    (void)state;
    static char text[20000], message[5000];
    memset(text, 1, sizeof(text)); /* six bytes each when escaped */
    memset(message, 1, sizeof(message) - 1);
    for (size_t len = 2500; len < 2760; len++) { /* around what fits */
        configure(LOG_INFO, LOG_JSON);
        log_event(LOG_INFO, "x", "y", LOG_U64("kept", 1), LOG_STR("long", str_of(text, len)),
                  LOG_U64("lost", 1));
        BUF_SCOPED struct buf out;
        read_log(&out);
        assert_true(out.len <= 16384);
        json_t *object = parse_line(buf_str(&out));
        assert_non_null(json_object_get(object, "kept"));
        bool cut = json_object_get(object, "cut") != NULL;
        assert_int_equal(cut, json_object_get(object, "lost") == NULL);
        assert_true(cut ? len > 2690 : len < 2730);
        json_decref(object);
    }
    configure(LOG_INFO, LOG_JSON);
    log_event(LOG_INFO, "x", message, LOG_STR("long", str_of(text, sizeof(text))));
    BUF_SCOPED struct buf out;
    read_log(&out);
    json_t *object = parse_line(buf_str(&out));
    assert_int_equal(strlen(json_string_value(json_object_get(object, "message"))), 2048);
    assert_non_null(json_object_get(object, "cut"));
    json_decref(object);
}

enum { THREADS = 4, LINES = 500 };

static void *log_much(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "thread", "a line", LOG_U64("i", i));
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    configure(LOG_INFO, LOG_JSON);
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, log_much, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    BUF_SCOPED struct buf out;
    read_log(&out);
    str rest = buf_str(&out), line;
    size_t count = 0;
    for (; str_cut(rest, '\n', &line, &rest); count++)
        json_decref(parse_line(line));
    assert_int_equal(count, THREADS * LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),    cmocka_unit_test(test_text),
        cmocka_unit_test(test_levels),  cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, open_log, close_log);
}
