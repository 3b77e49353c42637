/* Forms (multipart/form-data) as they are sent to the simulated Replicate, read without any leniency: what is lenient
 * here would hide a mistake of whoever wrote the form. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PART_HEADERS_MAX_BYTES = 4096 };

/* The letters of a boundary, by RFC 2046. */
static bool is_boundary(const char *text, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'()+_,-./:=? ";
    if (length == 0 || length > SIM_BOUNDARY_MAX_BYTES || text[length - 1] == ' ')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!text[i] || !strchr(letters, text[i]))
            return false;
    return true;
}

/* "multipart/form-data; boundary=…", in quotation marks or not, and nothing else. */
static bool read_boundary(const struct sim_request *request, struct sim_form *form)
{
    static const char start[] = "multipart/form-data;";
    char type[256];
    if (!sim_request_header(request, "content-type", type, sizeof(type)) ||
        strncasecmp(type, start, sizeof(start) - 1) != 0)
        return false;
    const char *at = type + sizeof(start) - 1;
    at += strspn(at, " ");
    if (strncasecmp(at, "boundary=", 9) != 0)
        return false;
    at += 9;
    size_t length = strlen(at);
    if (length > 2 && at[0] == '"' && at[length - 1] == '"') {
        at++;
        length -= 2;
    } else if (strpbrk(at, "'(),/:=? ")) {
        return false; /* these need quotation marks */
    }
    if (!is_boundary(at, length))
        return false;
    form->delimiter_length = (size_t)snprintf(form->delimiter, sizeof(form->delimiter), "\r\n--%.*s", (int)length, at);
    return true;
}

bool sim_form_open(const struct sim_request *request, struct sim_form *form)
{
    *form = (struct sim_form){.at = request->body, .end = request->body + request->body_length};
    if (!read_boundary(request, form)) {
        form->problem = "The Content-Type is not multipart/form-data with a boundary";
        return false;
    }
    /* The first one begins the body, without a line end before it. */
    size_t length = form->delimiter_length - 2;
    if (request->body_length < length || memcmp(form->at, form->delimiter + 2, length) != 0) {
        form->problem = "The form does not begin with its boundary";
        return false;
    }
    form->at += length;
    return true;
}

static bool fail(struct sim_form *form, const char *problem)
{
    form->problem = problem;
    return false;
}

/* Copies what stands in quotation marks behind `name=`; true and "" where there is no such parameter. */
static bool read_parameter(const char *line, const char *name, char *out, size_t size)
{
    const char *at = strstr(line, name);
    snprintf(out, size, "%s", "");
    if (!at)
        return true;
    at += strlen(name);
    size_t length = strcspn(at, "\"\\");
    if (length == 0 || length >= size || at[length] != '"' || (at[length + 1] && at[length + 1] != ';'))
        return false;
    snprintf(out, size, "%.*s", (int)length, at);
    return true;
}

static bool read_part_header(struct sim_form *form, const char *line, struct sim_part *part)
{
    static const char disposition[] = "Content-Disposition: form-data; ", type[] = "Content-Type: ";
    if (strncasecmp(line, disposition, sizeof(disposition) - 1) == 0) {
        if (!read_parameter(line, "; name=\"", part->name, sizeof(part->name)) ||
            !read_parameter(line, "; filename=\"", part->file_name, sizeof(part->file_name)))
            return fail(form, "The name or filename of a part is not well-formed");
    } else if (strncasecmp(line, type, sizeof(type) - 1) == 0) {
        size_t length = strlen(line + sizeof(type) - 1);
        if (length >= sizeof(part->media_type) || !strchr(line + sizeof(type) - 1, '/'))
            return fail(form, "The Content-Type of a part is not well-formed");
        memcpy(part->media_type, line + sizeof(type) - 1, length + 1);
    }
    return true;
}

/* Line by line, until the empty one. */
static bool read_part_headers(struct sim_form *form, struct sim_part *part)
{
    char line[PART_HEADERS_MAX_BYTES];
    for (;;) {
        size_t left = (size_t)(form->end - form->at);
        const char *line_end = memmem(form->at, left < sizeof(line) ? left : sizeof(line), "\r\n", 2);
        if (!line_end || memchr(form->at, '\0', (size_t)(line_end - form->at)))
            return fail(form, "The headers of a part do not end, or are too long");
        snprintf(line, sizeof(line), "%.*s", (int)(line_end - form->at), form->at);
        form->at = line_end + 2;
        if (!*line)
            return true;
        if (!read_part_header(form, line, part))
            return false;
    }
}

bool sim_form_next(struct sim_form *form, struct sim_part *part)
{
    size_t left = (size_t)(form->end - form->at);
    *part = (struct sim_part){.name = ""};
    if (left >= 2 && memcmp(form->at, "--", 2) == 0)
        return left == 2 || (left == 4 && memcmp(form->at + 2, "\r\n", 2) == 0)
                   ? false
                   : fail(form, "Something follows behind the last boundary");
    if (left < 2 || memcmp(form->at, "\r\n", 2) != 0)
        return fail(form, "A boundary is followed by something else than a line end");
    form->at += 2;
    if (!read_part_headers(form, part))
        return false;
    part->bytes = form->at;
    const char *end = memmem(form->at, (size_t)(form->end - form->at), form->delimiter, form->delimiter_length);
    if (!end)
        return fail(form, "The form ends without its last boundary");
    part->length = (size_t)(end - form->at);
    form->at = end + form->delimiter_length;
    return *part->name ? true : fail(form, "A part has no name");
}
