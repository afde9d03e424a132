/* identity: who asks, and the one decision whether it may. Policies and ACLs will replace the inside of iam_authorise;
 * its callers stay. Pure, thread-safe. */
#pragma once

#include "base/fail.h"
#include "base/str.h"

enum identity_kind {
    IDENTITY_ANONYMOUS, /* zero, so that a zeroed identity has no rights */
    IDENTITY_USER,
    IDENTITY_ROOT,
};

/* Borrowed from the rows that authentication read. An anonymous identity has empty strs. */
struct identity {
    enum identity_kind kind;
    str user_name;
    str canonical_id; /* 64 hex; see keys.h */
    str display_name;
    str access_key_id;
};

/* What is to be done to what. Borrowed. Zero for what does not apply. */
struct access_request {
    str action;       /* "s3:GetObject", "admin:..." */
    str bucket;       /* empty for a request to the service */
    str key;          /* empty for a request to the bucket */
    str bucket_owner; /* canonical id; empty when there is no such bucket */
    bool bucket_exists;
    bool anonymous_mode; /* the server runs with --anonymous: everybody may do everything of S3 */
};

/* Whether all that belongs to the owner is open to it: to root everything, to a user its own. An empty owner belongs to
 * root alone. */
bool identity_owns(const struct identity *identity, str owner_canonical_id);

/* OK or ERR_ACCESS_DENIED. The rule today: root may do everything. A user may do what begins with "s3:", to buckets it
 * owns and where no bucket exists (list its buckets, create one, be told that one is missing). Anonymous may do nothing,
 * except that in anonymous mode everybody may do everything that begins with "s3:". */
enum err iam_authorise(const struct identity *identity, const struct access_request *request,
                       struct fail *fail);
