/* HTTP itself: framings that two readers could understand differently, requests that never end, clients that go away,
 * methods and paths, connections that are kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "bridge.h"
#include "check_main.h"

#define CHAT "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
#define BODY "{\"model\":\"writer\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define BODY_LENGTH "62"

static struct bridge bridge;

static void set_up(void)
{
    ck_assert_uint_eq(strlen(BODY), strtoul(BODY_LENGTH, NULL, 10));
    bridge_start(&bridge, NULL, "read_timeout: 500ms\n");
}

static void tear_down(void)
{
    ck_assert_int_eq(bridge_get(&bridge, "/health/liveliness", NULL), 200);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    bridge_stop(&bridge);
}

static struct http_connection *connect_and_send(const char *text)
{
    struct http_connection *client = http_connect(bridge.port);
    ck_assert_ptr_nonnull(client);
    ck_assert(http_send_text(client, text));
    return client;
}

static void expect_nothing_created(void)
{
    struct sim_counters counters;
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, 0);
}

/* ---- framing ---- */

static const char *const smuggled[] = {
    CHAT "Content-Length: " BODY_LENGTH "\r\nContent-Length: 5\r\n\r\n" BODY,
    CHAT "Content-Length: " BODY_LENGTH "\r\nContent-Length: " BODY_LENGTH "\r\n\r\n" BODY,
    CHAT "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    CHAT "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    CHAT "Content-Length : " BODY_LENGTH "\r\n\r\n" BODY,
    CHAT "Content-Length:\r\n " BODY_LENGTH "\r\n\r\n" BODY,
    CHAT "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    CHAT "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    CHAT "Transfer-Encoding: gzip\r\n\r\n",
    CHAT "Transfer-Encoding: chunked, gzip\r\n\r\n",
    CHAT "Transfer-Encoding: identity\r\n\r\n",
};

START_TEST(a_body_whose_length_is_doubtful_is_refused_and_the_connection_closed)
{
    struct http_connection *client = connect_and_send(smuggled[_i]);
    struct http_response response = {0};
    ck_assert_msg(http_read(client, &response, daemon_patience_ms()), "no complete answer arrived");
    bridge_expect_error(&response, 400, NULL, NULL);
    http_response_dispose(&response);
    ck_assert_msg(http_wait_closed(client, daemon_patience_ms()), "the connection stays open, with bytes nobody owns");
    http_close(&client);
    expect_nothing_created();
}
END_TEST

/* libmicrohttpd refuses these before anybody else sees them; what counts is that it does, and goes on. */
static const char *const malformed[] = {
    "nonsense\r\n\r\n",
    "GET\r\n\r\n",
    CHAT "Content-Length: -1\r\n\r\n" BODY,
    CHAT "Content-Length: 99999999999999999999999\r\n\r\n" BODY,
    CHAT "Content-Length: 0x10\r\n\r\n" BODY,
    CHAT "Content-Length: 5 5\r\n\r\n" BODY,
    CHAT "Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n",
    "GET /health/liveliness HTTP/9.9\r\nHost: h\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
};

START_TEST(a_malformed_head_is_refused_or_hung_up_on)
{
    struct http_connection *client = connect_and_send(malformed[_i]);
    struct http_response response = {0};
    ck_assert(http_half_close(client));
    if (http_read(client, &response, daemon_patience_ms()))
        ck_assert_msg(response.status >= 400 && response.status < 600, "status %d", response.status);
    http_response_dispose(&response);
    http_close(&client);
    expect_nothing_created();
}
END_TEST

