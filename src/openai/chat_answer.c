/* Writes a chat completion from finished predictions, to the letter of OpenAI's schema: clients parse it strictly. */
#include "openai/chat.h"

#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "base/output.h"
#include "chat_int.h"
#include "openai/text_filter.h"

enum { USUAL_BYTES = 1000 }; /* of an answer of a few sentences */

/* What became of one model's text. */
struct texts {
    struct buf reasoning, content;
    bool was_stopped;
};

/* As it is where it is text already, which most outputs are; else put together in `raw`. */
static const char *plain_text(const json_t *output, struct buf *raw, size_t *length)
{
    bool is_text = json_is_string(output) && output_is_plain_text(output);
    if (!is_text)
        output_append_text(output, raw);
    *length = is_text ? json_string_length(output) : raw->length;
    return is_text ? json_string_value(output) : buf_text(raw);
}

static bool read_output(const struct call *call, const struct outcome *outcome, struct texts *texts)
{
    struct buf raw;
    struct text_filter filter;
    size_t length;
    buf_init(&raw, CHAT_TEXT_MAX_BYTES);
    buf_init(&texts->reasoning, CHAT_TEXT_MAX_BYTES);
    buf_init(&texts->content, CHAT_TEXT_MAX_BYTES);
    const char *text = plain_text(outcome->output, &raw, &length);
    text_filter_init(&filter, call->reasoning, call->stops);
    bool fits = text_filter_whole(&filter, text, length, &texts->reasoning, &texts->content);
    texts->was_stopped = text_filter_is_stopped(&filter);
    text_filter_dispose(&filter);
    fits = fits && !raw.overflowed;
    buf_dispose(&raw);
    return fits;
}

/* `key` as it is written, with the comma before it. */
static void append_text(struct buf *out, const char *key, const struct buf *text)
{
    buf_append_text(out, key);
    json_append_string(out, buf_text(text), text->length);
}

static bool append_choice(struct buf *out, const struct call *call, int index, const struct outcome *outcome,
                          struct chat_totals *totals)
{
    struct texts texts;
    bool fits = read_output(call, outcome, &texts);
    buf_append_text(out, "{\"index\":");
    buf_append_integer(out, index);
    buf_append_text(out, ",\"message\":{\"role\":\"assistant\"");
    append_text(out, ",\"content\":", &texts.content);
    /* OpenAI has no name for thoughts. Half of the clients read one of these, half the other. */
    if (texts.reasoning.length > 0) {
        append_text(out, ",\"reasoning_content\":", &texts.reasoning);
        append_text(out, ",\"reasoning\":", &texts.reasoning);
    }
    buf_append_text(out, ",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"");
    buf_append_text(out, chat_finish_reason(call, outcome, texts.was_stopped));
    buf_append_text(out, "\"}");
    chat_count(totals, call, outcome, texts.reasoning.length + texts.content.length);
    buf_dispose(&texts.reasoning);
    buf_dispose(&texts.content);
    return fits;
}

bool chat_finish(struct call *call, struct outcome *const *outcomes, struct buf *out, struct error *err)
{
    struct chat_totals totals = {0};
    bool fits = true;
    buf_reserve(out, USUAL_BYTES);
    buf_append_text(out, "{\"id\":");
    json_append_string(out, call->id, strlen(call->id));
    buf_append_text(out, ",\"object\":\"chat.completion\",\"created\":");
    buf_append_integer(out, call->created_s);
    buf_append_text(out, ",\"model\":");
    json_append_string(out, call->alias, strlen(call->alias));
    buf_append_text(out, ",\"choices\":[");
    for (int i = 0; i < call->n; i++) {
        ensure(outcomes[i] != NULL && outcomes[i]->succeeded);
        if (i > 0)
            buf_append_text(out, ",");
        fits = append_choice(out, call, i, outcomes[i], &totals) && fits;
    }
    buf_append_text(out, "],\"usage\":");
    chat_append_usage(&totals, out);
    buf_append_text(out, "}");
    if (!fits || out->overflowed)
        return error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                         "The model's output is larger than an answer may be. Ask for a smaller one.");
    chat_note_usage(&totals, call);
    return true;
}
