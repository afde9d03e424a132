/* Aim: every stream's digest is that of its bytes, however many streams there are and however their pieces are cut; completions come
 * on the loop in the order of the items; few streams wait for nobody, and of many nobody waits for ever. */
#include "../unit.h"

#include "base/mem.h"
#include "object/hasher.h"

enum { KIB = 1024, MIB = 1 << 20, STREAMS_MAX = 40 };

struct world {
    struct loop *loop;
    struct hasher *hasher;
    size_t left; /* items that are not done: at 0 the loop stops */
    uint8_t *bytes;
};

struct piece {
    struct hash_item item;
    struct upload *upload;
    size_t number;
};

struct upload {
    struct world *world;
    struct hash_stream stream;
    struct md5 md5;
    str bytes;
    struct piece *piece;
    size_t piece_count, done_count;
};

static int setup(void **state)
{
    struct world *world = mem_new(struct world);
    world->loop = loop_new();
    assert_non_null(world->loop);
    world->bytes = mem_alloc(2 * MIB);
    struct unit_random random = {.state = 7};
    unit_random_fill(&random, world->bytes, 2 * MIB);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    hasher_free(world->hasher);
    loop_free(world->loop);
    mem_free(world->bytes);
    mem_free(world);
    return 0;
}

static void begin(struct world *world, unsigned threads)
{
    hasher_free(world->hasher);
    world->hasher = hasher_new(threads);
    assert_non_null(world->hasher);
}

static void piece_done(struct hash_item *item)
{
    struct piece *piece = container_of(item, struct piece, item);
    struct upload *upload = piece->upload;
    assert_true(loop_is_current(upload->world->loop));
    assert_int_equal(piece->number, upload->done_count);
    upload->done_count++;
    if (--upload->world->left == 0)
        loop_stop(upload->world->loop);
}

static void upload_open(struct upload *upload, struct world *world, str bytes, size_t piece_max)
{
    *upload = (struct upload){.world = world, .bytes = bytes};
    upload->piece = mem_new_array(struct piece, bytes.len / piece_max + 1);
    md5_init(&upload->md5);
    hash_stream_open(&upload->stream, world->hasher, &upload->md5);
}

/* The next `len` bytes. */
static void upload_push(struct upload *upload, size_t at, size_t len)
{
    struct piece *piece = &upload->piece[upload->piece_count];
    *piece = (struct piece){.upload = upload, .number = upload->piece_count++};
    piece->item = (struct hash_item){.data = (const uint8_t *)upload->bytes.ptr + at,
                                     .len = len,
                                     .loop = upload->world->loop,
                                     .done = piece_done};
    upload->world->left++;
    hash_stream_push(&upload->stream, &piece->item);
}

static void upload_close(struct upload *upload)
{
    uint8_t digest[MD5_SIZE], expected[MD5_SIZE];
    assert_int_equal(upload->done_count, upload->piece_count);
    hash_stream_close(&upload->stream);
    md5_final(&upload->md5, digest);
    md5_of(upload->bytes.ptr, upload->bytes.len, expected);
    assert_memory_equal(digest, expected, MD5_SIZE);
    mem_free(upload->piece);
}

/* Streams of random lengths in random pieces, pushed in turn; each is in a hurry at its end. */
static void check_crowd(struct world *world, size_t count, struct unit_random *random)
{
    struct upload *upload = mem_new_array(struct upload, count);
    size_t at[STREAMS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        size_t len = 1 + unit_random_below(random, 300 * KIB);
        upload_open(&upload[i], world, str_of(world->bytes + i, len), MD5_BLOCK);
    }
    for (size_t open = count; open > 0;) {
        size_t i = unit_random_below(random, count);
        size_t left = upload[i].bytes.len - at[i];
        if (left == 0)
            continue;
        size_t len = MD5_BLOCK * (1 + unit_random_below(random, 2 * KIB));
        len = len < left ? len : left;
        upload_push(&upload[i], at[i], len);
        at[i] += len;
        if (at[i] == upload[i].bytes.len) {
            hash_stream_hurry(&upload[i].stream);
            open--;
        }
    }
    loop_run(world->loop);
    for (size_t i = 0; i < count; i++)
        upload_close(&upload[i]);
    mem_free(upload);
}

