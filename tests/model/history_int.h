/* What the files of the histories share: choices, expectations, and the steps of each file. */
#pragma once

#include "history.h"

void step_list_objects(struct history *h);
void step_list_uploads(struct history *h);
void step_usage(struct history *h);
void step_versioning(struct history *h);
void step_delete_version(struct history *h);
void step_get_version(struct history *h);
void step_list_versions(struct history *h);
size_t below(struct history *h, size_t limit);
bool one_in(struct history *h, size_t count);
size_t some_bucket(struct history *h);
size_t some_key(struct history *h, size_t bucket);
str bytes_in_arena(struct history *h, const struct content *content);
struct model_listing some_listing(struct history *h);
struct list_args args_of(uint64_t bucket_id, const struct model_listing *listing);
bool begin_listing(struct history *h, size_t bucket, struct bucket_row *row, struct tx **tx);
void compare_pages(struct history *h, const struct model_page *page,
                   const struct model_page *wanted);
/* Deletes the oldest versions where a step could add more of them than the model can hold. */
void make_room(struct history *h, size_t bucket, size_t key);
void take_version_id(struct model_object *made, const struct model_bucket *bucket, str version_id);
void expect(struct history *h, enum err err, enum err expected);
void check_row(struct history *h, const struct object_row *row, const struct model_object *object);
struct model_upload *some_upload(struct history *h);
