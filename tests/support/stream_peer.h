/* The other side of streams, played by the test's own thread between the turns of its loop: what is sent when, and what
 * is seen before the next is sent, is then certain. */
#ifndef SUPPORT_STREAM_PEER_H
#define SUPPORT_STREAM_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "transfer_fixture.h"

/* Turns the fixture's loop until the condition holds; the test fails after ten seconds. */
#define TURN_UNTIL(condition)                                                                                          \
    do {                                                                                                               \
        int64_t turn_until_deadline_ms = clock_now_ms() + 10000;                                                       \
        while (!(condition)) {                                                                                         \
            ck_assert_msg(clock_now_ms() < turn_until_deadline_ms, "not in time: " #condition);                        \
            loop_turn(fixture_loop, 1);                                                                                \
        }                                                                                                              \
    } while (0)

#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"

/* What a stream's user has seen. */
struct viewer {
    struct transfer *transfer; /* NULL after `done` */
    char *bytes;               /* all of them, with a NUL */
    size_t length;
    int pieces;
    bool paused;        /* by hand: data is a failure then */
    bool pauses_itself; /* after each piece */
    bool cancels_itself;
    size_t meddles_after;   /* so many bytes: the next piece does to the two below what they are named for */
    struct viewer *sleeper; /* is paused; NULL = nobody */
    struct viewer *victim;  /* is cancelled; NULL = nobody */
    struct seen seen;
};

void peer_setup(void); /* with the fixture */
void peer_teardown(void);

/* A request for a stream of events from this side. */
struct transfer_request peer_request(void);

/* Starts the request (NULL = peer_request) with this viewer. */
void viewer_start(struct viewer *viewer, const struct transfer_request *request);
void viewer_pause(struct viewer *viewer);
void viewer_resume(struct viewer *viewer);
void viewer_dispose(struct viewer *viewer); /* cancels what is under way */

/* The next connection's descriptor, which does not block, when its request has come; closed by the teardown. */
int peer_accept(void);
const char *peer_last_request(void);

/* As much as the socket takes at once; 0 when it is full. */
size_t peer_offer(int fd, const char *bytes, size_t length);
/* All of it, turning the loop as long as the socket is full. */
void peer_send(int fd, const char *bytes, size_t length);
void peer_say(int fd, const char *text);
void peer_close(int fd);
void peer_reset(int fd);

/* Did the client close it? */
bool peer_sees_close(int fd);

#endif
