/* Bodies that are broken, huge or deep: each gets one clear error, and the program is afterwards what it was before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "bridge.h"
#include "check_main.h"

static struct bridge bridge;
static long descriptors;

static void set_up(void)
{
    bridge_start(&bridge, NULL, "max_body: 64KiB\n");
    ck_assert_int_eq(bridge_get(&bridge, "/health/liveliness", NULL), 200);
    descriptors = daemon_descriptors(bridge.daemon);
}

/* The program serves, holds nothing of what was sent, and has told Replicate nothing. */
static void tear_down(void)
{
    struct http_response response = {0};
    bridge_chat(&bridge, "writer", "all well", &response);
    ck_assert_int_eq(response.status, 200);
    http_response_dispose(&response);
    struct sim_counters counters;
    replicate_sim_counters(bridge.sim, &counters);
    ck_assert_uint_eq(counters.created, 1);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    /* One connection to Replicate is kept for the next request. */
    bridge_expect_descriptors(&bridge, descriptors + 2);
    bridge_stop(&bridge);
}

static void send_body(const char *body, size_t length, struct http_response *response)
{
    const struct http_request request = {.path = "/v1/chat/completions", .body = body, .body_length = length};
    ck_assert_msg(http_exchange(bridge.port, &request, response, daemon_patience_ms()), "no complete answer arrived");
}

/* ---- JSON ---- */

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define WRITER "\"model\":\"writer\","

static const struct {
    const char *body;
    const char *code;  /* NULL = null */
    const char *param; /* NULL = null, "*" = any */
} refused[] = {
    /* no JSON at all */
    {"nonsense", NULL, NULL},
    {"{", NULL, NULL},
    {"{\"model\":\"writer\",}", NULL, NULL},
    {"{'model':'writer'}", NULL, NULL},
    {"{\"model\":\"writer\"} trailing", NULL, NULL},
    {"{" WRITER MESSAGES "}{}", NULL, NULL},
    {"\xEF\xBB\xBF{", NULL, NULL},
    {"{\"model\":\"wr\xFFiter\"," MESSAGES "}", NULL, NULL},
    {"{\"model\":\"\xC0\xAF\"," MESSAGES "}", NULL, NULL},
    {"{\"model\":\"\xED\xA0\x80\"," MESSAGES "}", NULL, NULL},
    {"{\"model\":\"\\ud800\"," MESSAGES "}", NULL, NULL},
    {"{\"model\":\"\\udc00\\ud800\"," MESSAGES "}", NULL, NULL},
    {"{\"model\":\"\\uZZZZ\"," MESSAGES "}", NULL, NULL},
    {"{\"model\":\"a\nb\"," MESSAGES "}", NULL, NULL},
    {"{" WRITER MESSAGES ",\"n\":01}", NULL, NULL},
    {"{" WRITER MESSAGES ",\"temperature\":NaN}", NULL, NULL},
    {"{" WRITER MESSAGES ",\"temperature\":Infinity}", NULL, NULL},
    {" ", NULL, NULL},
    /* JSON, but no object */
    {"[]", "invalid_type", NULL},
    {"null", "invalid_type", NULL},
    {"\"writer\"", "invalid_type", NULL},
    {"42", "invalid_type", NULL},
    /* an object, but no request */
    {"{}", "missing_required_parameter", "*"},
    {"{" MESSAGES "}", "missing_required_parameter", "model"},
    {"{\"model\":null," MESSAGES "}", "*", "model"},
    {"{\"model\":7," MESSAGES "}", "invalid_type", "model"},
    {"{\"model\":[]," MESSAGES "}", "invalid_type", "model"},
    {"{\"model\":\"writer\"}", "missing_required_parameter", "messages"},
    {"{" WRITER "\"messages\":[]}", "invalid_value", "messages"},
    {"{" WRITER "\"messages\":{}}", "invalid_type", "messages"},
    {"{" WRITER "\"messages\":\"hi\"}", "invalid_type", "messages"},
    {"{" WRITER "\"messages\":[null]}", "invalid_type", "messages[0]"},
    {"{" WRITER "\"messages\":[\"hi\"]}", "invalid_type", "messages[0]"},
    {"{" WRITER "\"messages\":[[]]}", "invalid_type", "messages[0]"},
    {"{" WRITER "\"messages\":[{}]}", "missing_required_parameter", "messages[0].role"},
    {"{" WRITER "\"messages\":[{\"role\":\"user\"}]}", "missing_required_parameter", "messages[0].content"},
    {"{" WRITER "\"messages\":[{\"role\":\"user\",\"content\":true}]}", "invalid_type", "messages[0].content"},
    {"{" WRITER "\"messages\":[{\"role\":\"king\",\"content\":\"hi\"}]}", "invalid_value", "messages[0].role"},
    {"{" WRITER "\"messages\":[{\"role\":9,\"content\":\"hi\"}]}", "invalid_type", "messages[0].role"},
    {"{" WRITER MESSAGES ",\"stream\":\"yes\"}", "invalid_type", "stream"},
    {"{" WRITER MESSAGES ",\"temperature\":\"hot\"}", "invalid_type", "temperature"},
    {"{" WRITER MESSAGES ",\"temperature\":[]}", "invalid_type", "temperature"},
    {"{" WRITER MESSAGES ",\"n\":0}", "invalid_value", "n"},
    {"{" WRITER MESSAGES ",\"n\":-1}", "invalid_value", "n"},
    {"{" WRITER MESSAGES ",\"n\":129}", "invalid_value", "n"},
    {"{" WRITER MESSAGES ",\"n\":1e308}", "*", "n"},
    {"{" WRITER MESSAGES ",\"n\":123456789012345678901234567890}", "*", "n"},
    {"{" WRITER MESSAGES ",\"n\":1.5}", "*", "n"},
    {"{" WRITER MESSAGES ",\"max_tokens\":\"1\"}", "invalid_type", "max_tokens"},
    {"{" WRITER MESSAGES ",\"max_tokens\":-5}", "invalid_value", "max_tokens"},
    {"{" WRITER MESSAGES ",\"stop\":{}}", "invalid_type", "stop"},
    {"{" WRITER MESSAGES ",\"response_format\":7}", "invalid_type", "response_format"},
    {"{" WRITER MESSAGES ",\"tools\":{}}", "invalid_type", "tools"},
};

