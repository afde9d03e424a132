/* A name and a value: a header field, a query parameter, a metadata entry. Borrowed. */
#pragma once

#include "base/str.h"

struct pair {
    str name;
    str value;
};

/* The first pair with that name, or null. */
const struct pair *pair_find(const struct pair *pair, size_t count, str name);
const struct pair *pair_find_nocase(const struct pair *pair, size_t count, str name);
