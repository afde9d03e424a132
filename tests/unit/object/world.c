#include "world.h"

#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "fault_engine.h"
#include "subject.h"

enum { CLIENT_ARENA_BYTES = 1 << 30, WORKER_COUNT = 3, RETRIES = 20, RETIRED_MAX = 4096 };

static bool is_hard;

bool world_choose(int argc, char **argv)
{
    is_hard = argc > 2 && strcmp(argv[2], "hard") == 0;
    bool is_known = subject_choose(argc > 1 ? argv[1] : "mem") && (argc < 3 || is_hard);
    if (!is_known)
        print_error("usage: %s [ENGINE [hard]]\n", argv[0]);
    return is_known;
}

int world_setup(void **state)
{
    struct world *world = mem_new(struct world);
    world_open(world, NULL);
    assert_ok(create_bucket(&world->client, PHOTOS));
    *state = world;
    return 0;
}

int world_teardown(void **state)
{
    struct world *world = *state;
    world_close(world);
    mem_free(world);
    return 0;
}

bool world_is_mem(void)
{
    return strcmp(subject_name(), "mem") == 0;
}

static void store_open(struct world *world)
{
    const struct world_options *options = &world->options;
    world->engine = subject_engine(world->subject);
    if (options->has_faults || is_hard) {
        world->faults = fault_engine_new(world->engine);
        world->engine = fault_engine_base(world->faults);
        fault_repeat_updates(world->faults, is_hard);
        fault_block_nowait(world->faults, is_hard);
    }
    const struct store_options store_options = {
        .engine = world->engine,
        .workers = world->workers,
        .inline_max_bytes = options->inline_max_bytes != 0 ? options->inline_max_bytes : 64 << 10,
        .io_buffer_bytes = options->io_buffer_bytes != 0 ? options->io_buffer_bytes : 32 << 20,
        .verify_reads = !options->trusts_disk,
        .garbage_grace_ms = options->garbage_grace_ms != 0 ? options->garbage_grace_ms : 1,
    };
    world->store = store_new(&store_options);
    client_init(&world->client, world->store);
}

void world_open(struct world *world, const struct world_options *options)
{
    *world = (struct world){.subject = subject_open(), .workers = workers_new(WORKER_COUNT)};
    assert_non_null(world->workers);
    if (options != NULL)
        world->options = *options;
    store_open(world);
}

/* ---- Clients ---- */

void client_init(struct client *client, struct store *store)
{
    *client =
        (struct client){.store = store, .loop = loop_new(), .arena = arena_new(CLIENT_ARENA_BYTES)};
    assert_non_null(client->loop);
}

/* Who posted to a loop last, a worker or a thread of the engine, may still be on its way out of loop_post when what it posted has
 * been run. So loops are freed after those threads have ended. */
static struct {
    pthread_mutex_t lock;
    struct loop *loop[RETIRED_MAX];
    size_t count;
} retired = {.lock = PTHREAD_MUTEX_INITIALIZER};

void client_release(struct client *client)
{
    pthread_mutex_lock(&retired.lock);
    assert_true(retired.count < RETIRED_MAX);
    retired.loop[retired.count++] = client->loop;
    pthread_mutex_unlock(&retired.lock);
    arena_free(client->arena);
}

static void free_retired(void)
{
    while (retired.count > 0)
        loop_free(retired.loop[--retired.count]);
}

/* ---- Closing ---- */

static void store_close(struct world *world)
{
    client_release(&world->client);
    store_free(mem_take(&world->store));
    fault_engine_free(mem_take(&world->faults));
}

void world_close(struct world *world)
{
    store_close(world);
    workers_free(world->workers);
    subject_close(world->subject);
    free_retired();
}

bool world_reopen(struct world *world)
{
    if (!subject_is_durable())
        return false;
    store_close(world);
    subject_reopen(world->subject);
    store_open(world);
    return true;
}

/* ---- Waiting ---- */

