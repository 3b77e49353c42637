/* The door: requests as libmicrohttpd brings them, in external epoll mode. (Its daemons: http_shards.c.)
 *
 * What libmicrohttpd lets through although it should not is refused here: Transfer-Encoding together with
 * Content-Length, several Content-Lengths, transfer encodings that nobody knows. And time limits that it does not
 * have are kept here, per connection: for the head of a request, and for a kept connection that is idle. */
#include "server/http.h"

#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "http_int.h"
#include "server/exchange.h"
#include "server/worker.h"

/* Older ones have another rule for when a stream is sent in chunks, and reply.c, which frames it, has to know the rule. */
#if MHD_VERSION < 0x00097400
#error "libmicrohttpd 0.9.74 or newer is needed."
#endif

/* Every connection holds one of these, also while it waits, for the head of its request and the head of its answer:
 * libmicrohttpd keeps the lines of the request, and a record for each of its headers, until the answer is out. Where
 * the answer's head does not fit as well the connection is cut, and what was paid for is lost; so room is kept for it,
 * and headers that it could do without are left out where there is not enough (reply_header). */
enum {
    CONNECTION_MEMORY_BYTES = 8 * 1024,
    HEADER_RECORD_BYTES = 64, /* 56, and what rounding up may take */
    ANSWER_HEAD_BYTES = 1024,
    HEAD_MAX_BYTES = CONNECTION_MEMORY_BYTES - ANSWER_HEAD_BYTES,
    OWN_LINES_BYTES = 256, /* of an answer's head, what libmicrohttpd adds to it */
};

/* A client that does not take its answer for this long is given up by libmicrohttpd. */
enum { SILENCE_LIMIT_S = 120 };

/* What we keep per TCP connection. */
struct http_connection {
    struct http_shard *shard;
    int fd;
    struct loop_timer idle;
    struct reply_hangup hangup;
};

static void on_idle(void *arg)
{
    /* libmicrohttpd sees the end of the stream and closes. */
    (void)shutdown(((struct http_connection *)arg)->fd, SHUT_RDWR);
}

static void watch_idleness(struct http_connection *connection, int64_t limit_ms)
{
    loop_timer_set(connection->shard->http->options.loop, &connection->idle, clock_now_ms() + limit_ms);
}

/* A client that vanishes without a word (a power cut, a forgetful NAT) is noticed by the kernel within a minute. */
static void watch_liveness(int fd)
{
    enum { IDLE_S = 30, INTERVAL_S = 10, PROBES = 3, SILENT_MS = 60 * 1000 };
    static const int options[][3] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                                     {IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S},
                                     {IPPROTO_TCP, TCP_KEEPINTVL, INTERVAL_S},
                                     {IPPROTO_TCP, TCP_KEEPCNT, PROBES},
                                     {IPPROTO_TCP, TCP_USER_TIMEOUT, SILENT_MS}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        (void)setsockopt(fd, options[i][0], options[i][1], &options[i][2], sizeof options[i][2]);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_shard *shard = arg;
    struct loop *loop = shard->http->options.loop;
    struct http_connection *connection = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection = xcalloc(1, sizeof *connection);
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        *connection = (struct http_connection){.shard = shard, .fd = info == NULL ? -1 : info->connect_fd};
        watch_liveness(connection->fd);
        loop_timer_init(&connection->idle, on_idle, connection);
        reply_hangup_init(&connection->hangup, loop, shard);
        watch_idleness(connection, shard->http->options.head_timeout_ms);
        http_shard_joined(shard);
        *context = connection;
    } else if (connection != NULL) {
        loop_timer_clear(loop, &connection->idle);
        reply_hangup_dispose(&connection->hangup);
        free(connection);
        *context = NULL;
        http_shard_left(shard);
    }
}

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    ensure(info != NULL && info->socket_context != NULL);
    return info->socket_context;
}

/* A bit for each header that the request has, several names sharing one: libmicrohttpd compares a name with all that
 * came, and most that are asked for did not. */
static uint64_t name_bit(const char *name)
{
    return UINT64_C(1) << ((strlen(name) * 7 + (size_t)tolower((unsigned char)name[0])) % 64);
}

const char *http_header(const struct http_request *request, const char *name)
{
    if ((request->header_bits & name_bit(name)) == 0)
        return NULL;
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct last_header {
    const char *name, *value;
};

static enum MHD_Result take_last(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct last_header *last = arg;
    (void)kind;
    if (strcasecmp(name, last->name) == 0)
        last->value = value;
    return MHD_YES;
}

const char *http_last_header(const struct http_request *request, const char *name)
{
    struct last_header last = {.name = name};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, take_last, &last);
    return last.value;
}

const struct sockaddr *http_peer(const struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info == NULL ? NULL : info->client_addr;
}

