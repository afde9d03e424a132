/* From the start to the end:
 *
 *   serving ── SIGTERM, SIGINT ──→ draining ── last connection gone ──→ drained
 *      │                               └────── time over, or a second signal ──→ broken off
 *      └── SIGHUP, POST /admin/v1/reload ──→ server_reload, and on
 *
 * Draining: the S3 listeners accept no more and running requests finish; the admin listener stays until then, so that
 * /health/ready can say what is going on. */
#include "app/server_int.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "app/notify.h"
#include "app/settings_value.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "object/janitor.h"
#include "object/usage.h"

enum { JANITOR_MS = 1000, WATCH_MS = 5000, CERTIFICATE_MS = 2000, RELOAD_ARENA_BYTES = 1 << 20 };

/* ---- Reload ---- */

static void free_arena(void *context)
{
    arena_free(context);
}

static bool are_equal(const struct settings *a, const struct settings *b, struct arena *arena)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (!setting_is_equal(&settings_table[i], a, b, arena))
            return false;
    return true;
}

/* Takes over what may change, and tells what may not. The arena of the new values is kept while one of them is in use. */
static void take_settings(struct server *server, const struct settings_loaded *fresh,
                          struct arena *arena)
{
    struct settings before = server->settings.values;
    size_t count;
    const str *sentence = settings_take_reloadable(&server->settings, fresh, arena, &count);
    for (size_t i = 0; i < count; i++)
        log_event(LOG_WARN, "settings", arena_str(arena, sentence[i]).ptr);
    if (are_equal(&before, &server->settings.values, arena)) {
        arena_free(arena);
        return;
    }
    if (server->kept)
        arena_on_reset(arena, free_arena, server->kept);
    server->kept = arena;
}

static enum err read_certificate(struct server *server)
{
    struct fail fail = {0};
    enum err err = tls_context_reload(server->tls, &fail);
    fail.code = err;
    server->certificate_fail = fail;
    return err;
}

static enum err reload_locked(struct server *server, struct fail *fail)
{
    struct arena *arena = arena_new(RELOAD_ARENA_BYTES);
    struct settings_loaded fresh;
    enum err err = settings_load(server->input, arena, &fresh, fail);
    if (err == OK && server->tls) {
        err = read_certificate(server);
        *fail = server->certificate_fail;
    }
    if (err == OK)
        err = access_log_set_target(server->access_log, fresh.values.access_log,
                                    server_access_log_format(server), fail);
    if (err != OK) {
        arena_free(arena);
        return err;
    }
    take_settings(server, &fresh, arena);
    /* The words of the setting stand in the order of enum log_level. */
    log_configure((enum log_level)server->settings.values.log_level, server->log_format,
                  STDERR_FILENO);
    return OK;
}

enum err server_reload(struct server *server, struct fail *fail)
{
    pthread_mutex_lock(&server->settings_lock);
    enum err err = reload_locked(server, fail);
    pthread_mutex_unlock(&server->settings_lock);
    if (err == OK)
        log_event(LOG_INFO, "settings", "read again");
    else
        log_event(LOG_ERROR, "settings", "not read again; everything stays as it was",
                  LOG_STR("detail", str_from(fail->detail[0] ? fail->detail : err_fact(err))));
    return err;
}

/* On the main thread: it serves only the admin API, and reading a few small files is all that it waits for. */
static void reload_now(struct server *server)
{
    char state[64];
    (void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)clock_mono_us());
    notify_manager(state);
    struct fail fail = {0};
    (void)server_reload(server, &fail); /* told there */
    notify_manager("READY=1");
}

/* ---- Drain ---- */

static void admin_drained(void *context)
{
    struct server *server = context;
    server->is_drained = true;
    loop_stop(server->loop);
}

void server_lane_drained(struct lane *lane)
{
    struct server *server = lane->context;
    if (--server->lanes_running > 0)
        return;
    http_server_drain(server->admin_server, admin_drained, server);
}

