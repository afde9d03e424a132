/* Any bytes as URL text and as a query. Encoding is undone by decoding; a query written from its pairs has the same pairs. */
#include "fuzz.h"

#include "codec/url.h"

static void check_encoding(struct arena *arena, str text)
{
    for (int keep_slash = 0; keep_slash < 2; keep_slash++) {
        BUF_SCOPED struct buf encoded;
        buf_init(&encoded, SIZE_MAX);
        url_encode(&encoded, text, keep_slash);
        str back;
        FUZZ_CHECK(url_decode(arena, buf_str(&encoded), true, &back) == OK);
        FUZZ_CHECK(str_eq(back, text));
    }
}

static void check_query(struct arena *arena, const struct pair *pair, size_t count)
{
    BUF_SCOPED struct buf query;
    buf_init(&query, SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        url_encode(&query, pair[i].name, false);
        buf_append_char(&query, '=');
        url_encode(&query, pair[i].value, false);
        buf_append_char(&query, '&');
    }
    struct pair *again;
    size_t again_count;
    FUZZ_CHECK(url_parse_query(arena, buf_str(&query), count, &again, &again_count) == OK);
    FUZZ_CHECK(again_count == count);
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(str_eq(again[i].name, pair[i].name) && str_eq(again[i].value, pair[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(64 << 20);
    str text = fuzz_input(data, size), decoded;
    struct pair *pair;
    size_t count;
    check_encoding(arena, text);
    if (url_decode(arena, text, false, &decoded) == OK)
        FUZZ_CHECK(decoded.len <= text.len);
    if (url_parse_query(arena, text, 100, &pair, &count) == OK)
        check_query(arena, pair, count);
    arena_free(arena);
    return 0;
}
