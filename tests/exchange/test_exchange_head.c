/* The head of a request: what is answered at once, without a body and without a prediction. */
#include "fake_door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "check_main.h"

static void expect_closed_without_prediction(struct door *door)
{
    ck_assert_uint_eq(fake_predictions_count(), 0);
    door_close(door, true);
}

START_TEST(a_framing_error_is_answered_and_the_connection_closed)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    struct error framing;
    error_set(&framing, ERROR_BAD_REQUEST, NULL, "The request has more than one Content-Length header. Send one.");
    door->request.exchange = exchange_open(&bench.worker, &door->request, &framing);
    door_expect_error(door, ERROR_BAD_REQUEST);
    ck_assert_str_eq(door_answer(door, "Connection"), "close");
    expect_closed_without_prediction(door);
}
END_TEST

static const struct {
    const char *method, *path;
    enum error_kind kind;
    const char *allow;
} wrong[] = {
    {"GET", "/unknown", ERROR_UNKNOWN_PATH, NULL},
    {"POST", "/", ERROR_METHOD_NOT_SUPPORTED, "GET, HEAD"},
    {"POST", "/v1/completely/unknown", ERROR_UNKNOWN_PATH, NULL},
    {"GET", "/v1/models/%zz", ERROR_BAD_REQUEST, NULL},
    {"GET", "/v1/chat/completions", ERROR_METHOD_NOT_SUPPORTED, "POST"},
    {"DELETE", "/models", ERROR_METHOD_NOT_SUPPORTED, "GET, HEAD"},
    {"POST", "/health", ERROR_METHOD_NOT_SUPPORTED, "GET, HEAD"},
    {"DELETE", "/v1/health/readiness", ERROR_METHOD_NOT_SUPPORTED, "GET, HEAD"},
    {"OPTIONS", "/v1/models", ERROR_METHOD_NOT_SUPPORTED, "GET, HEAD"},
};

START_TEST(a_path_or_method_that_is_not_there_is_named)
{
    struct door *door = door_new(wrong[_i].method, wrong[_i].path);
    door_open(door, 0);
    door_expect_error(door, wrong[_i].kind);
    if (wrong[_i].allow == NULL)
        ck_assert_ptr_null(door_answer(door, "Allow"));
    else
        ck_assert_pstr_eq(door_answer(door, "Allow"), wrong[_i].allow);
    expect_closed_without_prediction(door);
}
END_TEST

START_TEST(health_is_answered_without_a_key_also_while_draining)
{
    struct key key = {.name = "alice", .digest = BENCH_ALICE_DIGEST};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    atomic_store(&bench.shared.is_draining, _i == 1);
    struct door *door = door_new(_i == 0 ? "GET" : "HEAD", "/health/readiness");
    door_open(door, -1);
    door_expect_status(door, _i == 0 ? 200 : 503);
    ck_assert_str_eq(door_answer(door, "Content-Type"), "application/json");
    ck_assert_ptr_null(door_answer(door, "x-should-retry"));
    expect_closed_without_prediction(door);
}
END_TEST

START_TEST(the_models_are_listed_at_once)
{
    struct door *door = door_new("GET", "/v1/models");
    door_open(door, -1);
    door_expect_status(door, 200);
    json_t *json = door_json(door), *data = json_object_get(json, "data");
    ck_assert_uint_eq(json_array_size(data), 1);
    ck_assert_str_eq(json_text(json_array_get(data, 0), "id"), "writer");
    json_decref(json);
    expect_closed_without_prediction(door);
}
END_TEST

START_TEST(a_model_that_is_not_there_is_an_error)
{
    struct door *door = door_new("GET", "/v1/models/nobody");
    door_open(door, -1);
    door_expect_error(door, ERROR_MODEL_NOT_FOUND);
    expect_closed_without_prediction(door);
}
END_TEST

static const struct {
    const char *header, *value;
    enum error_kind kind;
} keys[] = {
    {NULL, NULL, ERROR_NO_KEY},
    {"Authorization", "Bearer test-key-wrong", ERROR_WRONG_KEY},
    {"Authorization", "Bearer test-key-alice", ERROR_NONE},
    {"x-api-key", "test-key-alice", ERROR_NONE},
    {"api-key", "test-key-alice", ERROR_NONE},
};

