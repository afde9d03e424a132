#include "s3/integrity.h"

#include <string.h>

#include "base/encode.h"
#include "s3/call.h"
#include "s3/ingest.h"

static const struct checksum_names {
    const char *header, *name, *element;
} names[CHECKSUM_KIND_END] = {
    [CHECKSUM_CRC32] = {"x-amz-checksum-crc32", "CRC32", "ChecksumCRC32"},
    [CHECKSUM_CRC32C] = {"x-amz-checksum-crc32c", "CRC32C", "ChecksumCRC32C"},
    [CHECKSUM_CRC64NVME] = {"x-amz-checksum-crc64nvme", "CRC64NVME", "ChecksumCRC64NVME"},
    [CHECKSUM_SHA1] = {"x-amz-checksum-sha1", "SHA1", "ChecksumSHA1"},
    [CHECKSUM_SHA256] = {"x-amz-checksum-sha256", "SHA256", "ChecksumSHA256"},
};

const char *s3_checksum_header(enum checksum_kind kind)
{
    return names[kind].header;
}

const char *s3_checksum_name(enum checksum_kind kind)
{
    return names[kind].name;
}

const char *s3_checksum_element(enum checksum_kind kind)
{
    return names[kind].element;
}

bool s3_checksum_find(str name, enum checksum_kind *out)
{
    for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++) {
        if (str_eq_nocase(name, str_from(names[kind].name))) {
            *out = kind;
            return true;
        }
    }
    return false;
}

static bool find_by_header(str header, enum checksum_kind *out)
{
    for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++) {
        if (str_eq_nocase(header, str_from(names[kind].header))) {
            *out = kind;
            return true;
        }
    }
    return false;
}

enum err s3_checksum_decode(enum checksum_kind kind, str text, uint8_t dst[CHECKSUM_SIZE_MAX])
{
    uint8_t bytes[CHECKSUM_SIZE_MAX + 8];
    size_t len;
    if (text.len != base64_encoded_len(checksum_size(kind)) ||
        base64_decode(text, bytes, &len) != OK || len != checksum_size(kind))
        return ERR_BAD_CHECKSUM_FORM;
    memcpy(dst, bytes, len);
    return OK;
}

static enum err parse_md5(struct s3_call *call)
{
    struct s3_integrity *integrity = &call->integrity;
    str text = s3_header(call, "content-md5");
    if (!http_has_header(call->request, STR("content-md5")))
        return OK;
    uint8_t bytes[MD5_SIZE + 8];
    size_t len;
    if (text.len != base64_encoded_len(MD5_SIZE) || base64_decode(text, bytes, &len) != OK ||
        len != MD5_SIZE)
        return fail_set(&call->fail, ERR_BAD_DIGEST_FORM, "Content-MD5", "\"%.*s\"", STR_ARG(text));
    memcpy(integrity->md5, bytes, MD5_SIZE);
    integrity->has_md5 = true;
    return OK;
}

static enum err take_value(struct s3_call *call, enum checksum_kind kind, str text)
{
    struct s3_integrity *integrity = &call->integrity;
    enum err err = s3_checksum_decode(kind, text, integrity->value);
    if (err != OK)
        return fail_set(&call->fail, err, names[kind].header, "Value for %s %sheader is invalid.",
                        names[kind].header, call->integrity.is_in_trailer ? "trailing " : "");
    integrity->kind = kind;
    integrity->has_value = true;
    return OK;
}

static enum err parse_values(struct s3_call *call)
{
    for (enum checksum_kind kind = CHECKSUM_CRC32; kind < CHECKSUM_KIND_END; kind++) {
        if (!http_has_header(call->request, str_from(names[kind].header)))
            continue;
        if (call->integrity.has_value)
            return fail_set(&call->fail, ERR_BAD_REQUEST, names[kind].header,
                            "Expecting a single x-amz-checksum- header. Multiple checksum Types "
                            "are not allowed.");
        TRY(take_value(call, kind, s3_header(call, names[kind].header)));
    }
    return OK;
}

/* A client that sends a checksum of another kind must not believe that it was checked. */
static enum err parse_unknown(struct s3_call *call)
{
    static const str known[] = {STR_INIT("algorithm"), STR_INIT("type"), STR_INIT("mode")};
    static const str prefix = STR_INIT("x-amz-checksum-");
    for (size_t i = 0; i < call->request->header_count; i++) {
        str name = call->request->header[i].name;
        enum checksum_kind kind;
        if (!str_has_prefix_nocase(name, prefix) || find_by_header(name, &kind))
            continue;
        bool is_known = false;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            is_known = is_known || str_eq_nocase(str_skip(name, prefix.len), known[k]);
        if (!is_known)
            return fail_set(
                &call->fail, ERR_BAD_REQUEST, "x-amz-checksum-*",
                "The algorithm type you specified in x-amz-checksum- header is invalid.");
    }
    return OK;
}

static enum err parse_trailer(struct s3_call *call)
{
    struct s3_integrity *integrity = &call->integrity;
    str rest = s3_header(call, "x-amz-trailer"), name;
    if (rest.len > 0 && !s3_is_aws_chunked(call))
        return fail_set(&call->fail, ERR_BAD_TRAILER, "x-amz-trailer",
                        "the body is not aws-chunked");
    while (rest.len > 0) {
        (void)str_cut(rest, ',', &name, &rest);
        enum checksum_kind kind;
        name = str_trim(name);
        if (!find_by_header(name, &kind))
            return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-trailer",
                            "The value specified in the x-amz-trailer header is not supported");
        if (integrity->kind != CHECKSUM_NONE)
            return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-trailer",
                            "Expecting a single x-amz-checksum- header. Multiple checksum Types "
                            "are not allowed.");
        integrity->kind = kind;
        integrity->is_in_trailer = true;
    }
    return OK;
}

