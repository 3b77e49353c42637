/* What the tests of exchanges share: a worker without a thread, a configuration, and a door through which requests come
 * in as server/http.c would let them in.
 *
 * `bench_teardown` fails the test where anything is left over or was given back twice: an exchange, a timer, a
 * reference to the configuration, a place at the admission; and where a request left more or less than one log line. */
#ifndef FAKE_DOOR_H
#define FAKE_DOOR_H

#include <check.h>
#include <jansson.h>
#include <netinet/in.h>

#include "fake_prediction.h"
#include "machine/fake_loop.h"
#include "server/http.h"
#include "server/worker.h"

#define BENCH_CHAT_PATH "/v1/chat/completions"
#define BENCH_CHAT "{\"model\":\"writer\",\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}]}"
#define BENCH_CHAT_OF_THREE "{\"model\":\"writer\",\"n\":3,\"messages\":[{\"role\":\"user\",\"content\":\"Say hi\"}]}"

/* SHA-256 of "test-key-alice". */
#define BENCH_ALICE_DIGEST "ad77f83d5d5b9a3b738cfc75982ec0460450b94aa1bac0f16451a1142c89c4c8"

enum { BENCH_START_MS = 1000000, BENCH_TIMEOUT_MS = 60000, BENCH_READ_TIMEOUT_MS = 30000, BENCH_GRACE_MS = 7000 };
enum { BENCH_STREAM_TIMEOUT_MS = 90000, BENCH_KEEPALIVE_MS = 10000, BENCH_WRITE_TIMEOUT_MS = 20000 };

struct bench {
    struct shared shared;
    struct worker worker;
    struct config config;
    struct route writer, any;         /* "writer" and "replicate" with a wildcard */
    struct route helper, spare, twin; /* further aliases, and what may stand behind `writer` as its second deployment */
    struct route *routes[4];
    char log_path[64];
    size_t closed; /* requests that have come to their end */
};

extern struct bench bench;

void bench_setup(void);
void bench_teardown(void);
void bench_use_fallbacks(void); /* `helper` and then `spare` are there, and stand in for `writer` */
int fake_config_references(const struct config *config);

/* The log line of the request that was closed as number `index`, counted from 0. The caller lets go of it. */
json_t *bench_log_line(size_t index);

/* One client's request. */
struct door {
    struct http_request request;
    struct {
        const char *name, *value;
    } headers[8]; /* the client's */
    size_t header_count;
    const char *peer; /* its address, IPv4; NULL = none is known */
    struct sockaddr_in peer_address;
    bool is_raw, is_cut;
    bool is_full; /* the test says so: what is written to the outbox finds it full */
};

struct door *door_new(const char *method, const char *path);
void door_header(struct door *door, const char *name, const char *value);
void door_open(struct door *door, int64_t content_length); /* the head is in; -1 = a chunked body follows */
void door_body(struct door *door, const char *piece);
void door_done(struct door *door); /* the body is complete */

/* A whole POST, opened and read to its end; `header` (may be NULL) with `value` is one of its headers. */
struct door *door_post(const char *path, const char *body, const char *header, const char *value);
struct door *door_chat(const char *body);

void door_hang_up(struct door *door);          /* while it waits, or in the midst of a stream */
void door_drain(struct door *door);            /* a full outbox has been taken by the client */
void door_close(struct door *door, bool sent); /* the end, and the end of the turn */

/* The answer's header, or NULL; one that is there twice fails the test. */
const char *door_answer(const struct door *door, const char *name);
void door_expect_waiting(const struct door *door);
void door_expect_status(const struct door *door, int status);
void door_expect_error(const struct door *door, enum error_kind kind);

/* The answer's JSON; the caller lets go of it. */
json_t *door_json(const struct door *door);

size_t bench_in(enum exchange_state state);

#endif
