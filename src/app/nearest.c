#include "app/nearest.h"

enum { FAR = 3 };

static char folded(char c)
{
    return c == '-' || c == '.' ? '_' : char_lower(c);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t word_distance(str a, str b)
{
    size_t cost[NEAREST_MAX_LEN + 1][NEAREST_MAX_LEN + 1];
    if (a.len > NEAREST_MAX_LEN || b.len > NEAREST_MAX_LEN)
        return SIZE_MAX;
    for (size_t i = 0; i <= a.len; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= b.len; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        for (size_t j = 1; j <= b.len; j++) {
            char left = folded(a.ptr[i - 1]), above = folded(b.ptr[j - 1]);
            size_t best = least(cost[i - 1][j - 1] + (left != above),
                                least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && left == folded(b.ptr[j - 2]) && folded(a.ptr[i - 2]) == above)
                best = least(best, cost[i - 2][j - 2] + 1);
            cost[i][j] = best;
        }
    }
    return cost[a.len][b.len];
}

bool word_is_nearer(str written, str word, size_t *best)
{
    size_t distance = word_distance(written, word);
    if (distance >= FAR || distance >= *best || distance * 2 >= word.len)
        return false;
    *best = distance;
    return true;
}
