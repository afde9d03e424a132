/* The engines that the conformance suite knows, and how a test opens, reopens and damages each. */
#include "support.h"

#include "store/mem/mem_engine.h"

static void mem_open(struct subject *subject)
{
    assert_ok(mem_engine_open(&subject->engine));
}

static void mem_close(struct subject *subject)
{
    engine_close(subject->engine);
}

static void mem_damage(struct subject *subject, uint64_t id, uint64_t offset)
{
    mem_engine_damage_extent(subject->engine, id, offset);
}

static const struct subject_kind kinds[] = {
    {.name = "mem", .open = mem_open, .close = mem_close, .damage_extent = mem_damage},
};

const struct subject_kind *subject_kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}
