/* stub_server: an HTTP server for the tests of the bench, which behaves as badly as a test wants. It computes the same
 * objects as the bench and checks what is put. A thread per connection, blocking; loopback only. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum stub_mode {
    STUB_GOOD,
    STUB_CHUNKED,      /* bodies are chunked */
    STUB_UNTIL_CLOSE,  /* bodies end with the connection */
    STUB_CLOSE_SAID,   /* Connection: close on every reply */
    STUB_CLOSE_UNSAID, /* every connection ends after its third reply, without a word */
    STUB_STATUS_503,
    STUB_GARBAGE,      /* no HTTP */
    STUB_EXTRA,        /* bytes behind the reply */
    STUB_SHORT,        /* the body ends early */
    STUB_WRONG_BYTE,   /* one bit of the body differs */
    STUB_WRONG_LENGTH, /* a byte less than there should be, well framed */
    STUB_SILENT,       /* never answers */
    STUB_EARLY_403,    /* answers before it has read the body, and closes */
    STUB_SLOW_FIRST,   /* the first request takes STUB_SLOW_MS */
};

enum { STUB_SLOW_MS = 200, STUB_LIST_KEYS = 3 };

struct bench_content;
struct bench_options;

struct stub_server {
    enum stub_mode mode;
    const struct bench_options *options;
    const struct bench_content *content;
    int listen_fd;
    uint16_t port;
    _Atomic unsigned connections, requests, bad_puts;
    _Atomic unsigned running; /* connection threads */
    unsigned long thread;
};

/* Starts it; options and content are borrowed. Its counters are zeroed. */
void stub_start(struct stub_server *server, enum stub_mode mode,
                const struct bench_options *options, const struct bench_content *content);
/* Waits until the clients have closed everything. */
void stub_stop(struct stub_server *server);
