/* Client keys, compared as hashes in constant time over all configured keys; and the tokens that clients bring. */
#include "server/auth.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/sha256.h"

/* How long it takes says nothing of where the two differ. Both have the length of a digest. */
static bool equals_digest(const char *given, const char *digest)
{
    volatile uint64_t difference = 0;
    for (size_t i = 0; i < SHA256_HEX_BYTES - 1; i += sizeof difference) {
        uint64_t one, other;
        memcpy(&one, given + i, sizeof one);
        memcpy(&other, digest + i, sizeof other);
        difference |= one ^ other;
    }
    return difference == 0;
}

static const char *or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static const char *bearer(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *key = authorization + sizeof scheme - 1;
    return or_null(key + strspn(key, " "));
}

/* NULL where there is none. */
static const char *presented(const struct credentials *credentials)
{
    const char *given = bearer(credentials->authorization);
    if (given == NULL)
        given = or_null(credentials->x_api_key);
    return given != NULL ? given : or_null(credentials->api_key);
}

bool auth_check(const struct config *config, const struct credentials *credentials, int64_t now_s,
                const struct key **key, struct error *err)
{
    char digest[SHA256_HEX_BYTES];
    *key = NULL;
    if (config->key_count == 0)
        return true;
    const char *given = presented(credentials);
    if (given == NULL)
        return error_set(err, ERROR_NO_KEY, NULL,
                         "You didn't provide an API key. Send it in an Authorization header: "
                         "`Authorization: Bearer YOUR_KEY`.");
    sha256_hex(given, strlen(given), digest);
    for (size_t i = 0; i < config->key_count; i++)
        if (equals_digest(digest, config->keys[i].digest))
            *key = &config->keys[i];
    if (*key == NULL)
        return error_set(err, ERROR_WRONG_KEY, NULL,
                         "Incorrect API key provided. Ask the operator of this server for a valid one.");
    if ((*key)->expires_s == 0 || now_s < (*key)->expires_s)
        return true;
    *key = NULL;
    return error_set(err, ERROR_WRONG_KEY, NULL,
                     "Your API key has expired. Ask the operator of this server for a new one.");
}

bool auth_token(const struct config *config, const struct credentials *credentials, const char **token,
                struct error *err)
{
    bool has_keys = config->key_count > 0;
    *token = or_null(credentials->x_replicate_token);
    if (*token == NULL && !has_keys)
        *token = presented(credentials);
    if (*token == NULL)
        return error_set(err, ERROR_NO_KEY, NULL,
                         "This model runs with the Replicate token of whoever asks. Send yours in %s.",
                         has_keys ? "the header X-Replicate-Token, beside your API key"
                                  : "an Authorization header: `Authorization: Bearer YOUR_REPLICATE_TOKEN`");
    for (const char *at = *token; *at != '\0'; at++)
        if (!isgraph((unsigned char)*at))
            return error_set(err, ERROR_WRONG_KEY, NULL,
                             "The Replicate token you sent holds a blank or a character that no token has. Send the "
                             "token alone.");
    return true;
}
