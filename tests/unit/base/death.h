/* Runs a function in a child process that is expected to end by fatal(), and compares what it says. */
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"

static inline void assert_dies(void (*fn)(void), const char *expected_message)
{
    int end[2];
    assert_int_equal(pipe(end), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL); /* cmocka catches it to report a failed test */
        (void)dup2(end[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    (void)close(end[1]);
    char said[512] = {0};
    size_t len = 0;
    for (ssize_t got; (got = read(end[0], said + len, sizeof(said) - 1 - len)) > 0;)
        len += (size_t)got;
    (void)close(end[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    /* The address sanitizer may have warned before. */
    if (!str_has_suffix(str_from(said), str_from(expected_message)))
        fail_msg("it said \"%s\", expected \"%s\"", said, expected_message);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
