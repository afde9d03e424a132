/* Aim: what AWS publishes and what botocore signs is accepted, over headers and over the query, whatever spelling the
 * target has; and any change of a signed part, one bit of the signature or another secret is a mismatch, which shows the
 * canonical request and the string to sign. And sigv4_check accepts exactly what its policy allows, to the millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/encode.h"
#include "base/hash.h"
#include "iam/sigv4.h"
#include "vectors.h"

enum { ARENA_CAP = 1024 * 1024 };

static int set_up(void **state)
{
    *state = arena_new(16 * ARENA_CAP);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static void derive(const struct sigv4 *sig, str secret, uint8_t key[SIGV4_KEY_SIZE])
{
    sigv4_signing_key(secret, sig->date, sig->region, sig->service, key);
}

static enum err verify(const struct vector *vector, const struct sig_request *request,
                       struct arena *arena, struct sigv4_mismatch *mismatch)
{
    struct sigv4 sig;
    struct fail fail = {0};
    uint8_t key[SIGV4_KEY_SIZE];
    struct sigv4_policy policy = {.now_ms = vector->now_ms};
    TRY(sigv4_parse(request, arena, &sig, &fail));
    TRY(sigv4_check(&sig, request, &policy, &fail));
    derive(&sig, vector->secret, key);
    return sigv4_verify(&sig, request, key, arena, mismatch, &fail);
}

static void check_file(struct arena *arena, const char *name)
{
    size_t count;
    const struct vector *vector = vectors_read(arena, name, &count);
    for (size_t i = 0; i < count; i++) {
        enum err err = verify(&vector[i], &vector[i].request, arena, NULL);
        if (err != OK)
            fail_msg("%s, \"%.*s\": %s", name, STR_ARG(vector[i].name), err_name(err));
    }
}

static void test_aws_examples(void **state)
{
    check_file(*state, "aws.txt");
}

static void test_botocore(void **state)
{
    check_file(*state, "botocore.txt");
}

static void expect_mismatch(const struct vector *vector, const struct sig_request *request,
                            struct arena *arena, const char *change)
{
    struct sigv4_mismatch mismatch = {{0}, {0}};
    enum err err = verify(vector, request, arena, &mismatch);
    if (err != ERR_SIGNATURE_MISMATCH)
        fail_msg("\"%.*s\" with %s: %s", STR_ARG(vector->name), change, err_name(err));
    /* The two texts fit together: the last line of the one is the hash of the other. */
    uint8_t hash[32];
    char hex[64];
    sha256_of(mismatch.canonical_request.ptr, mismatch.canonical_request.len, hash);
    hex_encode(hash, sizeof hash, hex);
    assert_true(str_has_suffix(mismatch.string_to_sign, str_of(hex, sizeof hex)));
}

/* What an attacker might change in a signed request. */
static void test_changes(void **state)
{
    size_t count;
    const struct vector *vector = vectors_read(*state, "botocore.txt", &count);
    for (size_t i = 0; i < count; i++) {
        struct sig_request changed = vector[i].request;
        changed.method = STR("DELETE");
        expect_mismatch(&vector[i], &changed, *state, "another method");
        changed = vector[i].request;
        changed.path = arena_join(*state, (str[]){changed.path, STR("x")}, 2);
        expect_mismatch(&vector[i], &changed, *state, "another path");
        changed = vector[i].request;
        changed.query = arena_join(*state, (str[]){changed.query, STR("&versionId=1")}, 2);
        expect_mismatch(&vector[i], &changed, *state, "another query");
        changed = vector[i].request;
        struct pair header[VECTOR_HEADERS_MAX];
        memcpy(header, vector[i].header, sizeof header);
        header[0].value = STR("other.example.org");
        changed.header = header;
        expect_mismatch(&vector[i], &changed, *state, "another host");
        struct vector other = vector[i];
        other.secret = STR("another secret");
        expect_mismatch(&other, &other.request, *state, "another secret");
    }
}

