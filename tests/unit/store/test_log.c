/* The log by itself: what is appended is recovered, torn ends are told from damage, stale bytes are never taken for records. */
#include "local_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "store/local/log.h"

enum {
    SEGMENT_BYTES = 64 << 10,
    ALIGNED = RECORD_ALIGNMENT - RECORD_HEADER_SIZE, /* a payload whose record ends at a multiple */
};

/* A log in a folder of its own, and what was appended. */
struct test_log {
    char path[TEST_PATH_MAX];
    int dir_fd;
    struct store_log *log;
    struct log_batch batch;
    uint64_t appended; /* records carry their number */
};

static void open_log(struct test_log *test)
{
    struct fail fail = {0};
    struct store_log_options options = {
        .io = &fault_io, .dir_fd = test->dir_fd, .segment_bytes = SEGMENT_BYTES};
    memset(options.store_id, 7, STORE_ID_SIZE);
    assert_ok(store_log_open(&options, &test->log, &fail));
}

static int setup(void **state)
{
    struct test_log *test = mem_new(struct test_log);
    fault_clear();
    make_folder(test->path);
    test->dir_fd = open(test->path, O_RDONLY | O_DIRECTORY);
    log_batch_init(&test->batch);
    open_log(test);
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    struct test_log *test = *state;
    fault_clear();
    store_log_close(test->log);
    log_batch_release(&test->batch);
    close(test->dir_fd);
    remove_folder(test->path);
    mem_free(test);
    return 0;
}

/* ---- Appending ---- */

/* A record of `size` bytes that begins with its number and is filled with it. */
static void add_record(struct test_log *test, uint64_t number, size_t size)
{
    log_batch_begin(&test->batch);
    char *dst = buf_reserve(&test->batch.bytes, size);
    assert_non_null(dst);
    memset(dst, (int)number, size);
    memcpy(dst, &number, sizeof(number));
    buf_commit(&test->batch.bytes, size);
    log_batch_end(&test->batch, 1);
}

/* One batch of `count` records; the result of appending. */
static enum err append(struct test_log *test, size_t count, size_t size)
{
    struct log_place place;
    for (size_t i = 0; i < count; i++)
        add_record(test, test->appended + i, size);
    enum err err = store_log_append(test->log, &test->batch, &place);
    log_batch_clear(&test->batch);
    if (err == OK)
        test->appended += count;
    return err;
}

static void append_synced(struct test_log *test, size_t count, size_t size)
{
    assert_ok(append(test, count, size));
    assert_ok(store_log_sync(test->log));
}

/* ---- Recovering ---- */

struct visited {
    uint64_t next; /* the number that is expected; ANY_NUMBER: the first is taken as it is */
};
#define ANY_NUMBER UINT64_MAX

static enum err visit(void *context, const struct log_found *found)
{
    struct visited *visited = context;
    uint64_t number;
    assert_true(found->payload.len >= sizeof(number));
    memcpy(&number, found->payload.ptr, sizeof(number));
    if (visited->next == ANY_NUMBER)
        visited->next = number;
    assert_int_equal(number, visited->next);
    for (size_t i = sizeof(number); i < found->payload.len; i++)
        assert_int_equal((unsigned char)found->payload.ptr[i], number & 0xFF);
    visited->next++;
    return OK;
}

/* Opens the log anew as after a crash; the number of records found in order, or -1 for damage. */
static int recover(struct test_log *test)
{
    struct visited visited = {0};
    struct log_position position = {0};
    struct fail fail = {0};
    store_log_close(test->log);
    open_log(test);
    enum err err = store_log_recover(test->log, &position, visit, &visited, &fail);
    if (err == ERR_CORRUPT) {
        assert_true(fail.detail[0] != '\0');
        return -1;
    }
    assert_ok(err);
    test->appended = visited.next;
    return (int)visited.next;
}

static void segment_file(const struct test_log *test, size_t n, char out_path[TEST_PATH_MAX])
{
    assert_true(nth_file(test->path, ".log", n, out_path));
}

static size_t segment_count(const struct test_log *test)
{
    char path[TEST_PATH_MAX];
    size_t count = 0;
    while (nth_file(test->path, ".log", count, path))
        count++;
    return count;
}

/* ---- Tests ---- */

static void empty_log_recovers(void **state)
{
    struct test_log *test = *state;
    assert_int_equal(recover(test), 0);
    append_synced(test, 1, 100);
    assert_int_equal(recover(test), 1);
}

