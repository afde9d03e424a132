/* Runs a fuzz harness over the files that are given, and over the files of folders: how the corpora run in the ordinary test
 * suite, and how a found input is looked at again (fuzz_xml crash-...). Linked where libFuzzer's own main is not. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "fuzz.h"

enum { FILE_BYTES_MAX = 64 << 20 };

static bool replay_file(int dir_fd, const char *path)
{
    BUF_SCOPED struct buf input;
    buf_init(&input, FILE_BYTES_MAX);
    if (file_read(dir_fd, path, &input) != OK) {
        (void)fprintf(stderr, "cannot read %s\n", path);
        return false;
    }
    /* A copy of its own size, so that the sanitizers see a read behind the end. */
    MEM_SCOPED uint8_t *exact = mem_alloc(input.len);
    if (input.len)
        memcpy(exact, input.ptr, input.len);
    (void)LLVMFuzzerTestOneInput(exact, input.len);
    return true;
}

/* Returns the number of files that were run, or -1. */
static int replay_folder(DIR *dir)
{
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        if (!replay_file(dirfd(dir), entry->d_name))
            return -1;
        count++;
    }
    return count;
}

static int replay(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return replay_file(AT_FDCWD, path) ? 1 : -1;
    int count = replay_folder(dir);
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int sum = 0;
    for (int i = 1; i < argc; i++) {
        int count = replay(argv[i]);
        if (count < 0)
            return 1;
        sum += count;
    }
    (void)printf("%d inputs\n", sum);
    /* An empty corpus would pass without a test. */
    return sum > 0 ? 0 : 1;
}
