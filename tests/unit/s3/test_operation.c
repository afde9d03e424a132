/* Aim: each operation of the table is reached by the request that its columns describe, and by none that lacks one of them; the row
 * with the most conditions wins; and a request for a sub-resource never falls through to the whole bucket or object. */
#include "call.h"

#include "s3/operation.h"
#include "s3/service.h"

static const struct row {
    const char *name, *method;
    enum s3_scope scope;
    const char *query, *query2, *header, *action;
    bool is_served;
} rows[] = {
#define SERVED(name_, method_, scope_, query_, query2_, header_, action_, shape_, handler_)        \
    {#name_, #method_, S3_##scope_, query_, query2_, header_, "s3:" action_, true},
#define NOT_SERVED(name_, method_, scope_, query_, query2_, header_, action_)                      \
    {#name_, #method_, S3_##scope_, query_, query2_, header_, "s3:" action_, false},
#include "s3/operations.def"
#undef SERVED
#undef NOT_SERVED
};

/* "name" or "name=value" as a parameter of a request. */
static void add_query(struct fake_call *fake, const char *wanted)
{
    str name, value;
    if (wanted == NULL)
        return;
    (void)str_cut(str_from(wanted), '=', &name, &value);
    fake_call_query(fake, name, value);
}

static const struct s3_operation *find(struct fake_call *fake, enum s3_scope scope)
{
    return s3_operation_find(&fake->request, scope, fake->query, fake->call.query_count);
}

static const char *name_of(const struct s3_operation *operation)
{
    return operation == NULL ? "none" : operation->name;
}

static void test_every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct fake_call fake;
        fake_call_init(&fake, row->method, "Host: s3.example.com");
        fake_call_query(&fake, STR("prefix"), STR("a")); /* of no meaning to the table */
        add_query(&fake, row->query);
        add_query(&fake, row->query2);
        if (row->header != NULL)
            fake_call_header(&fake, str_from(row->header), STR("x"));
        const struct s3_operation *found = find(&fake, row->scope);
        if (found == NULL || strcmp(found->name, row->name) != 0)
            fail_msg("a request for %s finds %s", row->name, name_of(found));
        assert_int_equal(found->handler != NULL, row->is_served);
        assert_int_equal(s3_operation_index(found), i);
        assert_string_equal(s3_operation_name(i), row->name);
        assert_string_equal(found->action, row->action);
        fake_call_release(&fake);
    }
    assert_null(s3_operation_name(COUNT_OF(rows)));
}

/* Of the parameters and the header each is necessary. */
static void test_every_condition(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        const bool has[] = {row->query != NULL, row->query2 != NULL, row->header != NULL};
        for (size_t left_out = 0; left_out < COUNT_OF(has); left_out++) {
            if (!has[left_out])
                continue;
            struct fake_call fake;
            fake_call_init(&fake, row->method, "");
            add_query(&fake, left_out == 0 ? NULL : row->query);
            add_query(&fake, left_out == 1 ? NULL : row->query2);
            if (row->header != NULL && left_out != 2)
                fake_call_header(&fake, str_from(row->header), STR("x"));
            const struct s3_operation *found = find(&fake, row->scope);
            if (found != NULL && strcmp(found->name, row->name) == 0)
                fail_msg("%s is found without all of its conditions", row->name);
            fake_call_release(&fake);
        }
    }
}

/* No two rows mean the same request. */
static bool same(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void test_rows_differ(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t k = 0; k < i; k++) {
            const struct row *a = &rows[i], *b = &rows[k];
            bool is_same = same(a->method, b->method) && a->scope == b->scope &&
                           same(a->query, b->query) && same(a->query2, b->query2) &&
                           same(a->header, b->header);
            if (is_same || strcmp(a->name, b->name) == 0)
                fail_msg("%s and %s", a->name, b->name);
        }
    }
}

