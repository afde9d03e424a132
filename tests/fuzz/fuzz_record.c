/* Any bytes as what the log and the index hold: a record's header and payload, a row's entry, a position, figures. No input makes a
 * decoder read beyond it; changes that are accepted encode to the same bytes. */
#include "fuzz.h"

#include "store/local/entry.h"

static void check_payload(str payload)
{
    while (payload.len) {
        struct change change;
        size_t length;
        str rest = payload;
        if (change_decode(&rest, &change, &length) != OK)
            return;
        FUZZ_CHECK(length > 0 && length == payload.len - rest.len);
        BUF_SCOPED struct buf again;
        buf_init(&again, SIZE_MAX);
        change_encode(&change, &again);
        FUZZ_CHECK(again.len + change.blob_length == length);
        FUZZ_CHECK(str_has_prefix(payload, buf_str(&again)));
        payload = rest;
    }
}

static void check_record(str bytes)
{
    struct record record;
    if (record_header_decode(bytes, &record) != OK)
        return;
    if (record.payload_length > bytes.len - RECORD_HEADER_SIZE)
        return;
    if (record_verify(&record, bytes.ptr) == OK)
        check_payload(str_slice(bytes, RECORD_HEADER_SIZE,
                                RECORD_HEADER_SIZE + (size_t)record.payload_length));
}

static void check_entries(str bytes)
{
    struct row_entry entry;
    struct log_position position;
    struct log_figures figures;
    BUF_SCOPED struct buf again;
    buf_init(&again, SIZE_MAX);
    if (row_entry_decode(bytes, &entry) == OK) {
        row_entry_encode(&entry, &again);
        FUZZ_CHECK(str_eq(buf_str(&again), bytes));
        FUZZ_CHECK(row_entry_blob_offset(&entry) >= entry.offset);
    }
    buf_clear(&again);
    if (position_decode(bytes, &position) == OK) {
        position_encode(&position, &again);
        FUZZ_CHECK(str_eq(buf_str(&again), bytes));
    }
    buf_clear(&again);
    if (figures_decode(bytes, &figures) == OK) {
        figures_encode(&figures, &again);
        FUZZ_CHECK(str_eq(buf_str(&again), bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str bytes = fuzz_input(data, size);
    check_payload(bytes);
    check_record(bytes);
    check_entries(bytes);
    if (size >= SEGMENT_HEADER_SIZE) {
        struct segment_header header;
        (void)segment_header_decode(bytes.ptr, &header);
    }
    return 0;
}
