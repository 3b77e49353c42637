/* Who asks: from which address, with which key, and with whose Replicate token. */
#include "exchange_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "server/auth.h"

static struct credentials credentials_of(const struct exchange *exchange)
{
    const struct http_request *request = exchange->request;
    return (struct credentials){.authorization = http_header(request, "Authorization"),
                                .x_api_key = http_header(request, "x-api-key"),
                                .api_key = http_header(request, "api-key"),
                                .x_replicate_token = http_header(request, "X-Replicate-Token")};
}

/* Of X-Forwarded-For only the last address of the last header counts: the proxy in front has added that one, the others
 * are what anybody may have sent to it. */
static bool address_of(const struct exchange *exchange, unsigned char address[NETWORK_ADDRESS_BYTES])
{
    const char *forwarded =
        exchange->config->use_x_forwarded_for ? http_last_header(exchange->request, "X-Forwarded-For") : NULL;
    return forwarded != NULL ? network_last_hop(forwarded, address)
                             : network_of_peer(http_peer(exchange->request), address);
}

bool exchange_check_address(const struct exchange *exchange, struct error *err)
{
    const struct config *config = exchange->config;
    unsigned char address[NETWORK_ADDRESS_BYTES];
    bool is_allowed = config->allowed_ip_count == 0;
    if (!is_allowed && address_of(exchange, address))
        for (size_t i = 0; i < config->allowed_ip_count && !is_allowed; i++)
            is_allowed = network_contains(&config->allowed_ips[i], address);
    return is_allowed ||
           error_set(err, ERROR_ACCESS_DENIED, NULL,
                     "Your address may not use this server. Ask its operator to add it to `allowed_ips`.");
}

bool exchange_check_key(struct exchange *exchange, struct error *err)
{
    struct credentials credentials = credentials_of(exchange);
    return auth_check(exchange->config, &credentials, clock_wall_s(), &exchange->key, err);
}

bool exchange_take_token(struct exchange *exchange, struct error *err)
{
    const char *token;
    struct credentials credentials = credentials_of(exchange);
    if (exchange->route->token != NULL || exchange->client_token != NULL)
        return true;
    if (!auth_token(exchange->config, &credentials, &token, err))
        return false;
    exchange->client_token = xstrdup(token);
    return true;
}

const char *exchange_token(const struct exchange *exchange)
{
    return exchange->route->token != NULL ? exchange->route->token : exchange->client_token;
}

void exchange_hash_client(const struct exchange *exchange, struct hash *hash)
{
    struct credentials credentials = credentials_of(exchange);
    hash_add_text(hash, credentials.authorization);
    hash_add_text(hash, credentials.x_api_key);
    hash_add_text(hash, credentials.api_key);
    hash_add_text(hash, credentials.x_replicate_token);
}

void exchange_blame_client_token(const struct exchange *exchange, struct error *error)
{
    bool is_refused = error->kind == ERROR_UPSTREAM_AUTHENTICATION;
    if (is_refused && exchange->route != NULL && exchange->route->token == NULL)
        error_set(error, ERROR_WRONG_KEY, NULL,
                  "Replicate does not accept the token you sent. Send a valid one; your Replicate account lists them.");
}