static void test_choices(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        enum s3_scope scope;
        const char *query[4], *header, *expected;
    } cases[] = {
        {"GET", S3_SERVICE, {0}, NULL, "ListBuckets"},
        {"GET", S3_BUCKET, {0}, NULL, "ListObjects"},
        {"GET", S3_BUCKET, {"list-type=2"}, NULL, "ListObjectsV2"},
        {"GET", S3_BUCKET, {"list-type=1"}, NULL, "ListObjects"},
        {"GET", S3_BUCKET, {"prefix=x", "delimiter=/"}, NULL, "ListObjects"},
        {"GET", S3_BUCKET, {"X-Amz-Signature=0"}, NULL, "ListObjects"},
        {"PUT", S3_OBJECT, {0}, NULL, "PutObject"},
        {"PUT", S3_OBJECT, {0}, "x-amz-copy-source", "CopyObject"},
        {"PUT", S3_OBJECT, {0}, "X-Amz-Copy-Source", "CopyObject"},
        {"PUT", S3_OBJECT, {"partNumber=1", "uploadId=0"}, NULL, "UploadPart"},
        {"PUT", S3_OBJECT, {"uploadId=0", "partNumber=1"}, "x-amz-copy-source", "UploadPartCopy"},
        {"PUT", S3_OBJECT, {"acl"}, NULL, "PutObjectAcl"},
        {"GET", S3_OBJECT, {"partNumber=1"}, NULL, "GetObject"},
        {"GET", S3_OBJECT, {"versionId=null"}, NULL, "GetObject"},
        {"GET", S3_OBJECT, {"uploadId=0"}, NULL, "ListParts"},
        {"HEAD", S3_OBJECT, {"partNumber=1"}, NULL, "HeadObject"},
        {"DELETE", S3_OBJECT, {"uploadId=0"}, NULL, "AbortMultipartUpload"},
        {"DELETE", S3_OBJECT, {"versionId=null"}, NULL, "DeleteObject"},
        {"POST", S3_OBJECT, {"uploads"}, NULL, "CreateMultipartUpload"},
        {"POST", S3_OBJECT, {"uploadId=0"}, NULL, "CompleteMultipartUpload"},
        {"POST", S3_OBJECT, {"select", "select-type=2"}, NULL, "SelectObjectContent"},
        {"POST", S3_BUCKET, {"delete"}, NULL, "DeleteObjects"},
        {"GET", S3_BUCKET, {"analytics"}, NULL, "ListBucketAnalyticsConfigurations"},
        {"GET", S3_BUCKET, {"analytics", "id=1"}, NULL, "GetBucketAnalyticsConfiguration"},
        /* What changes or deletes a part of a bucket must never be taken for the whole. */
        {"DELETE", S3_BUCKET, {"policy"}, NULL, "DeleteBucketPolicy"},
        {"DELETE", S3_BUCKET, {"acl"}, NULL, "none"},
        {"DELETE", S3_BUCKET, {"versioning"}, NULL, "none"},
        {"DELETE", S3_OBJECT, {"tagging"}, NULL, "DeleteObjectTagging"},
        {"DELETE", S3_OBJECT, {"acl"}, NULL, "none"},
        {"PUT", S3_OBJECT, {"torrent"}, NULL, "none"},
        {"PUT", S3_BUCKET, {"location"}, NULL, "none"},
        {"POST", S3_OBJECT, {0}, NULL, "none"},
        {"PATCH", S3_OBJECT, {0}, NULL, "none"},
        {"get", S3_OBJECT, {0}, NULL, "none"},
        {"", S3_OBJECT, {0}, NULL, "none"},
        {"DELETE", S3_SERVICE, {0}, NULL, "none"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_call fake;
        fake_call_init(&fake, cases[i].method, "");
        for (size_t k = 0; k < COUNT_OF(cases[i].query); k++)
            add_query(&fake, cases[i].query[k]);
        if (cases[i].header != NULL)
            fake_call_header(&fake, str_from(cases[i].header), STR("x"));
        const struct s3_operation *found = find(&fake, cases[i].scope);
        if (strcmp(name_of(found), cases[i].expected) != 0)
            fail_msg("%zu: %s, expected %s", i, name_of(found), cases[i].expected);
        fake_call_release(&fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_every_condition),
        cmocka_unit_test(test_rows_differ),
        cmocka_unit_test(test_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
