/* What is known of schemas, shared by threads: each document is fetched by one of them, and all the others hear of it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/replicate/schemas_int.h"
#include "base/ensure.h"
#include "check_main.h"

#define DOCUMENT "{\"owner\":\"acme\",\"name\":\"writer\",\"latest_version\":{\"id\":\"abc\"}}"

enum { THREADS = 4, MODELS = 60, PATIENCE_MS = 10000 };

static struct schema_cache *cache;
static atomic_int fetches[MODELS];
static pthread_t threads[THREADS];
static pthread_barrier_t all_have_asked;
static char directory[] = "/tmp/replibridge-cache-XXXXXX";

/* What each thread has seen; its own until it is joined. */
static struct witness {
    int known, failed, waited;
    bool was_inconsistent;
} witnesses[THREADS];

static void key_of(int model, char key[64])
{
    snprintf(key, 64, "http://replicate.test/v1 acme/model-%d", model);
}

/* Every third model cannot be fetched. */
static bool can_be_fetched(int model)
{
    return model % 3 != 0;
}

/* Then all but one have to wait; else that depends on who is quicker. */
static bool is_asked_by_all_first(int model)
{
    return model % 2 == 0;
}

static void fetch(int model, const char *key)
{
    atomic_fetch_add(&fetches[model], 1);
    if (!can_be_fetched(model)) {
        schema_cache_fail(cache, key, false);
        return;
    }
    struct model_schema *schema = model_schema_parse(DOCUMENT, strlen(DOCUMENT), NULL);
    schema_cache_keep(cache, key, schema, DOCUMENT, strlen(DOCUMENT));
    model_schema_unref(schema);
}

/* As a worker does: asleep in its loop until it is woken, then looking whether anything was decided. */
static struct model_schema *wait_for(struct loop *loop, const char *key)
{
    struct model_schema *schema = NULL;
    while (!schema_cache_is_decided(cache, key, &schema))
        loop_turn(loop, PATIENCE_MS);
    return schema;
}

static void look(struct witness *witness, struct loop *loop, int model)
{
    char key[64];
    key_of(model, key);
    struct schema_view view;
    schema_cache_ask(cache, key, SCHEMA_NEED_FRESH, &view);
    struct model_schema *schema = view.schema;
    if (is_asked_by_all_first(model))
        pthread_barrier_wait(&all_have_asked);
    if (view.must_fetch)
        fetch(model, key);
    if (view.must_fetch || view.must_wait) {
        witness->was_inconsistent |= schema != NULL;
        witness->waited += view.must_fetch ? 0 : 1;
        schema = wait_for(loop, key);
    }
    witness->known += schema != NULL;
    witness->failed += schema == NULL;
    witness->was_inconsistent |= (schema != NULL) != can_be_fetched(model);
    if (schema != NULL)
        witness->was_inconsistent |= strcmp(schema->version, "abc") != 0;
    model_schema_unref(schema);
}

static void peek(int model)
{
    char base[] = "http://replicate.test/v1", name[64];
    snprintf(name, sizeof name, "acme/model-%d", model);
    const struct target target = {TARGET_MODEL, name, NULL};
    model_schema_unref(schema_cache_peek(cache, &(struct schema_source){.target = &target, .base_url = base}));
}

static void *work(void *arg)
{
    struct witness *witness = arg;
    struct schema_listener listener = {.loop = loop_new()};
    ensure(listener.loop != NULL);
    schema_cache_listen(cache, &listener);
    for (int i = 0; i < MODELS; i++) {
        look(witness, listener.loop, i);
        peek(MODELS - 1 - i);
    }
    schema_cache_leave(cache, &listener);
    loop_free(listener.loop);
    return NULL;
}

static void setup(void)
{
    memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    cache = schema_cache_new(directory);
    memset(witnesses, 0, sizeof witnesses);
    ck_assert_int_eq(pthread_barrier_init(&all_have_asked, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &witnesses[i]), 0);
}

static void teardown(void)
{
    pthread_barrier_destroy(&all_have_asked);
    schema_cache_free(cache);
    char *command = xasprintf("rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static void join(void)
{
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

START_TEST(of_all_threads_one_fetches_and_all_are_told)
{
    join();
    for (int i = 0; i < MODELS; i++)
        ck_assert_int_eq(atomic_load(&fetches[i]), 1);
    int waited = 0;
    for (int i = 0; i < THREADS; i++) {
        waited += witnesses[i].waited;
        ck_assert(!witnesses[i].was_inconsistent);
        ck_assert_int_eq(witnesses[i].failed, MODELS / 3);
        ck_assert_int_eq(witnesses[i].known, MODELS - MODELS / 3);
    }
    ck_assert_int_ge(waited, (THREADS - 1) * MODELS / 2);
    ck_assert_uint_eq(schema_cache_generation(cache), MODELS);
}
END_TEST

static Suite *cache_suite(void)
{
    Suite *suite = suite_create("schema_cache");
    TCase *tcase = tcase_create("threads");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, of_all_threads_one_fetches_and_all_are_told);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(cache_suite());
}
