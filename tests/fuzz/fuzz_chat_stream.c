/* Any pieces of any bytes through the encoder of streamed chat completions: out come whole events of valid JSON, in an
 * order that a strict client takes, and the text is what the text filter alone makes of it.
 *
 * The first byte chooses the mode (`a`uto, `o`pened or else off), the second what the client wants (bit 0: usage, bit
 * 1: the stream fails at its end); the rest of the first line is a stop string. Then come steps: a byte whose lowest
 * two bits are the choice and whose next two bits say what happens to it (2: it ends, 3: it ends with an object as its
 * output, else a piece), and for a piece a byte with its length, and its bytes. */
#include <stdint.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "call_help.h"
#include "openai/endpoint.h"
#include "openai/text_filter.h"
#include "stream_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 1 << 14, TEXT_MAX_BYTES = 1 << 20, CHOICES = 3 };

static struct buf given[CHOICES]; /* what each model has said */

static void end_choice(struct telling *telling, size_t index, bool as_object)
{
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    /* By the contract an object comes where there was no text. */
    if (as_object && given[index].length == 0 && !telling->is_over[index]) {
        outcome->output = json_pack("{s:s}", "text", "<think>a</think>b");
        buf_append_text(&given[index], "<think>a</think>b");
    }
    telling_end(telling, index, outcome);
    outcome_free(outcome);
}

static void take_steps(struct telling *telling, const char *bytes, size_t length)
{
    while (length >= 2) {
        unsigned step = (unsigned char)bytes[0];
        size_t index = (step & 3) % CHOICES, piece = (unsigned char)bytes[1];
        if ((step >> 2 & 2) != 0) {
            end_choice(telling, index, (step >> 2 & 1) != 0);
            bytes++;
            length--;
            continue;
        }
        piece = piece < length - 2 ? piece : length - 2;
        if (!telling->is_over[index])
            buf_append(&given[index], bytes + 2, piece);
        telling_piece(telling, index, bytes + 2, piece);
        bytes += 2 + piece;
        length -= 2 + piece;
    }
}

static void check_text(const struct call *call, const struct heard_choice *choice, const struct buf *text)
{
    struct text_filter filter;
    struct buf reasoning, content;
    buf_init(&reasoning, TEXT_MAX_BYTES);
    buf_init(&content, TEXT_MAX_BYTES);
    text_filter_init(&filter, call->reasoning, call->stops);
    text_filter_feed(&filter, buf_text(text), text->length, &reasoning, &content);
    text_filter_end(&filter, &reasoning, &content);
    ensure(reasoning.length == choice->reasoning.length && content.length == choice->content.length);
    ensure(memcmp(buf_text(&reasoning), buf_text(&choice->reasoning), reasoning.length) == 0);
    ensure(memcmp(buf_text(&content), buf_text(&choice->content), content.length) == 0);
    ensure(strcmp(choice->finish_reason, "stop") == 0 && choice->roles == 1);
    text_filter_dispose(&filter);
    buf_dispose(&reasoning);
    buf_dispose(&content);
}

static void fail(struct telling *telling)
{
    struct error error;
    error_set(&error, ERROR_TIMEOUT, NULL, "The model did not answer in time.");
    ensure(telling->call->endpoint->stream->fail(telling->call, &error, &telling->out));
}

static void run(struct call *call, bool does_fail, const char *bytes, size_t length)
{
    struct telling telling;
    struct heard heard;
    heard_init(&heard);
    telling_begin(&telling, call);
    take_steps(&telling, bytes, length);
    does_fail = does_fail && telling.choices_over < CHOICES;
    if (does_fail)
        fail(&telling);
    for (size_t i = 0; i < CHOICES && !does_fail; i++)
        end_choice(&telling, i, false);
    heard_read(&heard, call, buf_text(&telling.out), telling.out.length);
    ensure(heard.is_done != does_fail && (heard.error != NULL) == does_fail);
    ensure((heard.usage != NULL) == (call->include_usage && !does_fail));
    for (size_t i = 0; i < CHOICES && !does_fail; i++)
        check_text(call, &heard.choices[i], &given[i]);
    telling_dispose(&telling);
    heard_dispose(&heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    const char *line_end = size > 2 ? memchr(bytes + 2, '\n', size - 2) : NULL;
    if (size > INPUT_MAX_BYTES || line_end == NULL)
        return 0;
    struct call call;
    call_init(&call);
    call.endpoint = help_chat();
    call.alias = xstrdup("kimi");
    call.n = CHOICES;
    call.is_stream = true;
    memcpy(call.id, HELP_ID, sizeof HELP_ID);
    call.reasoning = bytes[0] == 'a' ? REASONING_AUTO : bytes[0] == 'o' ? REASONING_OPENED : REASONING_OFF;
    call.include_usage = (bytes[1] & 1) != 0;
    if (line_end > bytes + 2)
        call.stops = json_pack("[o]", json_string_lossy(bytes + 2, (size_t)(line_end - bytes) - 2));
    for (size_t i = 0; i < CHOICES; i++)
        buf_init(&given[i], TEXT_MAX_BYTES);
    run(&call, (bytes[1] & 2) != 0, line_end + 1, size - (size_t)(line_end + 1 - bytes));
    for (size_t i = 0; i < CHOICES; i++)
        buf_dispose(&given[i]);
    call_dispose(&call);
    return 0;
}
