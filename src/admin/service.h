/* The admin API as an HTTP service of one loop: health and metrics for anybody who reaches the listener, everything under
 * /admin/v1/ for the root account alone (AWS Signature Version 4 in the Authorization header, service "s3" or "pail").
 * docs/admin-api.md is its manual. */
#pragma once

#include "admin/access_log.h"
#include "admin/health.h"
#include "admin/metrics.h"
#include "object/users.h"

struct long_jobs;

struct admin_options {
    struct users *users; /* all of these are borrowed and outlive the service */
    struct store *store;
    struct workers *workers;
    struct loop *loop;
    const struct health *health;
    const struct metrics *metrics;
    const struct access_log *access_log;
    struct long_jobs *jobs;
    const char *version;
    str region;
    /* What only the program knows. Called on workers, several at once. */
    void *context;
    uint64_t (*connection_count)(void *context);
    void (*write_settings)(void *context, struct buf *out); /* JSON, secrets masked */
    enum err (*reload)(void *context, struct fail *fail);
};

/* The returned service is given to http_server_new. */
struct http_service *admin_service_new(const struct admin_options *options);
void admin_service_free(struct http_service *service); /* null is allowed */
