/* The page at `/` of the running program: what it shows, who may see it, and that it harms nobody who looks. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/utf8.h"
#include "bridge.h"
#include "check_main.h"

static struct bridge bridge;
static struct http_response page;

static void tear_down(void)
{
    http_response_dispose(&page);
    bridge_stop(&bridge);
}

static void get(const char *header)
{
    char *request = xasprintf("GET / HTTP/1.1\r\nHost: localhost\r\n%s\r\n", header);
    struct http_connection *connection = http_connect(bridge.port);
    http_response_dispose(&page);
    page = (struct http_response){0};
    ck_assert(http_send_text(connection, request));
    ck_assert(http_read(connection, &page, daemon_patience_ms()));
    http_close(&connection);
    free(request);
}

/* A worker tells what it runs a moment later. */
static void wait_shown(const char *part)
{
    int64_t until_ms = clock_now_ms() + daemon_patience_ms();
    do
        get("");
    while (strstr(page.body, part) == NULL && clock_now_ms() < until_ms);
    ck_assert_msg(strstr(page.body, part) != NULL, "the page never shows %s", part);
}

START_TEST(it_shows_models_what_runs_and_what_failed)
{
    static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};
    bridge_start(&bridge, &held, "");
    get("");
    ck_assert_int_eq(page.status, 200);
    ck_assert_ptr_nonnull(strstr(page.body, "<code>" BRIDGE_MODEL "</code>"));
    ck_assert_ptr_nonnull(strstr(page.body, "Nothing runs now."));
    struct http_connection *client = bridge_chat_begin(&bridge, "writer", "hold the line");
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    wait_shown("<td>starting</td>");
    ck_assert_ptr_null(strstr(page.body, "hold the line"));
    http_close(&client);
    wait_shown("Nothing runs now.");
    struct http_response refused = {0};
    bridge_chat(&bridge, "nobody", "hello", &refused);
    http_response_dispose(&refused);
    wait_shown("404 model_not_found");
}
END_TEST

START_TEST(a_name_that_is_too_long_is_cut_between_characters)
{
    char name[2 * 60 + 1] = "";
    struct http_response refused = {0};
    for (size_t i = 0; i < 60; i++)
        memcpy(name + 2 * i, "\xC3\xA9", 3);
    bridge_start(&bridge, NULL, "");
    bridge_chat(&bridge, name, "hello", &refused);
    http_response_dispose(&refused);
    wait_shown("404 model_not_found");
    for (size_t at = 0, length = strlen(page.body), step; at < length; at += step)
        ck_assert_uint_gt(step = utf8_sequence(page.body + at, length - at), 0);
}
END_TEST

START_TEST(that_the_daemon_has_enough_to_do_does_not_spoil_the_health_of_a_model)
{
    static const struct sim_plan held = {.model = BRIDGE_MODEL, .official = true, .boot_ms = SIM_HOLD};
    struct http_response refused = {0};
    bridge_start(&bridge, &held, "max_in_flight: 1\n");
    struct http_connection *client = bridge_chat_begin(&bridge, "writer", "hold the line");
    ck_assert(replicate_sim_wait_created(bridge.sim, 1, daemon_patience_ms()));
    bridge_chat(&bridge, "writer", "hello", &refused);
    ck_assert_int_eq(refused.status, 503);
    http_response_dispose(&refused);
    wait_shown("503 overloaded");
    ck_assert_ptr_nonnull(strstr(page.body, "not used yet"));
    http_close(&client);
}
END_TEST

START_TEST(a_browser_is_told_to_run_nothing_else_and_to_keep_nothing)
{
    char policy[400], cache[40];
    bridge_start(&bridge, NULL, "");
    get("");
    ck_assert(http_answer_header(&page, "content-security-policy", policy, sizeof policy));
    ck_assert_ptr_nonnull(strstr(policy, "default-src 'none'"));
    char *nonce = strstr(policy, "'nonce-");
    ck_assert_ptr_nonnull(nonce);
    nonce += strlen("'nonce-");
    nonce[strcspn(nonce, "'")] = '\0';
    char *script = xasprintf("<script nonce=\"%s\">", nonce);
    ck_assert_ptr_nonnull(strstr(page.body, script));
    free(script);
    ck_assert(http_answer_header(&page, "cache-control", cache, sizeof cache));
    ck_assert_str_eq(cache, "no-store");
}
END_TEST

static const struct {
    const char *header;
    int status;
} visitors[] = {
    {"", 401},
    {"Authorization: Bearer wrong\r\n", 401},
    {"Authorization: Bearer test-key\r\n", 200},
    {"x-api-key: test-key\r\n", 200},
    {"Authorization: Basic YW55Ym9keTp0ZXN0LWtleQ==\r\n", 200}, /* anybody:test-key */
    {"Authorization: Basic YW55Ym9keTp3cm9uZw==\r\n", 401},     /* anybody:wrong */
    {"Authorization: Basic dGVzdC1rZXk=\r\n", 401},             /* test-key, without a name */
    {"Authorization: Basic ****\r\n", 401},
};

START_TEST(where_there_are_keys_it_asks_for_one)
{
    char challenge[80];
    bridge_start(&bridge, NULL, "keys: [{name: operator, key: test-key}]\n");
    get(visitors[_i].header);
    ck_assert_int_eq(page.status, visitors[_i].status);
    if (page.status == 200)
        return;
    ck_assert(http_answer_header(&page, "www-authenticate", challenge, sizeof challenge));
    ck_assert_ptr_nonnull(strstr(challenge, "Basic realm="));
    ck_assert_ptr_null(strstr(page.body, BRIDGE_MODEL));
}
END_TEST

static Suite *status_page_suite(void)
{
    Suite *suite = suite_create("status page");
    TCase *tcase = tcase_create("page");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, it_shows_models_what_runs_and_what_failed);
    tcase_add_test(tcase, a_name_that_is_too_long_is_cut_between_characters);
    tcase_add_test(tcase, that_the_daemon_has_enough_to_do_does_not_spoil_the_health_of_a_model);
    tcase_add_test(tcase, a_browser_is_told_to_run_nothing_else_and_to_keep_nothing);
    tcase_add_loop_test(tcase, where_there_are_keys_it_asks_for_one, 0, sizeof visitors / sizeof visitors[0]);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(status_page_suite());
}
