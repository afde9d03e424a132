/* Private to server.c (making and taking down) and server_run.c (what happens in between). */
#pragma once

#include "admin/access_log.h"
#include "admin/health.h"
#include "admin/long_jobs.h"
#include "admin/metrics.h"
#include "admin/periodic.h"
#include "app/lane.h"
#include "app/server.h"
#include "event/signals.h"
#include "net/tls.h"

enum { SERVER_JOB_KINDS = 4 }; /* one of them ends the table */

struct server {
    const struct settings_input *input;
    enum log_format log_format;
    pthread_mutex_t
        settings_lock; /* of what a reload changes: it may come from a worker and from a signal */
    struct settings_loaded settings;
    struct arena *kept; /* what taken-over settings point to */
    bool has_folder;

    struct engine *engine;
    struct root_keys root_keys;
    uint8_t master_key[SECRET_MASTER_SIZE];
    bool are_root_keys_new, is_master_key_new;
    struct users *users;
    struct workers *workers;
    struct store *store;

    struct tls_context *tls;
    struct listeners s3_listeners, admin_listeners;
    struct s3_settings s3_settings;
    struct metrics *metrics;
    struct access_log *access_log;
    struct health health;

    struct http_group *group;
    struct lane *lane;
    size_t lane_count;

    struct loop *loop; /* the main one */
    struct http_service *admin_service;
    struct http_server *admin_server;
    struct signals signals;
    bool has_signals;

    struct long_job_kind job_kind[SERVER_JOB_KINDS];
    struct long_jobs *jobs;

    /* Periodic work. */
    struct periodic janitor, watch, certificate;
    bool are_orphans_dropped;
    struct fail certificate_fail; /* of the last reading; code OK: it worked; under settings_lock */

    /* The end. */
    struct timer drain_timer;
    size_t lanes_running;
    bool is_draining, is_drained;
};

/* Reads the settings again and takes over what may change: log level, certificate, access log. Worker or main thread, one
 * at a time. On an error everything stays as it was. */
enum err server_reload(struct server *server, struct fail *fail);
static inline enum access_log_format server_access_log_format(const struct server *server)
{
    return server->log_format == LOG_JSON ? ACCESS_LOG_JSON : ACCESS_LOG_TEXT;
}
/* The main loop's part of the start: signals and periodic work. */
enum err server_prepare_run(struct server *server);
/* Called by a lane whose last connection is gone, on the main loop. */
void server_lane_drained(struct lane *lane);
