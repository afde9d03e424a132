/* The head of a reply: written as the service names its fields, sealed by the server when it is sent. */
#include "http/http_int.h"

#include <assert.h>
#include <string.h>

enum { HEAD_FIRST_BYTES = 512, U64_DIGITS_MAX = 20 };

/* ---- Status ---- */

struct status_row {
    int status;
    str reason;
};

/* RFC 9110 15, and what S3 answers beyond it. Sorted. */
static const struct status_row status_rows[] = {
    {200, STR_INIT("OK")},
    {201, STR_INIT("Created")},
    {202, STR_INIT("Accepted")},
    {204, STR_INIT("No Content")},
    {206, STR_INIT("Partial Content")},
    {301, STR_INIT("Moved Permanently")},
    {302, STR_INIT("Found")},
    {303, STR_INIT("See Other")},
    {304, STR_INIT("Not Modified")},
    {307, STR_INIT("Temporary Redirect")},
    {308, STR_INIT("Permanent Redirect")},
    {400, STR_INIT("Bad Request")},
    {401, STR_INIT("Unauthorized")},
    {403, STR_INIT("Forbidden")},
    {404, STR_INIT("Not Found")},
    {405, STR_INIT("Method Not Allowed")},
    {408, STR_INIT("Request Timeout")},
    {409, STR_INIT("Conflict")},
    {411, STR_INIT("Length Required")},
    {412, STR_INIT("Precondition Failed")},
    {413, STR_INIT("Content Too Large")},
    {414, STR_INIT("URI Too Long")},
    {415, STR_INIT("Unsupported Media Type")},
    {416, STR_INIT("Range Not Satisfiable")},
    {417, STR_INIT("Expectation Failed")},
    {422, STR_INIT("Unprocessable Content")},
    {429, STR_INIT("Too Many Requests")},
    {431, STR_INIT("Request Header Fields Too Large")},
    {500, STR_INIT("Internal Server Error")},
    {501, STR_INIT("Not Implemented")},
    {502, STR_INIT("Bad Gateway")},
    {503, STR_INIT("Service Unavailable")},
    {504, STR_INIT("Gateway Timeout")},
    {505, STR_INIT("HTTP Version Not Supported")},
    {507, STR_INIT("Insufficient Storage")},
};

/* The reason is for people only and may be empty (RFC 9112 4). */
static str status_reason(int status)
{
    for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++) {
        if (status_rows[i].status == status)
            return status_rows[i].reason;
    }
    return STR("");
}

/* ---- Writing into the head ---- */

/* Room for `size` more bytes. The old block stays in the arena: heads seldom grow twice. */
static char *head_room(struct http_exchange *x, size_t size)
{
    struct reply *reply = &x->reply;
    if (reply->head_capacity - reply->head_len < size) {
        size_t capacity = reply->head_capacity == 0 ? HEAD_FIRST_BYTES : reply->head_capacity * 2;
        while (capacity - reply->head_len < size)
            capacity *= 2;
        char *head = arena_alloc(x->arena, capacity);
        if (reply->head_len > 0)
            memcpy(head, reply->head, reply->head_len);
        reply->head = head;
        reply->head_capacity = capacity;
    }
    return reply->head + reply->head_len;
}

static void head_append(struct http_exchange *x, str s)
{
    if (s.len == 0)
        return;
    memcpy(head_room(x, s.len), s.ptr, s.len);
    x->reply.head_len += s.len;
}

