/* Takes the place of config/config.c: one hand-built snapshot, whose references are counted for the tests. */
#include "fake_door.h"

#include "base/ensure.h"

static struct {
    const struct config *config;
    int references;
} counts[4];

static int *references_of(const struct config *config)
{
    size_t i = 0;
    while (counts[i].config != NULL && counts[i].config != config)
        ensure(++i < sizeof counts / sizeof counts[0]);
    counts[i].config = config;
    return &counts[i].references;
}

struct config *config_ref(struct config *config)
{
    ++*references_of(config);
    return config;
}

void config_unref(struct config *config)
{
    if (config != NULL)
        ensure(--*references_of(config) >= 0);
}

int fake_config_references(const struct config *config)
{
    return *references_of(config);
}
