/* The fields of a request that say under which conditions it is to be served, as "METHOD target\nHost\nName: value\n...": lists of tags and
 * dates, of the request itself and of the source of a copy; and what such fields mean for an object and for none.
 *
 * What must hold: without a condition nothing is refused; the answers are those that conditions have; who excludes nothing and
 * everything at once is refused; a write has but one condition. */
#include "fuzz_call.h"

#include "object/conditions.h"
#include "s3/headers.h"

static bool is_answer(enum err err)
{
    return err == OK || err == ERR_PRECONDITION_FAILED || err == ERR_NOT_MODIFIED;
}

static bool is_empty(const struct conditions *c)
{
    return c->if_match.len == 0 && c->if_none_match.len == 0 && c->if_modified_since_ms == 0 &&
           c->if_unmodified_since_ms == 0;
}

static void check_read(const struct conditions *conditions, const struct object_row *row)
{
    enum err err = conditions_check_read(conditions, row);
    FUZZ_CHECK(is_answer(err));
    FUZZ_CHECK(err == OK || !is_empty(conditions));
    if (str_eq(conditions->if_none_match, STR("*")))
        FUZZ_CHECK(err != OK);
    if (conditions->if_match.len > 0 &&
        !etag_matches(conditions->if_match, row->md5, row->part_count))
        FUZZ_CHECK(err == ERR_PRECONDITION_FAILED);
}

static void check_write(struct s3_call *call, const struct object_row *row)
{
    struct conditions conditions;
    if (s3_write_conditions_parse(call, &conditions) != OK)
        return;
    FUZZ_CHECK(conditions.if_match.len == 0 || conditions.if_none_match.len == 0);
    enum err there = conditions_check_write(&conditions, row);
    enum err absent = conditions_check_write(&conditions, NULL);
    FUZZ_CHECK(there == OK || there == ERR_PRECONDITION_FAILED);
    FUZZ_CHECK(absent == OK || absent == ERR_NO_SUCH_KEY);
    FUZZ_CHECK((absent == OK) == (conditions.if_match.len == 0));
    if (conditions.if_none_match.len > 0)
        FUZZ_CHECK(there != OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_call fake;
    struct arena *arena = arena_new(1 << 20);
    fuzz_call_init(&fake, arena, fuzz_input(data, size));
    const struct object_row row = {.md5 = STR("0123456789abcdef"),
                                   .part_count = size % 3,
                                   .modified_ms = INT64_C(1700000000123)};
    struct conditions conditions;
    s3_conditions_parse(&fake.call, S3_CONDITIONS_OF_REQUEST, &conditions);
    check_read(&conditions, &row);
    s3_conditions_parse(&fake.call, S3_CONDITIONS_OF_SOURCE, &conditions);
    check_read(&conditions, &row);
    check_write(&fake.call, &row);
    arena_free(arena);
    return 0;
}
