/* Aim: a request finds exactly the row that its method and path name, and otherwise learns why not. */
#include "../unit.h"

#include "admin/admin_int.h"

static const struct {
    const char *method, *path;
    enum err expected;
    const char *found; /* argument, or the allowed methods */
} cases[] = {
    {"GET", "/metrics", OK, ""},
    {"HEAD", "/metrics", OK, ""},
    {"POST", "/metrics", ERR_METHOD_NOT_ALLOWED, "GET"},
    {"GET", "/metrics/", ERR_NOT_FOUND, ""},
    {"get", "/metrics", ERR_METHOD_NOT_ALLOWED, "GET"},
    {"GET", "/admin/v1/users", OK, ""},
    {"POST", "/admin/v1/users", OK, ""},
    {"PATCH", "/admin/v1/users", ERR_METHOD_NOT_ALLOWED, "GET, POST"},
    {"DELETE", "/admin/v1/users", ERR_METHOD_NOT_ALLOWED, "GET, POST"},
    {"DELETE", "/admin/v1/users/alice", OK, "alice"},
    {"DELETE", "/admin/v1/users/a%2Fb", OK, "a/b"},
    {"DELETE", "/admin/v1/users/a%20+", OK, "a +"},
    {"DELETE", "/admin/v1/users/a%2", ERR_BAD_URI, ""},
    {"GET", "/admin/v1/users/alice", ERR_METHOD_NOT_ALLOWED, "DELETE"},
    {"DELETE", "/admin/v1/users/", ERR_NOT_FOUND, ""},
    {"DELETE", "/admin/v1/users/a/b", ERR_NOT_FOUND, ""},
    {"DELETE", "/admin/v1/keys/AKID", OK, "AKID"},
    {"GET", "/admin/v1/use", ERR_NOT_FOUND, ""},
    {"GET", "/admin/v1/userss", ERR_NOT_FOUND, ""},
    {"GET", "", ERR_NOT_FOUND, ""},
    {"GET", "/", ERR_NOT_FOUND, ""},
    {"GET", "*", ERR_NOT_FOUND, ""},
};

static void test_each(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 16);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct http_request request = {.method = str_from(cases[i].method),
                                       .path = str_from(cases[i].path)};
        const struct admin_route *route = NULL;
        str argument = STR(""), allowed = STR("");
        assert_err(route_find(&request, arena, &route, &argument, &allowed), cases[i].expected);
        str found = cases[i].expected == ERR_METHOD_NOT_ALLOWED ? allowed : argument;
        assert_str(found, str_from(cases[i].found));
        if (cases[i].expected == OK)
            assert_non_null(route->run);
    }
    arena_free(arena);
}

/* Whoever adds an open page has looked at this list. */
static void test_what_is_open(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1 << 16);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (cases[i].expected != OK)
            continue;
        struct http_request request = {.method = str_from(cases[i].method),
                                       .path = str_from(cases[i].path)};
        const struct admin_route *route;
        str argument, allowed;
        assert_ok(route_find(&request, arena, &route, &argument, &allowed));
        assert_int_equal((route->flags & ROUTE_OPEN) != 0, strcmp(cases[i].path, "/metrics") == 0);
    }
    arena_free(arena);
}

static void test_every_error_has_a_status(void **state)
{
    (void)state;
    for (int err = 0; err < ERR_COUNT; err++) {
        int status = admin_status_of((enum err)err);
        assert_true(status >= 200 && status < 600);
        assert_int_equal(status == 200, err == OK);
    }
    assert_int_equal(admin_status_of(ERR_INTERNAL), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_what_is_open),
        cmocka_unit_test(test_every_error_has_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
