/* Any system call of the engine may fail at any time, once or from then on. Whatever was acknowledged stays; what was refused is not
 * there by half; the engine goes on by itself as soon as calls succeed again, or is read-only and says why; and a restart finds
 * everything and can write. */
#include "local_support.h"

#include <errno.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rand.h"

enum {
    ROWS = 30,
    ROUNDS = 4,
    BODY = 9000,
    EXTENT_STEP = 11, /* operations that come with an extent */
    POINTS_MAX = 16,  /* calls of a kind that are made to fail, one a life, with one error each */
    TRIES = 200, /* with pauses of TRY_US, until an engine that goes on by itself writes again */
    TRY_US = 10000,
    SHORT_BYTES = 700, /* less than a sector and a bit more */
};

/* Each run takes other calls and errors, and prints which sample it is. PAIL_TORTURE=N in the environment takes that one again (nearly:
 * how many calls there are depends on how threads interleave), PAIL_TORTURE=all takes all calls with every error. */
static struct {
    bool is_all;
    uint64_t number;
} sample;

enum presence { ABSENT, PRESENT, UNSURE };

struct book {
    enum presence row[ROWS];
    unsigned refused;
};

static struct engine *try_open(const char *path)
{
    struct engine *engine = NULL;
    struct fail fail = {0};
    struct local_options options = {.data_dir = path, .segment_bytes = 64 << 10, .io = &fault_io};
    if (local_engine_open(&options, &engine, &fail) == OK)
        return engine;
    assert_true(fail.detail[0] != '\0');
    return NULL;
}

/* A row has the same body each time, so a refused overwriting leaves no doubt. */
static void put_row(struct engine *engine, struct book *book, uint64_t i)
{
    static char body[BODY];
    fill_bytes(body, BODY, i);
    if (put_body(engine, i, body, BODY) == OK)
        book->row[i] = PRESENT;
    else if (++book->refused && book->row[i] == ABSENT)
        book->row[i] = UNSURE;
}

static void delete_row(struct engine *engine, struct book *book, uint64_t i)
{
    if (delete_body(engine, i) == OK)
        book->row[i] = ABSENT;
    else if (++book->refused && book->row[i] == PRESENT)
        book->row[i] = UNSURE;
}

/* Fills segments, makes them sparse, and has them emptied and used again. */
static void work(struct engine *engine, struct book *book)
{
    struct extent_row extent;
    for (uint64_t step = 0; step < (uint64_t)ROWS * ROUNDS; step++) {
        uint64_t i = step % ROWS, round = step / ROWS;
        if ((i + round) % 5 == 4)
            delete_row(engine, book, i);
        else
            put_row(engine, book, i);
        if (step % EXTENT_STEP == 0 && store_extent(engine, &extent) == OK)
            (void)extent_drop(engine, extent.id);
    }
}

static enum err look(struct engine *engine, const struct book *book)
{
    for (uint64_t i = 0; i < ROWS; i++) {
        enum err err = check_body(engine, i, BODY);
        bool is_right =
            err == ERR_NOT_FOUND ? book->row[i] != PRESENT : err != OK || book->row[i] != ABSENT;
        if (!is_right)
            fail_msg("row %u: %s, but it was %s", (unsigned)i, err_name(err),
                     book->row[i] == PRESENT ? "put" : "deleted");
        if (err != OK && err != ERR_NOT_FOUND)
            return err;
    }
    return OK;
}

static bool is_read_only(struct engine *engine)
{
    struct engine_stats stats;
    engine_stats(engine, &stats);
    assert_int_equal(stats.is_read_only, stats.read_only_reason[0] != '\0');
    return stats.is_read_only;
}

/* The fault is over, and nobody has restarted anything. */
static void check_going_on(struct engine *engine, const struct book *book)
{
    assert_ok(look(engine, book));
    enum err err = ERR_UNAVAILABLE;
    for (int try = 0; try < TRIES && err != OK && !is_read_only(engine); try++) {
        err = put_setting(engine, "going", STR("on"));
        if (err != OK)
            (void)usleep(TRY_US);
    }
    if (is_read_only(engine))
        assert_err(put_setting(engine, "going", STR("on")), ERR_READ_ONLY);
    else
        assert_ok(err);
}

static void check_restart(const char *path, const struct book *book)
{
    struct engine *engine = try_open(path);
    assert_non_null(engine);
    assert_ok(look(engine, book));
    assert_ok(put_setting(engine, "after", STR("all")));
    assert_int_equal(count_files(path, "tmp"), 0);
    engine_close(engine);
}

/* A store as a kill has left it. */
struct killed {
    char folder[TEST_PATH_MAX], path[TEST_PATH_MAX + 16], copy[TEST_PATH_MAX + 16];
    struct book book;
};

struct fault {
    enum fault_call call;
    unsigned nth;
    int error;
    bool is_sticky;
};

/* One life with a fault in it, of a store that was killed before. The syncs that work cost nothing, so that there can be many
 * lives. */
static void live(const struct killed *killed, const struct fault *fault, struct book *book)
{
    *book = killed->book;
    copy_folder(killed->path, killed->copy);
    fault_clear();
    fault_skip_syncs();
    fault_set(fault->call, fault->nth, fault->error, fault->is_sticky);
    struct engine *engine = try_open(killed->copy);
    if (engine) {
        work(engine, book);
        (void)look(engine, book);
        fault_clear();
        fault_skip_syncs();
        check_going_on(engine, book);
        engine_close(engine);
    }
    fault_clear();
    fault_skip_syncs();
    check_restart(killed->copy, book);
}

