/* `pail fsck`: is what a data folder holds still what was stored? For a folder that no server has open.
 *
 *   check ── what clients lose ──┬─ nothing damaged ──→ 0
 *                                ├─ no --repair ──────→ 1
 *                                └─ repair ── check again ──→ 1
 *
 * A repair never takes away what can still be read: the index is made anew when it alone is damaged, rows whose change the log has
 * lost are written again from the index, and only of a store that no start would open the damaged records are given up. What has
 * lost its body stays, and answers errors, until its owner deletes it or puts it again: an object that is silently gone
 * would be taken for one that was deleted, by whoever mirrors the store. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/findings.h"
#include "app/flags.h"
#include "app/keyfiles.h"
#include "app/progress.h"
#include "object/damage.h"
#include "object/users.h"
#include "store/local/local_engine.h"

struct fsck_flags {
    str data_dir;
    bool repair, is_json;
};

static const struct flag fsck_flag[] = {
    {"data-dir", "DIR", "the data folder; its server must not run",
     offsetof(struct fsck_flags, data_dir)},
    {"repair", NULL, "mend what can be mended without losing more",
     offsetof(struct fsck_flags, repair)},
    {"json", NULL, "print the findings as JSON", offsetof(struct fsck_flags, is_json)},
    {0},
};

struct fsck {
    struct local_options options;
    struct findings findings;
    struct damage *damage;
    bool is_index_damaged;
};

/* ---- Telling ---- */

static void add(struct fsck *fsck, const struct finding *finding)
{
    progress_end();
    findings_add(&fsck->findings, finding);
}

static void take_finding(void *context, const struct local_finding *finding)
{
    struct fsck *fsck = context;
    add(fsck, &(struct finding){.kind = finding->err == OK ? FINDING_NOTE : FINDING_DAMAGE,
                                .where = str_from(finding->where),
                                .what = str_from(finding->what)});
    if (finding->part == LOCAL_EXTENT)
        damage_add_extent(fsck->damage, finding->extent_id);
    if (finding->part == LOCAL_ROW)
        damage_add_row(fsck->damage, finding->row_key);
    fsck->is_index_damaged |= finding->part == LOCAL_INDEX;
}

static void take_hit(void *context, const struct damage_hit *hit)
{
    add(context, &(struct finding){.kind = FINDING_HIT,
                                   .what = str_from(hit->what),
                                   .bucket = hit->bucket,
                                   .key = hit->key,
                                   .version_id = hit->version_id,
                                   .upload_id = hit->upload_id,
                                   .part_number = hit->part_number});
}

/* count 0: none is told. */
static void add_repair(struct fsck *fsck, const char *what, uint64_t count)
{
    char text[160];
    if (count)
        (void)snprintf(text, sizeof(text), "%llu %s", (unsigned long long)count, what);
    else
        (void)snprintf(text, sizeof(text), "%s", what);
    add(fsck, &(struct finding){.kind = FINDING_REPAIR, .what = str_from(text)});
}

/* ---- Checking ---- */

/* The keys beside the store: a server does not start with files that it cannot read, or with another master key. */
static void check_keys(struct fsck *fsck, struct engine *engine)
{
    const char *folder = fsck->options.data_dir;
    struct fail fail = {0};
    /* Nobody signs anything here; there must be a root account. */
    struct users_options options = {
        .engine = engine, .root_access_key = STR("none"), .root_secret_key = STR("none")};
    enum err err = root_keys_check(folder, &fail);
    if (err == ERR_CORRUPT)
        add(fsck, &(struct finding){.kind = FINDING_DAMAGE,
                                    .where = STR("root-keys"),
                                    .what = str_from(fail.detail)});
    fail = (struct fail){0};
    err = master_key_read(folder, options.master_key, &fail);
    if (err == OK && engine) {
        struct users *users = users_new(&options);
        err = users_check_master_key(users, &fail);
        users_free(users);
    }
    explicit_bzero(&options, sizeof(options));
    if (err == ERR_CORRUPT)
        add(fsck, &(struct finding){.kind = FINDING_DAMAGE,
                                    .where = STR("master-key"),
                                    .what = str_from(fail.detail)});
}

