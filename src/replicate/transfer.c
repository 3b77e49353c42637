/* HTTP exchanges with Replicate by libcurl: the queue, the reused handles, what is asked of curl, and what its result
 * means. The only file that knows curl.
 *
 * No user's callback ever runs while curl is on the stack: completions are collected after curl_multi_socket_action
 * has returned, so a `done` may start and cancel transfers, which calls curl again. */
#include "replicate/transfer.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/error.h"
#include "base/list.h"
#include "base/version.h"
#include "transfer_int.h"

enum {
    DEFAULT_MAX_ACTIVE = 256,
    MAX_IDLE_CONNECTION_S = 118,
    DNS_CACHE_S = 60,
    UNCHECKED_CONNECTION_MS = 1500,
    DETAIL_BYTES = CURL_ERROR_SIZE + 64,
};

struct transfers {
    struct loop *loop;
    CURLM *multi;
    struct transfer_sockets sockets;
    struct loop_timer timer; /* curl's one timer */

    struct list queued, active; /* both in the order of their starts */
    size_t max_active;
    CURL **idle; /* at most max_active, options that never change already set */
    size_t idle_count;

    char *ca_file, *proxy;
    int64_t connect_timeout_ms;
};

struct transfer {
    struct list_link link; /* in queued or active; in none while `done` runs */
    struct transfers *transfers;
    CURL *easy; /* NULL while queued */
    transfer_done_fn on_done;
    void *arg;

    struct transfer_wire wire;
    size_t body_given;               /* to curl, by on_body_wanted */
    struct curl_slist *header_lines; /* while curl has them */

    struct transfer_headers headers;
    struct buf answer;
    char curl_error[CURL_ERROR_SIZE];
};

/* ---- curl's callbacks: they only note things ---- */

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    return transfer_headers_line(&transfer->headers, line, size * count) ? size * count : 0;
}

/* Taking fewer bytes than offered ends the transfer; describe() then sees why. */
static size_t on_answer_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    return buf_append(&transfer->answer, bytes, size * count) ? size * count : 0;
}

/* Gives out every byte of the body once. Curl repeats a request by itself when a kept connection dies under it, but
 * cannot rewind this source, so it gives up instead once a byte of the body is out. */
static size_t on_body_wanted(char *room, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t left = transfer->wire.body_length - transfer->body_given;
    size_t length = left < size * count ? left : size * count;
    if (length > 0)
        memcpy(room, transfer->wire.body + transfer->body_given, length);
    transfer->body_given += length;
    return length;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    (void)easy;
    (void)unused;
    struct transfers *transfers = arg;
    unsigned events = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= EPOLLOUT;
    transfer_sockets_want(&transfers->sockets, fd, events);
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    struct transfers *transfers = arg;
    if (timeout_ms < 0)
        loop_timer_clear(transfers->loop, &transfers->timer);
    else
        loop_timer_set(transfers->loop, &transfers->timer, clock_now_ms() + timeout_ms);
    return 0;
}

/* Together with on_close_socket this tells the whole life of a connection's descriptor: see transfer_sockets.c. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct transfers *transfers = arg;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    transfer_sockets_opened(&transfers->sockets, fd);
    return fd;
}

static int on_close_socket(void *arg, curl_socket_t fd)
{
    struct transfers *transfers = arg;
    transfer_sockets_closing(&transfers->sockets, fd);
    return close(fd);
}

/* ---- handles ---- */

/* The bundle is named to curl wherever it can be found: with its own defaults curl reads the bundle anew for every
 * connection. NULL where no usual place has it: then curl's default must do. */
static const char *system_ca_file(void)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
        "/etc/ssl/cert.pem",                  /* Alpine without its bundle package */
        "/etc/ssl/ca-bundle.pem",             /* openSUSE */
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (access(places[i], R_OK) == 0)
            return places[i];
    }
    return NULL;
}

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

