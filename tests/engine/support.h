/* What the conformance tests share: an engine to test, updates as plain functions, and comparisons of rows. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "store/engine.h"

/* An engine under test. */
struct subject {
    const char *name;
    struct engine *engine; /* open in every test */
    struct arena *arena;   /* reset for every test */
    bool is_durable;       /* subject_reopen keeps what was acknowledged */
    void *own;             /* the fixture's */
};

/* One kind of engine. */
struct subject_kind {
    const char *name;
    bool is_durable;
    void (*open)(struct subject *subject);   /* a fresh, empty store */
    void (*close)(struct subject *subject);  /* and it is gone */
    void (*reopen)(struct subject *subject); /* null when not durable */
    void (*damage_extent)(struct subject *subject, uint64_t id, uint64_t offset);
};
/* By name; null when there is none. */
const struct subject_kind *subject_kind_find(const char *name);
/* Chosen by the program's argument. */
extern const struct subject_kind *subject_kind;

int subject_setup(void **state);
int subject_teardown(void **state);
/* A row in a group of tests. */
#define CONFORM(test) cmocka_unit_test_setup_teardown(test, subject_setup, subject_teardown)

/* Runs fn(tx, context) as one update and waits for it. */
enum err run_update(struct subject *subject, enum err (*fn)(struct tx *tx, void *context),
                    void *context);

/* Single rows, each in an update or a view of its own. They fail the test on an error. */
void put_row(struct subject *subject, enum table_id table, const void *row);
void delete_row(struct subject *subject, enum table_id table, const void *row);
enum err get_row(struct subject *subject, enum table_id table, void *row);

struct tx *begin_view(struct subject *subject);

#define assert_err(actual, expected) assert_string_equal(err_name(actual), err_name(expected))
#define assert_ok(actual) assert_err((actual), OK)
#define assert_str(actual, expected)                                                               \
    do {                                                                                           \
        str actual_ = (actual), expected_ = (expected);                                            \
        assert_int_equal(actual_.len, expected_.len);                                              \
        if (expected_.len)                                                                         \
            assert_memory_equal(actual_.ptr, expected_.ptr, expected_.len);                        \
    } while (0)

/* Bytes that are different at every place and for every seed. */
void fill(void *dst, size_t len, uint64_t seed);

/* The object table's rows as most tests use them. */
struct object_row object_named(uint64_t bucket_id, str key);

int conform_rows(void);
int conform_cursors(void);
int conform_blobs(void);
int conform_updates(void);
int conform_extents(void);
int conform_reopen(void);
