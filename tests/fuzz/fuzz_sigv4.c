/* Fuzzes the reading, judging and verifying of signed requests. The input is a request head in plain lines: the first is
 * "METHOD target", each other one "Name: value".
 *
 * Two things must hold: no input hurts the server, whatever it claims; and what our own client signs over an arbitrary
 * target and arbitrary headers, our server accepts. */
#include "fuzz.h"

#include "base/arena.h"
#include "iam/sigv4.h"
#include "iam/sigv4_sign.h"

enum { HEADERS_MAX = 64, SIGNED_HEADERS_ROOM = 4, ARENA_CAP = 256 * 1024 };

static const int64_t NOW_MS = 1369353600000; /* 20130524T000000Z: the corpus is of that time */

static struct sig_request read_request(str input, struct pair header[HEADERS_MAX])
{
    str line, target;
    struct sig_request request = {.header = header};
    (void)str_cut(input, '\n', &line, &input);
    (void)str_cut(line, ' ', &request.method, &target);
    (void)str_cut(target, '?', &request.path, &request.query);
    while (input.len > 0 && request.header_count < HEADERS_MAX) {
        struct pair *next = &header[request.header_count++];
        (void)str_cut(input, '\n', &line, &input);
        (void)str_cut(line, ':', &next->name, &next->value);
    }
    return request;
}

static void receive(const struct sig_request *request, struct arena *arena)
{
    struct sigv4 sig;
    struct sigv4_mismatch mismatch = {{0}, {0}};
    struct fail fail = {0};
    struct sigv4_policy policy = {.now_ms = NOW_MS, .region = STR("us-east-1")};
    uint8_t key[SIGV4_KEY_SIZE];
    if (sig_detect(request) == SIG_ANONYMOUS || sigv4_parse(request, arena, &sig, &fail) != OK)
        return;
    (void)sigv4_check(&sig, request, &policy, &fail);
    sigv4_signing_key(STR("not the secret"), sig.date, sig.region, sig.service, key);
    enum err err = sigv4_verify(&sig, request, key, arena, &mismatch, &fail);
    FUZZ_CHECK(err != OK);
    FUZZ_CHECK(err == ERR_SIGNATURE_MISMATCH || mismatch.string_to_sign.len == 0);
}

/* Names that a client may send beside those that signing adds. */
static bool is_sendable(str name)
{
    static const str added[] = {STR_INIT("authorization"), STR_INIT("date"), STR_INIT("x-amz-date"),
                                STR_INIT("x-amz-content-sha256"), STR_INIT("x-amz-security-token")};
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        if (str_eq_nocase(name, added[i]))
            return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-')
            return false;
    }
    return name.len > 0;
}

static void verify_own(const struct sig_request *request, struct arena *arena, str secret)
{
    struct sigv4 sig;
    uint8_t key[SIGV4_KEY_SIZE];
    struct sigv4_policy policy = {.now_ms = NOW_MS};
    FUZZ_CHECK(sigv4_parse(request, arena, &sig, NULL) == OK);
    FUZZ_CHECK(sigv4_check(&sig, request, &policy, NULL) == OK);
    sigv4_signing_key(secret, sig.date, sig.region, sig.service, key);
    FUZZ_CHECK(sigv4_verify(&sig, request, key, arena, NULL, NULL) == OK);
}

static void sign_and_receive(const struct sig_request *request, struct arena *arena)
{
    struct pair header[HEADERS_MAX + 1 + SIGNED_HEADERS_ROOM];
    struct sig_request sent = *request;
    struct sigv4_signed added;
    struct sigv4_signer signer = {.access_key = STR("key"),
                                  .secret = STR("secret"),
                                  .region = STR("us-east-1"),
                                  .now_ms = NOW_MS};
    sent.header = header;
    sent.header_count = 0;
    header[sent.header_count++] = (struct pair){STR("Host"), STR("a")};
    for (size_t i = 0; i < request->header_count; i++) {
        if (is_sendable(request->header[i].name))
            header[sent.header_count++] = request->header[i];
    }
    struct sig_request presigned = sent;
    if (sig_detect(&sent) != SIG_ANONYMOUS)
        return;
    if (sigv4_presign(&signer, &sent, 60, arena, &presigned.query) == OK)
        verify_own(&presigned, arena, signer.secret);
    if (sigv4_sign_headers(&signer, &sent, STR("UNSIGNED-PAYLOAD"), arena, &added) != OK)
        return;
    for (size_t i = 0; i < added.header_count; i++)
        header[sent.header_count++] = added.header[i];
    verify_own(&sent, arena, signer.secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair header[HEADERS_MAX];
    struct arena *arena = arena_new(ARENA_CAP);
    struct sig_request request = read_request(fuzz_input(data, size), header);
    receive(&request, arena);
    sign_and_receive(&request, arena);
    arena_free(arena);
    return 0;
}
