/* What a chat answer, whole or streamed, says of the predictions behind it: their tokens, why they ended. */
#include "chat_int.h"

/* A token is about four bytes of text: good enough where the model reports nothing, and said to be an estimate. */
enum { BYTES_PER_TOKEN = 4 };

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

void chat_count(struct chat_totals *totals, const struct call *call, const struct outcome *outcome, size_t text_bytes)
{
    if (outcome != NULL && outcome->usage.reported) {
        totals->prompt = add(totals->prompt, outcome->usage.input_tokens);
        totals->completion = add(totals->completion, outcome->usage.output_tokens);
        totals->reasoning = add(totals->reasoning, outcome->usage.reasoning_tokens);
    } else {
        totals->estimated = true;
        totals->prompt = add(totals->prompt, estimate(call->prompt_bytes));
        totals->completion = add(totals->completion, estimate(text_bytes));
    }
}

void chat_append_usage(const struct chat_totals *totals, struct buf *out)
{
    buf_append_text(out, "{\"prompt_tokens\":");
    buf_append_integer(out, totals->prompt);
    buf_append_text(out, ",\"completion_tokens\":");
    buf_append_integer(out, totals->completion);
    buf_append_text(out, ",\"total_tokens\":");
    buf_append_integer(out, add(totals->prompt, totals->completion));
    buf_append_text(out, ",\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0}"
                         ",\"completion_tokens_details\":{\"reasoning_tokens\":");
    buf_append_integer(out, totals->reasoning);
    buf_append_text(out, ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}");
}

void chat_note_usage(const struct chat_totals *totals, struct call *call)
{
    call->usage_source = totals->estimated ? "estimated" : "reported";
    call->input_tokens = totals->prompt;
    call->output_tokens = totals->completion;
}

const char *chat_finish_reason(const struct call *call, const struct outcome *outcome, bool was_stopped)
{
    if (was_stopped || outcome == NULL || call->token_limit <= 0 || !outcome->usage.reported)
        return "stop";
    return outcome->usage.output_tokens >= call->token_limit ? "length" : "stop";
}
