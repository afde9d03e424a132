#include "app/settings_load.h"

#include <stdarg.h>
#include <string.h>

#include "app/settings_file.h"
#include "app/settings_value.h"

/* What one source says about one setting. */
struct offer {
    bool given;
    struct setting_pieces pieces;
    str where;
};

enum { WARNINGS_MAX = 4 * SETTINGS_COUNT };

struct loading {
    const struct settings_input *input;
    struct arena *arena;
    struct fail *fail;
    struct offer offer[SETTINGS_COUNT][SETTINGS_SOURCES];
    str *warning;
    size_t warning_count;
};

/* More than WARNINGS_MAX come only from flags that are repeated over and over; the rest says nothing new. */
static void __attribute__((format(printf, 2, 3)))
warn(struct loading *loading, const char *format, ...)
{
    if (loading->warning_count == WARNINGS_MAX)
        return;
    va_list args;
    va_start(args, format);
    loading->warning[loading->warning_count++] = arena_vprintf(loading->arena, format, args);
    va_end(args);
}

static enum err __attribute__((format(printf, 3, 4)))
bad(struct loading *loading, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str message = arena_vprintf(loading->arena, format, args);
    va_end(args);
    return fail_set(loading->fail, ERR_BAD_ARGUMENT, field, "%.*s", STR_ARG(message));
}

/* "; did you mean X?" or nothing. */
static str suggestion(const struct setting *row,
                      str (*form)(const struct setting *, struct arena *), struct arena *arena)
{
    if (!row)
        return STR("");
    return arena_printf(arena, "; did you mean %.*s?", STR_ARG(form(row, arena)));
}

static bool same_pieces(struct setting_pieces a, struct setting_pieces b)
{
    if (a.count != b.count)
        return false;
    for (size_t i = 0; i < a.count; i++) {
        if (!str_eq(a.piece[i], b.piece[i]))
            return false;
    }
    return true;
}

static struct setting_pieces join_pieces(struct arena *arena, struct setting_pieces a,
                                         struct setting_pieces b)
{
    str *piece = arena_new_array(arena, str, mem_size_add(a.count, b.count));
    for (size_t i = 0; i < a.count; i++)
        piece[i] = a.piece[i];
    for (size_t i = 0; i < b.count; i++)
        piece[a.count + i] = b.piece[i];
    return (struct setting_pieces){piece, a.count + b.count};
}

/* A flag that is given again: lists grow, of other kinds the last one counts. */
static void offer_flag(struct loading *loading, const struct setting *row, str where, str value)
{
    struct offer *offer = &loading->offer[settings_id(row)][SETTINGS_FROM_FLAG];
    struct setting_pieces pieces = setting_split(row, value, loading->arena);
    if (offer->given && setting_is_list(row))
        pieces = join_pieces(loading->arena, offer->pieces, pieces);
    else if (offer->given && !same_pieces(offer->pieces, pieces))
        warn(loading, "%s is given more than once: the first %.*s is not used, the last one counts",
             row->name, STR_ARG(offer->where));
    *offer = (struct offer){.given = true, .pieces = pieces, .where = where};
}

static enum err read_flag(struct loading *loading, size_t *at)
{
    const struct settings_input *input = loading->input;
    str whole = str_from(input->argument[*at]), flag, value;
    if (!str_has_prefix(whole, STR("--")))
        return bad(loading, NULL, "\"%.*s\" is not a setting; settings begin with \"--\"",
                   STR_ARG(whole));
    bool has_value = str_cut(str_skip(whole, 2), '=', &flag, &value);
    str where = arena_str(loading->arena, str_slice(whole, 0, flag.len + 2));
    const struct setting *row = settings_find_flag(flag);
    if (!row)
        return bad(loading, NULL, "%.*s is not a setting%.*s", STR_ARG(where),
                   STR_ARG(suggestion(settings_nearest(flag), settings_flag, loading->arena)));
    if (!has_value && row->kind == SETTING_BOOLEAN) {
        value = STR("true");
    } else if (!has_value) {
        if (*at + 1 == input->argument_count ||
            str_has_prefix(str_from(input->argument[*at + 1]), STR("--")))
            return bad(loading, row->name, "%.*s needs a value", STR_ARG(where));
        value = str_from(input->argument[++*at]);
    }
    offer_flag(loading, row, where, value);
    return OK;
}

