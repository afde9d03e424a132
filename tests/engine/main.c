/* The conformance suite: what store/engine.h promises, tried on the engine that the argument names. */
#include "support.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 2 || !(subject_kind = subject_kind_find(argv[1]))) {
        (void)fprintf(stderr, "usage: conformance ENGINE\n");
        return 2;
    }
    int failures = conform_rows() + conform_cursors() + conform_blobs() + conform_updates() +
                   conform_extents() + conform_reopen();
    return failures ? 1 : 0;
}
