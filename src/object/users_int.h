/* Private to users.c (what a request is checked against) and users_manage.c (administration). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "object/users.h"

/* A key as it is kept in memory. */
struct known_key {
    struct credential credential;
    int64_t expires_ms; /* 0: never */
};

/* What a canonical id is shown as; empty for one that nobody has. */
struct known_owner {
    char display_name[DISPLAY_NAME_MAX + 1];
};

struct users {
    struct engine *engine;
    uint8_t master_key[32];
    struct credential root;
    pthread_rwlock_t lock; /* of the three below */
    struct map *key;       /* access key to struct known_key, owned */
    struct map *owner;     /* canonical id to struct known_owner, owned */
    uint64_t change_count; /* what was read before the latest change must not be remembered */
    atomic_uint_fast64_t generation; /* the last one given out */
};

/* Forgets all that was read from the catalogue: called after the commit of every change. */
void users_forget(struct users *users);
/* The next user of a cursor over all of them that has this canonical id; ERR_NOT_FOUND. */
enum err user_next_with_canonical_id(struct cursor *cursor, str canonical_id, struct user_row *out);
