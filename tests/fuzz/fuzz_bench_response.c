/* Any bytes as replies of a server. However they are cut, the reader comes to the same verdict and the same body. */
#include "fuzz.h"

#include "client/bench_response.h"

struct verdict {
    enum err err;
    enum bench_response_state state;
    int status;
    bool keep_alive;
    size_t used;
    uint64_t body_len, body_sum;
};

static void add_body(struct verdict *verdict, str body)
{
    for (size_t i = 0; i < body.len; i++)
        verdict->body_sum = verdict->body_sum * 31 + (unsigned char)body.ptr[i];
    verdict->body_len += body.len;
}

static struct verdict read_cut(str text, size_t cut, bool answers_head)
{
    struct verdict verdict = {0};
    struct bench_response response;
    bench_response_init(&response);
    bench_response_begin(&response, answers_head);
    while (verdict.used < text.len && response.state != BENCH_RESPONSE_DONE) {
        size_t left = text.len - verdict.used, used = 0;
        str body = STR("");
        str piece = str_slice(text, verdict.used, verdict.used + (left < cut ? left : cut));
        verdict.err = bench_response_feed(&response, piece, &used, &body);
        if (verdict.err != OK)
            break;
        FUZZ_CHECK(used > 0 && used <= piece.len);
        FUZZ_CHECK(!body.len ||
                   (body.ptr >= piece.ptr && body.ptr + body.len <= piece.ptr + piece.len));
        add_body(&verdict, body);
        verdict.used += used;
    }
    if (verdict.err == OK) {
        verdict.state = response.state;
        verdict.status = response.status;
        verdict.keep_alive = response.keep_alive;
        FUZZ_CHECK(response.pending.len <= BENCH_HEAD_MAX);
    }
    bench_response_release(&response);
    return verdict;
}

static void check_same(const struct verdict *a, const struct verdict *b)
{
    FUZZ_CHECK((a->err == OK) == (b->err == OK));
    if (a->err != OK)
        return; /* how much was taken before the error depends on the cuts */
    FUZZ_CHECK(a->state == b->state && a->status == b->status && a->keep_alive == b->keep_alive);
    FUZZ_CHECK(a->used == b->used && a->body_len == b->body_len && a->body_sum == b->body_sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = fuzz_input(data, size);
    for (int answers_head = 0; answers_head < 2; answers_head++) {
        struct verdict whole = read_cut(text, SIZE_MAX, answers_head);
        for (size_t cut = 1; cut <= 5; cut += 2) {
            struct verdict parts = read_cut(text, cut, answers_head);
            check_same(&whole, &parts);
        }
    }
    return 0;
}