START_TEST(the_key_is_checked_before_the_body_is_read)
{
    struct key key = {.name = "alice", .digest = BENCH_ALICE_DIGEST};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    if (keys[_i].header != NULL)
        door_header(door, keys[_i].header, keys[_i].value);
    door_open(door, 100);
    if (keys[_i].kind == ERROR_NONE) {
        ck_assert(!door->request.reply.is_ready);
        ck_assert_uint_eq(bench_in(EXCHANGE_READING), 1);
    } else {
        door_expect_error(door, keys[_i].kind);
    }
    expect_closed_without_prediction(door);
    json_t *line = bench_log_line(0);
    ck_assert_pstr_eq(json_text(line, "key"), keys[_i].kind == ERROR_NONE ? "alice" : NULL);
    json_decref(line);
}
END_TEST

START_TEST(a_body_announced_as_too_long_is_refused_unread)
{
    struct door *door = door_new("POST", BENCH_CHAT_PATH);
    door_open(door, bench.config.max_body_bytes + _i);
    if (_i == 0)
        ck_assert(!door->request.reply.is_ready);
    else
        door_expect_error(door, ERROR_REQUEST_TOO_LARGE);
    expect_closed_without_prediction(door);
}
END_TEST

START_TEST(nothing_new_is_begun_while_draining)
{
    static const char *const paths[][2] = {{"POST", BENCH_CHAT_PATH}, {"GET", "/v1/models"}};
    atomic_store(&bench.shared.is_draining, true);
    struct door *door = door_new(paths[_i][0], paths[_i][1]);
    door_open(door, -1);
    door_expect_error(door, ERROR_SHUTTING_DOWN);
    expect_closed_without_prediction(door);
}
END_TEST

/* ---- the id of a request ---- */

#define ID_OF_128                                                                                                      \
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"   \
    "123456789012345678"

static const struct {
    const char *given;
    bool is_taken;
} ids[] = {
    {"a", true},        {"!~abc-DEF_1:2/3", true}, {ID_OF_128, true},   {ID_OF_128 "9", false},
    {"", false},        {"two words", false},      {"tab\tbed", false}, {"r\xc3\xa9sum\xc3\xa9", false},
    {"del\x7f", false},
};

START_TEST(the_clients_own_request_id_is_kept_where_it_is_usable)
{
    struct door *door = door_new("GET", "/healthz");
    door_header(door, "X-Request-ID", ids[_i].given);
    door_open(door, -1);
    char *id = strdup(door_answer(door, "x-request-id"));
    if (ids[_i].is_taken) {
        ck_assert_str_eq(id, ids[_i].given);
    } else {
        ck_assert_uint_eq(strlen(id), 36);
        ck_assert_mem_eq(id, "req_", 4);
    }
    door_close(door, true);
    json_t *line = bench_log_line(0);
    ck_assert_pstr_eq(json_text(line, "id"), id);
    json_decref(line);
    free(id);
}
END_TEST

START_TEST(two_requests_without_an_id_get_two)
{
    char ids_given[2][64];
    for (int i = 0; i < 2; i++) {
        struct door *door = door_new("GET", "/healthz");
        door_open(door, -1);
        snprintf(ids_given[i], sizeof ids_given[i], "%s", door_answer(door, "x-request-id"));
        door_close(door, true);
    }
    ck_assert_str_ne(ids_given[0], ids_given[1]);
}
END_TEST

/* ---- browsers ---- */

/* A cache between must not give an answer without the origin's header to a page that needs it. */
START_TEST(answers_vary_by_origin_where_any_is_allowed)
{
    static char *origins[] = {"https://app.test"};
    bench.config.cors_origins = origins;
    bench.config.cors_origin_count = (size_t)_i;
    struct door *door = door_new("GET", "/nowhere");
    door_open(door, -1);
    door_expect_error(door, ERROR_UNKNOWN_PATH);
    ck_assert_pstr_eq(door_answer(door, "Vary"), _i == 0 ? NULL : "Origin");
    ck_assert_ptr_null(door_answer(door, "Access-Control-Allow-Origin"));
    expect_closed_without_prediction(door);
}
END_TEST

