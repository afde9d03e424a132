/* A request as the parts of src/s3 see it, without a connection: its head from text, an arena, and settings. */
#pragma once

#include "../unit.h"

#include "s3/runner.h"

enum { CALL_HEADERS_MAX = 40, CALL_QUERY_MAX = 20 };

struct fake_call {
    struct s3_call call; /* given to the functions under test */
    struct http_request request;
    struct pair header[CALL_HEADERS_MAX];
    struct pair query[CALL_QUERY_MAX];
    struct s3_loop loop;
    struct s3_settings settings;
    struct s3_operation operation;
};

/* headers: "Name: value" lines; method: "GET". Strings are borrowed. The shape is that of a SIMPLE operation. */
void fake_call_init(struct fake_call *fake, const char *method, const char *headers);
/* Adds a header or a parameter. */
void fake_call_header(struct fake_call *fake, str name, str value);
void fake_call_query(struct fake_call *fake, str name, str value);
void fake_call_release(struct fake_call *fake);
