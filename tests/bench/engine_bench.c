/* Measures the embedded engine beside what the disk can do, in one run: engine_bench FOLDER [OBJECTS] [IN-FLIGHT] [CACHE-MIB]
 *
 *   append    one write of an object's size and one fdatasync at a time, into a file that grows: the yardstick
 *   put       durable objects of 4 KiB with 300 bytes of metadata, so many in flight; each update looks for the object, puts it
 *             and counts it, as the object layer does
 *   get       a row by key, a view for each
 *   body      the same with its 4 KiB
 *   scan      all rows in order
 *   rebuild   the index made anew from the log
 *   open      a start after a clean end
 *
 * CPU is that of the whole process, all threads. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rand.h"
#include "store/local/local_engine.h"

enum {
    BODY_BYTES = 4096,
    METADATA_BYTES = 300,
    APPENDS = 500,
    KEY_BYTES = 24,
    ARENA_CAP = 64 << 20,
    IN_FLIGHT_MAX = 4096,
};

static char body[BODY_BYTES], metadata[METADATA_BYTES];
static size_t cache_bytes; /* 0: the engine's default */

static void must(enum err err, const char *what)
{
    if (err == OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", what, err_name(err));
    exit(1);
}

/* ---- Time ---- */

struct stopwatch {
    int64_t wall_us, cpu_us;
};

static int64_t process_cpu_us(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

static struct stopwatch start(void)
{
    return (struct stopwatch){clock_mono_us(), process_cpu_us()};
}

static double report(const char *name, struct stopwatch since, double count)
{
    double wall = (double)(clock_mono_us() - since.wall_us) / 1e6;
    double cpu = (double)(process_cpu_us() - since.cpu_us);
    (void)printf("%-10s %10.0f /s   %7.2f us wall   %7.2f us CPU\n", name, count / wall,
                 wall * 1e6 / count, cpu / count);
    (void)fflush(stdout);
    return count / wall;
}

static long memory_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = 0;
        (void)fclose(file);
    }
    return pages * 4;
}

/* ---- The yardstick ---- */

static double append_one_at_a_time(const char *folder)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/append", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct stopwatch watch = start();
    for (int i = 0; i < APPENDS; i++)
        if (write(fd, body, sizeof(body)) != sizeof(body) || fdatasync(fd) != 0)
            exit(1);
    double rate = report("append", watch, APPENDS);
    (void)close(fd);
    (void)unlink(path);
    return rate;
}

/* ---- Putting ---- */

struct put;

/* Updates that have been answered wait here for the submitting thread. */
struct desk {
    struct engine *engine;
    pthread_mutex_t mutex;
    pthread_cond_t has_answers;
    struct put *answered;
};

struct put {
    struct update update;
    struct desk *desk;
    struct put *next;
    struct arena *arena;
    uint64_t number;
};

/* Keys spread, so that the index is not filled in order. */
static str key_of(uint64_t number, char dst[KEY_BYTES])
{
    uint64_t mixed = number * 0x9E3779B97F4A7C15u;
    (void)snprintf(dst, KEY_BYTES, "%016llx/obj", (unsigned long long)mixed);
    return str_of(dst, 20);
}

static enum err count_object(struct tx *tx, struct arena *arena)
{
    struct usage_row usage = {.bucket_id = 1};
    enum err err = row_get(tx, TABLE_usage, &usage, arena);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    usage.object_count++;
    usage.object_bytes += BODY_BYTES;
    return row_put(tx, TABLE_usage, &usage);
}

static enum err apply_put(struct update *update, struct tx *tx)
{
    struct put *put = (struct put *)(void *)update;
    char key[KEY_BYTES];
    arena_reset(put->arena);
    struct object_row row = {.bucket_id = 1, .key = key_of(put->number, key)};
    enum err err = row_get(tx, TABLE_object, &row, put->arena);
    if (err != OK && err != ERR_NOT_FOUND)
        return err;
    row.sequence++;
    row.modified_ms = 1700000000000 + put->number;
    row.size = BODY_BYTES;
    row.md5 = str_of(body, 16);
    row.content_type = STR("application/octet-stream");
    row.metadata = str_of(metadata, METADATA_BYTES);
    row.body = (struct blob){.bytes = body, .length = BODY_BYTES};
    TRY(row_put(tx, TABLE_object, &row));
    return count_object(tx, put->arena);
}

static void answered(struct update *update, enum err result)
{
    struct put *put = (struct put *)(void *)update;
    must(result, "put");
    pthread_mutex_lock(&put->desk->mutex);
    put->next = put->desk->answered;
    put->desk->answered = put;
    pthread_cond_signal(&put->desk->has_answers);
    pthread_mutex_unlock(&put->desk->mutex);
}

static struct put *wait_for_answers(struct desk *desk)
{
    pthread_mutex_lock(&desk->mutex);
    while (!desk->answered)
        pthread_cond_wait(&desk->has_answers, &desk->mutex);
    struct put *first = desk->answered;
    desk->answered = NULL;
    pthread_mutex_unlock(&desk->mutex);
    return first;
}

