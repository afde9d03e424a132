/* findings: how `pail fsck` and `pail verify` tell what they have found: as lines for people, or as JSON. */
#pragma once

#include "base/buf.h"
#include "codec/json.h"

/* The first letter of each word is upper case in no output: they are values of "kind" in JSON. */
enum finding_kind {
    FINDING_NOTE,   /* harmless */
    FINDING_DAMAGE, /* something stored is not what it was */
    FINDING_HIT,    /* what a client loses by damage that was told before */
    FINDING_REPAIR, /* what a repair has done */
};
enum { FINDING_KINDS = FINDING_REPAIR + 1 };

/* Texts may be empty. */
struct finding {
    enum finding_kind kind;
    str where, what;
    str bucket, key, version_id, upload_id;
    uint64_t part_number; /* 0: none */
};

/* Where findings go, and how many there were. */
struct findings {
    bool is_json;
    uint64_t count[FINDING_KINDS];
    /* Internal. */
    struct buf text;
    struct json_writer json;
};

/* With JSON, an object is begun whose array "findings" takes them. */
void findings_init(struct findings *findings, bool is_json);
/* Counts it and writes it to standard output at once. */
void findings_add(struct findings *findings, const struct finding *finding);
/* With JSON, the counts and the state end the object. */
void findings_end(struct findings *findings, const char *state);
void findings_release(struct findings *findings);
