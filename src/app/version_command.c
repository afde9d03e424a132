/* `pail version` */
#include <stdio.h>

#include "app/command.h"

enum exit_code run_version(const struct command *command, const char *const *argument, size_t count)
{
    (void)command;
    if (count) {
        complain("\"pail version\" takes no \"%s\"", argument[0]);
        return EXIT_USAGE;
    }
    (void)printf("pail %s\n", PAIL_VERSION);
    return EXIT_DONE;
}

void help_version(const struct command *command)
{
    (void)command;
    (void)fputs("Usage: pail version\n\nPrints the program's version.\n", stdout);
}
