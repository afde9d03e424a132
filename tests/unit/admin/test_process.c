/* Aim: the figures of the process are those that the system gives by other ways, too. */
#include "admin/process.h"

#include "../unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"

/* The whole number in front of a sample's fraction; -1 without that sample. */
static int64_t value_of(const char *name)
{
    BUF_SCOPED struct buf out;
    buf_init(&out, 1 << 16);
    process_write(&out);
    assert_ok(buf_err(&out));
    str rest = buf_str(&out), line, head, value, whole, fraction;
    while (rest.len) {
        (void)str_cut(rest, '\n', &line, &rest);
        if (!str_cut(line, ' ', &head, &value) || !str_eq(head, str_from(name)))
            continue;
        int64_t number;
        (void)str_cut(value, '.', &whole, &fraction);
        assert_ok(str_to_i64(whole, &number));
        return number;
    }
    return -1;
}

static void test_memory(void **state)
{
    (void)state;
    struct process_memory memory;
    assert_ok(process_memory(&memory));
    assert_true(memory.resident_bytes > 100 * 1024);
    assert_true(memory.virtual_bytes >= memory.resident_bytes);
    assert_true(value_of("process_resident_memory_bytes") > 100 * 1024);
}

static void test_open_files(void **state)
{
    (void)state;
    int64_t before = value_of("process_open_fds"), counted = 0;
    for (int i = 0; i < 1024; i++)
        counted += fcntl(i, F_GETFD) >= 0;
    assert_int_equal(before, counted);
    int fd[3];
    for (size_t i = 0; i < COUNT_OF(fd); i++)
        fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(value_of("process_open_fds"), before + 3);
    for (size_t i = 0; i < COUNT_OF(fd); i++)
        close(fd[i]);
    assert_int_equal(value_of("process_open_fds"), before);
    assert_true(value_of("process_max_fds") > before);
}

/* Within two seconds: the system counts from boot in hundredths. */
static void test_start_time(void **state)
{
    (void)state;
    int64_t now_s = clock_real_ms() / 1000;
    assert_in_range(value_of("process_start_time_seconds"), now_s - 60, now_s + 2);
    assert_true(value_of("process_cpu_seconds_total") >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_open_files),
        cmocka_unit_test(test_start_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