static void drain_time_is_over(struct timer *timer)
{
    struct server *server = container_of(timer, struct server, drain_timer);
    log_event(LOG_WARN, "server",
              "requests still ran when drain_timeout was over; they are broken off");
    loop_stop(server->loop);
}

static void begin_drain(struct server *server)
{
    log_event(LOG_INFO, "server", "ending: no new connections; running requests finish");
    notify_manager("STOPPING=1");
    server->is_draining = true;
    atomic_store(&server->health.is_draining, true);
    long_jobs_stop(server->jobs);
    periodic_stop(&server->janitor);
    periodic_stop(&server->watch);
    periodic_stop(&server->certificate);
    int64_t limit_us = server->settings.values.drain_timeout_ms * 1000;
    timer_set(server->loop, &server->drain_timer, loop_now_us(server->loop) + limit_us);
    for (size_t i = 0; i < server->lane_count; i++)
        lane_drain(&server->lane[i]);
    listeners_refuse(&server->s3_listeners);
}

static void caught_signal(struct signals *signals, int number)
{
    struct server *server = container_of(signals, struct server, signals);
    if (number == SIGHUP) {
        reload_now(server);
        return;
    }
    if (!server->is_draining) {
        begin_drain(server);
        return;
    }
    log_event(LOG_WARN, "server", "a second signal: ending at once");
    loop_stop(server->loop);
}

/* ---- Periodic work ---- */

static enum err drop_orphans(struct server *server, struct fail *fail)
{
    uint64_t dropped = 0;
    enum err err = janitor_drop_orphans(server->store, &dropped, fail);
    server->are_orphans_dropped = err == OK;
    if (dropped)
        log_event(LOG_INFO, "janitor", "removed what an earlier end left unfinished",
                  LOG_U64("extents", dropped));
    return err;
}

/* One that stands in the way of the search must not keep the rest from being taken apart. */
static enum err run_janitor(void *context, struct fail *fail)
{
    struct server *server = context;
    struct janitor_report report;
    enum err err = server->are_orphans_dropped ? OK : drop_orphans(server, fail);
    enum err other = janitor_run(server->store, &report, err == OK ? fail : NULL);
    return err == OK ? other : err;
}

static enum err watch_engine(void *context, struct fail *fail)
{
    struct server *server = context;
    struct engine_stats stats;
    store_stats(server->store, &stats);
    atomic_store(&server->health.is_read_only, stats.is_read_only);
    if (!stats.is_read_only)
        return OK;
    return fail_set(fail, ERR_READ_ONLY, NULL, "%s", stats.read_only_reason);
}

/* Files that were bad and have not changed since are still bad. */
static enum err reread_certificate(struct server *server, struct fail *fail)
{
    if (tls_context_is_stale(server->tls) && read_certificate(server) == OK)
        log_event(LOG_INFO, "tls", "took over a new certificate");
    *fail = server->certificate_fail;
    return fail->code;
}

static enum err watch_certificate(void *context, struct fail *fail)
{
    struct server *server = context;
    pthread_mutex_lock(&server->settings_lock);
    enum err err = reread_certificate(server, fail);
    pthread_mutex_unlock(&server->settings_lock);
    return err;
}

static void start_periodic(struct server *server, struct periodic *periodic, const char *name,
                           int64_t interval_ms, enum err (*run)(void *context, struct fail *fail))
{
    *periodic =
        (struct periodic){.name = name, .interval_ms = interval_ms, .run = run, .context = server};
    periodic_start(periodic, server->loop, server->workers);
}

enum err server_prepare_run(struct server *server)
{
    TRY(signals_open(&server->signals, server->loop, caught_signal));
    server->has_signals = true;
    timer_init(&server->drain_timer, drain_time_is_over);
    return OK;
}

bool server_run(struct server *server)
{
    start_periodic(server, &server->janitor, "janitor", JANITOR_MS, run_janitor);
    start_periodic(server, &server->watch, "engine", WATCH_MS, watch_engine);
    if (server->tls)
        start_periodic(server, &server->certificate, "tls", CERTIFICATE_MS, watch_certificate);
    loop_run(server->loop);
    return server->is_drained;
}
