/* The catalogue recounted: what must hold of its rows after every change, whatever led to it. Each breach fails the test with
 * the rows that disagree. */
#pragma once

#include "world.h"

/* 1. A bucket's usage row says what its objects and uploads are when they are counted.
 * 2. An extent's or manifest's reference count is the number of rows that name it: versions, parts' ranges, pieces.
 * 3. What nobody names is garbage, and nothing that is named is.
 * 4. Pieces cover their manifest without gaps; every range lies in its extent; a body has the size that its row says.
 * 5. Parts belong to an upload, uploads to a bucket, pieces to a manifest, or to garbage of that kind.
 * 6. Every bucket is in its owner's list, and every entry of a list is a bucket. */
void audit(struct client *client);

/* Runs the janitor until nothing is left to do, then audits, and sees that no garbage and no unnamed extent stayed. */
void settle(struct client *client);

/* How many rows a table has. */
size_t count_rows(struct client *client, enum table_id table);
