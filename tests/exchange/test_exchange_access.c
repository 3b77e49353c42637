/* Who may ask: from which address, with which key, and with whose Replicate token. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "check_main.h"
#include "fake_door.h"

static struct network network_of(const char *text)
{
    struct network network;
    ck_assert(network_parse(text, &network));
    return network;
}

/* ---- addresses ---- */

static const struct {
    const char *path, *peer, *forwarded, *second_forwarded;
    bool uses_forwarded, is_allowed;
} visits[] = {
    {"/v1/models", "10.1.2.3", NULL, NULL, false, true},
    {"/v1/models", "192.0.2.1", NULL, NULL, false, false},
    {"/v1/models", NULL, NULL, NULL, false, false},
    {"/metrics", "192.0.2.1", NULL, NULL, false, false},
    {"/v1/nowhere", "192.0.2.1", NULL, NULL, false, false},
    {"/health", "192.0.2.1", NULL, NULL, false, true},
    {"/v1/health/liveliness", "192.0.2.1", NULL, NULL, false, true},
    {"/healthz", NULL, NULL, NULL, false, true},
    {"/readyz", "192.0.2.1", NULL, NULL, false, true},

    /* what a client says of itself counts only where it was told to */
    {"/v1/models", "192.0.2.1", "10.1.2.3", NULL, false, false},
    {"/v1/models", "192.0.2.1", "10.1.2.3", NULL, true, true},
    {"/v1/models", "10.1.2.3", "192.0.2.1", NULL, true, false},
    {"/v1/models", "10.1.2.3", NULL, NULL, true, true},

    /* and then only what the last proxy says of it */
    {"/v1/models", "192.0.2.1", "10.1.2.3, 192.0.2.1", NULL, true, false},
    {"/v1/models", "192.0.2.1", "10.1.2.3", "192.0.2.1", true, false},
    {"/v1/models", "192.0.2.1", "203.0.113.1", "203.0.113.2, 10.1.2.3", true, true},
    {"/v1/models", "10.1.2.3", "10.1.2.3, unknown", NULL, true, false},
    {"/v1/models", "10.1.2.3", "", NULL, true, false},
};

START_TEST(only_addresses_of_the_list_may_come_in)
{
    struct network networks[] = {network_of("198.51.100.7"), network_of("10.0.0.0/8")};
    bench.config.allowed_ips = networks;
    bench.config.allowed_ip_count = 2;
    bench.config.use_x_forwarded_for = visits[_i].uses_forwarded;
    struct door *door = door_new("GET", visits[_i].path);
    door->peer = visits[_i].peer;
    if (visits[_i].forwarded != NULL)
        door_header(door, "X-Forwarded-For", visits[_i].forwarded);
    if (visits[_i].second_forwarded != NULL)
        door_header(door, "x-forwarded-for", visits[_i].second_forwarded);
    door_open(door, -1);
    if (visits[_i].is_allowed)
        door_expect_status(door, 200);
    else
        door_expect_error(door, ERROR_ACCESS_DENIED);
    door_close(door, true);
}
END_TEST

/* ---- keys ---- */

START_TEST(a_key_that_has_expired_opens_nothing)
{
    struct key key = {
        .name = "alice", .digest = BENCH_ALICE_DIGEST, .expires_s = clock_wall_s() + (_i == 0 ? 3600 : 0)};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    struct door *door = door_new("GET", "/v1/models");
    door_header(door, "Authorization", "Bearer test-key-alice");
    door_open(door, -1);
    if (_i == 0)
        door_expect_status(door, 200);
    else
        door_expect_error(door, ERROR_WRONG_KEY);
    door_close(door, true);
}
END_TEST

/* ---- tokens of clients ---- */

static struct door *chat_with(const char *header, const char *value)
{
    bench.writer.token = NULL;
    return door_post(BENCH_CHAT_PATH, BENCH_CHAT, header, value);
}

START_TEST(the_token_of_a_client_runs_its_predictions)
{
    struct door *door = chat_with("Authorization", "Bearer test-token-of-carol");
    door_expect_waiting(door);
    ck_assert_str_eq(fake_prediction_at(0)->job->token, "test-token-of-carol");
    ck_assert(fake_prediction_at(0)->job->is_client_token);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_expect_status(door, 200);
    door_close(door, true);
}
END_TEST

