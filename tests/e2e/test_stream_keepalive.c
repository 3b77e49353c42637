/* Streams while the model is silent: the 200 after five seconds, comments at least as often as configured, and none
 * where they are turned off. Clients of all kinds wait side by side, because nobody can turn the program's clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "chat_stream.h"
#include "check_main.h"

enum { FIRST_BYTE_MS = 5000, KEEPALIVE_MS = 300, LATE_MS = 250 };

/* The clients, each with an alias of its own. */
enum { OFTEN, SELDOM, NEVER, FAILS, STREAMLESS, THREE, CLIENTS };

static const struct {
    const char *alias, *more;
} cases[CLIENTS] = {
    [OFTEN] = {"often", NULL}, [SELDOM] = {"seldom", NULL},         [NEVER] = {"never", NULL},
    [FAILS] = {"fails", NULL}, [STREAMLESS] = {"streamless", NULL}, [THREE] = {"three", ",\"n\":3"},
};

static const char config[] = "keepalive: 300ms\n"
                             "models:\n"
                             "  often: acme/writer\n"
                             "  seldom: {model: acme/writer, keepalive: 1s}\n"
                             "  never: {model: acme/writer, keepalive: 0}\n"
                             "  fails: acme/failing\n"
                             "  streamless: acme/streamless\n"
                             "  three: acme/writer\n"
                             "replicate:\n"
                             "  base_url: @SIM@\n"
                             "  token: test-token\n";

static const char *const pieces[] = {"At", " last"};

static struct bridge bridge;
static struct stream_client clients[CLIENTS];

static void plan(const char *model, bool offers_stream, const char *end_status)
{
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = model,
                                                      .official = true,
                                                      .boot_ms = SIM_HOLD,
                                                      .pieces = pieces,
                                                      .piece_count = 2,
                                                      .piece_ms = SIM_HOLD,
                                                      .end_status = end_status,
                                                      .error_text = end_status != NULL ? "it broke" : NULL,
                                                      .stream.offered = offers_stream});
}

static void set_up(void)
{
    bridge_start_sim(&bridge);
    plan("acme/writer", true, NULL);
    plan("acme/failing", true, "failed");
    plan("acme/streamless", false, NULL);
    chat_case_start(&bridge, config);
}

static void tear_down(void)
{
    for (size_t i = 0; i < CLIENTS; i++)
        stream_dispose(&clients[i]);
    chat_case_stop(&bridge);
}

/* Reads all of them until the time (since the first was opened) has come. */
static void read_until_ms(int64_t ms)
{
    int64_t until_us = clients[0].opened_us + ms * 1000;
    for (int64_t left_us; (left_us = until_us - stream_now_us()) > 0;)
        ck_assert_msg(!stream_read_all(clients, CLIENTS, (int)(left_us / 1000) + 1), "an answer has ended");
}

static int64_t at_ms(const struct stream_client *client, size_t frame)
{
    return (client->frames[frame].at_us - client->opened_us) / 1000;
}

/* A sanitizer slows everything down, and then this machine's clock says little. */
static int64_t late_ms(void)
{
    return daemon_patience_ms() > 50000 ? 10 * LATE_MS : LATE_MS;
}

/* The frames from this one on: comments with this word, no further apart than this, up to the time. The next frame. */
static size_t expect_comments(const struct stream_client *client, size_t frame, const char *word, int64_t apart_ms,
                              int64_t until_ms)
{
    int64_t last_ms = frame == 0 ? FIRST_BYTE_MS : at_ms(client, frame - 1);
    size_t first = frame;
    for (; frame < client->frame_count && strcmp(client->frames[frame].text, word) == 0; frame++) {
        int64_t now_ms = at_ms(client, frame);
        ck_assert_msg(now_ms - last_ms <= apart_ms + late_ms(), "frame %zu came %lld ms after the last one", frame,
                      (long long)(now_ms - last_ms));
        /* One that came late makes the next seem early, so this is looked at where the machine keeps pace. */
        ck_assert_msg(frame == 0 || late_ms() > LATE_MS || now_ms - last_ms >= apart_ms / 2,
                      "frame %zu came %lld ms after the last one", frame, (long long)(now_ms - last_ms));
        last_ms = now_ms;
    }
    ck_assert_msg(frame > first, "there is no `%s`", word);
    ck_assert_msg(until_ms - last_ms <= apart_ms + late_ms(), "no comment in the last %lld ms",
                  (long long)(until_ms - last_ms));
    return frame;
}

static void advance_all(void)
{
    replicate_sim_advance(bridge.sim, SIM_ALL);
}

static void begin_all(void)
{
    for (size_t i = 0; i < CLIENTS; i++)
        chat_stream_begin(&bridge, &(struct chat_case){.model = cases[i].alias, .more = cases[i].more}, &clients[i]);
    ck_assert(replicate_sim_wait_created(bridge.sim, CLIENTS + 2, daemon_patience_ms()));
}

