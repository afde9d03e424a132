/* Any bytes as a chunked body. However the input is cut, the same data and the same end come out; what is decoded is never
 * longer than what went in. The first byte chooses the cuts. */
#include "fuzz.h"

#include "base/buf.h"
#include "http/chunked.h"
#include "http/head.h"

struct result {
    enum err err;
    struct buf data;
    struct buf trailer;
    size_t consumed; /* when it is done */
};

static void decode(str text, size_t step, struct result *out_result)
{
    char trailer[CHUNKED_TRAILER_MAX];
    struct chunked chunked = {.trailer = trailer};
    size_t at = 0;
    enum err err = OK;
    while (err == OK && at < text.len && !chunked_is_done(&chunked)) {
        size_t end = text.len - at < step ? text.len : at + step;
        size_t framing = 0;
        str data = {0};
        err = chunked_next(&chunked, str_slice(text, at, end), &framing, &data);
        if (err != OK)
            break;
        FUZZ_CHECK(framing + data.len <= end - at);
        FUZZ_CHECK(framing + data.len > 0 || chunked_is_done(&chunked));
        buf_append(&out_result->data, data);
        chunked_take(&chunked, data.len);
        at += framing + data.len;
    }
    out_result->err = err != OK ? err : chunked_is_done(&chunked) ? OK : ERR_PENDING;
    out_result->consumed = at;
    if (out_result->err == OK)
        buf_append(&out_result->trailer, chunked_trailer(&chunked));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    str text = fuzz_input(data + 1, size - 1);
    struct result result[2];
    for (int i = 0; i < 2; i++) {
        buf_init(&result[i].data, SIZE_MAX);
        buf_init(&result[i].trailer, SIZE_MAX);
        decode(text, i == 0 ? SIZE_MAX : (size_t)data[0] % 17 + 1, &result[i]);
    }
    FUZZ_CHECK(result[0].err == result[1].err);
    FUZZ_CHECK(result[0].data.len <= text.len);
    FUZZ_CHECK(str_eq(buf_str(&result[0].data), buf_str(&result[1].data)) ||
               result[0].err == ERR_BAD_CHUNK);
    if (result[0].err == OK) {
        FUZZ_CHECK(result[0].consumed == result[1].consumed);
        FUZZ_CHECK(str_eq(buf_str(&result[0].trailer), buf_str(&result[1].trailer)));
        struct pair field[64];
        size_t count;
        (void)http_fields_parse(buf_str(&result[0].trailer), field, 64, &count);
    }
    for (int i = 0; i < 2; i++) {
        buf_release(&result[i].data);
        buf_release(&result[i].trailer);
    }
    return 0;
}
