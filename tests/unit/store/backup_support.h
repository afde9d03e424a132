/* For tests of backups: a store with something in it, and quick ways to back it up and restore it. */
#pragma once

#include "local_support.h"
#include "store/local/backup.h"
#include "store/local/restore.h"

enum { BODIES = 40, BODY = 9000, EXTENTS = 6, EXTENT = 300000, FINDINGS_MAX = 64 };

struct world {
    char root[TEST_PATH_MAX]; /* everything lies below */
    char store[TEST_PATH_MAX], backup[TEST_PATH_MAX], restored[TEST_PATH_MAX];
    struct engine *engine;
    struct arena *arena;
    struct extent_row extent[EXTENTS];
    struct local_finding finding[FINDINGS_MAX];
    size_t finding_count;
};

/* That of the test that runs, for hooks. */
extern struct world *world;

void path_in(char dst[TEST_PATH_MAX], const char *folder, const char *name);
bool exists(const char *folder, const char *name);
size_t count_entries(const char *folder);
void add_extent(struct world *w, size_t i);
void remove_extent(struct world *w, size_t i);
void add_bodies(struct engine *engine, uint64_t from, uint64_t to);
void check_extent(struct world *w, struct engine *engine, size_t i);
void open_world(struct world *w, const struct io *io);
int backup_setup(void **state);
int backup_teardown(void **state);
void take_finding(void *context, const struct local_finding *finding);
bool is_named(const struct world *w, const char *name);
enum err back_up_to(struct world *w, const char *target, const char *base,
                    struct local_backup_result *result, struct fail *fail);
void back_up(struct world *w);
enum err restore_to(struct world *w, const char *from, const char *data_dir,
                    struct local_restored *restored, struct fail *fail);
void restore(struct world *w, struct local_restored *restored);
void check_restored(struct world *w, uint64_t bodies, size_t extents);
