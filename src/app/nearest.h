/* nearest: "did you mean ...?" for a word that a person mistyped. */
#pragma once

#include "base/str.h"

/* Words longer than this are compared with nothing. */
enum { NEAREST_MAX_LEN = 48 };

/* Letters to add, drop, change or swap with a neighbour until a is b (optimal string alignment); small and capital letters
 * are the same, '-', '_' and '.' too. SIZE_MAX when one of them is longer than NEAREST_MAX_LEN. */
size_t word_distance(str a, str b);

/* Whether `written` is so near to `word` that it may have been meant: at most two letters off, and fewer than half of
 * them. *best holds the least distance so far (start with SIZE_MAX) and is lowered on true. */
bool word_is_nearer(str written, str word, size_t *best);
