/* Making and taking down. Each step names its own failure, so that a person learns what to do;
 * server_close takes down whatever of it is there. */
#include "app/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "admin/service.h"
#include "app/server_int.h"
#include "app/server_jobs.h"
#include "app/settings_text.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/prompt.h"
#include "base/rand.h"
#include "store/local/local_engine.h"
#include "store/mem/mem_engine.h"

enum {
    HEADER_MAX_COUNT = 200,
    UNREAD_BODY_MAX_BYTES = 1 << 20, /* read and thrown away to keep a connection */
    ADMIN_CONNECTIONS_MAX = 256,
    WORKERS_A_CORE = 4,
    HASH_THREADS_MAX = 16, /* of which each hashes sixteen uploads: more than a network brings */
};

/* ---- Folder and engine ---- */

/* Makes the folder and those above it, durably, as what is acknowledged lies in them. Only its
 * owner may look in. */
static enum err make_folders(str path, struct fail *fail)
{
    struct arena *arena = arena_new(path.len + 1);
    char *each = arena_alloc(arena, path.len + 1);
    memcpy(each, path.ptr, path.len);
    each[path.len] = '\0';
    enum err err = OK;
    for (size_t i = 1; err == OK && i <= path.len; i++) {
        if (each[i] != '/' && each[i] != '\0')
            continue;
        char end = each[i];
        each[i] = '\0';
        err = dir_make(AT_FDCWD, each, 0700);
        if (err == ERR_EXISTS)
            err = OK;
        if (err != OK)
            err = fail_set(fail, err, "data_dir", "cannot make the folder \"%s\": %s", each,
                           strerror(errno));
        each[i] = end;
    }
    arena_free(arena);
    return err;
}

/* Strangers open connections, and have files of large bodies opened. They must not use up the descriptors that log and index need, so
 * these are left: half of a small limit, else as many. */
enum { OWN_FILES = 1280 };

static uint64_t file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
        return INT_MAX;
    return limit.rlim_cur;
}

static uint64_t guest_file_count(void)
{
    uint64_t limit = file_limit();
    return limit > 2 * OWN_FILES ? limit - OWN_FILES : limit / 2;
}

/* A little more than connections may have, so that some bodies can be read beside the most connections. */
static int guest_fd_max(void)
{
    uint64_t count = guest_file_count();
    return (int)(count + (file_limit() - count) / 4);
}

static enum err open_engine(struct server *server, struct fail *fail)
{
    const struct settings *settings = &server->settings.values;
    server->has_folder = settings->data_dir.len > 0;
    if (server->has_folder)
        TRY(make_folders(settings->data_dir, fail));
    if (settings->engine == SETTING_ENGINE_MEM)
        return mem_engine_open(&server->engine);
    const struct local_options options = {.data_dir = settings->data_dir.ptr,
                                          .segment_bytes = settings->log_segment_max_bytes,
                                          .index_cache_bytes = settings->index_cache_bytes,
                                          .body_fd_max = guest_fd_max()};
    return local_engine_open(&options, &server->engine, fail);
}

/* ---- Keys and users ---- */

static enum err get_root_keys(struct server *server, struct fail *fail)
{
    const struct settings *settings = &server->settings.values;
    struct root_keys *keys = &server->root_keys;
    if (settings->access_key.len) {
        /* settings_check has judged lengths and forms, and that both are there. */
        memcpy(keys->access_key, settings->access_key.ptr, settings->access_key.len);
        memcpy(keys->secret_key, settings->secret_key.ptr, settings->secret_key.len);
        return OK;
    }
    if (server->has_folder)
        return root_keys_get(settings->data_dir.ptr, keys, &server->are_root_keys_new, fail);
    root_keys_make(keys);
    server->are_root_keys_new = true;
    return OK;
}

static enum err get_master_key(struct server *server, struct fail *fail)
{
    if (server->has_folder)
        return master_key_get(server->settings.values.data_dir.ptr, server->master_key,
                              &server->is_master_key_new, fail);
    rand_bytes(server->master_key, sizeof(server->master_key));
    return OK;
}

static enum err check_master_key(struct server *server, struct fail *fail)
{
    struct fail why = {0};
    enum err err = users_check_master_key(server->users, &why);
    if (err != ERR_CORRUPT)
        return err;
    str folder = server->settings.values.data_dir;
    if (server->is_master_key_new)
        master_key_discard(folder.ptr);
    return fail_set(fail, err, NULL,
                    "%s; put the file \"%.*s/master-key\" of this data back (is it in a backup?)",
                    why.detail, STR_ARG(folder));
}

static enum err open_users(struct server *server, struct fail *fail)
{
    TRY(get_master_key(server, fail));
    TRY(get_root_keys(server, fail));
    struct users_options options = {
        .engine = server->engine,
        .root_access_key = str_from(server->root_keys.access_key),
        .root_secret_key = str_from(server->root_keys.secret_key),
    };
    memcpy(options.master_key, server->master_key, sizeof(options.master_key));
    server->users = users_new(&options);
    explicit_bzero(&options, sizeof(options));
    return check_master_key(server, fail);
}

