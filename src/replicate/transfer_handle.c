/* Curl's handles: what is asked of curl for every transfer, and what for one. */
#include <ctype.h>
#include <curl/curl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"
#include "transfer_curl_int.h"

enum {
    MAX_IDLE_CONNECTION_S = 118,
    DNS_CACHE_S = 60,
    UNCHECKED_CONNECTION_MS = 1500,
};

long transfer_handle_sent_bytes(const struct transfer_handle *handle)
{
    long bytes = 0;
    return curl_easy_getinfo(handle->easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK ? bytes : 1;
}

/* ---- curl's callbacks: they only note things ---- */

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct transfer_handle *handle = arg;
    transfer_stream_heard(handle->transfer);
    return transfer_headers_line(&handle->transfer->headers, line, size * count) ? size * count : 0;
}

/* Taking fewer bytes than offered ends the transfer; describe() then sees why. */
static size_t on_answer_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer_handle *handle = arg;
    switch (transfer_stream_take(handle->transfer, bytes, size * count)) {
    case TRANSFER_TAKEN:
        return size * count;
    case TRANSFER_HELD_BACK:
        return CURL_WRITEFUNC_PAUSE;
    default:
        return 0;
    }
}

/* Curl is about to send the request over a connection that is there. When a kept one dies under it curl begins again by
 * itself; what must not go out twice is stopped here, unless not one byte of it has gone out. */
static int on_request_begins(void *arg, char *own_ip, char *ip, int own_port, int port)
{
    (void)own_ip, (void)ip, (void)own_port, (void)port;
    struct transfer_handle *handle = arg;
    bool is_again = handle->has_begun;
    handle->has_begun = true;
    return is_again && handle->transfer->wire.never_repeat && transfer_handle_sent_bytes(handle) > 0
               ? CURL_PREREQFUNC_ABORT
               : CURL_PREREQFUNC_OK;
}

/* Together with on_close_socket this tells the whole life of a connection's descriptor: see transfer_sockets.c. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct transfer_multi *multi = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    transfer_sockets_opened(&multi->sockets, fd);
    return fd;
}

static int on_close_socket(void *arg, curl_socket_t fd)
{
    struct transfer_multi *multi = arg;
    transfer_sockets_closing(&multi->sockets, fd);
    return close(fd);
}

/* ---- handles ---- */

#define set_option(easy, option, value) ensure(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

