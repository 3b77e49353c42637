/* The benchmark of the mapping: what a request of 20 messages costs on its way from a decoded call to a model's input,
 * for each document in tests/models, and without one. Processor time on one thread; it asserts nothing but that
 * requests map. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "base/model_schema.h"
#include "call_help.h"
#include "openai/mapping.h"

enum { MESSAGES = 20, REPETITIONS = 2000, DOCUMENT_MAX_BYTES = 1 << 20 };

static double now_us(void)
{
    struct timespec now;
    ensure(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void write_request(struct buf *out)
{
    buf_append_text(out, "{\"model\":\"m\",\"max_tokens\":1500,\"temperature\":0.4,\"top_p\":0.9,\"seed\":7,"
                         "\"stop\":[\"END\",\"STOP\"],\"presence_penalty\":0.1,\"frequency_penalty\":0.2,"
                         "\"reasoning_effort\":\"low\",\"user\":\"bench\",\"messages\":["
                         "{\"role\":\"system\",\"content\":\"You are a careful assistant who answers in a line.\"}");
    for (int i = 1; i < MESSAGES; i++)
        buf_printf(
            out,
            ",{\"role\":\"%s\",\"content\":\"Turn %d: a sentence or two of the length that people write when they "
            "talk with an assistant about their day, and what they plan for the next one.\"}",
            i % 2 == 1 ? "user" : "assistant", i);
    buf_append_text(out, "]}");
}

/* The mean time of a mapping; -1 where this model refuses the request. */
static double measure(struct call *call, const struct route *route, const struct model_schema *schema)
{
    double spent = 0;
    for (int i = 0; i < REPETITIONS; i++) {
        struct error err = {0};
        double began = now_us();
        json_t *input = mapping_input(call, route, schema, &err);
        spent += now_us() - began;
        if (input == NULL)
            return -1;
        json_decref(input);
        json_decref(call->ignored);
        json_decref(call->stops);
        json_decref(call->uploads);
        call->ignored = call->stops = call->uploads = NULL;
    }
    return spent / REPETITIONS;
}

static void run(const char *name, struct buf *request, const struct model_schema *schema)
{
    struct route route;
    struct call call;
    struct error err = {0};
    help_route(&route, "{\"alias\":\"m\",\"reference\":\"acme/m\"}");
    ensure(help_decode_bytes(&call, buf_text(request), request->length, &err));
    double us = measure(&call, &route, schema);
    if (us < 0)
        printf("%-48s refused\n", name);
    else
        printf("%-48s %7.1f us\n", name, us);
    call_dispose(&call);
    help_route_dispose(&route);
}

static struct model_schema *read_schema(const char *name)
{
    char path[512];
    static char text[DOCUMENT_MAX_BYTES];
    struct error err = {0};
    snprintf(path, sizeof path, "tests/models/%s", name);
    FILE *file = fopen(path, "rb");
    ensure(file != NULL);
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    return model_schema_parse(text, length, &err);
}

static int is_document(const struct dirent *entry)
{
    return strstr(entry->d_name, ".json") != NULL;
}

int main(void)
{
    struct buf request;
    struct dirent **entries;
    buf_init(&request, DOCUMENT_MAX_BYTES);
    write_request(&request);
    printf("A request of %d messages, %zu bytes, mapped %d times for each model:\n", MESSAGES, request.length,
           REPETITIONS);
    run("without a schema", &request, NULL);
    int count = scandir("tests/models", &entries, is_document, alphasort);
    ensure(count > 0);
    for (int i = 0; i < count; i++) {
        struct model_schema *schema = read_schema(entries[i]->d_name);
        run(entries[i]->d_name, &request, schema);
        model_schema_unref(schema);
        free(entries[i]);
    }
    free(entries);
    buf_dispose(&request);
    return 0;
}
