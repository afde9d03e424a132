#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Ends a text that was cut at size - 1 bytes with "...", in front of a character that would be halved. */
static void mark_cut(char *text, size_t size)
{
    size_t at = size - 4;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    memcpy(text + at, "...", 4);
}

static void __attribute__((format(printf, 3, 0)))
write_text(char *dst, size_t size, const char *format, va_list args)
{
    int len = vsnprintf(dst, size, format, args);
    if (len < 0)
        dst[0] = '\0';
    else if ((size_t)len >= size)
        mark_cut(dst, size);
}

static void __attribute__((format(printf, 3, 4)))
write_field(char *dst, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_text(dst, size, format, args);
    va_end(args);
}

void fail_write(struct fail *fail, enum err code, const char *field, const char *format, ...)
{
    if (!fail)
        return;
    fail->code = code;
    if (fail->detail[0])
        return;
    va_list args;
    va_start(args, format);
    write_text(fail->detail, sizeof(fail->detail), format, args);
    va_end(args);
    if (field)
        write_field(fail->field, sizeof(fail->field), "%s", field);
}
