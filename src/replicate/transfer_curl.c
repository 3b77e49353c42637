/* HTTP exchanges with Replicate by libcurl: its multis and its handles, what is asked of it, and what its result means.
 * The only file that knows curl, besides transfer_prune.c and transfer_global.c.
 *
 * Streams have multis of their own: with very many handles a multi becomes slow for all. Nothing is told to users in
 * here while curl is on the stack, see drive(). */
#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/error.h"
#include "base/version.h"
#include "transfer_int.h"

enum {
    MAX_IDLE_CONNECTION_S = 118,
    DNS_CACHE_S = 60,
    UNCHECKED_CONNECTION_MS = 1500,
    STREAMS_PER_MULTI = 500,
    KEPT_STREAM_CONNECTIONS = 32,
};

_Static_assert(TRANSFER_DETAIL_BYTES >= CURL_ERROR_SIZE + 64, "room for curl's words and for what is masked in them");

struct transfer_multi {
    struct list_link link; /* in stream_multis; in none when it is that of the calls */
    struct transfer_curl *curl;
    CURLM *multi;
    struct transfer_sockets sockets;
    struct transfer_prune prune;
    struct loop_timer timer; /* curl's one timer */
    size_t handle_count;
};

struct transfer_handle {
    struct list_link link; /* in idle_handles */
    CURL *easy;
    struct curl_slist *lines; /* room for the header lines of a transfer */
    size_t line_room;
    struct transfer_multi *multi; /* this and all below: while it carries a transfer */
    struct transfer *transfer;
    bool has_begun; /* to send the request */
    char error[CURL_ERROR_SIZE];
};

struct transfer_curl {
    struct transfers *transfers;
    struct transfer_multi calls;
    struct list stream_multis;     /* the oldest first */
    struct transfer_multi *driven; /* the one that is being driven; NULL = none */

    struct list idle_handles; /* at most max_idle, options that never change already set */
    size_t max_idle;

    char *ca_file, *proxy;
    int64_t connect_timeout_ms;
};

/* Of all attempts; where curl cannot tell, some. */
static long sent_bytes(const struct transfer_handle *handle)
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
    return is_again && handle->transfer->wire.never_repeat && sent_bytes(handle) > 0 ? CURL_PREREQFUNC_ABORT
                                                                                      : CURL_PREREQFUNC_OK;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    (void)easy;
    (void)unused;
    struct transfer_multi *multi = arg;
    unsigned events = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= EPOLLOUT;
    transfer_sockets_want(&multi->sockets, fd, events);
    return 0;
}

static int on_curl_timer(CURLM *unused, long timeout_ms, void *arg)
{
    (void)unused;
    struct transfer_multi *multi = arg;
    struct loop *loop = multi->curl->transfers->loop;
    if (timeout_ms < 0)
        loop_timer_clear(loop, &multi->timer);
    else
        loop_timer_set(loop, &multi->timer, clock_now_ms() + timeout_ms);
    return 0;
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

static long to_long(int64_t value)
{
    return value > LONG_MAX ? LONG_MAX : (long)value;
}

static struct transfer_handle *handle_new(const struct transfer_curl *curl)
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
    set_option(easy, CURLOPT_USERAGENT, "replibridge/" REPLIBRIDGE_VERSION);
    /* "" also overrules the proxies of the environment. */
    set_option(easy, CURLOPT_PROXY, curl->proxy ? curl->proxy : "");
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

static void handle_free(struct transfer_handle *handle)
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

/* ---- multis ---- */

static void drive(struct transfer_multi *multi, curl_socket_t fd, int events);

static void on_socket_ready(void *arg, int fd, uint32_t events)
{
    int what = 0;
    if (events & (EPOLLIN | EPOLLRDHUP))
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & (EPOLLERR | EPOLLHUP))
        what |= CURL_CSELECT_ERR;
    drive(arg, fd, what);
}

static void on_timer_due(void *arg)
{
    drive(arg, CURL_SOCKET_TIMEOUT, 0);
}

#define set_multi_option(multi, option, value) ensure(curl_multi_setopt((multi), (option), (value)) == CURLM_OK)

