#include "app/settings_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"
#include "codec/toml.h"

/* The file while it is read. */
struct reading {
    str path;
    struct arena *arena;
    struct fail *fail;
    struct settings_file_entry *entry; /* room for SETTINGS_COUNT */
    size_t count;
};

static enum err __attribute__((format(printf, 4, 5)))
bad(struct reading *reading, unsigned line, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str text = arena_vprintf(reading->arena, format, args);
    va_end(args);
    return fail_set(reading->fail, ERR_BAD_ARGUMENT, field, "%.*s:%u: %.*s", STR_ARG(reading->path),
                    line, STR_ARG(text));
}

/* tls.cert is tls_cert. */
static str name_of_key(str key, struct arena *arena)
{
    char *name = arena_alloc(arena, key.len + 1);
    for (size_t i = 0; i < key.len; i++)
        name[i] = key.ptr[i] == '.' ? '_' : key.ptr[i];
    return str_of(name, key.len);
}

/* What a kind of setting is called in a file, for messages. */
static const char *expected_type(const struct setting *row)
{
    switch (row->kind) {
    case SETTING_INTEGER:
        return "a number without quotes";
    case SETTING_BOOLEAN:
        return "true or false without quotes";
    case SETTING_BYTES:
        return "a number or a size in quotes, such as \"64MiB\"";
    case SETTING_DURATION:
        return "a time in quotes, such as \"30s\"";
    case SETTING_ADDRESSES:
    case SETTING_HOSTS:
        return "an array of texts in quotes";
    case SETTING_STRING:
    case SETTING_PATH:
    case SETTING_ENUM:
        return "a text in quotes";
    }
    return "";
}

static bool is_expected_type(const struct setting *row, const struct toml_value *value)
{
    switch (value->kind) {
    case TOML_BOOL:
        return row->kind == SETTING_BOOLEAN;
    case TOML_INTEGER:
        return row->kind == SETTING_INTEGER || row->kind == SETTING_BYTES ||
               (row->kind == SETTING_DURATION && value->integer == 0);
    case TOML_TEXT:
        return row->kind != SETTING_BOOLEAN && row->kind != SETTING_INTEGER;
    case TOML_ARRAY:
        return setting_is_list(row) && (value->item_count == 0 || value->item[0].kind == TOML_TEXT);
    }
    return false;
}

/* The value as text, as it would stand in a flag. */
static struct setting_pieces pieces_of(const struct setting *row, const struct toml_value *value,
                                       struct arena *arena)
{
    str *piece;
    switch (value->kind) {
    case TOML_ARRAY:
        piece = arena_new_array(arena, str, value->item_count);
        for (size_t i = 0; i < value->item_count; i++)
            piece[i] = value->item[i].text;
        return (struct setting_pieces){piece, value->item_count};
    case TOML_TEXT:
        return setting_split(row, value->text, arena);
    case TOML_INTEGER:
        return setting_split(row, arena_printf(arena, "%jd", (intmax_t)value->integer), arena);
    case TOML_BOOL:
        return setting_split(row, value->boolean ? STR("true") : STR("false"), arena);
    }
    return (struct setting_pieces){NULL, 0};
}

static enum err refuse_unknown(struct reading *reading, const struct toml_entry *entry, str name)
{
    const struct setting *near = settings_nearest(name);
    if (near)
        return bad(reading, entry->line, NULL, "\"%.*s\" is not a setting; did you mean \"%s\"?",
                   STR_ARG(entry->key), near->name);
    return bad(reading, entry->line, NULL, "\"%.*s\" is not a setting", STR_ARG(entry->key));
}

static const struct settings_file_entry *find_earlier(const struct reading *reading,
                                                      const struct setting *row)
{
    for (size_t i = 0; i < reading->count; i++) {
        if (reading->entry[i].row == row)
            return &reading->entry[i];
    }
    return NULL;
}

static enum err take_entry(struct reading *reading, const struct toml_entry *entry)
{
    str name = name_of_key(entry->key, reading->arena);
    const struct setting *row = settings_find(name);
    if (!row)
        return refuse_unknown(reading, entry, name);
    if (row->flags & SETTING_NOT_IN_FILE)
        return bad(reading, entry->line, row->name, "%s cannot be set in the file", row->name);
    const struct settings_file_entry *earlier = find_earlier(reading, row);
    if (earlier)
        return bad(reading, entry->line, row->name, "%s was set in line %ju already", row->name,
                   (uintmax_t)earlier->line);
    if (!is_expected_type(row, &entry->value))
        return bad(reading, entry->line, row->name, "%s must be %s", row->name, expected_type(row));
    reading->entry[reading->count++] = (struct settings_file_entry){
        row, pieces_of(row, &entry->value, reading->arena), entry->line};
    return OK;
}

static bool is_readable_by_all(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

static bool holds_secret(const struct reading *reading)
{
    for (size_t i = 0; i < reading->count; i++) {
        if (reading->entry[i].row->flags & SETTING_SECRET)
            return true;
    }
    return false;
}

enum err settings_read_file(str path, struct arena *arena, struct settings_file_entry **out_entry,
                            size_t *out_count, bool *out_exposed, struct fail *fail)
{
    struct reading reading = {.path = path, .arena = arena, .fail = fail};
    const char *terminated = arena_str(arena, path).ptr;
    BUF_SCOPED struct buf content;
    buf_init(&content, TOML_BYTES_MAX);
    enum err err = file_read(AT_FDCWD, terminated, &content);
    if (err != OK)
        return fail_set(fail, err, "config", "the settings file \"%s\" cannot be read: %s",
                        terminated, err_fact(err));
    struct toml_entry *entry;
    size_t count;
    /* The entries point into the document, which must last as long as they do. */
    err = toml_parse(arena, path, arena_str(arena, buf_str(&content)), &entry, &count, fail);
    if (err != OK)
        return fail_set(fail, ERR_BAD_ARGUMENT, "config", "%s: not a settings file", terminated);
    reading.entry = arena_new_array(arena, struct settings_file_entry, SETTINGS_COUNT);
    for (size_t i = 0; i < count; i++)
        TRY(take_entry(&reading, &entry[i]));
    *out_entry = reading.entry;
    *out_count = reading.count;
    *out_exposed = holds_secret(&reading) && is_readable_by_all(terminated);
    return OK;
}
