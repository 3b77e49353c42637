/* What the log says of a request when it ends. */
#include "fake_door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "check_main.h"

#define CHAT "{\"model\":\"writer\",\"messages\":[{\"role\":\"user\",\"content\":\"the-prompt\"}]}"
#define STREAM "{\"model\":\"writer\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"the-prompt\"}]}"

static void expect_number(const json_t *line, const char *name, json_int_t number)
{
    const json_t *value = json_object_get(line, name);
    ck_assert_msg(json_is_integer(value), "%s is not in the line", name);
    ck_assert_msg(json_integer_value(value) == number, "%s is %lld", name, (long long)json_integer_value(value));
}

START_TEST(a_line_tells_where_the_time_went)
{
    struct door *door = door_chat(CHAT);
    fake_loop_advance(bench.worker.loop, 9000);
    struct outcome *outcome = outcome_new();
    outcome->succeeded = true;
    outcome->output = json_string("Hi");
    outcome->created_after_ms = 100;
    outcome->running_after_ms = 8000;
    outcome->finished_after_ms = 9000;
    outcome->usage = (struct usage){.reported = true, .input_tokens = 3, .output_tokens = 2};
    fake_prediction_finish(fake_prediction_at(0), outcome);
    fake_loop_advance(bench.worker.loop, 10);
    door_close(door, true);
    json_t *line = bench_log_line(0);
    expect_number(line, "queued_ms", 0);
    expect_number(line, "started_ms", 0);
    expect_number(line, "created_ms", 100);
    expect_number(line, "booted_ms", 8000);
    expect_number(line, "finished_ms", 9000);
    expect_number(line, "total_ms", 9010);
    expect_number(line, "input_tokens", 3);
    expect_number(line, "output_tokens", 2);
    expect_number(line, "bytes_in", (json_int_t)strlen(CHAT));
    ck_assert_ptr_null(json_object_get(line, "first_piece_ms"));
    json_decref(line);
}
END_TEST

START_TEST(a_client_that_leaves_is_told_of_with_how_far_it_came)
{
    struct door *door = door_chat(STREAM);
    fake_prediction_at(0)->times.created_ms = BENCH_START_MS + 70;
    fake_loop_advance(bench.worker.loop, 300);
    fake_prediction_at(0)->times.running_ms = BENCH_START_MS + 250;
    fake_prediction_piece(fake_prediction_at(0), "Hi");
    fake_loop_advance(bench.worker.loop, 50);
    door_hang_up(door);
    door_close(door, false);
    json_t *line = bench_log_line(0);
    ck_assert_str_eq(json_text(line, "outcome"), "client_gone");
    expect_number(line, "created_ms", 70);
    expect_number(line, "booted_ms", 250);
    expect_number(line, "first_piece_ms", 300);
    expect_number(line, "total_ms", 350);
    ck_assert_ptr_null(json_object_get(line, "finished_ms"));
    ck_assert_ptr_null(json_object_get(line, "input_tokens"));
    json_decref(line);
}
END_TEST

/* ---- what was asked ---- */

/* The whole log. The caller frees. */
static char *whole_log(void)
{
    char *text = xmalloc(64 * 1024);
    FILE *file = fopen(bench.log_path, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, 64 * 1024 - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void run(const char *body)
{
    struct door *door = door_chat(body);
    fake_prediction_succeed(fake_prediction_at(0), "the-answer");
    door_close(door, true);
}

START_TEST(prompts_are_logged_only_where_that_is_wanted)
{
    bench.config.log_prompts = _i == 1;
    run(CHAT);
    char *log = whole_log();
    ck_assert_int_eq(strstr(log, "the-prompt") != NULL, _i == 1);
    ck_assert_int_eq(strstr(log, "\"event\":\"prompt\"") != NULL, _i == 1);
    ck_assert_ptr_null(strstr(log, "the-answer"));
    free(log);
}
END_TEST

START_TEST(a_prompt_is_cut_and_shows_no_secrets_and_no_images)
{
    bench.config.log_prompts = true;
    bench.config.max_body_bytes = 100000;
    bench.writer.token = NULL;
    static char filler[20001];
    memset(filler, 'x', sizeof filler - 1);
    char *body = xasprintf("{\"model\":\"writer\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief\"},"
                           "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"my r8_hidden1 and "
                           "test-token-of-carol\"}]},{\"role\":\"user\",\"content\":\"%s the-end\"}]}",
                           filler);
    struct door *door = door_post(BENCH_CHAT_PATH, body, "Authorization", "Bearer test-token-of-carol");
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
    char *log = whole_log();
    ck_assert_ptr_nonnull(strstr(log, "\"prompt\":\"system: Be brief user: my "));
    ck_assert_ptr_null(strstr(log, "hidden1"));
    ck_assert_ptr_null(strstr(log, "carol"));
    ck_assert_ptr_null(strstr(log, "the-end"));
    ck_assert_uint_lt(strlen(log), 8192);
    free(log);
    free(body);
}
END_TEST

static Suite *exchange_log_suite(void)
{
    Suite *suite = suite_create("exchange: its line in the log");
    TCase *tcase = tcase_create("line");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, a_line_tells_where_the_time_went);
    tcase_add_test(tcase, a_client_that_leaves_is_told_of_with_how_far_it_came);
    tcase_add_loop_test(tcase, prompts_are_logged_only_where_that_is_wanted, 0, 2);
    tcase_add_test(tcase, a_prompt_is_cut_and_shows_no_secrets_and_no_images);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exchange_log_suite());
}
