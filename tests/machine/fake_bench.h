/* What the tests of predictions share: an engine on fake time and a fake network, and one observer.
 *
 * `bench_teardown` fails the test where anything is left: a prediction, a transfer, a timer. */
#ifndef FAKE_BENCH_H
#define FAKE_BENCH_H

#include <check.h>

#include "base/buf.h"
#include "fake_loop.h"
#include "fake_transfer.h"
#include "replicate/prediction.h"

#define BENCH_ID "pw050dtb51rj40cjb2vrcw97b8"
#define BENCH_VERSION "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
#define BENCH_OTHER_VERSION "aaaa52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
#define BENCH_BASE "http://replicate.test/v1"

/* Answers that occur again and again. */
#define BENCH_STARTING "{\"id\":\"" BENCH_ID "\",\"status\":\"starting\",\"version\":\"hidden\"}"
#define BENCH_PROCESSING "{\"id\":\"" BENCH_ID "\",\"status\":\"processing\",\"output\":[\"early\"]}"
#define BENCH_SUCCEEDED                                                                                                \
    "{\"id\":\"" BENCH_ID "\",\"status\":\"succeeded\",\"output\":[\"Hi\"],"                                           \
    "\"metrics\":{\"input_token_count\":12,\"output_token_count\":3}}"
#define BENCH_CANCELED "{\"id\":\"" BENCH_ID "\",\"status\":\"canceled\"}"
#define BENCH_MODEL "{\"latest_version\":{\"id\":\"" BENCH_VERSION "\"}}"

struct bench {
    struct loop *loop;
    struct transfers *transfers;
    struct metrics *metrics;
    struct pacing *pacing;
    struct budget *budget; /* of bench_job's token */
    struct model_memory *models;
    struct engine *engine;
    struct prediction *prediction; /* NULL once finished or abandoned */
    struct outcome *outcome;       /* of the last one that finished */
    int finished;
    bool is_starting;
    struct buf given; /* the pieces, put together */
    int pieces;
    int leave_at, pause_at; /* the observer abandons or pauses at this piece, counted from 1 */
    int64_t leave_grace_ms;
};

extern struct bench bench;

void bench_setup(void);
void bench_teardown(void);

/* A job with a minute's time for a reference such as "owner/name". */
struct job *bench_job(const char *reference);
void bench_start(struct job *job);
void bench_start_model(void); /* the usual: acme/writer */

/* The only open transfer, which must be such a call. */
struct transfer *bench_call(const char *method, const char *url);
struct transfer *bench_create_call(void); /* of acme/writer, by name */
struct transfer *bench_poll_call(void);
struct transfer *bench_cancel_call(void);

/* Starts the usual one and leads it to a state. */
void bench_to_sleeping(void);
void bench_to_polling(void);

void bench_learn_duration(const char *model, int64_t duration_ms); /* of a prediction that came before */

void bench_advance(int64_t ms);
void bench_expect_state(enum prediction_state state);
void bench_expect_idle(void);                  /* no transfer is open */
void bench_expect_error(enum error_kind kind); /* it finished so */
void bench_expect_success(void);
void bench_expect_unfinished(void);
void bench_expect_none(void);   /* no prediction is left but DONE ones */
void bench_finish_cancel(void); /* answers the cancel call that must be open */

/* The answer of a poll or create with this status word. */
const char *bench_status_body(const char *word);

#endif
