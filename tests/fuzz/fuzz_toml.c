/* Any bytes to the TOML reader. Keys of what is accepted are well-formed and all different; a refusal names its line. */
#include "fuzz.h"

#include "base/map.h"
#include "codec/toml.h"

static void check_entries(struct toml_entry *entry, size_t count)
{
    struct map *seen = map_new();
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(entry[i].key.len > 0 && entry[i].line > 0);
        FUZZ_CHECK(i == 0 || entry[i].line > entry[i - 1].line);
        FUZZ_CHECK(!map_set(seen, entry[i].key, &entry[i]));
        FUZZ_CHECK(str_is_utf8(entry[i].value.text));
    }
    map_free(seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(64 << 20);
    struct toml_entry *entry;
    size_t count;
    struct fail fail = {0};
    enum err err = toml_parse(arena, STR("f"), fuzz_input(data, size), &entry, &count, &fail);
    if (err == OK)
        check_entries(entry, count);
    else
        FUZZ_CHECK(str_has_prefix(str_from(fail.detail), STR("f:")));
    arena_free(arena);
    return 0;
}
