#include "s3/awschunked.h"

#include <assert.h>
#include <string.h>

#include "base/encode.h"

void aws_chunked_init(struct aws_chunked *chunked, struct arena *arena,
                      const struct sigv4_chain *chain, bool has_trailer)
{
    *chunked = (struct aws_chunked){
        .is_signed = chain != NULL, .has_trailer = has_trailer, .arena = arena};
    if (chain != NULL) {
        chunked->chain = *chain;
        hash_init(&chunked->sha256, HASH_SHA256);
    }
}

void aws_chunked_release(struct aws_chunked *chunked)
{
    hash_release(&chunked->sha256);
}

bool aws_chunked_is_done(const struct aws_chunked *chunked)
{
    return chunked->state == CHUNK_DONE;
}

/* Gathers a line up to its end; *out_complete tells whether it is there. The line is then without
 * CR LF. */
static enum err take_line(struct aws_chunked *chunked, str data, size_t *consumed,
                          bool *out_complete)
{
    while (*consumed < data.len) {
        char c = data.ptr[(*consumed)++];
        if (c == '\n') {
            /* A bare LF is no line end: parsers that differ in this are how requests are smuggled.
             * Only a field of the trailer may end so: the reference's example writes it, and
             * minio-go with it. */
            bool has_cr = chunked->line_len > 0 && chunked->line[chunked->line_len - 1] == '\r';
            bool is_field = chunked->state == CHUNK_TRAILER && chunked->line_len > 0;
            if (!has_cr && !is_field)
                return ERR_BAD_CHUNK;
            chunked->line_len -= has_cr;
            *out_complete = true;
            return OK;
        }
        if (chunked->line_len == AWS_CHUNK_LINE_MAX)
            return ERR_BAD_CHUNK;
        chunked->line[chunked->line_len++] = c;
    }
    *out_complete = false;
    return OK;
}

static enum err parse_size(str text, uint64_t *out_size)
{
    enum { SIZE_DIGITS_MAX = 15 };
    uint64_t size = 0;
    if (text.len == 0 || text.len > SIZE_DIGITS_MAX)
        return ERR_BAD_CHUNK;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t digit = hex_value(text.ptr[i]);
        if (digit == HEX_NONE)
            return ERR_BAD_CHUNK;
        size = size << 4 | digit;
    }
    *out_size = size;
    return OK;
}

static enum err size_line(struct aws_chunked *chunked)
{
    str size, extension;
    str line = str_of(chunked->line, chunked->line_len);
    (void)str_cut(line, ';', &size, &extension);
    TRY(parse_size(size, &chunked->left));
    static const str prefix = STR_INIT("chunk-signature=");
    if (chunked->is_signed) {
        if (!str_has_prefix(extension, prefix) ||
            extension.len != prefix.len + SIGV4_SIGNATURE_HEX_LEN)
            return ERR_BAD_CHUNK;
        memcpy(chunked->signature, extension.ptr + prefix.len, SIGV4_SIGNATURE_HEX_LEN);
    }
    return OK;
}

static enum err verify_chunk(struct aws_chunked *chunked)
{
    if (!chunked->is_signed)
        return OK;
    uint8_t digest[SHA256_SIZE];
    hash_final(&chunked->sha256, digest);
    hash_restart(&chunked->sha256);
    return sigv4_chain_verify_chunk(&chunked->chain, digest,
                                    str_of(chunked->signature, SIGV4_SIGNATURE_HEX_LEN));
}

/* The signature comes last and once, so what is kept of a trailer is bounded. */
static enum err trailer_line(struct aws_chunked *chunked)
{
    str name, value;
    str line = str_trim(str_of(chunked->line, chunked->line_len));
    bool is_expected = chunked->has_trailer && chunked->trailer_signature.len == 0;
    if (!is_expected || !str_cut(line, ':', &name, &value) || name.len == 0)
        return ERR_BAD_TRAILER;
    value = arena_str(chunked->arena, str_trim(value));
    if (str_eq_nocase(name, STR("x-amz-trailer-signature"))) {
        chunked->trailer_signature = value;
        return value.len > 0 ? OK : ERR_BAD_TRAILER;
    }
    if (chunked->trailer_count == AWS_CHUNK_TRAILERS_MAX)
        return ERR_BAD_TRAILER;
    chunked->trailer[chunked->trailer_count++] =
        (struct pair){.name = arena_str(chunked->arena, name), .value = value};
    return OK;
}

static enum err trailer_end(struct aws_chunked *chunked)
{
    chunked->state = CHUNK_DONE;
    if (!chunked->has_trailer || !chunked->is_signed)
        return OK;
    enum err err = sigv4_chain_verify_trailer(&chunked->chain, chunked->trailer,
                                              chunked->trailer_count, chunked->trailer_signature);
    return err == ERR_TOO_LARGE ? ERR_BAD_CHUNK : err;
}

/* Some writers put an empty line between the fields and their signature, as the reference's own
 * example does. */
static bool waits_for_signature(const struct aws_chunked *chunked)
{
    return chunked->is_signed && chunked->has_trailer && chunked->trailer_count > 0 &&
           chunked->trailer_signature.len == 0;
}

/* A whole line has come: what it means depends on where we are. */
static enum err line_done(struct aws_chunked *chunked)
{
    switch (chunked->state) {
    case CHUNK_SIZE_LINE:
        TRY(size_line(chunked));
        if (chunked->left > 0 && chunked->was_small)
            return ERR_SMALL_CHUNK; /* only the last one with bytes may be */
        chunked->was_small = chunked->is_signed && chunked->left < AWS_CHUNK_MIN_BYTES;
        if (chunked->left > 0) {
            chunked->state = CHUNK_DATA;
            return OK;
        }
        chunked->state = CHUNK_TRAILER;
        return verify_chunk(chunked);
    case CHUNK_DATA_END:
        if (chunked->line_len > 0)
            return ERR_BAD_CHUNK;
        chunked->state = CHUNK_SIZE_LINE;
        return verify_chunk(chunked);
    case CHUNK_TRAILER:
        if (chunked->line_len > 0)
            return trailer_line(chunked);
        return waits_for_signature(chunked) ? OK : trailer_end(chunked);
    case CHUNK_DATA:
    case CHUNK_DONE:
        break;
    }
    return ERR_BAD_CHUNK;
}

enum err aws_chunked_next(struct aws_chunked *chunked, str data, size_t *out_consumed,
                          str *out_payload)
{
    size_t consumed = 0;
    str payload = {0};
    while (consumed < data.len) {
        if (chunked->state == CHUNK_DONE)
            return chunked->has_trailer ? ERR_BAD_TRAILER : ERR_BAD_CHUNK;
        if (chunked->state == CHUNK_DATA) {
            size_t left = data.len - consumed;
            payload =
                str_of(data.ptr + consumed, left < chunked->left ? left : (size_t)chunked->left);
            break;
        }
        bool is_complete;
        TRY(take_line(chunked, data, &consumed, &is_complete));
        if (!is_complete)
            break;
        TRY(line_done(chunked));
        chunked->line_len = 0;
    }
    *out_consumed = consumed;
    *out_payload = payload;
    return OK;
}

void aws_chunked_took(struct aws_chunked *chunked, str taken)
{
    assert(chunked->state == CHUNK_DATA && taken.len <= chunked->left);
    if (chunked->is_signed)
        hash_update(&chunked->sha256, taken.ptr, taken.len);
    chunked->left -= taken.len;
    if (chunked->left == 0)
        chunked->state = CHUNK_DATA_END;
}
