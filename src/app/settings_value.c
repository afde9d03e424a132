#include "app/settings_value.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

/* What a parser of one kind gets. */
struct reading {
    const struct setting *row;
    struct setting_pieces pieces;
    struct arena *arena;
    void *member;
    struct fail *fail;
};

struct unit {
    const char *name;
    uint64_t factor;
};

/* From large to small; the formatter takes the first that divides, so binary sizes come back as binary units. */
static const struct unit bytes_unit[] = {
    {"TiB", UINT64_C(1) << 40}, {"GiB", UINT64_C(1) << 30},      {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10}, {"TB", UINT64_C(1000000000000)}, {"GB", UINT64_C(1000000000)},
    {"MB", UINT64_C(1000000)},  {"kB", UINT64_C(1000)},          {"B", 1},
};
static const struct unit duration_unit[] = {
    {"d", UINT64_C(86400000)},
    {"h", UINT64_C(3600000)},
    {"m", UINT64_C(60000)},
    {"s", UINT64_C(1000)},
    {"ms", 1},
};
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static enum err __attribute__((format(printf, 2, 3)))
bad(const struct reading *reading, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str message = arena_vprintf(reading->arena, format, args);
    va_end(args);
    return fail_set(reading->fail, ERR_BAD_ARGUMENT, reading->row->name, "%.*s", STR_ARG(message));
}

static str only_piece(const struct reading *reading)
{
    assert(reading->pieces.count == 1);
    return reading->pieces.piece[0];
}

static bool has_control(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

static enum err check_range(const struct reading *reading, str text, uint64_t number)
{
    const struct setting *row = reading->row;
    if (number >= row->min && number <= row->max)
        return OK;
    str least = setting_format_number(row->kind, row->min, reading->arena);
    str most = setting_format_number(row->kind, row->max, reading->arena);
    return bad(reading, "\"%.*s\" is out of range; allowed are %.*s to %.*s", STR_ARG(text),
               STR_ARG(least), STR_ARG(most));
}

static enum err parse_string(const struct reading *reading)
{
    str text = only_piece(reading);
    const struct setting *row = reading->row;
    /* Quotes nothing: this may be a secret. */
    if (has_control(text) || !str_is_utf8(text))
        return bad(reading, "the value must be UTF-8 without control characters");
    if (text.len < row->min || text.len > row->max)
        return bad(reading, "the value has %zu characters; allowed are %ju to %ju", text.len,
                   (uintmax_t)row->min, (uintmax_t)row->max);
    *(str *)reading->member = arena_str(reading->arena, text);
    return OK;
}

static enum err parse_path(const struct reading *reading)
{
    str text = only_piece(reading);
    if (text.len == 0)
        return bad(reading, "the path is empty");
    if (has_control(text))
        return bad(reading, "the path must not have control characters");
    *(str *)reading->member = arena_str(reading->arena, text);
    return OK;
}

static enum err parse_integer(const struct reading *reading)
{
    str text = only_piece(reading);
    uint64_t number;
    if (str_to_u64(text, &number) != OK)
        return bad(reading, "\"%.*s\" is not a number", STR_ARG(text));
    TRY(check_range(reading, text, number));
    *(uint64_t *)reading->member = number;
    return OK;
}

static const struct unit *find_unit(const struct unit *unit, size_t count, str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(name, str_from(unit[i].name)))
            return &unit[i];
    }
    return NULL;
}

/* Digits, an optional space, and a unit. Without a unit *out_unit is null and *out_number what the digits say. */
static bool parse_with_unit(str text, const struct unit *unit, size_t count,
                            const struct unit **out_unit, uint64_t *out_number)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    uint64_t number;
    if (str_to_u64(str_slice(text, 0, digits), &number) != OK)
        return false;
    str rest = str_skip(text, digits);
    *out_unit = NULL;
    if (rest.len > 0) {
        *out_unit = find_unit(unit, count, str_trim(rest));
        if (!*out_unit || __builtin_mul_overflow(number, (*out_unit)->factor, &number))
            return false;
    }
    *out_number = number;
    return true;
}

static enum err parse_bytes(const struct reading *reading)
{
    str text = only_piece(reading);
    const struct unit *unit;
    uint64_t number;
    if (!parse_with_unit(text, bytes_unit, COUNT_OF(bytes_unit), &unit, &number))
        return bad(reading,
                   "\"%.*s\" is not a size; write digits and a unit (kB, MB, "
                   "GB, TB, KiB, MiB, GiB, TiB)",
                   STR_ARG(text));
    TRY(check_range(reading, text, number));
    *(uint64_t *)reading->member = number;
    return OK;
}

static enum err parse_duration(const struct reading *reading)
{
    str text = only_piece(reading);
    const struct unit *unit;
    uint64_t number;
    bool good = parse_with_unit(text, duration_unit, COUNT_OF(duration_unit), &unit, &number);
    /* A bare number would be read as seconds by one person and as milliseconds by another. */
    if (!good || (!unit && number != 0))
        return bad(reading, "\"%.*s\" is not a duration; write digits and a unit (ms, s, m, h, d)",
                   STR_ARG(text));
    TRY(check_range(reading, text, number));
    *(int64_t *)reading->member = (int64_t)number;
    return OK;
}

