/* Reads the data files of signed requests; vectors/README.md has their form. All memory is the arena's. */
#pragma once

#include "base/arena.h"
#include "iam/sigv4.h"

enum { VECTOR_CHUNKS_MAX = 8, VECTOR_HEADERS_MAX = 32 };

struct vector {
    str name;
    str secret;
    int64_t now_ms;
    struct sig_request request; /* its header array is the one below */
    struct pair header[VECTOR_HEADERS_MAX];
    str canonical; /* hex; may be empty */
    struct {
        size_t len;
        str signature;
    } chunk[VECTOR_CHUNKS_MAX];
    size_t chunk_count;
    struct pair trailer;
    str trailer_signature;
};

/* Reads tests/unit/iam/vectors/<name>; ends the test when the file is missing or malformed. */
struct vector *vectors_read(struct arena *arena, const char *name, size_t *out_count);

/* "Name: value" lines into pairs; for requests written in tests. */
size_t headers_parse(str text, struct pair header[VECTOR_HEADERS_MAX]);
