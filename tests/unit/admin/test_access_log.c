/* Aim: each exchange is one whole line, in order, however many there are; what cannot be written is counted and never holds
 * a loop; what would let a reader of the log act is not in it. */
#include "admin/access_log.h"

#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "codec/json.h"

struct fixture {
    struct workers *workers;
    struct loop *loop;
    struct access_log *log;
    struct access_log_lane *lane;
    char path[64];
    struct timer timer;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->workers = workers_new(2);
    f->loop = loop_new();
    f->log = access_log_new(f->workers);
    f->lane = access_log_lane_new(f->log, f->loop);
    (void)snprintf(f->path, sizeof(f->path), "/tmp/pail-test-access-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    *state = f;
    return 0;
}

/* Ends the writing, so that the file holds all of it. */
static void finish(struct fixture *f)
{
    workers_free(f->workers);
    access_log_lane_free(f->lane);
    f->workers = NULL;
    f->lane = NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    workers_free(f->workers);
    access_log_lane_free(f->lane);
    access_log_free(f->log);
    loop_free(f->loop);
    (void)unlink(f->path);
    free(f);
    return 0;
}

static void set_target(struct fixture *f, const char *path, enum access_log_format format)
{
    struct fail fail = {0};
    assert_ok(access_log_set_target(f->log, str_from(path), format, &fail));
}

static void add(struct fixture *f, const char *target, const char *key)
{
    const struct http_outcome outcome = {.status = 200,
                                         .body_in_bytes = 5,
                                         .body_out_bytes = 7,
                                         .total_us = 1234,
                                         .is_complete = true};
    const struct s3_event event = {
        .operation = "GetObject",
        .request_id = STR("ID"),
        .method = STR("GET"),
        .target = str_from(target),
        .peer = STR("127.0.0.1:1"),
        .access_key = STR("KEY"),
        .bucket = STR("bucket"),
        .key = str_from(key),
        .user_agent = STR("a \"tool\""),
        .outcome = &outcome,
    };
    access_log_add(f->lane, &event);
}

/* The file's lines in the arena. */
static size_t read_lines(struct fixture *f, struct arena *arena, str *line, size_t max)
{
    BUF_SCOPED struct buf content;
    buf_init(&content, 64 << 20);
    assert_ok(file_read(AT_FDCWD, f->path, &content));
    str rest = arena_str(arena, buf_str(&content));
    size_t count = 0;
    while (rest.len && count < max)
        assert_true(str_cut(rest, '\n', &line[count++], &rest));
    return count;
}

static void stop_loop(struct timer *timer)
{
    struct fixture *f = container_of(timer, struct fixture, timer);
    loop_stop(f->loop);
}

static void run_loop_for(struct fixture *f, int64_t us)
{
    timer_init(&f->timer, stop_loop);
    timer_set(f->loop, &f->timer, loop_now_us(f->loop) + us);
    loop_run(f->loop);
}

static void test_off_by_default(void **state)
{
    struct fixture *f = *state;
    add(f, "/b/k", "k");
    set_target(f, f->path, ACCESS_LOG_TEXT);
    set_target(f, "off", ACCESS_LOG_TEXT);
    add(f, "/b/k", "k");
    set_target(f, "", ACCESS_LOG_TEXT);
    add(f, "/b/k", "k");
    finish(f);
    struct arena *arena = arena_new(1 << 20);
    str line[4];
    assert_int_equal(read_lines(f, arena, line, COUNT_OF(line)), 0);
    arena_free(arena);
}

static void test_text_line(void **state)
{
    struct fixture *f = *state;
    set_target(f, f->path, ACCESS_LOG_TEXT);
    add(f, "/b/k", "k");
    finish(f);
    struct arena *arena = arena_new(1 << 20);
    str line[4], time, rest;
    assert_int_equal(read_lines(f, arena, line, COUNT_OF(line)), 1);
    assert_true(str_cut(line[0], ' ', &time, &rest));
    assert_true(str_has_suffix(time, STR("Z")));
    assert_str(rest,
               STR("127.0.0.1:1 KEY GetObject 200 - 5 7 1.234 ID \"GET /b/k\" \"a \\\"tool\\\"\""));
    arena_free(arena);
}

static void test_json_line(void **state)
{
    struct fixture *f = *state;
    set_target(f, f->path, ACCESS_LOG_JSON);
    add(f, "/b/k", "line\nbreak \xff");
    finish(f);
    struct arena *arena = arena_new(1 << 20);
    str line[4];
    struct json_value *value;
    struct fail fail = {0};
    assert_int_equal(read_lines(f, arena, line, COUNT_OF(line)), 1);
    assert_ok(json_parse(arena, line[0], &value, &fail));
    assert_str(json_member_text(value, "operation"), STR("GetObject"));
    assert_str(json_member_text(value, "key"), STR("line\nbreak \xEF\xBF\xBD"));
    assert_int_equal(json_member(value, "bytes_in")->integer, 5);
    assert_int_equal(json_member(value, "total_us")->integer, 1234);
    arena_free(arena);
}

static void test_signatures_are_left_out(void **state)
{
    const struct {
        const char *target, *written;
    } cases[] = {
        {"/b/k?X-Amz-Signature=abc", "/b/k?X-Amz-Signature=..."},
        {"/b/k?a=1&x-amz-signature=abc&b=2", "/b/k?a=1&x-amz-signature=...&b=2"},
        {"/b/k?X-Amz-Security-Token=t&X-Amz-Signature=s",
         "/b/k?X-Amz-Security-Token=...&X-Amz-Signature=..."},
        {"/b/k?AWSAccessKeyId=a&Signature=s%3D&Expires=1",
         "/b/k?AWSAccessKeyId=a&Signature=...&Expires=1"},
        {"/b/Signature=kept?list-type=2", "/b/Signature=kept?list-type=2"},
        {"/b/k?MySignature=kept", "/b/k?MySignature=kept"},
        {"/b/k?", "/b/k?"},
        {"", ""},
    };
    struct fixture *f = *state;
    set_target(f, f->path, ACCESS_LOG_JSON);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        add(f, cases[i].target, "k");
    finish(f);
    struct arena *arena = arena_new(1 << 20);
    str line[COUNT_OF(cases) + 1];
    assert_int_equal(read_lines(f, arena, line, COUNT_OF(line)), COUNT_OF(cases));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_value *value;
        struct fail fail = {0};
        assert_ok(json_parse(arena, line[i], &value, &fail));
        assert_str(json_member_text(value, "target"), str_from(cases[i].written));
    }
    arena_free(arena);
}

