/* Fills a data folder with objects, below HTTP but through the object layer, so that rows and log are what S3 would have made:
 *
 *   fill FOLDER BUCKET OBJECTS MIN-BYTES MAX-BYTES FOLDERS PREFIX [FIRST]
 *
 * The bucket must be there. Keys, sizes and bytes are those of `pail bench --objects OBJECTS --size MIN-MAX --folders FOLDERS
 * --prefix PREFIX`, which can then read and compare them. Every object is durable before it counts; some hundreds are in flight, so
 * that batches are full. FIRST: the first index [0]. Prints a line every half a million. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/bench_content.h"
#include "client/bench_plan.h"
#include "event/loop.h"
#include "object/object.h"
#include "store/local/local_engine.h"

enum {
    IN_FLIGHT = 512,
    INLINE_MAX_BYTES = 128 << 10,
    IO_BUFFER_BYTES = 256 << 20,
    ARENA_CAP = 16 << 20,
    KEY_BYTES_MAX = 1024,
    WORKERS = 2,
    REPORT_EVERY = 500000,
    CONTENT_SEED = 1,
};

struct fill {
    struct bench_options options;
    struct bench_content *content;
    struct engine *engine;
    struct workers *workers;
    struct store *store;
    struct loop *loop;
    str bucket, owner;
    uint64_t next, end, done;
    size_t busy; /* slots under way */
    int64_t begun_us;
};

/* An object on its way. */
struct slot {
    struct fill *fill;
    struct arena *arena;
    struct body *body;
    struct object_put put;
    struct task committed;
    enum err result;
    uint64_t index;
};

static void must(enum err err, const char *what)
{
    if (err == OK)
        return;
    (void)fprintf(stderr, "fill: %s: %s\n", what, err_name(err));
    exit(1);
}

static void begin(struct slot *slot);

static void report(const struct fill *fill)
{
    double seconds = (double)(clock_mono_us() - fill->begun_us) / 1e6;
    (void)printf("%llu objects, %.0f a second\n", (unsigned long long)fill->done,
                 (double)fill->done / seconds);
    (void)fflush(stdout);
}

static void closed(void *context)
{
    struct slot *slot = context;
    struct fill *fill = slot->fill;
    arena_reset(slot->arena);
    fill->busy--;
    if (++fill->done % REPORT_EVERY == 0)
        report(fill);
    if (fill->next < fill->end)
        begin(slot);
    else if (fill->busy == 0)
        loop_stop(fill->loop);
}

static void committed(struct task *task)
{
    struct slot *slot = container_of(task, struct slot, committed);
    must(slot->result, "put");
    body_keep(slot->body);
    body_close(slot->body, closed);
}

static void op_done(struct obj_op *op, enum err result)
{
    struct slot *slot = op->context;
    slot->result = result;
    slot->committed.run = committed;
    loop_post(slot->fill->loop, &slot->committed);
}

static str key_of(const struct slot *slot)
{
    BUF_SCOPED struct buf key;
    buf_init(&key, KEY_BYTES_MAX);
    bench_key_append(&slot->fill->options, slot->index, &key);
    must(buf_err(&key), "key");
    return arena_str(slot->arena, buf_str(&key));
}

static void body_done(void *context, enum err err)
{
    struct slot *slot = context;
    struct fill *fill = slot->fill;
    must(err, "body");
    const struct digest *digest = body_digest(slot->body);
    slot->put = (struct object_put){
        .op = {.store = fill->store, .arena = slot->arena, .done = op_done, .context = slot},
        .bucket = fill->bucket,
        .body = slot->body,
        .row = {.key = key_of(slot),
                .owner = fill->owner,
                .content_type = STR("application/octet-stream"),
                .md5 = str_of(digest->md5_value, MD5_BYTES),
                .checksum_kind = CHECKSUM_CRC64NVME,
                .checksum = digest_checksum(digest, CHECKSUM_CRC64NVME)},
    };
    object_put_start(&slot->put);
}

/* The pool has room for all that are in flight, so a body that did not take all its bytes is a mistake here. */
static void never_ready(void *context)
{
    (void)context;
    must(ERR_BUSY, "body");
}

