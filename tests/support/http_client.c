/* A small HTTP/1.1 client over raw sockets, for tests: connections, requests, and answers in all three framings. */
#include "http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "http_client_int.h"

enum { MAX_ANSWER_BYTES = 256 << 20, MAX_REQUEST_BYTES = 256 << 20 };

struct http_connection {
    int fd;
    struct buf in;      /* received, not yet read as an answer */
    size_t chunk_left;  /* of the chunk being read */
    bool inside_chunk;  /* its size line was read, the CRLF at its end was not */
    bool no_body_next;  /* the next answer is to a HEAD request */
    int64_t sent_at_ms; /* when the last request was sent */
};

int64_t http_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* ---- connections ---- */

struct http_connection *http_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return NULL;
    }
    struct http_connection *connection = xcalloc(1, sizeof *connection);
    connection->fd = fd;
    connection->sent_at_ms = http_now_ms();
    buf_init(&connection->in, MAX_ANSWER_BYTES);
    return connection;
}

int http_descriptor(const struct http_connection *connection)
{
    return connection->fd;
}

void http_close(struct http_connection **connection)
{
    if (*connection == NULL)
        return;
    close((*connection)->fd);
    buf_dispose(&(*connection)->in);
    free(*connection);
    *connection = NULL;
}

void http_reset(struct http_connection **connection)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (*connection != NULL)
        setsockopt((*connection)->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    http_close(connection);
}

bool http_half_close(struct http_connection *connection)
{
    return shutdown(connection->fd, SHUT_WR) == 0;
}

/* ---- sending ---- */

bool http_send(struct http_connection *connection, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(connection->fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    connection->sent_at_ms = http_now_ms();
    return true;
}

bool http_send_text(struct http_connection *connection, const char *text)
{
    return http_send(connection, text, strlen(text));
}

bool http_send_slowly(struct http_connection *connection, const void *bytes, size_t length, size_t piece_bytes,
                      int pause_ms)
{
    const char *at = bytes;
    while (length > 0) {
        size_t piece = length < piece_bytes ? length : piece_bytes;
        if (!http_send(connection, at, piece))
            return false;
        at += piece;
        length -= piece;
        struct pollfd answer = {.fd = connection->fd, .events = POLLIN};
        if (poll(&answer, 1, pause_ms) > 0)
            return true;
    }
    return true;
}

bool http_send_request(struct http_connection *connection, const struct http_request *request)
{
    size_t length = request->body_length;
    if (length == 0 && request->body != NULL)
        length = strlen(request->body);
    const char *method = request->method;
    if (method == NULL)
        method = request->body != NULL ? "POST" : "GET";
    const char *headers = request->headers != NULL ? request->headers : "";

    struct buf out;
    buf_init(&out, MAX_REQUEST_BYTES);
    buf_printf(&out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", method, request->path, headers);
    if (request->body != NULL && strcasestr(headers, "content-type:") == NULL)
        buf_append_text(&out, "Content-Type: application/json\r\n");
    if (request->body != NULL)
        buf_printf(&out, "Content-Length: %zu\r\n", length);
    buf_append_text(&out, "\r\n");
    if (request->body != NULL)
        buf_append(&out, request->body, length);
    connection->no_body_next = strcmp(method, "HEAD") == 0;
    bool sent = !out.overflowed && http_send(connection, out.data, out.length);
    buf_dispose(&out);
    return sent;
}

void http_expect_no_body(struct http_connection *connection)
{
    connection->no_body_next = true;
}

/* ---- receiving ---- */

static int left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - http_now_ms();
    return left > 0 ? (int)left : 0;
}

static enum http_progress receive(struct http_connection *connection, int64_t deadline_ms)
{
    struct pollfd readable = {.fd = connection->fd, .events = POLLIN};
    char piece[65536];
    int ready = poll(&readable, 1, left_ms(deadline_ms));
    if (ready <= 0)
        return HTTP_LATE;
    ssize_t got = recv(connection->fd, piece, sizeof piece, 0);
    if (got <= 0 || !buf_append(&connection->in, piece, (size_t)got))
        return HTTP_CLOSED;
    return HTTP_MORE;
}

static void drop(struct buf *in, size_t length)
{
    memmove(in->data, in->data + length, in->length - length + 1);
    in->length -= length;
}

static void add_to_body(struct http_response *response, const char *bytes, size_t length)
{
    response->body = xrealloc(response->body, response->body_length + length + 1);
    if (length > 0)
        memcpy(response->body + response->body_length, bytes, length);
    response->body_length += length;
    response->body[response->body_length] = '\0';
}

bool http_answer_header(const struct http_response *response, const char *name, char *value, size_t size)
{
    value[0] = '\0';
    size_t name_length = strlen(name);
    const char *line = response->head == NULL ? NULL : strstr(response->head, "\r\n");
    for (; line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_length) != 0 || line[name_length] != ':')
            continue;
        line += name_length + 1;
        line += strspn(line, " \t");
        snprintf(value, size, "%.*s", (int)strcspn(line, "\r\n"), line);
        return true;
    }
    return false;
}

