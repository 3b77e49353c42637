/* How much memory there is for this process. */
#include "base/machine.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/ensure.h"

enum { LINE_BYTES = 4096 };

/* The first line without its end; false where the file cannot be read. */
static bool read_line(const char *path, char line[LINE_BYTES])
{
    FILE *file = fopen(path, "re");
    bool is_read = file != NULL && fgets(line, LINE_BYTES, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (is_read)
        line[strcspn(line, "\n")] = '\0';
    return is_read;
}

/* INT64_MAX where there is no number: "max", or no such file. */
static int64_t read_bytes(const char *path)
{
    char line[LINE_BYTES], *end;
    if (!read_line(path, line) || line[0] < '0' || line[0] > '9')
        return INT64_MAX;
    errno = 0;
    long long bytes = strtoll(line, &end, 10);
    return errno != 0 || *end != '\0' || bytes == 0 ? INT64_MAX : (int64_t)bytes;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The group's limit, and those of all groups that it is in. Inside a container the path may be one of the outside: then
 * only the last look finds a file, at the top of what is mounted. */
static int64_t group_bytes(const char *mount, char *group, const char *file)
{
    int64_t bytes = INT64_MAX;
    for (;;) {
        char *path = xasprintf("%s%s/%s", mount, group, file);
        bytes = least(bytes, read_bytes(path));
        free(path);
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return bytes;
        *slash = '\0';
    }
}

/* A line is "HIERARCHY:CONTROLLERS:PATH"; version 2 has no controllers in it. */
static int64_t line_bytes(const char *root, char *line)
{
    char *controllers = strchr(line, ':'), *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (group == NULL)
        return INT64_MAX;
    *group++ = '\0';
    bool is_second = controllers[1] == '\0';
    if (!is_second && strcmp(controllers + 1, "memory") != 0)
        return INT64_MAX;
    char *mount = xasprintf("%s/sys/fs/cgroup%s", root, is_second ? "" : "/memory");
    int64_t bytes = group_bytes(mount, group, is_second ? "memory.max" : "memory.limit_in_bytes");
    free(mount);
    return bytes;
}

static int64_t groups_bytes(const char *root)
{
    char line[LINE_BYTES];
    int64_t bytes = INT64_MAX;
    char *path = xasprintf("%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    free(path);
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        bytes = least(bytes, line_bytes(root, line));
    }
    if (file != NULL)
        fclose(file);
    return bytes;
}

int64_t machine_memory_bytes(const char *root)
{
    struct rlimit space;
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    int64_t bytes = pages > 0 && page_bytes > 0 ? (int64_t)pages * page_bytes : INT64_MAX;
    bytes = least(bytes, groups_bytes(root));
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        bytes = least(bytes, (int64_t)space.rlim_cur);
    return bytes;
}