/* Five seconds without a byte, so that what fails soon can fail with a status; then the 200. */
static void expect_silence_then_200(void)
{
    read_until_ms(FIRST_BYTE_MS - LATE_MS);
    for (size_t i = 0; i < CLIENTS; i++)
        ck_assert_msg(clients[i].answer.status == 0, "%s has an answer before five seconds are over", cases[i].alias);
    read_until_ms(FIRST_BYTE_MS + late_ms());
    for (size_t i = 0; i < CLIENTS; i++)
        ck_assert_msg(clients[i].answer.status == (i == NEVER ? 0 : 200), "%s has status %d after five seconds",
                      cases[i].alias, clients[i].answer.status);
}

static void finish_all(void)
{
    static const struct chat_error failed = {200, "server_error", "prediction_failed", NULL, false, "it broke"};
    for (size_t i = 0; i < CLIENTS; i++) {
        chat_stream_finish(&clients[i]);
        if (i == FAILS)
            chat_stream_expect_broken(&clients[i], "At last", &failed);
        else if (i != THREE)
            chat_stream_expect_text(&clients[i], cases[i].alias, "At last");
    }
    for (size_t i = 0; i < clients[NEVER].frame_count; i++)
        ck_assert_msg(clients[NEVER].frames[i].text[0] != ':', "there is a comment where they are turned off");
}

START_TEST(comments_say_what_a_silent_stream_waits_for)
{
    enum { BOOTED_MS = FIRST_BYTE_MS + 2500, SPEAKS_MS = BOOTED_MS + 1500, ENDS_MS = SPEAKS_MS + 1500 };
    size_t next[CLIENTS] = {0};
    begin_all();
    expect_silence_then_200();
    read_until_ms(BOOTED_MS);
    for (size_t i = 0; i < CLIENTS; i++)
        if (i != NEVER)
            next[i] = expect_comments(&clients[i], 0, ": starting", i == SELDOM ? 1000 : KEEPALIVE_MS, BOOTED_MS);
    ck_assert_msg(clients[NEVER].answer.status == 0, "something comes before the first piece");

    advance_all(); /* booted; a poll beside the silent stream tells, two seconds later at the latest */
    read_until_ms(SPEAKS_MS);
    advance_all();
    for (size_t i = 0; i < CLIENTS; i++)
        ck_assert_msg(stream_read_until(&clients[i], "\"At\"", daemon_patience_ms()), "%s has no first piece",
                      cases[i].alias);
    size_t spoken = clients[OFTEN].frame_count;
    read_until_ms(ENDS_MS);
    expect_comments(&clients[OFTEN], spoken, ": processing", KEEPALIVE_MS, ENDS_MS);
    ck_assert_uint_gt(clients[OFTEN].frame_count, next[OFTEN]);
    advance_all();
    advance_all();
    finish_all();
}
END_TEST

/* Comments alone are no answer: who fails now fails with a frame, and nothing else is said. */
START_TEST(what_fails_after_comments_alone_fails_with_one_frame)
{
    static const struct chat_error failed = {200, "server_error", "prediction_failed", NULL, false, "it broke"};
    clients[0].opened_us = stream_now_us();
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = "acme/failing",
                                                      .official = true,
                                                      .boot_ms = FIRST_BYTE_MS + 600,
                                                      .end_status = "failed",
                                                      .error_text = "it broke",
                                                      .stream.offered = true});
    chat_stream_begin(&bridge, &(struct chat_case){.model = "fails"}, &clients[0]);
    chat_stream_finish(&clients[0]);
    chat_stream_expect_broken(&clients[0], "", &failed);
    struct chat_stream heard;
    chat_stream_hear(&clients[0], &heard);
    ck_assert_uint_ge(heard.comments, 2);
    ck_assert_uint_eq(heard.chunks, 0);
    chat_stream_dispose(&heard);
}
END_TEST

/* Nothing was said yet but comments: hanging up is noticed as ever. */
START_TEST(who_hangs_up_after_comments_is_noticed)
{
    chat_stream_begin(&bridge, &(struct chat_case){.model = "often"}, &clients[0]);
    ck_assert(stream_read_frames(&clients[0], 2, 2 * daemon_patience_ms()));
    http_close(&clients[0].connection);
    ck_assert_msg(replicate_sim_wait_cancelled(bridge.sim, 1, daemon_patience_ms() > 50000 ? 10000 : 1000),
                  "no cancel within a second");
}
END_TEST

static Suite *keepalive_suite(void)
{
    Suite *suite = suite_create("silent streams");
    TCase *tcase = tcase_create("comments");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, comments_say_what_a_silent_stream_waits_for);
    tcase_add_test(tcase, what_fails_after_comments_alone_fails_with_one_frame);
    tcase_add_test(tcase, who_hangs_up_after_comments_is_noticed);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(keepalive_suite());
}