/* ---- The cases ---- */

static void work_until_killed(struct killed *killed)
{
    fault_clear();
    fault_skip_syncs();
    struct engine *engine = try_open(killed->path);
    if (engine)
        work(engine, &killed->book);
    (void)kill(getpid(), SIGKILL);
}

/* Before any engine was opened here: the index's library does not live on in a fork. */
static int make_killed(void **state)
{
    struct killed *killed =
        mmap(NULL, sizeof(*killed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(killed != MAP_FAILED);
    make_folder(killed->folder);
    (void)snprintf(killed->path, sizeof(killed->path), "%s/killed", killed->folder);
    (void)snprintf(killed->copy, sizeof(killed->copy), "%s/copy", killed->folder);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        work_until_killed(killed);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(killed->book.refused, 0);
    assert_int_equal(killed->book.row[0], PRESENT);
    *state = killed;
    return 0;
}

static int remove_killed(void **state)
{
    struct killed *killed = *state;
    remove_folder(killed->folder);
    return munmap(killed, sizeof(*killed));
}

static void choose_sample(void)
{
    const char *wish = getenv("PAIL_TORTURE");
    sample.is_all = wish && strcmp(wish, "all") == 0;
    if (sample.is_all)
        return;
    if (!wish || str_to_u64(str_from(wish), &sample.number) != OK)
        sample.number = rand_u64() >> 48;
    print_message("sample %u\n", (unsigned)sample.number);
}

static unsigned points_of(unsigned count)
{
    return sample.is_all || count < POINTS_MAX ? count : POINTS_MAX;
}

/* How often each call is made in a life without faults. */
static void count_calls(const struct killed *killed, unsigned out_count[FAULT_CALLS])
{
    struct book book = killed->book;
    copy_folder(killed->path, killed->copy);
    fault_clear();
    fault_skip_syncs();
    struct engine *engine = try_open(killed->copy);
    assert_non_null(engine);
    work(engine, &book);
    engine_close(engine);
    assert_int_equal(book.refused, 0);
    for (int call = 0; call < FAULT_CALLS; call++)
        out_count[call] = fault_count((enum fault_call)call);
}

/* Every error at every point, or of a sample one at each point: another one than at the point before. */
static void torture_call(const struct killed *killed, enum fault_call call, unsigned count,
                         bool is_sticky)
{
    static const int errors[] = {EIO, ENOSPC, EROFS, EMFILE}; /* the last only when opening */
    unsigned kinds = sizeof(errors) / sizeof(errors[0]) - (call != FAULT_OPEN);
    unsigned points = points_of(count), tried = sample.is_all ? kinds : 1;
    for (unsigned life = 0; life < points * tried; life++) {
        unsigned i = life / tried;
        uint64_t nth = ((uint64_t)i * count / points + sample.number) % count;
        int error = errors[(i + life % tried + sample.number / count) % kinds];
        struct fault fault = {call, (unsigned)nth, error, is_sticky};
        struct book book;
        print_message("call %d, #%u of %u: %s\n", (int)call, fault.nth, count, strerror(error));
        live(killed, &fault, &book);
    }
}

static void torture(const struct killed *killed, bool is_sticky)
{
    unsigned count[FAULT_CALLS];
    count_calls(killed, count);
    for (int call = 0; call < FAULT_CALLS; call++)
        torture_call(killed, (enum fault_call)call, count[call], is_sticky);
}

static void any_call_may_fail_at_any_time(void **state)
{
    torture(*state, false);
}

static void any_call_may_fail_from_any_time_on(void **state)
{
    torture(*state, true);
}

static void short_reads_and_writes_are_finished(void **state)
{
    const struct killed *killed = *state;
    struct book book = killed->book;
    copy_folder(killed->path, killed->copy);
    fault_clear();
    fault_set_short(SHORT_BYTES);
    struct engine *engine = try_open(killed->copy);
    assert_non_null(engine);
    work(engine, &book);
    assert_ok(look(engine, &book));
    assert_int_equal(book.refused, 0);
    engine_close(engine);
    check_restart(killed->copy, &book);
}

static void interrupted_calls_are_made_again(void **state)
{
    static const enum fault_call calls[] = {FAULT_OPEN,      FAULT_READ, FAULT_WRITE,
                                            FAULT_SYNC_DATA, FAULT_SYNC, FAULT_ALLOCATE};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        for (unsigned nth = 0; nth < 4; nth++) {
            struct book book;
            live(*state, &(struct fault){calls[i], nth, EINTR, false}, &book);
            assert_int_equal(book.refused, 0);
        }
}

int main(void)
{
    /* Faults are played, so no disk is needed. */
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    choose_sample();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_may_fail_at_any_time),
        cmocka_unit_test(any_call_may_fail_from_any_time_on),
        cmocka_unit_test(short_reads_and_writes_are_finished),
        cmocka_unit_test(interrupted_calls_are_made_again),
    };
    return cmocka_run_group_tests(tests, make_killed, remove_killed);
}
