/* The benchmark of JSON: what it costs to read a document into a tree, to pass over it, and to write the tree again,
 * for documents of the kinds that a request meets. Beside it, what jansson's own parser and writer take. Processor time
 * on one thread; it asserts nothing but that documents are read. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "base/output.h"
#include "base/json_scan.h"

enum { DOCUMENT_MAX_BYTES = 64 << 20, WORK_BYTES = 24 << 20 };

static const size_t dump_flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);

static double now_ns(void)
{
    struct timespec now;
    ensure(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- documents ---- */

static void write_request(struct buf *out)
{
    buf_append_text(out,
                    "{\"model\":\"llama-3-70b\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a careful "
                    "assistant who answers in one line.\"},{\"role\":\"user\",\"content\":\"What is the capital of "
                    "the country that lies between France and Germany, and how many people live there? Please say "
                    "it \\\"in short\\\".\"}],\"temperature\":0.7,\"top_p\":0.95,\"max_tokens\":256,\"stop\":[\"END\"],"
                    "\"stream\":false,\"user\":\"bench\"}");
}

static void write_prediction(struct buf *out)
{
    buf_append_text(out, "{\"id\":\"x1y2z3x1y2z3x1y2z3x1y2z3x1\",\"model\":\"acme/llama-3-70b\",\"version\":\"hidden\","
                         "\"input\":{\"prompt\":\"What is the capital?\",\"max_tokens\":256,\"temperature\":0.7},"
                         "\"logs\":\"\",\"output\":[");
    for (int i = 0; i < 41; i++)
        buf_printf(out, "%s\" word%d\"", i > 0 ? "," : "", i);
    buf_append_text(out, "],\"data_removed\":false,\"error\":null,\"source\":\"api\",\"status\":\"succeeded\","
                         "\"created_at\":\"2024-05-01T10:00:00.123Z\",\"started_at\":\"2024-05-01T10:00:00.223Z\","
                         "\"completed_at\":\"2024-05-01T10:00:01.123Z\",\"urls\":{\"cancel\":"
                         "\"https://api.example.com/v1/predictions/x1y2z3/cancel\",\"get\":"
                         "\"https://api.example.com/v1/predictions/x1y2z3\"},\"metrics\":{\"input_token_count\":24,"
                         "\"output_token_count\":41,\"predict_time\":0.631247,\"time_to_first_token\":0.0213}}");
}

static void write_conversation(struct buf *out)
{
    buf_append_text(out, "{\"model\":\"m\",\"messages\":[");
    for (int i = 0; out->length < 88000; i++)
        buf_printf(out,
                   "%s{\"role\":\"%s\",\"content\":\"Turn %d: a sentence or two, caf\xC3\xA9 and all,\\nof the length "
                   "that people write when they talk with an assistant about their day, or about \\\"code\\\".\"}",
                   i > 0 ? "," : "", i % 2 == 0 ? "user" : "assistant", i);
    buf_append_text(out, "]}");
}

static void write_chinese(struct buf *out)
{
    buf_append_text(out, "[\"");
    while (out->length < 88000)
        buf_append_text(out, "\xE4\xB8\x96\xE7\x95\x8C\xE4\xBD\xA0\xE5\xA5\xBD\xEF\xBC\x8C");
    buf_append_text(out, "\"]");
}

static void write_image(struct buf *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_append_text(out,
                    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
                    "\"data:image/png;base64,");
    for (unsigned i = 0; out->length < 4200000; i += 8)
        for (unsigned k = 0; k < 8; k++)
            buf_append(out, letters + (i * 7 + k * 13) % 64, 1);
    buf_append_text(out, "\"}}]}]}");
}

static const struct {
    const char *name;
    void (*write)(struct buf *out);
} documents[] = {
    {"a small request", write_request}, {"a prediction", write_prediction}, {"a conversation", write_conversation},
    {"Chinese text", write_chinese},    {"an image", write_image},
};

/* ---- ways to work on them ---- */

struct work {
    struct buf document, out;
    json_t *tree;
};

static void build(struct work *work)
{
    json_t *tree = json_parse(buf_text(&work->document), work->document.length, NULL);
    ensure(tree != NULL);
    json_decref(tree);
}

static void build_output(struct work *work)
{
    struct json_scan scan;
    json_scan_init(&scan, buf_text(&work->document), work->document.length);
    json_t *output = output_read(&scan);
    ensure(output != NULL);
    json_decref(output);
}

static void skip(struct work *work)
{
    struct json_scan scan;
    json_scan_init(&scan, buf_text(&work->document), work->document.length);
    json_scan_skip(&scan);
    ensure(json_scan_end(&scan));
}

static void write_tree(struct work *work)
{
    buf_clear(&work->out);
    ensure(json_append(&work->out, work->tree));
}

static void build_by_jansson(struct work *work)
{
    json_t *tree = json_loadb(buf_text(&work->document), work->document.length, JSON_DECODE_ANY, NULL);
    ensure(tree != NULL);
    json_decref(tree);
}

static void write_by_jansson(struct work *work)
{
    free(json_dumps(work->tree, dump_flags));
}

static const struct {
    const char *title;
    void (*run)(struct work *work);
} ways[] = {
    {"read into a tree", build}, {"read as an output", build_output},    {"passed over", skip},
    {"written", write_tree},     {"read by jansson", build_by_jansson}, {"written by jansson", write_by_jansson},
};

static void measure(const char *name, struct work *work)
{
    size_t rounds = 1 + WORK_BYTES / work->document.length;
    printf("%-16s %8zu", name, work->document.length);
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        ways[way].run(work);
        double began = now_ns();
        for (size_t i = 0; i < rounds; i++)
            ways[way].run(work);
        double each = (now_ns() - began) / (double)rounds;
        printf("   %9.1f us %5.2f", each / 1e3, each / (double)work->document.length);
    }
    printf("\n");
}

int main(void)
{
    printf("Microseconds a document, nanoseconds a byte:\n%-16s %8s", "", "bytes");
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++)
        printf("   %18s", ways[way].title);
    printf("\n");
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        struct work work;
        buf_init(&work.document, DOCUMENT_MAX_BYTES);
        buf_init(&work.out, DOCUMENT_MAX_BYTES);
        documents[i].write(&work.document);
        work.tree = json_parse(buf_text(&work.document), work.document.length, NULL);
        measure(documents[i].name, &work);
        json_decref(work.tree);
        buf_dispose(&work.document);
        buf_dispose(&work.out);
    }
    return 0;
}