static void records_of_all_sizes_come_back_across_segments(void **state)
{
    struct test_log *test = *state;
    static const size_t sizes[] = {8, 415, 416, 463, 464, 465, 512, 4096, 40000, 60000, 200000};
    for (size_t i = 0; i < 60; i++)
        append_synced(test, i % 4 + 1, sizes[i % 11]);
    uint64_t appended = test->appended;
    assert_true(segment_count(test) > 20);
    assert_int_equal(recover(test), appended);
    /* And goes on where it ended. */
    append_synced(test, 3, 1000);
    assert_int_equal(recover(test), appended + 3);
}

static void places_lead_to_the_bytes(void **state)
{
    struct test_log *test = *state;
    for (uint64_t i = 0; i < 100; i++) {
        struct log_place place;
        uint64_t number;
        add_record(test, i, 3000);
        assert_ok(store_log_append(test->log, &test->batch, &place));
        log_batch_clear(&test->batch);
        assert_int_equal(place.offset % RECORD_ALIGNMENT, 0);
        assert_ok(store_log_read(test->log, place.segment, place.offset + RECORD_HEADER_SIZE,
                                 &number, sizeof(number), VIEW_WAIT));
        assert_int_equal(number, i);
    }
    char byte;
    assert_err(store_log_read(test->log, 99999, 0, &byte, 1, VIEW_WAIT), ERR_CORRUPT);
    assert_err(store_log_read(test->log, 1, 1 << 30, &byte, 1, VIEW_WAIT), ERR_CORRUPT);
}

/* A crash may have lost any sector of the last batch, which nobody was told about; what was synced before is there. */
static void any_lost_sector_of_the_last_batch_is_a_torn_end(void **state)
{
    struct test_log *test = *state;
    char path[TEST_PATH_MAX], copy[TEST_PATH_MAX + 8], zeroes[RECORD_ALIGNMENT] = {0};
    append_synced(test, 5, 300);
    struct log_position end = store_log_end(test->log);
    segment_file(test, 0, path);
    /* Each record begins at a place where the next batch could, so what is left of this one looks much like the log going on. */
    assert_ok(append(test, 4, ALIGNED));
    assert_ok(append(test, 1, 700));
    struct log_position last = store_log_end(test->log);
    for (uint64_t offset = end.offset; offset < last.offset; offset += RECORD_ALIGNMENT) {
        (void)snprintf(copy, sizeof(copy), "%s/kept", test->path);
        copy_folder(path, copy);
        int fd = open(path, O_RDWR);
        assert_int_equal(pwrite(fd, zeroes, sizeof(zeroes), (off_t)offset), sizeof(zeroes));
        close(fd);
        int found = recover(test);
        assert_in_range(found, 5, 9);
        /* What is written now counts, and what the lost batch left behind it does not. */
        append_synced(test, 1, ALIGNED);
        assert_int_equal(recover(test), found + 1);
        copy_folder(copy, path);
    }
}

/* A body that holds what looks like a later record does not make a torn end look like damage: nobody knows the epoch. */
static void forged_record_in_a_torn_batch_proves_nothing(void **state)
{
    struct test_log *test = *state;
    char path[TEST_PATH_MAX], zeroes[RECORD_ALIGNMENT] = {0}, forged[ALIGNED] = {0};
    append_synced(test, 5, 300);
    struct log_position end = store_log_end(test->log);
    segment_file(test, 0, path);
    struct record record = {
        .kind = RECORD_UPDATE, .epoch = 1, .sequence = 1 << 20, .durable = 1 << 20};
    record_encode(&record, forged);
    add_record(test, 5, ALIGNED);
    log_batch_begin(&test->batch);
    buf_append(&test->batch.bytes, str_of(zeroes, ALIGNED));
    buf_append(&test->batch.bytes, str_of(forged, sizeof(forged)));
    log_batch_end(&test->batch, 1);
    struct log_place place;
    assert_ok(store_log_append(test->log, &test->batch, &place));
    log_batch_clear(&test->batch);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, zeroes, sizeof(zeroes), (off_t)end.offset), sizeof(zeroes));
    close(fd);
    assert_int_equal(recover(test), 5);
}