START_TEST(headers_that_are_too_large_are_refused)
{
    struct http_connection *client = connect_and_send("GET /v1/models HTTP/1.1\r\nHost: h\r\nX-Filler: ");
    size_t length = 256 * 1024;
    char *filler = xmalloc(length);
    memset(filler, 'x', length);
    if (http_send(client, filler, length))
        http_send_text(client, "\r\n\r\n");
    free(filler);
    struct http_response response = {0};
    if (http_read(client, &response, daemon_patience_ms()))
        ck_assert_msg(response.status >= 400 && response.status < 500, "status %d", response.status);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

/* Many clients send all of a body before they read: the answer must not be lost on a connection closed meanwhile. */
START_TEST(an_early_refusal_reaches_a_client_that_writes_first)
{
    enum { BODY_BYTES = 12 * 1000 * 1000 };
    struct http_connection *client =
        connect_and_send("POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 12000000\r\n\r\n");
    char *bytes = xcalloc(1, BODY_BYTES);
    struct http_response response = {0};
    ck_assert_msg(http_send(client, bytes, BODY_BYTES), "the connection was closed before the body was out");
    ck_assert(http_read(client, &response, daemon_patience_ms()));
    bridge_expect_error(&response, 404, NULL, NULL);
    http_response_dispose(&response);
    http_close(&client);
    free(bytes);
}
END_TEST

/* ---- time ---- */

static const char *const unfinished[] = {
    "",
    "POST /v1/chat",
    CHAT,
    CHAT "Content-Length: " BODY_LENGTH "\r\n\r\n",
    CHAT "Content-Length: " BODY_LENGTH "\r\n\r\n{\"model\"",
    CHAT "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"mod\r\n",
};

START_TEST(a_request_that_never_ends_is_hung_up_on)
{
    struct http_connection *client = connect_and_send(unfinished[_i]);
    struct http_response response = {0};
    /* With or without a word of farewell. */
    enum http_progress progress = http_read_head(client, &response, daemon_patience_ms());
    while (progress == HTTP_MORE)
        progress = http_read_piece(client, &response, daemon_patience_ms());
    ck_assert_msg(progress != HTTP_LATE, "the connection is still open");
    if (progress == HTTP_END)
        ck_assert_int_ge(response.status, 400);
    http_response_dispose(&response);
    http_close(&client);
    expect_nothing_created();
}
END_TEST

START_TEST(bytes_that_trickle_in_do_not_extend_the_time)
{
    struct http_connection *client = connect_and_send(CHAT "Content-Length: " BODY_LENGTH "\r\n\r\n");
    http_send_slowly(client, BODY, strlen(BODY), 1, 100);
    struct http_response response = {0};
    bool answered = http_read(client, &response, daemon_patience_ms());
    ck_assert_msg(!answered || response.status >= 400, "six seconds of trickling were answered with %d",
                  response.status);
    http_response_dispose(&response);
    http_close(&client);
    expect_nothing_created();
}
END_TEST

START_TEST(a_request_in_small_pieces_is_read_like_any_other)
{
    struct http_connection *client = http_connect(bridge.port);
    static const char request[] = CHAT "Content-Length: " BODY_LENGTH "\r\n\r\n" BODY;
    ck_assert(http_send_slowly(client, request, sizeof request - 1, 16, 1));
    struct http_response response = {0};
    ck_assert(http_read(client, &response, daemon_patience_ms()));
    ck_assert_int_eq(response.status, 200);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

/* ---- heads and the room for them ---- */

#define MANY_BODY "{\"model\":\"writer\",\"n\":60,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

/* A head of about so many bytes, in headers of this length, before a request for 60 choices. */
static char *large_head(size_t bytes, int value_bytes)
{
    struct buf text;
    buf_init(&text, 64 * 1024);
    buf_append_text(&text, CHAT);
    for (int i = 0; text.length < bytes; i++)
        buf_printf(&text, "x-filler-%d: %0*d\r\n", i, value_bytes, i);
    buf_printf(&text, "Content-Length: %zu\r\n\r\n%s", strlen(MANY_BODY), MANY_BODY);
    return buf_take(&text, NULL);
}

/* The ids of 60 predictions are a long header: where a large head leaves no room for it, the answer comes without. */
START_TEST(what_was_paid_for_is_answered_however_large_the_head)
{
    static const int value_bytes[] = {10, 60, 700};
    for (size_t bytes = 1000; bytes < 9000; bytes += 1000) {
        struct sim_counters before, after;
        struct http_response response = {0};
        char *text = large_head(bytes, value_bytes[_i]), id[64];
        replicate_sim_counters(bridge.sim, &before);
        struct http_connection *client = connect_and_send(text);
        ck_assert_msg(http_read(client, &response, daemon_patience_ms()), "a head of %zu bytes: no answer", bytes);
        replicate_sim_counters(bridge.sim, &after);
        ck_assert_uint_eq(after.created - before.created, response.status == 200 ? 60 : 0);
        ck_assert_msg(bytes > 1500 || response.status == 200, "a head of %zu bytes: %d", bytes, response.status);
        ck_assert(response.status != 200 || http_answer_header(&response, "x-request-id", id, sizeof id));
        http_response_dispose(&response);
        http_close(&client);
        free(text);
    }
}
END_TEST

/* ---- clients that go away ---- */

START_TEST(clients_that_leave_in_the_middle_of_anything_leave_nothing_behind)
{
    struct http_connection *first = connect_and_send("GET /health/liveliness HTTP/1.1\r\nHost: h\r\n\r\n");
    struct http_response response = {0};
    ck_assert(http_read(first, &response, daemon_patience_ms()));
    long before = daemon_descriptors(bridge.daemon);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof unfinished / sizeof *unfinished; i++) {
            struct http_connection *client = connect_and_send(unfinished[i]);
            if (round % 2 == 0)
                http_reset(&client);
            else
                http_close(&client);
        }
    bridge_expect_descriptors(&bridge, before + 2);
    http_response_dispose(&response);
    http_close(&first);
    expect_nothing_created();
}
END_TEST

/* ---- paths and methods ---- */

static const struct {
    const char *method, *path;
    int status;
    const char *code, *allow;
} strange[] = {
    {"GET", "/unknown", 404, NULL, NULL},
    {"GET", "/v1", 404, NULL, NULL},
    {"POST", "/v1/chat/completion", 404, NULL, NULL},
    {"GET", "/v1/chat/completions/more", 404, NULL, NULL},
    {"GET", "/v2/models", 404, NULL, NULL},
    {"GET", "/../etc/passwd", 404, NULL, NULL},
    {"GET", "/v1/models/no-such-model", 404, "model_not_found", NULL},
    {"GET", "/v1/chat/completions", 405, "method_not_supported", "POST"},
    {"DELETE", "/v1/chat/completions", 405, "method_not_supported", "POST"},
    {"PUT", "/chat/completions", 405, "method_not_supported", "POST"},
    {"POST", "/v1/models", 405, "method_not_supported", "GET"},
    {"DELETE", "/v1/models", 405, "method_not_supported", "GET"},
    {"POST", "/health/liveliness", 405, "method_not_supported", "GET"},
    {"DELETE", "/metrics", 405, "method_not_supported", "GET"},
    {"BREW", "/v1/models", 405, "method_not_supported", "GET"},
};

START_TEST(an_unknown_path_or_method_is_told_so)
{
    const struct http_request request = {.method = strange[_i].method, .path = strange[_i].path};
    struct http_response response = {0};
    char allow[64];
    ck_assert(http_exchange(bridge.port, &request, &response, daemon_patience_ms()));
    bridge_expect_error(&response, strange[_i].status, strange[_i].code, "*");
    http_answer_header(&response, "allow", allow, sizeof allow);
    if (strange[_i].allow != NULL)
        ck_assert_msg(strstr(allow, strange[_i].allow) != NULL, "Allow is \"%s\"", allow);
    http_response_dispose(&response);
}
END_TEST

START_TEST(head_gives_the_headers_of_get_and_no_body)
{
    static const char *const paths[] = {"/v1/models", "/health/liveliness", "/metrics"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct http_connection *client = http_connect(bridge.port);
        struct http_response response = {0};
        ck_assert(http_send_request(client, &(struct http_request){.method = "HEAD", .path = paths[i]}));
        ck_assert(http_read(client, &response, daemon_patience_ms()));
        ck_assert_int_eq(response.status, 200);
        ck_assert_uint_gt(response.content_length, 0);
        /* A body would stand before the next answer. */
        ck_assert(http_send_request(client, &(struct http_request){.path = "/health/liveliness"}));
        ck_assert(http_read(client, &response, daemon_patience_ms()));
        ck_assert_str_eq(response.body, "\"I'm alive!\"");
        http_response_dispose(&response);
        http_close(&client);
    }
}
END_TEST

/* ---- connections ---- */

START_TEST(one_connection_serves_one_request_after_the_other)
{
    struct http_connection *client = http_connect(bridge.port);
    struct http_response response = {0};
    for (int i = 0; i < 20; i++) {
        bool wrong = i % 3 == 1;
        const struct http_request request = {.path = "/v1/chat/completions", .body = wrong ? "nonsense" : BODY};
        ck_assert(http_send_request(client, &request));
        ck_assert_msg(http_read(client, &response, daemon_patience_ms()), "the connection ended at request %d", i);
        ck_assert_int_eq(response.status, wrong ? 400 : 200);
    }
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

START_TEST(requests_sent_ahead_are_answered_in_their_order)
{
    static const char ahead[] = "GET /health/liveliness HTTP/1.1\r\nHost: h\r\n\r\n" CHAT "Content-Length: " BODY_LENGTH
                                "\r\n\r\n" BODY "GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n"
                                "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n";
    static const struct {
        int status;
        const char *text;
    } expected[] = {{200, "alive"}, {200, "chat.completion"}, {200, "\"writer\""}, {404, "error"}};
    struct http_connection *client = connect_and_send(ahead);
    struct http_response response = {0};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ck_assert_msg(http_read(client, &response, daemon_patience_ms()), "answer %zu did not arrive", i);
        ck_assert_int_eq(response.status, expected[i].status);
        ck_assert_ptr_nonnull(strstr(response.body, expected[i].text));
    }
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

START_TEST(connection_close_is_honoured)
{
    struct http_connection *client =
        connect_and_send("GET /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    struct http_response response = {0};
    ck_assert(http_read(client, &response, daemon_patience_ms()));
    ck_assert_int_eq(response.status, 200);
    ck_assert(http_wait_closed(client, daemon_patience_ms()));
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

START_TEST(a_client_that_asks_first_is_told_to_go_on)
{
    struct http_connection *client =
        connect_and_send(CHAT "Expect: 100-continue\r\nContent-Length: " BODY_LENGTH "\r\n\r\n");
    struct http_response response = {0};
    ck_assert(http_send_text(client, BODY));
    ck_assert(http_read(client, &response, daemon_patience_ms()));
    ck_assert_int_eq(response.status, 200);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

static void add_framing(Suite *suite)
{
    TCase *tcase = tcase_create("framing and time");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_body_whose_length_is_doubtful_is_refused_and_the_connection_closed, 0,
                        sizeof smuggled / sizeof *smuggled);
    tcase_add_loop_test(tcase, a_malformed_head_is_refused_or_hung_up_on, 0, sizeof malformed / sizeof *malformed);
    tcase_add_test(tcase, headers_that_are_too_large_are_refused);
    tcase_add_test(tcase, an_early_refusal_reaches_a_client_that_writes_first);
    tcase_add_loop_test(tcase, a_request_that_never_ends_is_hung_up_on, 0, sizeof unfinished / sizeof *unfinished);
    tcase_add_test(tcase, bytes_that_trickle_in_do_not_extend_the_time);
    tcase_add_test(tcase, a_request_in_small_pieces_is_read_like_any_other);
    tcase_add_loop_test(tcase, what_was_paid_for_is_answered_however_large_the_head, 0, 3);
    tcase_add_test(tcase, clients_that_leave_in_the_middle_of_anything_leave_nothing_behind);
    suite_add_tcase(suite, tcase);
}

static Suite *wire_suite(void)
{
    Suite *suite = suite_create("wire");
    add_framing(suite);
    TCase *tcase = tcase_create("paths and connections");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, an_unknown_path_or_method_is_told_so, 0, sizeof strange / sizeof *strange);
    tcase_add_test(tcase, head_gives_the_headers_of_get_and_no_body);
    tcase_add_test(tcase, one_connection_serves_one_request_after_the_other);
    tcase_add_test(tcase, requests_sent_ahead_are_answered_in_their_order);
    tcase_add_test(tcase, connection_close_is_honoured);
    tcase_add_test(tcase, a_client_that_asks_first_is_told_to_go_on);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(wire_suite());
}
