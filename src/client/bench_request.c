#include "client/bench_request.h"

#include <string.h>

#include "base/encode.h"
#include "base/hash.h"
#include "codec/url.h"
#include "iam/sigv4_sign.h"

enum { MAKER_ARENA_MAX = 256 * 1024 };

/* SHA-256 of nothing, for requests without a body. */
static const str empty_sha256 =
    STR_INIT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

struct kept {
    char *text; /* owned; null: not made yet */
    size_t len;
};

struct bench_maker {
    const struct bench_options *options;
    const struct bench_content *content;
    struct arena *arena;               /* of one head */
    int64_t kept_from_ms;              /* when the oldest kept head may have been signed */
    size_t kept_count;                 /* of each array below */
    struct kept *kept[BENCH_OP_COUNT]; /* made when the operation first comes */
};

static const struct {
    str method;
    bool has_key;
} shape[BENCH_OP_COUNT] = {
    [BENCH_PUT] = {STR_INIT("PUT"), true},
    [BENCH_GET] = {STR_INIT("GET"), true},
    [BENCH_HEAD] = {STR_INIT("HEAD"), true},
    [BENCH_LIST] = {STR_INIT("GET"), false},
    [BENCH_DELETE] = {STR_INIT("DELETE"), true},
    [BENCH_MAKE_BUCKET] = {STR_INIT("PUT"), false},
    [BENCH_DROP_BUCKET] = {STR_INIT("DELETE"), false},
};

struct bench_maker *bench_maker_new(const struct bench_options *options,
                                    const struct bench_content *content)
{
    struct bench_maker *maker = mem_new(struct bench_maker);
    maker->options = options;
    maker->content = content;
    maker->arena = arena_new(MAKER_ARENA_MAX);
    maker->kept_count =
        options->objects < BENCH_KEPT_KEYS ? (size_t)options->objects : BENCH_KEPT_KEYS;
    return maker;
}

static void drop_kept(struct bench_maker *maker)
{
    for (size_t op = 0; op < BENCH_OP_COUNT; op++) {
        for (size_t i = 0; maker->kept[op] && i < maker->kept_count; i++)
            mem_free(maker->kept[op][i].text);
        mem_free(maker->kept[op]);
        maker->kept[op] = NULL;
    }
}

void bench_maker_free(struct bench_maker *maker)
{
    if (!maker)
        return;
    drop_kept(maker);
    arena_free(maker->arena);
    mem_free(maker);
}

bool bench_op_has_key(enum bench_op op)
{
    return shape[op].has_key;
}

uint64_t bench_body_size(const struct bench_options *options, struct bench_choice choice)
{
    return choice.op == BENCH_PUT ? bench_key_size(options, choice.index) : 0;
}

static str make_path(struct bench_maker *maker, struct bench_choice choice)
{
    const struct bench_options *options = maker->options;
    struct buf path BUF_SCOPED, key BUF_SCOPED;
    buf_init(&path, BENCH_HEAD_REQUEST_MAX);
    buf_init(&key, BENCH_HEAD_REQUEST_MAX);
    buf_append(&path, options->endpoint.path);
    if (options->path_prefix.len) {
        buf_append(&path, options->path_prefix);
    } else {
        buf_append_char(&path, '/');
        buf_append(&path, options->bucket);
        if (shape[choice.op].has_key)
            buf_append_char(&path, '/');
    }
    if (shape[choice.op].has_key) {
        bench_key_append(options, choice.index, &key);
        url_encode(&path, buf_str(&key), true);
    }
    return arena_str(maker->arena, buf_str(&path));
}

/* ListObjectsV2, a page from behind some key on. */
static str make_query(struct bench_maker *maker, struct bench_choice choice)
{
    const struct bench_options *options = maker->options;
    if (choice.op != BENCH_LIST)
        return STR("");
    struct buf query BUF_SCOPED, key BUF_SCOPED;
    buf_init(&query, BENCH_HEAD_REQUEST_MAX);
    buf_init(&key, BENCH_HEAD_REQUEST_MAX);
    buf_printf(&query, "list-type=2&max-keys=%llu&prefix=", (unsigned long long)options->max_keys);
    url_encode(&query, options->prefix, false);
    if (options->delimiter)
        buf_append(&query, STR("&delimiter=%2F"));
    if (!options->from_start) {
        bench_key_append(options, choice.index, &key);
        buf_append(&query, STR("&start-after="));
        url_encode(&query, buf_str(&key), false);
    }
    return arena_str(maker->arena, buf_str(&query));
}

