#include "app/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"

/* "/run/..." names a file, "@..." the abstract name space; other kinds (vsock) are not for this program. */
static bool address_of(const char *path, struct sockaddr_un *out, socklen_t *out_len)
{
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(out->sun_path))
        return false;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, len);
    if (path[0] == '@')
        out->sun_path[0] = '\0';
    *out_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

void notify_manager(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t len;
    if (!path || !address_of(path, &address, &len))
        return;
    FD_SCOPED int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, len) == 0)
        (void)fd_write_full(fd, state, strlen(state));
}
