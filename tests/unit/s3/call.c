#include "call.h"

enum { CALL_ARENA_BYTES = 16 << 20 };

void fake_call_header(struct fake_call *fake, str name, str value)
{
    assert_true(fake->request.header_count < CALL_HEADERS_MAX);
    fake->header[fake->request.header_count++] = (struct pair){.name = name, .value = value};
}

void fake_call_query(struct fake_call *fake, str name, str value)
{
    assert_true(fake->call.query_count < CALL_QUERY_MAX);
    fake->query[fake->call.query_count++] = (struct pair){.name = name, .value = value};
}

void fake_call_init(struct fake_call *fake, const char *method, const char *headers)
{
    *fake =
        (struct fake_call){.request.method = str_from(method), .settings.region = STR("us-east-1")};
    fake->request.header = fake->header;
    fake->loop.options.settings = &fake->settings;
    fake->call.s3 = &fake->loop;
    fake->call.request = &fake->request;
    fake->call.arena = arena_new(CALL_ARENA_BYTES);
    fake->call.query = fake->query;
    fake->call.operation = &fake->operation;
    str rest = str_from(headers), line, name, value;
    while (rest.len > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        assert_true(str_cut(line, ':', &name, &value));
        fake_call_header(fake, name, str_trim(value));
    }
}

void fake_call_release(struct fake_call *fake)
{
    arena_free(fake->call.arena);
}
