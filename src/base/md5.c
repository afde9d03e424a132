/* Which code hashes how many. Measured on an EPYC with AVX-512, GB/s in sum with buffers of 1 MiB (gcc -O3): one message by
 * OpenSSL 0.80; 4 messages by SSE2 1.0; 8 by AVX2 1.8; 16 by AVX-512 5.3. Fewer messages than lanes take as long as all lanes
 * would: hence lane_min. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/md5.h"

#include <assert.h>
#include <openssl/md5.h>
#include <string.h>

#include "base/bytes.h"
#include "base/md5_kernel.h"

enum { LENGTH_AT = MD5_BLOCK - 8 };

/* The widest that works; SSE2 always does. */
static const struct md5_kernel *kernel(void)
{
    if (md5_kernel_x16.works())
        return &md5_kernel_x16;
    return md5_kernel_x8.works() ? &md5_kernel_x8 : &md5_kernel_x4;
}

unsigned md5_lane_count(void)
{
    return kernel()->lane_count;
}

unsigned md5_lane_min(void)
{
    return kernel()->lane_min;
}

void md5_init(struct md5 *md5)
{
    *md5 = (struct md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

/* Whole blocks by OpenSSL, whose context is filled as it is between two blocks. */
static void hash_blocks(uint32_t state[MD5_STATE_WORDS], const void *data, size_t len)
{
    MD5_CTX ctx = {.A = state[0], .B = state[1], .C = state[2], .D = state[3]};
    (void)MD5_Update(&ctx, data, len);
    state[0] = ctx.A;
    state[1] = ctx.B;
    state[2] = ctx.C;
    state[3] = ctx.D;
}

/* Fills the tail, and hashes it when that makes it a block. Returns how much it took. */
static size_t tail_add(struct md5 *md5, const uint8_t *data, size_t len)
{
    size_t used = md5->length % MD5_BLOCK, room = MD5_BLOCK - used;
    size_t taken = len < room ? len : room;
    memcpy(md5->tail + used, data, taken);
    md5->length += taken;
    if (taken == room)
        hash_blocks(md5->state, md5->tail, MD5_BLOCK);
    return taken;
}

void md5_update(struct md5 *md5, const void *data, size_t len)
{
    if (len == 0)
        return; /* data may be null */
    const uint8_t *at = data;
    if (md5->length % MD5_BLOCK != 0) {
        size_t taken = tail_add(md5, at, len);
        at += taken;
        len -= taken;
    }
    size_t whole = len - len % MD5_BLOCK;
    if (whole > 0)
        hash_blocks(md5->state, at, whole);
    md5->length += whole;
    if (whole < len)
        (void)tail_add(md5, at + whole, len - whole);
}

void md5_final(struct md5 *md5, uint8_t dst[MD5_SIZE])
{
    size_t used = md5->length % MD5_BLOCK;
    uint8_t end[2 * MD5_BLOCK] = {0};
    memcpy(end, md5->tail, used);
    end[used] = 0x80;
    /* The length in bits takes eight bytes: a second block when they do not fit into the first. */
    size_t size = used < LENGTH_AT ? MD5_BLOCK : 2 * MD5_BLOCK;
    put_le64(end + size - 8, md5->length * 8);
    hash_blocks(md5->state, end, size);
    for (unsigned i = 0; i < MD5_STATE_WORDS; i++)
        put_le32(dst + i * sizeof(uint32_t), md5->state[i]);
}

/* At most as many as there are lanes; those that are not needed hash what another one hashes, for nobody. */
static void hash_side_by_side(const struct md5_kernel *kernel, const struct md5_piece *piece,
                              size_t count, size_t block_count)
{
    uint32_t idle[MD5_LANES_MAX][MD5_STATE_WORDS] = {0};
    uint32_t *state[MD5_LANES_MAX];
    const uint8_t *data[MD5_LANES_MAX];
    for (size_t i = 0; i < kernel->lane_count; i++) {
        state[i] = i < count ? piece[i].md5->state : idle[i];
        data[i] = piece[i < count ? i : 0].data;
    }
    kernel->blocks(state, data, block_count);
}

void md5_update_many(const struct md5_piece *piece, size_t count, size_t len)
{
    const struct md5_kernel *best = kernel();
    assert(len % MD5_BLOCK == 0);
    for (size_t i = 0; i < count; i++)
        assert(piece[i].md5->length % MD5_BLOCK == 0);
    if (len == 0)
        return;
    while (count >= best->lane_min) {
        size_t taken = count < best->lane_count ? count : best->lane_count;
        hash_side_by_side(best, piece, taken, len / MD5_BLOCK);
        for (size_t i = 0; i < taken; i++)
            piece[i].md5->length += len;
        piece += taken;
        count -= taken;
    }
    for (size_t i = 0; i < count; i++)
        md5_update(piece[i].md5, piece[i].data, len);
}
