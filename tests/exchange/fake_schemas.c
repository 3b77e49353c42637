/* Takes the place of replicate/schemas.c and schema_cache.c: nothing is fetched, and what is known is a test's to say.
 */
#include "fake_schemas.h"

#include <string.h>

#include "base/ensure.h"

enum { WAITS_MAX = 16 };

static struct {
    bool holds, may_come;
    struct schema_wait *waits[WAITS_MAX];
    size_t count, wanted, refreshed, given_up;
} fake;

void fake_schemas_reset(void)
{
    ensure(fake.count == 0);
    memset(&fake, 0, sizeof fake);
}

void fake_schemas_fail_for_now(void)
{
    fake.may_come = true;
}

void fake_schemas_hold(bool holds)
{
    fake.holds = holds;
}

size_t fake_schemas_wanted(void)
{
    return fake.wanted;
}

size_t fake_schemas_waiting(void)
{
    return fake.count;
}

size_t fake_schemas_refreshed(void)
{
    return fake.refreshed;
}

size_t fake_schemas_given_up(void)
{
    return fake.given_up;
}

static struct model_schema *parse(const char *document)
{
    struct error err = {0};
    if (document == NULL)
        return NULL;
    struct model_schema *schema = model_schema_parse(document, strlen(document), &err);
    ensure(schema != NULL);
    return schema;
}

void fake_schemas_give(const char *document)
{
    while (fake.count > 0) {
        struct schema_wait *wait = fake.waits[0];
        schemas_forget(wait);
        wait->on_schema(wait->arg, parse(document));
    }
}

bool schemas_want(struct schemas *schemas, const struct schema_source *source, struct schema_wait *wait,
                  struct model_schema **schema)
{
    (void)schemas;
    ensure(source->target != NULL && source->base_url != NULL);
    fake.wanted++;
    *schema = NULL;
    if (!fake.holds)
        return true;
    ensure(fake.count < WAITS_MAX);
    fake.waits[fake.count++] = wait;
    return false;
}

void schemas_forget(struct schema_wait *wait)
{
    for (size_t i = 0; i < fake.count; i++) {
        if (fake.waits[i] != wait)
            continue;
        memmove(&fake.waits[i], &fake.waits[i + 1], (fake.count - i - 1) * sizeof fake.waits[0]);
        fake.count--;
        return;
    }
}

void schemas_give_up(struct schema_wait *wait)
{
    fake.given_up++;
    schemas_forget(wait);
}

void schemas_refresh(struct schemas *schemas, const struct schema_source *source)
{
    (void)schemas;
    ensure(source->target != NULL);
    fake.refreshed++;
}

bool schema_cache_may_come(struct schema_cache *cache, const struct schema_source *source)
{
    (void)cache;
    ensure(source->target != NULL);
    return fake.may_come;
}

struct model_schema *schema_cache_peek(struct schema_cache *cache, const struct schema_source *source)
{
    (void)cache;
    (void)source;
    return NULL;
}