void client_wait(struct client *client, const bool *flag)
{
    while (!*flag)
        loop_run(client->loop);
}

struct pause {
    struct task task;
    struct client *client;
    bool is_over;
};

static void end_pause(struct task *task)
{
    struct pause *pause = container_of(task, struct pause, task);
    pause->is_over = true;
    loop_stop(pause->client->loop);
}

void client_pause(struct client *client)
{
    enum { PAUSE_US = 30 * 1000 };
    struct pause pause = {.task.run = end_pause, .client = client};
    usleep(PAUSE_US);
    loop_post(client->loop, &pause.task);
    client_wait(client, &pause.is_over);
}

static void tell_op_done(struct task *task)
{
    struct pending *pending = container_of(task, struct pending, task);
    pending->is_done = true;
    loop_stop(pending->client->loop);
}

static void op_done(struct obj_op *op, enum err result)
{
    struct pending *pending = op->context;
    pending->result = result;
    pending->task.run = tell_op_done;
    loop_post(pending->client->loop, &pending->task);
}

struct obj_op client_op(struct client *client, struct pending *pending)
{
    *pending = (struct pending){.client = client};
    return (struct obj_op){
        .store = client->store, .arena = client->arena, .done = op_done, .context = pending};
}

enum err client_wait_op(struct pending *pending)
{
    client_wait(pending->client, &pending->is_done);
    return pending->result;
}

/* ---- Buckets ---- */

enum err create_bucket(struct client *client, str name)
{
    struct pending pending;
    struct bucket_create create = {.op = client_op(client, &pending), .name = name, .owner = OWNER};
    bucket_create_start(&create);
    return client_wait_op(&pending);
}

enum err delete_bucket(struct client *client, str name)
{
    struct pending pending;
    struct bucket_delete del = {.op = client_op(client, &pending), .name = name};
    bucket_delete_start(&del);
    return client_wait_op(&pending);
}

/* ---- Bodies ---- */

static void feeder_ready(void *context)
{
    struct feeder *feeder = context;
    feeder->is_ready = true;
    loop_stop(feeder->client->loop);
}

static void feeder_closed(void *context)
{
    struct feeder *feeder = context;
    assert_false(feeder->is_closed);
    feeder->is_closed = true;
    loop_stop(feeder->client->loop);
    if (feeder->is_hasty)
        arena_reset(feeder->client->arena);
}

static void feeder_done(void *context, enum err err)
{
    struct feeder *feeder = context;
    assert_false(feeder->is_done);
    feeder->is_done = true;
    feeder->result = err;
    loop_stop(feeder->client->loop);
    if (feeder->is_hasty)
        body_close(feeder->body, feeder_closed);
}

struct body *feeder_begin(struct feeder *feeder, struct client *client, struct body_options options)
{
    *feeder = (struct feeder){.client = client};
    options.store = client->store;
    options.loop = client->loop;
    options.arena = client->arena;
    options.ready = feeder_ready;
    options.context = feeder;
    feeder->body = body_new(&options);
    return feeder->body;
}

void feeder_write(struct feeder *feeder, str bytes, size_t write_bytes)
{
    while (bytes.len > 0) {
        size_t len = write_bytes == 0 || write_bytes > bytes.len ? bytes.len : write_bytes;
        feeder->is_ready = false;
        size_t taken = body_write(feeder->body, str_slice(bytes, 0, len));
        assert_true(taken <= len);
        bytes = str_skip(bytes, taken);
        if (taken == len)
            continue;
        feeder->waits++;
        client_wait(feeder->client, &feeder->is_ready);
    }
}

void feeder_finish_begin(struct feeder *feeder)
{
    body_finish(feeder->body, feeder_done);
}

enum err feeder_finish(struct feeder *feeder)
{
    feeder_finish_begin(feeder);
    client_wait(feeder->client, &feeder->is_done);
    return feeder->result;
}

void feeder_close_begin(struct feeder *feeder)
{
    body_close(feeder->body, feeder_closed);
}

