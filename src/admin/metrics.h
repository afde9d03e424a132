/* metrics: what happened to requests, counted per loop without locks and summed when somebody asks.
 *
 * Each loop has a lane of its own counters, which only its thread writes (relaxed loads and stores, no locked
 * instruction); a reader on another thread may see one counter newer than another, never a torn one. Everything is allocated at
 * start: operations times statuses, so memory does not grow with traffic. */
#pragma once

#include "admin/prometheus.h"
#include "base/str.h"

struct metrics;
struct metrics_lane;

/* operation_name: the names from index 0, null past the end; static strings. "-" (no operation was resolved) is added. */
struct metrics *metrics_new(size_t lane_count, const char *(*operation_name)(size_t index));
void metrics_free(struct metrics *metrics); /* null is allowed; nobody may count any more */

/* The lane of the loop with that number. */
struct metrics_lane *metrics_lane(struct metrics *metrics, size_t index);

/* One exchange that is over. */
struct metrics_exchange {
    const char *operation; /* a name that metrics_new knows; any other counts as "-" */
    int status;            /* 0: the connection was lost before a reply */
    bool is_complete;      /* the whole reply went out */
    uint64_t body_in_bytes, body_out_bytes;
    int64_t first_byte_us, total_us;
};
/* The thread of the lane's loop. */
void metrics_count(struct metrics_lane *lane, const struct metrics_exchange *exchange);

/* Appends all families with the sums over the lanes; operations that never happened have no samples. Any thread. */
void metrics_write(const struct metrics *metrics, struct buf *out);

/* Sums that other pages show. Any thread. */
struct metrics_totals {
    uint64_t requests, server_faults; /* all; those answered with 5xx */
    uint64_t body_in_bytes, body_out_bytes;
};
void metrics_totals(const struct metrics *metrics, struct metrics_totals *out);
