/* What a test sees of the simulated Replicate: counters, requests, predictions, waiting, and the reckoning at the
 * end. */
#include "replicate_sim_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ensure.h"

enum { DEFAULT_GRACE_MS = 1000 };

void replicate_sim_counters(struct replicate_sim *sim, struct sim_counters *counters)
{
    sim_lock(sim);
    *counters = sim->counters;
    sim_unlock(sim);
}

/* Up to the limit: a benchmark's millions would only fill the memory. */
bool sim_keep_request(struct replicate_sim *sim, struct sim_request *request)
{
    if (sim->request_count >= sim->request_limit)
        return false;
    if (sim->request_count == sim->request_capacity) {
        sim->request_capacity = sim->request_capacity ? sim->request_capacity * 2 : 256;
        sim->requests = xrealloc(sim->requests, sim->request_capacity * sizeof(struct sim_request *));
    }
    sim->requests[sim->request_count++] = request;
    return true;
}

size_t replicate_sim_request_count(struct replicate_sim *sim, enum sim_endpoint endpoint)
{
    size_t count = 0;
    sim_lock(sim);
    for (size_t i = 0; i < sim->request_count; i++)
        count += endpoint == SIM_ANY || sim->requests[i]->endpoint == endpoint;
    sim_unlock(sim);
    return count;
}

const struct sim_request *replicate_sim_request(struct replicate_sim *sim, enum sim_endpoint endpoint, size_t i)
{
    const struct sim_request *found = NULL;
    sim_lock(sim);
    for (size_t at = 0; at < sim->request_count && !found; at++) {
        if (endpoint != SIM_ANY && sim->requests[at]->endpoint != endpoint)
            continue;
        if (i-- == 0)
            found = sim->requests[at];
    }
    sim_unlock(sim);
    return found;
}

bool replicate_sim_prediction(struct replicate_sim *sim, size_t i, struct sim_prediction_view *view)
{
    sim_lock(sim);
    bool exists = i < sim->counters.created;
    if (exists) {
        const struct prediction *prediction = sim->predictions[i];
        *view = (struct sim_prediction_view){.ended = prediction->phase == PHASE_ENDED,
                                             .cancelled = prediction->ending == ENDING_CANCEL,
                                             .aborted = prediction->ending == ENDING_DEADLINE,
                                             .created_ms = prediction->created_ms,
                                             .started_ms = prediction->started_ms,
                                             .ended_ms = prediction->ended_ms,
                                             .first_cancel_ms = prediction->first_cancel_ms,
                                             .cancel_calls = prediction->cancel_calls,
                                             .polls = prediction->polls,
                                             .deadline_ms = prediction->deadline_ms,
                                             .pieces = prediction->channel.made,
                                             .streams_opened = prediction->channel.connections,
                                             .open_streams = prediction->channel.streams.length};
        snprintf(view->id, sizeof(view->id), "%s", prediction->id);
        snprintf(view->model, sizeof(view->model), "%s", prediction->model);
        snprintf(view->version, sizeof(view->version), "%s", prediction->version);
        snprintf(view->status, sizeof(view->status), "%s", prediction->status);
    }
    sim_unlock(sim);
    return exists;
}

/* --- Waiting ---------------------------------------------------------------------------------------------------- */

/* The first look comes before any waiting, so a timeout of 0 asks how things are now. */
bool replicate_sim_wait(struct replicate_sim *sim, sim_predicate_fn *holds, void *arg, int64_t timeout_ms)
{
    int64_t until_ms = sim_monotonic_ms() + timeout_ms;
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
    bool held;
    int result = 0;
    sim_lock(sim);
    while (!(held = holds(&sim->counters, arg)) && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&sim->changed, &sim->lock, &until);
    sim_unlock(sim);
    return held;
}

/* One counter that is to reach a number. */
struct goal {
    size_t offset, count;
};

static bool reached(const struct sim_counters *counters, void *arg)
{
    const struct goal *goal = arg;
    size_t value;
    memcpy(&value, (const char *)counters + goal->offset, sizeof(value));
    return value >= goal->count;
}

