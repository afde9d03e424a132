/* Copying at a bounded rate, with progress, until somebody says stop. One thread at a time. */
#pragma once

#include "store/local/io.h"
#include "store/local/local_engine.h"

enum { COPY_BYTES = 1 << 20 };

struct copier {
    const struct io *io;
    uint64_t rate_bytes;              /* a second; 0: as fast as it goes */
    enum err (*watch)(void *context); /* asked often whether to go on; null: always */
    local_progress_fn progress;       /* null: nobody wants to know */
    void *context;                    /* of both */
    const char *task;
    uint64_t done_bytes, total_bytes;

    int64_t begun_us; /* of the time in which paced_bytes were allowed */
    uint64_t paced_bytes;
    char *buffer; /* COPY_BYTES, aligned */
};

void copier_init(struct copier *copier);
void copier_release(struct copier *copier);

/* So many bytes were worked on: tells of it, and waits as the rate wants it. What `watch` says. */
enum err copier_advance(struct copier *copier, uint64_t bytes);

/* What is copied: bytes from 0 on, by a function that reads them to dst. */
struct copy_source {
    enum err (*read)(void *context, uint64_t offset, void *dst, size_t len);
    void *context;
    uint64_t length;
};
/* To the beginning of a file; *crc32c is continued over the bytes. */
enum err copier_copy(struct copier *copier, const struct copy_source *source, int to_fd,
                     uint32_t *crc32c);
/* The CRC32C of the first bytes of a file. ERR_CORRUPT: it is shorter. */
enum err copier_read_crc(struct copier *copier, int fd, uint64_t length, uint32_t *out_crc32c);

/* The file is complete: it is synced, and its pages are given back, as nobody will read them soon. */
enum err copier_finish_file(const struct copier *copier, int fd);
