/* bench_request: the heads of requests, signed. A head depends on operation and key alone while the clock says the same
 * few minutes, so heads of the first keys are kept and sent again: then a request costs a copy. The others are made anew.
 *
 * One maker per thread. Content-Length stands outside the signature (S3 asks for host and x-amz-* only), so a kept head
 * is right for every body of its key. */
#pragma once

#include "base/buf.h"
#include "client/bench_content.h"
#include "client/bench_plan.h"

enum {
    BENCH_HEAD_REQUEST_MAX = 16 * 1024,
    BENCH_KEPT_KEYS = 32768,           /* heads are kept for indices below, each about 450 bytes */
    BENCH_KEPT_FOR_MS = 5 * 60 * 1000, /* a third of what S3 allows clocks to differ */
};

struct bench_maker;

/* Borrows both. */
struct bench_maker *bench_maker_new(const struct bench_options *options,
                                    const struct bench_content *content);
void bench_maker_free(struct bench_maker *maker); /* null is allowed */

/* Appends the head of the request, its last empty line included. now_ms is the wall clock. Errors are those of
 * sigv4_sign_headers; ERR_TOO_LARGE when the head passes the buffer's cap. */
enum err bench_maker_head(struct bench_maker *maker, struct bench_choice choice, int64_t now_ms,
                          struct buf *out);

/* Whether it is about an object, not about a bucket. */
bool bench_op_has_key(enum bench_op op);

/* Bytes of the body that follows the head. */
uint64_t bench_body_size(const struct bench_options *options, struct bench_choice choice);
