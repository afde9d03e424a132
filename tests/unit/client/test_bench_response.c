/* Aim: replies are read alike however their bytes are cut, bodies come out whole, framing decides where a reply ends, and
 * what is no HTTP is refused within its limits. */
#include "../unit.h"

#include "base/buf.h"
#include "client/bench_response.h"

struct outcome {
    enum err err;
    bool is_done;
    int status;
    bool keep_alive;
    size_t used; /* of the input, up to the end of the reply */
    struct buf body;
};

/* Feeds the text in pieces of `cut` bytes, each in memory of its own, so that a read past its end is seen. */
static struct outcome read_cut(str text, size_t cut, bool answers_head)
{
    struct outcome outcome = {0};
    struct bench_response response;
    buf_init(&outcome.body, 1 << 20);
    bench_response_init(&response);
    bench_response_begin(&response, answers_head);
    while (outcome.used < text.len && outcome.err == OK && response.state != BENCH_RESPONSE_DONE) {
        size_t len = text.len - outcome.used < cut ? text.len - outcome.used : cut;
        char *piece = malloc(len);
        size_t at = 0;
        memcpy(piece, text.ptr + outcome.used, len);
        while (at < len && outcome.err == OK && response.state != BENCH_RESPONSE_DONE) {
            size_t used = 0;
            str body = STR("");
            outcome.err =
                bench_response_feed(&response, str_of(piece + at, len - at), &used, &body);
            buf_append(&outcome.body, body);
            at += used;
        }
        outcome.used += at;
        free(piece);
    }
    outcome.is_done = response.state == BENCH_RESPONSE_DONE;
    outcome.status = response.status;
    outcome.keep_alive = response.keep_alive;
    bench_response_release(&response);
    return outcome;
}

static void test_good_replies_at_every_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool answers_head;
        int status;
        bool keep_alive;
        const char *body;
        size_t left_over; /* bytes behind the reply */
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, true, "hello", 0},
        {"HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhelloHTTP", false, 200, true, "hello", 4},
        {"HTTP/1.1 200 \r\nContent-Length: \t0 \r\n\r\n", false, 200, true, "", 0},
        {"HTTP/1.1 204 No Content\r\n\r\n", false, 204, true, "", 0},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, 304, true, "", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, 200, true, "", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, 200, true, "", 0},
        {"HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", false, 500, false,
         "x", 0},
        {"HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 1\r\n\r\nx", false, 200,
         false, "x", 0},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false, 200, false, "x", 0},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", false, 200,
         true, "x", 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nxy", false, 200, true,
         "xy", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, 200,
         true, "hello", 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\"b\"\r\nh\r\n00004 "
         "\r\nello\r\n0;x\r\nA: b\r\nC: d\r\n\r\nY",
         false, 200, true, "hello", 1},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nConnection: close\r\nContent-Length: "
         "7\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
         false, 200, true, "x", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str text = str_from(cases[i].text);
        for (size_t cut = 1; cut <= text.len; cut++) {
            struct outcome outcome = read_cut(text, cut, cases[i].answers_head);
            assert_ok(outcome.err);
            assert_true(outcome.is_done);
            assert_int_equal(outcome.status, cases[i].status);
            assert_int_equal(outcome.keep_alive, cases[i].keep_alive);
            assert_int_equal(text.len - outcome.used, cases[i].left_over);
            assert_str(buf_str(&outcome.body), str_from(cases[i].body));
            buf_release(&outcome.body);
        }
    }
}

static void test_bad_replies_at_every_cut(void **state)
{
    (void)state;
    static const str cases[] = {
        STR_INIT("HTTP/1.2 200 OK\r\n\r\n"),
        STR_INIT("HTTP/2 200 OK\r\n\r\n"),
        STR_INIT("http/1.1 200 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 099 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 600 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 2x0 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 2000 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 20\r\n\r\n"),
        STR_INIT("HTTP/1.1  200 OK\r\n\r\n"),
        STR_INIT("HTTP/1.1 101 Switching\r\n\r\n"),
        STR_INIT("\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 O\0K\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nNoColon\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\n: v\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nA : v\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nA: \1\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        STR_INIT(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nBad Name: x\r\n\r\n"),
        STR_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nnocolon\r\n\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t cut = 1; cut <= cases[i].len; cut++) {
            struct outcome outcome = read_cut(cases[i], cut, false);
            if (outcome.err != ERR_BAD_INPUT)
                fail_msg("case %zu, cut %zu: %s", i, cut, err_name(outcome.err));
            buf_release(&outcome.body);
        }
    }
}

/* A text of `count` bytes between two others. */
static struct buf make_long(const char *before, char filler, size_t count, const char *after)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append(&text, str_from(before));
    for (size_t i = 0; i < count; i++)
        buf_append_char(&text, filler);
    buf_append(&text, str_from(after));
    return text;
}

