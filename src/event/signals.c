/* Signals through signalfd(2). */
#include "event/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/list.h"

static void fill_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void signals_block(void)
{
    sigset_t set;
    fill_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
}

static void signals_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct signals *signals = container_of(watch, struct signals, watch);
    struct signalfd_siginfo info;
    /* One a turn: `caught` may close this, and the descriptor stays ready while there is more. */
    if (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        signals->caught(signals, (int)info.ssi_signo);
}

enum err signals_open(struct signals *signals, struct loop *loop,
                      void (*caught)(struct signals *signals, int number))
{
    sigset_t set;
    fill_set(&set);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    *signals = (struct signals){
        .watch = {.fd = fd, .events = EPOLLIN, .ready = signals_ready},
        .loop = loop,
        .caught = caught,
    };
    enum err err = watch_add(loop, &signals->watch);
    if (err != OK)
        close(fd);
    return err;
}

void signals_close(struct signals *signals)
{
    watch_remove(signals->loop, &signals->watch);
    close(signals->watch.fd);
}
