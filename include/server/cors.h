/* Cross-origin requests from browsers, where `cors_origins` allows them. Any thread. */
#ifndef SERVER_CORS_H
#define SERVER_CORS_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "server/reply.h"

/* Is `origin` (may be NULL) one that the configuration allows? */
bool cors_allows(const struct config *config, const char *origin);

/* What a request says of the page that sends it: the headers of these names, NULL where there is none. */
struct cors_page {
    const char *origin, *host, *content_type;
};

/* May this request start what costs money? False and `err` (ERROR_BAD_REQUEST) for what a web page has its visitor's
 * browser send without the visitor's doing. Browsers name the origin with each such request; others do not. */
bool cors_check_page(const struct config *config, const struct cors_page *page, struct error *err);

/* Adds what a browser needs to read the answer; for every answer to an allowed origin, errors too. */
void cors_headers(struct reply *reply, const char *origin);

/* Adds what a preflight asks for. `wanted` = Access-Control-Request-Headers, `private_network` =
 * Access-Control-Request-Private-Network; both may be NULL. */
void cors_preflight_headers(struct reply *reply, const char *wanted, const char *private_network);

#endif