static void test_each_signature_bit(void **state)
{
    size_t count;
    const struct vector *vector = vectors_read(*state, "aws.txt", &count);
    struct sigv4 sig;
    uint8_t key[SIGV4_KEY_SIZE];
    assert_int_equal(sigv4_parse(&vector->request, *state, &sig, NULL), OK);
    derive(&sig, vector->secret, key);
    for (size_t bit = 0; bit < 8 * SIGV4_SIGNATURE_SIZE; bit++) {
        sig.signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(sigv4_verify(&sig, &vector->request, key, *state, NULL, NULL),
                         ERR_SIGNATURE_MISMATCH);
        sig.signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(sigv4_verify(&sig, &vector->request, key, *state, NULL, NULL), OK);
}

/* The hashes of the canonical requests that AWS prints beside its examples. */
static void test_canonical_hashes(void **state)
{
    size_t count;
    const struct vector *vector = vectors_read(*state, "aws.txt", &count);
    for (size_t i = 0; i < count; i++) {
        struct sigv4 sig;
        struct sigv4_mismatch mismatch;
        const uint8_t no_key[SIGV4_KEY_SIZE] = {0};
        assert_int_equal(sigv4_parse(&vector[i].request, *state, &sig, NULL), OK);
        assert_int_equal(sigv4_verify(&sig, &vector[i].request, no_key, *state, &mismatch, NULL),
                         ERR_SIGNATURE_MISMATCH);
        if (!str_has_suffix(mismatch.string_to_sign, vector[i].canonical))
            fail_msg("\"%.*s\": %.*s", STR_ARG(vector[i].name),
                     STR_ARG(mismatch.canonical_request));
    }
}

/* The canonical request of a request that is not signed rightly, so that it can be seen. */
static str canonical_of(struct arena *arena, str path, str query, str headers, str signed_headers)
{
    struct pair header[VECTOR_HEADERS_MAX];
    struct sigv4_mismatch mismatch = {{0}, {0}};
    const uint8_t key[SIGV4_KEY_SIZE] = {0};
    struct sig_request request = {.method = STR("GET"),
                                  .path = path,
                                  .query = query,
                                  .header = header,
                                  .header_count = headers_parse(headers, header)};
    struct sigv4 sig = {
        .kind = SIG_V4_HEADER, .signed_headers = signed_headers, .payload_text = STR("P")};
    assert_int_equal(sigv4_verify(&sig, &request, key, arena, &mismatch, NULL),
                     ERR_SIGNATURE_MISMATCH);
    return mismatch.canonical_request;
}

static void test_canonical_form(void **state)
{
    static const struct {
        str path, query, headers, signed_headers, expected;
    } row[] = {
        {STR_INIT("/"), STR_INIT(""), STR_INIT(""), STR_INIT(""), STR_INIT("GET\n/\n\n\n\nP")},
        {STR_INIT(""), STR_INIT(""), STR_INIT(""), STR_INIT(""), STR_INIT("GET\n/\n\n\n\nP")},
        /* The path is encoded once and not normalised; a plus stays a plus. */
        {STR_INIT("/a//b/../%7e%2fc+(d)/%e4"), STR_INIT(""), STR_INIT(""), STR_INIT(""),
         STR_INIT("GET\n/a//b/../~/c%2B%28d%29/%E4\n\n\n\nP")},
        {STR_INIT("/a%2Fb"), STR_INIT(""), STR_INIT(""), STR_INIT(""),
         STR_INIT("GET\n/a/b\n\n\n\nP")},
        {STR_INIT("/\xc3\xa4 \x01"), STR_INIT(""), STR_INIT(""), STR_INIT(""),
         STR_INIT("GET\n/%C3%A4%20%01\n\n\n\nP")},
        /* A query is sorted by name, then value; a plus is a space; empty pieces fall out; names alone get a '='. */
        {STR_INIT("/"), STR_INIT("b=2&a=2&&a=1&c&a-b=%7e~+%20/=&"), STR_INIT(""), STR_INIT(""),
         STR_INIT("GET\n/\na=1&a=2&a-b=~~%20%20%2F%3D&b=2&c=\n\n\nP")},
        {STR_INIT("/"), STR_INIT("=x&%41=1"), STR_INIT(""), STR_INIT(""),
         STR_INIT("GET\n/\n=x&A=1\n\n\nP")},
        /* Under header authentication X-Amz-Signature is a parameter like any other. */
        {STR_INIT("/"), STR_INIT("X-Amz-Signature=1"), STR_INIT(""), STR_INIT(""),
         STR_INIT("GET\n/\nX-Amz-Signature=1\n\n\nP")},
        /* Header values are trimmed, inner runs of spaces become one, repeated ones are joined, missing ones empty. */
        {STR_INIT("/"), STR_INIT(""), STR_INIT("B:   1   2  3 \nA: x\nb: 4\nC: unsigned"),
         STR_INIT("a;b;d"), STR_INIT("GET\n/\n\na:x\nb:1 2 3,4\nd:\n\na;b;d\nP")},
        {STR_INIT("/"), STR_INIT(""), STR_INIT("a:  \t \nb: \"x  y\"\tz"), STR_INIT("a;b"),
         STR_INIT("GET\n/\n\na:\nb:\"x y\"\tz\n\na;b\nP")},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        str got =
            canonical_of(*state, row[i].path, row[i].query, row[i].headers, row[i].signed_headers);
        if (!str_eq(got, row[i].expected))
            fail_msg("row %zu: %.*s", i, STR_ARG(got));
    }
}

static str repeat(struct arena *arena, str piece, size_t count)
{
    char *text = arena_alloc(arena, piece.len * count);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * piece.len, piece.ptr, piece.len);
    return str_of(text, piece.len * count);
}

