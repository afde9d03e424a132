#include "object/conditions.h"

#include <string.h>

#include "base/encode.h"

str etag_format(str md5, uint64_t part_count, char dst[ETAG_TEXT_MAX])
{
    hex_encode(md5.ptr, md5.len, dst);
    size_t len = 2 * md5.len;
    if (part_count > 0) {
        char digit[20];
        size_t count = 0;
        for (uint64_t rest = part_count; rest > 0; rest /= 10)
            digit[count++] = (char)('0' + rest % 10);
        dst[len++] = '-';
        while (count > 0)
            dst[len++] = digit[--count];
    }
    return str_of(dst, len);
}

static str unquote(str tag)
{
    tag = str_trim(tag);
    if (str_has_prefix(tag, STR("W/")))
        tag = str_skip(tag, 2);
    if (tag.len >= 2 && tag.ptr[0] == '"' && tag.ptr[tag.len - 1] == '"')
        tag = str_slice(tag, 1, tag.len - 1);
    return tag;
}

bool etag_is(str tag, str md5, uint64_t part_count)
{
    char text[ETAG_TEXT_MAX];
    return str_eq_nocase(unquote(tag), etag_format(md5, part_count, text));
}

bool etag_matches(str list, str md5, uint64_t part_count)
{
    str tag;
    while (list.len > 0) {
        (void)str_cut(list, ',', &tag, &list);
        if (str_eq(str_trim(tag), STR("*")) || etag_is(tag, md5, part_count))
            return true;
    }
    return false;
}

/* HTTP dates have whole seconds. */
static bool is_modified_after(const struct object_row *row, int64_t since_ms)
{
    return (int64_t)row->modified_ms / 1000 > since_ms / 1000;
}

/* The order is that of RFC 9110 section 13.2.2: a tag outweighs a date. */
enum err conditions_check_read(const struct conditions *conditions, const struct object_row *row)
{
    if (conditions->if_match.len > 0) {
        if (!etag_matches(conditions->if_match, row->md5, row->part_count))
            return ERR_PRECONDITION_FAILED;
    } else if (conditions->if_unmodified_since_ms != 0 &&
               is_modified_after(row, conditions->if_unmodified_since_ms)) {
        return ERR_PRECONDITION_FAILED;
    }
    if (conditions->if_none_match.len > 0) {
        if (etag_matches(conditions->if_none_match, row->md5, row->part_count))
            return ERR_NOT_MODIFIED;
    } else if (conditions->if_modified_since_ms != 0 &&
               !is_modified_after(row, conditions->if_modified_since_ms)) {
        return ERR_NOT_MODIFIED;
    }
    return OK;
}

enum err conditions_check_write(const struct conditions *conditions,
                                const struct object_row *current)
{
    if (conditions->if_match.len > 0) {
        if (current == NULL)
            return ERR_NO_SUCH_KEY;
        if (!etag_matches(conditions->if_match, current->md5, current->part_count))
            return ERR_PRECONDITION_FAILED;
    }
    if (conditions->if_none_match.len > 0 && current != NULL &&
        etag_matches(conditions->if_none_match, current->md5, current->part_count))
        return ERR_PRECONDITION_FAILED;
    return OK;
}
