/* Aim: our client signs as AWS's examples do, byte for byte, and whatever it signs or presigns our server accepts; what
 * cannot be signed is refused, not signed wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "iam/sigv4_sign.h"
#include "vectors.h"

#define EXAMPLE_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const int64_t EXAMPLE_MS = 1369353600000; /* 20130524T000000Z */

static int set_up(void **state)
{
    *state = arena_new(4 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static struct sigv4_signer example_signer(void)
{
    return (struct sigv4_signer){.access_key = STR("AKIAIOSFODNN7EXAMPLE"),
                                 .secret = STR(EXAMPLE_SECRET),
                                 .region = STR("us-east-1"),
                                 .now_ms = EXAMPLE_MS};
}

static void test_example_headers(void **state)
{
    struct sigv4_signer signer = example_signer();
    struct sigv4_signed added;
    const struct pair header[] = {{STR("Host"), STR("examplebucket.s3.amazonaws.com")},
                                  {STR("Range"), STR("bytes=0-9")},
                                  {STR("User-Agent"), STR("not signed")}};
    struct sig_request request = {
        .method = STR("GET"), .path = STR("/test.txt"), .header = header, .header_count = 3};
    assert_int_equal(sigv4_sign_headers(&signer, &request, STR(EMPTY_HASH), *state, &added), OK);
    assert_int_equal(added.header_count, 3);
    assert_true(str_eq(added.header[2].name, STR("Authorization")));
    assert_true(str_eq(
        added.header[2].value,
        STR("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")));
}

static void test_example_presigned(void **state)
{
    struct sigv4_signer signer = example_signer();
    str query;
    const struct pair header = {STR("Host"), STR("examplebucket.s3.amazonaws.com")};
    struct sig_request request = {
        .method = STR("GET"), .path = STR("/test.txt"), .header = &header, .header_count = 1};
    assert_int_equal(sigv4_presign(&signer, &request, 86400, *state, &query), OK);
    assert_true(str_eq(
        query,
        STR("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"
            "us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&"
            "X-Amz-SignedHeaders=host&X-Amz-Signature="
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")));
}

static enum err verify(const struct sig_request *request, struct arena *arena, struct sigv4 *out)
{
    uint8_t key[SIGV4_KEY_SIZE];
    struct sigv4_policy policy = {.now_ms = EXAMPLE_MS, .region = STR("us-east-1")};
    TRY(sigv4_parse(request, arena, out, NULL));
    TRY(sigv4_check(out, request, &policy, NULL));
    sigv4_signing_key(STR(EXAMPLE_SECRET), out->date, out->region, out->service, key);
    return sigv4_verify(out, request, key, arena, NULL, NULL);
}

/* Targets and headers to be carried both ways. */
static const struct round_trip {
    str path, query, headers;
} round_trip[] = {
    {STR_INIT("/"), STR_INIT(""), STR_INIT("Host: a")},
    {STR_INIT(""), STR_INIT(""), STR_INIT("Host: a")},
    {STR_INIT("/b/a%20b+~%2F//../c"), STR_INIT("uploads"), STR_INIT("Host: a:9000")},
    {STR_INIT("/b/(raw)!*"), STR_INIT("prefix=a+b/&prefix=%7e&acl"), STR_INIT("HOST: a")},
    {STR_INIT("/b/%E3%81%82"), STR_INIT("x=%00%ff"),
     STR_INIT("x-amz-meta-b:  1   2 \nHost: a\nX-Amz-Meta-A: \nx-amz-meta-b: 3\nContent-Type: t")},
};

static void test_round_trip_headers(void **state)
{
    static const str payload[] = {STR_INIT(EMPTY_HASH), STR_INIT("UNSIGNED-PAYLOAD"),
                                  STR_INIT("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")};
    for (size_t i = 0; i < sizeof round_trip / sizeof *round_trip; i++) {
        struct pair header[2 * VECTOR_HEADERS_MAX];
        struct sigv4_signer signer = example_signer();
        struct sigv4_signed added;
        struct sigv4 sig;
        struct sig_request request = {.method = STR("PUT"),
                                      .path = round_trip[i].path,
                                      .query = round_trip[i].query,
                                      .header = header};
        request.header_count = headers_parse(round_trip[i].headers, header);
        signer.session_token = i % 2 ? STR("to/ken=") : STR("");
        assert_int_equal(sigv4_sign_headers(&signer, &request, payload[i % 3], *state, &added), OK);
        for (size_t k = 0; k < added.header_count; k++)
            header[request.header_count++] = added.header[k];
        if (verify(&request, *state, &sig) != OK)
            fail_msg("row %zu", i);
        assert_memory_equal(sig.signature, added.sig.signature, sizeof sig.signature);
        assert_int_equal(sig.payload, added.sig.payload);
        assert_true(str_eq(sig.session_token, signer.session_token));
    }
}

static void test_round_trip_presigned(void **state)
{
    for (size_t i = 0; i < sizeof round_trip / sizeof *round_trip; i++) {
        struct pair header[VECTOR_HEADERS_MAX];
        struct sigv4_signer signer = example_signer();
        struct sigv4 sig;
        struct sig_request request = {.method = STR("GET"),
                                      .path = round_trip[i].path,
                                      .query = round_trip[i].query,
                                      .header = header};
        request.header_count = headers_parse(round_trip[i].headers, header);
        signer.session_token = i % 2 ? STR("to/ken=") : STR("");
        assert_int_equal(sigv4_presign(&signer, &request, 60, *state, &request.query), OK);
        if (verify(&request, *state, &sig) != OK)
            fail_msg("row %zu", i);
        assert_true(str_eq(sig.session_token, signer.session_token));
        assert_int_equal(sig.expires_s, 60);
    }
}

static enum err sign(struct arena *arena, const struct sigv4_signer *signer, str path, str headers,
                     str payload)
{
    struct sigv4_signed added;
    struct pair header[VECTOR_HEADERS_MAX];
    struct sig_request request = {.method = STR("GET"), .path = path, .header = header};
    request.header_count = headers_parse(headers, header);
    return sigv4_sign_headers(signer, &request, payload, arena, &added);
}

static void test_refusals(void **state)
{
    const struct sigv4_signer good = example_signer();
    str payload = STR("UNSIGNED-PAYLOAD"), host = STR("Host: a");
    char text[200];
    memset(text, 'a', sizeof text);
    assert_int_equal(sign(*state, &good, STR("/"), host, payload), OK);
    assert_int_equal(sign(*state, &good, STR("/"), STR("Range: a"), payload), ERR_BAD_ARGUMENT);
    assert_int_equal(sign(*state, &good, STR("/%"), host, payload), ERR_BAD_URI);
    assert_int_equal(sign(*state, &good, STR("/"), host, STR("odd")), ERR_BAD_PAYLOAD_HASH);
    struct sigv4_signer bad[7];
    for (size_t i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].secret = STR("");
    bad[1].secret = str_of(text, SIGV4_SECRET_MAX + 1);
    bad[2].access_key = STR("");
    bad[3].access_key = str_of(text, SIGV4_ACCESS_KEY_MAX + 1);
    bad[4].region = STR("");
    bad[5].region = str_of(text, SIGV4_REGION_MAX + 1);
    bad[6].service = str_of(text, SIGV4_SERVICE_MAX + 1);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(sign(*state, &bad[i], STR("/"), host, payload), ERR_BAD_ARGUMENT);
    static const struct {
        int64_t expires_s;
        enum err expected;
    } row[] = {{0, ERR_BAD_ARGUMENT},
               {-1, ERR_BAD_ARGUMENT},
               {1, OK},
               {SIGV4_EXPIRES_MAX_S, OK},
               {SIGV4_EXPIRES_MAX_S + 1, ERR_BAD_ARGUMENT}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const struct pair header = {STR("Host"), STR("a")};
        struct sig_request request = {.method = STR("GET"), .header = &header, .header_count = 1};
        assert_int_equal(sigv4_presign(&good, &request, row[i].expires_s, *state, &request.query),
                         row[i].expected);
    }
}

/* What is signed already, or would be ambiguous once it is. */
static void test_taken_targets(void **state)
{
    static const struct {
        const char *query;
        enum err by_headers, presigned;
    } row[] = {
        {"prefix=X-Amz-Date", OK, OK},
        {"x-amz-acl=private", OK, OK},
        {"X-Amz-Expires=1", OK, ERR_BAD_ARGUMENT},
        {"a=b&X%2DAmz-Date=1", OK, ERR_BAD_ARGUMENT},
        {"X-Amz-Signature=1", ERR_BAD_ARGUMENT, ERR_BAD_ARGUMENT},
        {"AWSAccessKeyId=1", ERR_BAD_ARGUMENT, ERR_BAD_ARGUMENT},
        {"a=%", ERR_BAD_URI, ERR_BAD_URI},
    };
    const struct sigv4_signer signer = example_signer();
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const struct pair header = {STR("Host"), STR("a")};
        struct sigv4_signed added;
        str query;
        struct sig_request request = {.method = STR("GET"),
                                      .query = str_from(row[i].query),
                                      .header = &header,
                                      .header_count = 1};
        assert_int_equal(
            sigv4_sign_headers(&signer, &request, STR("UNSIGNED-PAYLOAD"), *state, &added),
            row[i].by_headers);
        assert_int_equal(sigv4_presign(&signer, &request, 60, *state, &query), row[i].presigned);
    }
}

/* As many parameters as the server accepts, the seven of presigning included. */
static void test_query_limit(void **state)
{
    const struct pair header = {STR("Host"), STR("a")};
    struct sigv4_signer signer = example_signer();
    struct sig_request request = {.method = STR("GET"), .header = &header, .header_count = 1};
    struct sigv4 sig;
    str own = STR("a"), query;
    signer.session_token = STR("token");
    for (size_t i = 1; i < SIGV4_QUERY_PARAMS_MAX - 7; i++)
        own = arena_join(*state, (str[]){own, STR("&a")}, 2);
    request.query = own;
    assert_int_equal(sigv4_presign(&signer, &request, 60, *state, &request.query), OK);
    assert_int_equal(verify(&request, *state, &sig), OK);
    request.query = arena_join(*state, (str[]){own, STR("&a")}, 2);
    assert_int_equal(sigv4_presign(&signer, &request, 60, *state, &query), ERR_TOO_LARGE);
}

static void test_header_limit(void **state)
{
    const struct sigv4_signer signer = example_signer();
    struct pair header[SIGV4_SIGNED_HEADERS_MAX];
    struct sigv4_signed added;
    header[0] = (struct pair){STR("Host"), STR("a")};
    for (size_t i = 1; i < SIGV4_SIGNED_HEADERS_MAX; i++)
        header[i] = (struct pair){arena_printf(*state, "x-%zu", i), STR("")};
    struct sig_request request = {.header = header, .header_count = SIGV4_SIGNED_HEADERS_MAX - 2};
    assert_int_equal(sigv4_sign_headers(&signer, &request, STR("UNSIGNED-PAYLOAD"), *state, &added),
                     OK);
    request.header_count++;
    assert_int_equal(sigv4_sign_headers(&signer, &request, STR("UNSIGNED-PAYLOAD"), *state, &added),
                     ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_headers),    cmocka_unit_test(test_example_presigned),
        cmocka_unit_test(test_round_trip_headers), cmocka_unit_test(test_round_trip_presigned),
        cmocka_unit_test(test_refusals),           cmocka_unit_test(test_header_limit),
        cmocka_unit_test(test_taken_targets),      cmocka_unit_test(test_query_limit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
