/* The CRC64NVME register, without the inversions before and after that crc64nvme_update adds. Three ways that give the same
 * value; crc.c picks one, tests compare them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRC64NVME_POLYNOMIAL 0x9a6c9329ac4bc9b5 /* reflected: bit 63 is the coefficient of x^0 */

/* By tables, eight bytes a step: 1.5 GB/s. */
uint64_t crc64_table_update(uint64_t reg, const void *data, size_t len);

/* By carry-less multiplication: above 10 GB/s. Only where crc64_clmul_works. */
bool crc64_clmul_works(void);
uint64_t crc64_clmul_update(uint64_t reg, const void *data, size_t len);

/* The same in wide vectors: above 50 GB/s. Only where crc64_wide_works. */
bool crc64_wide_works(void);
uint64_t crc64_wide_update(uint64_t reg, const void *data, size_t len);
