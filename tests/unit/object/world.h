/* What the tests of src/object stand on: a store over an engine that the test's argument names, and a client that runs its
 * operations one after the other, so that a test reads as straight-line code.
 *
 * A client is a loop and an arena; the calling thread is its loop's. Several clients may work on one store from threads of
 * their own. Functions that return an err return what the store answered; everything else that goes wrong fails the test. */
#pragma once

#include "../unit.h"

#include "event/loop.h"
#include "event/workers.h"
#include "object/bucket.h"
#include "object/janitor.h"
#include "object/list.h"
#include "object/object.h"
#include "object/reader.h"
#include "object/store.h"
#include "object/upload.h"
#include "object/version.h"

struct subject;

struct world_options {
    size_t inline_max_bytes;  /* 0: 64 KiB */
    size_t io_buffer_bytes;   /* 0: 32 MiB */
    int64_t garbage_grace_ms; /* 0: 1 ms */
    bool trusts_disk; /* verify_reads is off: readers give spans of files where there are any */
    bool has_faults;  /* the store runs on a fault_engine around the real one */
};

struct client {
    struct store *store;
    struct loop *loop;
    struct arena *arena;
};

struct world {
    struct world_options options;
    struct subject *subject;
    struct fault_engine *faults; /* null without has_faults */
    struct engine *engine;       /* what the store runs on */
    struct workers *workers;
    struct store *store;
    struct client client; /* of the test's own thread */
};

/* From main: [ENGINE [hard]]. The engine is "mem" without an argument; false when there is no such one. "hard" makes life
 * hard for the store: every update is applied, undone and applied again, and whatever may refuse to answer at once does. */
bool world_choose(int argc, char **argv);
bool world_is_mem(void);
/* A group's fixture: a world with the bucket "photos". */
int world_setup(void **state);
int world_teardown(void **state);
#define PHOTOS STR("photos")
void world_open(struct world *world, const struct world_options *options);
/* Closes the store too, which asserts that all buffers and pins came back. */
void world_close(struct world *world);
/* Closes and opens the store and its engine again; false when the engine keeps nothing. */
bool world_reopen(struct world *world);

void client_init(struct client *client, struct store *store);
void client_release(struct client *client);
/* Runs the loop until *flag; what sets it calls loop_stop, too. */
void client_wait(struct client *client, const bool *flag);
/* Runs what has been posted to the loop within some milliseconds. */
void client_pause(struct client *client);

/* A change under way: give `change.op = client_op(client, &pending)`, start it, and wait. */
struct pending {
    struct task task;
    struct client *client;
    enum err result;
    bool is_done;
};
struct obj_op client_op(struct client *client, struct pending *pending);
enum err client_wait_op(struct pending *pending);

/* ---- Buckets and objects ---- */

#define OWNER STR("owner")

enum err create_bucket(struct client *client, str name);
enum err delete_bucket(struct client *client, str name);

struct put_args {
    str bucket, key, bytes;
    struct conditions conditions;
    enum checksum_kind checksum_kind; /* CHECKSUM_NONE: CRC64NVME */
    str metadata;
    size_t write_bytes; /* of one body_write; 0: all at once */
    bool length_is_unknown;
};
/* out_row may be null. */
enum err put_object(struct client *client, const struct put_args *args, struct object_row *out_row);
enum err put_bytes(struct client *client, str bucket, str key, str bytes);
enum err delete_object(struct client *client, str bucket, str key);
/* deleted_version_id of *entry is in the client's arena. The result is the entry's, or the operation's. */
enum err delete_entry(struct client *client, str bucket, struct object_delete_entry *entry);
enum err set_versioning(struct client *client, str bucket, enum versioning versioning);
enum err copy_object(struct client *client, struct object_copy *copy);
enum err find_object(struct client *client, str bucket, str key, struct object_row *out_row);
/* Of the version that is named; empty: the current one. */
enum err find_version(struct client *client, str bucket, str key, str version_id,
                      struct object_row *out_row);
enum err get_version(struct client *client, str bucket, str key, str version_id, str *out_bytes);
/* The bytes of a range, in the client's arena; length UINT64_MAX: to the end. */
enum err get_range(struct client *client, str bucket, str key, uint64_t offset, uint64_t length,
                   str *out_bytes);
enum err get_object(struct client *client, str bucket, str key, str *out_bytes);
/* Fails the test unless the object has these bytes. */
#define assert_object(client, bucket, key, bytes)                                                  \
    assert_object_at((client), (bucket), (key), (bytes), __FILE__, __LINE__)
void assert_object_at(struct client *client, str bucket, str key, str bytes, const char *file,
                      int line);

/* ---- Bodies by themselves ---- */

/* Writes all bytes, waiting where the body takes fewer, and finishes it. The body's context is to be the feeder. */
struct feeder {
    struct client *client;
    struct body *body;
    bool is_ready, is_done, is_closed;
    bool
        is_hasty; /* as a server: closes the body when it is done, and resets the arena when it is closed */
    unsigned waits; /* how often the body took less than it was offered */
    enum err result;
};
struct body *feeder_begin(struct feeder *feeder, struct client *client,
                          struct body_options options);
void feeder_write(struct feeder *feeder, str bytes, size_t write_bytes);
void feeder_finish_begin(struct feeder *feeder);
enum err feeder_finish(struct feeder *feeder);
void feeder_close_begin(struct feeder *feeder);
void feeder_close(struct feeder *feeder);

/* ---- Multipart ---- */

struct upload_args {
    str bucket, key;
    enum checksum_kind checksum_kind;
    enum checksum_type checksum_type;
};
enum err create_upload(struct client *client, const struct upload_args *args, uint64_t *out_id);
/* The part's row, with its MD5 and a checksum of `kind` (CRC64NVME for CHECKSUM_NONE); out_row may be null. */
struct part_args {
    str bucket, key;
    uint64_t upload_id, number;
    str bytes;
    enum checksum_kind checksum_kind;
};
enum err put_part(struct client *client, const struct part_args *args, struct part_row *out_row);
enum err copy_part(struct client *client, struct upload_part_copy *copy);
enum err complete_upload(struct client *client, struct upload_complete *complete);
enum err abort_upload(struct client *client, str bucket, str key, uint64_t upload_id);
/* The entity tag of a part as a client would send it, in the client's arena. */
struct completed_part completed_part_of(struct client *client, const struct part_row *row);

/* ---- Bytes ---- */

/* Bytes that are different at every place and for every seed, in the arena. */
str bytes_of(struct arena *arena, uint64_t seed, size_t len);
