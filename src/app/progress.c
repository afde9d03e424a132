#include "app/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "base/clock.h"

enum { STEP_US = 200 * 1000 };

/* Of the process, as signals and its terminal are. */
static bool is_stopped;
static int64_t shown_us;
static bool is_line_open;

void progress_show(void *context, const struct local_progress *progress)
{
    (void)context;
    int64_t now_us = clock_mono_us();
    if (!isatty(STDERR_FILENO) || now_us - shown_us < STEP_US)
        return;
    shown_us = now_us;
    is_line_open = true;
    uint64_t done = progress->done < progress->total ? progress->done : progress->total;
    unsigned percent =
        progress->total ? (unsigned)((double)done / (double)progress->total * 100) : 100;
    (void)fprintf(stderr, "\rpail: %s: %u %%   ", progress->task, percent);
}

void progress_end(void)
{
    if (is_line_open)
        (void)fputc('\n', stderr);
    is_line_open = false;
}

void progress_found(void *context, const struct local_finding *finding)
{
    (void)context;
    progress_end();
    complain("%s: %s", finding->where, finding->what);
}

static void ask_to_stop(int number)
{
    (void)number;
    __atomic_store_n(&is_stopped, true, __ATOMIC_RELAXED);
}

const bool *progress_stop_on_signal(void)
{
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return &is_stopped;
}
