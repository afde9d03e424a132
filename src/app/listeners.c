#include "app/listeners.h"

#include <sys/socket.h>

#include "base/arena.h"

enum { ADDRESS_ARENA_BYTES = 4096 };

static str address_text(const struct settings_address *address, struct arena *arena)
{
    bool is_v6 = str_find_char(address->host, ':') >= 0;
    return arena_printf(arena, is_v6 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(address->host),
                        address->port);
}

static enum err open_one(const struct settings_address *address, struct arena *arena,
                         struct listeners *listeners, struct fail *fail)
{
    size_t count = 0;
    TRY(listen_open(address_text(address, arena), listeners->item + listeners->count,
                    LISTENERS_MAX - listeners->count, &count, fail));
    listeners->count += count;
    return OK;
}

enum err listeners_open(const struct settings_addresses *addresses, const char *setting,
                        struct listeners *out, struct fail *fail)
{
    struct listeners listeners = {0};
    struct arena *arena = arena_new(ADDRESS_ARENA_BYTES);
    struct fail own = {0};
    enum err err = OK;
    for (size_t i = 0; err == OK && i < addresses->count; i++)
        err = open_one(&addresses->address[i], arena, &listeners, &own);
    arena_free(arena);
    if (err == OK) {
        *out = listeners;
        return OK;
    }
    listeners_close(&listeners);
    return fail_set(fail, err, setting, "%s: %s", setting,
                    own.detail[0] ? own.detail : err_fact(err));
}

void listeners_refuse(const struct listeners *listeners)
{
    /* On Linux this ends the listening; connections that wait to be accepted are reset, and their clients try elsewhere. */
    for (size_t i = 0; i < listeners->count; i++)
        (void)shutdown(listeners->item[i].fd, SHUT_RDWR);
}

void listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        listen_close(&listeners->item[i]);
    listeners->count = 0;
}

str listeners_url(const struct listener *listener, bool is_tls, struct arena *arena)
{
    str text = str_from(listener->text);
    const char *scheme = is_tls ? "https" : "http";
    bool is_any = str_has_prefix(text, STR("0.0.0.0:")) || str_has_prefix(text, STR("[::]:"));
    if (is_any)
        return arena_printf(arena, "%s://127.0.0.1:%u", scheme, listener->port);
    return arena_printf(arena, "%s://%.*s", scheme, STR_ARG(text));
}
