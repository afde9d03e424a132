/* admin_client: the commands' way to a running server: its admin API, signed with root's keys. */
#pragma once

#include "app/flags.h"
#include "app/keyfiles.h"
#include "codec/json.h"

struct admin_client {
    /* From flags; what is empty is looked for elsewhere. */
    str endpoint; /* empty: http://127.0.0.1:9001 */
    str data_dir; /* empty: PAIL_DATA_DIR */
    str ca_file;  /* PEM; empty: the system's */
    bool is_json; /* the answer is printed as it came */
    struct root_keys keys;
};

/* The rows that every command on the admin API has in its table of flags; `client` is the member of its struct. */
#define ADMIN_CLIENT_FLAGS(type, client)                                                           \
    {"endpoint", "URL", "the server's admin address (http://127.0.0.1:9001)",                      \
     offsetof(type, client.endpoint)},                                                             \
        {"data-dir", "DIR", "the server's data folder, for the root keys in it",                   \
         offsetof(type, client.data_dir)},                                                         \
        {"ca-file", "FILE", "certificates to trust (PEM)", offsetof(type, client.ca_file)},        \
    {                                                                                              \
        "json", NULL, "print the server's answer as JSON", offsetof(type, client.is_json)          \
    }

/* How the root keys are found, for a help text. */
extern const char admin_client_help[];

struct admin_request {
    const char *method;
    str path; /* with query, percent-encoded */
    str body; /* JSON; empty for none */
};
struct admin_answer {
    str text;                 /* the body; in the arena */
    struct json_value *value; /* the same, read; null when it is empty */
};

/* Finds the root keys and asks. OK for an answer 2xx; else a sentence in fail: no keys, no connection, or what the server
 * says. */
enum err admin_ask(struct admin_client *client, const struct admin_request *request,
                   struct arena *arena, struct admin_answer *out, struct fail *fail);

/* A name percent-encoded behind a fixed path. */
str admin_path(struct arena *arena, const char *fixed, str name);
