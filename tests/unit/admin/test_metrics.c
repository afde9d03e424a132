/* Aim: every exchange is counted once, under its operation and status, in the right bucket; the sums are those over all lanes,
 * also while others count. */
#include "admin/metrics.h"

#include "../unit.h"

#include <stdio.h>

#include "event/thread.h"

static const char *operation_name(size_t index)
{
    static const char *const name[] = {"GetObject", "PutObject", NULL};
    return name[index];
}

static const char *no_operation(size_t index)
{
    (void)index;
    return NULL;
}

/* The value of the line that begins with these bytes; -1 when there is none. */
static int64_t value_of(const struct metrics *metrics, const char *line)
{
    BUF_SCOPED struct buf out;
    buf_init(&out, 1 << 20);
    metrics_write(metrics, &out);
    assert_ok(buf_err(&out));
    str rest = buf_str(&out), head;
    while (rest.len) {
        (void)str_cut(rest, '\n', &head, &rest);
        if (!str_has_prefix(head, str_from(line)))
            continue;
        int64_t value;
        assert_ok(str_to_i64(str_skip(head, strlen(line)), &value));
        return value;
    }
    return -1;
}

static void count(struct metrics *metrics, size_t lane, const char *operation, int status,
                  int64_t us)
{
    metrics_count(metrics_lane(metrics, lane), &(struct metrics_exchange){
                                                   .operation = operation,
                                                   .status = status,
                                                   .is_complete = status != 0,
                                                   .body_in_bytes = 10,
                                                   .body_out_bytes = 100,
                                                   .first_byte_us = us / 2,
                                                   .total_us = us,
                                               });
}

static void test_nothing_yet(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(1, no_operation);
    assert_int_equal(value_of(metrics, "pail_requests_total{"), -1);
    struct metrics_totals totals;
    metrics_totals(metrics, &totals);
    assert_int_equal(totals.requests, 0);
    metrics_free(metrics);
    metrics_free(NULL);
}

static void test_lanes_are_summed(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(3, operation_name);
    for (size_t lane = 0; lane < 3; lane++)
        for (size_t i = 0; i <= lane; i++)
            count(metrics, lane, "GetObject", 200, 1000);
    count(metrics, 1, "PutObject", 507, 1000);
    assert_int_equal(
        value_of(metrics, "pail_requests_total{operation=\"GetObject\",status=\"200\"} "), 6);
    assert_int_equal(
        value_of(metrics, "pail_requests_total{operation=\"PutObject\",status=\"507\"} "), 1);
    assert_int_equal(
        value_of(metrics, "pail_requests_total{operation=\"PutObject\",status=\"200\"} "), -1);
    assert_int_equal(value_of(metrics, "pail_request_body_bytes_total{operation=\"GetObject\"} "),
                     60);
    assert_int_equal(value_of(metrics, "pail_reply_body_bytes_total{operation=\"GetObject\"} "),
                     600);
    struct metrics_totals totals;
    metrics_totals(metrics, &totals);
    assert_int_equal(totals.requests, 7);
    assert_int_equal(totals.server_faults, 1);
    assert_int_equal(totals.body_in_bytes, 70);
    metrics_free(metrics);
}