void feeder_close(struct feeder *feeder)
{
    feeder_close_begin(feeder);
    client_wait(feeder->client, &feeder->is_closed);
}

/* ---- Objects ---- */

static enum err commit_put(struct client *client, const struct put_args *args, struct body *body,
                           struct object_row *out_row)
{
    const struct digest *digest = body_digest(body);
    enum checksum_kind kind =
        args->checksum_kind != CHECKSUM_NONE ? args->checksum_kind : CHECKSUM_CRC64NVME;
    struct pending pending;
    struct object_put put = {
        .op = client_op(client, &pending),
        .bucket = args->bucket,
        .body = body,
        .conditions = args->conditions,
        .row = {.key = args->key,
                .owner = OWNER,
                .metadata = args->metadata,
                .md5 = str_of(digest->md5_value, MD5_BYTES),
                .checksum_kind = kind,
                .checksum = digest_checksum(digest, kind)},
    };
    object_put_start(&put);
    enum err err = client_wait_op(&pending);
    if (err == OK && out_row != NULL) {
        *out_row = put.row;
        out_row->md5 = arena_str(client->arena, put.row.md5);
        out_row->checksum = arena_str(client->arena, put.row.checksum);
    }
    return err;
}

enum err put_object(struct client *client, const struct put_args *args, struct object_row *out_row)
{
    struct feeder feeder;
    enum checksum_kind kind =
        args->checksum_kind != CHECKSUM_NONE ? args->checksum_kind : CHECKSUM_CRC64NVME;
    const struct body_options options = {
        .length = args->length_is_unknown ? BODY_LENGTH_UNKNOWN : args->bytes.len,
        .digests = DIGEST_BIT(kind),
    };
    struct body *body = feeder_begin(&feeder, client, options);
    feeder_write(&feeder, args->bytes, args->write_bytes);
    enum err err = feeder_finish(&feeder);
    if (err == OK)
        err = commit_put(client, args, body, out_row);
    if (err == OK)
        body_keep(body);
    feeder_close(&feeder);
    return err;
}

enum err put_bytes(struct client *client, str bucket, str key, str bytes)
{
    return put_object(client, &(struct put_args){.bucket = bucket, .key = key, .bytes = bytes},
                      NULL);
}

enum err delete_entry(struct client *client, str bucket, struct object_delete_entry *entry)
{
    struct pending pending;
    struct object_delete del = {.op = client_op(client, &pending),
                                .bucket = bucket,
                                .owner = OWNER,
                                .entry = entry,
                                .count = 1};
    object_delete_start(&del);
    enum err err = client_wait_op(&pending);
    return err != OK ? err : entry->result;
}

enum err delete_object(struct client *client, str bucket, str key)
{
    struct object_delete_entry entry = {.key = key, .if_size = UINT64_MAX};
    return delete_entry(client, bucket, &entry);
}

enum err set_versioning(struct client *client, str bucket, enum versioning versioning)
{
    struct pending pending;
    struct bucket_set_versioning set = {
        .op = client_op(client, &pending), .name = bucket, .versioning = versioning};
    bucket_set_versioning_start(&set);
    return client_wait_op(&pending);
}

enum err copy_object(struct client *client, struct object_copy *copy)
{
    struct pending pending;
    copy->op = client_op(client, &pending);
    object_copy_start(copy);
    return client_wait_op(&pending);
}

static enum err find_in(struct tx *tx, struct client *client, str bucket, str key, str version_id,
                        struct object_row *out_row)
{
    struct bucket_row row;
    TRY(bucket_find(tx, bucket, client->arena, &row));
    return object_find(tx, &row, key, version_id, client->arena, out_row);
}

