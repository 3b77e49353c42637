/* What the tests of transfers share: a loop, a set of transfers and a scripted server, and what a `done` was told. */
#ifndef SUPPORT_TRANSFER_FIXTURE_H
#define SUPPORT_TRANSFER_FIXTURE_H

#include "replicate/transfer.h"
#include "script_server.h"

struct seen {
    int calls;
    enum transfer_result result;
    int status;
    char body[512];
    size_t body_length;
    int64_t retry_after_ms, ratelimit_remaining, ratelimit_reset_ms;
    char detail[512];
};

extern struct loop *fixture_loop;
extern struct transfers *fixture_transfers;
extern struct script_server *fixture_server;

void fixture_setup(void);
void fixture_teardown(void);

/* Replaces the set by one of these options. */
void fixture_renew(const struct transfers_options *options);

/* A request to the server with generous limits; the URL is valid until the next call. */
struct transfer_request fixture_get(const char *path);
struct transfer_request fixture_post(const char *body);

void fixture_on_done(void *arg, const struct transfer_answer *answer); /* `arg` is a struct seen */

/* Turns the loop until `*calls` reaches `count`; the test fails after ten seconds. */
void fixture_run(const int *calls, int count);

/* Starts, runs to the end, and says what came of it. */
struct seen fixture_fetch(const struct transfer_request *request);

#endif
