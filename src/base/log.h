/* The program's log: one line an event, JSON or text, to standard error or a file. The only mutable global of the
 * libraries. Libraries log at debug level only; programs, the request runner and the job loops log the rest, once.
 *
 * Thread-safe: a line is one write(2). A file to log to should be opened with O_APPEND, so that lines never overlap. */
#pragma once

#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* A field of an event. Made by the macros below. */
struct log_field {
    const char *name;
    enum { LOG_FIELD_STR, LOG_FIELD_U64, LOG_FIELD_I64 } kind;
    str text;
    uint64_t number;
};
#define LOG_STR(name_, value_)                                                                     \
    ((struct log_field){.name = (name_), .kind = LOG_FIELD_STR, .text = (value_)})
#define LOG_U64(name_, value_)                                                                     \
    ((struct log_field){.name = (name_), .kind = LOG_FIELD_U64, .number = (uint64_t)(value_)})
#define LOG_I64(name_, value_)                                                                     \
    ((struct log_field){.name = (name_), .kind = LOG_FIELD_I64, .number = (uint64_t)(value_)})

void log_configure(enum log_level level, enum log_format format, int fd);
bool log_wants(enum log_level level);

/* log_event(LOG_WARN, "settings", "a value lost to another", LOG_STR("name", ...), ...); area is a short word. The message and
 * the fields are one argument list, so that there may be no field at all. */
#define log_event(level, area, ...)                                                                \
    do {                                                                                           \
        if (log_wants(level))                                                                      \
            log_write((level), (area), LOG_FIRST_(__VA_ARGS__, 0),                                 \
                      (const struct log_field[]){LOG_REST_(__VA_ARGS__, (struct log_field){0})});  \
    } while (0)
#define LOG_FIRST_(first, ...) (first)
#define LOG_REST_(first, ...) __VA_ARGS__
/* `field` ends with a row whose name is null. */
void log_write(enum log_level level, const char *area, const char *message,
               const struct log_field *field);