static void test_limits(void **state)
{
    (void)state;
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ";
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const char chunk[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0;";
    const size_t head_room = BENCH_HEAD_MAX - (sizeof(head) - 1) - 4;
    const size_t chunk_room = BENCH_CHUNK_LINE_MAX - 2 - 2;
    const struct {
        const char *before;
        size_t count;
        const char *after;
        enum err err;
    } cases[] = {
        {head, head_room, "\r\n\r\n", OK},
        {head, head_room + 1, "\r\n\r\n", ERR_TOO_LARGE},
        {head, 2 * BENCH_HEAD_MAX, "", ERR_TOO_LARGE},
        {chunk, chunk_room, "\r\n\r\n", OK},
        {chunk, chunk_room + 1, "\r\n\r\n", ERR_TOO_LARGE},
        {chunked, 2 * BENCH_CHUNK_LINE_MAX, "", ERR_TOO_LARGE},
    };
    static const size_t cuts[] = {1, 7, 4096, 1 << 20};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf text = make_long(cases[i].before, '0', cases[i].count, cases[i].after);
        for (size_t c = 0; c < COUNT_OF(cuts); c++) {
            struct outcome outcome = read_cut(buf_str(&text), cuts[c], false);
            assert_err(outcome.err, cases[i].err);
            assert_int_equal(outcome.is_done, cases[i].err == OK);
            buf_release(&outcome.body);
        }
        buf_release(&text);
    }
}

/* Lines repeated `count` times between a beginning and an end. */
static enum err read_repeated(const char *before, const char *line, int count, const char *after)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append(&text, str_from(before));
    for (int i = 0; i < count; i++)
        buf_append(&text, str_from(line));
    buf_append(&text, str_from(after));
    struct outcome outcome = read_cut(buf_str(&text), 1 << 20, false);
    buf_release(&outcome.body);
    buf_release(&text);
    return outcome.err;
}

static void test_counts_are_bounded(void **state)
{
    (void)state;
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    static const char final[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    assert_ok(read_repeated(chunked, "A: b\r\n", BENCH_TRAILER_LINES_MAX, "\r\n"));
    assert_err(read_repeated(chunked, "A: b\r\n", BENCH_TRAILER_LINES_MAX + 1, "\r\n"),
               ERR_TOO_LARGE);
    assert_ok(read_repeated("", interim, BENCH_INTERIM_MAX, final));
    assert_err(read_repeated("", interim, BENCH_INTERIM_MAX + 1, final), ERR_BAD_INPUT);
}

static void feed_all(struct bench_response *response, const char *text)
{
    str input = str_from(text);
    while (input.len && response->state != BENCH_RESPONSE_DONE) {
        size_t used;
        str body;
        assert_ok(bench_response_feed(response, input, &used, &body));
        input = str_skip(input, used);
    }
}

static void test_end_of_connection(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        bool is_done;
    } cases[] = {
        {"", ERR_CLOSED, false},
        {"H", ERR_SHORT_BODY, false},
        {"HTTP/1.1 200 OK\r\n", ERR_SHORT_BODY, false},
        {"HTTP/1.1 100 Continue\r\n\r\n", ERR_SHORT_BODY, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", ERR_SHORT_BODY, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", ERR_SHORT_BODY,
         false},
        {"HTTP/1.1 200 OK\r\n\r\n", OK, true},
        {"HTTP/1.1 200 OK\r\n\r\nall of it", OK, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench_response response;
        bench_response_init(&response);
        bench_response_begin(&response, false);
        feed_all(&response, cases[i].text);
        assert_err(bench_response_end(&response), cases[i].err);
        assert_int_equal(response.state == BENCH_RESPONSE_DONE, cases[i].is_done);
        if (cases[i].is_done)
            assert_false(response.keep_alive);
        bench_response_release(&response);
    }
}

static void test_skipping(void **state)
{
    (void)state;
    struct bench_response response;
    bench_response_init(&response);

    bench_response_begin(&response, false);
    assert_int_equal(bench_response_skippable(&response), 0);
    feed_all(&response, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    assert_int_equal(bench_response_skippable(&response), 7);
    bench_response_skip(&response, 6);
    bench_response_skip(&response, 0);
    assert_int_equal(response.state, BENCH_RESPONSE_LENGTH);
    bench_response_skip(&response, 1);
    assert_int_equal(response.state, BENCH_RESPONSE_DONE);
    assert_int_equal(bench_response_skippable(&response), 0);

    bench_response_begin(&response, false);
    feed_all(&response, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc");
    assert_int_equal(bench_response_skippable(&response), 13);
    bench_response_skip(&response, 13);
    assert_int_equal(bench_response_skippable(&response), 0);
    feed_all(&response, "\r\n0\r\n\r\n");
    assert_int_equal(response.state, BENCH_RESPONSE_DONE);

    bench_response_begin(&response, false);
    feed_all(&response, "HTTP/1.1 200 OK\r\n\r\n");
    assert_true(bench_response_skippable(&response) == UINT64_MAX);
    bench_response_skip(&response, 1 << 20);
    assert_int_equal(response.state, BENCH_RESPONSE_UNTIL_CLOSE);
    bench_response_release(&response);
}

/* A reply that was given up half-way leaves nothing behind for the next. */
static void test_begin_forgets(void **state)
{
    (void)state;
    struct bench_response response;
    bench_response_init(&response);
    bench_response_begin(&response, false);
    feed_all(&response, "HTTP/1.1 404 Nope\r\nConnection: close\r\nContent-Le");
    bench_response_begin(&response, false);
    feed_all(&response, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(response.status, 200);
    assert_true(response.keep_alive);
    assert_int_equal(response.state, BENCH_RESPONSE_DONE);
    bench_response_release(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_replies_at_every_cut),
        cmocka_unit_test(test_bad_replies_at_every_cut),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_counts_are_bounded),
        cmocka_unit_test(test_end_of_connection),
        cmocka_unit_test(test_skipping),
        cmocka_unit_test(test_begin_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
