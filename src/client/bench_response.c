#include "client/bench_response.h"

#include <assert.h>
#include <string.h>

void bench_response_init(struct bench_response *response)
{
    *response = (struct bench_response){0};
    buf_init(&response->pending, BENCH_HEAD_MAX);
}

void bench_response_release(struct bench_response *response)
{
    buf_release(&response->pending);
}

/* What a final reply's head sets: cleared at the start and after each interim reply. */
static void forget_head(struct bench_response *response)
{
    response->state = BENCH_RESPONSE_HEAD;
    response->status = 0;
    response->keep_alive = true;
    response->has_length = false;
    response->is_chunked = false;
    response->length = 0;
    response->left = 0;
}

void bench_response_begin(struct bench_response *response, bool answers_head)
{
    forget_head(response);
    response->answers_head = answers_head;
    response->interim_count = 0;
    response->trailer_count = 0;
    response->has_begun = false;
    response->pending_used = false;
    buf_clear(&response->pending);
}

/* Gives the bytes up to and with `end`, at most `max` of them, from what was kept and what is new; moves *input behind
 * them. ERR_WOULD_BLOCK when `end` has not come yet: then all of the input is kept. The text is valid until the next
 * call, or as long as the input when nothing had been kept. */
static enum err collect(struct bench_response *response, str *input, str end, size_t max,
                        str *out_text)
{
    struct buf *pending = &response->pending;
    if (response->pending_used)
        buf_clear(pending);
    response->pending_used = false;

    if (!pending->len) {
        ptrdiff_t at = str_find(*input, end);
        size_t size = at < 0 ? input->len : (size_t)at + end.len;
        if (size > max)
            return ERR_TOO_LARGE;
        if (at >= 0) {
            *out_text = str_slice(*input, 0, size);
            *input = str_skip(*input, size);
            return OK;
        }
    }
    /* The end may have begun in what was kept, so the search starts a little before the new bytes. */
    size_t kept = pending->len;
    size_t from = kept < end.len ? 0 : kept - (end.len - 1);
    size_t room = max - kept;
    str taken = input->len < room ? *input : str_slice(*input, 0, room);
    buf_append(pending, taken);
    TRY(buf_err(pending));
    ptrdiff_t at = str_find(str_skip(buf_str(pending), from), end);
    if (at < 0) {
        *input = str_skip(*input, taken.len);
        return pending->len == max ? ERR_TOO_LARGE : ERR_WOULD_BLOCK;
    }
    size_t size = from + (size_t)at + end.len;
    *out_text = str_slice(buf_str(pending), 0, size);
    *input = str_skip(*input, size - kept);
    response->pending_used = true;
    return OK;
}

static bool is_token(str name)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && !memchr(others, c, sizeof(others) - 1))
            return false;
    }
    return name.len > 0;
}

static bool has_control(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* Whether a comma-separated list holds the word, in any case. */
static bool list_has(str list, str word)
{
    str item;
    while (list.len) {
        (void)str_cut(list, ',', &item, &list);
        if (str_eq_nocase(str_trim(item), word))
            return true;
    }
    return false;
}

static enum err parse_status_line(struct bench_response *response, str line)
{
    /* HTTP/1.1 200 and then a space with a reason, or nothing. */
    enum { MINOR_AT = 7, STATUS_AT = 9, STATUS_END = 12 };
    if (line.len < STATUS_END || !str_has_prefix(line, STR("HTTP/1.")) || has_control(line))
        return ERR_BAD_INPUT;
    char minor = line.ptr[MINOR_AT];
    if ((minor != '0' && minor != '1') || line.ptr[STATUS_AT - 1] != ' ')
        return ERR_BAD_INPUT;
    if (line.len > STATUS_END && line.ptr[STATUS_END] != ' ')
        return ERR_BAD_INPUT;
    uint64_t status;
    TRY(str_to_u64(str_slice(line, STATUS_AT, STATUS_END), &status));
    if (status < 100 || status > 599)
        return ERR_BAD_INPUT;
    response->status = (int)status;
    response->keep_alive = minor == '1';
    return OK;
}

static enum err take_length(struct bench_response *response, str value)
{
    uint64_t length;
    TRY(str_to_u64(value, &length));
    if (length > INT64_MAX || (response->has_length && response->length != length))
        return ERR_BAD_INPUT;
    response->has_length = true;
    response->length = length;
    return OK;
}

static enum err parse_field(struct bench_response *response, str line)
{
    str name, value;
    if (!str_cut(line, ':', &name, &value) || !is_token(name) || has_control(value))
        return ERR_BAD_INPUT;
    value = str_trim(value);
    if (str_eq_nocase(name, STR("content-length")))
        return take_length(response, value);
    if (str_eq_nocase(name, STR("transfer-encoding"))) {
        if (response->is_chunked || !str_eq_nocase(value, STR("chunked")))
            return ERR_BAD_INPUT;
        response->is_chunked = true;
    } else if (str_eq_nocase(name, STR("connection"))) {
        if (list_has(value, STR("close")))
            response->keep_alive = false;
        else if (list_has(value, STR("keep-alive")))
            response->keep_alive = true;
    }
    return OK;
}

/* Goes from the head to the state in which its body is read. */
static void enter_body(struct bench_response *response)
{
    bool has_none = response->answers_head || response->status == 204 || response->status == 304;
    if (has_none) {
        response->state = BENCH_RESPONSE_DONE;
    } else if (response->is_chunked) {
        response->state = BENCH_RESPONSE_CHUNK_SIZE;
    } else if (response->has_length) {
        response->left = response->length;
        response->state = response->left ? BENCH_RESPONSE_LENGTH : BENCH_RESPONSE_DONE;
    } else {
        response->keep_alive = false;
        response->state = BENCH_RESPONSE_UNTIL_CLOSE;
    }
}

/* Cuts the line at the front off, without its CR LF. False at the end or when there is no line end. */
static bool next_line(str *text, str *out_line)
{
    ptrdiff_t end = str_find(*text, STR("\r\n"));
    if (end < 0)
        return false;
    *out_line = str_slice(*text, 0, (size_t)end);
    *text = str_skip(*text, (size_t)end + 2);
    return true;
}

static enum err parse_head(struct bench_response *response, str head)
{
    str line;
    if (!next_line(&head, &line))
        return ERR_BAD_INPUT;
    TRY(parse_status_line(response, line));
    while (next_line(&head, &line) && line.len)
        TRY(parse_field(response, line));
    if (response->is_chunked && response->has_length)
        return ERR_BAD_INPUT;
    if (response->status >= 200) {
        enter_body(response);
        return OK;
    }
    /* An interim reply; the final one follows. We never ask for another protocol. */
    if (response->status == 101 || ++response->interim_count > BENCH_INTERIM_MAX)
        return ERR_BAD_INPUT;
    forget_head(response);
    return OK;
}

static enum err parse_hex(str digits, uint64_t *out_value)
{
    if (!digits.len || digits.len > 15)
        return ERR_BAD_INPUT;
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return ERR_BAD_INPUT;
        value = value << 4 | digit;
    }
    *out_value = value;
    return OK;
}

