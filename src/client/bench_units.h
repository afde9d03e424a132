/* bench_units: sizes and durations as people write and read them. Pure. */
#pragma once

#include "base/arena.h"

/* `4096`, `4KiB`, `4K`, `1.5MiB`, `100MB`: a decimal number with at most three decimals, then B, a binary unit (K, KiB, M,
 * MiB, G, GiB, T, TiB) or a decimal one (KB, MB, GB, TB), in any case. ERR_BAD_INPUT otherwise or when it is no whole
 * number of bytes or passes 2^63 - 1. */
enum err bench_parse_size(str text, uint64_t *out_bytes);

/* `500ms`, `10s`, `1.5s`, `2m`, `1h`, `250us`; a bare number counts seconds. ERR_BAD_INPUT otherwise or above 2^53 us. */
enum err bench_parse_duration(str text, uint64_t *out_us);

/* `4 KiB`, `1.5 MiB`, `100 B`: three figures at most unless the number is whole. In the arena. */
str bench_format_size(struct arena *arena, uint64_t bytes);
/* `87 us`, `1.23 ms`, `12.3 s`. In the arena. */
str bench_format_duration(struct arena *arena, uint64_t us);
