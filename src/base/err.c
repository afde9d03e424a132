#include "base/err.h"

#include <assert.h>
#include <errno.h>

static const struct {
    const char *name;
    const char *fact;
} row[ERR_COUNT] = {
    [OK] = {"OK", "success"},
#define ERR(name, fact) [ERR_##name] = {#name, fact},
#include "base/err.def"
#undef ERR
};

const char *err_name(enum err err)
{
    assert((unsigned)err < ERR_COUNT);
    return row[err].name;
}

const char *err_fact(enum err err)
{
    assert((unsigned)err < ERR_COUNT);
    return row[err].fact;
}

enum err err_translate_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EROFS:
        return ERR_READ_ONLY;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EAGAIN:
        return ERR_WOULD_BLOCK;
    case EMFILE:
    case ENFILE:
        return ERR_UNAVAILABLE;
    default:
        return ERR_IO;
    }
}
