/* What the files of the histories share: choices, expectations, and the steps of each file. */
#pragma once

#include "history.h"

void step_list_objects(struct history *h);
void step_list_uploads(struct history *h);
void step_usage(struct history *h);
size_t below(struct history *h, size_t limit);
bool one_in(struct history *h, size_t count);
size_t some_bucket(struct history *h);
void expect(struct history *h, enum err err, enum err expected);
void check_row(struct history *h, const struct object_row *row, const struct model_object *object);
struct model_upload *some_upload(struct history *h);
