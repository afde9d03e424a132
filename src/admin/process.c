#include "admin/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/prometheus.h"
#include "base/clock.h"
#include "base/fd.h"

enum { PROC_FILE_MAX_BYTES = 8192 };

/* The number in the field with that index, of a line of fields with a space between. */
static enum err field_u64(str line, size_t index, uint64_t *out)
{
    str field = STR("");
    for (size_t i = 0; i <= index; i++)
        (void)str_cut(line, ' ', &field, &line);
    return str_to_u64(str_trim(field), out);
}

enum err process_memory(struct process_memory *out)
{
    BUF_SCOPED struct buf content;
    buf_init(&content, PROC_FILE_MAX_BYTES);
    TRY(file_read(AT_FDCWD, "/proc/self/statm", &content));
    uint64_t total, resident, page = (uint64_t)sysconf(_SC_PAGESIZE);
    TRY(field_u64(buf_str(&content), 0, &total));
    TRY(field_u64(buf_str(&content), 1, &resident));
    *out =
        (struct process_memory){.resident_bytes = resident * page, .virtual_bytes = total * page};
    return OK;
}

/* Clock ticks from boot to this process's start are field 22 of /proc/self/stat (proc(5)); boot is btime of /proc/stat.
 * The monotonic clock counts from boot as well (apart from suspension), which saves the second file. */
static enum err start_time_us(uint64_t *out)
{
    BUF_SCOPED struct buf content;
    buf_init(&content, PROC_FILE_MAX_BYTES);
    TRY(file_read(AT_FDCWD, "/proc/self/stat", &content));
    str line = buf_str(&content);
    /* The name in field 2 may hold spaces: count from the parenthesis behind it, where field 3 begins. */
    ptrdiff_t end = -1;
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] == ')')
            end = (ptrdiff_t)i;
    if (end < 0 || (size_t)end + 2 > line.len)
        return ERR_CORRUPT;
    uint64_t ticks;
    TRY(field_u64(str_skip(line, (size_t)end + 2), 22 - 3, &ticks));
    uint64_t ticks_a_second = (uint64_t)sysconf(_SC_CLK_TCK);
    int64_t boot_us = clock_real_us() - clock_mono_us();
    *out = (uint64_t)boot_us + ticks * 1000000 / ticks_a_second;
    return OK;
}

static uint64_t open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;
    while (dir && readdir(dir))
        count++;
    if (!dir)
        return 0;
    (void)closedir(dir);
    return count > 3 ? count - 3 : 0; /* without ".", ".." and the folder itself */
}

static uint64_t us_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void write_seconds(struct buf *out, const char *name, enum prom_type type, const char *help,
                          uint64_t us)
{
    prom_family(out, name, type, help);
    prom_seconds(out, &(struct prom_sample){.name = name}, us);
}

void process_write(struct buf *out)
{
    struct process_memory memory;
    if (process_memory(&memory) == OK) {
        prom_single(out, "process_resident_memory_bytes", PROM_GAUGE, "Resident memory.",
                    memory.resident_bytes);
        prom_single(out, "process_virtual_memory_bytes", PROM_GAUGE, "Virtual memory.",
                    memory.virtual_bytes);
    }
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        write_seconds(out, "process_cpu_seconds_total", PROM_COUNTER,
                      "Processor time, user and system.",
                      us_of(usage.ru_utime) + us_of(usage.ru_stime));
    uint64_t start_us;
    if (start_time_us(&start_us) == OK)
        write_seconds(out, "process_start_time_seconds", PROM_GAUGE,
                      "When the process started, since 1970.", start_us);
    prom_single(out, "process_open_fds", PROM_GAUGE, "Open file descriptors.", open_files());
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        prom_single(out, "process_max_fds", PROM_GAUGE, "Largest number of file descriptors.",
                    (uint64_t)limit.rlim_cur);
}
