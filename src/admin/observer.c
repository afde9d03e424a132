#include "admin/observer.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

/* A full disk makes every write a fault: that is told, but not ten thousand times a second. */
enum { FAULTS_A_SECOND = 10, SECOND_US = 1000000 };

struct observer {
    struct s3_observer base;
    struct metrics_lane *metrics;
    struct access_log_lane *access_log;
    struct loop *loop;
    int64_t second_began_us;
    uint64_t faults_this_second, faults_not_told;
};

static bool is_fault(const struct s3_event *event)
{
    int status = event->outcome->status;
    /* A reply that had begun when the fault came has a good status and an error. */
    return status == 500 || status == 503 || status == 507 || event->err == ERR_CORRUPT ||
           event->err == ERR_IO;
}

static bool may_tell(struct observer *observer)
{
    int64_t now_us = loop_now_us(observer->loop);
    if (now_us - observer->second_began_us >= SECOND_US) {
        observer->second_began_us = now_us;
        observer->faults_this_second = 0;
    }
    observer->faults_this_second++;
    if (observer->faults_this_second <= FAULTS_A_SECOND)
        return true;
    observer->faults_not_told++;
    return false;
}

static void tell_fault(struct observer *observer, const struct s3_event *event)
{
    if (!may_tell(observer))
        return;
    /* What the store cannot help now (overload, a full disk) is a warning; damage and bugs are errors. */
    bool is_passing = event->outcome->status == 503 || event->outcome->status == 507;
    log_event(
        is_passing ? LOG_WARN : LOG_ERROR, "request", err_fact(event->err),
        LOG_STR("operation", str_from(event->operation)), LOG_STR("detail", event->detail),
        LOG_STR("bucket", event->bucket), LOG_STR("key", event->key),
        LOG_I64("status", event->outcome->status), LOG_STR("error", str_from(err_name(event->err))),
        LOG_STR("request_id", event->request_id), LOG_U64("not_told", observer->faults_not_told));
    observer->faults_not_told = 0;
}

static void seen(struct s3_observer *base, const struct s3_event *event)
{
    struct observer *observer = container_of(base, struct observer, base);
    const struct http_outcome *outcome = event->outcome;
    metrics_count(observer->metrics, &(struct metrics_exchange){
                                         .operation = event->operation,
                                         .status = outcome->status,
                                         .is_complete = outcome->is_complete,
                                         .body_in_bytes = outcome->body_in_bytes,
                                         .body_out_bytes = outcome->body_out_bytes,
                                         .first_byte_us = outcome->first_byte_us,
                                         .total_us = outcome->total_us,
                                     });
    if (observer->access_log)
        access_log_add(observer->access_log, event);
    if (is_fault(event))
        tell_fault(observer, event);
}

struct observer *observer_new(const struct observer_options *options, struct loop *loop,
                              size_t lane_index)
{
    struct observer *observer = mem_new(struct observer);
    observer->base.seen = seen;
    observer->loop = loop;
    observer->metrics = metrics_lane(options->metrics, lane_index);
    if (options->access_log)
        observer->access_log = access_log_lane_new(options->access_log, loop);
    return observer;
}

void observer_free(struct observer *observer)
{
    if (!observer)
        return;
    access_log_lane_free(observer->access_log);
    mem_free(observer);
}

struct s3_observer *observer_s3(struct observer *observer)
{
    return &observer->base;
}
