/* listeners: the addresses of a setting as listening sockets. */
#pragma once

#include "app/settings.h"
#include "net/listen.h"

enum { LISTENERS_MAX = 32 }; /* a name can stand for several addresses */

struct listeners {
    struct listener item[LISTENERS_MAX];
    size_t count;
};

/* Opens all of them, or none. Errors are those of listen_open; `setting` is the name that the failure tells. */
enum err listeners_open(const struct settings_addresses *addresses, const char *setting,
                        struct listeners *out, struct fail *fail);
/* New connections are refused from now on, while loops may still watch the descriptors. */
void listeners_refuse(const struct listeners *listeners);
void listeners_close(struct listeners *listeners); /* allowed on a zeroed struct */

/* "http://127.0.0.1:9000", for people and their clients: an address that stands for all becomes the loopback one. */
str listeners_url(const struct listener *listener, bool is_tls, struct arena *arena);
