/* A request as it goes out: what a caller asked for, copied or taken, its headers as lines for curl. */
#include "transfer_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ensure.h"

/* Line breaks become spaces, so that no value can add a header of its own. */
static void add_line(struct transfer_wire *wire, char *line)
{
    for (char *c = line; *c; c++) {
        if (*c == '\r' || *c == '\n')
            *c = ' ';
    }
    wire->lines[wire->line_count++] = line;
}

static void add_header(struct transfer_wire *wire, const char *name, const char *value)
{
    /* A semicolon is curl's way to write a header with an empty value; with a colon it would be left out. */
    add_line(wire, *value ? xasprintf("%s: %s", name, value) : xasprintf("%s;", name));
}

static void add_lines(struct transfer_wire *wire, const struct transfer_request *request)
{
    bool has_type = false;
    if (request->token)
        add_line(wire, xasprintf("Authorization: Bearer %s", request->token));
    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *header = &request->headers[i];
        has_type = has_type || strcasecmp(header->name, "Content-Type") == 0;
        add_header(wire, header->name, header->value);
    }
    if (request->accept)
        add_header(wire, "Accept", request->accept);
    /* A stream goes on forever from where it is; a copy of it would be of the past. */
    if (request->accept && request->on_data)
        add_header(wire, "Cache-Control", "no-store");
    /* A name and a colon alone: curl leaves out a header that it would add of itself. */
    if (!has_type)
        add_line(wire, xstrdup(wire->body_length > 0 ? "Content-Type: application/json" : "Content-Type:"));
    /* Curl would hold back bodies over 1 MB for a second, waiting for a leave to go on. */
    add_line(wire, xstrdup("Expect:"));
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
    enum { OWN_LINES = 5 }; /* Authorization, Accept, Cache-Control, Content-Type, Expect */
    *wire = (struct transfer_wire){
        .url = xstrdup(request->url),
        .token = xstrdup(request->token),
        .accept = xstrdup(request->accept),
        .lines = xcalloc(request->header_count + OWN_LINES, sizeof(char *)),
        .method = parse_method(request->method),
        .never_repeat = request->never_repeat,
        .is_on_new = request->is_on_new,
        /* Whoever reckons a time that is already over does not mean "no limit". */
        .timeout_ms = request->timeout_ms < 0 ? 1 : request->timeout_ms,
    };
    set_body(wire, request);
    add_lines(wire, request);
}

void transfer_wire_dispose(struct transfer_wire *wire)
{
    for (size_t i = 0; i < wire->line_count; i++)
        free(wire->lines[i]);
    free(wire->lines);
    free(wire->url);
    free(wire->token);
    free(wire->body);
    free(wire->accept);
    *wire = (struct transfer_wire){0};
}
