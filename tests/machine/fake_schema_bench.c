/* Two workers that keep schemas, on fake time and a fake network. */
#include "fake_schema_bench.h"

#include <string.h>

#include "base/log.h"
#include "fake_clock.h"

struct schema_bench schema_bench;

static char token[] = "test-token", header_name[] = "X-Gateway", header_value[] = "blue";
static const struct header headers[] = {{header_name, header_value}};

static void make_worker(struct schema_worker *worker)
{
    worker->loop = loop_new();
    worker->transfers = transfers_new(worker->loop, &(struct transfers_options){0});
    worker->schemas = schemas_new(&(struct schemas_options){.loop = worker->loop,
                                                            .transfers = worker->transfers,
                                                            .cache = schema_bench.cache,
                                                            .pacing = schema_bench.pacing,
                                                            .models = schema_bench.models});
}

static void make(const char *directory)
{
    schema_bench.cache = schema_cache_new(directory);
    schema_bench.models = model_memory_new();
    schema_bench.pacing = pacing_new(&(struct pacing_rates){3000, 600});
    for (int i = 0; i < 2; i++)
        make_worker(&schema_bench.workers[i]);
}

static void drop(void)
{
    for (int i = 0; i < 2; i++) {
        schema_bench_free_worker(i);
        transfers_free(schema_bench.workers[i].transfers);
        loop_free(schema_bench.workers[i].loop);
    }
    pacing_free(schema_bench.pacing);
    model_memory_free(schema_bench.models);
    schema_cache_free(schema_bench.cache);
}

void schema_bench_setup(void)
{
    struct error err;
    const struct log_options quiet = {LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, NULL};
    ck_assert(log_open(&quiet, &err));
    memset(&schema_bench, 0, sizeof schema_bench);
    fake_clock_set(1000000);
    make(NULL);
}

void schema_bench_teardown(void)
{
    for (int i = 0; i < 2; i++)
        if (schema_bench.workers[i].schemas != NULL)
            expect_no_call(i);
    drop();
}

void schema_bench_restart(const char *directory)
{
    drop();
    make(directory);
}

void schema_bench_free_worker(int worker)
{
    struct schema_worker *freed = &schema_bench.workers[worker];
    schemas_free(freed->schemas);
    freed->schemas = NULL;
    expect_no_call(worker);
    ck_assert_uint_eq(fake_loop_timers(freed->loop), 0);
}

static void on_schema(void *arg, struct model_schema *schema)
{
    struct asker *asker = arg;
    ck_assert_msg(!schema_bench.is_asking, "somebody was told from inside");
    model_schema_unref(asker->schema);
    asker->schema = schema;
    asker->told++;
    ck_assert_ptr_null(asker->wait.schemas);
    if (asker->drops != NULL)
        schemas_forget(&asker->drops->wait);
}

static struct schema_source source_of(const struct target *target)
{
    return (struct schema_source){
        .target = target, .base_url = SCHEMA_BASE, .token = token, .headers = headers, .header_count = 1};
}

static void read_target(const char *reference, struct target *target)
{
    struct error err;
    ck_assert_msg(target_parse(reference, target, &err), "%s", reference);
}

bool ask(struct asker *asker, int worker, const char *reference)
{
    struct target target;
    read_target(reference, &target);
    const struct schema_source source = source_of(&target);
    asker->wait.on_schema = on_schema;
    asker->wait.arg = asker;
    struct model_schema *schema = NULL;
    schema_bench.is_asking = true;
    bool is_decided = schemas_want(schema_bench.workers[worker].schemas, &source, &asker->wait, &schema);
    schema_bench.is_asking = false;
    target_dispose(&target);
    ck_assert(is_decided == (asker->wait.schemas == NULL));
    if (is_decided) {
        model_schema_unref(asker->schema);
        asker->schema = schema;
    }
    return is_decided;
}

bool writer_may_come(void)
{
    struct target target;
    read_target("acme/writer", &target);
    const struct schema_source source = source_of(&target);
    bool may_come = schema_cache_may_come(schema_bench.cache, &source);
    target_dispose(&target);
    return may_come;
}

void asker_dispose(struct asker *asker)
{
    schemas_forget(&asker->wait);
    model_schema_unref(asker->schema);
    asker->schema = NULL;
}

static void expect_version(const struct model_schema *schema, const char *version)
{
    ck_assert(schema == NULL || version != NULL);
    ck_assert(schema != NULL || version == NULL);
    if (schema != NULL)
        ck_assert_str_eq(schema->version, version);
}

void ask_and_wait(struct asker *asker, int worker)
{
    ck_assert(!ask(asker, worker, "acme/writer"));
    ck_assert_ptr_null(asker->schema);
}

void ask_and_get(int worker, const char *version)
{
    struct asker asker = {0};
    ck_assert(ask(&asker, worker, "acme/writer"));
    expect_version(asker.schema, version);
    asker_dispose(&asker);
}

void expect_told(const struct asker *asker, const char *version)
{
    ck_assert_int_eq(asker->told, 1);
    expect_version(asker->schema, version);
}

void expect_waiting(const struct asker *asker)
{
    ck_assert_int_eq(asker->told, 0);
    ck_assert_ptr_nonnull(asker->wait.schemas);
}

void refresh_writer(int worker)
{
    struct target target;
    read_target("acme/writer", &target);
    const struct schema_source source = source_of(&target);
    schemas_refresh(schema_bench.workers[worker].schemas, &source);
    target_dispose(&target);
}

void warm(int worker, const char *reference)
{
    struct target target;
    read_target(reference, &target);
    const struct schema_source source = source_of(&target);
    schemas_warm(schema_bench.workers[worker].schemas, &source);
    target_dispose(&target);
}

struct transfer *schema_call(int worker, const char *url)
{
    struct transfer *transfer = fake_transfer_first(schema_bench.workers[worker].transfers);
    ck_assert_msg(transfer != NULL, "no transfer is open where GET %s was expected", url);
    ck_assert_ptr_null(list_next(transfer->link.list, &transfer->link));
    ck_assert_str_eq(transfer->method, "GET");
    ck_assert_str_eq(transfer->url, url);
    ck_assert_str_eq(transfer->token, token);
    ck_assert_pstr_eq(fake_transfer_header(transfer, header_name), header_value);
    return transfer;
}

void expect_no_call(int worker)
{
    struct transfer *transfer = fake_transfer_first(schema_bench.workers[worker].transfers);
    ck_assert_msg(transfer == NULL, "GET %s is open", transfer == NULL ? "" : transfer->url);
}

void schema_advance(int64_t ms)
{
    fake_loop_advance(schema_bench.workers[0].loop, ms);
    fake_loop_advance(schema_bench.workers[1].loop, 0);
}

void schema_turns(void)
{
    for (int i = 0; i < 2; i++)
        if (schema_bench.workers[i].schemas != NULL)
            schemas_turn(schema_bench.workers[i].schemas);
}
