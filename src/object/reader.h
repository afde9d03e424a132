/* obj_reader: the bytes of a range of an object, piece by piece, each checked before it is given
 * out. Lives on one loop; what would wait for the disk is done by a worker. */
#pragma once

#include "object/store.h"

struct obj_reader;

struct obj_reader_options {
    struct store *store;
    struct loop *loop;
    struct arena *arena;          /* inline bytes go there */
    const struct object_row *row; /* read during the call only */
    uint64_t offset, length;      /* within the object; length > 0 */
    void (*ready)(void *context); /* on the loop, after ERR_PENDING: ask again */
    void *context;
};

/* Inside the view that found the row. Opens the extent, or loads the inline bytes, so that a
 * deletion that comes later does no harm. ERR_WOULD_BLOCK with VIEW_NOWAIT; ERR_RETRY when the
 * body was let go a while ago and the row must be looked up again; ERR_CORRUPT when the body is
 * lost. May be run on a worker, as long as the loop leaves the arena alone. */
enum err obj_reader_open(struct tx *tx, enum view_flags flags,
                         const struct obj_reader_options *options, struct obj_reader **out_reader);

/* Either bytes in memory, valid until the next call, or a span of a file. */
struct obj_piece {
    str bytes;
    int fd;
    uint64_t file_offset, file_length;
};
/* The next piece on the loop. ERR_PENDING: `ready` will come. ERR_CORRUPT: damage was found,
 * nothing of it was given out. */
enum err obj_reader_next(struct obj_reader *reader, struct obj_piece *out_piece);
/* The client does not take what obj_reader_next gave last, bytes in memory that do not lie
 * inline: the buffer goes to somebody else meanwhile. The last `unsent` of the bytes are read
 * and given again, all of them in the next piece. Not while `ready` is to come. */
void obj_reader_park(struct obj_reader *reader, size_t unsent);
/* All bytes, when they lie in memory already (inline bodies): else the empty str. */
str obj_reader_inline(const struct obj_reader *reader);

/* Gives it up; no callback comes after it. Work that is still running on a worker ends by
 * itself. */
void obj_reader_close(struct obj_reader *reader);

/* For workers (checksums of copies): reads the next bytes, waiting; false flags, no loop needed.
 * ERR_NOT_FOUND at the end. */
enum err obj_reader_read_wait(struct obj_reader *reader, str *out_bytes);