static enum err name_hits(struct fsck *fsck, struct engine *engine, struct fail *fail)
{
    if (damage_is_empty(fsck->damage))
        return OK;
    struct damage_search search = {.hit = take_hit, .context = fsck};
    enum err err = damage_name(fsck->damage, engine, &search);
    if (err == ERR_CORRUPT) {
        add(fsck, &(struct finding){.kind = FINDING_NOTE,
                                    .what = STR("the catalogue cannot be read to its end, so there "
                                                "may be more hits")});
        err = OK;
    }
    uint64_t forgotten = damage_forgotten_count(fsck->damage);
    if (forgotten)
        add(fsck, &(struct finding){.kind = FINDING_NOTE,
                                    .what = STR("there is too much damage to name all hits")});
    return err == OK ? OK : fail_set(fail, err, NULL, "the hits could not be looked for");
}

/* Everything once. OK when it got to the end, whatever it found. */
static enum err check(struct fsck *fsck, struct fail *fail)
{
    struct engine *engine = NULL;
    struct local_scrub scrub = {.found = take_finding, .progress = progress_show, .context = fsck};
    damage_free(fsck->damage);
    fsck->damage = damage_new();
    fsck->is_index_damaged = false;
    enum err err = local_open_damaged(&fsck->options, &scrub, &engine, fail);
    if (err == ERR_CORRUPT) {
        check_keys(fsck, NULL);
        progress_end();
        return OK;
    }
    TRY(err);
    err = local_check_open(engine, &scrub);
    if (err == OK)
        err = name_hits(fsck, engine, fail);
    check_keys(fsck, engine);
    engine_close(engine);
    progress_end();
    return err;
}

/* ---- Repairing ---- */

static void take_loss(void *context, const struct local_finding *finding)
{
    add(context, &(struct finding){.kind = FINDING_REPAIR,
                                   .where = str_from(finding->where),
                                   .what = str_from(finding->what)});
}

/* Of a store that opens: what the log has lost of rows, the index still knows. */
static enum err mend_rows(struct fsck *fsck, struct fail *fail)
{
    struct engine *engine;
    uint64_t mended = 0, left = 0;
    TRY(local_engine_open(&fsck->options, &engine, fail));
    enum err err = damage_mend_rows(fsck->damage, engine, &mended, &left);
    engine_close(engine);
    if (err != OK)
        return fail_set(fail, err, NULL, "rows could not be written again: %s", err_fact(err));
    if (mended)
        add_repair(fsck, "rows were written to the log again", mended);
    if (left)
        add_repair(fsck, "rows have lost their body and stay as they are", left);
    return OK;
}

static enum err salvage(struct fsck *fsck, struct fail *fail)
{
    TRY(local_repair(&fsck->options, take_loss, progress_show, fsck, fail));
    add_repair(fsck, "the log was read past its damage, and the index made anew from it", 0);
    return OK;
}

/* The index was made anew, or there is no need. ERR_CORRUPT: the log is damaged, too. */
static enum err mend_index(struct fsck *fsck, struct fail *fail)
{
    if (!fsck->is_index_damaged)
        return OK;
    TRY(local_rebuild_index(&fsck->options, progress_show, fsck, fail));
    add_repair(fsck, "the index was made anew from the log", 0);
    return OK;
}

/* The small files that the folder cannot be opened without. */
static enum err mend_files(struct fsck *fsck, struct fail *fail)
{
    return local_repair_files(&fsck->options, take_loss, fsck, fail);
}

static enum err repair(struct fsck *fsck, struct fail *fail)
{
    struct fail first = {0};
    enum err err = mend_files(fsck, fail);
    if (err != OK)
        return err;
    err = mend_index(fsck, &first);
    if (err == OK)
        err = mend_rows(fsck, &first);
    if (err == ERR_CORRUPT || err == ERR_IO)
        return salvage(fsck, fail);
    return err == OK ? OK : fail_set(fail, err, NULL, "%s", first.detail);
}

/* ---- The command ---- */

