/* The listening socket that all workers share. The main thread. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdbool.h>

#include "base/error.h"

enum { LISTENER_URL_BYTES = 300 };

/* A listening, non-blocking socket on host:port (port 0: the kernel picks), and the URL under which it is reached.
 * -1 and err when that cannot be had. */
int listener_open(const char *host, int port, char url[LISTENER_URL_BYTES], struct error *err);

/* Asks the daemon at host:port whether it is ready: GET /health/readiness, 5 s at most. */
bool listener_probe(const char *host, int port, struct error *err);

#endif
