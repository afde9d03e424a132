/* Aim: an aws-chunked body gives its payload and its trailer however it is cut, the published examples among them; and no bytes
 * that were added, left out, changed or put in another order pass for the body that was signed. */
#include "../unit.h"

#include "../iam/vectors.h"
#include "base/buf.h"
#include "s3/awschunked.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(64 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

struct decoded {
    enum err err;
    struct buf payload;
    bool is_done;
    struct aws_chunked chunked;
};

/* Decodes `body` in pieces of at most `piece` bytes, taking at most `taken` bytes of a payload at once. */
static void decode(struct decoded *out, const struct sigv4_chain *chain, bool has_trailer, str body,
                   const size_t cut[2])
{
    *out = (struct decoded){.err = OK};
    buf_init(&out->payload, SIZE_MAX);
    aws_chunked_init(&out->chunked, arena, chain, has_trailer);
    while (body.len > 0 && out->err == OK) {
        str data = str_slice(body, 0, body.len < cut[0] ? body.len : cut[0]), payload;
        size_t consumed = 0;
        out->err = aws_chunked_next(&out->chunked, data, &consumed, &payload);
        if (out->err != OK)
            break;
        assert_true(consumed + payload.len <= data.len);
        assert_true(consumed > 0 || payload.len > 0);
        str taken = str_slice(payload, 0, payload.len < cut[1] ? payload.len : cut[1]);
        if (payload.len > 0)
            aws_chunked_took(&out->chunked, taken);
        buf_append(&out->payload, taken);
        body = str_skip(body, consumed + taken.len);
    }
    out->is_done = aws_chunked_is_done(&out->chunked);
    aws_chunked_release(&out->chunked);
}

static const size_t whole[2] = {SIZE_MAX, SIZE_MAX};

static void decoded_release(struct decoded *decoded)
{
    buf_release(&decoded->payload);
}

/* ---- The published examples ---- */

/* The bodies that the reference describes: 66,560 times 'a' in chunks of 64 KiB. */
static str example_body(const struct vector *vector, const char *trailer_end)
{
    struct buf body;
    buf_init(&body, SIZE_MAX);
    for (size_t i = 0; i < vector->chunk_count; i++) {
        buf_printf(&body, "%zx;chunk-signature=%.*s\r\n", vector->chunk[i].len,
                   STR_ARG(vector->chunk[i].signature));
        for (size_t k = 0; k < vector->chunk[i].len; k++)
            buf_append_char(&body, 'a');
        if (vector->chunk[i].len > 0)
            buf_append(&body, STR("\r\n"));
    }
    if (vector->trailer.name.len > 0) {
        buf_printf(&body, "%.*s:%.*s%s", STR_ARG(vector->trailer.name),
                   STR_ARG(vector->trailer.value), trailer_end);
        buf_printf(&body, "x-amz-trailer-signature:%.*s\r\n", STR_ARG(vector->trailer_signature));
    }
    buf_append(&body, STR("\r\n"));
    str kept = arena_str(arena, buf_str(&body));
    buf_release(&body);
    return kept;
}

static struct sigv4_chain chain_of(const struct vector *vector)
{
    struct sigv4 sig;
    struct sigv4_chain chain;
    uint8_t key[SIGV4_KEY_SIZE];
    assert_ok(sigv4_parse(&vector->request, arena, &sig, NULL));
    sigv4_signing_key(vector->secret, sig.date, sig.region, sig.service, key);
    sigv4_chain_begin(&chain, &sig, key);
    return chain;
}

