/* The requests of the holder's clients. */
#include "holder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"

#define TALK                                                                                                           \
    "You are a helpful assistant who answers in few and plain words, and says so where the answer is not known."
#define QUESTION "Tell me in two sentences why slow models are worth waiting for, and quick ones worth having too. "

/* An image stands behind the text, so that the order is among the first bytes. */
static char *openai_body(const struct holder_options *options, const char *order, const char *image)
{
    const char *stream = options->pieces > 0 ? ",\"stream\":true" : "";
    if (image == NULL)
        return xasprintf("{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"" TALK "\"},"
                         "{\"role\":\"user\",\"content\":\"" QUESTION
                         "%s\"}],\"max_tokens\":256,\"temperature\":0.7%s}",
                         options->model, order, stream);
    return xasprintf("{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"" TALK "\"},"
                     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"" QUESTION "%s\"},"
                     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,%s\"}}]}],"
                     "\"max_tokens\":256,\"temperature\":0.7%s}",
                     options->model, order, image, stream);
}

static char *replicate_body(const char *order, const char *image)
{
    return xasprintf("{\"input\":{\"prompt\":\"" QUESTION "%s\",\"system_prompt\":\"" TALK "\",\"max_tokens\":256,"
                     "\"temperature\":0.7%s%s%s}}",
                     order, image == NULL ? "" : ",\"image\":\"data:image/png;base64,", image == NULL ? "" : image,
                     image == NULL ? "" : "\"");
}

char *message_make(const struct holder_options *options, const struct order *order, const char *image, size_t *length)
{
    char text[ORDER_TEXT_BYTES], id[ORDER_ID_LENGTH + 1], *message;
    order_write(order, text);
    order_id_write(order, id);
    if (options->form == FORM_STREAM) {
        message = xasprintf("GET /v1/streams/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n\r\n",
                            id, options->port);
    } else {
        char *body = options->form == FORM_OPENAI ? openai_body(options, text, image) : replicate_body(text, image);
        message = xasprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer test-key\r\n"
                            "Content-Type: application/json\r\n%s%sContent-Length: %zu\r\n\r\n%s",
                            options->path, options->port, options->header == NULL ? "" : options->header,
                            options->header == NULL ? "" : "\r\n", strlen(body), body);
        free(body);
    }
    *length = strlen(message);
    return message;
}
