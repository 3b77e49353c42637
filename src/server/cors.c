/* Cross-origin requests. An origin is echoed, not starred: `*` in the answer would not cover the Authorization header.
 */
#include "server/cors.h"

#include <string.h>
#include <strings.h>

bool cors_allows(const struct config *config, const char *origin)
{
    if (origin == NULL)
        return false;
    for (size_t i = 0; i < config->cors_origin_count; i++)
        if (strcmp(config->cors_origins[i], "*") == 0 || strcmp(config->cors_origins[i], origin) == 0)
            return true;
    return false;
}

/* ---- pages that nobody allowed ---- */

static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    return content_type != NULL && strncasecmp(content_type, json, sizeof json - 1) == 0;
}

static bool ends_with(const char *text, size_t length, const char *suffix)
{
    size_t ending = strlen(suffix);
    return length >= ending && strncasecmp(text + length - ending, suffix, ending) == 0;
}

/* Can its owner point this name (with a port) wherever he likes? Not so an address, nor what no public zone holds:
 * names of one label, and those set apart for one machine or its network (RFC 6761, 6762, 8375, and ICANN's for
 * `internal`). */
static bool is_public_name(const char *host)
{
    static const char *const private[] = {".localhost", ".local", ".internal", ".home.arpa"};
    size_t length = strcspn(host, ":");
    if (length > 0 && host[length - 1] == '.')
        length--;
    if (host[0] == '[' || strspn(host, "0123456789.") >= length || memchr(host, '.', length) == NULL)
        return false;
    for (size_t i = 0; i < sizeof private / sizeof private[0]; i++)
        if (ends_with(host, length, private[i]))
            return false;
    return true;
}

/* A page may have its browser say `null` in the place of its origin. */
static bool is_of_host(const struct cors_page *page)
{
    const char *name = strstr(page->origin, "://");
    return name == NULL || strcasecmp(name + 3, page->host) == 0;
}

/* To the browser a page is of the same origin as this server if its name leads here, also where that is somebody else's
 * name, which was the name of his own server a moment ago (DNS rebinding). Such a page has neither a key nor a token.
 */
static bool may_be_rebound(const struct config *config, const struct cors_page *page)
{
    return config->has_token && config->key_count == 0 && page->host != NULL && is_of_host(page) &&
           is_public_name(page->host);
}

/* Any web page may have its visitor's browser post a form or plain text to any address, without asking first; it does
 * not see the answer, but what it started would be paid for. JSON no browser sends without a preflight. */
bool cors_check_page(const struct config *config, const struct cors_page *page, struct error *err)
{
    if (page->origin == NULL || cors_allows(config, page->origin))
        return true;
    if (!is_json(page->content_type))
        return error_set(
            err, ERROR_BAD_REQUEST, NULL,
            "A web page sent this request, and not as JSON. Send it with `Content-Type: application/json`, "
            "or have the operator of this server add the page's origin to `cors_origins`.");
    return !may_be_rebound(config, page) ||
           error_set(err, ERROR_BAD_REQUEST, NULL,
                     "A web page sent this request, under a name that may be somebody else's: this server has no keys, "
                     "so it cannot know. Have its operator set `keys`, or add the page's origin to `cors_origins`.");
}

/* ---- headers ---- */

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
