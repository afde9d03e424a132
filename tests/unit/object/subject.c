#include "../../engine/support.h"

#include "subject.h"

static const struct subject_kind *chosen;

bool subject_choose(const char *name)
{
    chosen = subject_kind_find(name);
    return chosen != NULL;
}

const char *subject_name(void)
{
    return chosen->name;
}

bool subject_is_durable(void)
{
    return chosen->is_durable;
}

struct subject *subject_open(void)
{
    enum { ARENA_BYTES = 64 << 20 };
    struct subject *subject = mem_new(struct subject);
    *subject = (struct subject){
        .name = chosen->name, .is_durable = chosen->is_durable, .arena = arena_new(ARENA_BYTES)};
    chosen->open(subject);
    assert_non_null(subject->engine);
    return subject;
}

void subject_reopen(struct subject *subject)
{
    chosen->reopen(subject);
    assert_non_null(subject->engine);
}

void subject_close(struct subject *subject)
{
    chosen->close(subject);
    arena_free(subject->arena);
    mem_free(subject);
}

struct engine *subject_engine(struct subject *subject)
{
    return subject->engine;
}

void subject_damage_extent(struct subject *subject, unsigned long long id,
                           unsigned long long offset)
{
    chosen->damage_extent(subject, id, offset);
}
