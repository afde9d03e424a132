/* Aim: each operation's head is what S3 expects, its signature is one that the server's side accepts, and a kept head is the
 * same until it is too old to be sent. */
#include "../unit.h"

#include "base/encode.h"
#include "base/hash.h"
#include "client/bench_request.h"
#include "iam/sigv4.h"

enum { NOW = 1700000000 };
static const int64_t now_ms = NOW * INT64_C(1000);

static struct bench_options make_options(void)
{
    return (struct bench_options){
        .objects = 10,
        .size_min = 5,
        .size_max = 5,
        .max_keys = 100,
        .endpoint = {.authority = STR("h:9000")},
        .bucket = STR("bkt"),
        .prefix = STR("p q/"),
        .access_key = STR("AKID"),
        .secret_key = STR("very-secret"),
        .region = STR("us-east-1"),
    };
}

static void test_unsigned_heads(void **state)
{
    (void)state;
    static const struct {
        struct bench_choice choice;
        const char *base_path, *path_prefix;
        bool delimiter, from_start;
        const char *head;
    } cases[] = {
        {{BENCH_GET, 7},
         "",
         "",
         false,
         false,
         "GET /bkt/p%20q/0000000007 HTTP/1.1\r\nHost: h:9000\r\n\r\n"},
        {{BENCH_GET, 7},
         "/base",
         "",
         false,
         false,
         "GET /base/bkt/p%20q/0000000007 HTTP/1.1\r\nHost: h:9000\r\n\r\n"},
        {{BENCH_GET, 7},
         "",
         "/static/",
         false,
         false,
         "GET /static/p%20q/0000000007 HTTP/1.1\r\nHost: h:9000\r\n\r\n"},
        {{BENCH_HEAD, 7},
         "",
         "",
         false,
         false,
         "HEAD /bkt/p%20q/0000000007 HTTP/1.1\r\nHost: h:9000\r\n\r\n"},
        {{BENCH_DELETE, 7},
         "",
         "",
         false,
         false,
         "DELETE /bkt/p%20q/0000000007 HTTP/1.1\r\nHost: h:9000\r\n\r\n"},
        {{BENCH_PUT, 7},
         "",
         "",
         false,
         false,
         "PUT /bkt/p%20q/0000000007 HTTP/1.1\r\nHost: h:9000\r\nContent-Length: 5\r\n\r\n"},
        {{BENCH_LIST, 7},
         "",
         "",
         false,
         false,
         "GET /bkt?list-type=2&max-keys=100&prefix=p%20q%2F&start-after=p%20q%2F0000000007 "
         "HTTP/1.1\r\n"
         "Host: h:9000\r\n\r\n"},
        {{BENCH_LIST, 7},
         "",
         "",
         true,
         true,
         "GET /bkt?list-type=2&max-keys=100&prefix=p%20q%2F&delimiter=%2F HTTP/1.1\r\nHost: "
         "h:9000\r\n\r\n"},
        {{BENCH_MAKE_BUCKET, 0},
         "",
         "",
         false,
         false,
         "PUT /bkt HTTP/1.1\r\nHost: h:9000\r\nContent-Length: 0\r\n\r\n"},
        {{BENCH_DROP_BUCKET, 0},
         "",
         "",
         false,
         false,
         "DELETE /bkt HTTP/1.1\r\nHost: h:9000\r\n\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench_options options = make_options();
        struct buf head;
        options.no_sign = true;
        options.delimiter = cases[i].delimiter;
        options.from_start = cases[i].from_start;
        options.endpoint.path = str_from(cases[i].base_path);
        options.path_prefix = str_from(cases[i].path_prefix);
        struct bench_maker *maker = bench_maker_new(&options, NULL);
        buf_init(&head, BENCH_HEAD_REQUEST_MAX);
        for (int round = 0; round < 2; round++) { /* made, then kept */
            buf_clear(&head);
            assert_ok(bench_maker_head(maker, cases[i].choice, now_ms, &head));
            assert_str(buf_str(&head), str_from(cases[i].head));
        }
        buf_release(&head);
        bench_maker_free(maker);
    }
}

/* Takes a head apart with no help of the code under test. */
static size_t split_head(str head, str *out_method, str *out_target, struct pair *header,
                         size_t max)
{
    str line, rest = head, version;
    size_t count = 0;
    assert_true(str_has_suffix(head, STR("\r\n\r\n")));
    (void)str_cut(rest, '\n', &line, &rest);
    assert_true(str_cut(line, ' ', out_method, &version));
    assert_true(str_cut(version, ' ', out_target, &version));
    assert_str(version, STR("HTTP/1.1\r"));
    while (str_cut(rest, '\n', &line, &rest) && line.len > 1) {
        assert_true(count < max);
        line.len--;
        assert_true(str_cut(line, ':', &header[count].name, &header[count].value));
        header[count].value = str_trim(header[count].value);
        count++;
    }
    assert_int_equal(rest.len, 0);
    return count;
}

/* As the server does it: parse, check, verify. */
static void verify_head(str head, const struct bench_options *options, int64_t signed_ms,
                        str payload)
{
    struct arena *arena = arena_new(1 << 20);
    struct pair header[16];
    struct sig_request request = {.header = header};
    struct fail fail = {0};
    struct sigv4 sig;
    str target;
    uint8_t key[SIGV4_KEY_SIZE];
    request.header_count = split_head(head, &request.method, &target, header, COUNT_OF(header));
    (void)str_cut(target, '?', &request.path, &request.query);
    assert_ok(sigv4_parse(&request, arena, &sig, &fail));
    const struct sigv4_policy policy = {.region = options->region, .now_ms = signed_ms};
    assert_ok(sigv4_check(&sig, &request, &policy, &fail));
    assert_int_equal(sig.time_ms, signed_ms);
    assert_str(sig.payload_text, payload);
    sigv4_signing_key(options->secret_key, sig.date, sig.region, sig.service, key);
    assert_ok(sigv4_verify(&sig, &request, key, arena, NULL, &fail));
    arena_free(arena);
}

static void test_signatures_are_accepted(void **state)
{
    (void)state;
    static const str empty =
        STR_INIT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct bench_content *content = bench_content_new(1);
    for (enum bench_op op = BENCH_PUT; op < BENCH_OP_COUNT; op++) {
        struct bench_options options = make_options();
        struct buf head;
        struct bench_maker *maker = bench_maker_new(&options, content);
        buf_init(&head, BENCH_HEAD_REQUEST_MAX);
        assert_ok(bench_maker_head(maker, (struct bench_choice){op, 3}, now_ms, &head));
        verify_head(buf_str(&head), &options, now_ms,
                    op == BENCH_PUT ? STR("UNSIGNED-PAYLOAD") : empty);
        buf_release(&head);
        bench_maker_free(maker);
    }
    bench_content_free(content);
}

/* Over more than one period of the content, so that the pieces are joined rightly. */
static void test_signed_payload(void **state)
{
    (void)state;
    enum { SIZE = 3 * BENCH_CONTENT_PERIOD + 17 };
    struct bench_content *content = bench_content_new(1);
    struct bench_options options = make_options();
    options.sign_payload = true;
    options.size_min = options.size_max = SIZE;
    char *bytes = malloc(SIZE);
    for (size_t at = 0; at < SIZE;) {
        str piece = bench_content_at(content, 3, at, SIZE - at);
        memcpy(bytes + at, piece.ptr, piece.len);
        at += piece.len;
    }
    uint8_t digest[32];
    char hex[64];
    sha256_of(bytes, SIZE, digest);
    hex_encode(digest, sizeof(digest), hex);
    struct buf head;
    struct bench_maker *maker = bench_maker_new(&options, content);
    buf_init(&head, BENCH_HEAD_REQUEST_MAX);
    assert_ok(bench_maker_head(maker, (struct bench_choice){BENCH_PUT, 3}, now_ms, &head));
    verify_head(buf_str(&head), &options, now_ms, str_of(hex, sizeof(hex)));
    buf_release(&head);
    bench_maker_free(maker);
    bench_content_free(content);
    free(bytes);
}

static void test_kept_heads_grow_old(void **state)
{
    (void)state;
    static const struct {
        int64_t later_ms;
        bool is_kept;
    } cases[] = {
        {1000, true},
        {BENCH_KEPT_FOR_MS, true},
        {BENCH_KEPT_FOR_MS + 1, false},
        {-1, false}, /* the clock went back */
    };
    struct bench_options options = make_options();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bench_maker *maker = bench_maker_new(&options, NULL);
        struct buf first, second;
        buf_init(&first, BENCH_HEAD_REQUEST_MAX);
        buf_init(&second, BENCH_HEAD_REQUEST_MAX);
        struct bench_choice choice = {BENCH_GET, 3};
        assert_ok(bench_maker_head(maker, choice, now_ms, &first));
        assert_ok(bench_maker_head(maker, choice, now_ms + cases[i].later_ms, &second));
        assert_int_equal(str_eq(buf_str(&first), buf_str(&second)), cases[i].is_kept);
        buf_release(&first);
        buf_release(&second);
        bench_maker_free(maker);
    }
}

/* Beyond the keys whose heads are kept, each head is signed when it is asked for. */
static void test_others_are_signed_anew(void **state)
{
    (void)state;
    struct bench_options options = make_options();
    options.objects = UINT64_C(1) << 33;
    struct bench_maker *maker = bench_maker_new(&options, NULL);
    struct buf head;
    buf_init(&head, BENCH_HEAD_REQUEST_MAX);
    struct bench_choice choice = {BENCH_GET, BENCH_KEPT_KEYS};
    assert_ok(bench_maker_head(maker, choice, now_ms, &head));
    buf_clear(&head);
    assert_ok(bench_maker_head(maker, choice, now_ms + 1000, &head));
    verify_head(buf_str(&head), &options, now_ms + 1000,
                STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    buf_release(&head);
    bench_maker_free(maker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsigned_heads),
        cmocka_unit_test(test_signatures_are_accepted),
        cmocka_unit_test(test_signed_payload),
        cmocka_unit_test(test_kept_heads_grow_old),
        cmocka_unit_test(test_others_are_signed_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
