/* command: the program's commands as a table, and what they share. */
#pragma once

#include "base/fail.h"
#include "base/str.h"

/* What the program ends with. */
enum exit_code {
    EXIT_DONE = 0,    /* it worked; the server was asked to end and did */
    EXIT_FAILED = 1,  /* it did not work; the reason is on standard error */
    EXIT_USAGE = 2,   /* a wrong command, flag or setting: trying again will not help */
    EXIT_UNKNOWN = 3, /* fsck, verify: whether there is damage could not be found out */
};

struct command {
    const char *name;
    const char *summary; /* one line, no full stop */
    /* What follows the command's name. Flags of the command may be anywhere in it. */
    enum exit_code (*run)(const struct command *command, const char *const *argument, size_t count);
    void (*write_help)(const struct command *command); /* to standard output */
};

enum exit_code run_serve(const struct command *command, const char *const *argument, size_t count);
enum exit_code run_user(const struct command *command, const char *const *argument, size_t count);
enum exit_code run_key(const struct command *command, const char *const *argument, size_t count);
enum exit_code run_config(const struct command *command, const char *const *argument, size_t count);
enum exit_code run_bench(const struct command *command, const char *const *argument, size_t count);
enum exit_code run_rebuild(const struct command *command, const char *const *argument,
                           size_t count);
enum exit_code run_backup(const struct command *command, const char *const *argument, size_t count);
enum exit_code run_restore(const struct command *command, const char *const *argument,
                           size_t count);
enum exit_code run_verify(const struct command *command, const char *const *argument, size_t count);
enum exit_code run_fsck(const struct command *command, const char *const *argument, size_t count);
enum exit_code run_version(const struct command *command, const char *const *argument,
                           size_t count);
void help_serve(const struct command *command);
void help_user(const struct command *command);
void help_key(const struct command *command);
void help_config(const struct command *command);
void help_bench(const struct command *command);
void help_rebuild(const struct command *command);
void help_backup(const struct command *command);
void help_restore(const struct command *command);
void help_verify(const struct command *command);
void help_fsck(const struct command *command);
void help_version(const struct command *command);

/* "pail: " and the sentence, to standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same from a failure: its detail, or the fact that its code stands for, after "<doing>: " (may be null). */
void complain_of(const char *doing, enum err err, const struct fail *fail);