static void allow_origin(void)
{
    static char *origins[] = {"https://app.test"};
    bench.config.cors_origins = origins;
    bench.config.cors_origin_count = 1;
}

START_TEST(a_preflight_is_answered_without_a_key)
{
    struct key key = {.name = "alice", .digest = BENCH_ALICE_DIGEST};
    bench.config.keys = &key;
    bench.config.key_count = 1;
    allow_origin();
    struct door *door = door_new("OPTIONS", BENCH_CHAT_PATH);
    door_header(door, "Origin", "https://app.test");
    door_header(door, "Access-Control-Request-Headers", "authorization, x-stainless-os");
    door_open(door, -1);
    door_expect_status(door, 204);
    ck_assert_uint_eq(door->request.reply.body.length, 0);
    ck_assert_ptr_null(door_answer(door, "Content-Type"));
    ck_assert_str_eq(door_answer(door, "Access-Control-Allow-Origin"), "https://app.test");
    ck_assert_str_eq(door_answer(door, "Access-Control-Allow-Headers"), "authorization, x-stainless-os");
    expect_closed_without_prediction(door);
}
END_TEST

START_TEST(a_preflight_of_another_origin_is_an_ordinary_error)
{
    allow_origin();
    struct door *door = door_new("OPTIONS", BENCH_CHAT_PATH);
    door_header(door, "Origin", "https://evil.test");
    door_open(door, -1);
    door_expect_error(door, ERROR_METHOD_NOT_SUPPORTED);
    ck_assert_ptr_null(door_answer(door, "Access-Control-Allow-Origin"));
    expect_closed_without_prediction(door);
}
END_TEST

START_TEST(an_error_too_can_be_read_by_an_allowed_origin)
{
    allow_origin();
    struct door *door = door_new("GET", "/nowhere");
    door_header(door, "Origin", "https://app.test");
    door_open(door, -1);
    door_expect_error(door, ERROR_UNKNOWN_PATH);
    ck_assert_str_eq(door_answer(door, "Access-Control-Allow-Origin"), "https://app.test");
    ck_assert_str_eq(door_answer(door, "Vary"), "Origin");
    ck_assert_ptr_nonnull(strstr(door_answer(door, "Access-Control-Expose-Headers"), "x-should-retry"));
    expect_closed_without_prediction(door);
}
END_TEST

static Suite *exchange_head_suite(void)
{
    Suite *suite = suite_create("exchange: the head of a request");
    TCase *tcase = tcase_create("head");
    tcase_add_checked_fixture(tcase, bench_setup, bench_teardown);
    tcase_add_test(tcase, a_framing_error_is_answered_and_the_connection_closed);
    tcase_add_loop_test(tcase, a_path_or_method_that_is_not_there_is_named, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_loop_test(tcase, health_is_answered_without_a_key_also_while_draining, 0, 2);
    tcase_add_test(tcase, the_models_are_listed_at_once);
    tcase_add_test(tcase, a_model_that_is_not_there_is_an_error);
    tcase_add_loop_test(tcase, the_key_is_checked_before_the_body_is_read, 0, sizeof keys / sizeof keys[0]);
    tcase_add_loop_test(tcase, a_body_announced_as_too_long_is_refused_unread, 0, 2);
    tcase_add_loop_test(tcase, nothing_new_is_begun_while_draining, 0, 2);
    tcase_add_loop_test(tcase, the_clients_own_request_id_is_kept_where_it_is_usable, 0, sizeof ids / sizeof ids[0]);
    tcase_add_test(tcase, two_requests_without_an_id_get_two);
    tcase_add_loop_test(tcase, answers_vary_by_origin_where_any_is_allowed, 0, 2);
    tcase_add_test(tcase, a_preflight_is_answered_without_a_key);
    tcase_add_test(tcase, a_preflight_of_another_origin_is_an_ordinary_error);
    tcase_add_test(tcase, an_error_too_can_be_read_by_an_allowed_origin);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(exchange_head_suite());
}
