/* Aim: a request's claim is read in every form that clients send, and every missing, odd, doubled or oversized piece is
 * told apart with the error and the field that sigv4.h promises. Nothing here knows a secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/encode.h"
#include "iam/sigv4.h"
#include "vectors.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
#define CREDENTIAL "pail-KEY/20260301/us-east-1/s3/aws4_request"
#define AUTHORIZATION                                                                              \
    "Authorization: AWS4-HMAC-SHA256 Credential=" CREDENTIAL                                       \
    ", SignedHeaders=host;x-amz-date, Signature=" HEX
#define DATE "\nx-amz-date: 20260301T123045Z"
#define PAYLOAD "\nx-amz-content-sha256: UNSIGNED-PAYLOAD"
#define QUERY_BUT_SIGNATURE                                                                        \
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=pail-KEY%2F20260301/us-east-1/s3/"          \
    "aws4_request&X-Amz-Date=20260301T123045Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-a"
#define QUERY QUERY_BUT_SIGNATURE "&X-Amz-Signature=" HEX

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

static enum err parse(struct arena *arena, str query, str headers, struct sigv4 *out,
                      struct fail *fail)
{
    struct pair *header = arena_new_array(arena, struct pair, VECTOR_HEADERS_MAX);
    struct sig_request request = {.method = STR("GET"),
                                  .path = STR("/"),
                                  .query = query,
                                  .header = header,
                                  .header_count = headers_parse(headers, header)};
    return sigv4_parse(&request, arena, out, fail);
}

static void test_detect(void **state)
{
    (void)state;
    static const struct {
        str query, headers;
        enum sig_kind expected;
    } row[] = {
        {STR_INIT(""), STR_INIT(""), SIG_ANONYMOUS},
        {STR_INIT("prefix=X-Amz-Signature"), STR_INIT("Host: a"), SIG_ANONYMOUS},
        {STR_INIT(""), STR_INIT("Authorization:  "), SIG_ANONYMOUS},
        {STR_INIT(""), STR_INIT("AUTHORIZATION: AWS4-HMAC-SHA256 a"), SIG_V4_HEADER},
        {STR_INIT(""), STR_INIT("authorization: AWS4-"), SIG_V4_HEADER},
        {STR_INIT(""), STR_INIT("authorization: AWS4"), SIG_UNKNOWN},
        {STR_INIT(""), STR_INIT("authorization: AWS"), SIG_V2},
        {STR_INIT(""), STR_INIT("authorization: AWS a:b"), SIG_V2},
        {STR_INIT(""), STR_INIT("authorization: Bearer a"), SIG_UNKNOWN},
        {STR_INIT("a=b&X-Amz-Algorithm"), STR_INIT(""), SIG_V4_QUERY},
        {STR_INIT("X-Amz-Credential=&AWSAccessKeyId=1"), STR_INIT(""), SIG_V4_QUERY},
        {STR_INIT("AWSAccessKeyId=1&X-Amz-Signature=2"), STR_INIT(""), SIG_V4_QUERY},
        {STR_INIT("AWSAccessKeyId=1&Signature=2"), STR_INIT(""), SIG_V2},
        {STR_INIT("x-amz-signature=1"), STR_INIT(""), SIG_ANONYMOUS},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pair header[VECTOR_HEADERS_MAX];
        struct sig_request request = {.query = row[i].query, .header = header};
        request.header_count = headers_parse(row[i].headers, header);
        if (sig_detect(&request) != row[i].expected)
            fail_msg("row %zu: %d", i, (int)sig_detect(&request));
    }
}

static void test_header_claim(void **state)
{
    struct sigv4 sig;
    uint8_t signature[32];
    assert_int_equal(hex_decode(STR(HEX), signature), OK);
    assert_int_equal(parse(*state, STR("a=b"), STR(AUTHORIZATION DATE PAYLOAD), &sig, NULL), OK);
    assert_int_equal(sig.kind, SIG_V4_HEADER);
    assert_true(str_eq(sig.access_key, STR("pail-KEY")));
    assert_true(str_eq(sig.date, STR("20260301")));
    assert_true(str_eq(sig.region, STR("us-east-1")));
    assert_true(str_eq(sig.service, STR("s3")));
    assert_true(str_eq(sig.timestamp, STR("20260301T123045Z")));
    assert_int_equal(sig.time_ms, 1772368245000);
    assert_int_equal(sig.expires_s, 0);
    assert_true(str_eq(sig.signed_headers, STR("host;x-amz-date")));
    assert_memory_equal(sig.signature, signature, sizeof signature);
    assert_int_equal(sig.payload, PAYLOAD_UNSIGNED);
    assert_true(str_eq(sig.payload_text, STR("UNSIGNED-PAYLOAD")));
    assert_int_equal(sig.session_token.len, 0);
}

static void test_query_claim(void **state)
{
    struct sigv4 sig;
    str query = STR("a=b&" QUERY "&X-Amz-Security-Token=t%2Bu");
    assert_int_equal(parse(*state, query, STR("Host: a"), &sig, NULL), OK);
    assert_int_equal(sig.kind, SIG_V4_QUERY);
    assert_true(str_eq(sig.access_key, STR("pail-KEY")));
    assert_true(str_eq(sig.timestamp, STR("20260301T123045Z")));
    assert_int_equal(sig.expires_s, 60);
    assert_true(str_eq(sig.signed_headers, STR("host;x-a")));
    assert_int_equal(sig.payload, PAYLOAD_UNSIGNED);
    assert_true(str_eq(sig.session_token, STR("t+u")));
}

/* Forms of the Authorization header that are in use. */
static void test_header_forms(void **state)
{
    static const str row[] = {
        STR_INIT("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ",SignedHeaders=host,Signature=" HEX),
        STR_INIT("AWS4-HMAC-SHA256   Credential=" CREDENTIAL
                 " , SignedHeaders=host ,Signature=" HEX),
        STR_INIT("AWS4-HMAC-SHA256\tSignature=" HEX ", SignedHeaders=host, Credential=" CREDENTIAL),
        STR_INIT("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ",SignedHeaders=,Signature=" HEX),
        STR_INIT("AWS4-HMAC-SHA256 Credential=a=b/20260301/r/s/aws4_request,SignedHeaders=host,"
                 "Signature=" HEX),
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct sigv4 sig;
        struct fail fail = {0};
        str headers =
            arena_join(*state, (str[]){STR("Authorization: "), row[i], STR(DATE PAYLOAD)}, 3);
        if (parse(*state, STR(""), headers, &sig, &fail) != OK)
            fail_msg("row %zu: %s", i, fail.detail);
    }
}

struct refusal {
    const char *query, *headers;
    enum err expected;
    const char *field;
};

static void check_refusals(struct arena *arena, const struct refusal *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sigv4 sig = {.access_key = STR("untouched")};
        struct fail fail = {0};
        enum err err = parse(arena, str_from(row[i].query), str_from(row[i].headers), &sig, &fail);
        if (err != row[i].expected || fail.code != err || strcmp(fail.field, row[i].field) != 0)
            fail_msg("row %zu: %s, field \"%s\", %s", i, err_name(err), fail.field, fail.detail);
        assert_true(str_eq(sig.access_key, STR("untouched")));
        assert_true(fail.detail[0] != '\0');
    }
}

#define WITH(authorization) "Authorization: " authorization DATE PAYLOAD
#define V4(credential, headers, signature)                                                         \
    WITH("AWS4-HMAC-SHA256 Credential=" credential ", SignedHeaders=" headers                      \
         ", Signature=" signature)
#define HEADER_REFUSED(authorization)                                                              \
    {                                                                                              \
        "", authorization, ERR_BAD_AUTH_HEADER, "Authorization"                                    \
    }

static void test_header_refusals(void **state)
{
    static const struct refusal row[] = {
        {"", WITH("Bearer x"), ERR_BAD_ARGUMENT, "Authorization"},
        {"", WITH("AWS4-HMAC-SHA512 a"), ERR_BAD_ARGUMENT, "Authorization"},
        {"", WITH("AWS4-HMAC-SHA256x a"), ERR_BAD_ARGUMENT, "Authorization"},
        {"", WITH("AWS HAHAHA"), ERR_BAD_ARGUMENT, "Authorization"},
        {"", WITH("AWS key:signature"), ERR_SIGNATURE_VERSION, "Authorization"},
        {"AWSAccessKeyId=1&Signature=2&Expires=3", "Host: a", ERR_SIGNATURE_VERSION, ""},
        {"", WITH("AWS4-ECDSA-P256-SHA256 Credential=x"), ERR_NOT_IMPLEMENTED, "Authorization"},
        {"X-Amz-Signature=1", AUTHORIZATION DATE PAYLOAD, ERR_BAD_ARGUMENT, "Authorization"},
        {"AWSAccessKeyId=1", AUTHORIZATION DATE PAYLOAD, ERR_BAD_ARGUMENT, "Authorization"},
        {QUERY, WITH("Bearer x"), ERR_BAD_ARGUMENT, "Authorization"},
        {"", AUTHORIZATION "\n" AUTHORIZATION DATE PAYLOAD, ERR_BAD_HEADER, "Authorization"},
        {"", AUTHORIZATION DATE DATE PAYLOAD, ERR_BAD_HEADER, "x-amz-date"},
        {"", AUTHORIZATION DATE PAYLOAD PAYLOAD, ERR_BAD_HEADER, "x-amz-content-sha256"},
        {"", AUTHORIZATION DATE PAYLOAD "\nx-amz-security-token: a\nx-amz-security-token: b",
         ERR_BAD_HEADER, "x-amz-security-token"},
        HEADER_REFUSED(WITH("AWS4-HMAC-SHA256")),
        HEADER_REFUSED(WITH("AWS4-HMAC-SHA256 ,")),
        HEADER_REFUSED(WITH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL)),
        HEADER_REFUSED(WITH("AWS4-HMAC-SHA256 Credential=" CREDENTIAL ",SignedHeaders=a")),
        HEADER_REFUSED(WITH("AWS4-HMAC-SHA256 SignedHeaders=a,Signature=" HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, "host", HEX ",")),
        HEADER_REFUSED(V4(CREDENTIAL, "host", HEX ", Signature=" HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, "host", HEX ", Other=1")),
        HEADER_REFUSED(V4(CREDENTIAL, "host", "")),
        HEADER_REFUSED(V4(CREDENTIAL, "host", "0" HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, "host", "00")),
        HEADER_REFUSED(V4(CREDENTIAL, "host",
                          "g123456789abcdef0123456789abcdef0123456789abcdef"
                          "0123456789abcdef")),
        HEADER_REFUSED(V4("", "host", HEX)),
        HEADER_REFUSED(V4("a", "host", HEX)),
        HEADER_REFUSED(V4("/20260301/r/s3/aws4_request", "host", HEX)),
        HEADER_REFUSED(V4("a/20260301/r/s3", "host", HEX)),
        HEADER_REFUSED(V4("a/20260301/r/s3/aws4_request/", "host", HEX)),
        HEADER_REFUSED(V4("a/b/20260301/r/s3/aws4_request", "host", HEX)),
        HEADER_REFUSED(V4("a/20260301/r/s3/aws5_request", "host", HEX)),
        HEADER_REFUSED(V4("a/2026031/r/s3/aws4_request", "host", HEX)),
        HEADER_REFUSED(V4("a/2026030x/r/s3/aws4_request", "host", HEX)),
        HEADER_REFUSED(V4("a/20260301//s3/aws4_request", "host", HEX)),
        HEADER_REFUSED(V4("a/20260301/r//aws4_request", "host", HEX)),
        HEADER_REFUSED(V4("a/20260301/r r/s3/aws4_request", "host", HEX)),
        HEADER_REFUSED(V4("a b/20260301/r/s3/aws4_request", "host", HEX)),
        HEADER_REFUSED(V4("\xc3\xa4/20260301/r/s3/aws4_request", "host", HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, "Host", HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, "host;", HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, ";host", HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, "host;;a", HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, "host; a", HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, "host;a:b", HEX)),
        HEADER_REFUSED(V4(CREDENTIAL, "host;a;host", HEX)),
    };
    check_refusals(*state, row, sizeof row / sizeof *row);
}

