/* keyfiles: the two secrets beside the data, each in a file of mode 0600 in the data folder.
 *
 *   master-key   64 hexadecimal digits: what the stored secrets are sealed under (iam/secret.h)
 *   root-keys    PAIL_ROOT_ACCESS_KEY=... and PAIL_ROOT_SECRET_KEY=..., one a line, as an environment file has them; lines
 *                that begin with # are for people
 *
 * Made once, durably, before they are used. A backup of the data folder without master-key has no users. */
#pragma once

#include "base/fail.h"
#include "iam/keys.h"
#include "iam/secret.h"

/* Reads the master key; a missing file is made, and *out_made says so. ERR_CORRUPT for a file of another form. */
enum err master_key_get(const char *folder, uint8_t out_key[SECRET_MASTER_SIZE], bool *out_made,
                        struct fail *fail);
/* The same, but a missing file is ERR_NOT_FOUND. */
enum err master_key_read(const char *folder, uint8_t out_key[SECRET_MASTER_SIZE],
                         struct fail *fail);
/* Takes back a file that master_key_get has made, when it turns out that the data has another. */
void master_key_discard(const char *folder);

struct root_keys {
    char access_key[ACCESS_KEY_ID_MAX + 1];
    char secret_key[ACCESS_KEY_SECRET_MAX + 1];
};

/* A new pair, stored nowhere. */
void root_keys_make(struct root_keys *out);
/* Reads the file; ERR_NOT_FOUND without one, ERR_CORRUPT for one that lacks a key or holds an invalid one. */
enum err root_keys_read(const char *folder, struct root_keys *out, struct fail *fail);
/* Whether the file is what was written when the keys were made; one that a person has changed has no check. ERR_NOT_FOUND,
 * ERR_CORRUPT. */
enum err root_keys_check(const char *folder, struct fail *fail);
/* Reads the file; a missing one is made, and *out_made says so. */
enum err root_keys_get(const char *folder, struct root_keys *out, bool *out_made,
                       struct fail *fail);
