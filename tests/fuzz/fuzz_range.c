/* The small texts of a request that are parsed by hand: lines with a Range, a size, a list of entity tags, one that is passed over, and a
 * bucket name.
 *
 * What must hold: a range that is honoured lies in the object; a list that is given a version's own tag names it; a name that is
 * allowed has none of the bytes that could be a path. */
#include "fuzz.h"

#include "base/arena.h"
#include "object/bucket.h"
#include "object/conditions.h"
#include "s3/headers.h"

static void check_range(str header, uint64_t size)
{
    struct s3_range range;
    enum err err = s3_range_resolve(header, size, &range);
    FUZZ_CHECK(err == OK || err == ERR_BAD_RANGE);
    if (err == ERR_BAD_RANGE) {
        FUZZ_CHECK(str_has_prefix_nocase(header, STR("bytes=")));
        return;
    }
    if (range.is_partial)
        FUZZ_CHECK(range.length > 0 && range.first < size && range.length <= size - range.first);
    else
        FUZZ_CHECK(range.first == 0 && range.length == size);
}

static void check_tags(struct arena *arena, str list, uint64_t part_count)
{
    static const str md5 = STR_INIT("0123456789abcdef");
    char text[ETAG_TEXT_MAX];
    str own = etag_format(md5, part_count, text);
    bool is_named = etag_matches(list, md5, part_count);
    str more = arena_printf(arena, "\"%.*s\",", STR_ARG(own));
    const str piece[] = {more, list};
    FUZZ_CHECK(etag_matches(arena_join(arena, piece, 2), md5, part_count));
    FUZZ_CHECK(is_named || !etag_is(list, md5, part_count));
    const struct object_row row = {.md5 = md5, .part_count = part_count};
    const struct conditions conditions = {.if_match = list};
    FUZZ_CHECK((conditions_check_read(&conditions, &row) == OK) == (list.len == 0 || is_named));
    FUZZ_CHECK((conditions_check_write(&conditions, &row) == OK) == (list.len == 0 || is_named));
}

static void check_name(str name)
{
    if (bucket_name_check(name) != OK)
        return;
    FUZZ_CHECK(name.len >= 3 && name.len <= 63 && str_find(name, STR("..")) < 0);
    for (size_t i = 0; i < name.len; i++)
        FUZZ_CHECK(str_find_char(STR("abcdefghijklmnopqrstuvwxyz0123456789.-"), name.ptr[i]) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(64 << 20);
    str rest = fuzz_input(data, size), range, number, tags, name;
    (void)str_cut(rest, '\n', &range, &rest);
    (void)str_cut(rest, '\n', &number, &rest);
    (void)str_cut(rest, '\n', &tags, &rest);
    (void)str_cut(rest, '\n', &rest, &name); /* a date, which has a harness of its own */
    uint64_t value = size;
    (void)str_to_u64(number, &value);
    check_range(range, value);
    check_tags(arena, tags, value % 10001);
    check_name(name);
    arena_free(arena);
    return 0;
}
