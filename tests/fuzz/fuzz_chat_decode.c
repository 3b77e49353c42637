/* Any bytes as the body of a chat completion: refused with an error, or decoded, mapped and answered without harm. */
#include <stdint.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "base/json.h"
#include "call_help.h"
#include "openai/chat.h"
#include "openai/error_body.h"
#include "openai/mapping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX_BYTES = 1 << 26 };

/* Each route takes another way through the mapping. */
static const char *const routes[] = {
    "{}",
    "{\"drop_params\":true,\"map\":{\"system\":\"system_prompt\",\"stop\":\"stop_sequences\",\"max_tokens\":null}}",
    "{\"map\":{\"messages\":\"messages\",\"stop\":\"stop\",\"tools\":\"tools\"},\"input\":{\"max_new_tokens\":9}}",
    "{\"strict_params\":true,\"map\":{\"messages\":\"turns\"},\"input\":{\"turns\":\"\"},\"params\":{\"n\":2}}",
};

/* What is refused has a kind, and a body that is JSON. */
static void check_error(const struct error *err)
{
    struct buf out;
    buf_init(&out, OUT_MAX_BYTES);
    ensure(err->kind != ERROR_NONE && err->message[0] != '\0');
    ensure(error_body_append(&out, err));
    json_decref(help_json(buf_text(&out)));
    buf_dispose(&out);
}

static void answer(struct call *call, json_t *input)
{
    struct error err = {0};
    struct buf out;
    struct outcome *outcomes[CALL_MAX_CHOICES];
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    outcome->output = input;
    ensure(call->n >= 1 && call->n <= CALL_MAX_CHOICES);
    for (int i = 0; i < call->n; i++)
        outcomes[i] = outcome;
    buf_init(&out, OUT_MAX_BYTES);
    if (chat_finish(call, outcomes, &out, &err))
        json_decref(help_json(buf_text(&out)));
    else
        check_error(&err);
    buf_dispose(&out);
    outcome_free(outcome);
}

static void run(const char *body, size_t length, const char *route_text)
{
    struct call call;
    struct route route;
    struct error err = {0};
    help_route(&route, route_text);
    json_t *input = NULL;
    if (help_decode_bytes(&call, body, length, &err))
        input = mapping_input(&call, &route, NULL, &err);
    if (input != NULL)
        answer(&call, input);
    else
        check_error(&err);
    call_dispose(&call);
    help_route_dispose(&route);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly this size lets the sanitizer see every byte read behind the end. */
    char *body = malloc(size > 0 ? size : 1);
    ensure(body != NULL);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)data[i];
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        run(body, size, routes[i]);
    free(body);
    return 0;
}