static enum err parse_chunk_line(struct bench_response *response, str line)
{
    line.len -= 2;
    str digits, extension;
    (void)str_cut(line, ';', &digits, &extension);
    if (has_control(line))
        return ERR_BAD_INPUT;
    TRY(parse_hex(str_trim(digits), &response->left));
    response->state = response->left ? BENCH_RESPONSE_CHUNK_DATA : BENCH_RESPONSE_TRAILER;
    return OK;
}

static enum err parse_trailer_line(struct bench_response *response, str line)
{
    line.len -= 2;
    if (!line.len) {
        response->state = BENCH_RESPONSE_DONE;
        return OK;
    }
    str name, value;
    if (!str_cut(line, ':', &name, &value) || !is_token(name) || has_control(value))
        return ERR_BAD_INPUT;
    return ++response->trailer_count > BENCH_TRAILER_LINES_MAX ? ERR_TOO_LARGE : OK;
}

/* One text of the framing: a head, a chunk's line, the line end behind a chunk, a line of the trailer. */
static enum err step_framing(struct bench_response *response, str *input)
{
    bool is_head = response->state == BENCH_RESPONSE_HEAD;
    str end = is_head ? STR("\r\n\r\n") : STR("\r\n");
    size_t max = is_head || response->state == BENCH_RESPONSE_TRAILER ? BENCH_HEAD_MAX
                 : response->state == BENCH_RESPONSE_CHUNK_END        ? end.len
                                                                      : BENCH_CHUNK_LINE_MAX;
    str text;
    enum err err = collect(response, input, end, max, &text);
    if (err == ERR_WOULD_BLOCK)
        return OK;
    if (err == ERR_TOO_LARGE && response->state == BENCH_RESPONSE_CHUNK_END)
        return ERR_BAD_INPUT; /* something else than a line end stands there */
    TRY(err);

    if (is_head)
        return parse_head(response, text);
    if (response->state == BENCH_RESPONSE_CHUNK_SIZE)
        return parse_chunk_line(response, text);
    if (response->state == BENCH_RESPONSE_TRAILER)
        return parse_trailer_line(response, text);
    response->state = BENCH_RESPONSE_CHUNK_SIZE;
    return OK;
}

uint64_t bench_response_skippable(const struct bench_response *response)
{
    if (response->state == BENCH_RESPONSE_UNTIL_CLOSE)
        return UINT64_MAX;
    bool in_body =
        response->state == BENCH_RESPONSE_LENGTH || response->state == BENCH_RESPONSE_CHUNK_DATA;
    return in_body ? response->left : 0;
}

void bench_response_skip(struct bench_response *response, uint64_t count)
{
    assert(count <= bench_response_skippable(response));
    if (response->state == BENCH_RESPONSE_UNTIL_CLOSE || !count)
        return;
    response->left -= count;
    if (response->left)
        return;
    response->state =
        response->state == BENCH_RESPONSE_LENGTH ? BENCH_RESPONSE_DONE : BENCH_RESPONSE_CHUNK_END;
}

enum err bench_response_feed(struct bench_response *response, str input, size_t *out_used,
                             str *out_body)
{
    str rest = input;
    *out_body = STR("");
    if (input.len)
        response->has_begun = true;
    while (rest.len && response->state != BENCH_RESPONSE_DONE) {
        uint64_t skippable = bench_response_skippable(response);
        if (skippable) {
            size_t len = rest.len < skippable ? rest.len : (size_t)skippable;
            *out_body = str_slice(rest, 0, len);
            rest = str_skip(rest, len);
            bench_response_skip(response, len);
            break;
        }
        TRY(step_framing(response, &rest));
    }
    *out_used = input.len - rest.len;
    return OK;
}

enum err bench_response_end(struct bench_response *response)
{
    if (response->state == BENCH_RESPONSE_UNTIL_CLOSE) {
        response->state = BENCH_RESPONSE_DONE;
        return OK;
    }
    return response->has_begun ? ERR_SHORT_BODY : ERR_CLOSED;
}