static str format_u64(uint64_t value, char dst[U64_DIGITS_MAX])
{
    size_t at = U64_DIGITS_MAX;
    do {
        dst[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return str_of(dst + at, U64_DIGITS_MAX - at);
}

static void head_append_field(struct http_exchange *x, str name, str value)
{
    char *at = head_room(x, name.len + value.len + 4);
    memcpy(at, name.ptr, name.len);
    at += name.len;
    *at++ = ':';
    *at++ = ' ';
    if (value.len > 0)
        memcpy(at, value.ptr, value.len);
    at += value.len;
    *at++ = '\r';
    *at++ = '\n';
    x->reply.head_len = (size_t)(at - x->reply.head);
}

static void head_append_u64(struct http_exchange *x, str name, uint64_t value)
{
    char digits[U64_DIGITS_MAX];
    head_append_field(x, name, format_u64(value, digits));
}

static bool is_one_line(str value)
{
    return value.len == 0 || (memchr(value.ptr, '\r', value.len) == NULL &&
                              memchr(value.ptr, '\n', value.len) == NULL &&
                              memchr(value.ptr, '\0', value.len) == NULL);
}

/* ---- Calls of the service ---- */

void reply_close_source(struct reply *reply)
{
    struct http_source *source = reply->source;
    reply->source = NULL;
    if (source != NULL)
        source->close(source);
}

void http_reply_begin(struct http_exchange *x, int status)
{
    assert(status >= 200 && status <= 599 && !x->reply.is_sent);
    reply_close_source(&x->reply);
    x->reply = (struct reply){
        .status = status, .head = x->reply.head, .head_capacity = x->reply.head_capacity};
    char digits[U64_DIGITS_MAX];
    head_append(x, STR("HTTP/1.1 "));
    head_append(x, format_u64((uint64_t)status, digits));
    head_append(x, STR(" "));
    head_append(x, status_reason(status));
    head_append(x, STR("\r\n"));
    head_append(x, x->connection->server->name_line);
}

void http_reply_header(struct http_exchange *x, const char *name, str value)
{
    assert(x->reply.status != 0 && !x->reply.is_sent);
    assert(is_one_line(value));
    head_append_field(x, str_from(name), value);
}

void http_reply_header_u64(struct http_exchange *x, const char *name, uint64_t value)
{
    assert(x->reply.status != 0 && !x->reply.is_sent);
    head_append_u64(x, str_from(name), value);
}

static void set_body(struct http_exchange *x, enum reply_body kind, uint64_t length)
{
    assert(x->reply.status != 0 && !x->reply.is_sent && x->reply.kind == REPLY_EMPTY);
    x->reply.kind = kind;
    x->reply.length = length;
}

void http_reply_length_only(struct http_exchange *x, uint64_t length)
{
    set_body(x, REPLY_LENGTH_ONLY, length);
}

void http_reply_body(struct http_exchange *x, str body)
{
    set_body(x, REPLY_BYTES, body.len);
    x->reply.piece.bytes = body;
}

void http_reply_source(struct http_exchange *x, struct http_source *source, uint64_t length)
{
    set_body(x, REPLY_SOURCE, length);
    x->reply.source = source;
}

void http_reply_close(struct http_exchange *x)
{
    x->reply.must_close = true;
}

void http_reply_send(struct http_exchange *x)
{
    assert(x->reply.status != 0 && !x->reply.is_sent);
    x->reply.is_sent = true;
    x->sink = NULL;
    x->connection->progress_us = loop_now_us(x->connection->server->loop);
    connection_wake(x->connection);
}

/* ---- Sealing ---- */

/* RFC 9110 6.4.1 and 8.6: which replies never have a body, which carry a length, and which a body. */
static bool is_bodiless(const struct http_exchange *x)
{
    return x->reply.status == 204 || x->reply.status == 304 ||
           str_eq(x->request.method, STR("HEAD"));
}

static bool has_length(const struct http_exchange *x)
{
    const struct reply *reply = &x->reply;
    if (reply->status == 204)
        return false;
    if (reply->status == 304)
        return reply->kind == REPLY_LENGTH_ONLY;
    return !is_bodiless(x) || reply->kind != REPLY_EMPTY;
}

static bool has_body(const struct http_exchange *x)
{
    if (is_bodiless(x))
        return false;
    assert(x->reply.kind !=
           REPLY_LENGTH_ONLY); /* the client would wait for a body that never comes */
    return x->reply.length > 0;
}

void reply_seal(struct http_exchange *x, bool must_close)
{
    struct reply *reply = &x->reply;
    if (has_length(x))
        head_append_u64(x, STR("Content-Length"), reply->length);
    head_append(x, server_date_line(x->connection->server));
    if (must_close)
        head_append(x, STR("Connection: close\r\n"));
    else if (x->request.minor_version == 0)
        head_append(x, STR("Connection: keep-alive\r\n"));
    head_append(x, STR("\r\n"));
    reply->must_close = must_close;
    reply->is_sealed = true;
    if (has_body(x)) {
        reply->body_left = reply->length;
        return;
    }
    reply->piece = (struct http_piece){0};
    reply_close_source(reply);
}
