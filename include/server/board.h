/* What the status page shows and no metric tells: which predictions run now, how each alias fares, the latest errors.
 *
 * Shared by all workers. Each publishes what it runs about once a second, while it runs anything, under a lock of its
 * own page; errors go into a ring under another lock; the rest is atomic. A request that goes well takes no lock. Any
 * thread may read. Only what an operator needs is kept: no text of a request or of an answer. */
#ifndef SERVER_BOARD_H
#define SERVER_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    BOARD_WORKERS = 64,
    BOARD_RUNS = 50,   /* of each worker: what is furthest, of that the oldest; there may be more than are shown */
    BOARD_ERRORS = 50, /* the latest */
    BOARD_ALIASES = 1024,
    BOARD_TEXT_BYTES = 96,
};

struct board;

struct board_run {
    char alias[BOARD_TEXT_BYTES]; /* as the client named it; cut where it is longer */
    char id[64];                  /* the prediction's; "" before there is one */
    const char *state;            /* a static word */
    int64_t since_ms;             /* clock_now_ms() at which the request came in */
};

struct board_error {
    int64_t at_s;                 /* Unix seconds */
    char alias[BOARD_TEXT_BYTES]; /* "" where it did not come to that */
    char request_id[136], prediction_id[64];
    enum error_kind kind;
};

/* How an alias fared last. */
struct board_health {
    int64_t answered_s, failed_s; /* Unix seconds of the last of each; 0 = never */
    enum error_kind kind;         /* of the last failure */
};

struct board *board_new(void);
void board_free(struct board *board);

/* Replaces what `worker` (below BOARD_WORKERS) runs: the first `count` of `total`. */
void board_publish(struct board *board, size_t worker, const struct board_run *runs, size_t count, size_t total);

/* `worker` has answered one request more. */
void board_count(struct board *board, size_t worker);

/* The alias with that index (route->metrics_index; beyond BOARD_ALIASES it counts as 0) has answered well (ERROR_NONE),
 * or has failed. */
void board_note(struct board *board, size_t alias, enum error_kind kind);

/* A request has ended with an error. */
void board_failed(struct board *board, const struct board_error *error);

/* The runs of all workers, the oldest first, at most `room`; how many there are in all. */
size_t board_runs(struct board *board, struct board_run *runs, size_t room, size_t *total);

/* The latest errors, the latest first, at most BOARD_ERRORS; how many. */
size_t board_errors(struct board *board, struct board_error errors[BOARD_ERRORS]);

struct board_health board_health(const struct board *board, size_t alias);

/* Requests answered within the last 60 seconds, and ever. */
int64_t board_last_minute(const struct board *board);
int64_t board_total(const struct board *board);

#endif