/* What the name of a header may be made of (RFC 9110, token). libmicrohttpd takes others too, such as "Content-Length "
 * with a blank, and then does not know the header: two readers of one request would disagree on where it ends. */
static bool is_token_character(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || c == '-' || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+.^_`|~", c) != NULL);
}

static bool is_token(const char *name)
{
    size_t length = 0;
    while (is_token_character(name[length]))
        length++;
    return length > 0 && name[length] == '\0';
}

/* How the body is framed, as the headers say. */
struct framing {
    bool has_odd_name;
    size_t head_bytes; /* of memory */
    int length_headers, encoding_headers;
    uint64_t header_bits;
    const char *length, *encoding, *expect;
};

/* Of a header folded over two lines libmicrohttpd 0.9.75 appends the second line to the name: "Content-Length5". */
static bool is_longer_than(const char *name, const char *known)
{
    size_t length = strlen(known);
    return strncasecmp(name, known, length) == 0 && name[length] != '\0';
}

/* Sets them apart from nearly all others before anything is compared. */
static bool begins_like_framing(const char *name)
{
    char lower = (char)(name[0] | 0x20);
    return lower == 'c' || lower == 't' || lower == 'e';
}

static enum MHD_Result on_framing_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *framing = arg;
    /* Cookies and the arguments of the path have records too, and of cookies there is a second copy. */
    framing->head_bytes += strlen(name) + (value == NULL ? 0 : strlen(value)) + 4; /* ": " and the line's end */
    framing->head_bytes += HEADER_RECORD_BYTES;
    if (kind != MHD_HEADER_KIND)
        return MHD_YES;
    framing->has_odd_name = framing->has_odd_name || !is_token(name);
    framing->header_bits |= name_bit(name);
    if (!begins_like_framing(name))
        return MHD_YES;
    if (is_longer_than(name, "Content-Length") || is_longer_than(name, "Transfer-Encoding"))
        framing->has_odd_name = true;
    if (strcasecmp(name, "Content-Length") == 0) {
        framing->length_headers++;
        framing->length = value;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        framing->encoding_headers++;
        framing->encoding = value == NULL ? "" : value;
    } else if (strcasecmp(name, "Expect") == 0) {
        framing->expect = value;
    }
    return MHD_YES;
}

static bool parse_length(const char *text, int64_t *length)
{
    if (text == NULL || *text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *length = number;
    return errno == 0 && *end == '\0';
}

/* Request smuggling begins where two readers disagree on a body's length: anything doubtful is refused. */
static bool check_framing(struct http_request *request, struct error *err)
{
    struct framing framing = {.head_bytes = strlen(request->path)};
    enum MHD_ValueKind kinds = MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND;
    MHD_get_connection_values(request->connection, kinds, on_framing_header, &framing);
    request->header_bits = framing.header_bits;
    request->content_length = -1;
    request->has_body = framing.length != NULL || framing.encoding != NULL;
    request->expects_continue = framing.expect != NULL && strncasecmp(framing.expect, "100-continue", 12) == 0;
    request->is_oversized = framing.head_bytes > HEAD_MAX_BYTES;
    if (request->is_oversized)
        return error_set(err, ERROR_REQUEST_TOO_LARGE, NULL,
                         "The request's headers take more than the %d bytes that this server has for them, with %d "
                         "more for each of them. Send fewer or shorter headers.",
                         HEAD_MAX_BYTES, HEADER_RECORD_BYTES);
    request->reply.head_room = CONNECTION_MEMORY_BYTES - OWN_LINES_BYTES - framing.head_bytes;
    if (framing.has_odd_name)
        return error_set(
            err, ERROR_BAD_REQUEST, NULL,
            "A header of the request has a name that is not allowed, such as one with a blank. Correct it.");
    if (framing.length_headers > 1)
        return error_set(err, ERROR_BAD_REQUEST, NULL,
                         "The request has more than one Content-Length header. Send one.");
    if (framing.encoding != NULL && framing.length_headers > 0)
        return error_set(err, ERROR_BAD_REQUEST, NULL,
                         "The request has both Transfer-Encoding and Content-Length. Send one of them.");
    if (framing.encoding_headers > 1 || (framing.encoding != NULL && strcasecmp(framing.encoding, "chunked") != 0))
        return error_set(err, ERROR_BAD_REQUEST, NULL,
                         "This Transfer-Encoding is not supported. Send the body plain or chunked.");
    if (framing.length != NULL && !parse_length(framing.length, &request->content_length))
        return error_set(err, ERROR_BAD_REQUEST, NULL, "The Content-Length header is not a number of bytes.");
    return true;
}

static struct http_request *open_request(struct http *http, struct MHD_Connection *mhd, const char *method,
                                         const char *path)
{
    struct http_connection *connection = connection_of(mhd);
    clock_step(); /* libmicrohttpd may have served many others since its turn began; so too below */
    loop_timer_clear(http->options.loop, &connection->idle);
    struct http_request *request = xcalloc(1, sizeof *request);
    request->connection = mhd;
    request->method = method;
    request->path = xstrdup(path);
    reply_init(&request->reply, &http->replies, mhd, &connection->hangup);
    buf_init(&request->body, 0);
    struct error err;
    bool is_framed = check_framing(request, &err);
    request->is_misframed = !is_framed;
    request->exchange = exchange_open(http->options.worker, request, is_framed ? NULL : &err);
    return request;
}

/* An answer that is ready before the body has come in. A client that holds its body back gets it at once. Any other is
 * about to send it, and closing a socket with unread bytes in it can destroy the answer on its way: so the body is read
 * and forgotten. A large one takes long, so its client is answered meanwhile, past libmicrohttpd. (Without a body
 * libmicrohttpd calls again at once; answering in its first call would make it close a connection that could be kept.)
 */
static enum MHD_Result answer_early(struct http_request *request)
{
    enum { LARGE_BYTES = 1024 * 1024 };
    struct reply *reply = &request->reply;
    if (request->is_oversized) { /* there may be no room in libmicrohttpd for the head of the answer */
        reply_send_raw(reply, reply->status, &reply->body);
        return MHD_NO;
    }
    if (request->is_misframed || (request->has_body && request->expects_continue))
        return reply_hand_over(reply) ? MHD_YES : MHD_NO;
    if (request->content_length > LARGE_BYTES) {
        reply_send_raw(reply, reply->status, &reply->body);
        reply->is_sent = true;
    }
    return MHD_YES;
}

static void on_gone(void *arg)
{
    exchange_client_gone(arg);
}

static enum MHD_Result wait_or_answer(struct http_request *request)
{
    if (request->reply.was_sent_raw) /* the body has been read and forgotten; now the connection can go */
        return MHD_NO;
    if (request->reply.is_ready)
        return reply_hand_over(&request->reply) ? MHD_YES : MHD_NO;
    reply_wait(&request->reply, on_gone, request->exchange);
    return MHD_YES;
}

/* libmicrohttpd calls this first with the head of a request, then with each piece of its body, then at the end of the
 * body, and again after every resume. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **context)
{
    struct http_request *request = *context;
    if (request == NULL) {
        request = *context = open_request(arg, mhd, method, path);
        request->reply.is_chunked = strcmp(version, MHD_HTTP_VERSION_1_0) != 0; /* libmicrohttpd's own rule */
        return request->reply.is_ready ? answer_early(request) : MHD_YES;
    }
    if (*upload_size > 0) {
        exchange_body(request->exchange, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    clock_step();
    if (!request->reply.is_ready)
        exchange_body_done(request->exchange);
    return wait_or_answer(request);
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code)
{
    (void)arg;
    struct http_request *request = *context;
    if (request == NULL)
        return;
    *context = NULL;
    clock_step();
    exchange_closed(request->exchange, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    reply_dispose(&request->reply);
    buf_dispose(&request->body);
    free(request->path);
    free(request);
    struct http_connection *connection = connection_of(mhd);
    watch_idleness(connection, connection->shard->http->options.idle_timeout_ms);
}

/* Paths are decoded once, by whoever knows what they mean: model ids hold slashes. */
static size_t leave_escaped(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg;
    (void)mhd;
    return strlen(text);
}

struct MHD_Daemon *http_start_daemon(struct http_shard *shard)
{
    /* The worker's limit is kept where connections are accepted; the library's default would be that of select. */
    const unsigned limit = HTTP_SHARD_CONNECTIONS + HTTP_ACCEPTS_A_TURN;
    return MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                            on_request, shard->http, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_LIMIT, limit,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_LIMIT_S, MHD_OPTION_UNESCAPE_CALLBACK,
                            leave_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, shard, MHD_OPTION_END);
}

struct http *http_new(const struct http_options *options, struct error *err)
{
    struct http *http = xcalloc(1, sizeof *http);
    http->options = *options;
    reply_queue_init(&http->replies, options->loop);
    if (http_shards_open(http))
        return http;
    error_set(err, ERROR_INTERNAL, NULL, "libmicrohttpd did not start: %s.", strerror(errno));
    http_free(http);
    return NULL;
}

void http_free(struct http *http)
{
    reply_queue_close(&http->replies);
    http_shards_close(http);
    free(http);
}

const char *http_library_version(void)
{
    return MHD_get_version();
}

struct reply_queue *http_replies(struct http *http)
{
    return &http->replies;
}

int64_t http_wait_ms(const struct http *http)
{
    return list_is_empty(&http->busy) && list_is_empty(&http->replies.ready) ? -1 : 0;
}

void http_turn(struct http *http)
{
    reply_queue_flush(&http->replies);
    http_shards_run(http);
}