static enum http_progress body_ended(struct http_connection *connection, struct http_response *response)
{
    response->complete = true;
    response->complete_ms = http_now_ms() - connection->sent_at_ms;
    return HTTP_END;
}

/* Decides by the head how the body ends. */
static enum http_progress start_body(struct http_connection *connection, struct http_response *response)
{
    char value[64];
    bool no_body = connection->no_body_next || response->status == 204 || response->status == 304;
    connection->no_body_next = false;
    connection->chunk_left = 0;
    connection->inside_chunk = false;
    add_to_body(response, "", 0);
    response->framing = HTTP_BY_CLOSE;
    if (http_answer_header(response, "content-length", value, sizeof value)) {
        response->framing = HTTP_BY_LENGTH;
        response->content_length = (size_t)strtoull(value, NULL, 10);
    }
    if (http_answer_header(response, "transfer-encoding", value, sizeof value) && strcasecmp(value, "chunked") == 0)
        response->framing = HTTP_CHUNKED;
    if (no_body || (response->framing == HTTP_BY_LENGTH && response->content_length == 0))
        return body_ended(connection, response);
    return HTTP_MORE;
}

/* Takes a head out of what was received; HTTP_LATE while it is not all there. */
static enum http_progress take_head(struct http_connection *connection, struct http_response *response)
{
    char *end = connection->in.length == 0 ? NULL : strstr(connection->in.data, "\r\n\r\n");
    if (end == NULL)
        return HTTP_LATE;
    size_t length = (size_t)(end - connection->in.data) + 4;
    int status = 0;
    if (sscanf(connection->in.data, "HTTP/1.%*1d %3d", &status) != 1)
        return HTTP_CLOSED;
    if (status >= 100 && status < 200) {
        drop(&connection->in, length);
        return take_head(connection, response);
    }
    response->status = status;
    response->head = xstrndup(connection->in.data, length - 2);
    response->first_byte_ms = http_now_ms() - connection->sent_at_ms;
    drop(&connection->in, length);
    return start_body(connection, response);
}

enum http_progress http_read_head(struct http_connection *connection, struct http_response *response, int timeout_ms)
{
    http_response_dispose(response);
    int64_t deadline_ms = http_now_ms() + timeout_ms;
    for (;;) {
        enum http_progress head = take_head(connection, response);
        if (head != HTTP_LATE)
            return head;
        enum http_progress more = receive(connection, deadline_ms);
        if (more != HTTP_MORE)
            return more;
    }
}

/* Takes what is there of one chunk's bytes. */
static void take_chunk_bytes(struct http_connection *connection, struct http_response *response)
{
    size_t length = connection->in.length;
    if (length > connection->chunk_left)
        length = connection->chunk_left;
    add_to_body(response, connection->in.data, length);
    drop(&connection->in, length);
    connection->chunk_left -= length;
}

