/* The shared fixture of the tests of transfers. */
#include "transfer_fixture.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { PATIENCE_MS = 10000, MAX_ANSWER_BYTES = 1 << 20 };

struct loop *fixture_loop;
struct transfers *fixture_transfers;
struct script_server *fixture_server;

void fixture_setup(void)
{
    transfer_global_init();
    fixture_server = script_server_start();
    fixture_loop = loop_new();
    ck_assert_ptr_nonnull(fixture_loop);
    fixture_transfers = transfers_new(fixture_loop, &(struct transfers_options){.connect_timeout_ms = PATIENCE_MS});
}

void fixture_teardown(void)
{
    transfers_free(fixture_transfers);
    loop_free(fixture_loop);
    script_server_stop(fixture_server);
    transfer_global_cleanup();
}

void fixture_renew(const struct transfers_options *options)
{
    transfers_free(fixture_transfers);
    fixture_transfers = transfers_new(fixture_loop, options);
}

struct transfer_request fixture_get(const char *path)
{
    static char url[256];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", script_server_port(fixture_server), path);
    return (struct transfer_request){
        .method = "GET",
        .url = url,
        .timeout_ms = PATIENCE_MS,
        .max_answer_bytes = MAX_ANSWER_BYTES,
    };
}

struct transfer_request fixture_post(const char *body)
{
    struct transfer_request request = fixture_get("/predictions");
    request.method = "POST";
    request.body = body;
    request.body_length = strlen(body);
    return request;
}

void fixture_on_done(void *arg, const struct transfer_answer *answer)
{
    struct seen *seen = arg;
    seen->calls++;
    seen->result = answer->result;
    seen->status = answer->status;
    seen->body_length = answer->body_length;
    snprintf(seen->body, sizeof(seen->body), "%s", answer->body);
    seen->retry_after_ms = answer->retry_after_ms;
    seen->ratelimit_remaining = answer->ratelimit_remaining;
    seen->ratelimit_reset_ms = answer->ratelimit_reset_ms;
    snprintf(seen->detail, sizeof(seen->detail), "%s", answer->detail);
}

void fixture_run(const int *calls, int count)
{
    int64_t deadline_ms = clock_now_ms() + PATIENCE_MS;
    while (*calls < count) {
        ck_assert_msg(clock_now_ms() < deadline_ms, "only %d of %d ended in time", *calls, count);
        loop_turn(fixture_loop, 100);
    }
}

struct seen fixture_fetch(const struct transfer_request *request)
{
    struct seen seen = {0};
    ck_assert_ptr_nonnull(transfer_start(fixture_transfers, request, fixture_on_done, &seen));
    ck_assert_int_eq(seen.calls, 0);
    fixture_run(&seen.calls, 1);
    ck_assert_uint_eq(transfers_count(fixture_transfers), 0);
    return seen;
}
