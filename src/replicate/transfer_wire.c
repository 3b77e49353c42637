/* A request as it goes out: what a caller asked for, copied or taken, its headers as lines for curl. */
#include "transfer_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ensure.h"

static const char BEARER[] = "Authorization: Bearer ";
/* Given to curl as its User-Agent, it would be printed twice for each request, and that by the character. */
static const char USER_AGENT[] = "User-Agent: " TRANSFER_USER_AGENT;
static const char JSON_TYPE[] = "Content-Type: application/json";
/* A name and a colon alone: curl leaves out a header that it would add of itself. It would hold back bodies over 1 MB
 * for a second, waiting for a leave to go on. */
static const char NO_TYPE[] = "Content-Type:", NO_EXPECT[] = "Expect:";
/* A stream goes on forever from where it is; a copy of it would be of the past. */
static const char NO_STORE[] = "Cache-Control: no-store";
static const char ACCEPT[] = "Accept";

static size_t size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* More than all texts of the request take, and at least their exact sum: everything is in one block of memory. */
static size_t text_bytes(const struct transfer_request *request)
{
    size_t bytes = size_of(request->url) + 2 * size_of(request->token) + 2 * size_of(request->accept);
    for (size_t i = 0; i < request->header_count; i++)
        bytes += strlen(request->headers[i].name) + strlen(request->headers[i].value) + sizeof(": ");
    return bytes + sizeof(USER_AGENT) + sizeof(BEARER) + sizeof(ACCEPT) + sizeof(": ") + sizeof(JSON_TYPE) +
           sizeof(NO_EXPECT) + sizeof(NO_STORE);
}

static void put(struct transfer_wire *wire, const char *bytes, size_t length)
{
    memcpy(wire->text + wire->used, bytes, length);
    wire->used += length;
}

static const char *put_text(struct transfer_wire *wire, const char *text)
{
    const char *start = wire->text + wire->used;
    put(wire, text ? text : "", size_of(text));
    return text ? start : NULL;
}

/* A line that is known to be one. */
static void put_line(struct transfer_wire *wire, const char *line, size_t size)
{
    put(wire, line, size);
    wire->line_count++;
}

/* A line of two parts. Line breaks become spaces, so that no value can add a header of its own. */
static void add_line(struct transfer_wire *wire, const char *first, const char *separator, const char *second)
{
    char *line = wire->text + wire->used;
    put(wire, first, strlen(first));
    put(wire, separator, strlen(separator));
    put(wire, second, strlen(second) + 1);
    for (size_t at = strcspn(line, "\r\n"); line[at]; at += strcspn(line + at, "\r\n"))
        line[at] = ' ';
    wire->line_count++;
}

static void add_header(struct transfer_wire *wire, const char *name, const char *value)
{
    /* A semicolon is curl's way to write a header with an empty value; with a colon it would be left out. */
    add_line(wire, name, *value ? ": " : ";", value);
}

static bool has_header(const struct transfer_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, name) == 0)
            return true;
    }
    return false;
}

static void add_body_lines(struct transfer_wire *wire, const struct transfer_request *request)
{
    bool has_type = has_header(request, "Content-Type");
    if (!has_type && wire->body_length > 0)
        put_line(wire, JSON_TYPE, sizeof(JSON_TYPE));
    else if (!has_type)
        put_line(wire, NO_TYPE, sizeof(NO_TYPE));
    put_line(wire, NO_EXPECT, sizeof(NO_EXPECT));
}

/* Curl goes through all of them several times for each request: none is there that says nothing. */
static void add_lines(struct transfer_wire *wire, const struct transfer_request *request)
{
    wire->lines = wire->text + wire->used;
    if (!has_header(request, "User-Agent"))
        put_line(wire, USER_AGENT, sizeof(USER_AGENT));
    if (request->token)
        add_line(wire, BEARER, "", request->token);
    for (size_t i = 0; i < request->header_count; i++)
        add_header(wire, request->headers[i].name, request->headers[i].value);
    if (request->accept)
        add_header(wire, ACCEPT, request->accept);
    if (request->accept && request->on_data)
        put_line(wire, NO_STORE, sizeof(NO_STORE));
    if (wire->method == TRANSFER_POST)
        add_body_lines(wire, request);
}

static enum transfer_method parse_method(const char *method)
{
    if (strcmp(method, "POST") == 0)
        return TRANSFER_POST;
    if (strcmp(method, "DELETE") == 0)
        return TRANSFER_DELETE;
    ensure(strcmp(method, "GET") == 0);
    return TRANSFER_GET;
}

static void set_body(struct transfer_wire *wire, const struct transfer_request *request)
{
    if (request->body_taken) {
        ensure(!request->body);
        wire->body = buf_take(request->body_taken, &wire->body_length);
    } else if (request->body_length > 0) {
        wire->body = xmalloc(request->body_length);
        memcpy(wire->body, request->body, request->body_length);
        wire->body_length = request->body_length;
    }
    ensure(wire->method == TRANSFER_POST || wire->body_length == 0);
}

void transfer_wire_init(struct transfer_wire *wire, const struct transfer_request *request)
{
    size_t room = text_bytes(request);
    *wire = (struct transfer_wire){
        .text = xmalloc(room),
        .method = parse_method(request->method),
        .never_repeat = request->never_repeat,
        .is_on_new = request->is_on_new,
        /* Whoever reckons a time that is already over does not mean "no limit". */
        .timeout_ms = request->timeout_ms < 0 ? 1 : request->timeout_ms,
    };
    wire->url = put_text(wire, request->url);
    wire->token = put_text(wire, request->token);
    wire->accept = put_text(wire, request->accept);
    set_body(wire, request);
    add_lines(wire, request);
    ensure(wire->used <= room);
}

void transfer_wire_dispose(struct transfer_wire *wire)
{
    free(wire->text);
    free(wire->body);
    *wire = (struct transfer_wire){0};
}
