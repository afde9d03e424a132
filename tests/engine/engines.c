/* The engines that the conformance suite knows, and how a test opens, reopens and damages each. */
#include "support.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/local/local_engine.h"
#include "store/mem/mem_engine.h"

static void mem_open(struct subject *subject)
{
    assert_ok(mem_engine_open(&subject->engine));
}

static void mem_close(struct subject *subject)
{
    engine_close(subject->engine);
}

static void mem_damage(struct subject *subject, uint64_t id, uint64_t offset)
{
    mem_engine_damage_extent(subject->engine, id, offset);
}

/* ---- local: a folder below the one for temporary files, with a small log so that segments change ---- */

static void local_open_there(struct subject *subject)
{
    struct fail fail = {0};
    struct local_options options = {.data_dir = subject->own, .segment_bytes = 256 << 10};
    enum err err = local_engine_open(&options, &subject->engine, &fail);
    if (err != OK)
        print_error("local: %s\n", fail.detail);
    assert_ok(err);
}

static void local_open(struct subject *subject)
{
    const char *parent = getenv("TMPDIR");
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/pail-conform-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(path));
    str copy = arena_str(subject->arena, str_from(path));
    subject->own = (void *)(uintptr_t)copy.ptr;
    local_open_there(subject);
}

static void local_close(struct subject *subject)
{
    char command[300];
    engine_close(subject->engine);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", (const char *)subject->own);
    assert_int_equal(system(command), 0);
}

static void local_reopen(struct subject *subject)
{
    engine_close(subject->engine);
    subject->engine = NULL;
    local_open_there(subject);
}

static void local_damage(struct subject *subject, uint64_t id, uint64_t offset)
{
    char path[400], byte;
    (void)snprintf(path, sizeof(path), "%s/extents/%02x/%016" PRIx64, (const char *)subject->own,
                   (unsigned)(id & 0xFF), id);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte = (char)(byte ^ 1);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
}

static const struct subject_kind kinds[] = {
    {.name = "mem", .open = mem_open, .close = mem_close, .damage_extent = mem_damage},
    {.name = "local",
     .is_durable = true,
     .open = local_open,
     .close = local_close,
     .reopen = local_reopen,
     .damage_extent = local_damage},
};

const struct subject_kind *subject_kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}
