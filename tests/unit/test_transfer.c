/* One transfer: what goes out, and what every kind of answer and every kind of failure is reported as. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/version.h"
#include "check_main.h"
#include "transfer_fixture.h"

#define LENGTH_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* ---- what goes out ---- */

static const struct script_answer ok = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", SCRIPT_KEEP, 0, 0};

START_TEST(a_get_carries_the_token_and_no_body)
{
    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_get("/v1/predictions/abc");
    request.token = "test-token";
    struct seen seen = fixture_fetch(&request);
    ck_assert_int_eq(seen.result, TRANSFER_ANSWERED);
    ck_assert_int_eq(seen.status, 200);
    ck_assert_str_eq(seen.body, "ok");
    ck_assert_str_eq(seen.detail, "");
    const char *sent = script_server_request(fixture_server, 0);
    ck_assert_ptr_eq(strstr(sent, "GET /v1/predictions/abc HTTP/1.1\r\n"), sent);
    ck_assert_ptr_nonnull(strstr(sent, "\r\nAuthorization: Bearer test-token\r\n"));
    ck_assert_ptr_nonnull(strstr(sent, "\r\nUser-Agent: replibridge/" REPLIBRIDGE_VERSION "\r\n"));
    ck_assert_ptr_null(strstr(sent, "Content-Type"));
    ck_assert_ptr_null(strstr(sent, "Accept-Encoding"));
}
END_TEST

START_TEST(at_the_end_of_a_turn_what_was_started_goes_out_without_another_turn)
{
    struct seen seen = {0};
    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_get("/");
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED); /* its connection is kept */
    transfer_start(fixture_transfers, &request, fixture_on_done, &seen);
    transfers_turn(fixture_transfers);
    int64_t end_ms = clock_now_ms() + 10000;
    while (script_server_requests(fixture_server) < 2)
        ck_assert_int_lt(clock_now_ms(), end_ms);
    fixture_run(&seen.calls, 1); /* on a slow machine the answer has come within that turn already */
}
END_TEST

START_TEST(without_a_token_there_is_no_authorization)
{
    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_get("/");
    fixture_fetch(&request);
    ck_assert_ptr_null(strstr(script_server_request(fixture_server, 0), "Authorization"));
}
END_TEST

