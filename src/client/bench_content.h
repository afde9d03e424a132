/* bench_content: the bytes of the bench's objects, known from key index and offset alone, so that they need be neither
 * stored nor made per request: every object reads the same block of random bytes in a circle, from a start of its own.
 *
 * The circle's length is a prime: two stretches of an object that lie a multiple of a block or page apart never hold the
 * same bytes, so a server that swaps, repeats or loses blocks is found out. The block does not compress.
 *
 * Made once, then read by all threads. */
#pragma once

#include "base/str.h"

struct bench_content;

/* The same seed gives the same bytes, in every run and on every machine. */
struct bench_content *bench_content_new(uint64_t seed);
void bench_content_free(struct bench_content *content); /* null is allowed */

enum { BENCH_CONTENT_PERIOD = 1048573 };

/* The object's bytes from `offset` on, at most `max` and at most BENCH_CONTENT_PERIOD of them; at least one unless max
 * is 0. Borrowed from the content. */
str bench_content_at(const struct bench_content *content, uint64_t index, uint64_t offset,
                     uint64_t max);

/* Whether `bytes` are what the object holds at `offset`. */
bool bench_content_matches(const struct bench_content *content, uint64_t index, uint64_t offset,
                           str bytes);
