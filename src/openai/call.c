/* The neutral call between decoding and answering: its birth, its end, and the list of parameters left out. */
#include "openai/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "parameters_int.h"

/* Whoever sends thousands of unknown names gets this many back: the header has to stay a header, and looking for
 * repetitions has to stay cheap. */
enum { IGNORED_MAX = 64, IGNORED_NAME_BYTES = 65 };

void call_init(struct call *call)
{
    *call = (struct call){.n = 1};
}

void call_dispose(struct call *call)
{
    if (call->state_free != NULL)
        call->state_free(call->state);
    free(call->alias);
    free(call->seed_input);
    json_decref(call->body);
    params_dispose(&call->params);
    json_decref(call->ignored);
    json_decref(call->stops);
    json_decref(call->uploads);
    call_init(call);
}

static void drop(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}

void call_reset_mapping(struct call *call, int choices)
{
    if (call->state_free != NULL)
        call->state_free(call->state);
    call->state = NULL;
    call->state_free = NULL;
    drop(&call->ignored);
    drop(&call->stops);
    drop(&call->uploads);
    free(call->seed_input);
    call->seed_input = NULL;
    call->token_limit = 0;
    call->reasoning = REASONING_AUTO;
    call->prompt_bytes = 0;
    call->usage_source = NULL;
    call->n = choices;
}

static bool is_ignored(const struct call *call, const char *name)
{
    size_t index;
    json_t *item;
    json_array_foreach(call->ignored, index, item) if (strcmp(json_string_value(item), name) == 0) return true;
    return false;
}

/* Names become part of a header: whatever is no visible character, or would read as two names, is replaced. */
static void make_visible(char *name)
{
    for (; *name != '\0'; name++)
        if (*name <= ' ' || *name > '~' || *name == ',')
            *name = '?';
}

void call_ignore(struct call *call, const char *name)
{
    if (call->ignored == NULL)
        call->ignored = json_array();
    ensure(call->ignored != NULL);
    size_t count = json_array_size(call->ignored);
    if (count > IGNORED_MAX)
        return;
    char visible[IGNORED_NAME_BYTES];
    error_quote(visible, sizeof visible, name, strlen(name), NULL);
    make_visible(visible);
    if (is_ignored(call, visible))
        return;
    ensure(json_array_append_new(call->ignored, json_string(count < IGNORED_MAX ? visible : "...")) == 0);
}

void call_forget_messages(struct call *call)
{
    call->messages = NULL;
    params_dispose(&call->params);
    /* Their names are all that is still asked for, in errors: those of OpenAI's parameters are in `given`. */
    if (call->has_extensions)
        (void)json_object_del(call->body, "messages");
    else
        drop(&call->body);
}

/* A header has little room: where there is too much to name, the rest is dots. */
bool call_ignored_text(const struct call *call, struct buf *out)
{
    enum { SHOWN_MAX_BYTES = 1000 };
    size_t index;
    json_t *item;
    json_array_foreach(call->ignored, index, item)
    {
        if (out->length > SHOWN_MAX_BYTES)
            return buf_append_text(out, ", ...");
        if (index > 0)
            buf_append_text(out, ", ");
        buf_append_text(out, json_string_value(item));
    }
    return !out->overflowed;
}
