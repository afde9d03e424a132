/* A state of the store that stays readable as a whole, extents included, while the store goes on: for a backup. A snapshot alone
 * keeps rows, and the segments of the log that they point into; the files of extents are the janitor's, who drops them when their
 * rows are gone. While states are frozen, the file of an extent that one of them has a row of is moved to tmp/ instead, where it is
 * found, and where the next start would remove it.
 *
 * Rests on the contract: an extent is dropped after the commit that removed its row, but for a disk so full that the row cannot go
 * (src/object/janitor.c). Any thread. */
#pragma once

#include <pthread.h>

#include "base/fail.h"
#include "base/list.h"

struct local_engine;
struct snapshot;

struct freeze {
    struct list link;          /* of the engine's */
    struct snapshot *snapshot; /* null while it begins: every extent is kept */
};

struct freezes {
    /* Held across a read of the index and a renaming, but only while a state is frozen. No lock is held when it is taken. */
    pthread_mutex_t mutex;
    struct list list;
};

void freezes_init(struct freezes *freezes);
void freezes_release(struct freezes *freezes);

/* The newest state, until local_freeze_end; what was kept for it goes with the last one. */
void local_freeze_begin(struct local_engine *engine, struct freeze *freeze);
void local_freeze_end(struct local_engine *engine, struct freeze *freeze);
/* Whether there is a frozen state. */
bool local_is_frozen(struct local_engine *engine);

/* Moves the file of an extent that is to be dropped out of the way when a frozen state needs it, and says so in *out_kept. */
enum err local_freeze_keep(struct local_engine *engine, uint64_t id, bool *out_kept);
/* Opens such a file; ERR_NOT_FOUND. */
enum err local_freeze_open(struct local_engine *engine, uint64_t id, int *out_fd);