static bool wait_for(struct replicate_sim *sim, size_t offset, size_t count, int64_t timeout_ms)
{
    struct goal goal = {.offset = offset, .count = count};
    return replicate_sim_wait(sim, reached, &goal, timeout_ms);
}

bool replicate_sim_wait_created(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, created), n, timeout_ms);
}

bool replicate_sim_wait_ended(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, ended), n, timeout_ms);
}

bool replicate_sim_wait_cancelled(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, cancelled), n, timeout_ms);
}

bool replicate_sim_wait_cancel_calls(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, cancel_calls), n, timeout_ms);
}

bool replicate_sim_wait_polls(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, polls), n, timeout_ms);
}

bool replicate_sim_wait_requests(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, requests), n, timeout_ms);
}

bool replicate_sim_wait_faulted(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, faulted), n, timeout_ms);
}

bool replicate_sim_wait_waiting(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, waiting), n, timeout_ms);
}

bool replicate_sim_wait_streams(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, streams_opened), n, timeout_ms);
}

bool replicate_sim_wait_stream_pieces(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, stream_pieces), n, timeout_ms);
}

bool replicate_sim_wait_files_uploaded(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, files_uploaded), n, timeout_ms);
}

bool replicate_sim_wait_files_deleted(struct replicate_sim *sim, size_t n, int64_t timeout_ms)
{
    return wait_for(sim, offsetof(struct sim_counters, files_deleted), n, timeout_ms);
}

static bool is_idle(const struct sim_counters *counters, void *arg)
{
    (void)arg;
    return counters->running == 0;
}

static bool has_no_streams(const struct sim_counters *counters, void *arg)
{
    (void)arg;
    return counters->open_streams == 0;
}

static bool is_disconnected(const struct sim_counters *counters, void *arg)
{
    (void)arg;
    return counters->open_connections == 0;
}

bool replicate_sim_wait_idle(struct replicate_sim *sim, int64_t timeout_ms)
{
    return replicate_sim_wait(sim, is_idle, NULL, timeout_ms);
}

bool replicate_sim_wait_streams_closed(struct replicate_sim *sim, int64_t timeout_ms)
{
    return replicate_sim_wait(sim, has_no_streams, NULL, timeout_ms);
}

bool replicate_sim_wait_disconnected(struct replicate_sim *sim, int64_t timeout_ms)
{
    return replicate_sim_wait(sim, is_disconnected, NULL, timeout_ms);
}

/* --- The reckoning ---------------------------------------------------------------------------------------------- */

void replicate_sim_expect(struct replicate_sim *sim, enum sim_expectation what, int count)
{
    sim_lock(sim);
    int *expected = &sim->expected[what];
    *expected = count == SIM_FOREVER || *expected == SIM_FOREVER ? SIM_FOREVER : *expected + count;
    sim_unlock(sim);
}

/* Streams that have nothing to wait for. */
static size_t count_stale_streams(const struct replicate_sim *sim)
{
    size_t count = 0;
    for (struct list_link *link = list_first(&sim->connections); link; link = list_next(&sim->connections, link)) {
        const struct sim_stream *stream = list_entry(link, struct connection, link)->stream;
        count += stream && stream->prediction->phase == PHASE_ENDED;
    }
    return count;
}

/* How many more there were than the test expected. */
static size_t unclaimed(const struct replicate_sim *sim, enum sim_expectation what)
{
    const struct sim_counters *counters = &sim->counters;
    size_t stale = count_stale_streams(sim);
    const size_t counts[SIM_EXPECTATION_COUNT] = {
        [SIM_EXPECT_RUNNING] = counters->running,
        [SIM_EXPECT_DEADLINE] = counters->aborted + counters->deadline_canceled,
        [SIM_EXPECT_UNKNOWN_PATH] = counters->unknown_paths,
        [SIM_EXPECT_INVALID] = counters->invalid,
        [SIM_EXPECT_UNAUTHORIZED] = counters->unauthorized,
        [SIM_EXPECT_OPEN_CONNECTIONS] = sim->options.allow_open_connections ? 0 : counters->open_connections - stale,
        [SIM_EXPECT_OPEN_STREAMS] = stale,
        [SIM_EXPECT_FILES] = counters->files_open,
        [SIM_EXPECT_LOST_INPUTS] = counters->lost_inputs,
    };
    int expected = sim->expected[what];
    if (expected == SIM_FOREVER || counts[what] <= (size_t)expected)
        return 0;
    return counts[what] - (size_t)expected;
}

