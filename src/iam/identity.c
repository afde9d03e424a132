#include "iam/identity.h"

bool identity_owns(const struct identity *identity, str owner_canonical_id)
{
    switch (identity->kind) {
    case IDENTITY_ROOT:
        return true;
    case IDENTITY_USER:
        return owner_canonical_id.len > 0 && str_eq(identity->canonical_id, owner_canonical_id);
    case IDENTITY_ANONYMOUS:
    default:
        return false;
    }
}

static bool may(const struct identity *identity, const struct access_request *request)
{
    if (identity->kind == IDENTITY_ROOT)
        return true;
    if (!str_has_prefix(request->action, STR("s3:")))
        return false;
    if (request->anonymous_mode)
        return true;
    if (!request->bucket_exists)
        return identity->kind == IDENTITY_USER;
    return identity_owns(identity, request->bucket_owner);
}

enum err iam_authorise(const struct identity *identity, const struct access_request *request,
                       struct fail *fail)
{
    if (may(identity, request))
        return OK;
    bool anonymous = identity->kind == IDENTITY_ANONYMOUS;
    str who = anonymous ? STR("anonymous") : identity->user_name;
    return fail_set(fail, ERR_ACCESS_DENIED, NULL, "\"%.*s\" may not do \"%.*s\"", STR_ARG(who),
                    STR_ARG(request->action));
}
