/* `pail bench`: the load generator of src/client, which reads its own flags. */
#include "app/command.h"
#include "client/bench.h"

enum exit_code run_bench(const struct command *command, const char *const *argument, size_t count)
{
    (void)command;
    /* Its exit codes are those of enum exit_code. */
    return (enum exit_code)bench_run(argument, count);
}

void help_bench(const struct command *command)
{
    (void)command;
    bench_print_help();
}