/* What was sent shortly before the stop is still on its way: only what time can mend is waited for. */
static bool is_settled(const struct sim_counters *counters, void *arg)
{
    (void)counters;
    return unclaimed(arg, SIM_EXPECT_RUNNING) == 0 && unclaimed(arg, SIM_EXPECT_OPEN_CONNECTIONS) == 0 &&
           unclaimed(arg, SIM_EXPECT_OPEN_STREAMS) == 0 && unclaimed(arg, SIM_EXPECT_FILES) == 0;
}

/* An example says more than a number. */
static void describe_running(const struct replicate_sim *sim, char *out, size_t size)
{
    snprintf(out, size, "%s", "");
    for (size_t i = 0; i < sim->counters.created; i++) {
        const struct prediction *prediction = sim->predictions[i];
        if (prediction->phase == PHASE_ENDED)
            continue;
        snprintf(out, size, " (the first: %s of %s, %s, created at %lld ms, %zu cancel calls)", prediction->id,
                 prediction->model, prediction->status, (long long)prediction->created_ms, prediction->cancel_calls);
        return;
    }
}

static void describe_lost(const struct replicate_sim *sim, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%s", " (");
    const json_t *name;
    size_t i;
    json_array_foreach(sim->lost_names, i, name)
    {
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", json_string_value(name));
    }
    if (used < size)
        snprintf(out + used, size - used, "%s", ")");
}

/* One sentence for each kind of thing, so that a failed test says what to look for. */
static size_t write_report(const struct replicate_sim *sim, char *report, size_t size)
{
    static const char *const sentences[SIM_EXPECTATION_COUNT] = {
        [SIM_EXPECT_RUNNING] = "predictions are neither ended nor cancelled",
        [SIM_EXPECT_DEADLINE] = "predictions were ended by Cancel-After and not by a cancel",
        [SIM_EXPECT_UNKNOWN_PATH] = "requests went to a path, method or prediction that does not exist",
        [SIM_EXPECT_INVALID] = "requests broke the rules for bodies or headers",
        [SIM_EXPECT_UNAUTHORIZED] = "requests had no token or a wrong one",
        [SIM_EXPECT_OPEN_CONNECTIONS] = "connections are still open",
        [SIM_EXPECT_OPEN_STREAMS] = "streams of ended predictions are still open",
        [SIM_EXPECT_FILES] = "files were uploaded and not deleted",
        [SIM_EXPECT_LOST_INPUTS] = "inputs were sent that the model does not have",
    };
    size_t total = 0, used = 0;
    for (int what = 0; what < SIM_EXPECTATION_COUNT; what++) {
        size_t count = unclaimed(sim, (enum sim_expectation)what);
        char example[320] = "";
        if (count == 0)
            continue;
        total += count;
        if (what == SIM_EXPECT_RUNNING)
            describe_running(sim, example, sizeof(example));
        if (what == SIM_EXPECT_LOST_INPUTS)
            describe_lost(sim, example, sizeof(example));
        if (used < size)
            used +=
                (size_t)snprintf(report + used, size - used, "Unclaimed: %zu %s%s. ", count, sentences[what], example);
    }
    return total;
}

/* The grace ends early as soon as there is nothing left to wait for. */
bool sim_report(struct replicate_sim *sim, char *report, size_t size)
{
    char unread[SIM_REPORT_BYTES];
    if (!report) {
        report = unread;
        size = sizeof(unread);
    }
    int64_t grace_ms = sim->options.stop_grace_ms > 0 ? sim->options.stop_grace_ms : DEFAULT_GRACE_MS;
    replicate_sim_wait(sim, is_settled, sim, grace_ms);
    sim_lock(sim);
    snprintf(report, size, "%s", "");
    size_t total = write_report(sim, report, size);
    sim_unlock(sim);
    return total == 0;
}
