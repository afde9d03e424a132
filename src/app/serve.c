/* `pail serve`: the process around the server: limits and memory, settings, what is told at start, the exit code. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/command.h"
#include "app/notify.h"
#include "app/server.h"
#include "app/settings_text.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/json.h"
#include "event/signals.h"

extern char **environ;

enum { SETTINGS_ARENA_BYTES = 1 << 20, HELP_MAX_BYTES = 1 << 20 };

/* ---- The process ---- */

/* Each connection is a descriptor; the soft limit of most systems is 1024, the hard one what the operator allows. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE,
                    &limit); /* without it fewer connections are taken, which is logged then */
}

/* glibc would keep an arena of up to 64 MiB for each thread, and raise the size from which blocks go back to the system each
 * time such a block is freed. Both are for programs with other habits: here large blocks come from pools. */
static void tune_memory(void)
{
    (void)mallopt(M_ARENA_MAX, 2);
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

static enum log_format log_format_of(const struct settings *settings)
{
    switch (settings->log_format) {
    case SETTING_FORMAT_TEXT:
        return LOG_TEXT;
    case SETTING_FORMAT_JSON:
        return LOG_JSON;
    case SETTING_FORMAT_AUTO:
        break;
    }
    return isatty(STDERR_FILENO) ? LOG_TEXT : LOG_JSON;
}

/* ---- What is told at start, on standard output ---- */

/* Text unless JSON was asked for by name: scripts read "pail: S3 on http://..." from a pipe, too. */
struct announcer {
    const struct server *server;
    const struct settings *settings;
    struct arena *arena;
    bool is_json;
};

static void announce_listener(const struct announcer *to, const char *service, const char *word,
                              const struct listener *listener)
{
    str url = listeners_url(listener, server_has_tls(to->server), to->arena);
    if (!to->is_json) {
        (void)printf("pail: %s on %.*s\n", word, STR_ARG(url));
        return;
    }
    struct buf line;
    buf_init(&line, HELP_MAX_BYTES);
    struct json_writer w;
    json_begin(&w, &line);
    json_open_object(&w, NULL);
    json_text(&w, "event", STR("listening"));
    json_text(&w, "service", str_from(service));
    json_text(&w, "url", url);
    json_text(&w, "address", str_from(listener->text));
    json_u64(&w, "port", listener->port);
    json_close(&w);
    (void)printf("%.*s\n", STR_ARG(buf_str(&line)));
    buf_release(&line);
}

/* A journal keeps what it is told, for everybody who may read it: there the keys stay in their file. */
static bool goes_to_journal(void)
{
    return getenv("JOURNAL_STREAM") != NULL;
}

static void announce_keys_as_json(const struct root_keys *keys)
{
    struct buf line;
    buf_init(&line, HELP_MAX_BYTES);
    struct json_writer w;
    json_begin(&w, &line);
    json_open_object(&w, NULL);
    json_text(&w, "event", STR("root-keys"));
    json_text(&w, "access_key", str_from(keys->access_key));
    json_text(&w, "secret_key", str_from(keys->secret_key));
    json_close(&w);
    (void)printf("%.*s\n", STR_ARG(buf_str(&line)));
    explicit_bzero(line.ptr, line.capacity);
    buf_release(&line);
}

static void announce_keys(const struct announcer *to)
{
    const struct root_keys *keys = server_new_root_keys(to->server);
    if (!keys)
        return;
    str folder = to->settings->data_dir;
    if (folder.len && goes_to_journal()) {
        (void)printf("pail: made root keys: see %.*s/root-keys\n", STR_ARG(folder));
        return;
    }
    if (to->is_json) {
        announce_keys_as_json(keys);
        return;
    }
    const struct listeners *listeners = server_s3_listeners(to->server);
    str url = listeners_url(&listeners->item[0], server_has_tls(to->server), to->arena);
    (void)printf("pail: made root keys; they are shown this once%s%.*s%s\n",
                 folder.len ? " and kept in " : "", STR_ARG(folder),
                 folder.len ? "/root-keys" : ", and gone when the server ends");
    (void)printf("pail:   access key  %s\npail:   secret key  %s\n", keys->access_key,
                 keys->secret_key);
    (void)printf("pail: try it:\n  AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s "
                 "AWS_DEFAULT_REGION=%.*s \\\n"
                 "    aws --endpoint-url %.*s s3 mb s3://my-first-bucket\n",
                 keys->access_key, keys->secret_key, STR_ARG(to->settings->region), STR_ARG(url));
}

static void announce(const struct announcer *to)
{
    const struct listeners *s3 = server_s3_listeners(to->server);
    const struct listeners *admin = server_admin_listeners(to->server);
    for (size_t i = 0; i < s3->count; i++)
        announce_listener(to, "s3", "S3", &s3->item[i]);
    for (size_t i = 0; i < admin->count; i++)
        announce_listener(to, "admin", "admin", &admin->item[i]);
    announce_keys(to);
    (void)fflush(stdout);
    if (to->settings->anonymous)
        log_event(LOG_WARN, "server",
                  "anonymous is on: whoever reaches the S3 port may do everything");
}

/* ---- The command ---- */

static void log_warnings(const struct settings_loaded *loaded, struct arena *arena)
{
    for (size_t i = 0; i < loaded->warning_count; i++)
        log_event(LOG_WARN, "settings", arena_str(arena, loaded->warning[i]).ptr);
}

static enum exit_code serve(const struct settings_input *input,
                            const struct settings_loaded *loaded, struct arena *arena)
{
    enum log_format format = log_format_of(&loaded->values);
    log_configure((enum log_level)loaded->values.log_level, format, STDERR_FILENO);
    log_warnings(loaded, arena);
    struct server *server;
    struct fail fail = {0};
    enum err err = server_open(
        &(struct server_options){.input = input, .settings = loaded, .log_format = format}, &server,
        &fail);
    if (err != OK) {
        complain_of("cannot start", err, &fail);
        return err == ERR_BAD_ARGUMENT || err == ERR_BAD_INPUT ? EXIT_USAGE : EXIT_FAILED;
    }
    err = server_start(server);
    if (err != OK) {
        complain_of("cannot start", err, &fail);
        server_close(server);
        return EXIT_FAILED;
    }
    announce(&(struct announcer){.server = server,
                                 .settings = &loaded->values,
                                 .arena = arena,
                                 .is_json = loaded->values.log_format == SETTING_FORMAT_JSON});
    notify_manager("READY=1");
    if (!server_run(server))
        _exit(
            EXIT_DONE); /* What still runs cannot be taken down; what was acknowledged is durable. */
    server_close(server);
    log_event(LOG_INFO, "server", "ended");
    return EXIT_DONE;
}

enum exit_code run_serve(const struct command *command, const char *const *argument, size_t count)
{
    (void)command;
    signals_block();
    raise_file_limit();
    tune_memory();
    struct arena *arena = arena_new(SETTINGS_ARENA_BYTES);
    struct settings_input input = {
        .argument = argument, .argument_count = count, .environment = (const char *const *)environ};
    struct settings_loaded loaded;
    struct fail fail = {0};
    enum err err = settings_load(&input, arena, &loaded, &fail);
    enum exit_code code = EXIT_USAGE;
    if (err == OK)
        code = serve(&input, &loaded, arena);
    else
        complain_of(NULL, err, &fail);
    arena_free(arena);
    return code;
}

void help_serve(const struct command *command)
{
    (void)command;
    struct buf text;
    buf_init(&text, HELP_MAX_BYTES);
    buf_append(
        &text,
        STR("Usage: pail serve [SETTINGS]\n\nRuns the server until SIGTERM or SIGINT, then lets "
            "running "
            "requests finish.\nSIGHUP reads log level, access log and certificate again.\n\n"));
    settings_write_help(&text);
    (void)fwrite(text.ptr, 1, text.len, stdout);
    buf_release(&text);
}
