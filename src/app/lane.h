/* lane: one loop on a thread of its own, with its HTTP server and S3 service. There is one for each core; they share the
 * listeners, the store and the workers. */
#pragma once

#include "admin/health.h"
#include "admin/observer.h"
#include "event/thread.h"
#include "http/server.h"
#include "net/listen.h"
#include "s3/service.h"

struct tls_context;
struct lane;

struct lane_options {
    const struct s3_settings *s3;
    struct store *store;
    struct users *users;
    struct workers *workers;
    const struct observer_options *observer;
    const struct health *health; /* answers /health and the like on the S3 port as well */
    struct http_limits limits;
    struct http_group *group;
    struct loop *home; /* where `drained` is called */
    void (*drained)(struct lane *lane);
    void *context; /* the owner's */
};

struct lane {
    struct loop *loop;
    struct observer *observer;
    struct http_service front; /* takes each request first: health, else S3 */
    struct http_service *s3;
    const struct health *health;
    struct http_server *server;
    pthread_t thread;
    bool is_running;
    struct task drain;
    struct loop *home;
    struct task tell_home;
    void (*drained)(struct lane *lane);
    void *context;
};

/* Makes everything but the thread; index is the number of the observer's lane of counters. ERR_IO. */
enum err lane_open(struct lane *lane, const struct lane_options *options, size_t index);
/* Accepts from this listener, too; before lane_start. */
enum err lane_listen(struct lane *lane, const struct listener *listener, struct tls_context *tls);
enum err lane_start(struct lane *lane);
/* Accepts no more, lets what runs finish, then calls `drained` on the home loop. Any thread; once. */
void lane_drain(struct lane *lane);
/* Ends the thread; connections that are left are broken off by lane_close. */
void lane_stop(struct lane *lane);
/* The end comes in two steps, because workers and engine may still complete something on the loop: first what answers
 * requests, then, when they have ended, the rest. Both are allowed on a lane that was opened half or not at all. */
void lane_close(struct lane *lane);
void lane_free(struct lane *lane);
