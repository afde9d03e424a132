/* keys: making access key ids, secrets and canonical ids, and the rules for those (and user names) that a person
 * chooses. Randomness is the kernel's; every character is uniform. Thread-safe. */
#pragma once

#include "base/str.h"

enum {
    ACCESS_KEY_ID_LEN = 15,      /* "pail-" and 10 of A-Z2-7: 50 random bits */
    ACCESS_KEY_ROOT_ID_LEN = 20, /* "pailroot" and 12 of A-Z2-7 */
    ACCESS_KEY_SECRET_LEN = 40,  /* of A-Za-z0-9: 238 random bits */
    CANONICAL_ID_LEN = 64,       /* lower-case hex: 256 random bits */

    ACCESS_KEY_ID_MIN = 3,
    ACCESS_KEY_ID_MAX = 128,
    ACCESS_KEY_SECRET_MIN = 8,
    ACCESS_KEY_SECRET_MAX = 128,
    USER_NAME_MAX = 64,
};

/* Each writes exactly so many characters, no terminator. The caller checks an id for being taken. */
void access_key_make_id(char out[ACCESS_KEY_ID_LEN]);
void access_key_make_root_id(char out[ACCESS_KEY_ROOT_ID_LEN]);
void access_key_make_secret(char out[ACCESS_KEY_SECRET_LEN]);
void canonical_id_make(char out[CANONICAL_ID_LEN]);

/* 3 to 128 printable ASCII characters without space, comma or slash (which separate it in an Authorization header). */
bool access_key_id_is_valid(str id);
/* 8 to 128 printable ASCII characters, inner spaces allowed. */
bool access_key_secret_is_valid(str secret);
/* 1 to 64 of A-Za-z0-9+=,.@_- (the IAM rule for user names). */
bool user_name_is_valid(str name);
/* 64 lower-case hex digits. */
bool canonical_id_is_valid(str id);
