/* The versions of a key. The newest is its row in `object`, or, when it is a delete marker, the
 * first of its rows in `version`; all older ones are in `version`. The newest knows in
 * `null_sequence` where the null version is, when that is another one.
 *
 * Source: Amazon S3 user guide, "Retaining multiple versions of objects with S3 Versioning". */
#pragma once

#include "object/store.h"

/* ---- Names of versions ---- */

/* 32 hex digits: the sequence, by which the version is found, and 8 random bytes. */
enum { VERSION_ID_TEXT = 32 };
/* Whether it could be one of ours: "null", or such digits. */
bool version_id_is_known_form(str text);
/* The name of the row's version, as clients see it: "null" for the null version. */
str version_id_shown(str version_id);
/* Where a page of versions ends, for the next one's version-id-marker. Unlike the version's own name it tells the
 * place also when the null version that stood there is gone. */
str version_marker_format(struct arena *arena, const struct object_row *row);

static inline bool is_delete_marker(const struct object_row *row)
{
    return (row->flags & VERSION_IS_DELETE_MARKER) != 0;
}

/* ---- Reading ---- */

/* The current version, or the one named (see version_id_is_known_form; empty: the current one).
 * ERR_NO_SUCH_KEY: there is no current version; *out_row is the delete marker that hides the older
 * ones, or has no flags when there is none. ERR_NO_SUCH_VERSION. ERR_IS_DELETE_MARKER: the version
 * that was named is one, *out_row. */
enum err object_find(struct tx *tx, const struct bucket_row *bucket, str key, str version_id,
                     struct arena *arena, struct object_row *out_row);

/* ---- For src/object's own use; changes are made inside an update ---- */

/* Reads the current version into *row, to judge conditions by and for version_add; *out_current is
 * null when there is none, or a delete marker hides what is older. */
enum err version_current(struct tx *tx, uint64_t bucket_id, str key, struct arena *arena,
                         struct object_row *row, struct object_row **out_current);
/* Makes the row, a version or a delete marker, the key's newest. What was `current` (null: none,
 * or a delete marker) is kept or let go of as the bucket's versioning says. Sets the row's
 * bucket_id, sequence, modified_ms, version_id and null_sequence. */
enum err version_add(struct tx *tx, const struct bucket_row *bucket,
                     const struct object_row *current, struct object_row *row, struct arena *arena);
/* Removes this version for good, as object_find has found it. What was under it comes to light. */
enum err version_remove(struct tx *tx, const struct bucket_row *bucket,
                        const struct object_row *row, struct arena *arena);
/* Puts the row of a version that is there, changed in what it says of itself. */
enum err version_rewrite(struct tx *tx, const struct object_row *row, struct arena *arena);
/* The key's newest version, which may be a delete marker. ERR_NOT_FOUND. */
enum err version_newest(struct tx *tx, uint64_t bucket_id, str key, struct arena *arena,
                        struct object_row *out_row);
/* A row of `version` as one of `object`; nothing is copied but the columns. */
void version_as_object(const struct version_row *version, struct object_row *out_row);
/* The sequence of the version that is named; ERR_NOT_FOUND when there is none. For a name with a
 * sequence in it the version need not exist. */
enum err version_sequence(struct tx *tx, uint64_t bucket_id, str key, str version_id,
                          struct arena *arena, uint64_t *out_sequence);