static void set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    set_option(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    set_option(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void set_proxy(CURL *easy, const char *proxy)
{
    /* "" also overrules the proxies of the environment. */
    set_option(easy, CURLOPT_PROXY, proxy ? proxy : "");
    if (proxy) /* it is the proxy that hears this: requests have a line of their own */
        set_option(easy, CURLOPT_USERAGENT, TRANSFER_USER_AGENT);
    else /* else curl asks the environment for exceptions, at each request */
        set_option(easy, CURLOPT_NOPROXY, "");
}

static long to_long(int64_t value)
{
    return value > LONG_MAX ? LONG_MAX : (long)value;
}

struct transfer_handle *transfer_handle_new(const struct transfer_curl *curl)
{
    struct transfer_handle *handle = xcalloc(1, sizeof(*handle));
    CURL *easy = curl_easy_init();
    ensure(easy);
    handle->easy = easy;
    set_protocols(easy);
    /* Version 7.88 fails a request per GOAWAY over HTTP/2. */
    set_option(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set_option(easy, CURLOPT_NOSIGNAL, 1L);
    set_option(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set_option(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set_proxy(easy, curl->proxy);
    if (curl->ca_file) {
        set_option(easy, CURLOPT_CAINFO, curl->ca_file);
        /* With a directory of certificates as well, curl keeps no store in memory: 16 ms a connection, not 0.5. */
        set_option(easy, CURLOPT_CAPATH, NULL);
    }
    set_option(easy, CURLOPT_MAXAGE_CONN, (long)MAX_IDLE_CONNECTION_S);
    set_option(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)DNS_CACHE_S);
    if (curl->connect_timeout_ms > 0)
        set_option(easy, CURLOPT_CONNECTTIMEOUT_MS, to_long(curl->connect_timeout_ms));
    set_option(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    set_option(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    set_option(easy, CURLOPT_PREREQFUNCTION, on_request_begins);
    set_option(easy, CURLOPT_PREREQDATA, handle);
    set_option(easy, CURLOPT_HEADERFUNCTION, on_header);
    set_option(easy, CURLOPT_HEADERDATA, handle);
    set_option(easy, CURLOPT_WRITEFUNCTION, on_answer_bytes);
    set_option(easy, CURLOPT_WRITEDATA, handle);
    set_option(easy, CURLOPT_PRIVATE, handle);
    set_option(easy, CURLOPT_ERRORBUFFER, handle->error);
    return handle;
}

void transfer_handle_free(struct transfer_handle *handle)
{
    curl_easy_cleanup(handle->easy);
    free(handle->lines);
    free(handle);
}

/* On a new connection curl repeats nothing. What has a body may also use a kept one, see on_request_begins; but newer
 * versions of curl take a connection that was used within the last second to be alive without a look, so it must not
 * get the chance to pick one that we saw die. */
static bool needs_new_connection(const struct transfer_handle *handle)
{
    const struct transfer_wire *wire = &handle->transfer->wire;
    if (wire->is_on_new || !wire->never_repeat)
        return wire->is_on_new;
    return wire->body_length == 0 || transfer_sockets_saw_death(&handle->multi->sockets, UNCHECKED_CONNECTION_MS);
}

/* Each way undoes what the handle's last transfer has left. */
static void set_method_and_body(struct transfer_handle *handle)
{
    CURL *easy = handle->easy;
    const struct transfer_wire *wire = &handle->transfer->wire;
    set_option(easy, CURLOPT_FRESH_CONNECT, needs_new_connection(handle) ? 1L : 0L);
    /* Curl knows no DELETE of its own: it is a GET by another name. */
    set_option(easy, CURLOPT_CUSTOMREQUEST, wire->method == TRANSFER_DELETE ? "DELETE" : NULL);
    if (wire->method != TRANSFER_POST) {
        set_option(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    set_option(easy, CURLOPT_POST, 1L);
    set_option(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)wire->body_length);
    /* Not by a read callback: a small body given here goes out together with the head, in one write. */
    set_option(easy, CURLOPT_POSTFIELDS, wire->body ? wire->body : "");
}

/* Curl's list of lines, made by hand: its own way would copy each of them. Curl reads it and never changes it. */
static struct curl_slist *list_of_lines(struct transfer_handle *handle)
{
    const struct transfer_wire *wire = &handle->transfer->wire;
    if (wire->line_count > handle->line_room) {
        handle->line_room = wire->line_count;
        handle->lines = xrealloc(handle->lines, handle->line_room * sizeof(*handle->lines));
    }
    char *line = (char *)wire->lines;
    for (size_t i = 0; i < wire->line_count; i++) {
        handle->lines[i] = (struct curl_slist){line, i + 1 < wire->line_count ? &handle->lines[i + 1] : NULL};
        line += strlen(line) + 1;
    }
    return handle->lines;
}

/* ---- URLs ---- */

/* Nothing that curl would write otherwise, and no segment that it would resolve, such as "..". */
static bool is_plain_path(const char *path)
{
    for (char before = '\0'; *path != '\0'; before = *path++) {
        bool is_plain = isalnum((unsigned char)*path) || *path == '/' || *path == '-' || *path == '_' ||
                        (*path == '.' && before != '/');
        if (!is_plain)
            return false;
    }
    return true;
}

/* The path of a URL that has one and nothing after it; NULL where it is not as simple as that. */
static const char *plain_path(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strpbrk(host + 3, "/?#") : NULL;
    return path && *path == '/' && is_plain_path(path) ? path : NULL;
}

/* The first ones that come are remembered for good, since curl may look at one as long as a handle has it. NULL where
 * there are too many, or curl does not take it for one. */
static CURLU *known_origin(struct transfer_origins *origins, const char *url, size_t length)
{
    for (size_t i = 0; i < origins->count; i++) {
        if (origins->known[i].length == length && memcmp(origins->known[i].text, url, length) == 0)
            return origins->known[i].parsed;
    }
    if (origins->count == TRANSFER_KNOWN_ORIGINS)
        return NULL;
    char *text = xstrndup(url, length);
    CURLU *parsed = curl_url();
    ensure(parsed);
    if (curl_url_set(parsed, CURLUPART_URL, text, 0) != CURLUE_OK) {
        curl_url_cleanup(parsed);
        free(text);
        return NULL;
    }
    origins->known[origins->count].text = text;
    origins->known[origins->count].length = length;
    origins->known[origins->count++].parsed = parsed;
    return parsed;
}

void transfer_origins_dispose(struct transfer_origins *origins)
{
    for (size_t i = 0; i < origins->count; i++) {
        free(origins->known[i].text);
        curl_url_cleanup(origins->known[i].parsed);
    }
    *origins = (struct transfer_origins){0};
}

/* Reading a URL is a quarter of what curl does for a request. So one with a plain path is told to curl in two parts:
 * the origin, which it has read before, and the target of the request. Others curl reads itself, and all where there is
 * a proxy, whose requests name the whole. What comes as a stream has its URL from an answer: it may be anything. */
static void set_url(struct transfer_handle *handle)
{
    const struct transfer *transfer = handle->transfer;
    struct transfer_curl *curl = handle->multi->curl;
    const char *text = transfer->wire.url;
    const char *path = curl->proxy || transfer->stream.on_data ? NULL : plain_path(text);
    CURLU *origin = path ? known_origin(&curl->origins, text, (size_t)(path - text)) : NULL;
    /* Curl refuses absurd URLs here (8 MB); the empty one ends the transfer in the usual way. */
    if (curl_easy_setopt(handle->easy, CURLOPT_URL, text) != CURLE_OK)
        set_option(handle->easy, CURLOPT_URL, "");
    /* Goes before the text, which spares curl to make one of it. */
    set_option(handle->easy, CURLOPT_CURLU, origin);
    if (curl_easy_setopt(handle->easy, CURLOPT_REQUEST_TARGET, origin ? path : NULL) != CURLE_OK)
        set_option(handle->easy, CURLOPT_CURLU, NULL);
}

/* ---- a transfer's ---- */

void transfer_handle_fill(struct transfer_handle *handle)
{
    CURL *easy = handle->easy;
    set_url(handle);
    set_method_and_body(handle);
    set_option(easy, CURLOPT_HTTPHEADER, list_of_lines(handle));
    set_option(easy, CURLOPT_TIMEOUT_MS, to_long(handle->transfer->wire.timeout_ms)); /* 0 = none, for curl too */
    set_option(easy, CURLOPT_OPENSOCKETDATA, handle->multi);
    set_option(easy, CURLOPT_CLOSESOCKETDATA, handle->multi);
}

void transfer_handle_clear(struct transfer_handle *handle)
{
    CURL *easy = handle->easy;
    set_option(easy, CURLOPT_CURLU, NULL);
    set_option(easy, CURLOPT_HTTPHEADER, NULL);
    set_option(easy, CURLOPT_POSTFIELDS, NULL);
    set_option(easy, CURLOPT_OPENSOCKETDATA, NULL);
    set_option(easy, CURLOPT_CLOSESOCKETDATA, NULL);
    handle->multi = NULL;
    handle->transfer = NULL;
    handle->has_begun = false;
    handle->error[0] = '\0';
}
