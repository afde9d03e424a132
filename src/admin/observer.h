/* observer: what one loop tells about its requests: metrics, the access log, and the log of server faults. */
#pragma once

#include "admin/access_log.h"
#include "admin/metrics.h"

struct observer_options {
    struct metrics *metrics;
    struct access_log *access_log; /* null: none */
};
struct observer;

/* lane_index: of the metrics. */
struct observer *observer_new(const struct observer_options *options, struct loop *loop,
                              size_t lane_index);
void observer_free(struct observer *observer); /* when workers have ended; null is allowed */
struct s3_observer *observer_s3(struct observer *observer);
