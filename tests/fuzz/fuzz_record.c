/* Any bytes as what the log holds: a segment's header, a record's header and payload. No input makes a decoder read beyond it;
 * changes that are accepted encode to the same bytes. */
#include "fuzz.h"

#include "store/local/record.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str bytes = fuzz_input(data, size);
    check_payload(bytes);
    check_record(bytes);
    if (size >= SEGMENT_HEADER_SIZE) {
        struct segment_header header;
        (void)segment_header_decode(bytes.ptr, &header);
    }
    return 0;
}
