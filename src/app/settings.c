#include "app/settings.h"

#include <string.h>

#include "app/nearest.h"
#include "iam/keys.h"

/* The words of each ENUM setting, by value. */
#define CHOICE(enumerator, word_, other_) [enumerator] = {.word = (word_), .other = (other_)},
static const struct setting_choice choices_engine[] = {SETTINGS_engine(CHOICE)};
static const struct setting_choice choices_log_level[] = {SETTINGS_log_level(CHOICE)};
static const struct setting_choice choices_log_format[] = {SETTINGS_log_format(CHOICE)};
static const struct setting_choice choices_verify_reads[] = {SETTINGS_verify_reads(CHOICE)};

/* ENUM members are written through an int. */
_Static_assert(sizeof(enum settings_engine) == sizeof(int), "an enum is an int");

#define MEMBER_STRING(name) name
#define MEMBER_PATH(name) name
#define MEMBER_INTEGER(name) name
#define MEMBER_BYTES(name) name##_bytes
#define MEMBER_DURATION(name) name##_ms
#define MEMBER_BOOLEAN(name) name
#define MEMBER_ENUM(name) name
#define MEMBER_ADDRESSES(name) name
#define MEMBER_HOSTS(name) name

#define CHOICES_STRING(name)
#define CHOICES_PATH(name)
#define CHOICES_INTEGER(name)
#define CHOICES_BYTES(name)
#define CHOICES_DURATION(name)
#define CHOICES_BOOLEAN(name)
#define CHOICES_ENUM(name)                                                                         \
    .choice = choices_##name, .choice_count = sizeof(choices_##name) / sizeof(choices_##name[0]),
#define CHOICES_ADDRESSES(name)
#define CHOICES_HOSTS(name)

#define ANY .min = 0, .max = UINT64_MAX
#define BETWEEN(least, most) .min = (least), .max = (most)
#define PLAIN SETTING_PLAIN
#define SECRET SETTING_SECRET
#define RELOAD SETTING_RELOAD
#define NOT_IN_FILE SETTING_NOT_IN_FILE

#define SETTING(section_, name_, KIND, default_, limits, flags_, flag_aliases_, env_aliases_,      \
                help_)                                                                             \
    [SETTING_ID_##name_] = {.section = (section_),                                                 \
                            .name = #name_,                                                        \
                            .kind = SETTING_##KIND,                                                \
                            .offset = offsetof(struct settings, MEMBER_##KIND(name_)),             \
                            .default_text = (default_),                                            \
                            limits,                                                                \
                            .flags = (flags_),                                                     \
                            .flag_aliases = (flag_aliases_),                                       \
                            .env_aliases = (env_aliases_),                                         \
                            .help = (help_),                                                       \
                            CHOICES_##KIND(name_)},

const struct setting settings_table[SETTINGS_COUNT] = {
#include "app/settings.def"
};

const struct setting *settings_find(str name)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (str_eq(name, str_from(settings_table[i].name)))
            return &settings_table[i];
    }
    return NULL;
}

/* Whether a flag (data-dir) is a name (data_dir) with dashes. */
static bool is_flag_of(str flag, const char *name)
{
    if (flag.len != strlen(name))
        return false;
    for (size_t i = 0; i < flag.len; i++) {
        if (flag.ptr[i] != (name[i] == '_' ? '-' : name[i]))
            return false;
    }
    return true;
}

static bool has_word(const char *words, str word)
{
    str rest = str_from(words), head;
    while (rest.len > 0) {
        (void)str_cut(rest, ' ', &head, &rest);
        if (str_eq(head, word))
            return true;
    }
    return false;
}

const struct setting *settings_find_flag(str flag)
{
    if (flag.len == 0)
        return NULL;
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        if (is_flag_of(flag, row->name) || has_word(row->flag_aliases, flag))
            return row;
    }
    return NULL;
}

str settings_flag(const struct setting *row, struct arena *arena)
{
    size_t len = strlen(row->name);
    char *text = arena_alloc(arena, len + 2);
    text[0] = text[1] = '-';
    for (size_t i = 0; i < len; i++)
        text[i + 2] = row->name[i] == '_' ? '-' : row->name[i];
    return str_of(text, len + 2);
}

str settings_variable(const struct setting *row, struct arena *arena)
{
    static const str prefix = STR_INIT("PAIL_");
    size_t len = strlen(row->name);
    char *text = arena_alloc(arena, prefix.len + len);
    memcpy(text, prefix.ptr, prefix.len);
    for (size_t i = 0; i < len; i++) {
        char c = row->name[i];
        text[prefix.len + i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return str_of(text, prefix.len + len);
}

const struct setting *settings_nearest(str written)
{
    const struct setting *nearest = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (word_is_nearer(written, str_from(settings_table[i].name), &best))
            nearest = &settings_table[i];
    }
    return nearest;
}

static enum err check_root_keys(const struct settings *settings, struct fail *fail)
{
    if (settings->access_key.len == 0 && settings->secret_key.len == 0)
        return OK;
    if (settings->secret_key.len == 0)
        return fail_set(fail, ERR_BAD_ARGUMENT, "secret_key",
                        "access_key is set and secret_key is not");
    if (settings->access_key.len == 0)
        return fail_set(fail, ERR_BAD_ARGUMENT, "access_key",
                        "secret_key is set and access_key is not");
    if (!access_key_id_is_valid(settings->access_key))
        return fail_set(fail, ERR_BAD_ARGUMENT, "access_key",
                        "access_key must be printable ASCII without space, comma and slash");
    if (!access_key_secret_is_valid(settings->secret_key))
        return fail_set(fail, ERR_BAD_ARGUMENT, "secret_key", "secret_key must be printable ASCII");
    return OK;
}

enum err settings_check(const struct settings *settings, struct fail *fail)
{
    if (settings->engine == SETTING_ENGINE_LOCAL && settings->data_dir.len == 0)
        return fail_set(fail, ERR_BAD_ARGUMENT, "data_dir",
                        "no data folder; say where the data shall be: --data-dir DIR");
    if (settings->tls_cert.len > 0 && settings->tls_key.len == 0)
        return fail_set(fail, ERR_BAD_ARGUMENT, "tls_key", "tls_cert is set and tls_key is not");
    if (settings->tls_key.len > 0 && settings->tls_cert.len == 0)
        return fail_set(fail, ERR_BAD_ARGUMENT, "tls_cert", "tls_key is set and tls_cert is not");
    return check_root_keys(settings, fail);
}
