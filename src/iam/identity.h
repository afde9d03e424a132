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
    str action;       /* "s3:GetObject" */
    str bucket;       /* empty for a request to the service */
    str key;          /* empty for a request to the bucket */
    str bucket_owner; /* canonical id; empty when there is no such bucket */
    bool bucket_exists;
    bool anonymous_mode; /* the server runs with --anonymous: everybody may do everything */
};

/* Whether it may do everything with what belongs to the owner: root always, a user with its own. Never for an empty
 * owner, except for root. */
bool identity_owns(const struct identity *identity, str owner_canonical_id);

/* OK or ERR_ACCESS_DENIED. The rule today: in anonymous mode everything; root everything; a user everything on buckets it
 * owns, and what touches no existing bucket (list its buckets, create one; a missing bucket is then reported as missing);
 * anonymous nothing. */
enum err iam_authorise(const struct identity *identity, const struct access_request *request,
                       struct fail *fail);
