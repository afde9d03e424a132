#include "admin/prometheus.h"

#include <inttypes.h>

static const char *const type_word[] = {
    [PROM_COUNTER] = "counter", [PROM_GAUGE] = "gauge", [PROM_HISTOGRAM] = "histogram"};

void prom_family(struct buf *out, const char *name, enum prom_type type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type_word[type]);
}

/* The format knows three escapes; a bucket's name cannot hold these characters, a file's reason may. */
static void append_escaped(struct buf *out, str value)
{
    while (value.len) {
        size_t len = str_utf8_len(value);
        char c = value.ptr[0];
        if (len == 0)
            buf_append(out, STR("\xEF\xBF\xBD"));
        else if (c == '\n')
            buf_append(out, STR("\\n"));
        else if (c == '\\' || c == '"')
            buf_append(out, (str){(const char[]){'\\', c}, 2});
        else
            buf_append(out, str_slice(value, 0, len));
        value = str_skip(value, len ? len : 1);
    }
}

static void append_name(struct buf *out, const struct prom_sample *sample)
{
    buf_printf(out, "%s%s", sample->name, sample->suffix ? sample->suffix : "");
    const struct prom_label *label = sample->label;
    if (label && label->name) {
        for (char mark = '{'; label->name; label++, mark = ',') {
            buf_append_char(out, mark);
            buf_printf(out, "%s=\"", label->name);
            append_escaped(out, label->value);
            buf_append_char(out, '"');
        }
        buf_append_char(out, '}');
    }
    buf_append_char(out, ' ');
}

void prom_u64(struct buf *out, const struct prom_sample *sample, uint64_t value)
{
    append_name(out, sample);
    buf_append_u64(out, value);
    buf_append_char(out, '\n');
}

void prom_i64(struct buf *out, const struct prom_sample *sample, int64_t value)
{
    append_name(out, sample);
    buf_printf(out, "%" PRId64 "\n", value);
}

void prom_seconds(struct buf *out, const struct prom_sample *sample, uint64_t value_us)
{
    append_name(out, sample);
    buf_printf(out, "%" PRIu64 ".%06u\n", value_us / 1000000, (unsigned)(value_us % 1000000));
}

void prom_single(struct buf *out, const char *name, enum prom_type type, const char *help,
                 uint64_t value)
{
    prom_family(out, name, type, help);
    prom_u64(out, &(struct prom_sample){.name = name}, value);
}
