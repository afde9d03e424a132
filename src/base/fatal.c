#include "base/fatal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* No stdio and no allocation: memory may be what has run out. */
void fatal(const char *message)
{
    char prefix[] = "pail: ", end[] = "\n";
    char text[256];
    size_t len = strnlen(message, sizeof(text));
    memcpy(text, message, len);
    const struct iovec piece[] = {{prefix, sizeof(prefix) - 1}, {text, len}, {end, 1}};
    ssize_t written = writev(STDERR_FILENO, piece, 3);
    (void)written;
    abort();
}
