#include "base/siphash.h"

#include "base/bytes.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

/* The last word: what is left of the data, and the length's low byte on top. */
static inline uint64_t last_word(const uint8_t *tail, size_t len)
{
    uint64_t word = (uint64_t)len << 56;
    for (size_t i = 0; i < (len & 7); i++)
        word |= (uint64_t)tail[i] << (8 * i);
    return word;
}

uint64_t siphash13(const uint64_t key[2], const void *data, size_t len)
{
    struct sip s = {
        key[0] ^ 0x736f6d6570736575,
        key[1] ^ 0x646f72616e646f6d,
        key[0] ^ 0x6c7967656e657261,
        key[1] ^ 0x7465646279746573,
    };
    const uint8_t *ptr = data;
    const uint8_t *words_end = ptr + (len & ~(size_t)7);
    for (; ptr < words_end; ptr += 8)
        sip_word(&s, get_le64(ptr));
    sip_word(&s, last_word(ptr, len));
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
