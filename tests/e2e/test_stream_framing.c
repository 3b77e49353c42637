/* How a stream's body is framed, to every kind of client of HTTP/1: the head and the pieces have different authors, who
 * must agree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "bridge.h"
#include "chat_stream.h"
#include "check_main.h"

#define BODY "{\"model\":\"writer\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

static struct bridge bridge;

static const char *const greeting[] = {"Hello", ", ", "you."};

static const struct sim_plan greeter = {.model = BRIDGE_MODEL,
                                        .official = true,
                                        .pieces = greeting,
                                        .piece_count = sizeof greeting / sizeof *greeting,
                                        .piece_ms = 20,
                                        .tokens = SIM_TOKENS_METRICS,
                                        .stream.offered = true};

static void set_up(void)
{
    bridge_start(&bridge, &greeter, "");
}

static void tear_down(void)
{
    bridge_stop(&bridge);
}

static void append_request(struct buf *out, const char *version, const char *header)
{
    buf_printf(out,
               "POST /v1/chat/completions HTTP/%s\r\nHost: h\r\nContent-Type: application/json\r\n%s"
               "Content-Length: %zu\r\n\r\n" BODY,
               version, header, strlen(BODY));
}

/* What is left when the framing is taken away are the events, and nothing else. */
static void expect_events(struct http_connection *client, int framing)
{
    static const char end[] = "\n\ndata: [DONE]\n\n";
    struct http_response answer = {0};
    ck_assert_msg(http_read(client, &answer, daemon_patience_ms()), "the answer is not complete");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_int_eq((int)answer.framing, framing);
    ck_assert_uint_gt(answer.body_length, strlen(end));
    ck_assert_str_eq(answer.body + answer.body_length - strlen(end), end);
    const char *event = answer.body;
    for (const char *after; *event != '\0'; event = after + 2) {
        ck_assert_msg(strncmp(event, "data: ", 6) == 0, "no event begins here: %s", event);
        after = strstr(event, "\n\n");
        ck_assert_ptr_nonnull(after);
    }
    http_response_dispose(&answer);
}

static const struct manner {
    const char *version, *header;
    int framing;
    bool closes;
} manners[] = {
    {"1.1", "", HTTP_CHUNKED, false},
    {"1.1", "Connection: keep-alive\r\n", HTTP_CHUNKED, false},
    {"1.1", "Connection: close\r\n", HTTP_CHUNKED, true},
    {"1.2", "", HTTP_CHUNKED, false},
    {"1.0", "", HTTP_BY_CLOSE, true},
    {"1.0", "Connection: keep-alive\r\n", HTTP_BY_CLOSE, true},
};

START_TEST(a_stream_is_framed_as_its_head_says)
{
    const struct manner *manner = &manners[_i];
    struct buf request;
    buf_init(&request, 4096);
    append_request(&request, manner->version, manner->header);
    struct http_connection *client = http_connect(bridge.port);
    ck_assert(http_send_text(client, buf_text(&request)));
    expect_events(client, manner->framing);
    if (manner->closes) {
        ck_assert(http_wait_closed(client, daemon_patience_ms()));
    } else {
        ck_assert(http_send_text(client, buf_text(&request)));
        expect_events(client, manner->framing);
    }
    http_close(&client);
    buf_dispose(&request);
}
END_TEST

START_TEST(a_request_that_came_while_a_stream_ran_is_served_after_it)
{
    struct buf requests;
    buf_init(&requests, 4096);
    append_request(&requests, "1.1", "");
    append_request(&requests, "1.1", "");
    struct http_connection *client = http_connect(bridge.port);
    ck_assert(http_send_text(client, buf_text(&requests)));
    expect_events(client, HTTP_CHUNKED);
    expect_events(client, HTTP_CHUNKED);
    http_close(&client);
    buf_dispose(&requests);
}
END_TEST

static Suite *stream_framing_suite(void)
{
    Suite *suite = suite_create("stream_framing");
    TCase *tcase = tcase_create("framing");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_stream_is_framed_as_its_head_says, 0, sizeof manners / sizeof *manners);
    tcase_add_test(tcase, a_request_that_came_while_a_stream_ran_is_served_after_it);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(stream_framing_suite());
}
