/* Aim: every error that a function of this program can return has an answer: one row, a status that fits, a code and a text. */
#include "../unit.h"

#include "s3/reply.h"

static unsigned row_count[ERR_COUNT];

static void test_one_row_each(void **state)
{
    (void)state;
#define S3_ERROR(name, status, code, message) row_count[ERR_##name]++;
#include "s3/errors.def"
#undef S3_ERROR
    for (size_t i = 1; i < ERR_COUNT; i++)
        if (row_count[i] != 1)
            fail_msg("%s has %u rows", err_name((enum err)i), row_count[i]);
}

static bool is_code(const char *code)
{
    size_t len = strlen(code);
    for (size_t i = 0; i < len; i++)
        if (!((code[i] >= 'A' && code[i] <= 'Z') || (code[i] >= 'a' && code[i] <= 'z') ||
              (i > 0 && code[i] >= '0' && code[i] <= '9')))
            return false;
    return len > 0 && code[0] >= 'A' && code[0] <= 'Z';
}

static void test_rows_make_sense(void **state)
{
    (void)state;
    static const int statuses[] = {304, 400, 403, 404, 405, 409, 411,
                                   412, 413, 416, 500, 501, 503, 507};
    for (enum err err = OK + 1; err < ERR_COUNT; err++) {
        bool is_known = false;
        for (size_t i = 0; i < COUNT_OF(statuses); i++)
            is_known |= s3_error_status(err) == statuses[i];
        if (!is_known || !is_code(s3_error_code(err)) || strlen(s3_error_message(err)) < 8)
            fail_msg("%s: %d %s \"%s\"", err_name(err), s3_error_status(err), s3_error_code(err),
                     s3_error_message(err));
    }
}

/* A code has one status, as in AWS's list; the exceptions are AWS's own. */
static void test_codes_agree(void **state)
{
    (void)state;
    for (enum err a = OK + 1; a < ERR_COUNT; a++)
        for (enum err b = OK + 1; b < a; b++)
            if (strcmp(s3_error_code(a), s3_error_code(b)) == 0)
                assert_int_equal(s3_error_status(a), s3_error_status(b));
}

static void test_what_clients_rely_on(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        int status;
        const char *code;
    } cases[] = {
        {ERR_NO_SUCH_KEY, 404, "NoSuchKey"},
        {ERR_NO_SUCH_BUCKET, 404, "NoSuchBucket"},
        {ERR_NO_SUCH_UPLOAD, 404, "NoSuchUpload"},
        {ERR_BUCKET_NOT_EMPTY, 409, "BucketNotEmpty"},
        {ERR_BUCKET_OWNED, 409, "BucketAlreadyOwnedByYou"},
        {ERR_PRECONDITION_FAILED, 412, "PreconditionFailed"},
        {ERR_NOT_MODIFIED, 304, "NotModified"},
        {ERR_BAD_RANGE, 416, "InvalidRange"},
        {ERR_SIGNATURE_MISMATCH, 403, "SignatureDoesNotMatch"},
        {ERR_ACCESS_DENIED, 403, "AccessDenied"},
        {ERR_BAD_DIGEST, 400, "BadDigest"},
        {ERR_BAD_XML, 400, "MalformedXML"},
        {ERR_ENTITY_TOO_SMALL, 400, "EntityTooSmall"},
        {ERR_MISSING_LENGTH, 411, "MissingContentLength"},
        {ERR_NOT_IMPLEMENTED, 501, "NotImplemented"},
        {ERR_METHOD_NOT_ALLOWED, 405, "MethodNotAllowed"},
        /* SDKs try again after these, and only after these. */
        {ERR_BUSY, 503, "SlowDown"},
        {ERR_UNAVAILABLE, 503, "SlowDown"},
        {ERR_RETRY, 503, "SlowDown"},
        {ERR_IO, 500, "InternalError"},
        {ERR_CORRUPT, 500, "InternalError"},
        {ERR_INTERNAL, 500, "InternalError"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(s3_error_status(cases[i].err), cases[i].status);
        assert_string_equal(s3_error_code(cases[i].err), cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_row_each),
        cmocka_unit_test(test_rows_make_sense),
        cmocka_unit_test(test_codes_agree),
        cmocka_unit_test(test_what_clients_rely_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