/* A quiet server's lines appear soon, not when a buffer is full. */
static void test_lines_appear_in_time(void **state)
{
    struct fixture *f = *state;
    set_target(f, f->path, ACCESS_LOG_TEXT);
    run_loop_for(f, 1000);
    add(f, "/b/k", "k");
    run_loop_for(f, 400 * 1000);
    struct arena *arena = arena_new(1 << 20);
    str line[4];
    assert_int_equal(read_lines(f, arena, line, COUNT_OF(line)), 1);
    arena_free(arena);
}

/* Lines that came while a write was under way follow it by themselves. */
static void test_lines_behind_a_write(void **state)
{
    struct fixture *f = *state;
    enum { LINES = 600 };
    set_target(f, f->path, ACCESS_LOG_TEXT);
    /* The loop does not run yet, so the first write that begins does not end before all lines are here. */
    for (int i = 0; i < LINES; i++)
        add(f, "/b/k", "k");
    run_loop_for(f, 150 * 1000);
    struct arena *arena = arena_new(1 << 20);
    str line[LINES + 1];
    assert_int_equal(read_lines(f, arena, line, COUNT_OF(line)), LINES);
    arena_free(arena);
}

struct burst {
    struct fixture *f;
    struct task task;
    unsigned added;
};
enum { BURST_LINES = 20000, BURST_STEP = 100 };