static void put_all(struct engine *engine, uint64_t first, uint64_t count, uint64_t in_flight)
{
    struct desk desk = {engine, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL};
    struct put *put = mem_new_array(struct put, in_flight);
    uint64_t next = first, end = first + count, pending = 0;
    for (uint64_t i = 0; i < in_flight && next < end; i++, pending++) {
        put[i] = (struct put){.update = {.apply = apply_put, .done = answered},
                              .desk = &desk,
                              .arena = arena_new(ARENA_CAP),
                              .number = next++};
        catalog_update(engine, &put[i].update);
    }
    while (pending) {
        for (struct put *one = wait_for_answers(&desk), *following; one; one = following) {
            following = one->next;
            if (next < end) {
                one->number = next++;
                catalog_update(engine, &one->update);
            } else {
                pending--;
            }
        }
    }
    for (uint64_t i = 0; i < in_flight && i < count; i++)
        arena_free(put[i].arena);
    mem_free(put);
}

/* ---- Reading ---- */

static void get_all(struct engine *engine, uint64_t count, uint64_t stored, bool with_body)
{
    struct arena *arena = arena_new(ARENA_CAP);
    uint64_t random = 88172645463325252u;
    char key[KEY_BYTES], dst[BODY_BYTES];
    struct stopwatch watch = start();
    for (uint64_t i = 0; i < count; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        struct object_row row = {.bucket_id = 1, .key = key_of(random % stored, key)};
        struct tx *tx;
        must(view_begin(engine, VIEW_WAIT, &tx), "view");
        must(row_get(tx, TABLE_object, &row, arena), "get");
        if (with_body)
            must(blob_read(tx, &row.body, dst), "body");
        view_end(tx);
        arena_reset(arena);
    }
    report(with_body ? "body" : "get", watch, (double)count);
    arena_free(arena);
}

static void scan_all(struct engine *engine, uint64_t stored)
{
    struct object_row from = {.bucket_id = 1}, row;
    struct cursor *cursor;
    struct tx *tx;
    must(view_begin(engine, VIEW_WAIT, &tx), "view");
    struct stopwatch watch = start();
    must(cursor_open(tx, TABLE_object, &from, 1, &cursor), "cursor");
    uint64_t count = 0;
    while (cursor_next(cursor, &row) == OK)
        count++;
    cursor_close(cursor);
    report("scan", watch, (double)count);
    view_end(tx);
    if (count != stored) {
        (void)fprintf(stderr, "scan: %llu rows\n", (unsigned long long)count);
        exit(1);
    }
}

static struct engine *open_engine(const char *folder, struct local_options *options)
{
    struct fail fail = {0};
    struct engine *engine;
    *options = (struct local_options){.data_dir = folder, .index_cache_bytes = cache_bytes};
    if (local_engine_open(options, &engine, &fail) != OK) {
        (void)fprintf(stderr, "%s\n", fail.detail);
        exit(1);
    }
    return engine;
}

static void measure(const char *folder, uint64_t count, uint64_t in_flight)
{
    struct local_options options;
    struct fail fail = {0};
    double yardstick = append_one_at_a_time(folder);
    char store[1024];
    (void)snprintf(store, sizeof(store), "%s/store", folder);
    struct engine *engine = open_engine(store, &options);
    (void)printf("memory, empty store: %ld KiB\n", memory_kib());
    put_all(engine, 0, 200, 1); /* warm */
    struct stopwatch watch = start();
    put_all(engine, 200, count / 100 + 1, 1);
    (void)report("put x1", watch, (double)(count / 100 + 1));
    uint64_t stored = 200 + count / 100 + 1;
    struct engine_stats before, stats;
    engine_stats(engine, &before);
    watch = start();
    put_all(engine, stored, count, in_flight);
    double rate = report("put", watch, (double)count);
    stored += count;
    engine_stats(engine, &stats);
    (void)printf("updates a batch: %.1f; put / append: %.1f; log %llu MiB, index %llu MiB\n",
                 (double)(stats.updates - before.updates) /
                     (double)(stats.batches - before.batches),
                 rate / yardstick, (unsigned long long)stats.log_bytes >> 20,
                 (unsigned long long)stats.index_bytes >> 20);
    get_all(engine, count, stored, false);
    get_all(engine, count, stored, true);
    scan_all(engine, stored);
    (void)printf("memory, in use: %ld KiB\n", memory_kib());
    engine_close(engine);
    watch = start();
    engine = open_engine(store, &options);
    (void)report("open", watch, 1);
    get_all(engine, count, stored, false);
    scan_all(engine, stored);
    engine_close(engine);
    watch = start();
    must(local_rebuild_index(&options, NULL, NULL, &fail), "rebuild");
    (void)report("rebuild", watch, (double)stored);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: engine_bench FOLDER [OBJECTS] [IN-FLIGHT] [CACHE-MIB]\n");
        return 2;
    }
    rand_bytes(body, sizeof(body));
    rand_bytes(metadata, sizeof(metadata));
    uint64_t count = 100000, in_flight = 64, cache_mib = 0;
    if (argc > 2)
        must(str_to_u64(str_from(argv[2]), &count), "OBJECTS");
    if (argc > 3)
        must(str_to_u64(str_from(argv[3]), &in_flight), "IN-FLIGHT");
    if (argc > 4)
        must(str_to_u64(str_from(argv[4]), &cache_mib), "CACHE-MIB");
    cache_bytes = cache_mib << 20;
    measure(argv[1], count, in_flight < IN_FLIGHT_MAX ? in_flight : IN_FLIGHT_MAX);
    return 0;
}
