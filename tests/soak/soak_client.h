/* One client of a soak, for ever: it asks for something by chance, in some manner, and when that has come to its end it
 * asks for something else. Every answer is judged. */
#ifndef SOAK_CLIENT_H
#define SOAK_CLIENT_H

#include "soak_world.h"
#include "stream_client.h"

#define SOAK_MANNERS(X)                                                                                                \
    X(WHOLE, "whole")                                                                                                  \
    X(STREAMED, "streamed")                                                                                            \
    X(SLOW, "slowly read")                                                                                             \
    X(LEAVING, "left")                                                                                                 \
    X(RETRYING, "left and retried")                                                                                    \
    X(KEYED, "left and retried with a key")                                                                            \
    X(IMAGE, "with an image")                                                                                          \
    X(MALFORMED, "malformed")

enum soak_manner {
#define X(name, text) SOAK_##name,
    SOAK_MANNERS(X)
#undef X
        SOAK_MANNER_COUNT
};

/* What all clients share. */
struct soak_tally {
    size_t begun[SOAK_MANNER_COUNT]; /* requests, retries of the same not counted */
    size_t tries;                    /* connections */
    size_t answered, broken_off;     /* of them: to their end; by the client */
    size_t untaken;                  /* of them: malformed, and refused before they were sent */
    size_t by_status[600];
    size_t late_errors; /* streams that ended in an error */
    size_t wrong;
    char example[1024]; /* the first that was wrong */
};

struct soak_client {
    struct stream_client wire;
    struct soak_random *random;
    struct soak_tally *tally;
    int port;

    enum soak_manner manner;
    const struct soak_model *model;
    char nonce[40];
    char *body;
    bool is_streamed, is_busy;
    int retry_count, leaves_left;
    int64_t leaves_at_ms, reads_at_ms, begins_at_ms, deadline_ms; /* 0 = not */
    int64_t read_at_ms;                                           /* last */
};

void soak_client_init(struct soak_client *client, int port, struct soak_random *random, struct soak_tally *tally);
void soak_client_dispose(struct soak_client *client);

/* Begins something new, if it is at nothing. */
void soak_client_begin(struct soak_client *client);

bool soak_client_is_busy(const struct soak_client *client);
/* To be polled for reading; -1 = nothing now. */
int soak_client_descriptor(const struct soak_client *client);
/* Does what is due; `is_readable`: its descriptor is. */
void soak_client_turn(struct soak_client *client, bool is_readable);

#endif
