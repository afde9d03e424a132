/* Aim: the service manager's socket gets each state as one datagram; without one, or with a bad one, nothing happens. */
#include "app/notify.h"

#include "../unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int bind_to(const char *name, socklen_t name_len)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, name_len);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name_len);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

static void expect_states(int fd)
{
    char got[100];
    notify_manager("READY=1");
    notify_manager("STOPPING=1");
    assert_int_equal(recv(fd, got, sizeof(got), 0), 7);
    assert_memory_equal(got, "READY=1", 7);
    assert_int_equal(recv(fd, got, sizeof(got), 0), 10);
    assert_int_equal(recv(fd, got, sizeof(got), 0), -1);
}

static void test_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/pail-test-notify-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    int len = snprintf(path, sizeof(path), "%s/socket", folder);
    int fd = bind_to(path, (socklen_t)len);
    setenv("NOTIFY_SOCKET", path, 1);
    expect_states(fd);
    close(fd);
    unlink(path);
    rmdir(folder);
}

static void test_abstract(void **state)
{
    (void)state;
    char name[64];
    int len = snprintf(name, sizeof(name), "@pail-test-notify-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    int fd = bind_to(name, (socklen_t)len);
    expect_states(fd);
    close(fd);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    char longest[300];
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[299] = '\0';
    const char *const cases[] = {"",          "/",    "@", "relative", "/nonexistent/socket",
                                 "vsock:2:3", longest};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        setenv("NOTIFY_SOCKET", cases[i], 1);
        notify_manager("READY=1");
    }
    unsetenv("NOTIFY_SOCKET");
    notify_manager("READY=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_abstract),
        cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