static enum exit_code judge(struct fsck *fsck, bool with_repair)
{
    struct fail fail = {0};
    enum err err = check(fsck, &fail);
    bool is_damaged = fsck->findings.count[FINDING_DAMAGE] > 0, is_sound = !is_damaged;
    if (err == OK && is_damaged && with_repair) {
        err = repair(fsck, &fail);
        uint64_t before = fsck->findings.count[FINDING_DAMAGE];
        if (err == OK)
            err = check(fsck, &fail);
        is_sound = err == OK && fsck->findings.count[FINDING_DAMAGE] == before;
    }
    progress_end();
    const char *state = err != OK     ? "unknown"
                        : !is_damaged ? "clean"
                        : is_sound    ? "repaired"
                                      : "damaged";
    findings_end(&fsck->findings, state);
    if (err != OK)
        complain_of(is_damaged && with_repair ? "the repair was broken off"
                                              : "the folder could not be checked",
                    err, &fail);
    else if (!fsck->findings.is_json)
        (void)printf("pail: %s: %s\n", fsck->options.data_dir, state);
    return err != OK ? EXIT_UNKNOWN : is_damaged ? EXIT_FAILED : EXIT_DONE;
}

/* The engine would make what is not there: with a mistyped name it would find an empty store in good order. */
static bool is_data_folder(const char *path, struct arena *arena)
{
    static const char *const entry[] = {"format", "log"};
    for (size_t i = 0; i < sizeof(entry) / sizeof(entry[0]); i++)
        if (access(arena_printf(arena, "%s/%s", path, entry[i]).ptr, F_OK) == 0)
            return true;
    return false;
}

static enum exit_code run_in_arena(const char *const *argument, size_t count, struct arena *arena)
{
    struct fsck_flags flags = {0};
    struct flag_target target = {.table = fsck_flag, .base = &flags};
    struct flag_words words;
    struct fail fail = {0};
    enum err err = flags_parse(&target, argument, count, arena, &words, &fail);
    if (err == OK && (words.count || !flags.data_dir.len))
        err = fail_set(&fail, ERR_BAD_ARGUMENT, NULL,
                       "write it so: pail fsck --data-dir DIR [--repair] [--json]");
    if (err == OK && !is_data_folder(flags.data_dir.ptr, arena))
        err = fail_set(&fail, ERR_BAD_ARGUMENT, NULL,
                       "\"%.*s\" is not a data folder: it has no file \"format\"",
                       STR_ARG(flags.data_dir));
    if (err != OK) {
        complain_of(NULL, err, &fail);
        return EXIT_USAGE;
    }
    struct fsck fsck = {.options = {.data_dir = flags.data_dir.ptr}};
    findings_init(&fsck.findings, flags.is_json);
    enum exit_code code = judge(&fsck, flags.repair);
    findings_release(&fsck.findings);
    damage_free(fsck.damage);
    return code;
}

enum exit_code run_fsck(const struct command *command, const char *const *argument, size_t count)
{
    (void)command;
    enum { ARENA_BYTES = 1 << 16 };
    struct arena *arena = arena_new(ARENA_BYTES);
    enum exit_code code = run_in_arena(argument, count, arena);
    arena_free(arena);
    return code;
}

void help_fsck(const struct command *command)
{
    (void)command;
    (void)fputs(
        "Usage: pail fsck --data-dir DIR [--repair] [--json]\n\n"
        "Reads everything that the folder holds, and compares it with its checksums. The "
        "server of that\n"
        "folder must not run; a running one is asked with \"pail verify\".\n\n"
        "Each line of the output is one finding:\n"
        "  damage: FILE or ROW: WHAT     something stored is not what it was\n"
        "  hit: WHAT: bucket, key ...    what a client cannot read because of it\n"
        "  note: FILE: WHAT              harmless, like what a crash has left over\n"
        "  repair: WHAT                  what --repair has done\n\n"
        "--repair makes the index anew when only it is damaged, writes rows again that the "
        "log has lost and\n"
        "the index has not, and reads past damage of the log that keeps the store from "
        "opening. Objects whose\n"
        "bytes are gone stay, and answer errors, until they are deleted or put again. Then "
        "it checks once\n"
        "more. Copy the folder before, if there is room.\n\n"
        "Ends with 0 when the folder is clean, 1 when damage was found (repaired or not), 2 "
        "for wrong usage,\n"
        "3 when the folder could not be checked, as when a server has it.\n\n",
        stdout);
    flags_print(fsck_flag);
}