static void check_example(const struct vector *vector, str body, const size_t cut[2])
{
    struct decoded decoded;
    struct sigv4_chain chain = chain_of(vector);
    bool has_trailer = vector->trailer.name.len > 0;
    decode(&decoded, &chain, has_trailer, body, cut);
    assert_err(decoded.err, OK);
    assert_true(decoded.is_done);
    assert_int_equal(decoded.payload.len, 66560);
    for (size_t i = 0; i < decoded.payload.len; i++)
        assert_int_equal(decoded.payload.ptr[i], 'a');
    assert_int_equal(decoded.chunked.trailer_count, has_trailer);
    if (has_trailer) {
        assert_str(decoded.chunked.trailer[0].name, vector->trailer.name);
        assert_str(decoded.chunked.trailer[0].value, vector->trailer.value);
    }
    decoded_release(&decoded);
}

static void test_examples(void **state)
{
    (void)state;
    static const size_t cuts[][2] = {
        {SIZE_MAX, SIZE_MAX}, {1, 1},       {7, SIZE_MAX}, {SIZE_MAX, 5}, {86, 3},
        {65536, 65536},       {65537, 100},
    };
    /* Fields are ended by CR LF; the reference's own example ends them by LF, and leaves a line empty. */
    static const char *const ends[] = {"\r\n", "\n", "\n\r\n"};
    size_t count, checked = 0;
    const struct vector *vector = vectors_read(arena, "aws.txt", &count);
    for (size_t i = 0; i < count; i++) {
        if (vector[i].chunk_count == 0)
            continue;
        for (size_t e = 0; e < COUNT_OF(ends); e++)
            for (size_t k = 0; k < COUNT_OF(cuts); k++)
                check_example(&vector[i], example_body(&vector[i], ends[e]), cuts[k]);
        checked++;
    }
    assert_int_equal(checked, 2);
}

/* ---- Signed bodies of our own ---- */

enum { CHUNKS = 3 };

struct signed_body {
    struct sigv4_chain start;
    str head[CHUNKS + 1], data[CHUNKS + 1]; /* "size;signature CRLF", "bytes CRLF" */
    str trailer;                            /* field, signature, end */
};

static const size_t usual[CHUNKS + 1] = {AWS_CHUNK_MIN_BYTES, AWS_CHUNK_MIN_BYTES, 5, 0};

static void sign_body(struct signed_body *body, const size_t size[CHUNKS + 1])
{
    const struct sigv4 sig = {.date = STR("20130524"),
                              .region = STR("us-east-1"),
                              .service = STR("s3"),
                              .timestamp = STR("20130524T000000Z")};
    static const struct pair field = {STR_INIT("x-amz-checksum-crc32"), STR_INIT("AAAAAA==")};
    uint8_t key[SIGV4_KEY_SIZE] = {1};
    char hex[SIGV4_SIGNATURE_HEX_LEN];
    sigv4_chain_begin(&body->start, &sig, key);
    struct sigv4_chain chain = body->start;
    for (size_t i = 0; i <= CHUNKS; i++) {
        uint8_t sha256[SHA256_SIZE];
        char *bytes = arena_alloc(arena, size[i] + 2);
        memset(bytes, (int)('a' + i), size[i]);
        sha256_of(bytes, size[i], sha256);
        memcpy(bytes + size[i], "\r\n", 2);
        sigv4_chain_sign_chunk(&chain, sha256, hex);
        body->head[i] = arena_printf(arena, "%zx;chunk-signature=%.64s\r\n", size[i], hex);
        body->data[i] = str_of(bytes, size[i] > 0 ? size[i] + 2 : 0);
    }
    assert_ok(sigv4_chain_sign_trailer(&chain, &field, 1, hex));
    body->trailer = arena_printf(
        arena, "x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:%.64s\r\n\r\n", hex);
}

static str join_body(const struct signed_body *body, const size_t *order, size_t count, str trailer)
{
    str piece[2 * (CHUNKS + 2) + 1];
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++) {
        piece[pieces++] = body->head[order[i]];
        piece[pieces++] = body->data[order[i]];
    }
    piece[pieces++] = trailer;
    return arena_join(arena, piece, pieces);
}

