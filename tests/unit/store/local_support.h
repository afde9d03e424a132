/* For tests of the embedded engine: folders that go away, an io table that fails on demand, and quick ways to rows. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "store/local/io.h"
#include "store/local/local_engine.h"

#define assert_err(actual, expected) assert_string_equal(err_name(actual), err_name(expected))
#define assert_ok(actual) assert_err((actual), OK)

enum { TEST_PATH_MAX = 256 };

/* A new folder below $TMPDIR or /tmp; remove_folder takes it away with all that is in it. */
void make_folder(char path[TEST_PATH_MAX]);
void remove_folder(const char *path);
void copy_folder(const char *from, const char *to);
/* path/name, in static memory that the next call uses again. */
const char *file_in(const char *path, const char *name);
/* Changes one byte of a file. */
void flip_byte(const char *file, uint64_t offset);
uint64_t file_size(const char *file);
/* The nth entry (in order of names) of a folder whose name ends so; false when there is none. */
bool nth_file(const char *folder, const char *ending, size_t n, char out_path[TEST_PATH_MAX]);
/* Of a folder in `path`. */
size_t count_files(const char *path, const char *folder);

/* ---- Faults ---- */

enum fault_call {
    FAULT_OPEN,
    FAULT_READ,
    FAULT_WRITE,
    FAULT_SYNC_DATA,
    FAULT_SYNC,
    FAULT_TRUNCATE,
    FAULT_ALLOCATE,
    FAULT_RENAME,
    FAULT_UNLINK,
    FAULT_LINK,
    FAULT_MKDIR,
    FAULT_STATVFS,
    FAULT_CALLS
};

/* The system's calls, but those that faults ask to fail. */
extern const struct io fault_io;
/* From now on the nth call (0: the next) of that kind fails with error; all later ones too when it is sticky. */
void fault_set(enum fault_call call, unsigned nth, int error, bool is_sticky);
/* Every read and write does no more than about so much of what was asked for; 0: all of it. */
void fault_set_short(size_t len);
/* Syncs that do not fail cost nothing, as nothing is synced. */
void fault_skip_syncs(void);
/* A write that fails writes this much of it before. */
void fault_set_partial_write(size_t len);
void fault_clear(void);
unsigned fault_count(enum fault_call call); /* of calls since fault_clear */
/* What statvfs tells; 0 for total: the truth. */
void fault_set_space(uint64_t free_bytes, uint64_t total_bytes);
/* Called at io_reached places; null: nothing. */
void fault_set_reached(void (*reached)(const char *place));

/* ---- Rows ---- */

struct engine *open_store(const char *path);
struct engine *open_store_with(const char *path, const struct io *io);
enum err put_setting(struct engine *engine, const char *name, str value);
enum err delete_setting(struct engine *engine, const char *name);
/* Copied into value, which has room; the length, or -1 when it is not found. */
int get_setting(struct engine *engine, const char *name, char *value, size_t room);
enum err delete_body(struct engine *engine, uint64_t number); /* also when there is none */
enum err put_body(struct engine *engine, uint64_t number, const void *bytes, size_t len);
/* Reads and compares with what fill_bytes(number) makes; NOT_FOUND and the like are returned. */
enum err check_body(struct engine *engine, uint64_t number, size_t len);
/* An extent of 10,000 bytes, sealed; no row names it. */
enum err store_extent(struct engine *engine, struct extent_row *out_row);
void fill_bytes(void *dst, size_t len, uint64_t seed);
