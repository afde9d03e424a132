/* `pail restore`: a data folder from a backup, with the proof that it is what was backed up. */
#include <stdio.h>
#include <stdlib.h>

#include "app/command.h"
#include "app/flags.h"
#include "app/progress.h"
#include "base/buf.h"
#include "base/clock.h"
#include "client/bench_units.h"
#include "codec/json.h"
#include "store/local/restore.h"

struct restore_flags {
    str from, data_dir, scratch;
    bool is_verify_only, is_json;
};

static const struct flag restore_flag[] = {
    {"from", "DIR", "the backup", offsetof(struct restore_flags, from)},
    {"data-dir", "DIR", "the data folder to make: new, or empty",
     offsetof(struct restore_flags, data_dir)},
    {"verify-only", NULL, "prove the backup where it lies, and make nothing",
     offsetof(struct restore_flags, is_verify_only)},
    {"scratch", "DIR", "with --verify-only: where the index is made meanwhile (TMPDIR or /tmp)",
     offsetof(struct restore_flags, scratch)},
    {"json", NULL, "print what was proved as JSON", offsetof(struct restore_flags, is_json)},
    {0},
};

enum { ARENA_BYTES = 1 << 20 };

/* ---- Telling ---- */

static void print_json(const struct local_restored *restored, bool is_kept, struct buf *out)
{
    struct json_writer w;
    json_begin(&w, out);
    json_open_object(&w, NULL);
    json_text(&w, "state", is_kept ? STR("restored") : STR("verified"));
    json_time(&w, "taken", restored->taken_ms);
    json_u64(&w, "sequence", restored->sequence);
    json_u64(&w, "files", restored->file_count);
    json_u64(&w, "bytes", restored->byte_count);
    json_u64(&w, "objects", restored->object_count);
    json_u64(&w, "object_bytes", restored->object_bytes);
    json_u64(&w, "versions", restored->version_count);
    json_u64(&w, "version_bytes", restored->version_bytes);
    json_u64(&w, "extents", restored->extent_count);
    json_u64(&w, "extent_bytes", restored->extent_bytes);
    json_close(&w);
    buf_append_char(out, '\n');
}

static void print_text(const struct local_restored *restored, const struct restore_flags *flags,
                       struct arena *arena)
{
    char taken[CLOCK_TEXT_MAX];
    str objects = bench_format_size(arena, restored->object_bytes);
    str files = bench_format_size(arena, restored->byte_count);
    if (flags->is_verify_only)
        (void)printf("pail: the backup %.*s is whole\n", STR_ARG(flags->from));
    else
        (void)printf("pail: restored %.*s to %.*s\n", STR_ARG(flags->from),
                     STR_ARG(flags->data_dir));
    str when = clock_format_iso(restored->taken_ms, taken);
    (void)printf("pail:   as of    %.*s, log record %llu\n", STR_ARG(when),
                 (unsigned long long)restored->sequence);
    (void)printf("pail:   objects  %llu, %.*s\n", (unsigned long long)restored->object_count,
                 STR_ARG(objects));
    if (restored->version_count)
        (void)printf("pail:   versions %llu besides\n",
                     (unsigned long long)restored->version_count);
    (void)printf("pail:   read and compared with their checksums: %llu files, %.*s\n",
                 (unsigned long long)restored->file_count, STR_ARG(files));
}

static enum exit_code tell(const struct local_restored *restored, const struct restore_flags *flags,
                           struct arena *arena)
{
    BUF_SCOPED struct buf text;
    buf_init(&text, ARENA_BYTES);
    progress_end();
    if (flags->is_json) {
        print_json(restored, !flags->is_verify_only, &text);
        (void)fwrite(text.ptr, 1, text.len, stdout);
    } else {
        print_text(restored, flags, arena);
    }
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* ---- The command ---- */

static enum err parse(struct restore_flags *flags, const char *const *argument, size_t count,
                      struct arena *arena, struct fail *fail)
{
    struct flag_target target = {.table = restore_flag, .base = flags};
    struct flag_words words;
    TRY(flags_parse(&target, argument, count, arena, &words, fail));
    if (words.count || !flags->from.len || flags->is_verify_only == (flags->data_dir.len > 0))
        return fail_set(fail, ERR_BAD_ARGUMENT, NULL,
                        "write it so: pail restore --from BACKUP --data-dir DIR, or pail restore "
                        "--from BACKUP --verify-only");
    if (flags->scratch.len && !flags->is_verify_only)
        return fail_set(fail, ERR_BAD_ARGUMENT, NULL, "--scratch goes with --verify-only");
    return OK;
}

static const char *scratch_folder(const struct restore_flags *flags)
{
    const char *temporary = getenv("TMPDIR");
    if (flags->scratch.len)
        return flags->scratch.ptr;
    return temporary && temporary[0] ? temporary : "/tmp";
}

static enum exit_code restore(const char *const *argument, size_t count, struct arena *arena)
{
    struct restore_flags flags = {0};
    struct local_restored restored;
    struct fail fail = {0};
    enum err err = parse(&flags, argument, count, arena, &fail);
    if (err != OK) {
        complain_of(NULL, err, &fail);
        return EXIT_USAGE;
    }
    struct local_restore_options options = {
        .from = flags.from.ptr,
        .data_dir = flags.is_verify_only ? NULL : flags.data_dir.ptr,
        .scratch = scratch_folder(&flags),
        .found = progress_found,
        .progress = progress_show,
        .stop = progress_stop_on_signal(),
    };
    err = local_restore(&options, &restored, &fail);
    if (err == OK)
        return tell(&restored, &flags, arena);
    progress_end();
    complain_of(flags.is_verify_only ? "the backup is not proved" : "nothing was restored", err,
                &fail);
    return EXIT_FAILED;
}

enum exit_code run_restore(const struct command *command, const char *const *argument, size_t count)
{
    (void)command;
    struct arena *arena = arena_new(ARENA_BYTES);
    enum exit_code code = restore(argument, count, arena);
    arena_free(arena);
    return code;
}

void help_restore(const struct command *command)
{
    (void)command;
    (void)fputs(
        "Usage:\n"
        "  pail restore --from BACKUP --data-dir DIR     make a data folder from a backup\n"
        "  pail restore --from BACKUP --verify-only      prove a backup, and make nothing\n\n"
        "Every file is compared with the backup's manifest, the index is made from the log, and "
        "every record,\n"
        "row and body is read and compared with its checksum. Only then the folder becomes one "
        "that\n"
        "\"pail serve --data-dir DIR\" takes. What is damaged is named file by file, and nothing "
        "is left.\n\nFlags:\n",
        stdout);
    flags_print(restore_flag);
}
