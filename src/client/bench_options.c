#include "client/bench_options.h"

#include <stddef.h>
#include <unistd.h>

#include "base/buf.h"
#include "client/bench_units.h"

enum option_kind {
    OPTION_FLAG,
    OPTION_STR,
    OPTION_NUMBER,
    OPTION_SIZE,
    OPTION_SIZES,
    OPTION_DURATION,
    OPTION_MIX,
};

struct option {
    const char *section;
    str flag;
    enum option_kind kind;
    size_t offset;
    const char *value_name;
    const char *default_text;
    str environment;
    const char *help;
};

static const struct option options_table[] = {
#define OPTION(section_, flag_, kind_, member_, value_, default_, environment_, help_)             \
    {section_, STR_INIT(flag_), OPTION_##kind_,         offsetof(struct bench_options, member_),   \
     value_,   default_,        STR_INIT(environment_), help_},
#include "client/bench_options.def"
#undef OPTION
};

enum { OPTIONS_COUNT = sizeof(options_table) / sizeof(options_table[0]), FLAG_COLUMN = 26 };

static const str op_names[BENCH_OP_COUNT] = {
    [BENCH_PUT] = STR_INIT("put"),
    [BENCH_GET] = STR_INIT("get"),
    [BENCH_HEAD] = STR_INIT("head"),
    [BENCH_LIST] = STR_INIT("list"),
    [BENCH_DELETE] = STR_INIT("delete"),
    [BENCH_MAKE_BUCKET] = STR_INIT("make-bucket"),
    [BENCH_DROP_BUCKET] = STR_INIT("drop-bucket"),
};

str bench_op_name(enum bench_op op)
{
    return op_names[op];
}

/* BENCH_OP_COUNT when it is none that can be asked for. */
static enum bench_op find_user_op(str name)
{
    for (enum bench_op op = BENCH_PUT; op < (enum bench_op)BENCH_USER_OP_COUNT; op++) {
        if (str_eq(name, op_names[op]))
            return op;
    }
    return BENCH_OP_COUNT;
}

/* ---- Values ---- */

static enum err parse_sizes(str text, uint64_t *out_min_max)
{
    str low, high;
    bool is_range = str_cut(text, '-', &low, &high);
    uint64_t min, max;
    TRY(bench_parse_size(low, &min));
    max = min;
    if (is_range)
        TRY(bench_parse_size(high, &max));
    if (min > max || max > BENCH_SIZE_MAX)
        return ERR_BAD_INPUT;
    out_min_max[0] = min;
    out_min_max[1] = max;
    return OK;
}

/* `get=70,put=30`: each operation at most once, weights 1 to 1000000. */
static enum err parse_mix(str text, unsigned *out_weight)
{
    unsigned weight[BENCH_OP_COUNT] = {0};
    do {
        str item, name, number;
        (void)str_cut(text, ',', &item, &text);
        if (!str_cut(item, '=', &name, &number))
            return ERR_BAD_INPUT;
        enum bench_op op = find_user_op(name);
        uint64_t value;
        TRY(str_to_u64(number, &value));
        if (op == BENCH_OP_COUNT || weight[op] || value < 1 || value > 1000 * 1000)
            return ERR_BAD_INPUT;
        weight[op] = (unsigned)value;
    } while (text.len);
    for (size_t i = 0; i < BENCH_OP_COUNT; i++)
        out_weight[i] = weight[i];
    return OK;
}

_Static_assert(offsetof(struct bench_options, size_max) ==
                   offsetof(struct bench_options, size_min) + sizeof(uint64_t),
               "a range is read into two members that follow each other");

static enum err set_value(const struct option *option, str text, struct bench_options *options)
{
    void *member = (char *)options + option->offset;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)member = true;
        return OK;
    case OPTION_STR:
        *(str *)member = text;
        return OK;
    case OPTION_NUMBER:
        return str_to_u64(text, member);
    case OPTION_SIZE:
        return bench_parse_size(text, member);
    case OPTION_SIZES:
        return parse_sizes(text, member);
    case OPTION_DURATION:
        return bench_parse_duration(text, member);
    case OPTION_MIX:
        return parse_mix(text, member);
    }
    return ERR_INTERNAL;
}