static void lost_sector_before_the_last_batch_is_damage(void **state)
{
    struct test_log *test = *state;
    char path[TEST_PATH_MAX], copy[TEST_PATH_MAX + 8];
    for (int i = 0; i < 5; i++)
        append_synced(test, 2, 600);
    struct log_position end = store_log_end(test->log);
    append_synced(test, 2, 600);
    segment_file(test, 0, path);
    (void)snprintf(copy, sizeof(copy), "%s/kept", test->path);
    copy_folder(path, copy);
    for (uint64_t offset = SEGMENT_HEADER_SIZE; offset < end.offset; offset += 700) {
        /* Padding is covered by no check, and needs none. */
        char byte;
        int fd = open(path, O_RDONLY);
        assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
        close(fd);
        flip_byte(path, offset);
        int found = recover(test);
        assert_true(found == -1 || (found == 12 && byte == 0));
        copy_folder(copy, path);
    }
    assert_int_equal(recover(test), 12);
}

static void damage_in_an_earlier_segment_is_seen(void **state)
{
    struct test_log *test = *state;
    char path[TEST_PATH_MAX];
    for (int i = 0; i < 40; i++)
        append_synced(test, 1, 10000);
    assert_true(segment_count(test) >= 6);
    for (size_t n = 0; n < 5; n++) {
        segment_file(test, n, path);
        /* The first record, a later one, and the last of the segment. */
        static const uint64_t offsets[] = {SEGMENT_HEADER_SIZE + 60, 20000, 50000};
        for (size_t i = 0; i < 3; i++) {
            flip_byte(path, offsets[i]);
            assert_int_equal(recover(test), -1);
            flip_byte(path, offsets[i]);
        }
    }
    assert_int_equal(recover(test), 40);
}

/* Without the seal of a segment, its last records could be missing without a trace. */
static void missing_seal_is_damage(void **state)
{
    struct test_log *test = *state;
    char path[TEST_PATH_MAX], bytes[SEGMENT_BYTES];
    while (segment_count(test) < 3)
        append_synced(test, 1, 5000);
    segment_file(test, 0, path);
    int fd = open(path, O_RDWR);
    ssize_t size = pread(fd, bytes, sizeof(bytes), 0);
    ssize_t at = size - RECORD_ALIGNMENT;
    while (at > 0 && memcmp(bytes + at, "PLRC", 4) != 0)
        at -= RECORD_ALIGNMENT;
    assert_int_equal(bytes[at + 9], RECORD_SEAL);
    assert_int_equal(pwrite(fd, "XXXX", 4, at), 4);
    close(fd);
    assert_int_equal(recover(test), -1);
}

static void missing_segment_is_damage(void **state)
{
    struct test_log *test = *state;
    char path[TEST_PATH_MAX];
    for (int i = 0; i < 40; i++)
        append_synced(test, 1, 10000);
    /* From a position, nothing may be missing. */
    struct log_position position = {1, SEGMENT_HEADER_SIZE, 0, 0};
    segment_file(test, 0, path);
    assert_int_equal(unlink(path), 0);
    store_log_close(test->log);
    open_log(test);
    struct visited visited = {0};
    struct fail fail = {0};
    assert_err(store_log_recover(test->log, &position, visit, &visited, &fail), ERR_CORRUPT);
    assert_non_null(strstr(fail.detail, "0000000000000001.log is missing"));
}

static void damaged_headers(void **state)
{
    struct test_log *test = *state;
    char path[TEST_PATH_MAX];
    append_synced(test, 3, 1000);
    segment_file(test, 0, path);
    flip_byte(path, 20);
    assert_int_equal(recover(test), 3);
    flip_byte(path, 2048 + 20);
    assert_int_equal(recover(test), -1);
}

static void segment_of_another_store_is_refused(void **state)
{
    struct test_log *test = *state;
    append_synced(test, 3, 1000);
    store_log_close(test->log);
    struct fail fail = {0};
    struct log_position position = {0};
    struct visited visited = {0};
    struct store_log_options options = {
        .io = &fault_io, .dir_fd = test->dir_fd, .segment_bytes = SEGMENT_BYTES};
    assert_ok(store_log_open(&options, &test->log, &fail));
    assert_err(store_log_recover(test->log, &position, visit, &visited, &fail), ERR_CORRUPT);
    assert_non_null(strstr(fail.detail, "another store"));
}

