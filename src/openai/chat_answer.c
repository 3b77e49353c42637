/* Writes a chat completion from finished predictions, to the letter of OpenAI's schema: clients parse it strictly. */
#include "openai/chat.h"

#include <inttypes.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

/* A token is about four bytes of text: good enough where the model reports nothing, and said to be an estimate. */
enum { BYTES_PER_TOKEN = 4 };

static const size_t text_max_bytes = (size_t)1 << 30;

struct totals {
    int64_t prompt, completion, reasoning;
    bool estimated;
};

static bool all_strings(const json_t *array)
{
    size_t index;
    json_t *item;
    json_array_foreach(array, index, item) if (!json_is_string(item)) return false;
    return true;
}

/* Of an output that is an object, the member that holds the text. */
static const json_t *text_member(const json_t *output)
{
    static const char *const names[] = {"text",        "transcription",  "output",
                                        "text_output", "generated_text", "json_output"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const json_t *member = json_object_get(output, names[i]);
        if (json_is_string(member))
            return member;
    }
    return NULL;
}

/* The shape of the value decides: real outputs do not always match the schema that the model declares. */
static void append_output_text(const json_t *output, struct buf *out)
{
    size_t index;
    json_t *item;
    const json_t *text = json_is_string(output) ? output : text_member(output);
    if (output == NULL || json_is_null(output))
        return;
    if (text != NULL) {
        buf_append(out, json_string_value(text), json_string_length(text));
    } else if (json_is_array(output) && all_strings(output)) {
        json_array_foreach(output, index, item) buf_append(out, json_string_value(item), json_string_length(item));
    } else {
        json_append(out, output);
    }
}

/* Where the first of the stop strings begins; the whole length without any. UTF-8 needs no care here: valid text occurs
 * in valid text at the borders of characters only. */
static size_t length_before_stop(const struct buf *text, const json_t *stops)
{
    size_t length = text->length, index;
    json_t *stop;
    json_array_foreach(stops, index, stop)
    {
        const char *start = buf_text(text);
        const char *found = memmem(start, text->length, json_string_value(stop), json_string_length(stop));
        if (found != NULL && (size_t)(found - start) < length)
            length = (size_t)(found - start);
    }
    return length;
}

/* Counts come from outside: never negative, never beyond int64. */
static int64_t add(int64_t sum, int64_t amount)
{
    if (amount <= 0)
        return sum;
    return amount > INT64_MAX - sum ? INT64_MAX : sum + amount;
}

static int64_t estimate(size_t bytes)
{
    return (int64_t)(bytes / BYTES_PER_TOKEN + (bytes % BYTES_PER_TOKEN != 0));
}

static void count(struct totals *totals, const struct call *call, const struct outcome *outcome, size_t text_bytes)
{
    if (outcome->usage.reported) {
        totals->prompt = add(totals->prompt, outcome->usage.input_tokens);
        totals->completion = add(totals->completion, outcome->usage.output_tokens);
        totals->reasoning = add(totals->reasoning, outcome->usage.reasoning_tokens);
    } else {
        totals->estimated = true;
        totals->prompt = add(totals->prompt, estimate(call->prompt_bytes));
        totals->completion = add(totals->completion, estimate(text_bytes));
    }
}

static bool used_up_limit(const struct call *call, const struct outcome *outcome)
{
    return call->token_limit > 0 && outcome->usage.reported && outcome->usage.output_tokens >= call->token_limit;
}

static bool append_choice(struct buf *out, const struct call *call, int index, const struct outcome *outcome,
                          struct totals *totals)
{
    struct buf text;
    buf_init(&text, text_max_bytes);
    append_output_text(outcome->output, &text);
    size_t length = length_before_stop(&text, call->stops);
    bool was_cut = length < text.length;
    bool fits = !text.overflowed;
    buf_printf(out, "{\"index\":%d,\"message\":{\"role\":\"assistant\",\"content\":", index);
    json_append_string(out, buf_text(&text), length);
    buf_append_text(out, ",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":");
    buf_append_text(out, !was_cut && used_up_limit(call, outcome) ? "\"length\"}" : "\"stop\"}");
    count(totals, call, outcome, length);
    buf_dispose(&text);
    return fits;
}

static void append_usage(struct buf *out, const struct totals *totals)
{
    buf_printf(out,
               "{\"prompt_tokens\":%" PRId64 ",\"completion_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64
               ",\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0}"
               ",\"completion_tokens_details\":{\"reasoning_tokens\":%" PRId64
               ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
               totals->prompt, totals->completion, add(totals->prompt, totals->completion), totals->reasoning);
}

bool chat_finish(struct call *call, struct outcome *const *outcomes, struct buf *out, struct error *err)
{
    struct totals totals = {0};
    bool fits = true;
    buf_append_text(out, "{\"id\":");
    json_append_string(out, call->id, strlen(call->id));
    buf_printf(out, ",\"object\":\"chat.completion\",\"created\":%" PRId64 ",\"model\":", call->created_s);
    json_append_string(out, call->alias, strlen(call->alias));
    buf_append_text(out, ",\"choices\":[");
    for (int i = 0; i < call->n; i++) {
        ensure(outcomes[i] != NULL && outcomes[i]->succeeded);
        if (i > 0)
            buf_append_text(out, ",");
        fits = append_choice(out, call, i, outcomes[i], &totals) && fits;
    }
    buf_append_text(out, "],\"usage\":");
    append_usage(out, &totals);
    buf_append_text(out, "}");
    if (!fits || out->overflowed)
        return error_set(err, ERROR_UPSTREAM_ERROR, NULL,
                         "The model's output is larger than an answer may be. Ask for a smaller one.");
    call->usage_source = totals.estimated ? "estimated" : "reported";
    return true;
}