static enum err decode_signed(const struct signed_body *body, str text, bool has_trailer)
{
    struct decoded decoded;
    decode(&decoded, &body->start, has_trailer, text, whole);
    enum err err = decoded.err == OK && !decoded.is_done ? ERR_SHORT_BODY : decoded.err;
    decoded_release(&decoded);
    return err;
}

static void test_orders(void **state)
{
    (void)state;
    struct signed_body body;
    sign_body(&body, usual);
    static const struct {
        size_t order[CHUNKS + 2], count;
        enum err expected;
    } cases[] = {
        {{0, 1, 2, 3}, 4, OK},
        {{1, 0, 2, 3}, 4, ERR_SIGNATURE_MISMATCH},
        {{0, 2, 3}, 3, ERR_SIGNATURE_MISMATCH},
        {{0, 0, 1, 2, 3}, 5, ERR_SIGNATURE_MISMATCH},
        {{0, 1, 3}, 3, ERR_SIGNATURE_MISMATCH},
        {{3}, 1, ERR_SIGNATURE_MISMATCH},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_err(decode_signed(
                       &body, join_body(&body, cases[i].order, cases[i].count, body.trailer), true),
                   cases[i].expected);
}

/* Every byte matters, wherever it stands: changed, left out, or the body cut there. */
static void test_every_byte(void **state)
{
    (void)state;
    struct signed_body body;
    sign_body(&body, usual);
    static const size_t order[] = {0, 1, 2, 3};
    str text = join_body(&body, order, COUNT_OF(order), body.trailer);
    char *changed = arena_alloc(arena, text.len);
    for (size_t i = 0; i < text.len; i += i % 97 == 0 || i + 400 > text.len || i < 100 ? 1 : 61) {
        struct decoded decoded;
        memcpy(changed, text.ptr, text.len);
        changed[i] = (char)(changed[i] ^ 0x40);
        decode(&decoded, &body.start, true, str_of(changed, text.len), whole);
        bool is_good = decoded.err == OK && decoded.is_done;
        decoded_release(&decoded);
        /* Only the case of a field's name may differ. */
        assert_true(!is_good || (changed[i] | 0x20) == (text.ptr[i] | 0x20));
        memmove(changed + i, text.ptr + i + 1, text.len - i - 1);
        decode(&decoded, &body.start, true, str_of(changed, text.len - 1), whole);
        is_good = decoded.err == OK && decoded.is_done;
        decoded_release(&decoded);
        assert_true(!is_good || text.ptr[i] == '\r'); /* a field may end with LF alone */
        decode(&decoded, &body.start, true, str_slice(text, 0, i), whole);
        assert_err(decoded.err, OK);
        assert_false(decoded.is_done);
        decoded_release(&decoded);
    }
    assert_err(decode_signed(&body, text, true), OK);
    assert_err(decode_signed(&body, arena_printf(arena, "%.*sx", STR_ARG(text)), true),
               ERR_BAD_TRAILER);
}

static void test_trailers(void **state)
{
    (void)state;
    struct signed_body body;
    sign_body(&body, usual);
    static const size_t order[] = {0, 1, 2, 3};
    str good = str_slice(body.trailer, 0, body.trailer.len - 2);
    const struct {
        str trailer;
        bool has_trailer;
        enum err expected;
    } cases[] = {
        {body.trailer, true, OK},
        {STR("\r\n"), false, OK},
        {STR("\r\n"), true, ERR_SIGNATURE_MISMATCH},
        {body.trailer, false, ERR_BAD_TRAILER},                               /* not announced */
        {STR("x-amz-checksum-crc32:AAAAAA==\r\n\r\n"), true, ERR_SHORT_BODY}, /* unsigned */
        {arena_printf(arena, "%.*s%.*s\r\n", STR_ARG(good), STR_ARG(good)), true,
         ERR_BAD_TRAILER}, /* twice */
        {arena_printf(arena, "x-other:1\r\n%.*s\r\n", STR_ARG(good)), true, ERR_SIGNATURE_MISMATCH},
        {arena_printf(arena, "%.*sx-other:1\r\n\r\n", STR_ARG(good)), true,
         ERR_BAD_TRAILER}, /* behind the signature */
        {STR("x-amz-trailer-signature:\r\n\r\n"), true, ERR_BAD_TRAILER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err err =
            decode_signed(&body, join_body(&body, order, COUNT_OF(order), cases[i].trailer),
                          cases[i].has_trailer);
        if (err != cases[i].expected)
            fail_msg("%zu: %s", i, err_name(err));
    }
}

/* Only the last chunk with bytes may be small: else a body would be all framing. */
static void test_small_chunks(void **state)
{
    (void)state;
    enum { LEAST = AWS_CHUNK_MIN_BYTES };
    static const struct {
        size_t size[CHUNKS + 1];
        enum err expected;
    } cases[] = {
        {{LEAST, LEAST, 1, 0}, OK},
        {{LEAST, LEAST, LEAST - 1, 0}, OK},
        {{LEAST, LEAST + 1, LEAST, 0}, OK},
        {{LEAST - 1, 1, 1, 0}, ERR_SMALL_CHUNK},
        {{LEAST, LEAST - 1, LEAST, 0}, ERR_SMALL_CHUNK},
    };
    static const size_t order[] = {0, 1, 2, 3};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct signed_body body;
        sign_body(&body, cases[i].size);
        str text = join_body(&body, order, COUNT_OF(order), STR("\r\n"));
        assert_err(decode_signed(&body, text, false), cases[i].expected);
    }
}

/* ---- Framing without signatures ---- */

static void test_framing(void **state)
{
    (void)state;
    static const struct {
        str body;
        enum err expected;
        str payload;
    } cases[] = {
        {STR_INIT("0\r\n\r\n"), OK, STR_INIT("")},
        {STR_INIT("3\r\nabc\r\n0\r\n\r\n"), OK, STR_INIT("abc")},
        {STR_INIT("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), OK, STR_INIT("abc")},
        {STR_INIT("A\r\n0123456789\r\n0\r\n\r\n"), OK, STR_INIT("0123456789")},
        {STR_INIT("00003\r\nabc\r\n000\r\n\r\n"), OK, STR_INIT("abc")},
        {STR_INIT("3;anything=1\r\nabc\r\n0;x\r\n\r\n"), OK, STR_INIT("abc")},
        {STR_INIT("2\r\n\r\n\r\n0\r\n\r\n"), OK,
         STR_INIT("\r\n")}, /* a payload that looks like framing */
        {STR_INIT("3\nabc\r\n0\r\n\r\n"), ERR_BAD_CHUNK, {0}}, /* a bare LF */
        {STR_INIT("3\r\nabc\n0\r\n\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("0\r\n\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("0\r\nx-amz-checksum-crc32:AAAAAA==\n\r\n"), OK,
         STR_INIT("")}, /* but after a field */
        {STR_INIT("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), OK, STR_INIT("")},
        {STR_INIT("0\r\nx-amz-checksum-crc32 : AAAAAA== \r\n\r\n"), OK, STR_INIT("")},
        {STR_INIT("\r\n0\r\n\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("g\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("-1\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("+1\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("0x1\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("1 \r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT(" 1\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("1\r\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("1\0\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT(";chunk-signature=00\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("ffffffffffffffff\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("1000000000000000\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("3\r\nabcd\r\n0\r\n\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("3\r\nab\r\n0\r\n\r\n"), ERR_BAD_CHUNK, {0}},
        {STR_INIT("0\r\nno colon\r\n\r\n"), ERR_BAD_TRAILER, {0}},
        {STR_INIT("0\r\n:value\r\n\r\n"), ERR_BAD_TRAILER, {0}},
        {STR_INIT("0\r\n\r\nmore"), ERR_BAD_TRAILER, {0}},
        {STR_INIT("0\r\n\r\n\r\n"), ERR_BAD_TRAILER, {0}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t piece = 1; piece <= cases[i].body.len; piece++) {
            struct decoded decoded;
            decode(&decoded, NULL, true, cases[i].body, (const size_t[]){piece, 1 + i % 3});
            if (decoded.err != cases[i].expected)
                fail_msg("%zu in pieces of %zu: %s", i, piece, err_name(decoded.err));
            if (decoded.err == OK) {
                assert_true(decoded.is_done);
                assert_str(buf_str(&decoded.payload), cases[i].payload);
            }
            decoded_release(&decoded);
        }
        /* Whatever is cut off at the end, it is not done. */
        for (size_t len = 0; cases[i].expected == OK && len < cases[i].body.len; len++) {
            struct decoded decoded;
            decode(&decoded, NULL, true, str_slice(cases[i].body, 0, len), whole);
            assert_err(decoded.err, OK);
            assert_false(decoded.is_done);
            decoded_release(&decoded);
        }
    }
}

/* Signed framing lacks nothing of its form. */
static void test_signature_form(void **state)
{
    (void)state;
    struct signed_body body;
    sign_body(&body, usual);
    static const char *const lines[] = {
        "5\r\n",
        "5;\r\n",
        "5;chunk-signature\r\n",
        "5;chunk-signature=\r\n",
        "5;chunk-signature=00\r\n",
        "5;signature=0000000000000000000000000000000000000000000000000000000000000000\r\n",
        "5;chunk-signature=00000000000000000000000000000000000000000000000000000000000000000\r\n",
        "5;chunk-signature=0000000000000000000000000000000000000000000000000000000000000000;x\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_err(decode_signed(&body, str_from(lines[i]), false), ERR_BAD_CHUNK);
}

/* ---- Bounds ---- */

static void test_bounds(void **state)
{
    (void)state;
    struct buf body;
    struct decoded decoded;
    buf_init(&body, SIZE_MAX);
    /* The CR counts. */
    for (size_t len = AWS_CHUNK_LINE_MAX - 2; len <= AWS_CHUNK_LINE_MAX; len++) {
        buf_clear(&body);
        buf_append(&body, STR("0;"));
        while (body.len < len)
            buf_append_char(&body, 'x');
        buf_append(&body, STR("\r\n\r\n"));
        decode(&decoded, NULL, false, buf_str(&body), whole);
        assert_err(decoded.err, len < AWS_CHUNK_LINE_MAX ? OK : ERR_BAD_CHUNK);
        decoded_release(&decoded);
    }
    for (int count = AWS_CHUNK_TRAILERS_MAX - 1; count <= AWS_CHUNK_TRAILERS_MAX + 1; count++) {
        buf_clear(&body);
        buf_append(&body, STR("0\r\n"));
        for (int i = 0; i < count; i++)
            buf_printf(&body, "x-field-%d:%d\r\n", i, i);
        buf_append(&body, STR("\r\n"));
        decode(&decoded, NULL, true, buf_str(&body), whole);
        assert_err(decoded.err, count <= AWS_CHUNK_TRAILERS_MAX ? OK : ERR_BAD_TRAILER);
        if (decoded.err == OK)
            assert_int_equal(decoded.chunked.trailer_count, count);
        decoded_release(&decoded);
    }
    /* A body that never ends its trailer costs no memory. */
    buf_clear(&body);
    buf_append(&body, STR("0\r\n"));
    for (int i = 0; i < 1000; i++)
        buf_append(&body, STR("x-amz-trailer-signature:"
                              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"));
    size_t before = arena_used(arena);
    decode(&decoded, NULL, true, buf_str(&body), whole);
    assert_err(decoded.err, ERR_BAD_TRAILER);
    assert_true(arena_used(arena) - before < 1000);
    decoded_release(&decoded);
    buf_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_examples, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trailers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_small_chunks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_framing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signature_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
