/* Aim: every form of address is understood or refused with a reason; a listener accepts, tells its real port, and an address
 * in use is told as such. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/peer.h"

/* ---- Parsing ---- */

struct parsed {
    const char *text;
    const char *host;
    uint16_t port;
};

static const struct parsed parsed[] = {
    {"127.0.0.1:9000", "127.0.0.1", 9000},
    {"[::1]:9000", "::1", 9000},
    {":9000", "", 9000},
    {"localhost:0", "localhost", 0},
    {"h:65535", "h", 65535},
    {"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
};

static void test_parsed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(parsed) / sizeof(parsed[0]); i++) {
        struct listen_address address;
        struct fail fail = {0};
        assert_int_equal(listen_parse(str_from(parsed[i].text), &address, &fail), OK);
        assert_string_equal(address.host, parsed[i].host);
        assert_int_equal(address.port, parsed[i].port);
        assert_string_equal(fail.detail, "");
    }
}

static const str refused[] = {
    STR_INIT(""),          STR_INIT("9000"),      STR_INIT("h"),       STR_INIT("h:"),
    STR_INIT("h:65536"),   STR_INIT("h:-1"),      STR_INIT("h:9000 "), STR_INIT("h:http"),
    STR_INIT("::1:9000"),  STR_INIT("[::1:9000"), STR_INIT("::1]:9"),  STR_INIT("[]:9000"),
    STR_INIT("[::1]9000"), STR_INIT("h\0i:9"),    STR_INIT("[:9000"),
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct listen_address address;
        struct fail fail = {0};
        if (listen_parse(refused[i], &address, &fail) != ERR_BAD_INPUT)
            fail_msg("'%.*s' was taken", STR_ARG(refused[i]));
        assert_string_not_equal(fail.detail, "");
        assert_string_equal(fail.field, "listen");
    }
    char longest[400];
    memset(longest, 'h', sizeof(longest));
    memcpy(longest + sizeof(longest) - 3, ":80", 3);
    struct listen_address address;
    assert_int_equal(listen_parse(str_of(longest, sizeof(longest)), &address, NULL), ERR_BAD_INPUT);
}

/* ---- Opening ---- */

static int connect_to(int family, const char *host, uint16_t port)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    void *place = family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr;
    assert_int_equal(inet_pton(family, host, place), 1);
    const struct sockaddr *address =
        family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
    socklen_t size = family == AF_INET ? sizeof(in) : sizeof(in6);
    if (connect(fd, address, size) == 0)
        return fd;
    close(fd);
    return -1;
}

static struct listener open_one(const char *text)
{
    struct listener listener;
    size_t count;
    struct fail fail = {0};
    if (listen_open(str_from(text), &listener, 1, &count, &fail) != OK)
        fail_msg("%s: %s", text, fail.detail);
    assert_int_equal(count, 1);
    return listener;
}

static void check_accepts(const struct listener *listener, int family, const char *host)
{
    int client = connect_to(family, host, listener->port);
    assert_true(client >= 0);
    int fd = -1;
    struct peer peer;
    assert_int_equal(listen_accept(listener->fd, &fd, &peer), OK);
    int no_delay = 0;
    socklen_t size = sizeof(no_delay);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
    assert_true(no_delay !=
                0); /* inherited, or every small answer would wait for an acknowledgement */
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), -1); /* not blocking */
    close(fd);
    close(client);
    assert_int_equal(listen_accept(listener->fd, &fd, &peer), ERR_WOULD_BLOCK);
}

static bool has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;
    if (fd >= 0)
        close(fd);
    return has;
}

static void test_ipv4(void **state)
{
    (void)state;
    struct listener listener = open_one("127.0.0.1:0");
    assert_true(listener.port != 0);
    assert_true(str_has_prefix(str_from(listener.text), STR("127.0.0.1:")));
    assert_false(str_has_suffix(str_from(listener.text), STR(":0")));
    check_accepts(&listener, AF_INET, "127.0.0.1");
    listen_close(&listener);
    listen_close(&listener); /* twice is harmless */
}

static void test_both_families(void **state)
{
    (void)state;
    struct listener listener = open_one(":0");
    check_accepts(&listener, AF_INET, "127.0.0.1");
    if (has_ipv6())
        check_accepts(&listener, AF_INET6, "::1");
    listen_close(&listener);
}

static void test_ipv6_stands_beside_ipv4(void **state)
{
    (void)state;
    if (!has_ipv6())
        skip();
    struct listener six = open_one("[::]:0");
    check_accepts(&six, AF_INET6, "::1");
    char text[32];
    (void)snprintf(text, sizeof(text), "0.0.0.0:%u", (unsigned)six.port);
    struct listener four = open_one(text);
    check_accepts(&four, AF_INET, "127.0.0.1");
    listen_close(&six);
    listen_close(&four);
}

static void test_in_use(void **state)
{
    (void)state;
    struct listener first = open_one("127.0.0.1:0");
    struct listener second;
    size_t count = 77;
    struct fail fail = {0};
    assert_int_equal(listen_open(str_from(first.text), &second, 1, &count, &fail), ERR_BUSY);
    assert_int_equal(count, 77);
    assert_non_null(strstr(fail.detail, first.text));
    listen_close(&first);
}

static void test_unknown_name(void **state)
{
    (void)state;
    struct listener listener;
    size_t count;
    struct fail fail = {0};
    assert_int_equal(listen_open(STR("256.256.256.256:9000"), &listener, 1, &count, &fail),
                     ERR_BAD_INPUT);
    assert_string_not_equal(fail.detail, "");
}

/* An address that is not this machine's (TEST-NET-1). */
static void test_foreign_address(void **state)
{
    (void)state;
    struct listener listener;
    size_t count;
    struct fail fail = {0};
    assert_int_equal(listen_open(STR("192.0.2.77:0"), &listener, 1, &count, &fail), ERR_IO);
    assert_non_null(strstr(fail.detail, "192.0.2.77"));
}

/* All addresses of a name get the same port. */
static void test_name(void **state)
{
    (void)state;
    struct listener listener[4];
    size_t count = 0;
    struct fail fail = {0};
    if (listen_open(STR("localhost:0"), listener, 4, &count, &fail) != OK)
        fail_msg("%s", fail.detail);
    assert_true(count >= 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(listener[i].port, listener[0].port);
        listen_close(&listener[i]);
    }
}

static void test_stop(void **state)
{
    (void)state;
    struct listener listener = open_one("127.0.0.1:0");
    listen_stop(&listener);
    assert_int_equal(connect_to(AF_INET, "127.0.0.1", listener.port), -1);
    int fd;
    struct peer peer;
    assert_int_equal(listen_accept(listener.fd, &fd, &peer), ERR_CLOSED);
    listen_close(&listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parsed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_ipv6_stands_beside_ipv4),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_foreign_address),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
