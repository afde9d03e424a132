/* The canonical request of SigV4: method, path, query, headers and payload hash in one fixed form.
 *
 * It is made from the raw target, not from the parsed one, and streamed into a block that is hashed; a text is only
 * built for the error body. What comes in canonical form already, as nearly everything does, is neither decoded nor
 * copied. S3 differs from other services: the path is not normalised ("a//b" and ".." stay) and encoded once. */
#include "iam/iam_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/url.h"

enum { CANON_BLOCK_SIZE = 2048 };

/* Takes the pieces of the canonical request. With `text` they are kept. Otherwise they are hashed: a request that fits
 * into the block, as usual, in one call and without a hash object. */
struct sink {
    struct buf *text;
    struct hash hash; /* used once the block has overflowed */
    bool overflowed;
    size_t len;
    char block[CANON_BLOCK_SIZE];
};

static void sink_flush(struct sink *sink)
{
    if (!sink->overflowed)
        hash_init(&sink->hash, HASH_SHA256);
    sink->overflowed = true;
    hash_update(&sink->hash, sink->block, sink->len);
    sink->len = 0;
}

static void sink_put(struct sink *sink, str s)
{
    if (sink->text) {
        buf_append(sink->text, s);
        return;
    }
    if (s.len > sizeof sink->block - sink->len)
        sink_flush(sink);
    if (s.len > sizeof sink->block) {
        hash_update(&sink->hash, s.ptr, s.len);
        return;
    }
    if (s.len > 0) /* an empty str may have no pointer */
        memcpy(sink->block + sink->len, s.ptr, s.len);
    sink->len += s.len;
}

static void sink_put_char(struct sink *sink, char c)
{
    sink_put(sink, str_of(&c, 1));
}

static void sink_final(struct sink *sink, uint8_t out[32])
{
    if (!sink->overflowed) {
        sha256_of(sink->block, sink->len, out);
        return;
    }
    sink_flush(sink);
    hash_final(&sink->hash, out);
    hash_release(&sink->hash);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static int upper_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Whether text is what url_encode would make of its meaning: escapes in upper case, and only where they are needed. */
static bool is_canonical(str text, bool keep_slash)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_unreserved(c) || (keep_slash && c == '/'))
            continue;
        if (c != '%' || text.len - i < 3)
            return false;
        int high = upper_hex_value(text.ptr[i + 1]), low = upper_hex_value(text.ptr[i + 2]);
        if (high < 0 || low < 0)
            return false;
        char meaning = (char)(high * 16 + low);
        if (is_unreserved(meaning) || (keep_slash && meaning == '/'))
            return false;
        i += 2;
    }
    return true;
}

/* Decodes and encodes again, so that all spellings of one meaning agree: %7e and ~, + and %20 in a query. */
static enum err canonicalise(struct arena *arena, str text, bool is_path, str *out)
{
    if (is_canonical(text, is_path)) {
        *out = text;
        return OK;
    }
    str meaning;
    TRY(url_decode(arena, text, !is_path, &meaning));
    struct buf encoded BUF_SCOPED;
    buf_init(&encoded, 3 * text.len);
    url_encode(&encoded, meaning, is_path);
    TRY(buf_err(&encoded));
    char *copy = arena_try_alloc(arena, encoded.len);
    if (!copy)
        return ERR_TOO_LARGE;
    memcpy(copy, encoded.ptr, encoded.len);
    *out = str_of(copy, encoded.len);
    return OK;
}

static int compare_params(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    int order = str_cmp(left->name, right->name);
    return order != 0 ? order : str_cmp(left->value, right->value);
}

/* Empty pieces, as in "a&&b", do not count. */
static size_t count_params(str query)
{
    size_t count = 0;
    bool at_start = true;
    for (size_t i = 0; i < query.len; i++) {
        count += at_start && query.ptr[i] != '&';
        at_start = query.ptr[i] == '&';
    }
    return count;
}