static enum err read_flags(struct loading *loading)
{
    for (size_t at = 0; at < loading->input->argument_count; at++)
        TRY(read_flag(loading, &at));
    return OK;
}

/* The value of a variable, or false. An empty variable counts as not set: that is what compose files and unit files
 * make of a variable that nobody filled in. */
static bool find_variable(const struct loading *loading, str name, str *out_value)
{
    for (const char *const *entry = loading->input->environment; *entry; entry++) {
        str key, value;
        if (str_cut(str_from(*entry), '=', &key, &value) && str_eq(key, name) && value.len > 0) {
            *out_value = value;
            return true;
        }
    }
    return false;
}

static void offer_variable(struct loading *loading, const struct setting *row, str name)
{
    struct offer *offer = &loading->offer[settings_id(row)][SETTINGS_FROM_ENVIRONMENT];
    str value;
    if (!find_variable(loading, name, &value))
        return;
    struct setting_pieces pieces = setting_split(row, value, loading->arena);
    if (!offer->given)
        *offer = (struct offer){.given = true, .pieces = pieces, .where = name};
    else if (!same_pieces(offer->pieces, pieces))
        warn(loading, "%s: %.*s is not used, because %.*s is set", row->name, STR_ARG(name),
             STR_ARG(offer->where));
}

/* Not settings, and no typing errors: what Kubernetes gives every container about a service called pail, and what the
 * client commands read, which is often set in the same shell. */
static bool is_of_others(str name)
{
    return str_eq(name, STR("PAIL_PORT")) || str_has_prefix(name, STR("PAIL_PORT_")) ||
           str_has_prefix(name, STR("PAIL_SERVICE_")) || str_eq(name, STR("PAIL_ENDPOINT"));
}

static bool is_known_variable(const struct setting *row, str name, struct arena *arena)
{
    str rest = str_from(row->env_aliases), alias;
    while (rest.len > 0) {
        (void)str_cut(rest, ' ', &alias, &rest);
        if (str_eq(alias, name))
            return true;
    }
    return str_eq(name, settings_variable(row, arena));
}

static enum err refuse_unknown_variables(struct loading *loading)
{
    for (const char *const *entry = loading->input->environment; *entry; entry++) {
        str name, value;
        bool known = false;
        if (!str_cut(str_from(*entry), '=', &name, &value) || !str_has_prefix(name, STR("PAIL_")) ||
            is_of_others(name))
            continue;
        for (size_t i = 0; i < SETTINGS_COUNT && !known; i++)
            known = is_known_variable(&settings_table[i], name, loading->arena);
        if (known)
            continue;
        const struct setting *near = settings_nearest(str_skip(name, strlen("PAIL_")));
        return bad(loading, NULL, "the environment's %.*s is not a setting%.*s", STR_ARG(name),
                   STR_ARG(suggestion(near, settings_variable, loading->arena)));
    }
    return OK;
}

static enum err read_environment(struct loading *loading)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        str rest = str_from(row->env_aliases), alias;
        offer_variable(loading, row, settings_variable(row, loading->arena));
        while (rest.len > 0) {
            (void)str_cut(rest, ' ', &alias, &rest);
            offer_variable(loading, row, alias);
        }
    }
    return refuse_unknown_variables(loading);
}

static enum err read_file(struct loading *loading, str path)
{
    struct settings_file_entry *entry;
    size_t count;
    bool exposed;
    TRY(settings_read_file(path, loading->arena, &entry, &count, &exposed, loading->fail));
    for (size_t i = 0; i < count; i++) {
        str where =
            arena_printf(loading->arena, "%.*s:%ju", STR_ARG(path), (uintmax_t)entry[i].line);
        loading->offer[settings_id(entry[i].row)][SETTINGS_FROM_FILE] =
            (struct offer){.given = true, .pieces = entry[i].pieces, .where = where};
    }
    if (exposed)
        warn(loading, "%.*s holds a secret and every user of this machine can read it",
             STR_ARG(path));
    return OK;
}

/* Parses what one source offers into *out; a bad value is told with its place. */
static enum err parse_offer(struct loading *loading, const struct setting *row,
                            const struct offer *offer, struct settings *out)
{
    struct fail inner = {0};
    enum err err = setting_parse(row, offer->pieces, loading->arena, out, &inner);
    if (err == OK)
        return OK;
    return fail_set(loading->fail, err, row->name, "%.*s: %s: %s", STR_ARG(offer->where), row->name,
                    inner.detail);
}

