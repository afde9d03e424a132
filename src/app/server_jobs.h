/* The server's long jobs: the table of their kinds (admin/long_jobs.h), and the scrub that begins by itself. */
#pragma once

#include "admin/long_jobs.h"

struct server;

/* The kinds that this server has; its engine and store are open and outlive the jobs. */
struct long_jobs *server_jobs_new(struct server *server);
