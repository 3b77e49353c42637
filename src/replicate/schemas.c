/* One worker's part in keeping models' schemas: its fetches, those of its requests that wait, and what is to be warmed.
 *
 * The cache says who fetches. A fetch, once begun, goes on to its end whoever waits, for the next request profits. */
#include "schemas_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_int.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "replicate/api.h"

enum {
    WARMING_MAX = 4,                  /* at once: the start must not look like an attack */
    MORE_TRIES = 3,                   /* after a first one that failed for a passing reason */
    FETCH_TIMEOUT_MS = 30000,         /* of each try */
    URL_BYTES = 4 * SCHEMA_KEY_BYTES, /* of what stands in a key every byte may be escaped */
    REASON_BYTES = 256,
};

struct schemas {
    struct schemas_options options;
    struct schema_listener listener;
    uint64_t seen_generation;
    struct list waiting; /* struct schema_wait */
    struct list fetches; /* under way, or waiting for their next try */
    struct list queued;  /* to be warmed, in the order in which that was asked for */
    size_t warming;      /* those of the fetches that nobody asked for but the start */
    struct loop_timer warm_on;
};

struct fetch {
    struct list_link link;
    struct schemas *schemas;
    char *key;
    struct target document; /* what is asked for: of a deployment first itself, and then what it runs */
    char *base_url, *token;
    struct header *headers;
    size_t header_count;
    struct budget *budget;
    struct transfer *transfer; /* NULL between two tries */
    struct loop_timer retry;
    int failures;
    bool is_warming;
};

static void on_warm_on_due(void *arg);

struct schemas *schemas_new(const struct schemas_options *options)
{
    struct schemas *schemas = xcalloc(1, sizeof *schemas);
    schemas->options = *options;
    list_init(&schemas->waiting);
    list_init(&schemas->fetches);
    list_init(&schemas->queued);
    loop_timer_init(&schemas->warm_on, on_warm_on_due, schemas);
    schemas->seen_generation = schema_cache_generation(options->cache);
    schemas->listener.loop = options->loop;
    schema_cache_listen(options->cache, &schemas->listener);
    return schemas;
}

/* ---- those who wait ---- */

/* It is idle afterwards, and may be used again. */
static void stop_waiting(struct schema_wait *wait)
{
    loop_timer_clear(wait->schemas->options.loop, &wait->timer);
    list_remove(&wait->link);
    free(wait->key);
    wait->key = NULL;
    wait->schemas = NULL;
}

void schemas_forget(struct schema_wait *wait)
{
    if (wait->schemas != NULL)
        stop_waiting(wait);
}

void schemas_give_up(struct schema_wait *wait)
{
    schema_cache_stop_waits(wait->schemas->options.cache, wait->key);
    stop_waiting(wait);
}

/* The owner may be gone when this returns. */
static void tell(struct schema_wait *wait)
{
    struct model_schema *schema = NULL;
    schema_cache_is_decided(wait->schemas->options.cache, wait->key, &schema);
    stop_waiting(wait);
    wait->on_schema(wait->arg, schema);
}

static void on_wait_due(void *arg)
{
    tell(arg);
}

static bool is_decided(const struct schemas *schemas, const struct schema_wait *wait)
{
    struct model_schema *schema = NULL;
    bool is_decided = schema_cache_is_decided(schemas->options.cache, wait->key, &schema);
    model_schema_unref(schema);
    return is_decided;
}

/* Whoever is told may make others forget, or wait anew: so the list is never walked while that happens. */
static void tell_decided(struct schemas *schemas)
{
    struct list decided;
    list_init(&decided);
    struct list_link *next = NULL;
    for (struct list_link *link = list_first(&schemas->waiting); link != NULL; link = next) {
        next = list_next(&schemas->waiting, link);
        if (!is_decided(schemas, list_entry(link, struct schema_wait, link)))
            continue;
        list_remove(link);
        list_append(&decided, link);
    }
    for (struct list_link *link = list_first(&decided); link != NULL; link = list_first(&decided))
        tell(list_entry(link, struct schema_wait, link));
}

