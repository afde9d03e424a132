#include "client/bench_units.h"

#include "client/bench_random.h"

enum { DECIMALS_MAX = 3, THOUSANDTHS = 1000 };

struct unit {
    str name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {STR_INIT(""), 1},
    {STR_INIT("B"), 1},
    {STR_INIT("K"), UINT64_C(1) << 10},
    {STR_INIT("KiB"), UINT64_C(1) << 10},
    {STR_INIT("KB"), 1000},
    {STR_INIT("M"), UINT64_C(1) << 20},
    {STR_INIT("MiB"), UINT64_C(1) << 20},
    {STR_INIT("MB"), 1000 * 1000},
    {STR_INIT("G"), UINT64_C(1) << 30},
    {STR_INIT("GiB"), UINT64_C(1) << 30},
    {STR_INIT("GB"), UINT64_C(1000) * 1000 * 1000},
    {STR_INIT("T"), UINT64_C(1) << 40},
    {STR_INIT("TiB"), UINT64_C(1) << 40},
    {STR_INIT("TB"), UINT64_C(1000) * 1000 * 1000 * 1000},
};

static const struct unit duration_units[] = {
    {STR_INIT(""), 1000 * 1000},
    {STR_INIT("us"), 1},
    {STR_INIT("ms"), 1000},
    {STR_INIT("s"), 1000 * 1000},
    {STR_INIT("m"), 60 * 1000 * 1000},
    {STR_INIT("h"), UINT64_C(3600) * 1000 * 1000},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(str text)
{
    size_t count = 0;
    while (count < text.len && is_digit(text.ptr[count]))
        count++;
    return count;
}

/* Reads the number at the front in thousandths and moves *text behind it. */
static enum err take_thousandths(str *text, bench_wide *out_thousandths)
{
    size_t digits = count_digits(*text);
    uint64_t whole;
    TRY(str_to_u64(str_slice(*text, 0, digits), &whole));
    str rest = str_skip(*text, digits);

    uint64_t fraction = 0;
    if (str_has_prefix(rest, STR("."))) {
        str decimals = str_skip(rest, 1);
        decimals.len = count_digits(decimals);
        if (decimals.len > DECIMALS_MAX)
            return ERR_BAD_INPUT;
        TRY(str_to_u64(decimals, &fraction));
        for (size_t i = decimals.len; i < DECIMALS_MAX; i++)
            fraction *= 10;
        rest = str_skip(rest, 1 + decimals.len);
    }
    *text = rest;
    *out_thousandths = (bench_wide)whole * THOUSANDTHS + fraction;
    return OK;
}

/* A number and a unit of the table. The product has 128 bits, in which nothing overflows, so only the result is bounded. */
static enum err parse_with_units(str text, const struct unit *unit, size_t count, uint64_t *out)
{
    bench_wide thousandths;
    TRY(take_thousandths(&text, &thousandths));
    for (size_t i = 0; i < count; i++) {
        if (!str_eq_nocase(text, unit[i].name))
            continue;
        bench_wide product = thousandths * unit[i].factor;
        if (product % THOUSANDTHS != 0 || product / THOUSANDTHS > INT64_MAX)
            return ERR_BAD_INPUT;
        *out = (uint64_t)(product / THOUSANDTHS);
        return OK;
    }
    return ERR_BAD_INPUT;
}

enum err bench_parse_size(str text, uint64_t *out_bytes)
{
    return parse_with_units(text, size_units, sizeof(size_units) / sizeof(size_units[0]),
                            out_bytes);
}

enum err bench_parse_duration(str text, uint64_t *out_us)
{
    uint64_t us;
    TRY(parse_with_units(text, duration_units, sizeof(duration_units) / sizeof(duration_units[0]),
                         &us));
    if (us > UINT64_C(1) << 53)
        return ERR_BAD_INPUT;
    *out_us = us;
    return OK;
}

/* `value` with as many decimals as give three figures, and none when it is whole. */
static str format_scaled(struct arena *arena, double value, const char *unit)
{
    bool is_whole = value < 1e15 && (double)(uint64_t)value == value;
    int decimals = is_whole || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    return arena_printf(arena, "%.*f %s", decimals, value, unit);
}

str bench_format_size(struct arena *arena, uint64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t i = 0;
    while (value >= 1024 && i + 1 < sizeof(names) / sizeof(names[0])) {
        value /= 1024;
        i++;
    }
    return format_scaled(arena, value, names[i]);
}

str bench_format_duration(struct arena *arena, uint64_t us)
{
    if (us < 1000)
        return format_scaled(arena, (double)us, "us");
    if (us < 1000 * 1000)
        return format_scaled(arena, (double)us / 1000, "ms");
    return format_scaled(arena, (double)us / (1000 * 1000), "s");
}