static void test_statuses(void **state)
{
    (void)state;
    const struct {
        int status;
        const char *text;
        bool is_fault;
    } cases[] = {
        {0, "lost", false},   {200, "200", false},    {404, "404", false},  {500, "500", true},
        {503, "503", true},   {299, "2xx", false},    {418, "4xx", false},  {599, "5xx", true},
        {99, "other", false}, {1000, "other", false}, {-1, "other", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct metrics *metrics = metrics_new(1, operation_name);
        count(metrics, 0, "GetObject", cases[i].status, 1);
        char line[100];
        (void)snprintf(line, sizeof(line),
                       "pail_requests_total{operation=\"GetObject\",status=\"%s\"} ",
                       cases[i].text);
        assert_int_equal(value_of(metrics, line), 1);
        struct metrics_totals totals;
        metrics_totals(metrics, &totals);
        assert_int_equal(totals.server_faults, cases[i].is_fault);
        metrics_free(metrics);
    }
}

static void test_unknown_operation(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(1, operation_name);
    count(metrics, 0, "-", 400, 1);
    count(metrics, 0, "NoSuchOperation", 400, 1);
    assert_int_equal(value_of(metrics, "pail_requests_total{operation=\"-\",status=\"400\"} "), 2);
    metrics_free(metrics);
}

static int64_t bucket_count(const struct metrics *metrics, const char *bound)
{
    char line[120];
    (void)snprintf(line, sizeof(line),
                   "pail_request_duration_seconds_bucket{operation=\"GetObject\",le=\"%s\"} ",
                   bound);
    return value_of(metrics, line);
}

/* On a bound and one above it. */
static void test_buckets(void **state)
{
    (void)state;
    const struct {
        int64_t us;
        const char *least_bound; /* the smallest bucket that holds it */
        const char *below;       /* the largest that does not, or null */
    } cases[] = {
        {-5, "0.0005", NULL},      {0, "0.0005", NULL},       {500, "0.0005", NULL},
        {501, "0.001", "0.0005"},  {1000, "0.001", "0.0005"}, {1000000, "1", "0.5"},
        {1000001, "2.5", "1"},     {30000000, "30", "10"},    {30000001, "+Inf", "30"},
        {INT64_MAX, "+Inf", "30"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct metrics *metrics = metrics_new(1, operation_name);
        count(metrics, 0, "GetObject", 200, cases[i].us);
        assert_int_equal(bucket_count(metrics, cases[i].least_bound), 1);
        if (cases[i].below)
            assert_int_equal(bucket_count(metrics, cases[i].below), 0);
        assert_int_equal(
            value_of(metrics, "pail_request_duration_seconds_count{operation=\"GetObject\"} "), 1);
        metrics_free(metrics);
    }
}

static void test_lost_requests_have_no_duration(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(1, operation_name);
    count(metrics, 0, "GetObject", 0, 1000);
    assert_int_equal(
        value_of(metrics, "pail_request_duration_seconds_count{operation=\"GetObject\"} "), 0);
    assert_int_equal(value_of(metrics, "pail_replies_cut_total{operation=\"GetObject\"} "), 1);
    metrics_free(metrics);
}

enum { LANES = 4, ROUNDS = 20000 };
struct counting {
    struct metrics *metrics;
    size_t lane;
};

static void count_many(void *context)
{
    struct counting *counting = context;
    for (int i = 0; i < ROUNDS; i++)
        count(counting->metrics, counting->lane, i % 2 ? "GetObject" : "PutObject", 200, i);
}

/* No count is lost, and a reader never sees more than there was. */
static void test_counting_at_once(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new(LANES, operation_name);
    struct counting counting[LANES];
    pthread_t thread[LANES];
    for (size_t i = 0; i < LANES; i++) {
        counting[i] = (struct counting){metrics, i};
        assert_ok(thread_start(&thread[i], "counter", count_many, &counting[i]));
    }
    uint64_t before = 0;
    bool is_sane = true;
    for (int i = 0; i < 50; i++) {
        struct metrics_totals totals;
        metrics_totals(metrics, &totals);
        is_sane = is_sane && totals.requests >= before && totals.requests <= LANES * ROUNDS;
        before = totals.requests;
    }
    for (size_t i = 0; i < LANES; i++)
        thread_join(thread[i]);
    assert_true(is_sane);
    struct metrics_totals totals;
    metrics_totals(metrics, &totals);
    assert_int_equal(totals.requests, LANES * ROUNDS);
    assert_int_equal(totals.body_in_bytes, LANES * ROUNDS * 10);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_yet),
        cmocka_unit_test(test_lanes_are_summed),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_unknown_operation),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_lost_requests_have_no_duration),
        cmocka_unit_test(test_counting_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