static void warn_of_loss(struct loading *loading, const struct setting *row, str loser, str winner)
{
    warn(loading, "%s: the value from %.*s is not used, because %.*s stands before it", row->name,
         STR_ARG(loser), STR_ARG(winner));
}

/* Goes through the sources of one setting from the strongest to the weakest; the first one that speaks has the word. */
static enum err settle(struct loading *loading, const struct setting *row,
                       struct settings_loaded *out)
{
    enum setting_id id = settings_id(row);
    const struct offer *winner = NULL;
    for (int source = SETTINGS_SOURCES - 1; source >= 0; source--) {
        const struct offer *offer = &loading->offer[id][source];
        struct settings other = out->values;
        if (!offer->given)
            continue;
        TRY(parse_offer(loading, row, offer, &other));
        if (!winner) {
            winner = offer;
            out->values = other;
            out->origin[id] = (struct settings_origin){(enum settings_source)source, offer->where};
        } else if (source != SETTINGS_FROM_DEFAULT &&
                   !setting_is_equal(row, &out->values, &other, loading->arena)) {
            warn_of_loss(loading, row, offer->where, winner->where);
        }
    }
    if (!winner)
        out->origin[id] = (struct settings_origin){SETTINGS_FROM_DEFAULT, STR("not set")};
    return OK;
}

static void offer_defaults(struct loading *loading)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        if (!row->default_text)
            continue;
        loading->offer[i][SETTINGS_FROM_DEFAULT] = (struct offer){
            .given = true,
            .pieces = setting_split(row, str_from(row->default_text), loading->arena),
            .where = STR("default")};
    }
}

enum err settings_load(const struct settings_input *input, struct arena *arena,
                       struct settings_loaded *out, struct fail *fail)
{
    struct loading *loading = arena_new_of(arena, struct loading);
    struct settings_loaded *loaded = arena_new_of(arena, struct settings_loaded);
    loading->input = input;
    loading->arena = arena;
    loading->fail = fail;
    loading->warning = arena_new_array(arena, str, WARNINGS_MAX);
    offer_defaults(loading);
    TRY(read_flags(loading));
    TRY(read_environment(loading));
    TRY(settle(loading, &settings_table[SETTING_ID_config], loaded));
    if (loaded->values.config.len > 0)
        TRY(read_file(loading, loaded->values.config));
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (i != SETTING_ID_config)
            TRY(settle(loading, &settings_table[i], loaded));
    }
    TRY(settings_check(&loaded->values, fail));
    loaded->warning = loading->warning;
    loaded->warning_count = loading->warning_count;
    *out = *loaded;
    return OK;
}

/* Copies one row's member. The table has no sizes; a kind has one. */
static size_t member_size(enum setting_kind kind)
{
    switch (kind) {
    case SETTING_STRING:
    case SETTING_PATH:
        return sizeof(str);
    case SETTING_INTEGER:
    case SETTING_BYTES:
    case SETTING_DURATION:
        return sizeof(uint64_t);
    case SETTING_BOOLEAN:
        return sizeof(bool);
    case SETTING_ENUM:
        return sizeof(int);
    case SETTING_ADDRESSES:
        return sizeof(struct settings_addresses);
    case SETTING_HOSTS:
        return sizeof(struct settings_hosts);
    }
    return 0;
}

const str *settings_take_reloadable(struct settings_loaded *current,
                                    const struct settings_loaded *fresh, struct arena *arena,
                                    size_t *out_count)
{
    str *sentence = arena_new_array(arena, str, SETTINGS_COUNT);
    size_t count = 0;
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        if (setting_is_equal(row, &current->values, &fresh->values, arena))
            continue;
        if (!(row->flags & SETTING_RELOAD)) {
            sentence[count++] =
                arena_printf(arena, "%s has changed in %.*s; the new value needs a restart",
                             row->name, STR_ARG(fresh->origin[i].where));
            continue;
        }
        memcpy((char *)&current->values + row->offset, (const char *)&fresh->values + row->offset,
               member_size(row->kind));
        current->origin[i] = fresh->origin[i];
    }
    *out_count = count;
    return sentence;
}
