#include "app/lane.h"

#include "base/list.h"

/* ---- The front: whose request is it? ---- */

static void on_head(struct http_service *service, struct http_exchange *x)
{
    struct lane *lane = container_of(service, struct lane, front);
    if (!health_try(x, lane->health))
        lane->s3->on_head(lane->s3, x);
}

static void on_bad_request(struct http_service *service, struct http_exchange *x, enum err err)
{
    struct lane *lane = container_of(service, struct lane, front);
    lane->s3->on_bad_request(lane->s3, x, err);
}

static void on_done(struct http_service *service, struct http_exchange *x,
                    const struct http_outcome *outcome)
{
    struct lane *lane = container_of(service, struct lane, front);
    /* Only S3 leaves a context in the exchange. */
    if (http_context(x))
        lane->s3->on_done(lane->s3, x, outcome);
}

/* ---- Life ---- */

enum err lane_open(struct lane *lane, const struct lane_options *options, size_t index)
{
    lane->loop = loop_new();
    if (!lane->loop)
        return ERR_IO;
    lane->observer = observer_new(options->observer, lane->loop, index);
    lane->health = options->health;
    lane->home = options->home;
    lane->drained = options->drained;
    lane->context = options->context;
    lane->front = (struct http_service){
        .on_head = on_head, .on_bad_request = on_bad_request, .on_done = on_done};
    lane->s3 = s3_service_new(&(struct s3_options){
        .settings = options->s3,
        .store = options->store,
        .users = options->users,
        .workers = options->workers,
        .loop = lane->loop,
        .observer = observer_s3(lane->observer),
    });
    lane->server = http_server_new(&(struct http_server_options){
        .loop = lane->loop,
        .service = &lane->front,
        .limits = options->limits,
        .server_name = STR("pail"),
        .group = options->group,
    });
    return OK;
}

enum err lane_listen(struct lane *lane, const struct listener *listener, struct tls_context *tls)
{
    return http_server_listen(lane->server, listener->fd, tls);
}

static void run_lane(void *context)
{
    struct lane *lane = context;
    loop_run(lane->loop);
}

enum err lane_start(struct lane *lane)
{
    TRY(thread_start(&lane->thread, "pail-loop", run_lane, lane));
    lane->is_running = true;
    return OK;
}

static void tell_drained(struct task *task)
{
    struct lane *lane = container_of(task, struct lane, tell_home);
    lane->drained(lane);
}

static void server_drained(void *context)
{
    struct lane *lane = context;
    lane->tell_home.run = tell_drained;
    loop_post(lane->home, &lane->tell_home);
}

static void begin_drain(struct task *task)
{
    struct lane *lane = container_of(task, struct lane, drain);
    http_server_drain(lane->server, server_drained, lane);
}

void lane_drain(struct lane *lane)
{
    lane->drain.run = begin_drain;
    loop_post(lane->loop, &lane->drain);
}

void lane_stop(struct lane *lane)
{
    if (!lane->is_running)
        return;
    loop_stop(lane->loop);
    thread_join(lane->thread);
    lane->is_running = false;
}

void lane_close(struct lane *lane)
{
    lane_stop(lane);
    if (lane->server)
        http_server_free(lane->server);
    if (lane->s3)
        s3_service_free(lane->s3);
}

void lane_free(struct lane *lane)
{
    observer_free(lane->observer);
    loop_free(lane->loop);
}
