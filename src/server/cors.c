/* Cross-origin requests. An origin is echoed, not starred: `*` in the answer would not cover the Authorization header.
 */
#include "server/cors.h"

#include <string.h>

bool cors_allows(const struct config *config, const char *origin)
{
    if (origin == NULL)
        return false;
    for (size_t i = 0; i < config->cors_origin_count; i++)
        if (strcmp(config->cors_origins[i], "*") == 0 || strcmp(config->cors_origins[i], origin) == 0)
            return true;
    return false;
}

void cors_headers(struct reply *reply, const char *origin)
{
    reply_header(reply, "Access-Control-Allow-Origin", origin);
    reply_header(reply, "Access-Control-Expose-Headers",
                 "x-request-id, retry-after, retry-after-ms, x-should-retry, x-replicate-prediction-id, "
                 "x-replibridge-ignored, x-replibridge-usage, x-replibridge-model");
}

void cors_preflight_headers(struct reply *reply, const char *wanted, const char *private_network)
{
    reply_header(reply, "Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS");
    reply_header(reply, "Access-Control-Allow-Headers", wanted != NULL ? wanted : "Authorization, Content-Type");
    reply_header(reply, "Access-Control-Max-Age", "86400");
    if (private_network != NULL && strcmp(private_network, "true") == 0)
        reply_header(reply, "Access-Control-Allow-Private-Network", "true");
}
