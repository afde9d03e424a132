/* A request as the pure parts of src/s3 see it, made of text: its Host, its target, its fields; no connection, no store. */
#pragma once

#include "fuzz.h"

#include "base/arena.h"
#include "s3/runner.h"

enum { FUZZ_HEADERS_MAX = 64 };

struct fuzz_call {
    struct s3_call call;
    struct http_request request;
    struct s3_loop loop;
    struct s3_settings settings;
    str domain[2];
    struct pair header[FUZZ_HEADERS_MAX];
};

/* "METHOD target\nHost\nName: value\n..." The call borrows the text and the arena. */
static inline void fuzz_call_init(struct fuzz_call *fake, struct arena *arena, str text)
{
    str line, value;
    *fake = (struct fuzz_call){.domain = {STR("s3.example.com"), STR("localhost")}};
    struct http_request *request = &fake->request;
    (void)str_cut(text, '\n', &line, &text);
    (void)str_cut(line, ' ', &request->method, &request->target);
    request->has_query = str_cut(request->target, '?', &request->path, &request->query);
    (void)str_cut(text, '\n', &request->host, &text);
    request->header = fake->header;
    while (text.len > 0 && request->header_count < FUZZ_HEADERS_MAX) {
        struct pair *header = &fake->header[request->header_count++];
        (void)str_cut(text, '\n', &line, &text);
        (void)str_cut(line, ':', &header->name, &value);
        header->value = str_trim(value);
    }
    fake->settings =
        (struct s3_settings){.region = STR("us-east-1"), .domain = fake->domain, .domain_count = 2};
    fake->loop.options.settings = &fake->settings;
    fake->call = (struct s3_call){.s3 = &fake->loop, .request = request, .arena = arena};
}
