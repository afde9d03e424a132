#include "store/local/extent_limit.h"

#include "base/buf.h"
#include "base/fd.h"
#include "store/local/segment.h"

enum {
    LINE_LEN = 17, /* sixteen digits and a line feed */
};

enum err extent_limit_read(int extents_fd, uint64_t *out_ms)
{
    BUF_SCOPED struct buf text;
    buf_init(&text, EXTENT_LIMIT_TEXT_MAX);
    *out_ms = 0;
    enum err err = file_read(extents_fd, "limit", &text);
    if (err == ERR_NOT_FOUND)
        return OK;
    if (err == ERR_TOO_LARGE)
        return ERR_CORRUPT;
    TRY(err);
    if (text.len != LINE_LEN || text.ptr[LINE_LEN - 1] != '\n')
        return ERR_CORRUPT;
    text.ptr[LINE_LEN - 1] = '\0';
    return segment_name_parse(text.ptr, "", out_ms) && *out_ms >> EXTENT_TIME_BITS == 0
               ? OK
               : ERR_CORRUPT;
}
