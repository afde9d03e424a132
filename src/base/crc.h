/* Cyclic redundancy checks, by carry-less multiplication where the processor has it. Each takes the value so far (0 to
 * begin) and returns the new one, in the plain form that is stored and sent.
 *
 * crc_combine_* give the check of A||B from crc(A), crc(B) and the length of B, in time log(length): how S3 computes
 * FULL_OBJECT checksums of multipart uploads without reading the parts. */
#pragma once

#include "base/str.h"

/* ISO-HDLC: zlib, gzip; Castagnoli: RFC 3720; NVM Express: "123456789" gives ae8b14860a799888. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t len);
uint32_t crc32c_update(uint32_t crc, const void *data, size_t len);
uint64_t crc64nvme_update(uint64_t crc, const void *data, size_t len);

uint32_t crc32_combine(uint32_t a, uint32_t b, uint64_t len_b);
uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t len_b);
uint64_t crc64nvme_combine(uint64_t a, uint64_t b, uint64_t len_b);
