#include "client/bench_key_count.h"

#include <string.h>

static const str start_tag = STR_INIT("<KeyCount>");

/* Moves behind the start tag, or to the end of the piece. '<' stands only at the tag's beginning, so after a mismatch the
 * match starts anew at the next '<' and needs no going back. */
static void match_tag(struct bench_key_count *count, str *piece)
{
    while (piece->len && count->matched < start_tag.len) {
        if (!count->matched) {
            ptrdiff_t at = str_find_char(*piece, '<');
            *piece = at < 0 ? str_slice(*piece, 0, 0) : str_skip(*piece, (size_t)at);
            if (!piece->len)
                return;
        }
        if (piece->ptr[0] == start_tag.ptr[count->matched]) {
            count->matched++;
            *piece = str_skip(*piece, 1);
        } else {
            count->matched = 0;
        }
    }
}

void bench_key_count_feed(struct bench_key_count *count, str piece)
{
    if (count->is_done)
        return;
    match_tag(count, &piece);
    for (size_t i = 0; i < piece.len && !count->is_done; i++) {
        char c = piece.ptr[i];
        if (c >= '0' && c <= '9' && count->value < UINT32_MAX)
            count->value = count->value * 10 + (uint64_t)(c - '0');
        else
            count->is_done = true;
    }
}
