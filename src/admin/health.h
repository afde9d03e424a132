/* health: whether the server lives and may be given requests, for load balancers and container runtimes.
 *
 * /health/live and /minio/health/live tell that the loop answers; /health, /health/ready and /minio/health/ready that requests
 * are welcome: 503 while the server drains, so that a balancer sends them elsewhere. A store that has gone read-only
 * still answers reads and is ready; the text says "read-only". */
#pragma once

#include <stdatomic.h>

#include "http/server.h"

struct health {
    atomic_bool is_draining;
    atomic_bool is_read_only;
};

/* Answers the request when it asks for health, and returns whether it did. Only a GET or HEAD without a query and without an
 * Authorization header does: on the S3 port, /health may also be somebody's bucket. Loop thread. */
bool health_try(struct http_exchange *x, const struct health *health);
