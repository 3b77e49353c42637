/* Readers of values that are texts: names, addresses, models. None of them repeats a value in a message. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/ensure.h"
#include "schema_int.h"
#include "value_int.h"

void replace_text(void *field, const char *text)
{
    char **slot = field;
    char *copy = xstrdup(text);
    free(*slot);
    *slot = copy;
}

/* Paths and names end up in system calls and log lines, where a line break does harm. */
bool read_text(const struct reading *reading)
{
    if (!require_text(reading, "a text"))
        return false;
    for (const char *at = reading->node->text; *at != '\0'; at++)
        if (iscntrl((unsigned char)*at))
            return loader_fail(reading->loader, reading->path, "this must not hold line breaks or control characters");
    replace_text(reading->field, reading->node->text);
    return true;
}

/* A file that is missing would only show with the first connection, as a failure of every one. */
bool read_file(const struct reading *reading)
{
    if (!read_text(reading))
        return false;
    return access(*(char **)reading->field, R_OK) == 0 ||
           loader_fail(reading->loader, reading->path, "the file cannot be read: %s", strerror(errno));
}

/* Like an address, but a user name with a password may stand before the host. */
bool read_proxy(const struct reading *reading)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://", "socks4://"};
    if (!read_text(reading))
        return false;
    const char *host = NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncasecmp(reading->node->text, schemes[i], strlen(schemes[i])) == 0)
            host = reading->node->text + strlen(schemes[i]);
    if (host == NULL)
        return loader_fail(reading->loader, reading->path,
                           "the address must begin with http://, https://, socks5://, socks5h:// or socks4://");
    size_t length = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', length);
    length -= at == NULL ? 0 : (size_t)(at + 1 - host);
    host = at == NULL ? host : at + 1;
    if (length == 0 || host[0] == ':')
        return loader_fail(reading->loader, reading->path, "the address needs a host");
    return strpbrk(reading->node->text, " \t") == NULL ||
           loader_fail(reading->loader, reading->path, "the address must not hold blanks or control characters");
}

/* What is wrong with the URL, or NULL. A user name in it would end up in logs, a query in the middle of every path. */
static const char *url_problem(const char *url)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0 ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
    if (scheme == 0)
        return "the address must begin with https:// or http://";
    if (!secret_is_clean(url))
        return "the address must not hold blanks or control characters";
    if (strpbrk(url, "?#@") != NULL)
        return "the address must not hold a user name, a query (?) or a fragment (#)";
    return url[scheme] == '/' || url[scheme] == ':' || url[scheme] == '\0' ? "the address needs a host" : NULL;
}

bool read_url(const struct reading *reading)
{
    if (!require_text(reading, "an address such as https://api.replicate.com/v1"))
        return false;
    const char *problem = url_problem(reading->node->text);
    if (problem != NULL)
        return loader_fail(reading->loader, reading->path, "%s", problem);
    size_t length = strlen(reading->node->text);
    while (reading->node->text[length - 1] == '/')
        length--;
    char *text = xstrndup(reading->node->text, length);
    if (url_is_exposed(text))
        loader_warn(reading->loader, reading->path,
                    "the token would travel unencrypted to this address; use https:// outside of your own machine");
    replace_text(reading->field, text);
    free(text);
    return true;
}

/* Whether the text names a model can be told only with its alias: see route_problem. */
bool read_reference(const struct reading *reading)
{
    static const char prefix[] = "replicate/";
    if (!require_text(reading, "a model such as owner/name"))
        return false;
    const char *text = reading->node->text;
    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        text += sizeof prefix - 1;
    replace_text(reading->field, text);
    return true;
}

/* A host as an address has it: letters, digits and what IPv4, IPv6 and names need besides. */
static bool is_host(const char *host)
{
    return host[0] != '\0' &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%") == strlen(host);
}

/* Splits `host:port`, `[host]:port` or `port`; `host` stays NULL for a port alone. The caller frees it. */
static bool split_listen(const char *text, char **host, int64_t *port)
{
    *host = NULL;
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return value_integer(text, port);
    size_t length = (size_t)(colon - text);
    if (text[0] == '[' && length > 1 && text[length - 1] == ']')
        *host = xstrndup(text + 1, length - 2);
    else if (memchr(text, ':', length) == NULL)
        *host = xstrndup(text, length);
    if (*host != NULL && is_host(*host) && value_integer(colon + 1, port))
        return true;
    free(*host);
    *host = NULL;
    return false;
}

bool read_listen(const struct reading *reading)
{
    static const char what[] = "host:port, [address]:port or a port from 0 to 65535";
    char *host;
    int64_t port;
    if (!require_text(reading, what))
        return false;
    if (!split_listen(reading->node->text, &host, &port))
        return loader_fail(reading->loader, reading->path, "this must be %s", what);
    bool in_range = port >= 0 && port <= 65535;
    if (in_range) {
        /* A port alone keeps the host of the default. */
        if (host != NULL)
            replace_text(reading->field, host);
        *(int *)reading->second = (int)port;
    }
    free(host);
    return in_range || loader_fail(reading->loader, reading->path, "this must be %s", what);
}
