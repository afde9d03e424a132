/* settings: what the server can be told, as one table of rows (settings.def) and one struct made from it.
 *
 * This header is the table: the values, their rows, and finding a row by name. settings_value.h turns text into values,
 * settings_load.h gathers them from flags, environment and file, settings_text.h shows them to people.
 *
 * To read a setting, take the struct's member: settings.listen, settings.head_timeout_ms, settings.io_buffers_bytes.
 * Everything that a struct settings points to belongs to the arena that it was loaded into. */
#pragma once

#include "base/arena.h"
#include "base/fail.h"
#include "base/str.h"

/* The words of each ENUM setting: X(enumerator, word, other word that is taken as well or null). */
#define SETTINGS_engine(X)                                                                         \
    X(SETTING_ENGINE_LOCAL, "local", "fs")                                                         \
    X(SETTING_ENGINE_MEM, "mem", NULL)
#define SETTINGS_log_level(X)                                                                      \
    X(SETTING_LOG_ERROR, "error", NULL)                                                            \
    X(SETTING_LOG_WARN, "warn", "warning")                                                         \
    X(SETTING_LOG_INFO, "info", NULL)                                                              \
    X(SETTING_LOG_DEBUG, "debug", NULL)
#define SETTINGS_log_format(X)                                                                     \
    X(SETTING_FORMAT_AUTO, "auto", NULL)                                                           \
    X(SETTING_FORMAT_TEXT, "text", NULL)                                                           \
    X(SETTING_FORMAT_JSON, "json", NULL)
#define SETTINGS_verify_reads(X)                                                                   \
    X(SETTING_VERIFY_ALWAYS, "always", NULL)                                                       \
    X(SETTING_VERIFY_SCRUB, "scrub", NULL)

#define SETTINGS_ENUMERATOR(enumerator, word, other) enumerator,
enum settings_engine { SETTINGS_engine(SETTINGS_ENUMERATOR) };
enum settings_log_level {
    SETTINGS_log_level(SETTINGS_ENUMERATOR)
}; /* in the order of enum log_level */
enum settings_log_format { SETTINGS_log_format(SETTINGS_ENUMERATOR) };
enum settings_verify_reads { SETTINGS_verify_reads(SETTINGS_ENUMERATOR) };
#undef SETTINGS_ENUMERATOR

/* host:port. The host is a name, an IPv4 address, an IPv6 address without its brackets, or empty for every address of
 * the machine. Port 0: a free one. */
struct settings_address {
    str host;
    uint16_t port;
};
struct settings_addresses {
    const struct settings_address *address;
    size_t count;
};
struct settings_hosts {
    const str *host; /* in lower case */
    size_t count;
};

#define SETTINGS_MEMBER_STRING(name) str name;
#define SETTINGS_MEMBER_PATH(name) str name;
#define SETTINGS_MEMBER_INTEGER(name) uint64_t name;
#define SETTINGS_MEMBER_BYTES(name) uint64_t name##_bytes;
#define SETTINGS_MEMBER_DURATION(name) int64_t name##_ms;
#define SETTINGS_MEMBER_BOOLEAN(name) bool name;
#define SETTINGS_MEMBER_ENUM(name) enum settings_##name name;
#define SETTINGS_MEMBER_ADDRESSES(name) struct settings_addresses name;
#define SETTINGS_MEMBER_HOSTS(name) struct settings_hosts name;

/* One member a row. A STRING or PATH that is not set is empty; one that is set is followed by a zero byte, which
 * is not counted, and holds no other. */
struct settings {
#define SETTING(section, name, KIND, ...) SETTINGS_MEMBER_##KIND(name)
#include "app/settings.def"
#undef SETTING
};

enum setting_id {
#define SETTING(section, name, ...) SETTING_ID_##name,
#include "app/settings.def"
#undef SETTING
    SETTINGS_COUNT
};

enum setting_kind {
    SETTING_STRING,
    SETTING_PATH,
    SETTING_INTEGER,
    SETTING_BYTES,
    SETTING_DURATION,
    SETTING_BOOLEAN,
    SETTING_ENUM,
    SETTING_ADDRESSES,
    SETTING_HOSTS,
};

enum setting_flags {
    SETTING_PLAIN = 0,
    SETTING_SECRET = 1 << 0,      /* shown as stars */
    SETTING_RELOAD = 1 << 1,      /* SIGHUP takes a new value over */
    SETTING_NOT_IN_FILE = 1 << 2, /* a flag or the environment only */
};

struct setting_choice {
    const char *word;
    const char *other; /* null, or a second word for the same */
};

/* A row of the table. */
struct setting {
    const char *section;
    const char *name; /* data_dir; the flag is --data-dir, the variable PAIL_DATA_DIR */
    enum setting_kind kind;
    size_t offset;            /* of its member in struct settings */
    const char *default_text; /* null: not set */
    uint64_t min, max;
    enum setting_flags flags;
    const char *flag_aliases; /* separated by spaces, without "--" */
    const char *env_aliases;  /* separated by spaces */
    const char *help;
    const struct setting_choice *choice; /* ENUM: its words, by value; else null */
    size_t choice_count;
};

/* The rows, by enum setting_id. */
extern const struct setting settings_table[SETTINGS_COUNT];

/* The row of that name, or null. The name is written as in a file: data_dir. */
const struct setting *settings_find(str name);
/* The row of that flag, own name or alias, or null. Without "--": data-dir. */
const struct setting *settings_find_flag(str flag);
/* The row's flag, --data-dir, and its variable, PAIL_DATA_DIR. */
str settings_flag(const struct setting *row, struct arena *arena);
str settings_variable(const struct setting *row, struct arena *arena);

/* The row whose name is nearest to what was written (app/nearest.h), or null when nothing is near. */
const struct setting *settings_nearest(str written);

static inline enum setting_id settings_id(const struct setting *row)
{
    return (enum setting_id)(row - settings_table);
}

/* What rows say together, after each has been read: a folder for the local engine, certificate with key, access key with
 * secret. ERR_BAD_ARGUMENT with the setting in fail->field. */
enum err settings_check(const struct settings *settings, struct fail *fail);