static enum err apply(const struct option *option, str text, struct bench_options *options,
                      struct fail *fail)
{
    if (set_value(option, text, options) == OK)
        return OK;
    return fail_set(fail, ERR_BAD_INPUT, option->flag.ptr,
                    "--%.*s: \"%.*s\" is not a valid value (%s)", STR_ARG(option->flag),
                    STR_ARG(text), option->help);
}

static enum err apply_defaults(const char *(*env)(const char *name), struct arena *arena,
                               struct bench_options *options, struct fail *fail)
{
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        const struct option *option = &options_table[i];
        const char *value = NULL;
        str names = option->environment;
        while (names.len && !(value && value[0])) {
            str name;
            (void)str_cut(names, ' ', &name, &names);
            value = env(arena_str(arena, name).ptr);
        }
        if (!(value && value[0]))
            value = option->default_text;
        if (value)
            TRY(apply(option, str_from(value), options, fail));
    }
    return OK;
}

/* ---- Words ---- */

static const struct option *find_option(str flag)
{
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        if (str_eq(options_table[i].flag, flag))
            return &options_table[i];
    }
    return NULL;
}

/* One `--flag`, `--flag value` or `--flag=value` at word[0]; *out_used is the number of words. */
static enum err take_flag(const char *const *word, size_t count, struct bench_options *options,
                          size_t *out_used, struct fail *fail)
{
    str flag, value;
    bool has_value = str_cut(str_skip(str_from(word[0]), 2), '=', &flag, &value);
    const struct option *option = find_option(flag);
    if (!option)
        return fail_set(fail, ERR_BAD_INPUT, NULL, "there is no option \"--%.*s\"", STR_ARG(flag));
    *out_used = 1;
    if (option->kind == OPTION_FLAG) {
        if (has_value)
            return fail_set(fail, ERR_BAD_INPUT, NULL, "--%.*s takes no value", STR_ARG(flag));
    } else if (!has_value) {
        if (count < 2)
            return fail_set(fail, ERR_BAD_INPUT, NULL, "--%.*s needs a value", STR_ARG(flag));
        value = str_from(word[1]);
        *out_used = 2;
    }
    return apply(option, value, options, fail);
}

static enum err take_words(const char *const *word, size_t count, struct bench_options *options,
                           struct fail *fail)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i += used) {
        str text = str_from(word[i]);
        if (str_eq(text, STR("-h"))) {
            options->help = true;
            used = 1;
        } else if (str_has_prefix(text, STR("--"))) {
            TRY(take_flag(word + i, count - i, options, &used, fail));
        } else if (!options->operation.len) {
            options->operation = text;
            used = 1;
        } else {
            return fail_set(fail, ERR_BAD_INPUT, NULL, "unexpected word \"%.*s\"", STR_ARG(text));
        }
    }
    return OK;
}

/* ---- Checks across options ---- */

struct bound {
    const char *flag;
    size_t offset;
    uint64_t least, most;
};

static enum err check_bounds(const struct bench_options *options, struct fail *fail)
{
    static const struct bound bounds[] = {
        {"objects", offsetof(struct bench_options, objects), 1, BENCH_OBJECTS_MAX},
        {"folders", offsetof(struct bench_options, folders), 0, 100 * 1000},
        {"max-keys", offsetof(struct bench_options, max_keys), 1, 1000},
        {"concurrency", offsetof(struct bench_options, concurrency), 1, BENCH_CONCURRENCY_MAX},
        {"threads", offsetof(struct bench_options, threads), 1, BENCH_THREADS_MAX},
        {"rate", offsetof(struct bench_options, rate), 0, 100 * 1000 * 1000},
        {"duration", offsetof(struct bench_options, duration_us), 1, UINT64_C(1) << 53},
        {"timeout", offsetof(struct bench_options, timeout_us), 1000, UINT64_C(1) << 53},
    };
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        const struct bound *bound = &bounds[i];
        uint64_t value = *(const uint64_t *)((const char *)options + bound->offset);
        if (value < bound->least || value > bound->most)
            return fail_set(fail, ERR_BAD_INPUT, bound->flag,
                            "--%s is outside its limits, %llu to %llu", bound->flag,
                            (unsigned long long)bound->least, (unsigned long long)bound->most);
    }
    return OK;
}

/* What goes into a request line as it stands must hold no byte that ends it. */
static bool is_plain_path(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '?' || c == '#')
            return false;
    }
    return true;
}