static void test_header_time(void **state)
{
    static const struct {
        const char *headers;
        enum err expected;
        const char *timestamp;
    } row[] = {
        {"\nx-amz-date: 20260301T123045Z", OK, "20260301T123045Z"},
        {"\nDate: 20260301T123045Z", OK, "20260301T123045Z"},
        {"\nDate: Sun, 01 Mar 2026 12:30:45 GMT", OK, "20260301T123045Z"},
        {"\nDate: nonsense\nx-amz-date: 20260301T123045Z", OK, "20260301T123045Z"},
        {"\nDate: Sun, 01 Mar 2026 12:30:45 GMT\nx-amz-date: 20260302T000000Z", OK,
         "20260302T000000Z"},
        {"", ERR_ACCESS_DENIED, ""},
        {"\nx-amz-date: ", ERR_ACCESS_DENIED, ""},
        {"\nx-amz-date: 2026-03-01T12:30:45Z", ERR_ACCESS_DENIED, ""},
        {"\nx-amz-date: 20260301", ERR_ACCESS_DENIED, ""},
        {"\nx-amz-date: 20261301T123045Z", ERR_ACCESS_DENIED, ""},
        {"\nDate: yesterday", ERR_ACCESS_DENIED, ""},
        {"\nDate: Sun, 01 Mar 2026 12:30:45 GMT\nx-amz-date: nonsense", ERR_ACCESS_DENIED, ""},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct sigv4 sig = {.timestamp = STR("")};
        str headers = arena_printf(*state, AUTHORIZATION PAYLOAD "%s", row[i].headers);
        enum err err = parse(*state, STR(""), headers, &sig, NULL);
        if (err != row[i].expected || !str_eq(sig.timestamp, str_from(row[i].timestamp)))
            fail_msg("row %zu: %s, %.*s", i, err_name(err), STR_ARG(sig.timestamp));
    }
}

