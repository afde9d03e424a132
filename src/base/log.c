#include "base/log.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/fd.h"

/* A longer line loses its last fields and says so with a field of its own. */
enum { LINE_MAX_BYTES = 16384, MESSAGE_MAX_BYTES = 2048, CUT_MARK_BYTES = 32 };

static atomic_int current_level = LOG_INFO;
static atomic_int current_format = LOG_TEXT;
static atomic_int current_fd = STDERR_FILENO;

void log_configure(enum log_level level, enum log_format format, int fd)
{
    atomic_store(&current_level, (int)level);
    atomic_store(&current_format, (int)format);
    atomic_store(&current_fd, fd);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

static const char *const level_name[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

static str clipped(const char *message)
{
    str s = str_from(message);
    return s.len > MESSAGE_MAX_BYTES ? str_slice(s, 0, MESSAGE_MAX_BYTES) : s;
}

static void append_quoted(struct buf *line, str text)
{
    buf_append_char(line, '"');
    json_escape(line, text);
    buf_append_char(line, '"');
}

static void append_value(struct buf *line, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_FIELD_STR:
        append_quoted(line, field->text);
        return;
    case LOG_FIELD_U64:
        buf_append_u64(line, field->number);
        return;
    case LOG_FIELD_I64:
        buf_printf(line, "%lld", (long long)field->number);
        return;
    }
}

static void append_field(struct buf *line, enum log_format format, const struct log_field *field)
{
    if (format == LOG_JSON) {
        buf_append_char(line, ',');
        append_quoted(line, str_from(field->name));
        buf_append_char(line, ':');
    } else {
        buf_append_char(line, ' ');
        buf_append(line, str_from(field->name));
        buf_append_char(line, '=');
    }
    append_value(line, field);
}

static void append_head(struct buf *line, enum log_format format, enum log_level level,
                        const char *area, const char *message)
{
    char time[CLOCK_TEXT_MAX];
    str now = clock_format_iso(clock_real_ms(), time);
    if (format == LOG_JSON) {
        buf_printf(line, "{\"time\":\"%.*s\",\"level\":\"%s\",\"area\":", STR_ARG(now),
                   level_name[level]);
        append_quoted(line, str_from(area));
        buf_append(line, STR(",\"message\":"));
        append_quoted(line, clipped(message));
    } else {
        buf_printf(line, "%.*s %-5s %s: ", STR_ARG(now), level_name[level], area);
        json_escape(line, clipped(message));
    }
}

/* Whole fields only: one that does not fit is taken back, and the line says that something is missing. */
static void append_fields(struct buf *line, enum log_format format, const struct log_field *field)
{
    static const struct log_field cut = {.name = "cut", .kind = LOG_FIELD_U64, .number = 1};
    for (; field->name; field++) {
        size_t len = line->len;
        append_field(line, format, field);
        if (buf_err(line) == OK && line->len <= LINE_MAX_BYTES - CUT_MARK_BYTES)
            continue;
        line->failure = OK;
        line->len = len;
        append_field(line, format, &cut);
        return;
    }
}

void log_write(enum log_level level, const char *area, const char *message,
               const struct log_field *field)
{
    enum log_format format = (enum log_format)atomic_load(&current_format);
    BUF_SCOPED struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    append_head(&line, format, level, area, message);
    append_fields(&line, format, field);
    buf_append(&line, format == LOG_JSON ? STR("}\n") : STR("\n"));
    /* There is nobody left to tell when the log itself cannot be written. */
    (void)fd_write_full(atomic_load(&current_fd), line.ptr, line.len);
}
