/* A real nginx in front of a server, as most deployments have one: it closes what stays silent for too long. */
#ifndef SUPPORT_NGINX_H
#define SUPPORT_NGINX_H

#include <stdbool.h>

struct nginx;

/* Is it installed? Where it is not, a test says so and is left out; but under CI it must be there. */
bool nginx_is_there(void);

/* In front of 127.0.0.1:port: /plain/ leads to / as a beginner would write it, /kept/ does with HTTP/1.1 and kept
 * connections, and both give up after `read_timeout_s` without a byte. The test fails when it does not start. */
struct nginx *nginx_start(int port, int read_timeout_s);
int nginx_port(const struct nginx *nginx);
void nginx_stop(struct nginx **nginx); /* nulls the pointer; NULL inside is fine */

#endif
