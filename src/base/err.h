/* Error values. One enum for the whole program, made from err.def; zero is success.
 *
 * Functions that can fail return `enum err`, and the compiler refuses a dropped result. Outputs are set on success
 * and untouched on failure. Errors are values: no longjmp, no exit below src/app, no logging in libraries.
 */
#pragma once

enum [[nodiscard]] err{OK = 0,
#define ERR(name, fact) ERR_##name,
#include "base/err.def"
#undef ERR
                       ERR_COUNT};

/* The row's name ("NO_SUCH_KEY") and its short fact ("the key does not exist"); static strings. */
const char *err_name(enum err err);
const char *err_fact(enum err err);

/* Translates an errno: ENOSPC and EDQUOT to ERR_NO_SPACE, ENOMEM to ERR_NO_MEMORY, EROFS to ERR_READ_ONLY,
 * ENOENT to ERR_NOT_FOUND, EEXIST to ERR_EXISTS, EAGAIN to ERR_WOULD_BLOCK, EMFILE and ENFILE to ERR_UNAVAILABLE, everything
 * else to ERR_IO. */
enum err err_translate_errno(int number);
static inline enum err err_from_errno(int number)
{
    enum err err = err_translate_errno(number);
    /* Never OK. The compiler must know it too, or it sees outputs that are not set on a success that cannot be. */
    if (err == OK)
        __builtin_unreachable();
    return err;
}

/* Returns from the enclosing function when `expression` is an error. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum err try_err_ = (expression);                                                          \
        if (try_err_ != OK)                                                                        \
            return try_err_;                                                                       \
    } while (0)
