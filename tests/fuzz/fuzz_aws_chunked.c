/* Any bytes as an aws-chunked body. The first byte chooses: a trailer is announced or not, chunks are signed or not, and into what
 * pieces the body is cut.
 *
 * What must hold: how a body is cut makes no difference; memory is bounded by the input; nobody gets a signed body past us without
 * the key; and what is framed here is read as what it was. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/buf.h"
#include "s3/awschunked.h"

enum { ARENA_BYTES = 16 << 20, HAS_TRAILER = 1, IS_SIGNED = 2, CUT_SHIFT = 2 };

struct result {
    enum err err;
    bool is_done;
    struct buf payload;
    struct aws_chunked chunked;
};

static struct sigv4_chain chain_begin(void)
{
    static const uint8_t key[SIGV4_KEY_SIZE] = {7};
    const struct sigv4 sig = {.date = STR("20130524"),
                              .region = STR("us-east-1"),
                              .service = STR("s3"),
                              .timestamp = STR("20130524T000000Z")};
    struct sigv4_chain chain;
    sigv4_chain_begin(&chain, &sig, key);
    return chain;
}

/* Pieces of at most `cut` bytes are offered, and at most `cut` bytes of a payload taken. */
static void decode(struct result *out, struct arena *arena, str body, unsigned flags, size_t cut)
{
    struct sigv4_chain chain = chain_begin();
    *out = (struct result){.err = OK};
    buf_init(&out->payload, SIZE_MAX);
    aws_chunked_init(&out->chunked, arena, (flags & IS_SIGNED) != 0 ? &chain : NULL,
                     (flags & HAS_TRAILER) != 0);
    while (body.len > 0) {
        str data = str_slice(body, 0, body.len < cut ? body.len : cut), payload;
        size_t consumed;
        out->err = aws_chunked_next(&out->chunked, data, &consumed, &payload);
        if (out->err != OK)
            break;
        FUZZ_CHECK(consumed + payload.len <= data.len && consumed + payload.len > 0);
        payload = str_slice(payload, 0, payload.len < cut ? payload.len : cut);
        if (payload.len > 0)
            aws_chunked_took(&out->chunked, payload);
        buf_append(&out->payload, payload);
        body = str_skip(body, consumed + payload.len);
    }
    out->is_done = aws_chunked_is_done(&out->chunked);
    FUZZ_CHECK(out->chunked.trailer_count <= AWS_CHUNK_TRAILERS_MAX);
}

static void result_release(struct result *result)
{
    aws_chunked_release(&result->chunked);
    buf_release(&result->payload);
}

static void check_cuts(struct arena *arena, str body, unsigned flags, size_t cut)
{
    struct result whole, pieces;
    decode(&whole, arena, body, flags, SIZE_MAX);
    decode(&pieces, arena, body, flags, cut);
    FUZZ_CHECK(whole.err == pieces.err && whole.is_done == pieces.is_done);
    FUZZ_CHECK(whole.err != OK || str_eq(buf_str(&whole.payload), buf_str(&pieces.payload)));
    FUZZ_CHECK(whole.payload.len <= body.len);
    FUZZ_CHECK(whole.chunked.trailer_count == pieces.chunked.trailer_count);
    for (size_t i = 0; i < whole.chunked.trailer_count; i++) {
        FUZZ_CHECK(str_eq(whole.chunked.trailer[i].name, pieces.chunked.trailer[i].name));
        FUZZ_CHECK(str_eq(whole.chunked.trailer[i].value, pieces.chunked.trailer[i].value));
    }
    FUZZ_CHECK((flags & IS_SIGNED) == 0 || !whole.is_done);
    FUZZ_CHECK(arena_used(arena) <= 4 * body.len + 4096);
    result_release(&whole);
    result_release(&pieces);
}

static void append_chunk(struct buf *out, struct sigv4_chain *chain, str bytes)
{
    buf_printf(out, "%zx", bytes.len);
    if (chain != NULL) {
        uint8_t sha256[SHA256_SIZE];
        char hex[SIGV4_SIGNATURE_HEX_LEN];
        sha256_of(bytes.ptr, bytes.len, sha256);
        sigv4_chain_sign_chunk(chain, sha256, hex);
        buf_append(out, STR(";chunk-signature="));
        buf_append(out, str_of(hex, sizeof hex));
    }
    buf_append(out, STR("\r\n"));
    buf_append(out, bytes);
    if (bytes.len > 0)
        buf_append(out, STR("\r\n"));
}

/* The input as a payload, in two chunks of our own framing. */
static void check_round_trip(struct arena *arena, str payload, unsigned flags, size_t cut)
{
    BUF_SCOPED struct buf body;
    struct sigv4_chain chain = chain_begin();
    struct sigv4_chain *used = (flags & IS_SIGNED) != 0 ? &chain : NULL;
    struct result result;
    size_t first = payload.len > AWS_CHUNK_MIN_BYTES ? AWS_CHUNK_MIN_BYTES : 0;
    buf_init(&body, SIZE_MAX);
    if (first > 0)
        append_chunk(&body, used, str_slice(payload, 0, first));
    if (payload.len > first)
        append_chunk(&body, used, str_skip(payload, first));
    append_chunk(&body, used, STR(""));
    buf_append(&body, STR("\r\n"));
    decode(&result, arena, buf_str(&body), flags & IS_SIGNED, cut);
    FUZZ_CHECK(result.err == OK && result.is_done);
    FUZZ_CHECK(str_eq(buf_str(&result.payload), payload));
    result_release(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct arena *arena = arena_new(ARENA_BYTES);
    unsigned flags = data[0] & (HAS_TRAILER | IS_SIGNED);
    size_t cut = 1 + (data[0] >> CUT_SHIFT);
    str body = fuzz_input(data + 1, size - 1);
    check_cuts(arena, body, flags, cut);
    check_round_trip(arena, body, flags, cut);
    arena_free(arena);
    return 0;
}
