/* A raw-socket HTTP server that misbehaves as told: a thread that reads whole requests on any number of connections and
 * plays the next answer of a script for each.
 *
 * It makes no assertion: it records, and the test's thread looks. Start and stop it in a checked fixture. */
#ifndef SUPPORT_SCRIPT_SERVER_H
#define SUPPORT_SCRIPT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum script_end {
    SCRIPT_KEEP,    /* the connection stays open */
    SCRIPT_CLOSE,   /* it is closed */
    SCRIPT_RESET,   /* it is closed with a reset */
    SCRIPT_QUIT,    /* it is closed, and so is the listening socket */
    SCRIPT_ENDLESS, /* the bytes from `repeat_from` on are sent again and again until the client goes */
};

struct script_answer {
    const char *bytes; /* NULL = none */
    enum script_end end;
    size_t piece_bytes; /* in writes of so many bytes; 0 = in one */
    size_t repeat_from;
};

struct script_server;

struct script_server *script_server_start(void); /* on 127.0.0.1 and a port of the kernel's choice */
void script_server_stop(struct script_server *server);
int script_server_port(const struct script_server *server);

/* What to answer from the next request on; the last answer is given to all that follow. The array must live on. */
void script_server_play(struct script_server *server, const struct script_answer *answers, size_t count);

/* From now on every connection is closed as soon as it is accepted. */
void script_server_hang_up(struct script_server *server);

size_t script_server_connections(struct script_server *server); /* accepted so far */
size_t script_server_requests(struct script_server *server);    /* read whole so far */

size_t script_server_received(struct script_server *server); /* bytes, of all requests, whole or not */

/* Head and body of request `index`, counted from 0; NULL when there was none. Valid until the stop. */
const char *script_server_request(struct script_server *server, size_t index);

/* Waits until the server has closed so many connections; false when that takes more than ten seconds. */
bool script_server_await_closed(struct script_server *server, size_t count);

#endif