void schemas_turn(struct schemas *schemas)
{
    uint64_t generation = schema_cache_generation(schemas->options.cache);
    if (generation == schemas->seen_generation)
        return;
    schemas->seen_generation = generation;
    tell_decided(schemas);
}

/* Takes the key. All wait for the same moment, so that however many come and go, none waits after it. */
static void start_waiting(struct schemas *schemas, struct schema_wait *wait, char *key, int64_t until_ms)
{
    wait->schemas = schemas;
    wait->key = key;
    list_append(&schemas->waiting, &wait->link);
    loop_timer_init(&wait->timer, on_wait_due, wait);
    loop_timer_set(schemas->options.loop, &wait->timer, until_ms);
}

/* ---- a fetch ---- */

static void on_retry_due(void *arg);

/* Takes the key. */
static struct fetch *fetch_new(struct schemas *schemas, const struct schema_source *source, char *key)
{
    struct fetch *fetch = xcalloc(1, sizeof *fetch);
    fetch->schemas = schemas;
    fetch->key = key;
    target_copy(&fetch->document, source->target);
    fetch->base_url = xstrdup(source->base_url);
    fetch->token = xstrdup(source->token);
    fetch->headers = xcalloc(source->header_count + 1, sizeof *fetch->headers);
    fetch->header_count = source->header_count;
    for (size_t i = 0; i < source->header_count; i++)
        fetch->headers[i] = (struct header){xstrdup(source->headers[i].name), xstrdup(source->headers[i].value)};
    fetch->budget = budget_of(schemas->options.pacing, source->base_url, source->token);
    loop_timer_init(&fetch->retry, on_retry_due, fetch);
    return fetch;
}

static void fetch_free(struct fetch *fetch)
{
    transfer_cancel(&fetch->transfer);
    loop_timer_clear(fetch->schemas->options.loop, &fetch->retry);
    list_remove(&fetch->link);
    for (size_t i = 0; i < fetch->header_count; i++) {
        free(fetch->headers[i].name);
        free(fetch->headers[i].value);
    }
    free(fetch->headers);
    budget_unref(&fetch->budget);
    target_dispose(&fetch->document);
    free(fetch->base_url);
    free(fetch->token);
    free(fetch->key);
    free(fetch);
}

static void on_fetch_done(void *arg, const struct transfer_answer *answer);

static void fetch_send(struct fetch *fetch)
{
    struct buf url;
    buf_init(&url, URL_BYTES);
    ensure(api_document_url(fetch->base_url, &fetch->document, &url));
    const struct transfer_request request = {
        .kind = TRANSFER_CALL,
        .call = METRIC_CALL_schema,
        .method = "GET",
        .url = buf_text(&url),
        .token = fetch->token,
        .headers = fetch->headers,
        .header_count = fetch->header_count,
        .timeout_ms = FETCH_TIMEOUT_MS,
        .max_answer_bytes = SCHEMA_DOCUMENT_BYTES,
    };
    fetch->transfer = transfer_start(fetch->schemas->options.transfers, &request, on_fetch_done, fetch);
    buf_dispose(&url);
}

static void fetch_begin(struct fetch *fetch)
{
    list_append(&fetch->schemas->fetches, &fetch->link);
    fetch->schemas->warming += fetch->is_warming ? 1 : 0;
    fetch_send(fetch);
}

static void on_retry_due(void *arg)
{
    fetch_send(arg);
}

static void warm_next(struct schemas *schemas);

/* The cache knows what came of it. */
static void fetch_end(struct fetch *fetch)
{
    struct schemas *schemas = fetch->schemas;
    schemas->warming -= fetch->is_warming ? 1 : 0;
    fetch_free(fetch);
    warm_next(schemas);
    schemas_turn(schemas);
}