START_TEST(a_body_that_is_no_request_gets_one_clear_error)
{
    struct http_response response = {0};
    char retry[8];
    send_body(refused[_i].body, 0, &response);
    if (refused[_i].code != NULL && strcmp(refused[_i].code, "*") == 0)
        ck_assert_msg(response.status == 400, "status %d: %s", response.status, response.body);
    bridge_expect_error(&response, 400, refused[_i].code, refused[_i].param);
    ck_assert(http_answer_header(&response, "x-request-id", retry, sizeof retry));
    ck_assert(http_answer_header(&response, "x-should-retry", retry, sizeof retry));
    ck_assert_str_eq(retry, "false");
    http_response_dispose(&response);
}
END_TEST

START_TEST(an_empty_body_is_no_request)
{
    struct http_response response = {0};
    const struct http_request request = {
        .method = "POST", .path = "/v1/chat/completions", .headers = "Content-Length: 0\r\n"};
    ck_assert(http_exchange(bridge.port, &request, &response, daemon_patience_ms()));
    bridge_expect_error(&response, 400, NULL, NULL);
    http_response_dispose(&response);
}
END_TEST

START_TEST(a_nul_byte_is_refused_wherever_it_stands)
{
    static const char raw[] = "{\"model\":\"wri\0ter\"," MESSAGES "}";
    static const char after[] = "{" WRITER MESSAGES "}\0";
    struct http_response response = {0};
    send_body(raw, sizeof raw - 1, &response);
    bridge_expect_error(&response, 400, NULL, NULL);
    send_body(after, sizeof after - 1, &response);
    bridge_expect_error(&response, 400, NULL, NULL);
    send_body("{\"model\":\"wri\\u0000ter\"," MESSAGES "}", 0, &response);
    ck_assert_int_ge(response.status, 400);
    ck_assert_int_lt(response.status, 500);
    http_response_dispose(&response);
}
END_TEST

/* `levels` times `open`, a 1, and as often `close`; behind a member's name where it is an object. */
static char *nested(size_t levels, const char *open, const char *close)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_append_text(&text, "{" WRITER MESSAGES ",\"metadata\":");
    for (size_t i = 0; i < levels; i++)
        buf_append_text(&text, open);
    buf_append_text(&text, "1");
    for (size_t i = 0; i < levels; i++)
        buf_append_text(&text, close);
    buf_append_text(&text, "}");
    return buf_take(&text, NULL);
}

static const struct {
    const char *open, *close;
} brackets[] = {{"[", "]"}, {"{\"a\":", "}"}, {"[", ""}};