/* A write that ran out of space may have left a part, even whole records; the next batch is written over it. */
static void rest_of_a_failed_write_is_never_recovered(void **state)
{
    struct test_log *test = *state;
    for (size_t partial = 1; partial < 3000; partial += 97) {
        uint64_t before = test->appended;
        fault_set(FAULT_WRITE, 0, ENOSPC, false);
        fault_set_partial_write(partial);
        test->appended += 1000; /* other bytes than those that follow */
        assert_err(append(test, 5, ALIGNED), ERR_NO_SPACE);
        test->appended = before;
        /* Of the same size, so that the records that are left stand where its successors would. */
        append_synced(test, 1, ALIGNED);
        assert_int_equal(recover(test), before + 1);
    }
}

static void failed_write_is_told(void **state)
{
    struct test_log *test = *state;
    append_synced(test, 1, 100);
    fault_set(FAULT_WRITE, 0, EIO, false);
    assert_err(append(test, 1, 100), ERR_IO);
    fault_set(FAULT_SYNC_DATA, 0, EIO, false);
    assert_ok(append(test, 1, 100));
    assert_err(store_log_sync(test->log), ERR_IO);
}

static void segment_that_cannot_be_made_is_no_harm(void **state)
{
    struct test_log *test = *state;
    static const struct {
        enum fault_call call;
        int error;
        enum err expected;
    } cases[] = {
        {FAULT_ALLOCATE, ENOSPC, ERR_NO_SPACE},
        {FAULT_OPEN, EMFILE, ERR_UNAVAILABLE},
        {FAULT_SYNC, EIO, ERR_IO},
        {FAULT_WRITE, ENOSPC, ERR_NO_SPACE},
        {FAULT_RENAME, EIO, ERR_IO},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* Larger than a segment, so that one is made at once. */
        append_synced(test, 1, 2 * SEGMENT_BYTES);
        uint64_t before = test->appended;
        fault_set(cases[i].call, cases[i].call == FAULT_WRITE, cases[i].error, false);
        assert_err(append(test, 1, 2 * SEGMENT_BYTES), cases[i].expected);
        assert_int_equal(test->appended, before);
        fault_clear();
        append_synced(test, 1, 2 * SEGMENT_BYTES);
        assert_int_equal(recover(test), before + 1);
    }
}

static void prepared_segment_is_used_after_a_restart(void **state)
{
    struct test_log *test = *state;
    append_synced(test, 1, 40000);
    assert_true(store_log_wants_segment(test->log));
    assert_ok(store_log_prepare(test->log));
    assert_false(store_log_wants_segment(test->log));
    assert_int_equal(segment_count(test), 2);
    assert_int_equal(recover(test), 1);
    append_synced(test, 1, 40000);
    assert_int_equal(segment_count(test), 2);
    append_synced(test, 1, 40000);
    assert_int_equal(segment_count(test), 3);
    assert_int_equal(recover(test), 3);
}

/* Calls that fail from some moment of a start on: either that start fails, or nothing was lost by it. What must not be is a segment that
 * is passed over, and that those written later come behind: it would look as if its records were gone. */
static void failure_during_a_start_leaves_no_gap(void **state)
{
    enum { CALLS = 6 };
    struct test_log *test = *state;
    append_synced(test, 1, 40000);
    for (unsigned i = 0; i < 2 * CALLS; i++) {
        int count = (int)test->appended;
        struct visited visited = {0};
        struct log_position position = {0};
        struct fail fail = {0};
        enum fault_call call = i % 2 ? FAULT_READ : FAULT_OPEN;
        assert_ok(store_log_prepare(test->log));
        fault_clear();
        assert_int_equal(recover(test), count);
        unsigned calls = fault_count(call) - (call == FAULT_OPEN); /* one lists the folder */
        store_log_close(test->log);
        open_log(test);
        fault_set(call, calls - 1 - i / 2 % calls, call == FAULT_READ ? EIO : EMFILE, true);
        enum err err = store_log_recover(test->log, &position, visit, &visited, &fail);
        fault_clear();
        if (err != OK)
            assert_int_equal(recover(test), count);
        append_synced(test, 1, 40000);
        append_synced(test, 1, 40000);
        assert_int_equal(recover(test), count + 2);
    }
}

static void sealed_end_is_an_end(void **state)
{
    struct test_log *test = *state;
    append_synced(test, 1, 40000);
    /* The seal is written, then the next segment cannot be made. */
    fault_set(FAULT_ALLOCATE, 0, ENOSPC, false);
    assert_err(append(test, 1, 40000), ERR_NO_SPACE);
    assert_int_equal(recover(test), 1);
    append_synced(test, 1, 40000);
    assert_int_equal(recover(test), 2);
}

