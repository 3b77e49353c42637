/* The status page: everything filled in, everything escaped. */
#include "server/status_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"
#include "config_case.h"

static struct board *board;
static struct config *config;
static struct buf page;
static const struct key *visitor; /* NULL = one that may use all */

static void setup(void)
{
    config_case_setup();
    visitor = NULL;
    board = board_new();
    buf_init(&page, 1 << 20);
    config = config_case_must_load("models:\n  \"<b>&'\\\"\": acme/one\n  plain: acme/two\n  \"any/*\": \"any/*\"\n");
}

static void teardown(void)
{
    buf_dispose(&page);
    config_unref(config);
    board_free(board);
    config_case_teardown();
}

static const char *render(bool is_draining)
{
    buf_clear(&page);
    status_page_write(&(struct status_view){config, board, visitor, is_draining, "abc123"}, &page);
    return buf_text(&page);
}

static void expect(const char *part)
{
    ck_assert_msg(strstr(buf_text(&page), part) != NULL, "the page lacks: %s", part);
}

START_TEST(no_comment_of_ours_is_left_over)
{
    ck_assert_ptr_null(strstr(render(false), "<!--"));
    expect("<!doctype html>");
    expect("</html>");
    expect("<script nonce=\"abc123\">");
}
END_TEST

START_TEST(names_are_escaped_wherever_they_stand)
{
    ck_assert_ptr_null(strstr(render(false), "<b>&"));
    expect("<code>&lt;b&gt;&amp;&#39;&quot;</code>");
    expect("<option value=\"&lt;b&gt;&amp;&#39;&quot;\">");
}
END_TEST

START_TEST(the_form_offers_names_and_no_patterns)
{
    render(false);
    expect("<option value=\"plain\">");
    ck_assert_ptr_null(strstr(buf_text(&page), "<option value=\"any/*\">"));
    expect("<code>any/*</code>");
}
END_TEST

START_TEST(what_runs_and_what_failed_is_shown)
{
    struct board_run run = {.alias = "plain", .id = "abcdefg", .state = "starting"};
    struct board_error error = {.at_s = 1, .alias = "plain", .request_id = "req_1", .kind = ERROR_TIMEOUT};
    render(false);
    expect("Nothing runs now.");
    expect("None since the start.");
    expect("not used yet");
    board_publish(board, 0, &run, 1, 1);
    board_failed(board, &error);
    board_note(board, config_find_route(config, "plain")->metrics_index, ERROR_TIMEOUT);
    render(false);
    expect("<td>starting</td>");
    expect("<code>abcdefg</code>");
    expect("<td>1970-01-01 00:00:01Z</td>");
    expect("504 timeout");
    expect("<code>req_1</code>");
    expect("ago: timeout</span>");
}
END_TEST

static void publish(const char *name)
{
    struct board_run run = {.state = "starting"};
    struct board_error error = {.at_s = 1, .kind = ERROR_TIMEOUT};
    snprintf(run.alias, sizeof run.alias, "%s", name);
    snprintf(run.id, sizeof run.id, "run-of-%s", name);
    snprintf(error.alias, sizeof error.alias, "%s", name);
    snprintf(error.request_id, sizeof error.request_id, "error-of-%s", name);
    board_publish(board, strlen(name), &run, 1, 1);
    board_failed(board, &error);
}

/* Of others it sees the sums alone, neither their names nor their ids. */
START_TEST(a_key_sees_only_what_it_may_use)
{
    char *models[] = {"plain"};
    const struct key bound = {.models = models, .model_count = 1};
    publish("plain");
    publish("any/secret");
    publish("");
    visitor = &bound;
    render(false);
    expect("<option value=\"plain\">");
    expect("run-of-plain");
    expect("error-of-plain");
    ck_assert_ptr_null(strstr(buf_text(&page), "any/"));
    ck_assert_ptr_null(strstr(buf_text(&page), "&lt;b&gt;"));
    ck_assert_ptr_null(strstr(buf_text(&page), "error-of-<"));
    visitor = NULL;
    render(false);
    expect("run-of-any/secret");
    expect("error-of-any/secret");
    expect("error-of-<");
}
END_TEST

START_TEST(it_says_when_the_daemon_shuts_down)
{
    render(false);
    expect("Ready.");
    render(true);
    expect("Shutting down");
}
END_TEST

START_TEST(a_browser_runs_only_what_carries_the_nonce)
{
    char policy[300];
    status_page_policy("abc123", policy, sizeof policy);
    ck_assert_ptr_nonnull(strstr(policy, "script-src 'nonce-abc123'"));
    ck_assert_ptr_nonnull(strstr(policy, "default-src 'none'"));
    ck_assert_ptr_null(strstr(policy, "unsafe"));
}
END_TEST

static Suite *status_page_suite(void)
{
    Suite *suite = suite_create("status_page");
    TCase *tcase = tcase_create("status_page");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, no_comment_of_ours_is_left_over);
    tcase_add_test(tcase, names_are_escaped_wherever_they_stand);
    tcase_add_test(tcase, the_form_offers_names_and_no_patterns);
    tcase_add_test(tcase, what_runs_and_what_failed_is_shown);
    tcase_add_test(tcase, a_key_sees_only_what_it_may_use);
    tcase_add_test(tcase, it_says_when_the_daemon_shuts_down);
    tcase_add_test(tcase, a_browser_runs_only_what_carries_the_nonce);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(status_page_suite());
}