static bool is_plain_name(str text)
{
    return is_plain_path(text) && text.len && str_find_char(text, '/') < 0;
}

static enum err check_names(const struct bench_options *options, struct fail *fail)
{
    if (!is_plain_name(options->bucket))
        return fail_set(fail, ERR_BAD_INPUT, "bucket", "\"%.*s\" is no bucket name",
                        STR_ARG(options->bucket));
    if (!is_plain_path(options->path_prefix))
        return fail_set(fail, ERR_BAD_INPUT, "path-prefix",
                        "the path prefix holds a space or control character");
    /* The prefix is encoded before it goes on the wire, so only its length counts: a key has 1024 bytes at most. */
    if (options->prefix.len > 900)
        return fail_set(fail, ERR_BAD_INPUT, "prefix", "the prefix is longer than 900 bytes");
    if (!options->no_sign && (!options->access_key.len || !options->secret_key.len))
        return fail_set(
            fail, ERR_BAD_INPUT, "access-key",
            "an access key and a secret key are needed (--access-key and --secret-key, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or --no-sign");
    return OK;
}

static enum err resolve_operation(struct bench_options *options, struct fail *fail)
{
    if (str_eq(options->operation, STR("mixed")))
        return OK;
    enum bench_op op = find_user_op(options->operation);
    if (op == BENCH_OP_COUNT)
        return fail_set(fail, ERR_BAD_INPUT, NULL,
                        "say what to do: put, get, head, list, delete or mixed");
    for (size_t i = 0; i < BENCH_OP_COUNT; i++)
        options->weight[i] = i == op;
    return OK;
}

static void resolve_threads(struct bench_options *options)
{
    if (!options->threads) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        options->threads = cores < 4 ? 1 : cores < 8 ? (uint64_t)cores / 2 : 4;
    }
    if (options->threads > options->concurrency)
        options->threads = options->concurrency;
}

enum err bench_options_parse(const char *const *word, size_t count,
                             const char *(*env)(const char *name), struct arena *arena,
                             struct bench_options *out, struct fail *fail)
{
    struct bench_options options = {0};
    TRY(apply_defaults(env, arena, &options, fail));
    TRY(take_words(word, count, &options, fail));
    if (options.help) {
        *out = (struct bench_options){.help = true};
        return OK;
    }
    TRY(resolve_operation(&options, fail));
    TRY(endpoint_parse(options.endpoint_text, &options.endpoint, fail));
    if (options.endpoint.is_tls)
        return fail_set(fail, ERR_BAD_INPUT, "endpoint",
                        "https is not served by the bench; put a TLS proxy between, or use http");
    resolve_threads(&options);
    TRY(check_bounds(&options, fail));
    TRY(check_names(&options, fail));
    *out = options;
    return OK;
}

/* ---- Help ---- */

static void append_option(struct arena *arena, struct buf *out, const struct option *option)
{
    bool has_value = option->value_name[0] != '\0';
    str left = arena_printf(arena, "  --%.*s%s%s", STR_ARG(option->flag), has_value ? " " : "",
                            option->value_name);
    buf_printf(out, "%-*.*s  %s", FLAG_COLUMN, STR_ARG(left), option->help);
    if (option->default_text)
        buf_printf(out, " [%s]", option->default_text);
    buf_append_char(out, '\n');
    if (option->environment.len)
        buf_printf(out, "%*s  environment: %.*s\n", FLAG_COLUMN, "", STR_ARG(option->environment));
}

str bench_options_help(struct arena *arena)
{
    struct buf out BUF_SCOPED;
    buf_init(&out, 64 * 1024);
    buf_append(&out, STR("pail bench put|get|head|list|delete|mixed [options]\n"
                         "\n"
                         "Loads an S3 service and prints rates and latencies. Ends with 1 when a "
                         "request failed,\n"
                         "with 2 when the options are wrong. Unless told otherwise it makes the "
                         "bucket, puts the\n"
                         "objects that the operation needs and leaves both behind.\n"));
    const char *section = "";
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        const struct option *option = &options_table[i];
        if (!str_eq(str_from(section), str_from(option->section)))
            buf_printf(&out, "\n%s\n", option->section);
        section = option->section;
        append_option(arena, &out, option);
    }
    return arena_str(arena, buf_str(&out));
}