static CURL *handle_new(struct transfers *transfers)
{
    CURL *easy = curl_easy_init();
    ensure(easy);
    set_protocols(easy);
    /* Version 7.88 fails a request per GOAWAY over HTTP/2. */
    set_option(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set_option(easy, CURLOPT_NOSIGNAL, 1L);
    set_option(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set_option(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set_option(easy, CURLOPT_USERAGENT, "replibridge/" REPLIBRIDGE_VERSION);
    /* "" also overrules the proxies of the environment. */
    set_option(easy, CURLOPT_PROXY, transfers->proxy ? transfers->proxy : "");
    if (transfers->ca_file) {
        set_option(easy, CURLOPT_CAINFO, transfers->ca_file);
        /* With a directory of certificates as well, curl keeps no store in memory: 16 ms a connection, not 0.5. */
        set_option(easy, CURLOPT_CAPATH, NULL);
    }
    set_option(easy, CURLOPT_MAXAGE_CONN, (long)MAX_IDLE_CONNECTION_S);
    set_option(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)DNS_CACHE_S);
    if (transfers->connect_timeout_ms > 0)
        set_option(easy, CURLOPT_CONNECTTIMEOUT_MS, to_long(transfers->connect_timeout_ms));
    set_option(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    set_option(easy, CURLOPT_OPENSOCKETDATA, transfers);
    set_option(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    set_option(easy, CURLOPT_CLOSESOCKETDATA, transfers);
    set_option(easy, CURLOPT_HEADERFUNCTION, on_header);
    set_option(easy, CURLOPT_WRITEFUNCTION, on_answer_bytes);
    return easy;
}

/* On a new connection curl repeats nothing. A body that goes out once may also use a kept one, since it cannot be read
 * twice; but newer versions of curl take a connection that was used within the last second to be alive without a look,
 * so it must not get the chance to pick one that we saw die. */
static bool needs_new_connection(const struct transfer *transfer)
{
    if (!transfer->wire.never_repeat)
        return false;
    return transfer->wire.body_length == 0 ||
           transfer_sockets_saw_death(&transfer->transfers->sockets, UNCHECKED_CONNECTION_MS);
}

/* Exactly one of three ways, each undoing what the handle's last transfer has left. */
static void set_method_and_body(const struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    bool once = transfer->wire.never_repeat && transfer->wire.body_length > 0;
    set_option(easy, CURLOPT_FRESH_CONNECT, needs_new_connection(transfer) ? 1L : 0L);
    if (!transfer->wire.is_post) {
        set_option(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    set_option(easy, CURLOPT_POST, 1L);
    set_option(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->wire.body_length);
    set_option(easy, CURLOPT_READFUNCTION, once ? on_body_wanted : NULL);
    set_option(easy, CURLOPT_READDATA, once ? (void *)transfer : NULL);
    set_option(easy, CURLOPT_POSTFIELDS, once ? NULL : transfer->wire.body ? transfer->wire.body : "");
}

static struct curl_slist *list_of_lines(const struct transfer_wire *wire)
{
    struct curl_slist *lines = NULL;
    for (size_t i = 0; i < wire->line_count; i++) {
        lines = curl_slist_append(lines, wire->lines[i]);
        ensure(lines);
    }
    return lines;
}

/* Does not yet move a byte: curl sets its timer, and the loop drives it. So `done` never runs inside a start. */
static void give_to_curl(struct transfer *transfer)
{
    struct transfers *transfers = transfer->transfers;
    CURL *easy = transfers->idle_count > 0 ? transfers->idle[--transfers->idle_count] : handle_new(transfers);
    transfer->easy = easy;
    /* Curl refuses absurd URLs here (8 MB); the empty one ends the transfer in the usual way. */
    if (curl_easy_setopt(easy, CURLOPT_URL, transfer->wire.url) != CURLE_OK)
        set_option(easy, CURLOPT_URL, "");
    set_method_and_body(transfer);
    transfer->header_lines = list_of_lines(&transfer->wire);
    set_option(easy, CURLOPT_HTTPHEADER, transfer->header_lines);
    set_option(easy, CURLOPT_TIMEOUT_MS, transfer->wire.timeout_ms > 0 ? to_long(transfer->wire.timeout_ms) : 1L);
    set_option(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
    set_option(easy, CURLOPT_HEADERDATA, transfer);
    set_option(easy, CURLOPT_WRITEDATA, transfer);
    set_option(easy, CURLOPT_PRIVATE, transfer);
    list_append(&transfers->active, &transfer->link);
    ensure(curl_multi_add_handle(transfers->multi, easy) == CURLM_OK);
}

static void give_queued_to_curl(struct transfers *transfers)
{
    while (transfers->active.length < transfers->max_active && !list_is_empty(&transfers->queued))
        give_to_curl(list_entry(list_shift(&transfers->queued), struct transfer, link));
}

/* The handle goes back to the idle ones, pointing to nothing of this transfer. */
static void take_from_curl(struct transfer *transfer)
{
    struct transfers *transfers = transfer->transfers;
    CURL *easy = transfer->easy;
    ensure(curl_multi_remove_handle(transfers->multi, easy) == CURLM_OK);
    set_option(easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(transfer->header_lines);
    set_option(easy, CURLOPT_POSTFIELDS, NULL);
    set_option(easy, CURLOPT_READDATA, NULL);
    set_option(easy, CURLOPT_ERRORBUFFER, NULL);
    set_option(easy, CURLOPT_PRIVATE, NULL);
    list_remove(&transfer->link);
    transfer->easy = NULL;
    transfers->idle[transfers->idle_count++] = easy;
}

static void transfer_free(struct transfer *transfer)
{
    buf_dispose(&transfer->answer);
    transfer_wire_dispose(&transfer->wire);
    free(transfer);
}

/* ---- the end of a transfer ---- */

/* UNREACHABLE is a promise that lets a create be tried again; where there is any doubt, it is LOST. */
static enum transfer_result result_of(const struct transfer *transfer, CURLcode code)
{
    /* Curl takes a connection closed within the headers for an answer without a body. */
    if (code == CURLE_OK)
        return transfer->headers.complete ? TRANSFER_ANSWERED : TRANSFER_LOST;
    /* Counts all attempts: a first one may have died on a kept connection, and a second one been refused. */
    long request_bytes = 0;
    if (curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &request_bytes) != CURLE_OK || request_bytes > 0)
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

static void describe(const struct transfer *transfer, CURLcode code, char detail[DETAIL_BYTES])
{
    char text[DETAIL_BYTES];
    if (transfer->answer.overflowed)
        snprintf(text, sizeof(text), "The answer is longer than %zu bytes", transfer->answer.maximum);
    else if (code == CURLE_OK)
        snprintf(text, sizeof(text), "The connection was closed within the answer's headers");
    else
        snprintf(text, sizeof(text), "%s", transfer->curl_error[0] ? transfer->curl_error : curl_easy_strerror(code));
    /* Curl may quote what the other side sent. */
    error_quote(detail, DETAIL_BYTES, text, strlen(text), transfer->wire.token);
}

static void finish(struct transfer *transfer, CURLcode code)
{
    struct transfers *transfers = transfer->transfers;
    char detail[DETAIL_BYTES] = "";
    struct transfer_answer answer = {
        .result = result_of(transfer, code),
        .body = "",
        .retry_after_ms = transfer->headers.retry_after_ms,
        .ratelimit_remaining = transfer->headers.ratelimit_remaining,
        .ratelimit_reset_ms = transfer->headers.ratelimit_reset_ms,
        .detail = detail,
    };
    if (answer.result == TRANSFER_ANSWERED) {
        long status = 0;
        ensure(curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
        answer.status = (int)status;
        answer.body = buf_text(&transfer->answer);
        answer.body_length = transfer->answer.length;
    } else {
        describe(transfer, code, detail);
    }
    take_from_curl(transfer);
    /* Those who wait go before those whom `done` starts. */
    give_queued_to_curl(transfers);
    transfer->on_done(transfer->arg, &answer);
    transfer_free(transfer);
}

/* A `done` may cancel others that are complete too: curl then takes their messages back. */
static void finish_complete(struct transfers *transfers)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(transfers->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *transfer = NULL;
        CURLcode code = message->data.result;
        ensure(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK && transfer);
        finish((struct transfer *)(void *)transfer, code);
    }
}

static void drive(struct transfers *transfers, curl_socket_t fd, int events)
{
    int running;
    ensure(curl_multi_socket_action(transfers->multi, fd, events, &running) == CURLM_OK);
    finish_complete(transfers);
}

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

/* ---- what others call ---- */

void transfer_global_init(void)
{
    ensure(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void transfer_global_cleanup(void)
{
    curl_global_cleanup();
}

#define set_multi_option(multi, option, value) ensure(curl_multi_setopt((multi), (option), (value)) == CURLM_OK)

struct transfers *transfers_new(struct loop *loop, const struct transfers_options *options)
{
    struct transfers *transfers = xcalloc(1, sizeof(*transfers));
    transfers->loop = loop;
    transfers->max_active = options->max_active ? options->max_active : DEFAULT_MAX_ACTIVE;
    transfers->idle = xcalloc(transfers->max_active, sizeof(CURL *));
    transfers->ca_file = xstrdup(options->ca_file ? options->ca_file : system_ca_file());
    transfers->proxy = xstrdup(options->proxy);
    transfers->connect_timeout_ms = options->connect_timeout_ms;
    list_init(&transfers->queued);
    list_init(&transfers->active);
    loop_timer_init(&transfers->timer, on_timer_due, transfers);
    transfer_sockets_init(&transfers->sockets, loop, on_socket_ready, transfers);

    CURLM *multi = curl_multi_init();
    ensure(multi);
    transfers->multi = multi;
    set_multi_option(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    set_multi_option(multi, CURLMOPT_SOCKETDATA, transfers);
    set_multi_option(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    set_multi_option(multi, CURLMOPT_TIMERDATA, transfers);
    set_multi_option(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    /* The default, four times the handles in use, would close the kept connections in every lull. */
    set_multi_option(multi, CURLMOPT_MAXCONNECTS, (long)transfers->max_active);
    return transfers;
}

void transfers_free(struct transfers *transfers)
{
    if (!transfers)
        return;
    ensure(transfers_count(transfers) == 0);
    while (transfers->idle_count > 0)
        curl_easy_cleanup(transfers->idle[--transfers->idle_count]);
    /* Closes the kept connections, by our callbacks; so the sockets and the timer go after it. */
    ensure(curl_multi_cleanup(transfers->multi) == CURLM_OK);
    transfer_sockets_dispose(&transfers->sockets);
    loop_timer_clear(transfers->loop, &transfers->timer);
    free(transfers->idle);
    free(transfers->ca_file);
    free(transfers->proxy);
    free(transfers);
}

size_t transfers_count(const struct transfers *transfers)
{
    return transfers->queued.length + transfers->active.length;
}

struct transfer *transfer_start(struct transfers *transfers, const struct transfer_request *request,
                                transfer_done_fn on_done, void *arg)
{
    struct transfer *transfer = xcalloc(1, sizeof(*transfer));
    transfer->transfers = transfers;
    transfer->on_done = on_done;
    transfer->arg = arg;
    transfer_wire_init(&transfer->wire, request);
    transfer_headers_init(&transfer->headers);
    buf_init(&transfer->answer, request->max_answer_bytes);
    list_append(&transfers->queued, &transfer->link);
    give_queued_to_curl(transfers);
    return transfer;
}

void transfer_cancel(struct transfer **transfer_pointer)
{
    struct transfer *transfer = *transfer_pointer;
    *transfer_pointer = NULL;
    /* In no list: its own `done` is running, which frees it. */
    if (!transfer || !transfer->link.list)
        return;
    struct transfers *transfers = transfer->transfers;
    if (transfer->easy)
        take_from_curl(transfer);
    else
        list_remove(&transfer->link);
    transfer_free(transfer);
    give_queued_to_curl(transfers);
}
