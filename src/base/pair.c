#include "base/pair.h"

const struct pair *pair_find(const struct pair *pair, size_t count, str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(pair[i].name, name))
            return &pair[i];
    return NULL;
}

const struct pair *pair_find_nocase(const struct pair *pair, size_t count, str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(pair[i].name, name))
            return &pair[i];
    return NULL;
}
