/* access_log: one line an exchange, to a file or to standard output. Lines are gathered per loop and written by a worker,
 * so that a slow disk or a full pipe never holds a loop; when more than a limit waits, lines are dropped and counted. */
#pragma once

#include "event/workers.h"
#include "s3/service.h"

enum access_log_format { ACCESS_LOG_TEXT, ACCESS_LOG_JSON };

struct access_log;
struct access_log_lane;

/* Starts without a target: nothing is logged. */
struct access_log *access_log_new(struct workers *workers);
/* After the workers have ended. Null is allowed. */
void access_log_free(struct access_log *log);

/* Where lines go from now on: "off" or empty: nowhere; "-": standard output; else a file that is appended to, made with mode 0640.
 * The same path again reopens it, as a rotated log needs. On an error the target stays. Any thread, one at a time. */
enum err access_log_set_target(struct access_log *log, str path, enum access_log_format format,
                               struct fail *fail);
/* Lines that were dropped. Any thread. */
uint64_t access_log_dropped(const struct access_log *log);

/* Of one loop. */
struct access_log_lane *access_log_lane_new(struct access_log *log, struct loop *loop);
/* What is gathered is written here; the loop must not be running, the workers have ended. */
void access_log_lane_free(struct access_log_lane *lane);
/* The loop's thread. */
void access_log_add(struct access_log_lane *lane, const struct s3_event *event);
