/* Randomness from the kernel. rand_bytes is fit for secrets; it never fails (the process ends if the kernel refuses). */
#pragma once

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *dst, size_t len);
uint64_t rand_u64(void);
