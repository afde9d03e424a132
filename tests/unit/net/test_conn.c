/* Aim: what a connection says of its readiness is never too little: after a short read or a refused write an event comes, and
 * whatever no event will come for is still told as readable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "net/conn.h"

struct side {
    struct loop *loop;
    struct conn conn;
    int other;
    uint32_t events;
};

static void note_and_stop(struct watch *watch, uint32_t events)
{
    struct side *side = container_of(watch, struct side, conn.watch);
    side->events = events;
    conn_note(&side->conn, events);
    loop_stop(side->loop);
}

static struct side open_side(void)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    struct side side = {.loop = loop_new(), .other = fd[1]};
    assert_non_null(side.loop);
    assert_int_equal(conn_open(&side.conn, fd[0], NULL, note_and_stop), OK);
    return side;
}

static void close_side(struct side *side)
{
    conn_close(side->loop, &side->conn);
    if (side->other >= 0)
        close(side->other);
    loop_free(side->loop);
}

static void put(const struct side *side, const char *text)
{
    assert_int_equal(write(side->other, text, strlen(text)), (ssize_t)strlen(text));
}

static void test_reads(void **state)
{
    (void)state;
    struct side side = open_side();
    char buffer[8];
    size_t len = 77;
    assert_true(side.conn.is_readable); /* a new connection is read at once */
    assert_int_equal(conn_read(&side.conn, buffer, 8, &len), ERR_WOULD_BLOCK);
    assert_int_equal(len, 77);
    assert_false(side.conn.is_readable);
    put(&side, "0123456789");
    conn_note(&side.conn, EPOLLIN);
    assert_int_equal(conn_read(&side.conn, buffer, 8, &len), OK);
    assert_int_equal(len, 8);
    assert_true(side.conn.is_readable); /* full: there may be more */
    assert_int_equal(conn_read(&side.conn, buffer, 8, &len), OK);
    assert_int_equal(len, 2);
    assert_false(side.conn.is_readable); /* short: an event will come */
    close_side(&side);
}

/* The end of the stream is reported once, together with the last bytes: a short read must not forget it. */
static void test_end_behind_bytes(void **state)
{
    (void)state;
    struct side side = open_side();
    assert_int_equal(conn_watch(side.loop, &side.conn), OK);
    assert_int_equal(conn_watch(side.loop, &side.conn), OK); /* twice is once */
    loop_run(side.loop);                                     /* it is writable */
    put(&side, "bye");
    assert_int_equal(shutdown(side.other, SHUT_WR), 0);
    loop_run(side.loop);
    assert_true((side.events & EPOLLRDHUP) != 0);
    char buffer[8];
    size_t len;
    assert_int_equal(conn_read(&side.conn, buffer, 8, &len), OK);
    assert_int_equal(len, 3);
    assert_true(side.conn.is_readable);
    assert_false(side.conn.is_broken); /* a half-closed client still wants its answer */
    assert_int_equal(conn_read(&side.conn, buffer, 8, &len), ERR_CLOSED);
    close_side(&side);
}

static void test_peer_gone(void **state)
{
    (void)state;
    struct side side = open_side();
    assert_int_equal(conn_watch(side.loop, &side.conn), OK);
    loop_run(side.loop);
    close(side.other);
    side.other = -1;
    loop_run(side.loop);
    assert_true(side.conn.is_broken);
    struct iovec piece = {(char[]){"x"}, 1};
    size_t len;
    assert_int_equal(conn_write(&side.conn, &piece, 1, false, &len), ERR_IO); /* and no SIGPIPE */
    close_side(&side);
}

/* Fills the socket, empties it from the other end, and waits for the event that says so. */
static void test_writes(void **state)
{
    (void)state;
    struct side side = open_side();
    static char block[65536];
    struct iovec piece[2] = {{block, 1000}, {block, sizeof(block)}};
    size_t total = 0, len;
    while (side.conn.is_writable) {
        enum err err = conn_write(&side.conn, piece, 2, false, &len);
        assert_true(err == OK || err == ERR_WOULD_BLOCK);
        total += err == OK ? len : 0;
    }
    assert_int_equal(conn_watch(side.loop, &side.conn), OK);
    while (total > 0) {
        ssize_t got = read(side.other, block, sizeof(block));
        assert_true(got > 0);
        total -= (size_t)got;
    }
    loop_run(side.loop);
    assert_true(side.conn.is_writable);
    close_side(&side);
}

static void test_files(void **state)
{
    (void)state;
    struct side side = open_side();
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(fputs("0123456789", file) >= 0);
    assert_int_equal(fflush(file), 0);
    size_t len;
    assert_int_equal(conn_write_file(&side.conn, fileno(file), 2, 5, &len), OK);
    assert_int_equal(len, 5);
    char buffer[8];
    assert_int_equal(read(side.other, buffer, 8), 5);
    assert_memory_equal(buffer, "23456", 5);
    assert_int_equal(conn_write_file(&side.conn, fileno(file), 8, 5, &len), OK); /* what is there */
    assert_int_equal(len, 2);
    assert_int_equal(conn_write_file(&side.conn, fileno(file), 10, 1, &len), ERR_CORRUPT);
    (void)fclose(file);
    close_side(&side);
}

static void test_finish(void **state)
{
    (void)state;
    struct side side = open_side();
    conn_finish_writing(&side.conn);
    char buffer[8];
    assert_int_equal(read(side.other, buffer, 8), 0);
    put(&side, "late");
    size_t len;
    assert_int_equal(conn_discard(&side.conn, buffer, 8, &len), OK);
    assert_int_equal(len, 4);
    assert_int_equal(conn_discard(&side.conn, buffer, 8, &len), ERR_WOULD_BLOCK);
    close_side(&side);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),     cmocka_unit_test(test_end_behind_bytes),
        cmocka_unit_test(test_peer_gone), cmocka_unit_test(test_writes),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
