/* The S3 dialect as an HTTP service of one loop. One is made for each loop; what they share is
 * in s3_shared. */
#pragma once

#include "http/server.h"
#include "object/store.h"
#include "object/users.h"

struct s3_settings {
    str region;
    const str *domain; /* base domains for virtual-host style; may be none */
    size_t domain_count;
    bool anonymous; /* every request is root's: a loud, local development mode */
};

/* What happened to a request; for metrics and the access log. Called on the loop, once an
 * exchange; strings are valid during the call. */
struct s3_event {
    const char *operation; /* "PutObject"; "-" when none was resolved */
    str request_id, method, target, peer, access_key, bucket, key, user_agent;
    const char *error_code; /* "NoSuchKey"; null on success */
    enum err err;
    str detail; /* for the log of server faults */
    const struct http_outcome *outcome;
};
struct s3_observer {
    void (*seen)(struct s3_observer *observer, const struct s3_event *event);
};

struct s3_options {
    const struct s3_settings *settings; /* borrowed; the same for all loops */
    struct store *store;
    struct users *users;
    struct workers *workers;
    struct loop *loop;
    struct s3_observer *observer; /* of this loop; may be null */
};
/* The returned service is given to http_server_new. */
struct http_service *s3_service_new(const struct s3_options *options);
void s3_service_free(struct http_service *service);

/* Every operation's name, for metrics: index from 0; null past the end. */
const char *s3_operation_name(size_t index);