static struct log_figures figures_at(const struct test_log *test, uint64_t id)
{
    struct log_figures figures = {0};
    assert_true(store_log_next_segment(test->log, id - 1, &figures));
    assert_int_equal(figures.id, id);
    return figures;
}

/* A recycled file is full of records of its former life. */
static void stale_records_of_a_recycled_file_are_not_taken(void **state)
{
    struct test_log *test = *state;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 12; i++)
            append_synced(test, 1, 10000);
        struct log_position end = store_log_end(test->log);
        /* Give back all but the active one; numbers go on, so a log that begins later is fine. */
        struct log_figures figures = {0};
        while (store_log_next_segment(test->log, figures.id, &figures) && figures.id < end.segment)
            store_log_set_empty(test->log, figures.id, 1);
        assert_true(store_log_has_retirable(test->log, 1));
        assert_false(store_log_has_retirable(test->log, 0));
        assert_ok(store_log_retire_empty(test->log, 1));
        assert_int_equal(figures_at(test, end.segment).state, SEGMENT_ACTIVE);
        assert_int_equal(segment_count(test), 1);
    }
    char path[TEST_PATH_MAX];
    assert_true(nth_file(test->path, ".free", 0, path));
    assert_false(nth_file(test->path, ".free", 4, path));
    /* What is there begins in a segment that is none of the first. */
    append_synced(test, 1, 100);
    struct log_position position = {0};
    struct fail fail = {0};
    struct visited visited = {.next = ANY_NUMBER};
    store_log_close(test->log);
    open_log(test);
    assert_ok(store_log_recover(test->log, &position, visit, &visited, &fail));
    assert_int_equal(visited.next, test->appended);
}

/* How many writes it takes to prepare the next segment: its header, and zeroes. */
static unsigned writes_to_prepare(struct test_log *test)
{
    unsigned before = fault_count(FAULT_WRITE);
    assert_true(store_log_wants_segment(test->log));
    assert_ok(store_log_prepare(test->log));
    return fault_count(FAULT_WRITE) - before;
}

static void the_next_segment_is_written_ahead_while_syncs_are_small(void **state)
{
    struct test_log *test = *state;
    append_synced(test, 1, 40000);
    assert_int_equal(writes_to_prepare(test), 2);
    append_synced(test, 1, 200000);
    assert_int_equal(writes_to_prepare(test), 1);
    assert_int_equal(recover(test), 2);
}

static void segment_that_cannot_be_written_ahead_is_used_as_it_is(void **state)
{
    struct test_log *test = *state;
    append_synced(test, 1, 40000);
    fault_set(FAULT_WRITE, 0, EINVAL, false);
    assert_int_equal(writes_to_prepare(test), 2);
    append_synced(test, 1, 40000);
    fault_set(FAULT_WRITE, 0, EIO, false);
    assert_err(store_log_prepare(test->log), ERR_IO);
    assert_int_equal(recover(test), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        LOG_TEST(empty_log_recovers),
        LOG_TEST(records_of_all_sizes_come_back_across_segments),
        LOG_TEST(places_lead_to_the_bytes),
        LOG_TEST(any_lost_sector_of_the_last_batch_is_a_torn_end),
        LOG_TEST(forged_record_in_a_torn_batch_proves_nothing),
        LOG_TEST(lost_sector_before_the_last_batch_is_damage),
        LOG_TEST(damage_in_an_earlier_segment_is_seen),
        LOG_TEST(missing_seal_is_damage),
        LOG_TEST(missing_segment_is_damage),
        LOG_TEST(damaged_headers),
        LOG_TEST(segment_of_another_store_is_refused),
        LOG_TEST(rest_of_a_failed_write_is_never_recovered),
        LOG_TEST(failed_write_is_told),
        LOG_TEST(segment_that_cannot_be_made_is_no_harm),
        LOG_TEST(prepared_segment_is_used_after_a_restart),
        LOG_TEST(failure_during_a_start_leaves_no_gap),
        LOG_TEST(the_next_segment_is_written_ahead_while_syncs_are_small),
        LOG_TEST(segment_that_cannot_be_written_ahead_is_used_as_it_is),
        LOG_TEST(sealed_end_is_an_end),
        LOG_TEST(stale_records_of_a_recycled_file_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
