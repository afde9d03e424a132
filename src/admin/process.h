/* process: what the system knows of this process, under the names that Prometheus' own clients use. */
#pragma once

#include "base/buf.h"

/* Appends process_* families. Reads /proc; worker. What cannot be read is left out. */
void process_write(struct buf *out);

struct process_memory {
    uint64_t resident_bytes, virtual_bytes;
};
/* ERR_IO or ERR_CORRUPT when /proc does not tell. */
enum err process_memory(struct process_memory *out);
