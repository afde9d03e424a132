/* SipHash-1-3: a keyed 64-bit hash for tables in memory. Nobody who does not know the key can choose strings that
 * collide. Not a checksum and not for anything that is stored: the key is another one in every process. */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t siphash13(const uint64_t key[2], const void *data, size_t len);
