/* Any bytes as a configuration file, in either dialect: a snapshot, or a sentence that names the file. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ensure.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX_BYTES = 1 << 20 };

/* An environment in which everything that is referred to is there. */
static const char *environment(const char *name)
{
    return strcmp(name, "REPLICATE_API_TOKEN") == 0 || strcmp(name, "ALICE_KEY") == 0 ? "test-token" : NULL;
}

/* A file that is in memory alone; its name goes into `path`. */
static int open_file(const uint8_t *data, size_t size, char path[64])
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    ensure(fd >= 0);
    for (size_t written = 0; written < size;) {
        ssize_t got = write(fd, data + written, size - written);
        ensure(got > 0);
        written += (size_t)got;
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void walk_route(const struct config *config, const struct route *first, const struct route *route)
{
    struct target target;
    ensure(route->alias != NULL && route->reference != NULL && route->base_url != NULL && route->timeout_ms > 0);
    ensure(strcmp(route->alias, first->alias) == 0 && route->weight >= 0 && route->weight <= 1000000);
    ensure(route->next == NULL || route->next->deployment == route->deployment + 1);
    ensure(route->fallback_count <= 16 && route->fallback_count == first->fallback_count);
    for (size_t i = 0; i < route->fallback_count; i++)
        ensure(config_find_fallback(config, route->fallbacks[i]) != NULL);
    (void)config_find_route(config, route->alias);
    if (route_target(route, route->alias, &target, NULL))
        target_dispose(&target);
}

static void walk(const struct config *config)
{
    ensure(config->route_count > 0 && config->host != NULL && config->workers > 0);
    for (size_t i = 0; i < config->route_count; i++)
        for (const struct route *route = config->routes[i]; route != NULL; route = route->next)
            walk_route(config, config->routes[i], route);
    for (size_t i = 0; i < config->warning_count; i++)
        ensure(config->warnings[i][0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], message[1024] = "";
    if (size > FILE_MAX_BYTES)
        return 0;
    int fd = open_file(data, size, path);
    const struct config_options options = {.file = path, .port = -1, .getenv = environment};
    struct config *config = config_load(&options, message, sizeof message);
    if (config != NULL)
        walk(config);
    else
        ensure(message[0] != '\0' && strlen(message) < sizeof message);
    config_unref(config);
    close(fd);
    return 0;
}
