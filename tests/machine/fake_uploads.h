/* What the tests of uploads share: an uploader on fake time and a fake network, and requests whose end is noted.
 *
 * `uploads_teardown` fails the test where anything is left: a request, a transfer, a timer. */
#ifndef FAKE_UPLOADS_H
#define FAKE_UPLOADS_H

#include <check.h>

#include "base/clock.h"
#include "fake_loop.h"
#include "fake_transfer.h"
#include "replicate/uploads.h"

#define UPLOADS_BASE "http://replicate.test/v1"

enum { UPLOADS_TIME_MS = 60000 };

struct uploads_bench {
    struct loop *loop;
    struct transfers *transfers;
    struct uploader *uploader;
    bool is_starting;
    bool leaves_when_done; /* `done` gives up the reference */
};

extern struct uploads_bench uploads_bench;

/* One request, in the test's own memory. */
struct uploads_case {
    struct uploads *uploads; /* NULL when given up */
    json_t *values;          /* the test's own reference */
    int done;
    bool failed;
    struct error error;
};

void uploads_setup(void);
void uploads_teardown(void);

/* Starts a request of so many files: "data:text/plain,0", "data:text/plain,1" … Nothing is sent yet. */
void uploads_begin(struct uploads_case *request, int count);
/* The same of values that the test made, which become the case's. */
void uploads_begin_values(struct uploads_case *request, json_t *values);
void uploads_leave(struct uploads_case *request); /* the last reference; frees the values */

void uploads_advance(int64_t ms);

/* How many transfers are open, and the one that carries the file with this text; NULL when it is not open. */
int uploads_open(void);
struct transfer *uploads_sending(const char *text);
/* The open deletion of a file; NULL when there is none. */
struct transfer *uploads_deleting(const char *id);

/* Answers with 201 and the URL http://files.test/ID. */
void uploads_accept(const char *text, const char *id);
void uploads_delete_ok(const char *id); /* 204 */

void uploads_expect_unfinished(const struct uploads_case *request);
void uploads_expect_ready(const struct uploads_case *request);
void uploads_expect_error(const struct uploads_case *request, enum error_kind kind);
const char *uploads_value(const struct uploads_case *request, size_t i);

#endif
