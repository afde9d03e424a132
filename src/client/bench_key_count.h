/* bench_key_count: finds <KeyCount>N</KeyCount> in a list's reply while it streams past. A scan instead of a reader of
 * XML: pages are hundreds of kilobytes, nothing else of them is needed, and the client must cost less than the server.
 * A value; zeroed it is at the beginning of a reply. */
#pragma once

#include "base/str.h"

struct bench_key_count {
    unsigned matched; /* bytes of the start tag seen in a row */
    bool is_done;     /* `value` is set, or there was nonsense; the rest need not be looked at */
    uint64_t value;
};

void bench_key_count_feed(struct bench_key_count *count, str piece);