static void test_payload(void **state)
{
    static const struct {
        const char *text;
        enum err expected;
        enum payload_kind kind;
    } row[] = {
        {HEX, OK, PAYLOAD_HASHED},
        {"UNSIGNED-PAYLOAD", OK, PAYLOAD_UNSIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", OK, PAYLOAD_STREAM_SIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", OK, PAYLOAD_STREAM_SIGNED_TRAILER},
        {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", OK, PAYLOAD_STREAM_UNSIGNED_TRAILER},
        {"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", ERR_NOT_IMPLEMENTED, 0},
        {"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", ERR_NOT_IMPLEMENTED, 0},
        {"", ERR_MISSING_HEADER, 0},
        {"unsigned-payload", ERR_BAD_PAYLOAD_HASH, 0},
        {"STREAMING-UNSIGNED-PAYLOAD", ERR_BAD_PAYLOAD_HASH, 0},
        {"invalid", ERR_BAD_PAYLOAD_HASH, 0},
        {"0" HEX, ERR_BAD_PAYLOAD_HASH, 0},
        {"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", ERR_BAD_PAYLOAD_HASH,
         0},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct sigv4 sig;
        struct fail fail = {0};
        uint8_t hash[32] = {0};
        str headers =
            arena_printf(*state, AUTHORIZATION DATE "\nX-Amz-Content-SHA256: %s", row[i].text);
        assert_int_equal(parse(*state, STR(""), headers, &sig, &fail), row[i].expected);
        assert_string_equal(fail.field, row[i].expected == OK ? "" : "x-amz-content-sha256");
        if (row[i].expected != OK)
            continue;
        assert_int_equal(sig.payload, row[i].kind);
        assert_true(str_eq(sig.payload_text, str_from(row[i].text)));
        if (sig.payload == PAYLOAD_HASHED)
            assert_int_equal(hex_decode(STR(HEX), hash), OK);
        assert_memory_equal(sig.payload_hash, hash, sizeof hash);
    }
}

/* Where the payload hash of a presigned request stands. */
static void test_query_payload(void **state)
{
    static const struct {
        const char *query, *headers;
        enum err expected;
        const char *text;
    } row[] = {
        {"host", "Host: a", OK, "UNSIGNED-PAYLOAD"},
        {"host&X-Amz-Content-Sha256=" HEX, "Host: a", OK, HEX},
        {"host;x-amz-content-sha256", "x-amz-content-sha256: " HEX, OK, HEX},
        {"host", "x-amz-content-sha256: " HEX, OK, "UNSIGNED-PAYLOAD"}, /* check refuses it */
        {"host&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", "x-amz-content-sha256: " HEX, OK,
         "UNSIGNED-PAYLOAD"},
        {"host&X-Amz-Content-Sha256=", "Host: a", OK, "UNSIGNED-PAYLOAD"},
        {"host&X-Amz-Content-Sha256=x", "Host: a", ERR_BAD_PAYLOAD_HASH, ""},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct sigv4 sig = {.payload_text = STR("")};
        str query =
            arena_printf(*state,
                         "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" CREDENTIAL
                         "&X-Amz-Date=20260301T123045Z&X-Amz-Expires=60&X-Amz-Signature=" HEX
                         "&X-Amz-SignedHeaders=%s",
                         row[i].query);
        assert_int_equal(parse(*state, query, str_from(row[i].headers), &sig, NULL),
                         row[i].expected);
        assert_true(str_eq(sig.payload_text, str_from(row[i].text)));
    }
}

static void test_query_refusals(void **state)
{
#define A "X-Amz-Algorithm=AWS4-HMAC-SHA256"
#define C "&X-Amz-Credential=" CREDENTIAL
#define D "&X-Amz-Date=20260301T123045Z"
#define E "&X-Amz-Expires=60"
#define H "&X-Amz-SignedHeaders=host"
#define S "&X-Amz-Signature=" HEX
#define QUERY_REFUSED(query, field)                                                                \
    {                                                                                              \
        query, "Host: a", ERR_BAD_AUTH_QUERY, field                                                \
    }
    static const struct refusal row[] = {
        QUERY_REFUSED(C D E H S, "X-Amz-Algorithm"),
        QUERY_REFUSED(A D E H S, "X-Amz-Credential"),
        QUERY_REFUSED(A C E H S, "X-Amz-Date"),
        QUERY_REFUSED(A C D H S, "X-Amz-Expires"),
        QUERY_REFUSED(A C D E S, "X-Amz-SignedHeaders"),
        QUERY_REFUSED(A C D E H, "X-Amz-Signature"),
        QUERY_REFUSED(A C D E H S S, "X-Amz-Signature"),
        QUERY_REFUSED(A C D E H S E, "X-Amz-Expires"),
        QUERY_REFUSED(A C D E H S "&X%2DAmz-Date=1", "X-Amz-Date"),
        QUERY_REFUSED("X-Amz-Algorithm=" C D E H S, "X-Amz-Algorithm"),
        QUERY_REFUSED("X-Amz-Algorithm=AWS4-HMAC-SHA1" C D E H S, "X-Amz-Algorithm"),
        {"X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256" C D E H S, "Host: a", ERR_NOT_IMPLEMENTED,
         "X-Amz-Algorithm"},
        QUERY_REFUSED(A "&X-Amz-Credential=a" D E H S, "X-Amz-Credential"),
        QUERY_REFUSED(A "&X-Amz-Credential=a/20260301/r%0Ar/s3/aws4_request" D E H S,
                      "X-Amz-Credential"),
        QUERY_REFUSED(A "&X-Amz-Credential=a%00/20260301/r/s3/aws4_request" D E H S,
                      "X-Amz-Credential"),
        QUERY_REFUSED(A C "&X-Amz-Date=20260301" E H S, "X-Amz-Date"),
        QUERY_REFUSED(A C "&X-Amz-Date=Sun, 01 Mar 2026 12:30:45 GMT" E H S, "X-Amz-Date"),
        QUERY_REFUSED(A C D "&X-Amz-Expires=" H S, "X-Amz-Expires"),
        QUERY_REFUSED(A C D "&X-Amz-Expires=1h" H S, "X-Amz-Expires"),
        QUERY_REFUSED(A C D "&X-Amz-Expires=99999999999999999999" H S, "X-Amz-Expires"),
        QUERY_REFUSED(A C D E "&X-Amz-SignedHeaders=Host" S, "X-Amz-SignedHeaders"),
        QUERY_REFUSED(A C D E "&X-Amz-SignedHeaders=host%0Aa" S, "X-Amz-SignedHeaders"),
        QUERY_REFUSED(A C D E "&X-Amz-SignedHeaders=host%00" S, "X-Amz-SignedHeaders"),
        QUERY_REFUSED(A C D E H "&X-Amz-Signature=1", "X-Amz-Signature"),
        {A C D E H S "&a=%", "Host: a", ERR_BAD_URI, ""},
        {A C D E H S, "x-amz-content-sha256: a\nX-Amz-Content-SHA256: b", ERR_BAD_HEADER,
         "x-amz-content-sha256"},
    };
    check_refusals(*state, row, sizeof row / sizeof *row);
}

/* The bounds of what a stranger can make the server keep or compare. */
static void test_limits(void **state)
{
    static const struct {
        const char *format; /* takes the repeated piece */
        const char *piece;
        size_t most; /* so many pass, one more does not */
    } row[] = {
        {"%s/20260301/r/s3/aws4_request, SignedHeaders=host", "a", SIGV4_ACCESS_KEY_MAX},
        {"a/20260301/%s/s3/aws4_request, SignedHeaders=host", "a", SIGV4_REGION_MAX},
        {"a/20260301/r/%s/aws4_request, SignedHeaders=host", "a", SIGV4_SERVICE_MAX},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        for (size_t more = 0; more < 2; more++) {
            struct sigv4 sig;
            char piece[512] = "";
            memset(piece, row[i].piece[0], row[i].most + more);
            str before = STR("Authorization: AWS4-HMAC-SHA256 Signature=" HEX ", Credential=");
            str rest = str_skip(str_from(row[i].format), 0), head, tail;
            (void)str_cut(rest, '%', &head, &tail);
            const str part[] = {before, head, str_from(piece), str_skip(tail, 1),
                                STR(DATE PAYLOAD)};
            str headers = arena_join(*state, part, 5);
            assert_int_equal(parse(*state, STR(""), headers, &sig, NULL),
                             more ? ERR_BAD_AUTH_HEADER : OK);
        }
    }
}

static void test_signed_header_limit(void **state)
{
    str list = STR("a0");
    for (size_t count = 1; count <= SIGV4_SIGNED_HEADERS_MAX + 1; count++) {
        struct sigv4 sig;
        str headers = arena_printf(*state,
                                   "Authorization: AWS4-HMAC-SHA256 Credential=" CREDENTIAL
                                   ", Signature=" HEX ", SignedHeaders=%.*s" DATE PAYLOAD,
                                   STR_ARG(list));
        assert_int_equal(parse(*state, STR(""), headers, &sig, NULL),
                         count <= SIGV4_SIGNED_HEADERS_MAX ? OK : ERR_BAD_AUTH_HEADER);
        list = arena_printf(*state, "%.*s;a%zu", STR_ARG(list), count);
    }
}

static void test_query_limit(void **state)
{
    struct sigv4 sig;
    str query = STR(QUERY);
    for (size_t i = 0; i < SIGV4_QUERY_PARAMS_MAX - 6; i++)
        query = arena_join(*state, (str[]){query, STR("&a")}, 2);
    assert_int_equal(parse(*state, query, STR("Host: a"), &sig, NULL), OK);
    query = arena_join(*state, (str[]){query, STR("&a")}, 2);
    assert_int_equal(parse(*state, query, STR("Host: a"), &sig, NULL), ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detect),
        cmocka_unit_test(test_header_claim),
        cmocka_unit_test(test_query_claim),
        cmocka_unit_test(test_header_forms),
        cmocka_unit_test(test_header_refusals),
        cmocka_unit_test(test_header_time),
        cmocka_unit_test(test_payload),
        cmocka_unit_test(test_query_payload),
        cmocka_unit_test(test_query_refusals),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_signed_header_limit),
        cmocka_unit_test(test_query_limit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
