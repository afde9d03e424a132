/* struct fail: what a person should be told about an error, gathered on the way up. The innermost function that knows
 * appends; whoever owns the request or the job logs it, once. Text is bounded and cut with "..." when it is longer. */
#pragma once

#include "base/str.h"

struct fail {
    enum err code;
    char field[64];   /* the offending header, parameter or setting; may be empty */
    char detail[256]; /* what happened, with quoted values; may be empty */
};

/* Sets all three (field may be null) and gives code, so that a caller can write `return fail_set(...)`. A null fail is
 * allowed. The first detail wins: a later call changes the code but keeps the text that is there. A macro, so that the
 * compiler sees that what comes out is what went in, and does not take a failure for a success without outputs. */
#define fail_set(fail, code, field, ...)                                                           \
    __extension__({                                                                                \
        enum err fail_code_ = (code);                                                              \
        fail_write((fail), fail_code_, (field), __VA_ARGS__);                                      \
        fail_code_;                                                                                \
    })
void fail_write(struct fail *fail, enum err code, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