static enum err prepare_query(struct canon *canon, struct arena *arena)
{
    str rest = canon->request->query;
    size_t max = count_params(rest);
    if (max == 0)
        return OK;
    if (max > SIGV4_QUERY_PARAMS_MAX)
        return ERR_TOO_LARGE;
    canon->query = arena_try_alloc(arena, max * sizeof *canon->query);
    if (!canon->query)
        return ERR_TOO_LARGE;
    while (rest.len > 0) {
        str piece;
        struct pair param;
        (void)str_cut(rest, '&', &piece, &rest);
        if (piece.len == 0)
            continue;
        (void)str_cut(piece, '=', &param.name, &param.value);
        TRY(canonicalise(arena, param.name, false, &param.name));
        TRY(canonicalise(arena, param.value, false, &param.value));
        if (canon->sig->kind == SIG_V4_QUERY && str_eq(param.name, STR("X-Amz-Signature")))
            continue;
        canon->query[canon->query_count++] = param;
    }
    qsort(canon->query, canon->query_count, sizeof *canon->query, compare_params);
    return OK;
}

static enum err prepare(struct canon *canon, struct arena *arena)
{
    canon->path = STR("/");
    if (canon->request->path.len > 0)
        TRY(canonicalise(arena, canon->request->path, true, &canon->path));
    return prepare_query(canon, arena);
}

enum err canon_prepare(struct canon *canon, const struct sigv4 *sig,
                       const struct sig_request *request, struct arena *arena, struct fail *fail)
{
    *canon = (struct canon){.sig = sig, .request = request};
    enum err err = prepare(canon, arena);
    if (err == ERR_BAD_URI)
        return fail_set(fail, err, NULL, "the target has a broken percent escape");
    if (err != OK)
        return fail_set(fail, err, NULL, "the target is too large to be signed");
    return OK;
}

/* Trimmed, with each inner run of spaces made one. */
static void put_value(struct sink *sink, str value)
{
    value = str_trim(value);
    ptrdiff_t run;
    while ((run = str_find(value, STR("  "))) >= 0) {
        size_t keep = (size_t)run + 1;
        sink_put(sink, str_slice(value, 0, keep));
        while (keep < value.len && value.ptr[keep] == ' ')
            keep++;
        value = str_skip(value, keep);
    }
    sink_put(sink, value);
}

/* One line a name; a repeated header gives its values joined by commas; a missing one an empty value, which a client
 * that signed a value does not match. */
static void put_header(struct sink *sink, const struct sig_request *request, str name)
{
    bool first = true;
    sink_put(sink, name);
    sink_put_char(sink, ':');
    for (size_t i = 0; i < request->header_count; i++) {
        if (!str_eq_nocase(request->header[i].name, name))
            continue;
        if (!first)
            sink_put_char(sink, ',');
        put_value(sink, request->header[i].value);
        first = false;
    }
    sink_put_char(sink, '\n');
}

static void put_query(struct sink *sink, const struct canon *canon)
{
    for (size_t i = 0; i < canon->query_count; i++) {
        if (i > 0)
            sink_put_char(sink, '&');
        sink_put(sink, canon->query[i].name);
        sink_put_char(sink, '=');
        sink_put(sink, canon->query[i].value);
    }
}

static void put_request(struct sink *sink, const struct canon *canon)
{
    sink_put(sink, canon->request->method);
    sink_put_char(sink, '\n');
    sink_put(sink, canon->path);
    sink_put_char(sink, '\n');
    put_query(sink, canon);
    sink_put_char(sink, '\n');
    str rest = canon->sig->signed_headers;
    while (rest.len > 0) {
        str name;
        (void)str_cut(rest, ';', &name, &rest);
        put_header(sink, canon->request, name);
    }
    sink_put_char(sink, '\n');
    sink_put(sink, canon->sig->signed_headers);
    sink_put_char(sink, '\n');
    sink_put(sink, canon->sig->payload_text);
}

void canon_hash(const struct canon *canon, uint8_t out[32])
{
    struct sink sink; /* field by field: the block needs no zeroes */
    sink.text = NULL;
    sink.overflowed = false;
    sink.len = 0;
    put_request(&sink, canon);
    sink_final(&sink, out);
}

void canon_text(const struct canon *canon, struct buf *out)
{
    struct sink sink;
    sink.text = out;
    put_request(&sink, canon);
}