/* The SDKs also say which kind they chose. */
static enum err parse_announcement(struct s3_call *call)
{
    struct s3_integrity *integrity = &call->integrity;
    str text = s3_header(call, "x-amz-sdk-checksum-algorithm");
    enum checksum_kind kind;
    if (text.len == 0 || str_eq_nocase(text, STR("MD5")))
        return OK;
    if (!s3_checksum_find(text, &kind))
        return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-sdk-checksum-algorithm",
                        "Value for x-amz-sdk-checksum-algorithm header is invalid.");
    if (call->operation->shape == S3_UPLOAD && integrity->kind == CHECKSUM_NONE)
        return fail_set(
            &call->fail, ERR_BAD_REQUEST, "x-amz-sdk-checksum-algorithm",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
            "x-amz-trailer headers were found.");
    if (integrity->kind != CHECKSUM_NONE && integrity->kind != kind)
        return fail_set(&call->fail, ERR_BAD_REQUEST, "x-amz-sdk-checksum-algorithm",
                        "Value for x-amz-sdk-checksum-algorithm header is invalid.");
    return OK;
}

enum err s3_integrity_parse(struct s3_call *call)
{
    TRY(parse_unknown(call));
    TRY(parse_md5(call));
    TRY(parse_values(call));
    TRY(parse_trailer(call));
    return parse_announcement(call);
}

enum err s3_integrity_trailer(struct s3_call *call, str name, str value)
{
    enum checksum_kind kind;
    if (!find_by_header(name, &kind) || kind != call->integrity.kind ||
        !call->integrity.is_in_trailer)
        return fail_set(&call->fail, ERR_BAD_TRAILER, "x-amz-trailer",
                        "the trailer \"%.*s\" was not announced", STR_ARG(name));
    return take_value(call, kind, value);
}

enum checksum_kind s3_stored_checksum(const struct s3_call *call)
{
    return call->integrity.kind != CHECKSUM_NONE ? call->integrity.kind : CHECKSUM_CRC64NVME;
}

digest_set s3_integrity_digests(const struct s3_call *call)
{
    digest_set wanted = 0;
    if (call->integrity.kind != CHECKSUM_NONE)
        wanted |= DIGEST_BIT(call->integrity.kind);
    bool is_signed = call->sig_kind == SIG_V4_HEADER || call->sig_kind == SIG_V4_QUERY;
    if (is_signed && call->sig.payload == PAYLOAD_HASHED)
        wanted |= DIGEST_BIT(CHECKSUM_SHA256);
    return wanted;
}

static enum err payload_mismatch(struct s3_call *call, const struct digest *digest)
{
    s3_error_detail(call, "ClientComputedContentSHA256",
                    arena_hex(call->arena, call->sig.payload_hash, SHA256_SIZE));
    s3_error_detail(call, "S3ComputedContentSHA256",
                    arena_hex(call->arena, digest->value[CHECKSUM_SHA256], SHA256_SIZE));
    return ERR_PAYLOAD_MISMATCH;
}

static enum err digest_mismatch(struct s3_call *call, const struct digest *digest)
{
    s3_error_detail(call, "ExpectedDigest", s3_header(call, "content-md5"));
    s3_error_detail(call, "CalculatedDigest",
                    arena_base64(call->arena, digest->md5_value, MD5_SIZE));
    return ERR_BAD_DIGEST;
}

enum err s3_integrity_check(struct s3_call *call, const struct digest *digest)
{
    const struct s3_integrity *integrity = &call->integrity;
    bool is_signed = call->sig_kind == SIG_V4_HEADER || call->sig_kind == SIG_V4_QUERY;
    if (is_signed && call->sig.payload == PAYLOAD_HASHED &&
        memcmp(digest->value[CHECKSUM_SHA256], call->sig.payload_hash, SHA256_SIZE) != 0)
        return payload_mismatch(call, digest);
    if (integrity->has_md5 && memcmp(digest->md5_value, integrity->md5, MD5_SIZE) != 0)
        return digest_mismatch(call, digest);
    if (integrity->kind == CHECKSUM_NONE)
        return OK;
    if (!integrity->has_value)
        return fail_set(&call->fail, ERR_BAD_TRAILER, "x-amz-trailer",
                        "the announced trailer did not come");
    if (!str_eq(digest_checksum(digest, integrity->kind),
                str_of(integrity->value, checksum_size(integrity->kind))))
        return fail_set(&call->fail, ERR_BAD_CHECKSUM, NULL,
                        "The %s you specified did not match the calculated checksum.",
                        s3_checksum_name(integrity->kind));
    return OK;
}

enum err s3_integrity_check_empty(struct s3_call *call)
{
    bool is_claimed = call->integrity.has_md5 || call->integrity.kind != CHECKSUM_NONE ||
                      s3_integrity_digests(call) != 0;
    if (!is_claimed)
        return OK;
    struct digest digest;
    digest_init(&digest, s3_integrity_digests(call));
    digest_finish(&digest);
    enum err err = s3_integrity_check(call, &digest);
    digest_release(&digest);
    return err;
}
