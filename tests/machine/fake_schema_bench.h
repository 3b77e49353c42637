/* What the tests of schemas share: two workers on one cache, on fake time and a fake network, and whoever asks them.
 *
 * `schema_bench_teardown` fails the test where anything is left: a transfer, a timer, somebody who waits. */
#ifndef FAKE_SCHEMA_BENCH_H
#define FAKE_SCHEMA_BENCH_H

#include <check.h>

#include "fake_loop.h"
#include "fake_transfer.h"
#include "replicate/schemas.h"

#define SCHEMA_BASE "http://replicate.test/v1"
#define VERSION_1 "1111aaaa78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b0"
#define VERSION_2 "2222aaaa78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b0"
#define WRITER_URL SCHEMA_BASE "/models/acme/writer"

#define VERSION_DOCUMENT(version)                                                                                      \
    "{\"id\":\"" version "\",\"cog_version\":\"0.9\",\"openapi_schema\":{\"components\":{\"schemas\":{\"Input\":{"     \
    "\"type\":\"object\",\"properties\":{\"prompt\":{\"type\":\"string\"}}}}}}}"
#define MODEL_DOCUMENT(version, official)                                                                              \
    "{\"owner\":\"acme\",\"name\":\"writer\",\"is_official\":" official                                                \
    ",\"latest_version\":" VERSION_DOCUMENT(version) "}"
#define DOCUMENT_1 MODEL_DOCUMENT(VERSION_1, "true")
#define DOCUMENT_2 MODEL_DOCUMENT(VERSION_2, "true")

struct schema_worker {
    struct loop *loop;
    struct transfers *transfers;
    struct schemas *schemas; /* NULL once it was freed */
};

struct schema_bench {
    struct schema_cache *cache;
    struct model_memory *models;
    struct pacing *pacing;
    struct schema_worker workers[2];
    bool is_asking;
};

extern struct schema_bench schema_bench;

void schema_bench_setup(void);
void schema_bench_teardown(void);

/* The same, with a directory; the one before is freed, as at a restart. */
void schema_bench_restart(const char *directory);
void schema_bench_free_worker(int worker);

/* One who asks. */
struct asker {
    struct schema_wait wait;
    struct model_schema *schema; /* what it was told */
    int told;
    struct asker *drops; /* forgets this one when it is told */
};

/* True where it was decided at once. */
bool ask(struct asker *asker, int worker, const char *reference);
void asker_dispose(struct asker *asker);

/* Asks for acme/writer. It waits; or it is told at once of that version, NULL = that there is none. */
void ask_and_wait(struct asker *asker, int worker);
void ask_and_get(int worker, const char *version);

/* What schema_cache_may_come says of acme/writer. */
bool writer_may_come(void);

/* It was told exactly once; a version, or NULL for none. */
void expect_told(const struct asker *asker, const char *version);
void expect_waiting(const struct asker *asker);

void refresh_writer(int worker);
void warm(int worker, const char *reference);

/* The only open transfer of a worker, which must be a GET of this. */
struct transfer *schema_call(int worker, const char *url);
void expect_no_call(int worker);

/* Time passes for both. */
void schema_advance(int64_t ms);

/* Both workers take a turn. */
void schema_turns(void);

#endif
