/* server: the whole of a running pail: everything is made here, in order, and taken down in the reverse one.
 *
 *   folder → engine (its lock refuses a second instance) → keys → users → workers → store → listeners → lanes → admin
 *
 * The main thread runs the main loop: signals, the admin API, timers. Each lane runs S3 on a thread of its own. */
#pragma once

#include "app/keyfiles.h"
#include "app/listeners.h"
#include "app/settings_load.h"
#include "base/log.h"

struct server;

struct server_options {
    const struct settings_input *input;     /* borrowed: read again for a reload */
    const struct settings_loaded *settings; /* copied; what it points to outlives the server */
    enum log_format log_format; /* of the log, which is configured already, and of the access log */
};

/* Opens everything; nothing is accepted yet. The reason of a failure is a sentence for people in fail. */
enum err server_open(const struct server_options *options, struct server **out_server,
                     struct fail *fail);

/* What is to be told at start. */
const struct listeners *server_s3_listeners(const struct server *server);
const struct listeners *server_admin_listeners(const struct server *server);
bool server_has_tls(const struct server *server);
/* The root keys when they were made just now, else null. */
const struct root_keys *server_new_root_keys(const struct server *server);

/* Starts the threads; from now on requests are served. ERR_NO_MEMORY. */
enum err server_start(struct server *server);

/* Serves until SIGTERM or SIGINT and the end of what was running then. False: something still ran when drain_timeout was
 * over, or a second signal came; the process must end without server_close, which the store allows. */
bool server_run(struct server *server);

void server_close(struct server *server); /* null is allowed */
