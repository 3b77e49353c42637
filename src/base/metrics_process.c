/* What is told of the process as a whole, under the names that all exporters use for it. What the system does not tell
 * is left out. */
#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/version.h"
#include "metrics_int.h"

/* Set once, before there are threads. */
static char mhd[64], curl[64];
static int64_t started_s;

void metrics_identify(const char *mhd_version, const char *curl_version)
{
    snprintf(mhd, sizeof mhd, "%s", mhd_version);
    snprintf(curl, sizeof curl, "%s", curl_version);
    started_s = clock_wall_s();
}

static bool write_replibridge_build_info(struct buf *out)
{
    const char *const labels[][2] = {
        {"version", REPLIBRIDGE_VERSION}, {"mhd", mhd}, {"curl", curl}, {"jansson", JANSSON_VERSION}};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        buf_append_text(out, i == 0 ? "{" : ",");
        metrics_write_label(out, labels[i][0], labels[i][1]);
    }
    return buf_append_text(out, "} 1");
}

static bool write_process_start_time_seconds(struct buf *out)
{
    return buf_printf(out, " %" PRId64, started_s);
}

static bool write_process_cpu_seconds_total(struct buf *out)
{
    struct timespec spent;
    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0 &&
           buf_printf(out, " %lld.%03ld", (long long)spent.tv_sec, spent.tv_nsec / 1000000);
}

/* The first two numbers of /proc/self/statm: pages of all memory, and of what is resident (proc_pid_statm(5)). */
static bool write_pages(struct buf *out, bool is_resident)
{
    long long all = -1, resident = -1;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return false;
    bool is_read = fscanf(file, "%lld %lld", &all, &resident) == 2;
    fclose(file);
    return is_read && buf_printf(out, " %lld", (is_resident ? resident : all) * sysconf(_SC_PAGESIZE));
}

static bool write_process_resident_memory_bytes(struct buf *out)
{
    return write_pages(out, true);
}

static bool write_process_virtual_memory_bytes(struct buf *out)
{
    return write_pages(out, false);
}

/* Without `.`, `..` and the descriptor that reads them. */
static bool write_process_open_fds(struct buf *out)
{
    int64_t count = -3;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return false;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return buf_printf(out, " %" PRId64, count);
}

static bool write_process_max_fds(struct buf *out)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    if (limit.rlim_cur == RLIM_INFINITY)
        return buf_append_text(out, " +Inf");
    return buf_printf(out, " %llu", (unsigned long long)limit.rlim_cur);
}

static const struct {
    const char *name, *help;
    enum metric_type type;
    bool (*write)(struct buf *out); /* the labels, a blank and the value; false: it is not known */
} rows[] = {
#define X(name, type, labels, help) {#name, help, METRIC_TYPE_##type, write_##name},
    METRICS_PROCESS(X)
#undef X
};

void metrics_write_process(struct buf *out)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf value;
        buf_init(&value, 1024);
        if (rows[i].write(&value)) {
            metrics_write_head(out, rows[i].name, rows[i].help, rows[i].type);
            buf_printf(out, "%s%s\n", rows[i].name, buf_text(&value));
        }
        buf_dispose(&value);
    }
}