static void test_crowds(void **state)
{
    struct world *world = *state;
    struct unit_random random = {.state = 1};
    for (unsigned threads = 1; threads <= 3; threads++) {
        begin(world, threads);
        for (size_t count = 1; count <= STREAMS_MAX; count += count < 6 ? 1 : 11)
            check_crowd(world, count, &random);
    }
}

/* One that is alone, or has few beside it, is hashed without anybody's hurry. */
static void test_few_wait_for_nobody(void **state)
{
    struct world *world = *state;
    begin(world, 2);
    struct upload upload[2];
    for (size_t count = 1; count < md5_lane_min() && count <= COUNT_OF(upload); count++) {
        for (size_t i = 0; i < count; i++)
            upload_open(&upload[i], world, str_of(world->bytes, 2 * MIB), MIB);
        for (size_t i = 0; i < count; i++) {
            upload_push(&upload[i], 0, MIB);
            loop_run(world->loop);
        }
        for (size_t i = 0; i < count; i++) {
            upload_push(&upload[i], MIB, MIB);
            loop_run(world->loop);
            upload_close(&upload[i]);
        }
    }
}

static void open_all(struct world *world, struct upload *upload, size_t count)
{
    for (size_t i = 0; i < count; i++)
        upload_open(&upload[i], world, str_of(world->bytes + i, MIB), MIB);
}

static void close_all(struct upload *upload, size_t count)
{
    loop_run(upload->world->loop);
    for (size_t i = 0; i < count; i++)
        upload_close(&upload[i]);
}

/* Of many, those that have something are company enough for each other, all of them in any case. */
static void test_company(void **state)
{
    struct world *world = *state;
    begin(world, 2);
    struct upload upload[STREAMS_MAX];
    for (size_t count = md5_lane_min(); count <= STREAMS_MAX; count += 5) {
        open_all(world, upload, count);
        for (size_t i = 0; i < count; i++)
            upload_push(&upload[i], 0, MIB);
        /* Those that are too few for a round of their own, after the others. */
        for (size_t i = 0; i < count; i++)
            hash_stream_hurry(&upload[i].stream);
        close_all(upload, count);
    }
}

/* One among many that are silent: its own hurry helps, or anybody's who waits for memory, or that the others go. */
static void test_hurry(void **state)
{
    struct world *world = *state;
    begin(world, 2);
    enum way { OWN, ANYBODY, OTHERS_GO, WAY_COUNT };
    for (enum way way = OWN; way < WAY_COUNT; way++) {
        struct upload upload[STREAMS_MAX];
        open_all(world, upload, STREAMS_MAX);
        upload_push(&upload[0], 0, MIB);
        if (way == OWN)
            hash_stream_hurry(&upload[0].stream);
        else if (way == ANYBODY)
            hasher_hurry(world->hasher);
        for (size_t i = 1; i < STREAMS_MAX && way == OTHERS_GO; i++) {
            hash_stream_close(&upload[i].stream);
            mem_free(upload[i].piece);
        }
        close_all(upload, 1);
        for (size_t i = 1; i < STREAMS_MAX && way != OTHERS_GO; i++)
            upload_push(&upload[i], 0, MIB);
        hasher_hurry(world->hasher);
        if (way != OTHERS_GO)
            close_all(upload + 1, STREAMS_MAX - 1);
    }
}

/* A hurry with nothing to be hurried about is forgotten: else closing would find it. */
static void test_idle_hurry(void **state)
{
    struct world *world = *state;
    begin(world, 1);
    struct upload upload;
    upload_open(&upload, world, (str){0}, MIB);
    hash_stream_hurry(&upload.stream);
    hasher_hurry(world->hasher);
    upload_close(&upload);
    hasher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_crowds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_few_wait_for_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_company, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hurry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle_hurry, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
