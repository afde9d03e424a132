#include "store/local/snapshot.h"

#include <assert.h>

void snapshots_init(struct snapshots *snapshots)
{
    *snapshots = (struct snapshots){0};
    pthread_mutex_init(&snapshots->mutex, NULL);
    list_init(&snapshots->list);
}

void snapshots_release(struct snapshots *snapshots)
{
    if (snapshots->newest)
        snapshot_let(snapshots, snapshots->newest);
    assert(list_is_empty(&snapshots->list));
    pthread_mutex_destroy(&snapshots->mutex);
}

uint64_t snapshot_publish(struct snapshots *snapshots, struct index *index)
{
    struct snapshot *snapshot = mem_new(struct snapshot);
    snapshot->reference_count = 1;
    snapshot->view = index_view_new(index);
    pthread_mutex_lock(&snapshots->mutex);
    struct snapshot *former = snapshots->newest;
    snapshot->number = former ? former->number + 1 : 1;
    list_push_back(&snapshots->list, &snapshot->link);
    snapshots->newest = snapshot;
    pthread_mutex_unlock(&snapshots->mutex);
    if (former)
        snapshot_let(snapshots, former);
    return snapshot->number;
}

struct snapshot *snapshot_hold(struct snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->mutex);
    struct snapshot *snapshot = snapshots->newest;
    snapshot->reference_count++;
    pthread_mutex_unlock(&snapshots->mutex);
    return snapshot;
}

void snapshot_let(struct snapshots *snapshots, struct snapshot *snapshot)
{
    pthread_mutex_lock(&snapshots->mutex);
    bool is_last = --snapshot->reference_count == 0;
    if (is_last)
        list_remove(&snapshot->link);
    pthread_mutex_unlock(&snapshots->mutex);
    if (!is_last)
        return;
    index_view_free(snapshot->view);
    mem_free(snapshot);
}

uint64_t snapshot_oldest(struct snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->mutex);
    uint64_t number = container_of(snapshots->list.next, struct snapshot, link)->number;
    pthread_mutex_unlock(&snapshots->mutex);
    return number;
}

uint64_t snapshot_newest(struct snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->mutex);
    uint64_t number = snapshots->newest->number;
    pthread_mutex_unlock(&snapshots->mutex);
    return number;
}
