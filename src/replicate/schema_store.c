/* Models' documents on disk, so that a restart asks Replicate for nothing that it was told within the hour.
 *
 * One file per model, its bytes as Replicate sent them, its age that of the file. Everything here may fail, and then
 * the daemon does without: a document that cannot be read is fetched, one that cannot be written is not kept. */
#include "schemas_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"

enum {
    FILE_NAME_BYTES = 255, /* what file systems take */
    DIRECTORY_BYTES = 4096,
};

static const char suffix[] = ".json", temporary[] = ".new-XXXXXX";

struct schema_store {
    char *directory;
    atomic_bool has_complained;
};

/* Once is enough: what is wrong with a directory is wrong with every file in it. */
static void complain(struct schema_store *store, const char *what)
{
    int reason = errno;
    if (!atomic_exchange(&store->has_complained, true))
        log_write(LOG_LEVEL_WARN, "cache_dir_unusable", log_text("directory", store->directory), log_text("what", what),
                  log_text("reason", strerror(reason)));
}

static bool is_usable(const char *directory)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return false;
    struct stat status;
    if (stat(directory, &status) != 0)
        return false;
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return false;
    }
    return access(directory, R_OK | W_OK | X_OK) == 0;
}

struct schema_store *schema_store_new(const char *directory)
{
    if (directory == NULL)
        return NULL;
    struct schema_store *store = xcalloc(1, sizeof *store);
    store->directory = xstrdup(directory);
    atomic_init(&store->has_complained, false);
    if (is_usable(directory))
        return store;
    complain(store, "open");
    schema_store_free(store);
    return NULL;
}

void schema_store_free(struct schema_store *store)
{
    if (store == NULL)
        return;
    free(store->directory);
    free(store);
}

/* The path of the key's file: every byte that could mean something to a file system is escaped, so that two keys never
 * share a file and none leads out of the directory. False where the name is too long for a file: a hash would make it
 * short, but let one model's name be chosen to hit another's file. */
static bool path_of(const struct schema_store *store, const char *key, struct buf *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    bool ok = buf_append_text(path, store->directory) && buf_append_text(path, "/");
    size_t begin = path->length;
    for (const char *at = key; ok && *at != '\0'; at++)
        ok = strchr(plain, *at) != NULL ? buf_append(path, at, 1)
                                        : buf_printf(path, "%%%02X", (unsigned)(unsigned char)*at);
    return ok && buf_append_text(path, suffix) && path->length - begin <= FILE_NAME_BYTES;
}

/* ---- reading ---- */

/* Whatever lies under the name, opening it neither waits nor takes over a terminal. */
static int open_regular(const char *path, struct stat *status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    if (fstat(fd, status) == 0 && S_ISREG(status->st_mode) && status->st_size > 0 &&
        status->st_size <= SCHEMA_DOCUMENT_BYTES)
        return fd;
    close(fd);
    return -1;
}

/* NULL unless there are exactly as many bytes. */
static char *read_whole(int fd, size_t length)
{
    char *bytes = xmalloc(length + 1);
    size_t used = 0;
    while (used < length) {
        ssize_t got = read(fd, bytes + used, length - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            free(bytes);
            return NULL;
        }
        used += (size_t)got;
    }
    bytes[length] = '\0';
    return bytes;
}

/* A file from the future has the age of a clock that is wrong, so it counts as old. */
static int64_t age_ms_of(const struct stat *status)
{
    int64_t written_ms = (int64_t)status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000;
    int64_t age_ms = clock_wall_ms() - written_ms;
    return age_ms < 0 ? SCHEMA_LIFE_MS : age_ms;
}

char *schema_store_read(struct schema_store *store, const char *key, size_t *length, int64_t *age_ms)
{
    if (store == NULL)
        return NULL;
    struct buf path;
    buf_init(&path, DIRECTORY_BYTES + FILE_NAME_BYTES);
    struct stat status;
    char *bytes = NULL;
    int fd = path_of(store, key, &path) ? open_regular(buf_text(&path), &status) : -1;
    if (fd >= 0) {
        *length = (size_t)status.st_size;
        *age_ms = age_ms_of(&status);
        bytes = read_whole(fd, *length);
        close(fd);
    }
    buf_dispose(&path);
    return bytes;
}

/* ---- writing ---- */

static bool write_whole(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

/* A reader finds the old file or the new one, never a part: another process may share the directory. */
static bool replace(const char *path, char *beside, const char *bytes, size_t length)
{
    int fd = mkostemp(beside, O_CLOEXEC); /* with the mode 0600 */
    if (fd < 0)
        return false;
    bool ok = write_whole(fd, bytes, length);
    ok = close(fd) == 0 && ok;
    if (ok && rename(beside, path) == 0)
        return true;
    int reason = errno;
    unlink(beside);
    errno = reason;
    return false;
}

void schema_store_write(struct schema_store *store, const char *key, const char *bytes, size_t length)
{
    if (store == NULL)
        return;
    struct buf path;
    buf_init(&path, DIRECTORY_BYTES + FILE_NAME_BYTES);
    if (path_of(store, key, &path)) {
        char *beside = xasprintf("%s/%s", store->directory, temporary);
        if (!replace(buf_text(&path), beside, bytes, length))
            complain(store, "write");
        free(beside);
    }
    buf_dispose(&path);
}
