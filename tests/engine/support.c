#include "support.h"

const struct subject_kind *subject_kind;

enum { ARENA_BYTES = 1 << 30 };

int subject_setup(void **state)
{
    struct subject *subject = mem_new(struct subject);
    subject->name = subject_kind->name;
    subject->is_durable = subject_kind->is_durable;
    subject->arena = arena_new(ARENA_BYTES);
    subject_kind->open(subject);
    assert_non_null(subject->engine);
    *state = subject;
    return 0;
}

int subject_teardown(void **state)
{
    struct subject *subject = *state;
    subject_kind->close(subject);
    arena_free(subject->arena);
    mem_free(subject);
    return 0;
}

struct plain_update {
    struct update update;
    enum err (*fn)(struct tx *tx, void *context);
    void *context;
};

static enum err apply_plain(struct update *update, struct tx *tx)
{
    struct plain_update *plain = (struct plain_update *)(void *)update;
    return plain->fn(tx, plain->context);
}

enum err run_update(struct subject *subject, enum err (*fn)(struct tx *tx, void *context),
                    void *context)
{
    struct plain_update plain = {.update = {.apply = apply_plain}, .fn = fn, .context = context};
    return catalog_update_wait(subject->engine, &plain.update);
}

struct one_row {
    enum table_id table;
    const void *row;
};

static enum err put_one(struct tx *tx, void *context)
{
    const struct one_row *one = context;
    return row_put(tx, one->table, one->row);
}

static enum err delete_one(struct tx *tx, void *context)
{
    const struct one_row *one = context;
    return row_delete(tx, one->table, one->row);
}

void put_row(struct subject *subject, enum table_id table, const void *row)
{
    assert_ok(run_update(subject, put_one, &(struct one_row){table, row}));
}

void delete_row(struct subject *subject, enum table_id table, const void *row)
{
    assert_ok(run_update(subject, delete_one, &(struct one_row){table, row}));
}

struct tx *begin_view(struct subject *subject)
{
    struct tx *tx = NULL;
    assert_ok(view_begin(subject->engine, VIEW_WAIT, &tx));
    assert_non_null(tx);
    return tx;
}

enum err get_row(struct subject *subject, enum table_id table, void *row)
{
    struct tx *tx = begin_view(subject);
    enum err err = row_get(tx, table, row, subject->arena);
    view_end(tx);
    return err;
}

void fill(void *dst, size_t len, uint64_t seed)
{
    unsigned char *at = dst;
    uint64_t x = seed * 0x9E3779B97F4A7C15u + 1;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        at[i] = (unsigned char)(x >> 24);
    }
}

struct object_row object_named(uint64_t bucket_id, str key)
{
    return (struct object_row){.bucket_id = bucket_id, .key = key};
}
