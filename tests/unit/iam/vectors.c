#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/fd.h"

enum { FILE_MAX = 4 * 1024 * 1024 };

static str unescape(struct arena *arena, str text)
{
    char *dst = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool escape = text.ptr[i] == '\\' && text.len - i >= 4 && text.ptr[i + 1] == 'x';
        if (escape && hex_decode(str_slice(text, i + 2, i + 4), dst + len) == OK)
            i += 3;
        else
            dst[len] = text.ptr[i];
        len++;
    }
    return str_of(dst, len);
}

static struct pair split_header(str line)
{
    struct pair header;
    assert_true(str_cut(line, ':', &header.name, &header.value));
    if (header.value.len > 0 && header.value.ptr[0] == ' ')
        header.value = str_skip(header.value, 1);
    return header;
}

size_t headers_parse(str text, struct pair header[VECTOR_HEADERS_MAX])
{
    size_t count = 0;
    while (text.len > 0) {
        str line;
        (void)str_cut(text, '\n', &line, &text);
        assert_true(count < VECTOR_HEADERS_MAX);
        header[count++] = split_header(line);
    }
    return count;
}

static void set_chunk(struct vector *vector, str value)
{
    uint64_t len;
    str number, signature;
    assert_true(vector->chunk_count < VECTOR_CHUNKS_MAX);
    assert_true(str_cut(value, ' ', &number, &signature));
    assert_int_equal(str_to_u64(number, &len), OK);
    vector->chunk[vector->chunk_count].len = len;
    vector->chunk[vector->chunk_count++].signature = signature;
}

static void set_field(struct vector *vector, str word, str value)
{
    struct sig_request *request = &vector->request;
    if (str_eq(word, STR("secret")))
        vector->secret = value;
    else if (str_eq(word, STR("now")))
        assert_int_equal(str_to_i64(value, &vector->now_ms), OK);
    else if (str_eq(word, STR("method")))
        request->method = value;
    else if (str_eq(word, STR("path")))
        request->path = value;
    else if (str_eq(word, STR("query")))
        request->query = value;
    else if (str_eq(word, STR("canonical")))
        vector->canonical = value;
    else if (str_eq(word, STR("chunk")))
        set_chunk(vector, value);
    else if (str_eq(word, STR("trailer")))
        vector->trailer = split_header(value);
    else if (str_eq(word, STR("trailer-signature")))
        vector->trailer_signature = value;
    else if (str_eq(word, STR("header")) && request->header_count < VECTOR_HEADERS_MAX)
        vector->header[request->header_count++] = split_header(value);
    else
        fail_msg("line with \"%.*s\"", STR_ARG(word));
}

static str read_text(struct arena *arena, const char *name)
{
    char path[256];
    const char *root = getenv("PAIL_SOURCE_ROOT");
    struct buf text BUF_SCOPED;
    buf_init(&text, FILE_MAX);
    (void)snprintf(path, sizeof path, "%s/tests/unit/iam/vectors/%s", root ? root : ".", name);
    assert_int_equal(file_read(AT_FDCWD, path, &text), OK);
    return arena_str(arena, buf_str(&text));
}

static size_t count_cases(str text)
{
    size_t count = 0;
    while (text.len > 0) {
        str line;
        (void)str_cut(text, '\n', &line, &text);
        count += str_has_prefix(line, STR("case "));
    }
    return count;
}

struct vector *vectors_read(struct arena *arena, const char *name, size_t *out_count)
{
    str text = read_text(arena, name);
    struct vector *vector = arena_new_array(arena, struct vector, count_cases(text) + 1);
    size_t count = 0;
    while (text.len > 0) {
        str line, word, value;
        (void)str_cut(text, '\n', &line, &text);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        (void)str_cut(line, ' ', &word, &value);
        if (str_eq(word, STR("case")))
            vector[count++].name = value;
        else
            set_field(&vector[count - 1], word, unescape(arena, value));
    }
    for (size_t i = 0; i < count; i++)
        vector[i].request.header = vector[i].header;
    assert_true(count > 0);
    *out_count = count;
    return vector;
}
