#include "s3/ingest.h"

#include "base/mem.h"
#include "s3/handlers.h"
#include "s3/runner.h"

enum { SIMPLE_BODY_MAX_BYTES = 2 << 20 };

bool s3_is_aws_chunked(const struct s3_call *call)
{
    if (call->sig_kind == SIG_ANONYMOUS)
        return str_has_prefix(s3_header(call, "x-amz-content-sha256"), STR("STREAMING-"));
    return call->sig.payload != PAYLOAD_HASHED && call->sig.payload != PAYLOAD_UNSIGNED;
}

enum err s3_content_length(struct s3_call *call, uint64_t *out_length)
{
    const struct http_request *request = call->request;
    *out_length = request->has_length ? request->content_length : BODY_LENGTH_UNKNOWN;
    if (!s3_is_aws_chunked(call))
        return OK;
    str decoded = s3_header(call, "x-amz-decoded-content-length");
    if (decoded.len == 0)
        return ERR_MISSING_LENGTH;
    if (str_to_u64(decoded, out_length) != OK || *out_length == BODY_LENGTH_UNKNOWN)
        return fail_set(&call->fail, ERR_BAD_HEADER, "x-amz-decoded-content-length", "\"%.*s\"",
                        STR_ARG(decoded));
    return OK;
}

/* ---- Taking bytes ---- */

static void finish_with(struct s3_ingest *ingest, enum err err)
{
    if (ingest->is_over)
        return;
    ingest->is_over = true;
    s3_body_done(ingest->call, err);
}

/* Hands decoded bytes on; returns how many were taken. */
static size_t deliver(struct s3_ingest *ingest, str data)
{
    size_t taken = data.len;
    if (ingest->body != NULL)
        taken = body_write(ingest->body, data);
    else
        buf_append(&ingest->memory, data);
    ingest->received += taken;
    return taken;
}

static enum err ingest_failure(const struct s3_ingest *ingest)
{
    if (ingest->body != NULL)
        return body_failure(ingest->body);
    return buf_err(&ingest->memory) == OK ? OK : ERR_TOO_LARGE;
}

/* More than was announced must not reach the body, which has room for the announced length only. */
static bool is_too_long(const struct s3_ingest *ingest, size_t more)
{
    uint64_t limit = ingest->expected == BODY_LENGTH_UNKNOWN ? PUT_MAX_BYTES : ingest->expected;
    return more > limit - ingest->received;
}

static enum err write_chunked(struct s3_ingest *ingest, str data, size_t *out_taken)
{
    size_t taken = 0;
    while (taken < data.len) {
        size_t consumed;
        str payload;
        TRY(aws_chunked_next(ingest->chunked, str_skip(data, taken), &consumed, &payload));
        taken += consumed;
        if (payload.len == 0)
            continue;
        if (is_too_long(ingest, payload.len))
            return ERR_LONG_BODY;
        size_t delivered = deliver(ingest, payload);
        aws_chunked_took(ingest->chunked, str_slice(payload, 0, delivered));
        taken += delivered;
        if (delivered < payload.len)
            break;
    }
    *out_taken = taken;
    return OK;
}

static enum err write_plain(struct s3_ingest *ingest, str data, size_t *out_taken)
{
    if (is_too_long(ingest, data.len))
        return ingest->expected == BODY_LENGTH_UNKNOWN ? ERR_ENTITY_TOO_LARGE : ERR_LONG_BODY;
    *out_taken = deliver(ingest, data);
    return OK;
}

static size_t sink_write(struct http_sink *sink, str data)
{
    struct s3_ingest *ingest = container_of(sink, struct s3_ingest, sink);
    if (ingest->is_over)
        return data.len;
    size_t taken = 0;
    enum err err = ingest->chunked != NULL ? write_chunked(ingest, data, &taken)
                                           : write_plain(ingest, data, &taken);
    if (err == OK)
        err = ingest_failure(ingest);
    if (err == OK)
        return taken;
    finish_with(ingest, err);
    return data.len;
}

/* Plain bodies of known length go straight to where they are written from. */
static char *sink_room(struct http_sink *sink, size_t *out_len)
{
    struct s3_ingest *ingest = container_of(sink, struct s3_ingest, sink);
    if (ingest->is_over || ingest->body == NULL || ingest->chunked != NULL ||
        ingest->expected == BODY_LENGTH_UNKNOWN || ingest->received == ingest->expected)
        return NULL;
    char *room = body_room(ingest->body, out_len);
    uint64_t left = ingest->expected - ingest->received;
    if (*out_len > left)
        *out_len = (size_t)left;
    return room;
}

static void sink_took(struct http_sink *sink, size_t len)
{
    struct s3_ingest *ingest = container_of(sink, struct s3_ingest, sink);
    body_took(ingest->body, len);
    ingest->received += len;
    enum err err = ingest_failure(ingest);
    if (err != OK)
        finish_with(ingest, err);
}

/* ---- The end ---- */