/* ---- Store ---- */

/* The cores that this process may use, which in a container are fewer than the machine's. */
static unsigned core_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

static enum err open_store(struct server *server, struct fail *fail)
{
    const struct settings *settings = &server->settings.values;
    unsigned cores = core_count();
    unsigned count = settings->workers ? (unsigned)settings->workers : cores * WORKERS_A_CORE;
    server->workers = workers_new(count);
    if (!server->workers)
        return fail_set(fail, ERR_NO_MEMORY, "workers", "the system refuses %u threads", count);
    server->store = store_new(&(struct store_options){
        .engine = server->engine,
        .workers = server->workers,
        .hash_threads = cores < HASH_THREADS_MAX ? cores : HASH_THREADS_MAX,
        .inline_max_bytes = settings->inline_max_bytes,
        .io_buffer_bytes = settings->io_buffers_bytes,
        .verify_reads = settings->verify_reads == SETTING_VERIFY_ALWAYS,
    });
    if (!server->store)
        return fail_set(fail, ERR_NO_MEMORY, NULL, "the system refuses threads for hashing");
    return OK;
}

/* ---- Network ---- */

static enum err open_tls(struct server *server, struct fail *fail)
{
    const struct settings *settings = &server->settings.values;
    if (!settings->tls_cert.len)
        return OK;
    return tls_context_open(settings->tls_cert.ptr, settings->tls_key.ptr, &server->tls, fail);
}

static enum err open_listeners(struct server *server, struct fail *fail)
{
    const struct settings *settings = &server->settings.values;
    TRY(listeners_open(&settings->listen, "listen", &server->s3_listeners, fail));
    return listeners_open(&settings->admin_listen, "admin_listen", &server->admin_listeners, fail);
}

static struct http_limits http_limits_of(const struct settings *settings,
                                         unsigned connection_max_count)
{
    return (struct http_limits){
        .head_max_bytes = settings->request_head_max_bytes,
        .header_max_count = HEADER_MAX_COUNT,
        .head_timeout_ms = settings->head_timeout_ms,
        .body_timeout_ms = settings->body_timeout_ms,
        .body_min_rate = settings->body_min_rate_bytes,
        .body_rate_window_ms = settings->body_rate_window_ms,
        .idle_timeout_ms = settings->idle_timeout_ms,
        .drain_max_bytes = UNREAD_BODY_MAX_BYTES,
        .connection_max_count = connection_max_count,
        .fd_max = guest_fd_max(),
    };
}

static enum err open_logs(struct server *server, struct fail *fail)
{
    server->access_log = access_log_new(server->workers);
    return access_log_set_target(server->access_log, server->settings.values.access_log,
                                 server_access_log_format(server), fail);
}

static enum err open_lane(struct server *server, size_t index, const struct lane_options *options)
{
    struct lane *lane = &server->lane[index];
    TRY(lane_open(lane, options, index));
    for (size_t i = 0; i < server->s3_listeners.count; i++)
        TRY(lane_listen(lane, &server->s3_listeners.item[i], server->tls));
    return OK;
}

static uint64_t connection_limit(const struct settings *settings)
{
    uint64_t room = guest_file_count();
    if (room >= settings->max_connections)
        return settings->max_connections;
    log_event(LOG_WARN, "server",
              "fewer files may be open than max_connections asks for; it is lowered",
              LOG_U64("files", file_limit()), LOG_U64("max_connections", settings->max_connections),
              LOG_U64("lowered_to", room));
    return room;
}

static enum err open_lanes(struct server *server, struct fail *fail)
{
    const struct settings *settings = &server->settings.values;
    size_t count = settings->threads ? settings->threads : core_count();
    struct observer_options observer;
    server->metrics = metrics_new(count, s3_operation_name);
    observer =
        (struct observer_options){.metrics = server->metrics, .access_log = server->access_log};
    server->s3_settings = (struct s3_settings){
        .region = settings->region,
        .domain = settings->domain.host,
        .domain_count = settings->domain.count,
        .anonymous = settings->anonymous,
    };
    server->group = http_group_new((unsigned)count);
    struct lane_options options = {
        .s3 = &server->s3_settings,
        .store = server->store,
        .users = server->users,
        .workers = server->workers,
        .observer = &observer,
        .health = &server->health,
        .limits =
            http_limits_of(settings, (unsigned)((connection_limit(settings) + count - 1) / count)),
        .group = server->group,
        .home = server->loop,
        .drained = server_lane_drained,
        .context = server,
    };
    server->lane = mem_new_array(struct lane, count);
    server->lane_count = count;
    for (size_t i = 0; i < count; i++)
        if (open_lane(server, i, &options) != OK)
            return fail_set(fail, ERR_IO, "threads", "the system refuses an event loop");
    return OK;
}

/* ---- Admin ---- */

static uint64_t count_connections(void *context)
{
    const struct server *server = context;
    uint64_t count = 0;
    for (size_t i = 0; i < server->lane_count; i++)
        count += http_server_connection_count(server->lane[i].server);
    return count;
}

