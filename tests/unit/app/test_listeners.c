/* Aim: all addresses of a setting listen, or none does; what people are told can be put into a client. */
#include "app/listeners.h"

#include "../unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static bool answers(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return is_connected;
}

static void test_several(void **state)
{
    (void)state;
    const struct settings_address address[] = {{STR_INIT("127.0.0.1"), 0},
                                               {STR_INIT("127.0.0.1"), 0}};
    struct listeners listeners;
    struct fail fail = {0};
    assert_ok(
        listeners_open(&(struct settings_addresses){address, 2}, "listen", &listeners, &fail));
    assert_int_equal(listeners.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(answers(listeners.item[i].port));
    listeners_refuse(&listeners);
    for (size_t i = 0; i < 2; i++)
        assert_false(answers(listeners.item[i].port));
    listeners_close(&listeners);
    listeners_close(&listeners);
}

static void test_none(void **state)
{
    (void)state;
    struct listeners listeners;
    struct fail fail = {0};
    assert_ok(listeners_open(&(struct settings_addresses){0}, "listen", &listeners, &fail));
    assert_int_equal(listeners.count, 0);
}

static void test_one_bad_closes_all(void **state)
{
    (void)state;
    const struct settings_address one[] = {{STR_INIT("127.0.0.1"), 0}};
    struct listeners taken, listeners = {.count = 77};
    struct fail fail = {0};
    assert_ok(listeners_open(&(struct settings_addresses){one, 1}, "listen", &taken, &fail));
    uint16_t taken_port = taken.item[0].port;
    /* A free port of the moment, and the one that is taken. */
    assert_ok(listeners_open(&(struct settings_addresses){one, 1}, "listen", &listeners, &fail));
    uint16_t free_port = listeners.item[0].port;
    listeners_close(&listeners);
    listeners.count = 77;
    const struct settings_address both[] = {{STR_INIT("127.0.0.1"), free_port},
                                            {STR_INIT("127.0.0.1"), taken_port}};
    assert_err(
        listeners_open(&(struct settings_addresses){both, 2}, "admin_listen", &listeners, &fail),
        ERR_BUSY);
    assert_int_equal(listeners.count, 77);
    assert_string_equal(fail.field, "admin_listen");
    assert_non_null(strstr(fail.detail, "admin_listen"));
    assert_false(answers(free_port));
    assert_true(answers(taken_port));
    listeners_close(&taken);
}

static void test_urls(void **state)
{
    (void)state;
    const struct {
        struct listener listener;
        bool is_tls;
        const char *url;
    } cases[] = {
        {{.port = 9000, .text = "127.0.0.1:9000"}, false, "http://127.0.0.1:9000"},
        {{.port = 443, .text = "192.0.2.1:443"}, true, "https://192.0.2.1:443"},
        {{.port = 9000, .text = "0.0.0.0:9000"}, false, "http://127.0.0.1:9000"},
        {{.port = 9000, .text = "[::]:9000"}, true, "https://127.0.0.1:9000"},
        {{.port = 9000, .text = "[::1]:9000"}, false, "http://[::1]:9000"},
    };
    struct arena *arena = arena_new(1 << 12);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_str(listeners_url(&cases[i].listener, cases[i].is_tls, arena),
                   str_from(cases[i].url));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_one_bad_closes_all),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