START_TEST(the_operator_s_token_never_gives_way_to_a_client_s)
{
    struct door *door = door_post(BENCH_CHAT_PATH, BENCH_CHAT, "X-Replicate-Token", "test-token-of-carol");
    ck_assert_str_eq(fake_prediction_at(0)->job->token, "test-token");
    ck_assert(!fake_prediction_at(0)->job->is_client_token);
    fake_prediction_succeed(fake_prediction_at(0), "Hi");
    door_close(door, true);
}
END_TEST

START_TEST(without_a_token_nothing_is_started)
{
    struct door *door = chat_with(NULL, NULL);
    door_expect_error(door, ERROR_NO_KEY);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_close(door, true);
}
END_TEST

START_TEST(a_token_that_would_break_a_header_starts_nothing)
{
    struct door *door = chat_with("x-api-key", "test\r\nX-Evil: 1");
    door_expect_error(door, ERROR_WRONG_KEY);
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_close(door, true);
}
END_TEST

START_TEST(a_token_that_replicate_refuses_is_the_client_s_fault)
{
    struct error error = {0};
    error_set(&error, ERROR_UPSTREAM_AUTHENTICATION, NULL, "Replicate refused this server's API token (HTTP 401).");
    struct door *door = _i == 0 ? chat_with("api-key", "test-token-of-carol") : door_chat(BENCH_CHAT);
    fake_prediction_fail(fake_prediction_at(0), &error);
    door_expect_error(door, _i == 0 ? ERROR_WRONG_KEY : ERROR_UPSTREAM_AUTHENTICATION);
    json_t *json = door_json(door);
    const char *message = json_text(json_object_get(json, "error"), "message");
    ck_assert_int_eq(strstr(message, "this server's") == NULL, _i == 0);
    json_decref(json);
    door_close(door, true);
}
END_TEST

START_TEST(beside_a_key_the_token_has_a_header_of_its_own)
{
    struct key key = {.name = "alice", .digest = BENCH_ALICE_DIGEST};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    bench.writer.token = NULL;
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_header(door, "Authorization", "Bearer test-key-alice");
    if (_i == 0)
        door_header(door, "x-replicate-token", "test-token-of-carol");
    door_open(door, (int64_t)strlen(BENCH_CHAT));
    door_body(door, BENCH_CHAT);
    door_done(door);
    if (_i == 0) {
        ck_assert_str_eq(fake_prediction_at(0)->job->token, "test-token-of-carol");
        fake_prediction_succeed(fake_prediction_at(0), "Hi");
    } else {
        door_expect_error(door, ERROR_NO_KEY);
    }
    door_close(door, true);
}
END_TEST

START_TEST(nobody_joins_what_another_token_runs)
{
    struct key key = {.name = "alice", .digest = BENCH_ALICE_DIGEST};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    bench.writer.token = NULL;
    static const char *const tokens[] = {"test-token-of-carol", "test-token-of-dave"};
    struct door *doors[2];
    for (int i = 0; i < 2; i++) {
        doors[i] = door_new("POST", BENCH_CHAT_PATH);
        door_header(doors[i], "Authorization", "Bearer test-key-alice");
        door_header(doors[i], "Idempotency-Key", "one");
        door_header(doors[i], "x-replicate-token", tokens[i]);
        door_open(doors[i], (int64_t)strlen(BENCH_CHAT));
        door_body(doors[i], BENCH_CHAT);
        door_done(doors[i]);
    }
    ck_assert_uint_eq(fake_predictions_count(), 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_ptr_null(fake_prediction_at(i)->job->follow_id);
        fake_prediction_succeed(fake_prediction_at(i), "Hi");
        door_close(doors[i], true);
    }
}
END_TEST

static Suite *exchange_access_suite(void)
{
    Suite *suite = suite_create("exchange: who may ask");
    TCase *tcase = tcase_create("access");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_loop_test(tcase, only_addresses_of_the_list_may_come_in, 0, sizeof visits / sizeof visits[0]);
    tcase_add_loop_test(tcase, a_key_that_has_expired_opens_nothing, 0, 2);
    tcase_add_test(tcase, the_token_of_a_client_runs_its_predictions);
    tcase_add_test(tcase, the_operator_s_token_never_gives_way_to_a_client_s);
    tcase_add_test(tcase, without_a_token_nothing_is_started);
    tcase_add_test(tcase, a_token_that_would_break_a_header_starts_nothing);
    tcase_add_loop_test(tcase, a_token_that_replicate_refuses_is_the_client_s_fault, 0, 2);
    tcase_add_loop_test(tcase, beside_a_key_the_token_has_a_header_of_its_own, 0, 2);
    tcase_add_test(tcase, nobody_joins_what_another_token_runs);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exchange_access_suite());
}
