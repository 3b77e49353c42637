/* Where a prediction's events may be read, and whether the token may go there.
 *
 * The one URL that is taken from an answer. Whatever is unusual about it is refused, for then polls do the same work:
 * two readers of one URL must never disagree about its host. */
#include "replicate/api.h"

#include <string.h>
#include <strings.h>

#include "base/ensure.h"
#include "base/json.h"
#include "api_int.h"

enum { HOST_BYTES = 256, PORT_HTTPS = 443, PORT_HTTP = 80, PORT_MAX = 65535 };

struct origin {
    bool is_https;
    char host[HOST_BYTES]; /* lower case */
    int port;
};

/* Control characters, blanks and bytes beyond ASCII have no place in a URL; a fragment and a backslash are read
 * differently by different readers. */
static bool is_plain(const char *url)
{
    for (const char *at = url; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || *at == '\\' || *at == '#')
            return false;
    return true;
}

/* A host name with labels of at least one character, or an IPv6 address in brackets. */
static size_t host_length(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    if (text[0] == '[') {
        size_t length = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        return text[length] == ']' ? length + 1 : 0;
    }
    size_t length = strspn(text, letters);
    bool has_empty_label = length == 0 || text[0] == '.' || text[length - 1] == '.';
    for (size_t i = 1; i < length; i++)
        if (text[i] == '.' && text[i - 1] == '.')
            has_empty_label = true;
    return has_empty_label ? 0 : length;
}

/* Reads ":443"; the characters that were read, 0 where it is no port. */
static size_t port_length(const char *text, int *port)
{
    size_t digits = strspn(text + 1, "0123456789");
    if (digits == 0 || digits > 5)
        return 0;
    *port = 0;
    for (size_t i = 1; i <= digits; i++)
        *port = *port * 10 + (text[i] - '0');
    return *port >= 1 && *port <= PORT_MAX ? 1 + digits : 0;
}

/* Scheme, host and port, and then nothing but a path: user names are refused. */
static bool origin_parse(const char *url, struct origin *origin)
{
    *origin = (struct origin){.port = PORT_HTTP};
    size_t scheme = strlen("http://");
    if (strncasecmp(url, "https://", strlen("https://")) == 0) {
        *origin = (struct origin){.is_https = true, .port = PORT_HTTPS};
        scheme = strlen("https://");
    } else if (strncasecmp(url, "http://", scheme) != 0) {
        return false;
    }
    const char *at = url + scheme;
    size_t length = host_length(at);
    if (!is_plain(url) || length == 0 || length >= sizeof origin->host)
        return false;
    for (size_t i = 0; i < length; i++)
        origin->host[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] - 'A' + 'a' : at[i]);
    at += length;
    if (*at == ':') {
        length = port_length(at, &origin->port);
        if (length == 0)
            return false;
        at += length;
    }
    return *at == '/' || *at == '\0';
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

/* A model that makes files streams their links, or the files themselves: no text, and not always what its output says.
 * A gateway may have put the API below a path of its own. */
static bool is_of_files(const char *url)
{
    static const char segments[] = "/v1/files/";
    const char *path = strchr(strstr(url, "://") + 3, '/');
    const char *found = path != NULL ? strstr(path, segments) : NULL;
    return found != NULL && found < path + strcspn(path, "?");
}

const char *api_stream_url(const struct job *job, const struct api_prediction *prediction)
{
    struct origin stream, base;
    const char *url = prediction->stream_url;
    if (!origin_parse(url, &stream) || is_of_files(url))
        return NULL;
    bool is_own_host = origin_parse(job->base_url, &base) && strcmp(stream.host, base.host) == 0;
    if (!is_own_host && !ends_with(stream.host, ".replicate.com") && !ends_with(stream.host, ".replicate.net"))
        return NULL;
    /* Without encryption only where the API itself has none: on the operator's own machine or network. */
    bool is_safe = stream.is_https || (is_own_host && !base.is_https);
    return is_safe ? url : NULL;
}

bool api_is_own_origin(const struct job *job, const char *url)
{
    struct origin origin, base;
    return origin_parse(url, &origin) && origin_parse(job->base_url, &base) && origin.is_https == base.is_https &&
           origin.port == base.port && strcmp(origin.host, base.host) == 0;
}

/* The documents say JSON with a `detail`; clients were seen to expect plain text. */
void api_stream_error_text(const char *data, size_t length, const char *token, char out[512])
{
    json_t *root = json_parse_lenient(data, length);
    const json_t *detail = json_object_get(root, "detail");
    if (detail == NULL || json_is_null(detail))
        error_quote(out, API_QUOTE_BYTES + 1, data, length, token);
    else
        api_quote_value(out, API_QUOTE_BYTES + 1, detail, token);
    json_decref(root);
}

/* "1690212292:3": seconds and a number, both of digits alone. */
bool api_event_id_parse(const char *text, struct api_event_id *id)
{
    uint64_t *const parts[2] = {&id->seconds, &id->number};
    const char *at = text;
    for (int i = 0; i < 2; i++) {
        size_t digits = strspn(at, "0123456789");
        /* 18 digits fit into 64 bits whatever they are. */
        if (digits == 0 || digits > 18)
            return false;
        *parts[i] = 0;
        for (size_t k = 0; k < digits; k++)
            *parts[i] = *parts[i] * 10 + (uint64_t)(at[k] - '0');
        at += digits;
        if (*at != (i == 0 ? ':' : '\0'))
            return false;
        at++;
    }
    size_t length = (size_t)(at - text); /* with the NUL, which the number ended at */
    ensure(length <= sizeof id->text);
    memcpy(id->text, text, length);
    return true;
}

bool api_event_id_is_after(const struct api_event_id *id, const struct api_event_id *other)
{
    return id->seconds > other->seconds || (id->seconds == other->seconds && id->number > other->number);
}
