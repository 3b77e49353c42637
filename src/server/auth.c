/* Client keys, compared in constant time over all configured keys. */
#include "server/auth.h"

#include <string.h>
#include <strings.h>

/* How long it takes says nothing of where the two differ, nor how long the secret is. */
static bool equals_secret(const char *given, const char *secret)
{
    size_t given_length = strlen(given), secret_length = strlen(secret);
    volatile unsigned char difference = given_length != secret_length;
    for (size_t i = 0; i < given_length; i++) {
        unsigned char expected = secret_length == 0 ? 0 : (unsigned char)secret[i % secret_length];
        difference |= (unsigned char)((unsigned char)given[i] ^ expected);
    }
    return difference == 0;
}

static const char *bearer(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *key = authorization + sizeof scheme - 1;
    return key + strspn(key, " ");
}

bool auth_check(const struct config *config, const char *authorization, const char *x_api_key, const char *api_key,
                const struct key **key, struct error *err)
{
    *key = NULL;
    if (config->key_count == 0)
        return true;
    const char *given = bearer(authorization);
    if (given == NULL || given[0] == '\0')
        given = x_api_key;
    if (given == NULL || given[0] == '\0')
        given = api_key;
    if (given == NULL || given[0] == '\0')
        return error_set(err, ERROR_NO_KEY, NULL,
                         "You didn't provide an API key. Send it in an Authorization header: "
                         "`Authorization: Bearer YOUR_KEY`.");
    for (size_t i = 0; i < config->key_count; i++)
        if (equals_secret(given, config->keys[i].secret))
            *key = &config->keys[i];
    if (*key == NULL)
        return error_set(err, ERROR_WRONG_KEY, NULL,
                         "Incorrect API key provided. Ask the operator of this server for a valid one.");
    return true;
}