static enum err parse_boolean(const struct reading *reading)
{
    static const struct {
        str word;
        bool value;
    } words[] = {
        {STR_INIT("true"), true}, {STR_INIT("false"), false}, {STR_INIT("yes"), true},
        {STR_INIT("no"), false},  {STR_INIT("on"), true},     {STR_INIT("off"), false},
        {STR_INIT("1"), true},    {STR_INIT("0"), false},
    };
    str text = only_piece(reading);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_eq_nocase(text, words[i].word)) {
            *(bool *)reading->member = words[i].value;
            return OK;
        }
    }
    return bad(reading, "\"%.*s\" is not allowed; allowed are true and false", STR_ARG(text));
}

static enum err parse_enum(const struct reading *reading)
{
    const struct setting *row = reading->row;
    str text = only_piece(reading);
    for (size_t i = 0; i < row->choice_count; i++) {
        const struct setting_choice *choice = &row->choice[i];
        if (str_eq(text, str_from(choice->word)) ||
            (choice->other && str_eq(text, str_from(choice->other)))) {
            int value = (int)i;
            memcpy(reading->member, &value, sizeof(value));
            return OK;
        }
    }
    return bad(reading, "\"%.*s\" is not allowed; allowed are %.*s", STR_ARG(text),
               STR_ARG(setting_choices(row, reading->arena)));
}

/* Letters, digits, dashes and dots; no empty label, none longer than 63, 253 in all (RFC 1123, 2.1). */
static bool is_host_name(str text)
{
    size_t label = 0;
    if (text.len == 0 || text.len > 253)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool inner = c == '-' && label > 0 && i + 1 < text.len && text.ptr[i + 1] != '.';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c == '.' && label > 0)
            label = 0;
        else if ((letter || inner) && label < 63)
            label++;
        else
            return false;
    }
    return label > 0;
}

static bool is_digits_and_dots(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '.' && (text.ptr[i] < '0' || text.ptr[i] > '9'))
            return false;
    }
    return true;
}

static bool is_ip(int family, str text)
{
    char terminated[INET6_ADDRSTRLEN];
    struct in6_addr address; /* large enough for both families */
    if (text.len >= sizeof(terminated))
        return false;
    memcpy(terminated, text.ptr, text.len);
    terminated[text.len] = '\0';
    return inet_pton(family, terminated, &address) == 1;
}

/* host:port, [v6]:port or :port. */
static bool parse_address(str text, struct settings_address *out)
{
    str host, port;
    uint64_t number;
    if (text.len > 0 && text.ptr[0] == '[') {
        if (!str_cut(str_skip(text, 1), ']', &host, &port) || !is_ip(AF_INET6, host))
            return false;
        if (port.len == 0 || port.ptr[0] != ':')
            return false;
        port = str_skip(port, 1);
    } else {
        if (!str_cut(text, ':', &host, &port))
            return false;
        bool good =
            host.len == 0 || (is_digits_and_dots(host) ? is_ip(AF_INET, host) : is_host_name(host));
        if (!good)
            return false;
    }
    if (port.len > 5 || str_to_u64(port, &number) != OK || number > UINT16_MAX)
        return false;
    *out = (struct settings_address){.host = host, .port = (uint16_t)number};
    return true;
}

static enum err check_count(const struct reading *reading)
{
    const struct setting *row = reading->row;
    if (reading->pieces.count >= row->min && reading->pieces.count <= row->max)
        return OK;
    return bad(reading, "%zu given; allowed are %ju to %ju", reading->pieces.count,
               (uintmax_t)row->min, (uintmax_t)row->max);
}

static enum err parse_addresses(const struct reading *reading)
{
    struct setting_pieces pieces = reading->pieces;
    struct reading counted = *reading;
    if (reading->row->min == 0 && pieces.count == 1 && str_eq(pieces.piece[0], STR("off")))
        counted.pieces.count = pieces.count = 0;
    TRY(check_count(&counted));
    struct settings_address *address =
        arena_new_array(reading->arena, struct settings_address, pieces.count);
    for (size_t i = 0; i < pieces.count; i++) {
        if (!parse_address(pieces.piece[i], &address[i]))
            return bad(reading,
                       "\"%.*s\" is not an address; write host:port, such as "
                       "127.0.0.1:9000 or [::1]:9000",
                       STR_ARG(pieces.piece[i]));
        address[i].host = arena_str(reading->arena, address[i].host);
    }
    *(struct settings_addresses *)reading->member =
        (struct settings_addresses){address, pieces.count};
    return OK;
}

static enum err parse_hosts(const struct reading *reading)
{
    struct setting_pieces pieces = reading->pieces;
    TRY(check_count(reading));
    str *host = arena_new_array(reading->arena, str, pieces.count);
    for (size_t i = 0; i < pieces.count; i++) {
        if (!is_host_name(pieces.piece[i]))
            return bad(reading, "\"%.*s\" is not a host name", STR_ARG(pieces.piece[i]));
        host[i] = arena_lower(reading->arena, pieces.piece[i]);
    }
    *(struct settings_hosts *)reading->member = (struct settings_hosts){host, pieces.count};
    return OK;
}