START_TEST(a_post_is_sent_whole_whether_or_not_it_may_be_repeated)
{
    static char body[2 << 20];
    script_server_play(fixture_server, &ok, 1);
    memset(body, 'x', sizeof(body) - 1);
    struct transfer_request request = fixture_post(body);
    request.never_repeat = _i == 1;
    struct seen seen = fixture_fetch(&request);
    ck_assert_int_eq(seen.result, TRANSFER_ANSWERED);
    const char *sent = script_server_request(fixture_server, 0);
    ck_assert_str_eq(strstr(sent, "\r\n\r\n") + 4, body);
    ck_assert_ptr_nonnull(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    ck_assert_ptr_null(strstr(sent, "Expect:"));
    ck_assert_ptr_null(strstr(sent, "Transfer-Encoding"));
}
END_TEST

START_TEST(an_empty_post_says_that_it_is_empty)
{
    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_post("");
    request.never_repeat = _i == 1;
    fixture_fetch(&request);
    const char *sent = script_server_request(fixture_server, 0);
    ck_assert_ptr_eq(strstr(sent, "POST /predictions HTTP/1.1\r\n"), sent);
    ck_assert_ptr_nonnull(strstr(sent, "\r\nContent-Length: 0\r\n"));
    ck_assert_ptr_null(strstr(sent, "Content-Type"));
}
END_TEST

START_TEST(a_body_that_is_handed_over_is_sent_whole_and_not_copied)
{
    struct buf body;
    buf_init(&body, 100);
    ck_assert(buf_append(&body, "some \"bytes\"", 12));
    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_post("");
    request.body = NULL;
    request.body_taken = &body;
    request.never_repeat = _i == 1;
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    ck_assert_ptr_null(body.data);
    ck_assert_uint_eq(body.length, 0);
    ck_assert(buf_append_text(&body, "again"));
    buf_dispose(&body);
    const char *sent = script_server_request(fixture_server, 0);
    ck_assert_str_eq(strstr(sent, "\r\n\r\n") + 4, "some \"bytes\"");
    ck_assert_ptr_nonnull(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(sent, "\r\nContent-Length: 12\r\n"));
}
END_TEST

START_TEST(a_delete_has_neither_body_nor_type)
{
    static const struct script_answer gone = {"HTTP/1.1 204 No Content\r\n\r\n", SCRIPT_KEEP, 0, 0};
    script_server_play(fixture_server, &gone, 1);
    struct transfer_request request = fixture_get("/v1/files/abc");
    request.method = "DELETE";
    struct seen seen = fixture_fetch(&request);
    ck_assert_int_eq(seen.result, TRANSFER_ANSWERED);
    ck_assert_int_eq(seen.status, 204);
    ck_assert_uint_eq(seen.body_length, 0);
    const char *sent = script_server_request(fixture_server, 0);
    ck_assert_ptr_eq(strstr(sent, "DELETE /v1/files/abc HTTP/1.1\r\n"), sent);
    ck_assert_ptr_null(strstr(sent, "Content-"));
    ck_assert_ptr_null(strstr(sent, "Transfer-Encoding"));
}
END_TEST

START_TEST(further_headers_go_out_and_cannot_smuggle_others)
{
    char type_name[] = "content-type", type[] = "text/plain", empty_name[] = "X-Empty", empty[] = "";
    char evil_name[] = "X-Evil", evil[] = "a\r\nX-Smuggled: b";
    char agent_name[] = "user-agent", agent[] = "mine/1";
    struct header headers[] = {{type_name, type}, {empty_name, empty}, {evil_name, evil}, {agent_name, agent}};
    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_post("{}");
    request.headers = headers;
    request.header_count = 4;
    fixture_fetch(&request);
    const char *sent = script_server_request(fixture_server, 0);
    ck_assert_ptr_nonnull(strstr(sent, "\r\ncontent-type: text/plain\r\n"));
    ck_assert_ptr_null(strstr(sent, "application/json"));
    ck_assert_ptr_nonnull(strstr(sent, "\r\nuser-agent: mine/1\r\n"));
    ck_assert_ptr_null(strstr(sent, "replibridge/"));
    ck_assert_ptr_nonnull(strstr(sent, "\r\nX-Empty:\r\n"));
    ck_assert_ptr_null(strstr(sent, "\r\nX-Smuggled"));
}
END_TEST

START_TEST(a_reused_handle_keeps_nothing_of_its_last_transfer)
{
    script_server_play(fixture_server, &ok, 1);
    fixture_renew(&(struct transfers_options){.max_active = 1});
    struct transfer_request requests[] = {fixture_post("{\"first\":1}"),  fixture_get("/second"), fixture_post(""),
                                          fixture_post("{\"fourth\":1}"), fixture_get("/fifth"),  fixture_get("/sixth"),
                                          fixture_post("{\"seventh\":1}")};
    requests[0].token = "test-token";
    requests[3].never_repeat = true;
    requests[4].method = "DELETE";
    for (int i = 0; i < LENGTH_OF(requests); i++) {
        struct transfer_request request = requests[i];
        char url[128];
        snprintf(url, sizeof(url), "http://127.0.0.1:%d/%d", script_server_port(fixture_server), i);
        request.url = url;
        ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
        const char *sent = script_server_request(fixture_server, (size_t)i);
        ck_assert_int_eq(strncmp(sent, requests[i].method, strlen(requests[i].method)), 0);
        ck_assert_int_eq(sent[strlen(requests[i].method)], ' ');
        ck_assert_str_eq(strstr(sent, "\r\n\r\n") + 4, requests[i].body ? requests[i].body : "");
        ck_assert_int_eq(strstr(sent, "Authorization") != NULL, i == 0);
    }
}
END_TEST

/* ---- answers ---- */

struct answer_case {
    struct script_answer answer;
    enum transfer_result result;
    int status;
    const char *body; /* of an answer; else a part of the detail, NULL = any */
};

#define HEAD "HTTP/1.1 200 OK\r\n"

static const struct answer_case answer_cases[] = {
    {{HEAD "Content-Length: 5\r\n\r\nhello", SCRIPT_KEEP, 0, 0}, TRANSFER_ANSWERED, 200, "hello"},
    {{HEAD "Content-Length: 5\r\n\r\nhello", SCRIPT_KEEP, 1, 0}, TRANSFER_ANSWERED, 200, "hello"},
    {{HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", SCRIPT_KEEP, 0, 0},
     TRANSFER_ANSWERED,
     200,
     "hello"},
    {{HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", SCRIPT_KEEP, 1, 0},
     TRANSFER_ANSWERED,
     200,
     "hello"},
    {{HEAD "\r\nuntil the end", SCRIPT_CLOSE, 0, 0}, TRANSFER_ANSWERED, 200, "until the end"},
    {{"HTTP/1.0 200 OK\r\n\r\nold", SCRIPT_CLOSE, 0, 0}, TRANSFER_ANSWERED, 200, "old"},
    {{"HTTP/1.1 204 No Content\r\n\r\n", SCRIPT_KEEP, 0, 0}, TRANSFER_ANSWERED, 204, ""},
    {{"HTTP/1.1 500 Broken\r\nContent-Length: 4\r\n\r\noops", SCRIPT_CLOSE, 0, 0}, TRANSFER_ANSWERED, 500, "oops"},
    {{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", SCRIPT_KEEP, 0, 0},
     TRANSFER_ANSWERED,
     302,
     ""},
    {{"HTTP/1.1 102 Processing\r\nRetry-After: 9\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nhi",
      SCRIPT_KEEP, 0, 0},
     TRANSFER_ANSWERED,
     201,
     "hi"},
    /* More than announced: what was announced counts. */
    {{HEAD "Content-Length: 2\r\n\r\nhello", SCRIPT_KEEP, 0, 0}, TRANSFER_ANSWERED, 200, "he"},
    {{HEAD "Content-Length: 50\r\n\r\nhello", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{HEAD "Content-Length: 50\r\n\r\nhello", SCRIPT_RESET, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{HEAD "Transfer-Encoding: chunked\r\n\r\n9\r\nhel", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nhe\r\n", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{HEAD "Content-Length: many\r\n\r\nhello", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{HEAD "Content-Length: -5\r\n\r\nhello", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{HEAD "Content-Le", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, "within the answer's headers"},
    {{HEAD, SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, "within the answer's headers"},
    {{"HTTP/1.1 100 Continue\r\n\r\n", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{"HTTP/1", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{"220 mail.example ready\r\n", SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{NULL, SCRIPT_CLOSE, 0, 0}, TRANSFER_LOST, 0, "mpty reply"},
    {{NULL, SCRIPT_RESET, 0, 0}, TRANSFER_LOST, 0, NULL},
    {{HEAD "\r\nmore and more ", SCRIPT_ENDLESS, 0, 19}, TRANSFER_LOST, 0, "longer than 1048576 bytes"},
    {{HEAD "Content-Length: 2000000\r\n\r\nmore and more ", SCRIPT_ENDLESS, 0, 44},
     TRANSFER_LOST,
     0,
     "longer than 1048576 bytes"},
    {{HEAD "X-Filler: filler filler filler filler filler filler filler\r\n", SCRIPT_ENDLESS, 0, 17},
     TRANSFER_LOST,
     0,
     NULL},
};

START_TEST(an_answer_is_reported_as_what_it_is)
{
    const struct answer_case *row = &answer_cases[_i];
    script_server_play(fixture_server, &row->answer, 1);
    struct transfer_request request = fixture_get("/secret-path?key=secret");
    struct seen seen = fixture_fetch(&request);
    ck_assert_msg(seen.result == row->result, "result %d, status %d: %s", (int)seen.result, seen.status, seen.detail);
    ck_assert_int_eq(seen.status, row->status);
    if (row->result == TRANSFER_ANSWERED) {
        ck_assert_str_eq(seen.body, row->body);
        ck_assert_uint_eq(seen.body_length, strlen(row->body));
        ck_assert_str_eq(seen.detail, "");
        return;
    }
    ck_assert_uint_eq(seen.body_length, 0);
    ck_assert_str_ne(seen.detail, "");
    ck_assert_msg(!row->body || strstr(seen.detail, row->body), "the detail is: %s", seen.detail);
    ck_assert_ptr_null(strstr(seen.detail, "secret"));
}
END_TEST

START_TEST(an_answer_of_just_the_limit_is_taken)
{
    script_server_play(fixture_server, &answer_cases[_i].answer, 1);
    struct transfer_request request = fixture_get("/");
    request.max_answer_bytes = 5;
    ck_assert_str_eq(fixture_fetch(&request).body, "hello");
    request.max_answer_bytes = 4;
    struct seen seen = fixture_fetch(&request);
    ck_assert_int_eq(seen.result, TRANSFER_LOST);
    ck_assert_ptr_nonnull(strstr(seen.detail, "longer than 4 bytes"));
}
END_TEST

/* ---- header lines of an answer ---- */

struct wait_case {
    const char *line;
    int64_t retry_after_ms, remaining, reset_ms;
};

static const struct wait_case wait_cases[] = {
    {"X-Other: 5", -1, -1, -1},
    {"Retry-After: 12", 12000, -1, -1},
    {"retry-after:0", 0, -1, -1},
    {"RETRY-AFTER:   0.25  ", 250, -1, -1},
    {"Retry-After: 1.0001", 1001, -1, -1},
    {"Retry-After: 7.", 7000, -1, -1},
    {"Retry-After: -3", -1, -1, -1},
    {"Retry-After: soon", -1, -1, -1},
    {"Retry-After: 5 apples", -1, -1, -1},
    {"Retry-After:", -1, -1, -1},
    {"Retry-After: 99999999999999999999999999", 1000000000000, -1, -1},
    {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", 0, -1, -1},
    {"Retry-After: Sunday, 06-Nov-94 08:49:37 GMT", 0, -1, -1},
    {"Retry-After: Sun Nov  6 08:49:37 1994", 0, -1, -1},
    {"Retry-After: Sun, 06 Nov 9999 08:49:37 GMT", 1000000000000, -1, -1},
    {"Retry-After-Not: 4", -1, -1, -1},
    {"ratelimit-remaining: 599\r\nratelimit-reset: 1", -1, 599, 1000},
    {"RateLimit-Remaining: 0\r\nRateLimit-Reset: 0.5\r\nRetry-After: 2", 2000, 0, 500},
    {"ratelimit-remaining: few\r\nratelimit-reset: later", -1, -1, -1},
    {"ratelimit-remaining: -1", -1, -1, -1},
};

static struct seen fetch_with_line(const char *line)
{
    static char text[512];
    static struct script_answer answer = {.bytes = text};
    snprintf(text, sizeof(text), "HTTP/1.1 429 Slow down\r\n%s\r\nContent-Length: 0\r\n\r\n", line);
    script_server_play(fixture_server, &answer, 1);
    struct transfer_request request = fixture_get("/");
    return fixture_fetch(&request);
}

START_TEST(headers_that_name_a_wait_are_understood)
{
    const struct wait_case *row = &wait_cases[_i];
    struct seen seen = fetch_with_line(row->line);
    ck_assert_int_eq(seen.status, 429);
    ck_assert_int_eq(seen.retry_after_ms, row->retry_after_ms);
    ck_assert_int_eq(seen.ratelimit_remaining, row->remaining);
    ck_assert_int_eq(seen.ratelimit_reset_ms, row->reset_ms);
}
END_TEST

START_TEST(a_date_to_come_is_the_time_until_then)
{
    time_t then = (time_t)clock_wall_s() + 90;
    struct tm parts;
    char line[128];
    gmtime_r(&then, &parts);
    strftime(line, sizeof(line), "Retry-After: %a, %d %b %Y %H:%M:%S GMT", &parts);
    struct seen seen = fetch_with_line(line);
    ck_assert_int_le(seen.retry_after_ms, 90000);
    ck_assert_int_ge(seen.retry_after_ms, 75000);
}
END_TEST

/* ---- nothing was sent, or perhaps it was ---- */

static int closed_port(void)
{
    struct script_server *server = script_server_start();
    int port = script_server_port(server);
    script_server_stop(server);
    return port;
}

START_TEST(a_refused_connection_is_unreachable)
{
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/?key=secret", closed_port());
    struct transfer_request request = fixture_post("{}");
    request.url = url;
    request.never_repeat = true;
    struct seen seen = fixture_fetch(&request);
    ck_assert_int_eq(seen.result, TRANSFER_UNREACHABLE);
    ck_assert_int_eq(seen.status, 0);
    ck_assert_str_ne(seen.detail, "");
    ck_assert_ptr_null(strstr(seen.detail, "secret"));
}
END_TEST

static const char *const hopeless_urls[] = {
    "", "no url at all", "ftp://127.0.0.1/x", "file:///etc/hostname", "http://127.0.0.1:99999/",
};

START_TEST(a_url_that_leads_nowhere_is_unreachable)
{
    struct transfer_request request = fixture_get("/");
    request.url = hopeless_urls[_i];
    struct seen seen = fixture_fetch(&request);
    ck_assert_int_eq(seen.result, TRANSFER_UNREACHABLE);
    ck_assert_uint_eq(script_server_connections(fixture_server), 0);
}
END_TEST

START_TEST(a_tls_handshake_that_comes_to_nothing_is_unreachable)
{
    char url[64];
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", script_server_port(fixture_server));
    struct transfer_request request = fixture_post("{}");
    request.url = url;
    if (_i == 0)
        script_server_hang_up(fixture_server);
    else
        request.timeout_ms = 100; /* the server waits in silence for a request it understands */
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_UNREACHABLE);
    ck_assert_uint_eq(script_server_requests(fixture_server), 0);
}
END_TEST

START_TEST(a_hang_up_at_the_door_is_lost_since_the_request_may_have_been_taken)
{
    script_server_hang_up(fixture_server);
    struct transfer_request request = fixture_post("{}");
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_LOST);
}
END_TEST

START_TEST(a_proxy_that_refuses_is_unreachable)
{
    char proxy[64];
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", closed_port());
    fixture_renew(&(struct transfers_options){.proxy = proxy});
    struct transfer_request request = fixture_get("/");
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_UNREACHABLE);
    ck_assert_uint_eq(script_server_connections(fixture_server), 0);
}
END_TEST

START_TEST(a_proxy_is_used_when_configured_and_only_then)
{
    char proxy[64];
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", script_server_port(fixture_server));
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    script_server_play(fixture_server, &ok, 1);
    struct transfer_request request = fixture_get("/direct");
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    fixture_renew(&(struct transfers_options){.proxy = proxy});
    request.url = "http://replicate.invalid/proxied";
    ck_assert_int_eq(fixture_fetch(&request).result, TRANSFER_ANSWERED);
    const char *sent = script_server_request(fixture_server, 1);
    ck_assert_ptr_eq(strstr(sent, "GET http://replicate.invalid/proxied HTTP/1.1\r\n"), sent);
}
END_TEST

START_TEST(silence_is_lost_when_its_time_is_over)
{
    static const struct script_answer silence = {NULL, SCRIPT_KEEP, 0, 0};
    script_server_play(fixture_server, &silence, 1);
    struct transfer_request request = fixture_post("{}");
    request.timeout_ms = 50;
    int64_t began_ms = clock_now_ms();
    struct seen seen = fixture_fetch(&request);
    ck_assert_int_eq(seen.result, TRANSFER_LOST);
    ck_assert_int_ge(clock_now_ms() - began_ms, 49);
    ck_assert_uint_eq(script_server_requests(fixture_server), 1);
}
END_TEST

START_TEST(a_token_that_the_server_echoes_is_masked_in_the_detail)
{
    static const struct script_answer echo = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: test-token-0123456789\r\n\r\n",
                                              SCRIPT_CLOSE, 0, 0};
    script_server_play(fixture_server, &echo, 1);
    struct transfer_request request = fixture_get("/");
    request.token = "test-token-0123456789";
    struct seen seen = fixture_fetch(&request);
    ck_assert_ptr_null(strstr(seen.detail, "0123456789"));
}
END_TEST

static Suite *transfer_suite(void)
{
    Suite *suite = suite_create("transfer");
    TCase *cases = tcase_create("one transfer");
    tcase_add_checked_fixture(cases, fixture_setup, fixture_teardown);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, a_get_carries_the_token_and_no_body);
    tcase_add_test(cases, at_the_end_of_a_turn_what_was_started_goes_out_without_another_turn);
    tcase_add_test(cases, without_a_token_there_is_no_authorization);
    tcase_add_loop_test(cases, a_post_is_sent_whole_whether_or_not_it_may_be_repeated, 0, 2);
    tcase_add_loop_test(cases, an_empty_post_says_that_it_is_empty, 0, 2);
    tcase_add_loop_test(cases, a_body_that_is_handed_over_is_sent_whole_and_not_copied, 0, 2);
    tcase_add_test(cases, a_delete_has_neither_body_nor_type);
    tcase_add_test(cases, further_headers_go_out_and_cannot_smuggle_others);
    tcase_add_test(cases, a_reused_handle_keeps_nothing_of_its_last_transfer);
    tcase_add_loop_test(cases, an_answer_is_reported_as_what_it_is, 0, LENGTH_OF(answer_cases));
    tcase_add_loop_test(cases, an_answer_of_just_the_limit_is_taken, 0, 4);
    tcase_add_loop_test(cases, headers_that_name_a_wait_are_understood, 0, LENGTH_OF(wait_cases));
    tcase_add_test(cases, a_date_to_come_is_the_time_until_then);
    tcase_add_test(cases, a_refused_connection_is_unreachable);
    tcase_add_loop_test(cases, a_url_that_leads_nowhere_is_unreachable, 0, LENGTH_OF(hopeless_urls));
    tcase_add_loop_test(cases, a_tls_handshake_that_comes_to_nothing_is_unreachable, 0, 2);
    tcase_add_test(cases, a_hang_up_at_the_door_is_lost_since_the_request_may_have_been_taken);
    tcase_add_test(cases, a_proxy_that_refuses_is_unreachable);
    tcase_add_test(cases, a_proxy_is_used_when_configured_and_only_then);
    tcase_add_test(cases, silence_is_lost_when_its_time_is_over);
    tcase_add_test(cases, a_token_that_the_server_echoes_is_masked_in_the_detail);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(transfer_suite());
}
