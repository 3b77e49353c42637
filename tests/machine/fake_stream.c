/* A story told by an event stream and by polls, for the tests of streamed predictions. */
#include "fake_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

const char *const story[STORY_TOKENS] = {"",      "Once", " upon a time\n",    "",       "  there was\n\na B\xC3\xA4r",
                                         ".\n\n", "He",   " \xF0\x9F\x98\x80", " slept."};

const char *stream_text(int tokens)
{
    static char text[512];
    size_t length = 0;
    text[0] = '\0';
    for (int i = 0; i < tokens; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s", story[i]);
    return text;
}

struct job *stream_job(void)
{
    struct job *job = bench_job("acme/writer");
    job->wants_pieces = true;
    return job;
}

void stream_start(void)
{
    bench_start(stream_job());
    fake_transfer_answer(bench_create_call(), 201,
                         "{\"id\":\"" BENCH_ID "\",\"status\":\"starting\",\"urls\":{\"stream\":\"" STREAM_URL "\"}}");
    bench_expect_state(PREDICTION_STREAMING);
    ck_assert_ptr_nonnull(stream_call());
}

static struct transfer *find_call(bool is_stream)
{
    struct transfer *found = NULL, *transfer = fake_transfer_first(bench.transfers);
    while (transfer != NULL) {
        if ((transfer->accept != NULL) == is_stream) {
            ck_assert_msg(found == NULL, "two such transfers are open");
            found = transfer;
        }
        struct list_link *next = list_next(transfer->link.list, &transfer->link);
        transfer = next == NULL ? NULL : list_entry(next, struct transfer, link);
    }
    return found;
}

struct transfer *stream_call(void)
{
    return find_call(true);
}

struct transfer *stream_poll_call(void)
{
    struct transfer *transfer = find_call(false);
    if (transfer != NULL) {
        ck_assert_str_eq(transfer->method, "GET");
        ck_assert_str_eq(transfer->url, BENCH_BASE "/predictions/" BENCH_ID);
        ck_assert_str_eq(transfer->token, "test-token");
    }
    return transfer;
}

void stream_raw(const char *bytes)
{
    ck_assert_ptr_nonnull(stream_call());
    fake_transfer_data(stream_call(), bytes, strlen(bytes));
}

/* A line end in the data begins another data line. */
void stream_say(const char *type, const char *id, const char *data)
{
    struct buf out;
    buf_init(&out, (size_t)4 * 1024 * 1024);
    buf_printf(&out, "event: %s\n", type);
    if (id != NULL)
        buf_printf(&out, "id: %s\n", id);
    while (data != NULL) {
        const char *end = strchr(data, '\n');
        size_t length = end == NULL ? strlen(data) : (size_t)(end - data);
        buf_append_text(&out, "data: ");
        buf_append(&out, data, length);
        buf_append_text(&out, "\n");
        data = end == NULL ? NULL : end + 1;
    }
    buf_append_text(&out, "\n");
    stream_raw(buf_text(&out));
    buf_dispose(&out);
}

void stream_tell(int from, int to, bool has_ids)
{
    for (int i = from; i < to; i++) {
        char id[16];
        snprintf(id, sizeof id, "100:%d", i);
        stream_say("output", has_ids ? id : NULL, story[i]);
    }
}

void stream_done(void)
{
    stream_say("done", NULL, "{}");
    ck_assert_ptr_null(stream_call());
    bench_expect_state(PREDICTION_SLEEPING);
    bench_advance(0);
    stream_answer_poll("succeeded", STORY_TOKENS);
}

void stream_close(void)
{
    fake_transfer_answer(stream_call(), 200, "");
}

void stream_time_out(void)
{
    stream_raw(":408: 408 Request Timeout\n\n");
    stream_close();
}

void stream_answer_poll(const char *status, int tokens)
{
    struct buf json;
    buf_init(&json, 4096);
    buf_append_text(&json, "[");
    for (int i = 0; i < tokens; i++) {
        buf_append_text(&json, i == 0 ? "" : ",");
        json_append_string(&json, story[i], strlen(story[i]));
    }
    buf_append_text(&json, "]");
    stream_answer_poll_raw(status, buf_text(&json));
    buf_dispose(&json);
}

void stream_answer_poll_raw(const char *status, const char *output_json)
{
    struct transfer *poll = stream_poll_call();
    ck_assert_msg(poll != NULL, "no poll is open");
    char *body = xasprintf("{\"id\":\"" BENCH_ID "\",\"status\":\"%s\",\"output\":%s,\"error\":null,"
                           "\"urls\":{\"stream\":\"" STREAM_URL "\"},\"metrics\":{\"output_token_count\":8}}",
                           status, output_json);
    fake_transfer_answer(poll, 200, body);
    free(body);
}

void stream_expect_given(const char *text)
{
    ck_assert_str_eq(buf_text(&bench.given), text);
}

void stream_expect_story(void)
{
    bench_expect_success();
    bench_expect_none();
    stream_expect_given(stream_text(STORY_TOKENS));
    ck_assert_str_eq(json_string_value(bench.outcome->output), stream_text(STORY_TOKENS));
    ck_assert_int_eq(bench.outcome->usage.output_tokens, 8);
}
