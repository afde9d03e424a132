#include "store/local/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

enum { DEPTH_MAX = 8, FOLDER_NAME_MAX = 32 };

/* ---- The folder ---- */

static enum err open_folder(struct tree *tree, const char *path, struct fail *fail)
{
    enum err err = io_open(tree->io, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, &tree->fd);
    return err == OK ? OK
                     : fail_set(fail, err, NULL, "the folder \"%s\" cannot be opened: %s", path,
                                strerror(errno));
}

static enum err refuse_any(void *context, int dir_fd, const char *name)
{
    (void)context, (void)dir_fd, (void)name;
    return ERR_EXISTS;
}

/* Without slashes at its end, behind which nobody would look for the folder that it lies in. */
static enum err make_durably(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    MEM_SCOPED char *trimmed = mem_zalloc(len + 1);
    memcpy(trimmed, path, len);
    return dir_make(AT_FDCWD, trimmed, 0700);
}

enum err tree_make(struct tree *tree, const struct io *io, const char *path, struct fail *fail)
{
    *tree = (struct tree){.io = io, .fd = -1};
    enum err err = make_durably(path);
    tree->is_made = err == OK;
    if (err != OK && err != ERR_EXISTS)
        return fail_set(fail, err, NULL, "the folder \"%s\" cannot be made: %s", path,
                        strerror(errno));
    err = open_folder(tree, path, fail);
    if (err == OK && !tree->is_made)
        err = io_each_entry(tree->fd, refuse_any, NULL);
    if (err == OK)
        return OK;
    if (tree->is_made)
        (void)rmdir(path);
    /* Open for who wants to look whether it may be emptied. */
    return fail_set(fail, err, NULL, "the folder \"%s\" %s", path,
                    err == ERR_EXISTS ? "is not empty" : "cannot be read");
}

enum err tree_open(struct tree *tree, const struct io *io, const char *path, struct fail *fail)
{
    *tree = (struct tree){.io = io, .fd = -1};
    return open_folder(tree, path, fail);
}

void tree_close(struct tree *tree)
{
    if (tree->io)
        fd_close_scoped(&tree->fd);
    *tree = (struct tree){0};
}

enum err tree_add_folders(struct tree *tree)
{
    TRY(io_mkdir(tree->io, tree->fd, "log"));
    return io_mkdir(tree->io, tree->fd, "extents");
}

/* ---- Files ---- */

static void folder_name(unsigned number, char dst[FOLDER_NAME_MAX])
{
    (void)snprintf(dst, FOLDER_NAME_MAX, "extents/%02x", number);
}

static enum err add_folder_of(struct tree *tree, const struct manifest_file *file)
{
    unsigned number = file->id % TREE_FOLDERS;
    char name[FOLDER_NAME_MAX];
    if (file->kind != MANIFEST_EXTENT || tree->has_folder[number])
        return OK;
    folder_name(number, name);
    TRY(io_mkdir(tree->io, tree->fd, name));
    tree->has_folder[number] = true;
    return OK;
}

enum err tree_create_file(struct tree *tree, const struct manifest_file *file, int *out_fd)
{
    char path[MANIFEST_PATH_MAX];
    manifest_path(file, path);
    TRY(add_folder_of(tree, file));
    return io_open(tree->io, tree->fd, path, O_WRONLY | O_CREAT | O_EXCL, out_fd);
}

/* Nothing is known about who has written the folder: a pipe must not keep us waiting. */
enum err tree_open_file(const struct tree *tree, const struct manifest_file *file, int *out_fd,
                        uint64_t *out_size)
{
    char path[MANIFEST_PATH_MAX];
    struct stat status;
    FD_SCOPED int fd = -1;
    manifest_path(file, path);
    TRY(io_open(tree->io, tree->fd, path, O_RDONLY | O_NONBLOCK, &fd));
    if (fstat(fd, &status) < 0)
        return err_from_errno(errno);
    if (!S_ISREG(status.st_mode))
        return ERR_CORRUPT;
    *out_size = (uint64_t)status.st_size;
    *out_fd = fd_take(&fd);
    return OK;
}

enum err tree_link_file(struct tree *tree, const struct tree *from,
                        const struct manifest_file *file)
{
    char path[MANIFEST_PATH_MAX];
    manifest_path(file, path);
    TRY(add_folder_of(tree, file));
    return io_link(tree->io, from->fd, path, tree->fd, path);
}

static enum err sync_folder(const struct tree *tree, const char *name)
{
    FD_SCOPED int fd = -1;
    TRY(io_open(tree->io, tree->fd, name, O_RDONLY | O_DIRECTORY, &fd));
    return io_sync(tree->io, fd);
}

enum err tree_sync(const struct tree *tree)
{
    for (unsigned i = 0; i < TREE_FOLDERS; i++) {
        char name[FOLDER_NAME_MAX];
        folder_name(i, name);
        if (tree->has_folder[i])
            TRY(sync_folder(tree, name));
    }
    TRY(sync_folder(tree, "log"));
    TRY(sync_folder(tree, "extents"));
    return io_sync(tree->io, tree->fd);
}

/* ---- Removing ---- */

struct emptying {
    const struct io *io;
    int depth;
};

static enum err remove_entry(void *context, int dir_fd, const char *name)
{
    struct emptying *emptying = context;
    struct stat status;
    if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return err_from_errno(errno);
    if (!S_ISDIR(status.st_mode))
        return io_unlink(emptying->io, dir_fd, name);
    FD_SCOPED int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    if (emptying->depth == DEPTH_MAX)
        return ERR_TOO_LARGE;
    emptying->depth++;
    TRY(io_each_entry(fd, remove_entry, context));
    emptying->depth--;
    return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 ? OK : err_from_errno(errno);
}

enum err tree_empty(const struct tree *tree)
{
    struct emptying emptying = {.io = tree->io};
    return io_each_entry(tree->fd, remove_entry, &emptying);
}

void tree_discard(struct tree *tree, const char *path)
{
    if (tree->fd >= 0)
        (void)tree_empty(tree);
    if (tree->is_made)
        (void)rmdir(path);
}