enum err find_version(struct client *client, str bucket, str key, str version_id,
                      struct object_row *out_row)
{
    struct tx *tx;
    assert_ok(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    enum err err = find_in(tx, client, bucket, key, version_id, out_row);
    view_end(tx);
    return err;
}

enum err find_object(struct client *client, str bucket, str key, struct object_row *out_row)
{
    return find_version(client, bucket, key, (str){0}, out_row);
}

struct reading {
    struct client *client;
    bool is_ready;
};

static void reading_ready(void *context)
{
    struct reading *reading = context;
    reading->is_ready = true;
    loop_stop(reading->client->loop);
}

/* Bytes in memory, or of a file as sendfile would take them; returns how many. */
static size_t take_piece(const struct obj_piece *piece, char *dst, uint64_t left)
{
    if (piece->fd < 0) {
        assert_true(piece->bytes.len > 0 && piece->bytes.len <= left);
        memcpy(dst, piece->bytes.ptr, piece->bytes.len);
        return piece->bytes.len;
    }
    assert_true(piece->file_length > 0 && piece->file_length <= left);
    assert_ok(fd_pread_full(piece->fd, dst, piece->file_length, piece->file_offset));
    return piece->file_length;
}

static enum err read_all(struct reading *reading, struct obj_reader *reader, uint64_t length,
                         char *dst)
{
    struct obj_piece piece;
    uint64_t done = 0;
    while (done < length) {
        reading->is_ready = false;
        enum err err = obj_reader_next(reader, &piece);
        if (err == ERR_PENDING) {
            client_wait(reading->client, &reading->is_ready);
            continue;
        }
        TRY(err);
        done += take_piece(&piece, dst + done, length - done);
    }
    return OK;
}

static enum err get_once(struct client *client, str bucket, str key, str version_id,
                         const uint64_t range[2], str *out_bytes)
{
    struct tx *tx;
    struct object_row row;
    struct obj_reader *reader = NULL;
    struct reading reading = {.client = client};
    TRY(view_begin(store_engine(client->store), VIEW_WAIT, &tx));
    enum err err = find_in(tx, client, bucket, key, version_id, &row);
    uint64_t length = range[1] != UINT64_MAX ? range[1] : row.size - range[0];
    if (err == OK && length > 0) {
        const struct obj_reader_options options = {.store = client->store,
                                                   .loop = client->loop,
                                                   .arena = client->arena,
                                                   .row = &row,
                                                   .offset = range[0],
                                                   .length = length,
                                                   .ready = reading_ready,
                                                   .context = &reading};
        err = obj_reader_open(tx, VIEW_WAIT, &options, &reader);
    }
    view_end(tx);
    TRY(err);
    char *dst = arena_alloc(client->arena, length + 1);
    if (reader != NULL) {
        err = read_all(&reading, reader, length, dst);
        obj_reader_close(reader);
    }
    *out_bytes = str_of(dst, length);
    return err;
}

enum err get_range(struct client *client, str bucket, str key, uint64_t offset, uint64_t length,
                   str *out_bytes)
{
    const uint64_t range[] = {offset, length};
    enum err err = ERR_RETRY;
    for (int i = 0; err == ERR_RETRY && i < RETRIES; i++)
        err = get_once(client, bucket, key, (str){0}, range, out_bytes);
    return err;
}

enum err get_version(struct client *client, str bucket, str key, str version_id, str *out_bytes)
{
    static const uint64_t whole[] = {0, UINT64_MAX};
    enum err err = ERR_RETRY;
    for (int i = 0; err == ERR_RETRY && i < RETRIES; i++)
        err = get_once(client, bucket, key, version_id, whole, out_bytes);
    return err;
}

enum err get_object(struct client *client, str bucket, str key, str *out_bytes)
{
    return get_range(client, bucket, key, 0, UINT64_MAX, out_bytes);
}

void assert_object_at(struct client *client, str bucket, str key, str bytes, const char *file,
                      int line)
{
    str found = {0};
    enum err err = get_object(client, bucket, key, &found);
    if (err != OK || found.len != bytes.len || !str_eq(found, bytes)) {
        print_error("%s:%d: \"%.*s\": %s, %zu bytes, expected %zu\n", file, line, STR_ARG(key),
                    err_name(err), found.len, bytes.len);
        _fail(file, line);
    }
}

/* ---- Multipart ---- */

enum err create_upload(struct client *client, const struct upload_args *args, uint64_t *out_id)
{
    struct pending pending;
    struct upload_create create = {
        .op = client_op(client, &pending),
        .bucket = args->bucket,
        .row = {.key = args->key,
                .owner = OWNER,
                .initiator = OWNER,
                .checksum_kind = args->checksum_kind,
                .checksum_type = args->checksum_type},
    };
    upload_create_start(&create);
    enum err err = client_wait_op(&pending);
    if (err == OK)
        *out_id = create.row.id;
    return err;
}

static enum err commit_part(struct client *client, const struct part_args *args, struct body *body,
                            struct part_row *out_row)
{
    const struct digest *digest = body_digest(body);
    enum checksum_kind kind =
        args->checksum_kind != CHECKSUM_NONE ? args->checksum_kind : CHECKSUM_CRC64NVME;
    struct pending pending;
    struct upload_part part = {
        .op = client_op(client, &pending),
        .bucket = args->bucket,
        .key = args->key,
        .upload_id = args->upload_id,
        .body = body,
        .row = {.number = args->number,
                .md5 = str_of(digest->md5_value, MD5_BYTES),
                .checksum_kind = kind,
                .checksum = digest_checksum(digest, kind)},
    };
    upload_part_start(&part);
    enum err err = client_wait_op(&pending);
    if (err == OK && out_row != NULL) {
        *out_row = part.row;
        out_row->md5 = arena_str(client->arena, part.row.md5);
        out_row->checksum = arena_str(client->arena, part.row.checksum);
    }
    return err;
}

enum err put_part(struct client *client, const struct part_args *args, struct part_row *out_row)
{
    struct feeder feeder;
    enum checksum_kind kind =
        args->checksum_kind != CHECKSUM_NONE ? args->checksum_kind : CHECKSUM_CRC64NVME;
    struct body *body = feeder_begin(&feeder, client,
                                     (struct body_options){.length = args->bytes.len,
                                                           .digests = DIGEST_BIT(kind),
                                                           .must_be_extent = true});
    feeder_write(&feeder, args->bytes, 0);
    enum err err = feeder_finish(&feeder);
    if (err == OK)
        err = commit_part(client, args, body, out_row);
    if (err == OK)
        body_keep(body);
    feeder_close(&feeder);
    return err;
}

enum err copy_part(struct client *client, struct upload_part_copy *copy)
{
    struct pending pending;
    copy->op = client_op(client, &pending);
    upload_part_copy_start(copy);
    return client_wait_op(&pending);
}

enum err complete_upload(struct client *client, struct upload_complete *complete)
{
    struct pending pending;
    complete->op = client_op(client, &pending);
    upload_complete_start(complete);
    return client_wait_op(&pending);
}

enum err abort_upload(struct client *client, str bucket, str key, uint64_t upload_id)
{
    struct pending pending;
    struct upload_abort abort = {
        .op = client_op(client, &pending), .bucket = bucket, .key = key, .upload_id = upload_id};
    upload_abort_start(&abort);
    return client_wait_op(&pending);
}

struct completed_part completed_part_of(struct client *client, const struct part_row *row)
{
    char text[ETAG_TEXT_MAX];
    return (struct completed_part){
        .number = row->number,
        .etag = arena_str(client->arena, etag_format(row->md5, 0, text)),
    };
}

/* ---- Bytes ---- */

str bytes_of(struct arena *arena, uint64_t seed, size_t len)
{
    uint8_t *bytes = arena_alloc(arena, len + 8);
    struct unit_random random = {.state = seed};
    for (size_t i = 0; i < len; i += 8) {
        uint64_t next = unit_random_u64(&random);
        memcpy(bytes + i, &next, 8);
    }
    return str_of(bytes, len);
}
