/* The small texts of a request that are parsed by hand: lines with a Range, a size, a list of entity tags, a date, and a
 * bucket name.
 *
 * What must hold: a range that is honoured lies in the object; a list that is given a version's own tag names it; a date that
 * was read is written as one that is read alike; a name that is allowed has none of the bytes that could be a path. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/clock.h"
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

/* A leap second or a zone can lead out of the years 0 to 9999, which the formats clamp. */
static bool is_formattable(int64_t ms)
{
    return ms >= INT64_C(-62167219200000) && ms < INT64_C(253402300800000);
}

static void check_date(str text)
{
    char formatted[CLOCK_TEXT_MAX];
    int64_t ms, again;
    if (clock_parse_http(text, &ms) == OK && is_formattable(ms)) {
        FUZZ_CHECK(clock_parse_http(clock_format_http(ms, formatted), &again) == OK);
        FUZZ_CHECK(again == ms);
    }
    if (clock_parse_iso(text, &ms) == OK && is_formattable(ms)) {
        FUZZ_CHECK(clock_parse_iso(clock_format_iso(ms, formatted), &again) == OK);
        FUZZ_CHECK(again == ms);
    }
    if (clock_parse_amz(text, &ms) == OK && is_formattable(ms)) {
        FUZZ_CHECK(clock_parse_amz(clock_format_amz(ms, formatted), &again) == OK);
        FUZZ_CHECK(again == ms);
    }
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
    str rest = fuzz_input(data, size), range, number, tags, date, name;
    (void)str_cut(rest, '\n', &range, &rest);
    (void)str_cut(rest, '\n', &number, &rest);
    (void)str_cut(rest, '\n', &tags, &rest);
    (void)str_cut(rest, '\n', &date, &name);
    uint64_t value = size;
    (void)str_to_u64(number, &value);
    check_range(range, value);
    check_tags(arena, tags, value % 10001);
    check_date(date);
    check_name(name);
    arena_free(arena);
    return 0;
}