static void write_settings(void *context, struct buf *out)
{
    struct server *server = context;
    pthread_mutex_lock(&server->settings_lock);
    settings_write_values(&server->settings, true, out);
    pthread_mutex_unlock(&server->settings_lock);
}

static enum err reload(void *context, struct fail *fail)
{
    return server_reload(context, fail);
}

static enum err open_admin(struct server *server, struct fail *fail)
{
    const struct settings *settings = &server->settings.values;
    server->admin_service = admin_service_new(&(struct admin_options){
        .users = server->users,
        .store = server->store,
        .workers = server->workers,
        .loop = server->loop,
        .health = &server->health,
        .metrics = server->metrics,
        .access_log = server->access_log,
        .jobs = server->jobs,
        .version = PAIL_VERSION,
        .region = settings->region,
        .context = server,
        .connection_count = count_connections,
        .write_settings = write_settings,
        .reload = reload,
    });
    server->admin_server = http_server_new(&(struct http_server_options){
        .loop = server->loop,
        .service = server->admin_service,
        .limits = http_limits_of(settings, ADMIN_CONNECTIONS_MAX),
        .server_name = STR("pail"),
    });
    for (size_t i = 0; i < server->admin_listeners.count; i++)
        if (http_server_listen(server->admin_server, server->admin_listeners.item[i].fd,
                               server->tls) != OK)
            return fail_set(fail, ERR_IO, "admin_listen", "the system refuses to watch a listener");
    return OK;
}

/* ---- The whole ---- */

static enum err open_all(struct server *server, struct fail *fail)
{
    server->loop = loop_new();
    if (!server->loop)
        return fail_set(fail, ERR_IO, NULL, "the system refuses an event loop");
    TRY(open_engine(server, fail));
    TRY(open_users(server, fail));
    TRY(open_store(server, fail));
    TRY(open_tls(server, fail));
    TRY(open_listeners(server, fail));
    TRY(open_logs(server, fail));
    TRY(open_lanes(server, fail));
    server->jobs = server_jobs_new(server);
    TRY(open_admin(server, fail));
    return server_prepare_run(server);
}

enum err server_open(const struct server_options *options, struct server **out_server,
                     struct fail *fail)
{
    /* Threads inherit it, those of libraries too: among them nobody waits for a whole turn of another. */
    (void)prompt_ask();
    struct server *server = mem_new(struct server);
    server->input = options->input;
    server->settings = *options->settings;
    server->log_format = options->log_format;
    pthread_mutex_init(&server->settings_lock, NULL);
    enum err err = open_all(server, fail);
    if (err != OK) {
        server_close(server);
        return err;
    }
    *out_server = server;
    return OK;
}

enum err server_start(struct server *server)
{
    for (size_t i = 0; i < server->lane_count; i++) {
        TRY(lane_start(&server->lane[i]));
        server->lanes_running++;
    }
    return OK;
}

static void close_network(struct server *server)
{
    for (size_t i = 0; i < server->lane_count; i++)
        lane_close(&server->lane[i]);
    if (server->admin_server)
        http_server_free(server->admin_server);
    admin_service_free(server->admin_service);
    if (server->has_signals)
        signals_close(&server->signals);
    listeners_close(&server->s3_listeners);
    listeners_close(&server->admin_listeners);
    tls_context_free(server->tls);
}

/* The loops have stopped, the workers end, and what they completed late (a read for a client
 * that left) is still run: it gives back what it holds of the store. */
static void close_store(struct server *server)
{
    /* A worker may be starting one; after this none begins. */
    if (server->jobs)
        long_jobs_stop(server->jobs);
    workers_free(server->workers);
    long_jobs_free(server->jobs);
    for (size_t i = 0; i < server->lane_count; i++)
        if (server->lane[i].loop)
            loop_finish(server->lane[i].loop);
    if (server->loop)
        loop_finish(server->loop);
    if (server->store)
        store_free(server->store);
    users_free(server->users);
    if (server->engine)
        engine_close(server->engine);
}

void server_close(struct server *server)
{
    if (!server)
        return;
    close_network(server);
    close_store(server);
    for (size_t i = 0; i < server->lane_count; i++)
        lane_free(&server->lane[i]);
    mem_free(server->lane);
    http_group_free(server->group);
    access_log_free(server->access_log);
    metrics_free(server->metrics);
    loop_free(server->loop);
    pthread_mutex_destroy(&server->settings_lock);
    arena_free(server->kept);
    explicit_bzero(server, sizeof(*server));
    mem_free(server);
}

const struct listeners *server_s3_listeners(const struct server *server)
{
    return &server->s3_listeners;
}

const struct listeners *server_admin_listeners(const struct server *server)
{
    return &server->admin_listeners;
}

bool server_has_tls(const struct server *server)
{
    return server->tls != NULL;
}

const struct root_keys *server_new_root_keys(const struct server *server)
{
    return server->are_root_keys_new ? &server->root_keys : NULL;
}
