/* HTTP exchanges with Replicate by libcurl: its multis, the way of a transfer through them, and what its result means.
 * The only file that knows curl, besides transfer_handle.c, which says what is asked of curl for a transfer,
 * transfer_prune.c and transfer_global.c.
 *
 * Streams have multis of their own: with very many handles a multi becomes slow for all. Nothing is told to users in
 * here while curl is on the stack, see drive(). */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/error.h"
#include "transfer_curl_int.h"

enum { STREAMS_PER_MULTI = 500, KEPT_STREAM_CONNECTIONS = 32 };

_Static_assert(TRANSFER_DETAIL_BYTES >= CURL_ERROR_SIZE + 64, "room for curl's words and for what is masked in them");

/* ---- what curl asks for ---- */

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
    struct transfer_handle *handle = idle ? list_entry(idle, struct transfer_handle, link) : transfer_handle_new(curl);
    transfer->handle = handle;
    handle->transfer = transfer;
    handle->multi = transfer->stream.on_data ? multi_for_stream(curl) : &curl->calls;
    transfer_handle_fill(handle);
    handle->multi->handle_count++;
    ensure(curl_multi_add_handle(handle->multi->multi, handle->easy) == CURLM_OK);
}

/* The handle becomes idle, pointing to nothing of this transfer. The one used last is used next: it is in the
 * processor's caches. */
void transfer_curl_take(struct transfer *transfer)
{
    struct transfer_handle *handle = transfer->handle;
    struct transfer_curl *curl = handle->multi->curl;
    ensure(curl_multi_remove_handle(handle->multi->multi, handle->easy) == CURLM_OK);
    handle->multi->handle_count--;
    transfer_handle_clear(handle);
    transfer->handle = NULL;
    if (curl->idle_handles.length < curl->max_idle)
        list_prepend(&curl->idle_handles, &handle->link);
    else
        transfer_handle_free(handle);
    free_spare_multis(curl);
}

/* UNREACHABLE is a promise that lets a create be tried again; where there is any doubt, it is LOST. */
static enum transfer_result result_of(const struct transfer_handle *handle, CURLcode code)
{
    /* Curl takes a connection closed within the headers for an answer without a body. */
    if (code == CURLE_OK)
        return handle->transfer->headers.complete ? TRANSFER_ANSWERED : TRANSFER_LOST;
    /* A first attempt may have died on a kept connection, and a second one been refused. */
    if (transfer_handle_sent_bytes(handle) > 0)
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

/* Curl begins with a timer of no time. */
void transfer_curl_begin(struct transfer_curl *curl)
{
    struct transfer_multi *calls = &curl->calls;
    if (!loop_timer_is_due(curl->transfers->loop, &calls->timer))
        return;
    loop_timer_clear(curl->transfers->loop, &calls->timer);
    drive(calls, CURL_SOCKET_TIMEOUT, 0);
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
    /* The default, four times the handles in use, would close the kept connections in every lull. And with fewer than
     * all kinds together have in use, curl closes one at the end of each transfer, for a new one to be opened. */
    multi_init(&curl->calls, curl, TRANSFER_KIND_COUNT * options->max_active);
    return curl;
}

void transfer_curl_free(struct transfer_curl *curl)
{
    struct list_link *link;
    while ((link = list_shift(&curl->idle_handles)))
        transfer_handle_free(list_entry(link, struct transfer_handle, link));
    multi_dispose(&curl->calls);
    while ((link = list_shift(&curl->stream_multis))) {
        struct transfer_multi *multi = list_entry(link, struct transfer_multi, link);
        multi_dispose(multi);
        free(multi);
    }
    transfer_origins_dispose(&curl->origins);
    free(curl->ca_file);
    free(curl->proxy);
    free(curl);
}