static void add_some(struct task *task)
{
    struct burst *burst = container_of(task, struct burst, task);
    for (int i = 0; i < BURST_STEP; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%u", burst->added++);
        add(burst->f, "/b/k", key);
    }
    if (burst->added < BURST_LINES)
        loop_post(burst->f->loop, task);
}

/* Many lines through many writes: all there or counted, none twice, in order. */
static void test_burst(void **state)
{
    struct fixture *f = *state;
    struct burst burst = {.f = f, .task.run = add_some};
    set_target(f, f->path, ACCESS_LOG_JSON);
    loop_post(f->loop, &burst.task);
    run_loop_for(f, 1000 * 1000);
    finish(f);
    assert_int_equal(burst.added, BURST_LINES);
    struct arena *arena = arena_new(64 << 20);
    str *line = arena_new_array(arena, str, BURST_LINES + 1);
    size_t count = read_lines(f, arena, line, BURST_LINES + 1);
    assert_int_equal(count + access_log_dropped(f->log), BURST_LINES);
    int64_t before = -1;
    for (size_t i = 0; i < count; i++) {
        ptrdiff_t at = str_find(line[i], STR("\"key\":\""));
        int64_t number;
        str text, rest;
        (void)str_cut(str_skip(line[i], (size_t)at + 7), '"', &text, &rest);
        assert_ok(str_to_i64(text, &number));
        assert_true(number > before);
        assert_true(str_has_suffix(line[i], STR("}")));
        before = number;
    }
    arena_free(arena);
}

/* A target that takes nothing: lines are dropped and counted, memory stays within its limit, nobody waits. */
static void test_full_disk(void **state)
{
    struct fixture *f = *state;
    set_target(f, "/dev/full", ACCESS_LOG_TEXT);
    for (int i = 0; i < 100; i++)
        add(f, "/b/k", "k");
    finish(f);
    assert_int_equal(access_log_dropped(f->log), 100);
}

/* While the one write is under way more lines come than may wait: the loop is not running here, so no write ever ends. */
static void test_too_much_at_once(void **state)
{
    struct fixture *f = *state;
    set_target(f, f->path, ACCESS_LOG_TEXT);
    enum { LINES = 20000 };
    for (int i = 0; i < LINES; i++)
        add(f, "/b/a-target-that-is-a-little-longer-than-the-others-so-that-the-limit-comes", "k");
    uint64_t dropped = access_log_dropped(f->log);
    assert_true(dropped > 0);
    finish(f);
    struct arena *arena = arena_new(64 << 20);
    str *line = arena_new_array(arena, str, LINES + 1);
    assert_int_equal(read_lines(f, arena, line, LINES + 1) + dropped, LINES);
    arena_free(arena);
}

static void test_bad_target_keeps_the_former(void **state)
{
    struct fixture *f = *state;
    struct fail fail = {0};
    set_target(f, f->path, ACCESS_LOG_TEXT);
    assert_err(access_log_set_target(f->log, STR("/nonexistent/log"), ACCESS_LOG_TEXT, &fail),
               ERR_NOT_FOUND);
    assert_non_null(strstr(fail.detail, "/nonexistent/log"));
    add(f, "/b/k", "k");
    finish(f);
    struct arena *arena = arena_new(1 << 20);
    str line[4];
    assert_int_equal(read_lines(f, arena, line, COUNT_OF(line)), 1);
    arena_free(arena);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_off_by_default),
        CASE(test_text_line),
        CASE(test_json_line),
        CASE(test_signatures_are_left_out),
        CASE(test_lines_appear_in_time),
        CASE(test_lines_behind_a_write),
        CASE(test_burst),
        CASE(test_full_disk),
        CASE(test_too_much_at_once),
        CASE(test_bad_target_keeps_the_former),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
