/* Any text as a date: the three forms of HTTP, ISO 8601, and that of x-amz-date.
 *
 * What must hold: a date that was read is written as one that is read alike. */
#include "fuzz.h"

#include "base/clock.h"

/* A leap second or a zone can lead out of the years 0 to 9999, which the formats clamp. */
static bool is_formattable(int64_t ms)
{
    return ms >= INT64_C(-62167219200000) && ms < INT64_C(253402300800000);
}

struct form {
    enum err (*parse)(str text, int64_t *out_ms);
    str (*format)(int64_t real_ms, char dst[CLOCK_TEXT_MAX]);
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct form forms[] = {{clock_parse_http, clock_format_http},
                                        {clock_parse_iso, clock_format_iso},
                                        {clock_parse_amz, clock_format_amz}};
    str text = fuzz_input(data, size);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char formatted[CLOCK_TEXT_MAX];
        int64_t ms, again;
        if (forms[i].parse(text, &ms) != OK || !is_formattable(ms))
            continue;
        FUZZ_CHECK(forms[i].parse(forms[i].format(ms, formatted), &again) == OK);
        FUZZ_CHECK(again == ms);
    }
    return 0;
}