static enum err (*const parse_kind[])(const struct reading *) = {
    [SETTING_STRING] = parse_string,     [SETTING_PATH] = parse_path,
    [SETTING_INTEGER] = parse_integer,   [SETTING_BYTES] = parse_bytes,
    [SETTING_DURATION] = parse_duration, [SETTING_BOOLEAN] = parse_boolean,
    [SETTING_ENUM] = parse_enum,         [SETTING_ADDRESSES] = parse_addresses,
    [SETTING_HOSTS] = parse_hosts,
};

enum err setting_parse(const struct setting *row, struct setting_pieces pieces, struct arena *arena,
                       struct settings *out, struct fail *fail)
{
    struct reading reading = {row, pieces, arena, (char *)out + row->offset, fail};
    if (!setting_is_list(row) && pieces.count != 1)
        return bad(&reading, "one value is expected, not a list");
    return parse_kind[row->kind](&reading);
}

struct setting_pieces setting_split(const struct setting *row, str text, struct arena *arena)
{
    size_t count = 1, at = 0;
    if (setting_is_list(row) && str_trim(text).len == 0)
        return (struct setting_pieces){NULL, 0};
    for (size_t i = 0; setting_is_list(row) && i < text.len; i++)
        count += text.ptr[i] == ',';
    str *piece = arena_new_array(arena, str, count);
    if (!setting_is_list(row)) {
        piece[0] = text;
        return (struct setting_pieces){piece, 1};
    }
    for (bool more = true; more; at++) {
        more = str_cut(text, ',', &piece[at], &text);
        piece[at] = str_trim(piece[at]);
    }
    assert(at == count);
    return (struct setting_pieces){piece, count};
}

str setting_format_number(enum setting_kind kind, uint64_t number, struct arena *arena)
{
    const struct unit *unit = kind == SETTING_DURATION ? duration_unit : bytes_unit;
    size_t count = kind == SETTING_DURATION ? COUNT_OF(duration_unit) : COUNT_OF(bytes_unit);
    if (number == 0 || (kind != SETTING_DURATION && kind != SETTING_BYTES))
        return arena_printf(arena, "%ju", (uintmax_t)number);
    for (size_t i = 0; i < count; i++) {
        if (number % unit[i].factor == 0)
            return arena_printf(arena, "%ju%s", (uintmax_t)(number / unit[i].factor), unit[i].name);
    }
    return arena_printf(arena, "%ju", (uintmax_t)number);
}

static str format_addresses(const struct settings_addresses *addresses, struct arena *arena)
{
    str text = STR("");
    for (size_t i = 0; i < addresses->count; i++) {
        const struct settings_address *address = &addresses->address[i];
        bool v6 = str_find_char(address->host, ':') >= 0;
        text = arena_printf(arena, "%.*s%s%s%.*s%s:%u", STR_ARG(text), i ? "," : "", v6 ? "[" : "",
                            STR_ARG(address->host), v6 ? "]" : "", (unsigned)address->port);
    }
    return text;
}

static str format_hosts(const struct settings_hosts *hosts, struct arena *arena)
{
    str text = STR("");
    for (size_t i = 0; i < hosts->count; i++)
        text =
            arena_printf(arena, "%.*s%s%.*s", STR_ARG(text), i ? "," : "", STR_ARG(hosts->host[i]));
    return text;
}

static str format_enum(const struct setting *row, const void *member)
{
    int value;
    memcpy(&value, member, sizeof(value));
    assert(value >= 0 && (size_t)value < row->choice_count);
    return str_from(row->choice[value].word);
}

str setting_format(const struct setting *row, const struct settings *settings, struct arena *arena)
{
    const void *member = (const char *)settings + row->offset;
    switch (row->kind) {
    case SETTING_STRING:
    case SETTING_PATH:
        return *(const str *)member;
    case SETTING_INTEGER:
    case SETTING_BYTES:
        return setting_format_number(row->kind, *(const uint64_t *)member, arena);
    case SETTING_DURATION:
        return setting_format_number(row->kind, (uint64_t) * (const int64_t *)member, arena);
    case SETTING_BOOLEAN:
        return *(const bool *)member ? STR("true") : STR("false");
    case SETTING_ENUM:
        return format_enum(row, member);
    case SETTING_ADDRESSES:
        return format_addresses(member, arena);
    case SETTING_HOSTS:
        return format_hosts(member, arena);
    }
    return STR("");
}

str setting_choices(const struct setting *row, struct arena *arena)
{
    str text = STR("");
    for (size_t i = 0; i < row->choice_count; i++) {
        const char *joint = i == 0 ? "" : i + 1 == row->choice_count ? " and " : ", ";
        text = arena_printf(arena, "%.*s%s%s", STR_ARG(text), joint, row->choice[i].word);
    }
    return text;
}

bool setting_is_equal(const struct setting *row, const struct settings *a, const struct settings *b,
                      struct arena *arena)
{
    return str_eq(setting_format(row, a, arena), setting_format(row, b, arena));
}
