/* A folder with the files of a store by their names: a backup, or a data folder on its way out of one. Files are named by
 * manifest_file (manifest.h), so nothing outside of the folder is reached. One thread at a time. */
#pragma once

#include "base/fail.h"
#include "store/local/io.h"
#include "store/local/manifest.h"

enum { TREE_FOLDERS = 256 };

struct tree {
    const struct io *io;
    int fd;       /* of the folder */
    bool is_made; /* by tree_make: it was not there before */
    bool has_folder[TREE_FOLDERS];
};

/* Makes a new folder, in one that exists, or takes one that is empty. ERR_EXISTS: there is something in it. */
enum err tree_make(struct tree *tree, const struct io *io, const char *path, struct fail *fail);
/* An existing one. */
enum err tree_open(struct tree *tree, const struct io *io, const char *path, struct fail *fail);
void tree_close(struct tree *tree); /* allowed on a zeroed one */

/* The two folders that every store has. */
enum err tree_add_folders(struct tree *tree);
/* A new file, open for writing; its folder is made when it is missing. */
enum err tree_create_file(struct tree *tree, const struct manifest_file *file, int *out_fd);
/* A file for reading, and its size. ERR_NOT_FOUND; ERR_CORRUPT: it is no plain file. */
enum err tree_open_file(const struct tree *tree, const struct manifest_file *file, int *out_fd,
                        uint64_t *out_size);
/* The file of another tree under the same name in this one. */
enum err tree_link_file(struct tree *tree, const struct tree *from,
                        const struct manifest_file *file);
/* The names of all files and folders are on stable storage; the files' content is their writers' business. */
enum err tree_sync(const struct tree *tree);

/* Removes all that is in a folder. */
enum err tree_empty(const struct tree *tree);
/* The same, and the folder itself when tree_make has made it; what cannot be removed stays. */
void tree_discard(struct tree *tree, const char *path);
