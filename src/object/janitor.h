/* The janitor: takes apart what commits have let go of. Extents are dropped, manifests and
 * aborted uploads dissolved in small updates, so no commit ever waits long for it. */
#pragma once

#include "object/store.h"

struct janitor_report {
    uint64_t extents_dropped, manifests_freed, uploads_freed, left_for_later;
};

/* Works off what is old enough and not being read; worker. Called every second or so by a job
 * loop, and by tests. */
enum err janitor_run(struct store *store, struct janitor_report *out_report, struct fail *fail);

/* Drops sealed extents that no row names: what a crash left between seal and commit. Once after
 * start; worker. */
enum err janitor_drop_orphans(struct store *store, uint64_t *out_dropped, struct fail *fail);