/* Takes the line of a chunk's size, or the empty one at a chunk's end. HTTP_LATE while it is not there. */
static enum http_progress take_chunk_line(struct http_connection *connection, struct http_response *response)
{
    const char *line = connection->in.data;
    const char *end = strstr(line, "\r\n");
    if (end == NULL)
        return HTTP_LATE;
    size_t length = (size_t)(end - line) + 2;
    if (connection->inside_chunk) {
        drop(&connection->in, length);
        connection->inside_chunk = false;
        return length == 2 ? HTTP_MORE : HTTP_CLOSED;
    }
    char *stop;
    size_t size = strtoull(line, &stop, 16);
    if (stop == line || (*stop != '\r' && *stop != ';'))
        return HTTP_CLOSED;
    if (size == 0) {
        const char *trailers_end = strstr(line, "\r\n\r\n");
        if (trailers_end == NULL)
            return HTTP_LATE;
        drop(&connection->in, (size_t)(trailers_end - line) + 4);
        return body_ended(connection, response);
    }
    drop(&connection->in, length);
    connection->chunk_left = size;
    connection->inside_chunk = true;
    return HTTP_MORE;
}

static enum http_progress take_chunks(struct http_connection *connection, struct http_response *response)
{
    enum http_progress progress = HTTP_LATE;
    while (connection->in.length > 0) {
        if (connection->chunk_left > 0) {
            take_chunk_bytes(connection, response);
            progress = HTTP_MORE;
            continue;
        }
        enum http_progress line = take_chunk_line(connection, response);
        if (line == HTTP_LATE)
            return progress;
        if (line != HTTP_MORE)
            return line;
    }
    return progress;
}

static enum http_progress take_bytes(struct http_connection *connection, struct http_response *response)
{
    size_t length = connection->in.length;
    if (length == 0)
        return HTTP_LATE;
    if (response->framing == HTTP_BY_LENGTH && length > response->content_length - response->body_length)
        length = response->content_length - response->body_length;
    add_to_body(response, connection->in.data, length);
    drop(&connection->in, length);
    if (response->framing == HTTP_BY_LENGTH && response->body_length == response->content_length)
        return body_ended(connection, response);
    return HTTP_MORE;
}

enum http_progress http_read_piece(struct http_connection *connection, struct http_response *response, int timeout_ms)
{
    if (response->complete)
        return HTTP_END;
    int64_t deadline_ms = http_now_ms() + timeout_ms;
    for (;;) {
        enum http_progress taken =
            response->framing == HTTP_CHUNKED ? take_chunks(connection, response) : take_bytes(connection, response);
        if (taken != HTTP_LATE)
            return taken;
        enum http_progress more = receive(connection, deadline_ms);
        if (more == HTTP_CLOSED && response->framing == HTTP_BY_CLOSE)
            return body_ended(connection, response);
        if (more != HTTP_MORE)
            return more;
    }
}

bool http_read_until(struct http_connection *connection, struct http_response *response, const char *text,
                     int timeout_ms)
{
    int64_t deadline_ms = http_now_ms() + timeout_ms;
    while (memmem(response->body, response->body_length, text, strlen(text)) == NULL)
        if (http_read_piece(connection, response, left_ms(deadline_ms)) != HTTP_MORE)
            return memmem(response->body, response->body_length, text, strlen(text)) != NULL;
    return true;
}

bool http_read(struct http_connection *connection, struct http_response *response, int timeout_ms)
{
    int64_t deadline_ms = http_now_ms() + timeout_ms;
    enum http_progress progress = http_read_head(connection, response, timeout_ms);
    while (progress == HTTP_MORE)
        progress = http_read_piece(connection, response, left_ms(deadline_ms));
    return progress == HTTP_END;
}

bool http_wait_closed(struct http_connection *connection, int timeout_ms)
{
    return connection->in.length == 0 && receive(connection, http_now_ms() + timeout_ms) == HTTP_CLOSED;
}

bool http_exchange(int port, const struct http_request *request, struct http_response *response, int timeout_ms)
{
    struct http_connection *connection = http_connect(port);
    http_response_dispose(response);
    bool complete = false;
    if (connection != NULL) {
        /* A server may answer and close before it has read the whole request: what it said is still worth reading. */
        http_send_request(connection, request);
        complete = http_read(connection, response, timeout_ms);
    }
    http_close(&connection);
    return complete;
}

void http_response_dispose(struct http_response *response)
{
    free(response->head);
    free(response->body);
    memset(response, 0, sizeof *response);
}