static enum err check_trailer(struct s3_ingest *ingest)
{
    for (size_t i = 0; ingest->chunked != NULL && i < ingest->chunked->trailer_count; i++)
        TRY(s3_integrity_trailer(ingest->call, ingest->chunked->trailer[i].name,
                                 ingest->chunked->trailer[i].value));
    return OK;
}

static enum err check_framing(const struct s3_ingest *ingest)
{
    if (ingest->chunked != NULL && !aws_chunked_is_done(ingest->chunked))
        return ERR_SHORT_BODY;
    if (ingest->expected != BODY_LENGTH_UNKNOWN && ingest->received != ingest->expected)
        return ERR_SHORT_BODY;
    return OK;
}

static void memory_end(struct s3_ingest *ingest)
{
    struct s3_call *call = ingest->call;
    call->content = buf_str(&ingest->memory);
    struct digest digest;
    digest_init(&digest, s3_integrity_digests(call));
    digest_update(&digest, call->content.ptr, call->content.len);
    digest_finish(&digest);
    enum err err = s3_integrity_check(call, &digest);
    digest_release(&digest);
    finish_with(ingest, err);
}

static void body_finished(void *context, enum err err)
{
    struct s3_call *call = context;
    if (err == OK)
        err = s3_integrity_check(call, body_digest(call->ingest->body));
    finish_with(call->ingest, err);
}

static void sink_end(struct http_sink *sink)
{
    struct s3_ingest *ingest = container_of(sink, struct s3_ingest, sink);
    if (ingest->is_over)
        return;
    enum err err = check_framing(ingest);
    if (err == OK)
        err = check_trailer(ingest);
    if (err != OK)
        finish_with(ingest, err);
    else if (ingest->body != NULL)
        body_finish(ingest->body, body_finished);
    else
        memory_end(ingest);
}

static void sink_fail(struct http_sink *sink, enum err err)
{
    finish_with(container_of(sink, struct s3_ingest, sink), err);
}

/* ---- The beginning ---- */

static void body_ready(void *context)
{
    struct s3_call *call = context;
    http_body_resume(call->x);
}

static enum err chunked_begin(struct s3_ingest *ingest)
{
    struct s3_call *call = ingest->call;
    enum payload_kind payload =
        call->sig_kind == SIG_ANONYMOUS ? PAYLOAD_STREAM_UNSIGNED_TRAILER : call->sig.payload;
    bool is_signed = payload == PAYLOAD_STREAM_SIGNED || payload == PAYLOAD_STREAM_SIGNED_TRAILER;
    struct sigv4_chain chain;
    if (is_signed)
        sigv4_chain_begin(&chain, &call->sig, call->signing_key);
    ingest->chunked = arena_new_of(call->arena, struct aws_chunked);
    aws_chunked_init(ingest->chunked, call->arena, is_signed ? &chain : NULL,
                     payload != PAYLOAD_STREAM_SIGNED);
    return OK;
}

static enum err upload_begin(struct s3_ingest *ingest)
{
    struct s3_call *call = ingest->call;
    struct body_options options = {
        .store = call->s3->options.store,
        .loop = call->s3->options.loop,
        .arena = call->arena,
        .length = ingest->expected,
        .digests = s3_integrity_digests(call),
        .ready = body_ready,
        .context = call,
    };
    TRY(call->operation->handler->body(call, &options));
    ingest->body = body_new(&options);
    return OK;
}

enum err s3_ingest_begin(struct s3_call *call)
{
    struct s3_ingest *ingest = arena_new_of(call->arena, struct s3_ingest);
    ingest->call = call;
    ingest->sink = (struct http_sink){.write = sink_write,
                                      .end = sink_end,
                                      .fail = sink_fail,
                                      .room = sink_room,
                                      .took = sink_took};
    TRY(s3_content_length(call, &ingest->expected));
    buf_init(&ingest->memory, SIMPLE_BODY_MAX_BYTES);
    if (call->operation->shape == S3_UPLOAD) {
        TRY(upload_begin(ingest));
    } else if (ingest->expected != BODY_LENGTH_UNKNOWN &&
               ingest->expected > SIMPLE_BODY_MAX_BYTES) {
        return ERR_TOO_LARGE;
    }
    if (call->operation->shape == S3_SIMPLE)
        s3_call_hold(call, ingest->expected != BODY_LENGTH_UNKNOWN ? ingest->expected
                                                                   : SIMPLE_BODY_MAX_BYTES);
    call->ingest = ingest;
    if (s3_is_aws_chunked(call))
        TRY(chunked_begin(ingest));
    http_body_read(call->x, &ingest->sink);
    return OK;
}

static void body_closed(void *context)
{
    struct s3_call *call = context;
    call->ingest->closed(call);
}

void s3_ingest_close(struct s3_call *call, void (*closed)(void *call))
{
    struct s3_ingest *ingest = call->ingest;
    if (ingest == NULL) {
        closed(call);
        return;
    }
    ingest->is_over = true;
    ingest->closed = closed;
    buf_release(&ingest->memory);
    if (ingest->chunked != NULL)
        aws_chunked_release(ingest->chunked);
    if (ingest->body != NULL)
        body_close(ingest->body, body_closed);
    else
        closed(call);
}