/* A copy without a terminator, behind which the address sanitizer sees a read. */
static str exact(struct arena *arena, str text)
{
    return repeat(arena, text, 1);
}

static enum err verify_target(struct arena *arena, str path, str query)
{
    struct sig_request request = {.method = STR("GET"), .path = path, .query = query};
    struct sigv4 sig = {.kind = SIG_V4_HEADER, .payload_text = STR("P")};
    const uint8_t key[SIGV4_KEY_SIZE] = {0};
    return sigv4_verify(&sig, &request, key, arena, NULL, NULL);
}

static void test_bad_targets(void **state)
{
    static const struct {
        str path, query;
        enum err expected;
    } row[] = {
        {STR_INIT("/%"), STR_INIT(""), ERR_BAD_URI},
        {STR_INIT("/%4"), STR_INIT(""), ERR_BAD_URI},
        {STR_INIT("/%4g"), STR_INIT(""), ERR_BAD_URI},
        {STR_INIT("/"), STR_INIT("%"), ERR_BAD_URI},
        {STR_INIT("/"), STR_INIT("a=%zz"), ERR_BAD_URI},
        {STR_INIT("/%00"), STR_INIT("%00=%00"), ERR_SIGNATURE_MISMATCH},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_int_equal(
            verify_target(*state, exact(*state, row[i].path), exact(*state, row[i].query)),
            row[i].expected);
    /* As many parameters as allowed, and one more. */
    str most = repeat(*state, STR("&a&"), SIGV4_QUERY_PARAMS_MAX);
    assert_int_equal(verify_target(*state, STR("/"), most), ERR_SIGNATURE_MISMATCH);
    str more = repeat(*state, STR("&a&"), SIGV4_QUERY_PARAMS_MAX + 1);
    assert_int_equal(verify_target(*state, STR("/"), more), ERR_TOO_LARGE);
}

static void test_arena_cap(void **state)
{
    struct arena *small = arena_new(256);
    assert_int_equal(verify_target(small, repeat(*state, STR("/+"), 1000), STR("")), ERR_TOO_LARGE);
    assert_int_equal(verify_target(small, STR("/"), repeat(*state, STR("a&"), 100)), ERR_TOO_LARGE);
    /* The texts for the client are left out rather than failing the answer. */
    struct sig_request request = {.method = STR("GET"), .path = repeat(*state, STR("/a"), 1000)};
    struct sigv4 sig = {.kind = SIG_V4_HEADER, .payload_text = STR("P")};
    struct sigv4_mismatch mismatch = {{0}, {0}};
    const uint8_t key[SIGV4_KEY_SIZE] = {0};
    assert_int_equal(sigv4_verify(&sig, &request, key, small, &mismatch, NULL),
                     ERR_SIGNATURE_MISMATCH);
    assert_int_equal(mismatch.canonical_request.len, 0);
    assert_true(mismatch.string_to_sign.len > 0);
    arena_free(small);
}

/* The hash streams through a block of 2 KiB; every length around its borders gives the hash of the whole text. */
static void test_long_requests(void **state)
{
    for (size_t len = 1900; len<6500; len += len % 2048> 2000 || len % 2048 < 64 ? 1 : 61) {
        struct sig_request request = {.method = STR("GET"), .path = repeat(*state, STR("a"), len)};
        struct sigv4 sig = {.kind = SIG_V4_HEADER, .payload_text = STR("P")};
        struct sigv4_mismatch mismatch = {{0}, {0}};
        const uint8_t key[SIGV4_KEY_SIZE] = {0};
        uint8_t hash[32];
        char hex[64];
        assert_int_equal(sigv4_verify(&sig, &request, key, *state, &mismatch, NULL),
                         ERR_SIGNATURE_MISMATCH);
        sha256_of(mismatch.canonical_request.ptr, mismatch.canonical_request.len, hash);
        hex_encode(hash, sizeof hash, hex);
        assert_true(str_has_suffix(mismatch.string_to_sign, str_of(hex, sizeof hex)));
    }
}

/* A client that signs the path as it sends it, with characters that S3 would have escaped, is understood too. */
static void test_raw_path(void **state)
{
    struct pair header[VECTOR_HEADERS_MAX];
    struct sig_request request = {
        .method = STR("GET"), .path = STR("/b/%28a%29"), .header = header};
    struct sigv4 sig = {.kind = SIG_V4_HEADER, .payload_text = STR("P")};
    const uint8_t key[SIGV4_KEY_SIZE] = {1};
    static const str spelling[] = {STR_INIT("/b/(a)"), STR_INIT("/b/%28a)"),
                                   STR_INIT("/b/%28a%29")};
    for (size_t i = 0; i < sizeof spelling / sizeof *spelling; i++) {
        str text = arena_join(*state, (str[]){STR("GET\n"), spelling[i], STR("\n\n\n\nP")}, 3);
        uint8_t hash[32];
        char hex[64];
        sha256_of(text.ptr, text.len, hash);
        hex_encode(hash, sizeof hash, hex);
        const str piece[] = {STR("AWS4-HMAC-SHA256\n"), STR("\n"), STR("///aws4_request\n"),
                             str_of(hex, sizeof hex)};
        hmac_sha256_pieces(str_of(key, sizeof key), piece, 4, sig.signature);
        request.path = spelling[i];
        assert_int_equal(sigv4_verify(&sig, &request, key, *state, NULL, NULL), OK);
        request.path = STR("/b/(b)");
        assert_int_equal(sigv4_verify(&sig, &request, key, *state, NULL, NULL),
                         ERR_SIGNATURE_MISMATCH);
    }
}

/* The time of the claims below: 20260301T000000Z. */
static const int64_t CLAIM_MS = 1772323200000;

static struct sigv4 make_claim(enum sig_kind kind)
{
    return (struct sigv4){.kind = kind,
                          .access_key = STR("k"),
                          .date = STR("20260301"),
                          .region = STR("us-east-1"),
                          .service = STR("s3"),
                          .timestamp = STR("20260301T000000Z"),
                          .time_ms = CLAIM_MS,
                          .expires_s = kind == SIG_V4_QUERY ? 60 : 0,
                          .signed_headers = STR("host")};
}

static void test_check_time(void **state)
{
    (void)state;
    enum { SKEW = SIGV4_SKEW_MS, DAY = 24 * 60 * 60 * 1000 };
    static const struct {
        enum sig_kind kind;
        int64_t after_ms; /* the server's time, counted from the claim's */
        int64_t expires_s;
        struct sigv4_policy policy;
        enum err expected;
    } row[] = {
        {SIG_V4_HEADER, 0, 0, {.skew_ms = 0}, OK},
        {SIG_V4_HEADER, SKEW, 0, {.skew_ms = 0}, OK},
        {SIG_V4_HEADER, SKEW + 1, 0, {.skew_ms = 0}, ERR_CLOCK_SKEW},
        {SIG_V4_HEADER, -SKEW, 0, {.skew_ms = 0}, OK},
        {SIG_V4_HEADER, -SKEW - 1, 0, {.skew_ms = 0}, ERR_CLOCK_SKEW},
        {SIG_V4_HEADER, 1000, 0, {.skew_ms = 1000}, OK},
        {SIG_V4_HEADER, 1001, 0, {.skew_ms = 1000}, ERR_CLOCK_SKEW},
        {SIG_V4_QUERY, 60000, 60, {.skew_ms = 0}, OK},
        {SIG_V4_QUERY, 60001, 60, {.skew_ms = 0}, ERR_SIGNATURE_EXPIRED},
        {SIG_V4_QUERY, -SKEW, 60, {.skew_ms = 0}, OK},
        {SIG_V4_QUERY, -SKEW - 1, 60, {.skew_ms = 0}, ERR_SIGNATURE_NOT_YET_VALID},
        {SIG_V4_QUERY, 7 * (int64_t)DAY, 604800, {.skew_ms = 0}, OK},
        {SIG_V4_QUERY, 0, 604801, {.skew_ms = 0}, ERR_BAD_AUTH_QUERY},
        {SIG_V4_QUERY, 0, 0, {.skew_ms = 0}, ERR_BAD_AUTH_QUERY},
        {SIG_V4_QUERY, 0, -1, {.skew_ms = 0}, ERR_BAD_AUTH_QUERY},
        {SIG_V4_QUERY, 0, INT64_MAX, {.skew_ms = 0}, ERR_BAD_AUTH_QUERY},
        {SIG_V4_QUERY, 0, INT64_MIN, {.skew_ms = 0}, ERR_BAD_AUTH_QUERY},
        {SIG_V4_QUERY, 0, 61, {.max_expires_s = 60}, ERR_BAD_AUTH_QUERY},
        {SIG_V4_QUERY, 0, 60, {.max_expires_s = 60}, OK},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct sigv4 sig = make_claim(row[i].kind);
        struct sig_request request = {.method = STR("GET")};
        struct sigv4_policy policy = row[i].policy;
        policy.now_ms = CLAIM_MS + row[i].after_ms;
        sig.expires_s = row[i].expires_s;
        enum err err = sigv4_check(&sig, &request, &policy, NULL);
        if (err != row[i].expected)
            fail_msg("row %zu: %s", i, err_name(err));
    }
}

static void test_check_scope(void **state)
{
    (void)state;
    static const struct {
        enum sig_kind kind;
        str date, service, region;
        const char *region_wanted, *service_wanted;
        enum err expected;
        const char *detail;
    } row[] = {
        {SIG_V4_HEADER, STR_INIT("20260301"), STR_INIT("s3"), STR_INIT("anywhere"), "", "", OK, ""},
        {SIG_V4_HEADER, STR_INIT("20260301"), STR_INIT("s3"), STR_INIT("a-1"), "a-1", "", OK, ""},
        {SIG_V4_HEADER, STR_INIT("20260301"), STR_INIT("s3"), STR_INIT("a-1"), "a-2", "",
         ERR_BAD_REGION, "the region \"a-1\" is wrong; expecting \"a-2\""},
        {SIG_V4_QUERY, STR_INIT("20260301"), STR_INIT("s3"), STR_INIT("a-1"), "a-10", "",
         ERR_BAD_REGION, "the region \"a-1\" is wrong; expecting \"a-10\""},
        {SIG_V4_HEADER, STR_INIT("20260301"), STR_INIT("ec2"), STR_INIT("a-1"), "", "",
         ERR_BAD_AUTH_HEADER, "incorrect service \"ec2\"; this endpoint belongs to \"s3\""},
        {SIG_V4_QUERY, STR_INIT("20260301"), STR_INIT("ec2"), STR_INIT("a-1"), "", "",
         ERR_BAD_AUTH_QUERY, "incorrect service \"ec2\"; this endpoint belongs to \"s3\""},
        {SIG_V4_HEADER, STR_INIT("20260301"), STR_INIT("pail"), STR_INIT("a-1"), "", "pail", OK,
         ""},
        {SIG_V4_HEADER, STR_INIT("20260228"), STR_INIT("s3"), STR_INIT("a-1"), "", "",
         ERR_BAD_AUTH_HEADER,
         "the credential's date \"20260228\" is not the day of the request, \"20260301T000000Z\""},
        {SIG_V4_QUERY, STR_INIT("20260302"), STR_INIT("s3"), STR_INIT("a-1"), "", "",
         ERR_BAD_AUTH_QUERY,
         "the credential's date \"20260302\" is not the day of the request, \"20260301T000000Z\""},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct sigv4 sig = make_claim(row[i].kind);
        struct sig_request request = {.method = STR("GET")};
        struct sigv4_policy policy = {.now_ms = CLAIM_MS,
                                      .region = str_from(row[i].region_wanted),
                                      .service = str_from(row[i].service_wanted)};
        struct fail fail = {0};
        sig.date = row[i].date;
        sig.service = row[i].service;
        sig.region = row[i].region;
        assert_int_equal(sigv4_check(&sig, &request, &policy, &fail), row[i].expected);
        assert_string_equal(fail.detail, row[i].detail);
    }
}

static void test_check_signed_headers(void **state)
{
    (void)state;
    static const struct {
        enum sig_kind kind;
        str headers, signed_headers;
        const char *field, *detail; /* field null: accepted */
    } row[] = {
        {SIG_V4_HEADER, STR_INIT("Host: a"), STR_INIT("host"), NULL, ""},
        {SIG_V4_HEADER, STR_INIT("Host: a"), STR_INIT("hos"), "host", "host"},
        {SIG_V4_HEADER, STR_INIT("Host: a"), STR_INIT(""), "host", "host"},
        {SIG_V4_HEADER, STR_INIT("Host: a\nRange: b\nContent-Type: c"), STR_INIT("host"), NULL, ""},
        {SIG_V4_HEADER, STR_INIT("Host: a\nX-Amz-ACL: b"), STR_INIT("host;x-amz-acl"), NULL, ""},
        {SIG_V4_HEADER, STR_INIT("Host: a\nX-Amz-ACL: b"), STR_INIT("host"), "X-Amz-ACL",
         "X-Amz-ACL"},
        {SIG_V4_QUERY, STR_INIT("Host: a\nx-amz-acl: b\nx-amz-meta-c: d"), STR_INIT(""), "host",
         "host, x-amz-acl, x-amz-meta-c"},
        {SIG_V4_QUERY, STR_INIT("x-amzn-trace-id: 1\nx-am: 2"), STR_INIT("host"), NULL, ""},
        {SIG_V4_HEADER, STR_INIT("x-amz-content-sha256: 1"), STR_INIT("host"), NULL, ""},
        {SIG_V4_QUERY, STR_INIT("x-amz-content-sha256: 1"), STR_INIT("host"),
         "x-amz-content-sha256", "x-amz-content-sha256"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pair header[VECTOR_HEADERS_MAX];
        struct sigv4 sig = make_claim(row[i].kind);
        struct sig_request request = {.method = STR("GET"), .header = header};
        struct sigv4_policy policy = {.now_ms = CLAIM_MS};
        struct fail fail = {0};
        request.header_count = headers_parse(row[i].headers, header);
        sig.signed_headers = row[i].signed_headers;
        assert_int_equal(sigv4_check(&sig, &request, &policy, &fail),
                         row[i].field ? ERR_UNSIGNED_HEADER : OK);
        assert_string_equal(fail.field, row[i].field ? row[i].field : "");
        assert_string_equal(fail.detail, row[i].detail);
    }
}

/* Names of any length are reported without harm. */
static void test_long_unsigned_header(void **state)
{
    struct pair header = {.name = repeat(*state, STR("x-amz-"), 1000), .value = STR("")};
    struct sigv4 sig = make_claim(SIG_V4_HEADER);
    struct sig_request request = {.header = &header, .header_count = 1};
    struct sigv4_policy policy = {.now_ms = CLAIM_MS};
    struct fail fail = {0};
    assert_int_equal(sigv4_check(&sig, &request, &policy, &fail), ERR_UNSIGNED_HEADER);
    assert_memory_equal(fail.field, "x-amz-x-amz-", 12);
    assert_memory_equal(fail.detail, "x-amz-x-amz-", 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aws_examples),
        cmocka_unit_test(test_botocore),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_each_signature_bit),
        cmocka_unit_test(test_canonical_hashes),
        cmocka_unit_test(test_canonical_form),
        cmocka_unit_test(test_bad_targets),
        cmocka_unit_test(test_arena_cap),
        cmocka_unit_test(test_long_requests),
        cmocka_unit_test(test_raw_path),
        cmocka_unit_test(test_check_time),
        cmocka_unit_test(test_check_scope),
        cmocka_unit_test(test_check_signed_headers),
        cmocka_unit_test(test_long_unsigned_header),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
