/* Aim: addresses of both families are written as people write them, and a mapped IPv4 address as IPv4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "net/peer.h"

struct row {
    int family;
    const char *address;
    uint16_t port;
    const char *text;
};

static const struct row rows[] = {
    {AF_INET, "192.0.2.1", 4711, "192.0.2.1:4711"},
    {AF_INET, "0.0.0.0", 0, "0.0.0.0:0"},
    {AF_INET, "255.255.255.255", 65535, "255.255.255.255:65535"},
    {AF_INET6, "2001:db8::1", 9000, "[2001:db8::1]:9000"},
    {AF_INET6, "::", 1, "[::]:1"},
    {AF_INET6, "::ffff:192.0.2.1", 80, "192.0.2.1:80"},
    {AF_INET6, "1111:2222:3333:4444:5555:6666:7777:8888", 65535,
     "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"},
};

static struct sockaddr_storage address_of(const struct row *row)
{
    struct sockaddr_storage storage = {0};
    if (row->family == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(row->port)};
        assert_int_equal(inet_pton(AF_INET, row->address, &in.sin_addr), 1);
        memcpy(&storage, &in, sizeof(in));
    } else {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(row->port)};
        assert_int_equal(inet_pton(AF_INET6, row->address, &in6.sin6_addr), 1);
        memcpy(&storage, &in6, sizeof(in6));
    }
    return storage;
}

static void test_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_storage storage = address_of(&rows[i]);
        struct peer peer = peer_from(&storage);
        char text[PEER_TEXT_MAX];
        str formatted = peer_format(&peer, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(formatted.len, strlen(rows[i].text));
    }
}

static void test_other_family(void **state)
{
    (void)state;
    struct sockaddr_storage storage = {.ss_family = AF_UNIX};
    struct peer peer = peer_from(&storage);
    char text[PEER_TEXT_MAX];
    (void)peer_format(&peer, text);
    assert_string_equal(text, "[::]:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_other_family)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
