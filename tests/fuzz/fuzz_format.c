/* Any text as the file "format" of a data folder. What is accepted, written and read again says the same. The first byte chooses whether the
 * check is made right first, so that the lines behind it are reached. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/crc.h"
#include "store/local/datadir.h"

enum { CHECK_IS_MADE_RIGHT = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    BUF_SCOPED struct buf text, again;
    struct datadir_format format, other;
    struct fail fail = {0};
    buf_init(&text, SIZE_MAX);
    buf_init(&again, SIZE_MAX);
    buf_append(&text, fuzz_input(data + 1, size - 1));
    if ((data[0] & CHECK_IS_MADE_RIGHT) != 0)
        buf_printf(&text, "check %08x\n", crc32c_update(0, text.ptr, text.len));
    if (datadir_format_parse(buf_str(&text), &format, &fail) == OK) {
        datadir_format_write(&format, &again);
        FUZZ_CHECK(datadir_format_parse(buf_str(&again), &other, &fail) == OK);
        FUZZ_CHECK(memcmp(other.store_id, format.store_id, STORE_ID_SIZE) == 0);
        FUZZ_CHECK(other.compatible == format.compatible &&
                   other.incompatible == format.incompatible);
    } else {
        FUZZ_CHECK(fail.detail[0] != '\0');
    }
    return 0;
}