static void multi_init(struct transfer_multi *multi, struct transfer_curl *curl, size_t kept_connections)
{
    *multi = (struct transfer_multi){.curl = curl, .multi = curl_multi_init()};
    ensure(multi->multi);
    loop_timer_init(&multi->timer, on_timer_due, multi);
    transfer_sockets_init(&multi->sockets, curl->transfers->loop, on_socket_ready, multi);
    transfer_prune_init(&multi->prune, curl->transfers->loop, multi->multi, &multi->sockets);
    set_multi_option(multi->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    set_multi_option(multi->multi, CURLMOPT_SOCKETDATA, multi);
    set_multi_option(multi->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    set_multi_option(multi->multi, CURLMOPT_TIMERDATA, multi);
    set_multi_option(multi->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    set_multi_option(multi->multi, CURLMOPT_MAXCONNECTS, (long)kept_connections);
}

static void multi_dispose(struct transfer_multi *multi)
{
    ensure(multi->handle_count == 0);
    transfer_prune_dispose(&multi->prune);
    /* Closes the kept connections, by our callbacks; so the sockets and the timer go after it. */
    ensure(curl_multi_cleanup(multi->multi) == CURLM_OK);
    transfer_sockets_dispose(&multi->sockets);
    loop_timer_clear(multi->curl->transfers->loop, &multi->timer);
}

/* The oldest with a free place, so that the younger ones run empty. */
static struct transfer_multi *multi_for_stream(struct transfer_curl *curl)
{
    struct transfer_multi *multi;
    for (struct list_link *link = list_first(&curl->stream_multis); link;
         link = list_next(&curl->stream_multis, link)) {
        multi = list_entry(link, struct transfer_multi, link);
        if (multi->handle_count < STREAMS_PER_MULTI)
            return multi;
    }
    multi = xmalloc(sizeof(*multi));
    multi_init(multi, curl, KEPT_STREAM_CONNECTIONS);
    list_append(&curl->stream_multis, &multi->link);
    return multi;
}

/* One empty one is kept for the next stream. The one that is being driven is looked at when that is over. */
static void free_spare_multis(struct transfer_curl *curl)
{
    struct list_link *next;
    size_t empty = 0;
    for (struct list_link *link = list_first(&curl->stream_multis); link; link = next) {
        next = list_next(&curl->stream_multis, link);
        struct transfer_multi *multi = list_entry(link, struct transfer_multi, link);
        if (multi->handle_count > 0 || ++empty == 1 || multi == curl->driven)
            continue;
        list_remove(link);
        multi_dispose(multi);
        free(multi);
    }
}

/* ---- the way of a transfer ---- */

void transfer_curl_give(struct transfer_curl *curl, struct transfer *transfer)
{
    struct list_link *idle = list_shift(&curl->idle_handles);
    struct transfer_handle *handle = idle ? list_entry(idle, struct transfer_handle, link) : handle_new(curl);
    CURL *easy = handle->easy;
    transfer->handle = handle;
    handle->transfer = transfer;
    handle->multi = transfer->stream.on_data ? multi_for_stream(curl) : &curl->calls;
    /* Curl refuses absurd URLs here (8 MB); the empty one ends the transfer in the usual way. */
    if (curl_easy_setopt(easy, CURLOPT_URL, transfer->wire.url) != CURLE_OK)
        set_option(easy, CURLOPT_URL, "");
    set_method_and_body(handle);
    set_option(easy, CURLOPT_HTTPHEADER, list_of_lines(handle));
    set_option(easy, CURLOPT_TIMEOUT_MS, to_long(transfer->wire.timeout_ms)); /* 0 = none, for curl too */
    set_option(easy, CURLOPT_OPENSOCKETDATA, handle->multi);
    set_option(easy, CURLOPT_CLOSESOCKETDATA, handle->multi);
    handle->multi->handle_count++;
    ensure(curl_multi_add_handle(handle->multi->multi, easy) == CURLM_OK);
}

/* The handle becomes idle, pointing to nothing of this transfer. */
void transfer_curl_take(struct transfer *transfer)
{
    struct transfer_handle *handle = transfer->handle;
    struct transfer_curl *curl = handle->multi->curl;
    CURL *easy = handle->easy;
    ensure(curl_multi_remove_handle(handle->multi->multi, easy) == CURLM_OK);
    handle->multi->handle_count--;
    set_option(easy, CURLOPT_HTTPHEADER, NULL);
    set_option(easy, CURLOPT_POSTFIELDS, NULL);
    set_option(easy, CURLOPT_OPENSOCKETDATA, NULL);
    set_option(easy, CURLOPT_CLOSESOCKETDATA, NULL);
    handle->multi = NULL;
    handle->transfer = NULL;
    handle->has_begun = false;
    handle->error[0] = '\0';
    transfer->handle = NULL;
    if (curl->idle_handles.length < curl->max_idle)
        list_append(&curl->idle_handles, &handle->link);
    else
        handle_free(handle);
    free_spare_multis(curl);
}

/* UNREACHABLE is a promise that lets a create be tried again; where there is any doubt, it is LOST. */
static enum transfer_result result_of(const struct transfer_handle *handle, CURLcode code)
{
    /* Curl takes a connection closed within the headers for an answer without a body. */
    if (code == CURLE_OK)
        return handle->transfer->headers.complete ? TRANSFER_ANSWERED : TRANSFER_LOST;
    /* A first attempt may have died on a kept connection, and a second one been refused. */
    if (sent_bytes(handle) > 0)
        return TRANSFER_LOST;
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_OPERATION_TIMEDOUT:
        return TRANSFER_UNREACHABLE;
    default:
        return TRANSFER_LOST;
    }
}

static void describe(const struct transfer_handle *handle, CURLcode code, char detail[TRANSFER_DETAIL_BYTES])
{
    const struct transfer *transfer = handle->transfer;
    char text[TRANSFER_DETAIL_BYTES];
    if (transfer->answer.overflowed)
        snprintf(text, sizeof(text), "The answer is longer than %zu bytes", transfer->answer.maximum);
    else if (code == CURLE_OK)
        snprintf(text, sizeof(text), "The connection was closed within the answer's headers");
    else if (code == CURLE_ABORTED_BY_CALLBACK)
        snprintf(text, sizeof(text), "The connection was closed before an answer came");
    else
        snprintf(text, sizeof(text), "%s", handle->error[0] ? handle->error : curl_easy_strerror(code));
    /* Curl may quote what the other side sent. */
    error_quote(detail, TRANSFER_DETAIL_BYTES, text, strlen(text), transfer->wire.token);
}

static void end(struct transfer_handle *handle, CURLcode code)
{
    struct transfer *transfer = handle->transfer;
    struct transfer_end end = {.result = result_of(handle, code)};
    if (end.result == TRANSFER_ANSWERED) {
        long status = 0;
        ensure(curl_easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
        end.status = (int)status;
    } else {
        describe(handle, code, end.detail);
    }
    transfer_curl_take(transfer);
    transfer_ended(transfer, &end);
}

/* A `done` may cancel others that are complete too: curl then takes their messages back. */
static void end_complete(struct transfer_multi *multi)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *handle = NULL;
        CURLcode code = message->data.result;
        ensure(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &handle) == CURLE_OK);
        if (handle) /* else it is one of transfer_prune.c */
            end((struct transfer_handle *)(void *)handle, code);
    }
}

