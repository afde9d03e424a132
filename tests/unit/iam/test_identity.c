/* Aim: the access rule, row by row: root everything, a user its own, anonymous nothing; and what a zeroed or half-filled
 * identity or request must never open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iam/identity.h"

static const struct identity root = {.kind = IDENTITY_ROOT, .canonical_id = STR_INIT("r")};
static const struct identity ann = {
    .kind = IDENTITY_USER, .user_name = STR_INIT("ann"), .canonical_id = STR_INIT("a")};
static const struct identity nameless = {.kind = IDENTITY_USER};
static const struct identity nobody = {.kind = IDENTITY_ANONYMOUS};
static const struct identity anonymous_with_id = {.canonical_id = STR_INIT("a")};

static void test_owns(void **state)
{
    (void)state;
    const struct {
        const struct identity *identity;
        str owner;
        bool expected;
    } row[] = {
        {&root, STR("a"), true},     {&root, STR(""), true},
        {&ann, STR("a"), true},      {&ann, STR("b"), false},
        {&ann, STR("aa"), false},    {&ann, STR(""), false},
        {&nameless, STR(""), false}, {&nobody, STR("a"), false},
        {&nobody, STR(""), false},   {&anonymous_with_id, STR("a"), false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_int_equal(identity_owns(row[i].identity, row[i].owner), row[i].expected);
}

static void test_authorise(void **state)
{
    (void)state;
    enum { NO_BUCKET, OWN, OTHERS };
    const struct {
        const struct identity *identity;
        const char *action;
        int bucket;
        bool anonymous_mode;
        enum err expected;
    } row[] = {
        {&root, "s3:GetObject", OTHERS, false, OK},
        {&root, "s3:CreateBucket", NO_BUCKET, false, OK},
        {&root, "admin:CreateUser", NO_BUCKET, false, OK},
        {&ann, "s3:GetObject", OWN, false, OK},
        {&ann, "s3:GetObject", OTHERS, false, ERR_ACCESS_DENIED},
        {&ann, "s3:ListAllMyBuckets", NO_BUCKET, false, OK},
        {&ann, "s3:GetObject", NO_BUCKET, false, OK},
        {&ann, "admin:CreateUser", NO_BUCKET, false, ERR_ACCESS_DENIED},
        {&ann, "admin:SetQuota", OWN, false, ERR_ACCESS_DENIED},
        {&ann, "", OWN, false, ERR_ACCESS_DENIED},
        {&ann, "s3:GetObject", OTHERS, true, OK},
        {&ann, "admin:CreateUser", NO_BUCKET, true, ERR_ACCESS_DENIED},
        {&nameless, "s3:GetObject", OWN, false, ERR_ACCESS_DENIED},
        {&nobody, "s3:GetObject", OWN, false, ERR_ACCESS_DENIED},
        {&nobody, "s3:GetObject", NO_BUCKET, false, ERR_ACCESS_DENIED},
        {&nobody, "s3:ListAllMyBuckets", NO_BUCKET, false, ERR_ACCESS_DENIED},
        {&anonymous_with_id, "s3:GetObject", OWN, false, ERR_ACCESS_DENIED},
        {&nobody, "s3:PutObject", OTHERS, true, OK},
        {&nobody, "s3:CreateBucket", NO_BUCKET, true, OK},
        {&nobody, "admin:CreateUser", NO_BUCKET, true, ERR_ACCESS_DENIED},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct fail fail = {0};
        struct access_request request = {.action = str_from(row[i].action),
                                         .bucket = STR("bucket"),
                                         .bucket_exists = row[i].bucket != NO_BUCKET,
                                         .anonymous_mode = row[i].anonymous_mode};
        if (row[i].bucket != NO_BUCKET)
            request.bucket_owner = row[i].bucket == OWN ? STR("a") : STR("b");
        enum err err = iam_authorise(row[i].identity, &request, &fail);
        if (err != row[i].expected || fail.code != err)
            fail_msg("row %zu: %s", i, err_name(err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owns),
        cmocka_unit_test(test_authorise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