static bool is_passing(const struct transfer_answer *answer)
{
    return answer->result != TRANSFER_ANSWERED || answer->status == 429 || answer->status >= 500;
}

/* At the start models that Replicate does not know are no news: the request that names one is told. */
static void fetch_fail(struct fetch *fetch, const struct transfer_answer *answer, const char *text, size_t length)
{
    char reason[REASON_BYTES];
    error_quote(reason, sizeof reason, text, length, fetch->token);
    enum log_level level = fetch->is_warming && answer->status == 404 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    log_write(level, "schema_failed", log_text("model", schema_key_reference(fetch->key)), log_text("reason", reason));
    schema_cache_fail(fetch->schemas->options.cache, fetch->key, is_passing(answer));
    fetch_end(fetch);
}

/* ---- answers ---- */

static int64_t retry_wait_ms(const struct fetch *fetch, const struct transfer_answer *answer)
{
    int64_t wait_ms = pacing_backoff_ms(fetch->failures);
    if (answer->status != 429)
        return wait_ms;
    int64_t told_ms =
        answer->retry_after_ms >= 0 ? answer->retry_after_ms : api_retry_after_ms(answer->body, answer->body_length);
    return told_ms > wait_ms ? told_ms : wait_ms;
}

/* A wait longer than a failure is remembered is left to whoever asks then. */
static void take_refusal(struct fetch *fetch, const struct transfer_answer *answer)
{
    fetch->failures++;
    int64_t wait_ms = retry_wait_ms(fetch, answer);
    if (is_passing(answer) && fetch->failures <= MORE_TRIES && wait_ms < SCHEMA_FAILED_MS) {
        loop_timer_set(fetch->schemas->options.loop, &fetch->retry, clock_now_ms() + wait_ms);
        return;
    }
    char status[32];
    int length = snprintf(status, sizeof status, "HTTP %d", answer->status);
    if (answer->result == TRANSFER_ANSWERED)
        fetch_fail(fetch, answer, status, (size_t)length);
    else
        fetch_fail(fetch, answer, answer->detail, strlen(answer->detail));
}

static void take_release(struct fetch *fetch, const struct transfer_answer *answer)
{
    struct target release;
    struct error err = {0};
    if (!api_deployment_release(answer->body, answer->body_length, fetch->document.name, &release, &err)) {
        fetch_fail(fetch, answer, err.message, strlen(err.message));
        return;
    }
    target_dispose(&fetch->document);
    fetch->document = release;
    fetch_send(fetch);
}

/* So the create of a community model need not be refused by name first. A version's document tells nothing of that. */
static void learn_version(const struct fetch *fetch, const struct model_schema *schema)
{
    char version[MODEL_VERSION_BYTES];
    if (fetch->document.kind == TARGET_MODEL && schema->official == MODEL_COMMUNITY &&
        api_copy_token(version, sizeof version, schema->version))
        model_memory_set_version(fetch->schemas->options.models, fetch->document.name, clock_now_ms(), version);
}

static void take_document(struct fetch *fetch, const struct transfer_answer *answer)
{
    struct error err = {0};
    struct model_schema *schema = model_schema_parse(answer->body, answer->body_length, &err);
    if (schema == NULL) {
        fetch_fail(fetch, answer, err.message, strlen(err.message));
        return;
    }
    learn_version(fetch, schema);
    log_write(LOG_LEVEL_INFO, "schema_fetched", log_text("model", schema_key_reference(fetch->key)),
              log_text("version", schema->version[0] != '\0' ? schema->version : NULL),
              log_number("inputs", (int64_t)schema->input_count));
    schema_cache_keep(fetch->schemas->options.cache, fetch->key, schema, answer->body, answer->body_length);
    model_schema_unref(schema);
    fetch_end(fetch);
}