/* The users hear what came, and what ended, when curl has returned. The multi may be gone after this. */
static void drive(struct transfer_multi *multi, curl_socket_t fd, int events)
{
    int running;
    struct transfer_curl *curl = multi->curl;
    curl->driven = multi;
    ensure(curl_multi_socket_action(multi->multi, fd, events, &running) == CURLM_OK);
    transfer_stream_deliver(curl->transfers);
    end_complete(multi);
    curl->driven = NULL;
    free_spare_multis(curl);
}

void transfer_curl_unpause(struct transfer *transfer)
{
    struct transfer_handle *handle = transfer->handle;
    CURLcode code = curl_easy_pause(handle->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK)
        end(handle, code);
}

/* ---- one worker's share of curl ---- */

struct transfer_curl *transfer_curl_new(struct transfers *transfers, const struct transfers_options *options)
{
    struct transfer_curl *curl = xcalloc(1, sizeof(*curl));
    curl->transfers = transfers;
    curl->max_idle = options->max_active;
    curl->ca_file = xstrdup(options->ca_file);
    curl->proxy = xstrdup(options->proxy);
    curl->connect_timeout_ms = options->connect_timeout_ms;
    list_init(&curl->stream_multis);
    list_init(&curl->idle_handles);
    /* The default, four times the handles in use, would close the kept connections in every lull. */
    multi_init(&curl->calls, curl, options->max_active);
    return curl;
}

void transfer_curl_free(struct transfer_curl *curl)
{
    struct list_link *link;
    while ((link = list_shift(&curl->idle_handles)))
        handle_free(list_entry(link, struct transfer_handle, link));
    multi_dispose(&curl->calls);
    while ((link = list_shift(&curl->stream_multis))) {
        struct transfer_multi *multi = list_entry(link, struct transfer_multi, link);
        multi_dispose(multi);
        free(multi);
    }
    free(curl->ca_file);
    free(curl->proxy);
    free(curl);
}
