/* What the client of a streamed answer hears; comments are told from events, which are read strictly. */
#include "fake_listener.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/json.h"

struct listener listener;

void listener_setup(void)
{
    bench_setup();
    heard_init(&listener.heard);
    call_init(&listener.asked);
    listener.asked.alias = xstrdup("writer");
    listener.asked.created_s = clock_wall_s();
}

void listener_teardown(void)
{
    heard_dispose(&listener.heard);
    call_dispose(&listener.asked);
    bench_teardown();
}

static void learn_id(const char *frame)
{
    static const char before[] = "data: {\"id\":\"";
    if (strncmp(frame, before, sizeof before - 1) == 0 && listener.asked.id[0] == '\0')
        ck_assert_int_eq(sscanf(frame + sizeof before - 1, "%40[^\"]", listener.asked.id), 1);
}

static void read_frame(const char *frame, size_t length, struct buf *comments)
{
    enum { MARK_BYTES = 2, END_BYTES = 2 };
    if (strncmp(frame, ": ", MARK_BYTES) != 0) {
        learn_id(frame);
        heard_read(&listener.heard, &listener.asked, frame, length);
        return;
    }
    if (comments->length > 0)
        buf_append_text(comments, " ");
    buf_append(comments, frame + MARK_BYTES, length - MARK_BYTES - END_BYTES);
}

void listener_expect_comments(struct door *door, const char *expected)
{
    struct buf *outbox = &door->request.reply.body, comments;
    buf_init(&comments, 4096);
    for (const char *text = buf_text(outbox); *text != '\0';) {
        const char *end = strstr(text, "\n\n");
        ck_assert_msg(end != NULL, "half an event: %s", text);
        read_frame(text, (size_t)(end + 2 - text), &comments);
        text = end + 2;
    }
    buf_clear(outbox);
    ck_assert_str_eq(buf_text(&comments), expected);
    buf_dispose(&comments);
}

void listener_hear(struct door *door)
{
    listener_expect_comments(door, "");
}

void listener_expect_choice(size_t index, const char *content, const char *finish_reason)
{
    ck_assert_str_eq(buf_text(&listener.heard.choices[index].content), content);
    ck_assert_str_eq(listener.heard.choices[index].finish_reason, finish_reason);
}

void listener_expect_streaming(const struct door *door)
{
    const struct reply *reply = &door->request.reply;
    ck_assert(reply->is_stream && !reply->is_ended && !reply->is_dropped);
    ck_assert_int_eq(reply->status, 200);
    ck_assert_uint_eq(bench_in(EXCHANGE_STREAMING), 1);
}

void listener_expect_ended(const struct door *door)
{
    ck_assert(door->request.reply.is_ended && !door->request.reply.is_dropped);
    ck_assert_int_eq(door->request.reply.status, 200);
    ck_assert_uint_eq(bench_in(EXCHANGE_STREAMING), 0);
    ck_assert_uint_eq(bench_in(EXCHANGE_REPLYING), 1);
}

void listener_expect_error(struct door *door, enum error_kind kind)
{
    listener_hear(door);
    ck_assert_ptr_nonnull(listener.heard.error);
    ck_assert_pstr_eq(json_text(listener.heard.error, "code"), error_row(kind)->code);
    ck_assert(!listener.heard.is_done);
    listener_expect_ended(door);
}

struct prediction *listener_named(size_t index, const char *id)
{
    struct prediction *prediction = fake_prediction_at(index);
    snprintf(prediction->id, sizeof prediction->id, "%s", id);
    return prediction;
}