static void on_fetch_done(void *arg, const struct transfer_answer *answer)
{
    struct fetch *fetch = arg;
    fetch->transfer = NULL;
    budget_learn(fetch->budget, BUDGET_CALLS, clock_now_ms(), answer->ratelimit_remaining, answer->ratelimit_reset_ms);
    if (answer->result != TRANSFER_ANSWERED || answer->status < 200 || answer->status >= 300)
        take_refusal(fetch, answer);
    else if (fetch->document.kind == TARGET_DEPLOYMENT)
        take_release(fetch, answer);
    else
        take_document(fetch, answer);
}

/* ---- asking ---- */

bool schemas_want(struct schemas *schemas, const struct schema_source *source, struct schema_wait *wait,
                  struct model_schema **schema)
{
    ensure(wait->schemas == NULL && wait->on_schema != NULL);
    *schema = NULL;
    char *key = schema_key(source);
    if (key == NULL)
        return true;
    struct schema_view view;
    schema_cache_ask(schemas->options.cache, key, SCHEMA_NEED_FRESH, &view);
    if (view.must_fetch)
        fetch_begin(fetch_new(schemas, source, xstrdup(key)));
    if (view.must_wait) {
        start_waiting(schemas, wait, key, view.wait_until_ms);
        return false;
    }
    free(key);
    *schema = view.schema;
    return true;
}

void schemas_refresh(struct schemas *schemas, const struct schema_source *source)
{
    char *key = schema_key(source);
    if (key == NULL)
        return;
    struct schema_view view;
    schema_cache_ask(schemas->options.cache, key, SCHEMA_NEED_NEWEST, &view);
    model_schema_unref(view.schema);
    if (view.must_fetch)
        fetch_begin(fetch_new(schemas, source, key));
    else
        free(key);
}

/* ---- warming ---- */

/* Whether it is still to be fetched is asked only now: a request may have come first. False where it is not. */
static bool warm(struct fetch *fetch)
{
    struct schema_view view;
    schema_cache_ask(fetch->schemas->options.cache, fetch->key, SCHEMA_NEED_ANY, &view);
    model_schema_unref(view.schema);
    if (view.must_fetch)
        fetch_begin(fetch);
    else
        fetch_free(fetch);
    return view.must_fetch;
}

/* What is known was perhaps read from disk for that: of those there is one a turn, or thousands would hold up whoever
 * is served meanwhile. */
static void warm_next(struct schemas *schemas)
{
    while (schemas->warm_on.place == 0 && schemas->warming < WARMING_MAX && !list_is_empty(&schemas->queued))
        if (!warm(list_entry(list_shift(&schemas->queued), struct fetch, link)))
            loop_timer_set(schemas->options.loop, &schemas->warm_on, clock_now_ms());
}

static void on_warm_on_due(void *arg)
{
    warm_next(arg);
}

/* What does not fit into the cache is not worth warming. */
void schemas_warm(struct schemas *schemas, const struct schema_source *source)
{
    char *key = schemas->queued.length < SCHEMA_ENTRIES_MAX ? schema_key(source) : NULL;
    if (key == NULL)
        return;
    struct fetch *fetch = fetch_new(schemas, source, key);
    fetch->is_warming = true;
    list_append(&schemas->queued, &fetch->link);
    warm_next(schemas);
}

/* ---- the end ---- */

/* Of what this worker was to fetch the others must hear. */
void schemas_free(struct schemas *schemas)
{
    if (schemas == NULL)
        return;
    struct schema_cache *cache = schemas->options.cache;
    schema_cache_leave(cache, &schemas->listener);
    loop_timer_clear(schemas->options.loop, &schemas->warm_on);
    struct list_link *link = NULL;
    while ((link = list_first(&schemas->queued)) != NULL)
        fetch_free(list_entry(link, struct fetch, link));
    while ((link = list_first(&schemas->fetches)) != NULL) {
        struct fetch *fetch = list_entry(link, struct fetch, link);
        schema_cache_fail(cache, fetch->key, true);
        fetch_free(fetch);
    }
    while ((link = list_first(&schemas->waiting)) != NULL)
        stop_waiting(list_entry(link, struct schema_wait, link));
    free(schemas);
}
