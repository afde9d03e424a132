/* prometheus: the text format that Prometheus reads, version 0.0.4 ("Exposition formats" in its documentation). Appends to a
 * buffer; whoever owns it checks the buffer's error once at the end. */
#pragma once

#include "base/buf.h"

enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The lines that begin a family; its samples follow without another family's between them. `help` is one line. */
void prom_family(struct buf *out, const char *name, enum prom_type type, const char *help);

struct prom_label {
    const char *name; /* ends the list when null */
    str value;        /* any bytes; what is not UTF-8 becomes U+FFFD */
};
/* One sample. `suffix` is "" or "_bucket", "_sum", "_count" of a histogram; `label` ends with a row whose name is null, or is
 * null. */
struct prom_sample {
    const char *name, *suffix;
    const struct prom_label *label;
};
void prom_u64(struct buf *out, const struct prom_sample *sample, uint64_t value);
void prom_i64(struct buf *out, const struct prom_sample *sample, int64_t value);
/* A number of microseconds as seconds with a fraction, exactly. */
void prom_seconds(struct buf *out, const struct prom_sample *sample, uint64_t value_us);

/* A family of one sample without labels. */
void prom_single(struct buf *out, const char *name, enum prom_type type, const char *help,
                 uint64_t value);
