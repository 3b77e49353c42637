/* Which key is it? Compared in constant time. Pure; any thread. */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"

/* The configured key that the client presented; NULL where no keys are configured: then all may enter. False with
 * ERROR_NO_KEY or ERROR_WRONG_KEY. The headers' values may be NULL. `authorization` is tried first, then `x_api_key`,
 * then `api_key`. */
bool auth_check(const struct config *config, const char *authorization, const char *x_api_key, const char *api_key,
                const struct key **key, struct error *err);

#endif
