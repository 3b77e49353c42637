/* The JSON in which OpenAI's clients look for an error: always the same four members, null where nothing is known. */
#include "openai/error_body.h"

#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

static void append_text_or_null(struct buf *out, const char *text)
{
    if (text == NULL || text[0] == '\0')
        buf_append_text(out, "null");
    else
        json_append_string(out, text, strlen(text));
}

bool error_body_append(struct buf *out, const struct error *error)
{
    ensure(error->kind != ERROR_NONE);
    const struct error_row *row = error_row(error->kind);
    buf_append_text(out, "{\"error\":{\"message\":");
    /* Clients require a string here, so an empty message stays one. */
    json_append_string(out, error->message, strlen(error->message));
    buf_append_text(out, ",\"type\":");
    append_text_or_null(out, row->type);
    buf_append_text(out, ",\"param\":");
    append_text_or_null(out, error->param);
    buf_append_text(out, ",\"code\":");
    append_text_or_null(out, row->code);
    buf_append_text(out, "}}");
    return !out->overflowed;
}
