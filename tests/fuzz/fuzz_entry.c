/* Any bytes as what the index holds beside rows: an entry, a position, a segment's figures and its key. No input makes a decoder read
 * beyond it; what is accepted is encoded as the same bytes. */
#include "fuzz.h"

#include "store/local/entry.h"

static void check_same(struct buf *again, str bytes)
{
    FUZZ_CHECK(str_eq(buf_str(again), bytes));
    buf_clear(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str bytes = fuzz_input(data, size);
    struct row_entry entry;
    struct log_position position;
    struct log_figures figures;
    char key[ENTRY_KEY_MAX];
    uint64_t segment;
    BUF_SCOPED struct buf again;
    buf_init(&again, SIZE_MAX);
    if (row_entry_decode(bytes, &entry) == OK) {
        row_entry_encode(&entry, &again);
        check_same(&again, bytes);
        FUZZ_CHECK(row_entry_blob_offset(&entry) >= entry.offset);
        FUZZ_CHECK(entry.columns.len <= size);
    }
    if (position_decode(bytes, &position) == OK) {
        position_encode(&position, &again);
        check_same(&again, bytes);
    }
    if (figures_decode(bytes, &figures) == OK) {
        figures_encode(&figures, &again);
        check_same(&again, bytes);
    }
    if (segment_key_decode(bytes, &segment) == OK)
        FUZZ_CHECK(str_eq(segment_key(segment, key), bytes));
    return 0;
}
