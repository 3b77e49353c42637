/* Which key is it, and whose token? Keys are compared in constant time. Pure; any thread. */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

/* The headers that say who somebody is; each may be NULL. */
struct credentials {
    const char *authorization; /* "Bearer …" */
    const char *x_api_key, *api_key;
    const char *x_replicate_token;
};

/* The configured key that the client presented; NULL where no keys are configured: then all may enter. False with
 * ERROR_NO_KEY, or with ERROR_WRONG_KEY where it is none of them or has expired by `now_s` (Unix). `authorization` is
 * tried first, then `x_api_key`, then `api_key`. */
bool auth_check(const struct config *config, const struct credentials *credentials, int64_t now_s,
                const struct key **key, struct error *err);

/* The Replicate token that the client brought, borrowed: of X-Replicate-Token, or where no keys are configured also of
 * the headers that would hold a key. False with ERROR_NO_KEY, or with ERROR_WRONG_KEY where it holds what could not
 * stand in a header of ours. */
bool auth_token(const struct config *config, const struct credentials *credentials, const char **token,
                struct error *err);

#endif