static str hash_body(struct bench_maker *maker, struct bench_choice choice, uint64_t size)
{
    struct hash hash;
    uint8_t digest[HASH_SIZE_MAX];
    hash_init(&hash, HASH_SHA256);
    for (uint64_t at = 0; at < size;) {
        str piece = bench_content_at(maker->content, choice.index, at, size - at);
        hash_update(&hash, piece.ptr, piece.len);
        at += piece.len;
    }
    size_t digest_size = hash_final(&hash, digest);
    hash_release(&hash);
    return arena_hex(maker->arena, digest, digest_size);
}

static str payload_text(struct bench_maker *maker, struct bench_choice choice, uint64_t size)
{
    if (!size)
        return empty_sha256;
    return maker->options->sign_payload ? hash_body(maker, choice, size) : STR("UNSIGNED-PAYLOAD");
}

static void append_field(struct buf *out, str name, str value)
{
    buf_append(out, name);
    buf_append(out, STR(": "));
    buf_append(out, value);
    buf_append(out, STR("\r\n"));
}

static enum err append_signature(struct bench_maker *maker, const struct sig_request *request,
                                 str payload, int64_t now_ms, struct buf *out)
{
    const struct bench_options *options = maker->options;
    const struct sigv4_signer signer = {.access_key = options->access_key,
                                        .secret = options->secret_key,
                                        .session_token = options->session_token,
                                        .region = options->region,
                                        .service = STR("s3"),
                                        .now_ms = now_ms};
    struct sigv4_signed extra;
    TRY(sigv4_sign_headers(&signer, request, payload, maker->arena, &extra));
    for (size_t i = 0; i < extra.header_count; i++)
        append_field(out, extra.header[i].name, extra.header[i].value);
    return OK;
}

static enum err make_head(struct bench_maker *maker, struct bench_choice choice, int64_t now_ms,
                          struct buf *out)
{
    const struct pair host = {STR("Host"), maker->options->endpoint.authority};
    const struct sig_request request = {.method = shape[choice.op].method,
                                        .path = make_path(maker, choice),
                                        .query = make_query(maker, choice),
                                        .header = &host,
                                        .header_count = 1};
    buf_append(out, request.method);
    buf_append_char(out, ' ');
    buf_append(out, request.path);
    if (request.query.len) {
        buf_append_char(out, '?');
        buf_append(out, request.query);
    }
    buf_append(out, STR(" HTTP/1.1\r\n"));
    append_field(out, host.name, host.value);
    if (choice.op == BENCH_PUT || choice.op == BENCH_MAKE_BUCKET) {
        buf_append(out, STR("Content-Length: "));
        buf_append_u64(out, bench_body_size(maker->options, choice));
        buf_append(out, STR("\r\n"));
    }
    if (!maker->options->no_sign) {
        str payload = payload_text(maker, choice, bench_body_size(maker->options, choice));
        TRY(append_signature(maker, &request, payload, now_ms, out));
    }
    buf_append(out, STR("\r\n"));
    return buf_err(out);
}

/* Where the head of this request is kept, or null when it is not kept at all. */
static struct kept *find_kept(struct bench_maker *maker, struct bench_choice choice, int64_t now_ms)
{
    if (choice.index >= maker->kept_count)
        return NULL;
    int64_t age_ms = now_ms - maker->kept_from_ms;
    if (age_ms < 0 || age_ms > BENCH_KEPT_FOR_MS) {
        drop_kept(maker);
        maker->kept_from_ms = now_ms;
    }
    if (!maker->kept[choice.op])
        maker->kept[choice.op] = mem_new_array(struct kept, maker->kept_count);
    return &maker->kept[choice.op][choice.index];
}

enum err bench_maker_head(struct bench_maker *maker, struct bench_choice choice, int64_t now_ms,
                          struct buf *out)
{
    struct kept *kept = find_kept(maker, choice, now_ms);
    if (kept && kept->text) {
        buf_append(out, str_of(kept->text, kept->len));
        return buf_err(out);
    }
    size_t before = out->len;
    arena_reset(maker->arena);
    TRY(make_head(maker, choice, now_ms, out));
    if (kept) {
        kept->len = out->len - before;
        kept->text = mem_alloc(kept->len);
        memcpy(kept->text, out->ptr + before, kept->len);
    }
    return OK;
}
