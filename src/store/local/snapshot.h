/* Snapshots: the states of the index that views read. One is published behind each batch and shared by all views that begin
 * until the next one, so a view costs a counter. They are numbered; a log segment that was emptied is given back when no older
 * snapshot is left. Any thread. */
#pragma once

#include <pthread.h>

#include "base/list.h"
#include "store/local/index.h"

struct snapshot {
    struct list link; /* in order of numbers */
    uint64_t number;
    unsigned reference_count;
    struct index_view *view;
};

struct snapshots {
    pthread_mutex_t mutex;
    struct list list;
    struct snapshot *newest; /* held */
};

void snapshots_init(struct snapshots *snapshots);
void snapshots_release(struct snapshots *snapshots); /* all views have ended */

/* The index as it is now is what views that begin from now on see. One thread at a time. Returns its number. */
uint64_t snapshot_publish(struct snapshots *snapshots, struct index *index);
struct snapshot *snapshot_hold(struct snapshots *snapshots);
void snapshot_let(struct snapshots *snapshots, struct snapshot *snapshot);
uint64_t snapshot_newest(struct snapshots *snapshots);
/* The number of the oldest that anybody holds. */
uint64_t snapshot_oldest(struct snapshots *snapshots);
