#include "client/bench_content.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "client/bench_random.h"

/* The block stands here twice, so that a stretch of a whole period is in one piece wherever it begins. */
struct bench_content {
    char bytes[2 * BENCH_CONTENT_PERIOD];
};

struct bench_content *bench_content_new(uint64_t seed)
{
    struct bench_content *content = mem_new(struct bench_content);
    struct bench_random random = {seed};
    size_t at = 0;
    for (; at + 8 <= BENCH_CONTENT_PERIOD; at += 8)
        put_le64(content->bytes + at, bench_random_next(&random));
    for (; at < BENCH_CONTENT_PERIOD; at++)
        content->bytes[at] = (char)bench_random_next(&random);
    memcpy(content->bytes + BENCH_CONTENT_PERIOD, content->bytes, BENCH_CONTENT_PERIOD);
    return content;
}

void bench_content_free(struct bench_content *content)
{
    mem_free(content);
}

str bench_content_at(const struct bench_content *content, uint64_t index, uint64_t offset,
                     uint64_t max)
{
    uint64_t shift = bench_mix(index) % BENCH_CONTENT_PERIOD;
    uint64_t start = (offset % BENCH_CONTENT_PERIOD + shift) % BENCH_CONTENT_PERIOD;
    uint64_t len = max < BENCH_CONTENT_PERIOD ? max : BENCH_CONTENT_PERIOD;
    return str_of(content->bytes + start, (size_t)len);
}

bool bench_content_matches(const struct bench_content *content, uint64_t index, uint64_t offset,
                           str bytes)
{
    while (bytes.len) {
        str expected = bench_content_at(content, index, offset, bytes.len);
        if (memcmp(expected.ptr, bytes.ptr, expected.len) != 0)
            return false;
        offset += expected.len;
        bytes = str_skip(bytes, expected.len);
    }
    return true;
}