static void begin(struct slot *slot)
{
    struct fill *fill = slot->fill;
    slot->index = fill->next++;
    fill->busy++;
    uint64_t size = bench_key_size(&fill->options, slot->index);
    slot->body = body_new(&(struct body_options){
        .store = fill->store,
        .loop = fill->loop,
        .arena = slot->arena,
        .length = size,
        .digests = DIGEST_BIT(CHECKSUM_CRC64NVME),
        .ready = never_ready,
        .context = slot,
    });
    for (uint64_t offset = 0; offset < size;) {
        str bytes = bench_content_at(fill->content, slot->index, offset, size - offset);
        if (body_write(slot->body, bytes) != bytes.len)
            must(ERR_BUSY, "body");
        offset += bytes.len;
    }
    body_finish(slot->body, body_done);
}

/* ---- The whole ---- */

static void find_owner(struct fill *fill, struct arena *arena)
{
    struct tx *tx;
    struct bucket_row row;
    must(view_begin(fill->engine, VIEW_WAIT, &tx), "view");
    must(bucket_find(tx, fill->bucket, arena, &row), "the bucket");
    fill->owner = row.owner;
    view_end(tx);
}

static void open_store(struct fill *fill, const char *folder)
{
    struct fail fail = {0};
    const struct local_options options = {.data_dir = folder};
    if (local_engine_open(&options, &fill->engine, &fail) != OK) {
        (void)fprintf(stderr, "fill: %s\n", fail.detail);
        exit(1);
    }
    fill->workers = workers_new(WORKERS);
    fill->loop = loop_new();
    if (!fill->workers || !fill->loop)
        must(ERR_NO_MEMORY, "threads");
    fill->store = store_new(&(struct store_options){.engine = fill->engine,
                                                    .workers = fill->workers,
                                                    .inline_max_bytes = INLINE_MAX_BYTES,
                                                    .io_buffer_bytes = IO_BUFFER_BYTES,
                                                    .verify_reads = true});
}

static void run(struct fill *fill)
{
    struct slot *slot = mem_new_array(struct slot, IN_FLIGHT);
    fill->begun_us = clock_mono_us();
    for (size_t i = 0; i < IN_FLIGHT && fill->next < fill->end; i++) {
        slot[i] = (struct slot){.fill = fill, .arena = arena_new(ARENA_CAP)};
        begin(&slot[i]);
    }
    if (fill->busy > 0)
        loop_run(fill->loop);
    for (size_t i = 0; i < IN_FLIGHT; i++)
        arena_free(slot[i].arena);
    mem_free(slot);
    report(fill);
}

static void close_store(struct fill *fill)
{
    workers_free(fill->workers);
    loop_finish(fill->loop);
    store_free(fill->store);
    engine_close(fill->engine);
    loop_free(fill->loop);
    bench_content_free(fill->content);
}

static uint64_t number_of(const char *word, const char *name)
{
    uint64_t number;
    must(str_to_u64(str_from(word), &number), name);
    return number;
}

int main(int argc, char **argv)
{
    if (argc < 8) {
        (void)fprintf(
            stderr,
            "usage: fill FOLDER BUCKET OBJECTS MIN-BYTES MAX-BYTES FOLDERS PREFIX [FIRST]\n");
        return 2;
    }
    struct fill fill = {
        .bucket = str_from(argv[2]),
        .options = {.objects = number_of(argv[3], "OBJECTS"),
                    .size_min = number_of(argv[4], "MIN-BYTES"),
                    .size_max = number_of(argv[5], "MAX-BYTES"),
                    .folders = number_of(argv[6], "FOLDERS"),
                    .prefix = str_from(argv[7])},
        .next = argc > 8 ? number_of(argv[8], "FIRST") : 0,
    };
    fill.end = fill.next + fill.options.objects;
    if (fill.options.size_max < fill.options.size_min || fill.options.size_max > INLINE_MAX_BYTES)
        must(ERR_BAD_INPUT, "MAX-BYTES");
    fill.content = bench_content_new(CONTENT_SEED);
    struct arena *arena = arena_new(ARENA_CAP);
    open_store(&fill, argv[1]);
    find_owner(&fill, arena);
    run(&fill);
    close_store(&fill);
    arena_free(arena);
    return 0;
}