START_TEST(nesting_of_10000_levels_is_refused)
{
    struct http_response response = {0};
    char *body = nested(_i == 1 ? 9000 : 10000, brackets[_i].open, brackets[_i].close);
    send_body(body, 0, &response);
    free(body);
    bridge_expect_error(&response, 400, NULL, NULL);
    http_response_dispose(&response);
}
END_TEST

static const char *const harmless[] = {
    "{" WRITER MESSAGES ",\"user\":\"\\ud83d\\ude00\"}",
    "{" WRITER MESSAGES ",\"seed\":123456789012345678901234567890}",
    "{" WRITER MESSAGES ",\"temperature\":1e-400}",
    "{" WRITER MESSAGES ",\"metadata\":null,\"user\":\"\"}",
    "\r\n\t {" WRITER MESSAGES "} \r\n",
    "{\"model\":\"unknown\",\"model\":\"writer\"," MESSAGES "}",
};

START_TEST(what_is_odd_is_answered_with_200_or_a_clear_400)
{
    struct http_response response = {0};
    send_body(harmless[_i], 0, &response);
    if (response.status != 200)
        bridge_expect_error(&response, 400, "*", "*");
    http_response_dispose(&response);
}
END_TEST

/* ---- sizes ---- */

START_TEST(a_body_over_the_limit_is_refused_before_it_is_sent)
{
    struct http_connection *client = http_connect(bridge.port);
    struct http_response response = {0};
    ck_assert(http_send_text(client,
                             "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
                             "Content-Length: 50000000\r\n\r\n"));
    ck_assert(http_read(client, &response, daemon_patience_ms()));
    bridge_expect_error(&response, 413, "request_too_large", NULL);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

START_TEST(a_body_just_over_the_limit_is_refused_however_it_is_sent)
{
    size_t length = 64 * 1024 + 1;
    char *body = xmalloc(length + 1);
    memset(body, ' ', length);
    body[length] = '\0';
    struct http_response response = {0};
    send_body(body, length, &response);
    bridge_expect_error(&response, 413, "request_too_large", NULL);

    struct http_connection *client = http_connect(bridge.port);
    ck_assert(http_send_text(client,
                             "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "10001\r\n"));
    ck_assert(http_send(client, body, length));
    ck_assert(http_send_text(client, "\r\n0\r\n\r\n"));
    free(body);
    ck_assert(http_read(client, &response, daemon_patience_ms()));
    bridge_expect_error(&response, 413, "request_too_large", NULL);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

START_TEST(a_body_at_the_limit_is_read)
{
    static const char request[] = "{" WRITER MESSAGES "}";
    size_t length = 64 * 1024;
    char *body = xmalloc(length + 1);
    memset(body, ' ', length);
    memcpy(body, request, sizeof request - 1);
    body[length] = '\0';
    struct http_response response = {0};
    send_body(body, length, &response);
    free(body);
    ck_assert_msg(response.status == 200, "status %d: %s", response.status, response.body);
    http_response_dispose(&response);
}
END_TEST

static void shut_down_echo(void)
{
    struct sim_counters counters;
    replicate_sim_counters(bridge.sim, &counters);
    bridge_expect_metric(&bridge, "replibridge_predictions", 0);
    ck_assert_uint_eq(counters.running, 0);
    bridge_stop(&bridge);
}

static Suite *hostile_suite(void)
{
    Suite *suite = suite_create("hostile bodies");
    TCase *tcase = tcase_create("refused");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, a_body_that_is_no_request_gets_one_clear_error, 0, sizeof refused / sizeof *refused);
    tcase_add_test(tcase, an_empty_body_is_no_request);
    tcase_add_test(tcase, a_nul_byte_is_refused_wherever_it_stands);
    tcase_add_loop_test(tcase, nesting_of_10000_levels_is_refused, 0, sizeof brackets / sizeof *brackets);
    tcase_add_test(tcase, a_body_over_the_limit_is_refused_before_it_is_sent);
    tcase_add_test(tcase, a_body_just_over_the_limit_is_refused_however_it_is_sent);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("odd");
    tcase_add_checked_fixture(tcase, set_up, shut_down_echo);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, what_is_odd_is_answered_with_200_or_a_clear_400, 0, sizeof harmless / sizeof *harmless);
    tcase_add_test(tcase, a_body_at_the_limit_is_read);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(hostile_suite());
}
