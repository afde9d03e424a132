#include "store/local/freeze.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/local/local_int.h"

enum { KEPT_NAME_MAX = 32 };
#define KEPT_FRONT "kept-"

void freezes_init(struct freezes *freezes)
{
    pthread_mutex_init(&freezes->mutex, NULL);
    list_init(&freezes->list);
}

void freezes_release(struct freezes *freezes)
{
    assert(list_is_empty(&freezes->list));
    pthread_mutex_destroy(&freezes->mutex);
}

/* A drop that looks at the list before this state is in it belongs to a row whose removal was committed earlier still, so the
 * snapshot, which is taken afterwards, has no such row. */
void local_freeze_begin(struct local_engine *engine, struct freeze *freeze)
{
    *freeze = (struct freeze){0};
    pthread_mutex_lock(&engine->freezes.mutex);
    list_push_back(&engine->freezes.list, &freeze->link);
    pthread_mutex_unlock(&engine->freezes.mutex);
    struct snapshot *snapshot = snapshot_hold(&engine->snapshots);
    pthread_mutex_lock(&engine->freezes.mutex);
    freeze->snapshot = snapshot;
    pthread_mutex_unlock(&engine->freezes.mutex);
}

static enum err unlink_kept(void *context, int dir_fd, const char *name)
{
    if (strncmp(name, KEPT_FRONT, strlen(KEPT_FRONT)) == 0)
        (void)io_unlink(((struct local_engine *)context)->io, dir_fd, name);
    return OK;
}

void local_freeze_end(struct local_engine *engine, struct freeze *freeze)
{
    pthread_mutex_lock(&engine->freezes.mutex);
    list_remove(&freeze->link);
    /* What cannot be removed now goes at the next start. */
    if (list_is_empty(&engine->freezes.list))
        (void)io_each_entry(engine->dir.tmp_fd, unlink_kept, engine);
    pthread_mutex_unlock(&engine->freezes.mutex);
    snapshot_let(&engine->snapshots, freeze->snapshot);
}

bool local_is_frozen(struct local_engine *engine)
{
    pthread_mutex_lock(&engine->freezes.mutex);
    bool is_frozen = !list_is_empty(&engine->freezes.list);
    pthread_mutex_unlock(&engine->freezes.mutex);
    return is_frozen;
}

/* ---- Keeping files ---- */

static void kept_name(uint64_t id, char dst[KEPT_NAME_MAX])
{
    (void)snprintf(dst, KEPT_NAME_MAX, KEPT_FRONT "%016" PRIx64, id);
}

/* An error on the way counts as a need: too much kept does no harm. */
static bool has_row(struct local_engine *engine, const struct freeze *freeze, str key)
{
    struct index_pin pin = {0};
    if (!freeze->snapshot)
        return true;
    enum err err = index_get(engine->index, freeze->snapshot->view, key, VIEW_WAIT, &pin);
    index_pin_release(&pin);
    return err != ERR_NOT_FOUND;
}

/* With the mutex held. */
static bool is_needed(struct local_engine *engine, uint64_t id)
{
    struct extent_row row = {.id = id};
    BUF_SCOPED struct buf key;
    buf_init(&key, ROW_KEY_MAX);
    row_key_encode(table_of(TABLE_extent), &row, &key);
    for (struct list *at = engine->freezes.list.next; at != &engine->freezes.list; at = at->next)
        if (has_row(engine, container_of(at, struct freeze, link), buf_str(&key)))
            return true;
    return false;
}

enum err local_freeze_keep(struct local_engine *engine, uint64_t id, bool *out_kept)
{
    char from[EXTENT_PATH_MAX], to[KEPT_NAME_MAX];
    enum err err = OK;
    pthread_mutex_lock(&engine->freezes.mutex);
    *out_kept = is_needed(engine, id);
    if (*out_kept) {
        extent_path(id, from);
        kept_name(id, to);
        err = io_rename_new(engine->io, engine->dir.extents_fd, from, engine->dir.tmp_fd, to);
    }
    pthread_mutex_unlock(&engine->freezes.mutex);
    /* Dropped already, which is allowed. */
    return err == ERR_NOT_FOUND || err == ERR_EXISTS ? OK : err;
}

enum err local_freeze_open(struct local_engine *engine, uint64_t id, int *out_fd)
{
    char name[KEPT_NAME_MAX];
    kept_name(id, name);
    return io_open(engine->io, engine->dir.tmp_fd, name, O_RDONLY, out_fd);
}
