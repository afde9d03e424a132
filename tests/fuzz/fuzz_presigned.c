/* A presigned query: the input is the query that a client presigns, and a change that somebody makes to the result on its way. The first
 * two bytes say where, the third what is put there.
 *
 * What must hold: what our own client presigns is accepted; what was changed is refused, unless it still says the same when it is
 * decoded; and a query from outside gets past nobody without the key. */
#include "fuzz.h"

#include "base/arena.h"
#include "codec/url.h"
#include "iam/sigv4.h"
#include "iam/sigv4_sign.h"

enum { ARENA_BYTES = 4 << 20, CHANGE_BYTES = 3, EXPIRES_S = 60 };

static const int64_t NOW_MS = 1369353600000; /* 20130524T000000Z */

static enum err accept(const struct sig_request *request, struct arena *arena, str secret)
{
    struct sigv4 sig;
    uint8_t key[SIGV4_KEY_SIZE];
    struct sigv4_policy policy = {.now_ms = NOW_MS, .region = STR("us-east-1")};
    if (sig_detect(request) != SIG_V4_QUERY)
        return ERR_ACCESS_DENIED;
    TRY(sigv4_parse(request, arena, &sig, NULL));
    TRY(sigv4_check(&sig, request, &policy, NULL));
    FUZZ_CHECK(sig.expires_s > 0 && sig.expires_s <= SIGV4_EXPIRES_MAX_S);
    sigv4_signing_key(secret, sig.date, sig.region, sig.service, key);
    return sigv4_verify(&sig, request, key, arena, NULL, NULL);
}

/* Whether each pair of the one has its place in the other, which has as many. */
static bool says_the_same(struct arena *arena, str query, str other)
{
    struct pair *a, *b;
    size_t a_count, b_count;
    if (url_parse_query(arena, query, SIGV4_QUERY_PARAMS_MAX, &a, &a_count) != OK ||
        url_parse_query(arena, other, SIGV4_QUERY_PARAMS_MAX, &b, &b_count) != OK ||
        a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++) {
        size_t k = 0;
        while (k < b_count &&
               !(str_eq(a[i].name, b[k].name) &&
                 (str_eq(a[i].value, b[k].value) || (str_eq(a[i].name, STR("X-Amz-Signature")) &&
                                                     str_eq_nocase(a[i].value, b[k].value)))))
            k++;
        if (k == b_count)
            return false;
        b[k].name = STR("\xff taken");
    }
    return true;
}

static str changed(struct arena *arena, str text, const uint8_t *change)
{
    char *copy = arena_alloc(arena, text.len + 1);
    memcpy(copy, text.ptr, text.len);
    copy[((size_t)change[0] << 8 | change[1]) % text.len] = (char)change[2];
    return str_of(copy, text.len);
}

static void check_own(struct arena *arena, struct sig_request request, const uint8_t *change)
{
    struct sigv4_signer signer = {.access_key = STR("key"),
                                  .secret = STR("secret"),
                                  .region = STR("us-east-1"),
                                  .now_ms = NOW_MS};
    str query;
    if (sig_detect(&request) != SIG_ANONYMOUS ||
        sigv4_presign(&signer, &request, EXPIRES_S, arena, &query) != OK)
        return;
    request.query = query;
    FUZZ_CHECK(accept(&request, arena, signer.secret) == OK);
    request.query = changed(arena, query, change);
    if (accept(&request, arena, signer.secret) == OK)
        FUZZ_CHECK(says_the_same(arena, query, request.query));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CHANGE_BYTES)
        return 0;
    struct arena *arena = arena_new(ARENA_BYTES);
    struct pair host = {STR("Host"), STR("a")};
    struct sig_request request = {.method = STR("GET"),
                                  .path = STR("/bucket/key"),
                                  .query = fuzz_input(data + CHANGE_BYTES, size - CHANGE_BYTES),
                                  .header = &host,
                                  .header_count = 1};
    FUZZ_CHECK(accept(&request, arena, STR("not the secret")) != OK);
    check_own(arena, request, data);
    arena_free(arena);
    return 0;
}
