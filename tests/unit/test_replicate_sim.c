/* The simulated Replicate itself: that it behaves like Replicate, misbehaves on request, and reckons at the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_main.h"
#include "replicate_sim.h"

enum { PATIENCE_MS = 5000, ANSWER_BYTES = 256 * 1024 };

static struct replicate_sim *sim;
static char answer[ANSWER_BYTES];
static size_t answer_length;
static char report[SIM_REPORT_BYTES];

static void start(void)
{
    sim = replicate_sim_start(NULL);
}

static void start_with(const struct replicate_sim_options *options)
{
    replicate_sim_stop(&sim, NULL, 0);
    sim = replicate_sim_start(options);
}

static void stop(void)
{
    if (sim)
        replicate_sim_stop(&sim, NULL, 0);
}

static void stop_clean(void)
{
    ck_assert_msg(replicate_sim_stop(&sim, report, sizeof(report)), "%s", report);
    ck_assert_str_eq(report, "");
}

/* --- A client without manners or cleverness ------------------------------------------------------------------- */

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)replicate_sim_port(sim))};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* One request on its own connection; `more` are further header lines. The connection is the caller's. */
static int send_request(const char *method, const char *path, const char *body, const char *more)
{
    char request[4096];
    int fd = dial();
    ck_assert_int_ge(fd, 0);
    int length = snprintf(request, sizeof(request),
                          "%s /v1%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-token\r\nConnection: close\r\n"
                          "%sContent-Length: %zu\r\n\r\n%s",
                          method, path, more ? more : "", strlen(body), body);
    ck_assert_int_eq((int)send(fd, request, (size_t)length, MSG_NOSIGNAL), length);
    return fd;
}

/* All bytes until the other side closes; the errno of the end (0 = closed in peace). */
static int read_answer(int fd)
{
    ssize_t count;
    answer_length = 0;
    while ((count = recv(fd, answer + answer_length, ANSWER_BYTES - 1 - answer_length, 0)) > 0)
        answer_length += (size_t)count;
    int end = count < 0 ? errno : 0;
    answer[answer_length] = '\0';
    close(fd);
    return end;
}

static int status_of_answer(void)
{
    return answer_length > 12 ? (int)strtol(answer + 9, NULL, 10) : 0;
}

static int ask(const char *method, const char *path, const char *body, const char *more)
{
    ck_assert_int_eq(read_answer(send_request(method, path, body, more)), 0);
    return status_of_answer();
}

/* The answer's body as JSON; NULL when it is none. */
static json_t *body_json(void)
{
    const char *body = strstr(answer, "\r\n\r\n");
    return body ? json_loads(body + 4, 0, NULL) : NULL;
}

/* A member of the answer's object as text, "null" for null and "missing" without it. */
static const char *member(const char *key)
{
    static char texts[4][512];
    static size_t next;
    char *text = texts[next++ % 4];
    json_t *object = body_json(), *value = json_object_get(object, key);
    char *dump = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    snprintf(text, sizeof(texts[0]), "%s", json_is_string(value) ? json_string_value(value) : dump ? dump : "missing");
    free(dump);
    json_decref(object);
    return text;
}

static void plan(const struct sim_plan *settings)
{
    replicate_sim_plan(sim, settings);
}

static const char create_path[] = "/models/acme/writer/predictions";
static const char hello[] = "{\"input\":{\"prompt\":\"hello\"}}";

static int create(const char *more)
{
    return ask("POST", create_path, hello, more);
}

static int get_first(void)
{
    struct sim_prediction_view view;
    char path[64];
    ck_assert(replicate_sim_prediction(sim, 0, &view));
    snprintf(path, sizeof(path), "/predictions/%s", view.id);
    return ask("GET", path, "", NULL);
}

static int cancel_first(void)
{
    struct sim_prediction_view view;
    char path[64];
    ck_assert(replicate_sim_prediction(sim, 0, &view));
    snprintf(path, sizeof(path), "/predictions/%s/cancel", view.id);
    return ask("POST", path, "", NULL);
}

/* --- Predictions ---------------------------------------------------------------------------------------------- */

START_TEST(a_prediction_boots_runs_and_echoes_its_prompt)
{
    plan(&(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = SIM_HOLD, .run_ms = SIM_HOLD});
    ck_assert_int_eq(create(NULL), 201);
    ck_assert_str_eq(member("status"), "starting");
    ck_assert_str_eq(member("output"), "null");
    ck_assert_str_eq(member("version"), "hidden");
    replicate_sim_advance(sim, 0);
    ck_assert_int_eq(get_first(), 200);
    ck_assert_str_eq(member("status"), "processing");
    ck_assert_str_eq(member("output"), "[\"You said: \"]");
    replicate_sim_advance(sim, SIM_ALL);
    ck_assert_int_eq(get_first(), 200);
    ck_assert_str_eq(member("status"), "succeeded");
    ck_assert_str_eq(member("output"), "[\"You said: \",\"hello\"]");
    ck_assert_ptr_nonnull(strstr(member("metrics"), "predict_time"));
    stop_clean();
}
END_TEST

START_TEST(a_prediction_ends_by_its_own_clock)
{
    plan(&(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = 10, .run_ms = 10});
    ck_assert_int_eq(create(NULL), 201);
    ck_assert(replicate_sim_wait_ended(sim, 1, PATIENCE_MS));
    struct sim_prediction_view view;
    ck_assert(replicate_sim_prediction(sim, 0, &view));
    ck_assert_int_ge(view.started_ms - view.created_ms, 10);
    ck_assert_int_ge(view.ended_ms - view.started_ms, 10);
    stop_clean();
}
END_TEST

START_TEST(a_wait_is_answered_with_processing_and_the_whole_output)
{
    plan(&(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = 10, .run_ms = 10});
    ck_assert_int_eq(create("Prefer: wait=5\r\n"), 201);
    ck_assert_ptr_nonnull(strstr(answer, "Preference-Applied: wait=5\r\n"));
    ck_assert_ptr_nonnull(strstr(answer, "ratelimit-remaining: 599\r\n"));
    ck_assert_str_eq(member("status"), "processing");
    ck_assert_str_eq(member("output"), "[\"You said: \",\"hello\"]");
    ck_assert_str_eq(member("metrics"), "missing");
    ck_assert_str_eq(member("completed_at"), "missing");
    ck_assert_int_eq(get_first(), 200);
    ck_assert_str_eq(member("status"), "succeeded");
    stop_clean();
}
END_TEST

START_TEST(a_wait_that_runs_out_says_starting_with_202)
{
    start_with(&(struct replicate_sim_options){.second_ms = 20});
    plan(&(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = SIM_HOLD});
    ck_assert_int_eq(create("Prefer: wait=1\r\n"), 202);
    ck_assert_str_eq(member("status"), "starting");
    ck_assert_int_eq(cancel_first(), 200);
    stop_clean();
}
END_TEST

START_TEST(a_client_that_leaves_during_a_wait_leaves_the_prediction_running)
{
    plan(&(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = SIM_HOLD});
    int fd = send_request("POST", create_path, hello, "Prefer: wait\r\n");
    ck_assert(replicate_sim_wait_waiting(sim, 1, PATIENCE_MS));
    close(fd);
    ck_assert(replicate_sim_wait_disconnected(sim, PATIENCE_MS));
    struct sim_counters counters;
    replicate_sim_counters(sim, &counters);
    ck_assert_uint_eq(counters.running, 1);
    ck_assert_uint_eq(counters.waiting, 0);
    replicate_sim_expect(sim, SIM_EXPECT_RUNNING, 1);
    stop_clean();
}
END_TEST

START_TEST(a_cancel_ends_it_in_the_recorded_shape)
{
    plan(&(struct sim_plan){.model = "acme/writer", .official = true, .run_ms = SIM_HOLD, .logs = "busy"});
    ck_assert_int_eq(create(NULL), 201);
    ck_assert_int_eq(cancel_first(), 200);
    ck_assert_str_eq(member("status"), "canceled");
    ck_assert_str_eq(member("output"), "null");
    ck_assert_str_eq(member("logs"), "null");
    ck_assert(replicate_sim_wait_cancelled(sim, 1, 0));
    ck_assert_int_eq(cancel_first(), 200);
    ck_assert(replicate_sim_wait_cancel_calls(sim, 2, 0));
    stop_clean();
}
END_TEST

/* How a deadline ends what starts and what runs. */
static const struct {
    bool started;
    const char *status;
} deadlines[] = {{false, "aborted"}, {true, "canceled"}};

START_TEST(a_deadline_aborts_what_starts_and_cancels_what_runs)
{
    start_with(&(struct replicate_sim_options){.second_ms = 10});
    int64_t boot_ms = deadlines[_i].started ? 0 : SIM_HOLD;
    plan(&(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = boot_ms, .run_ms = SIM_HOLD});
    ck_assert_int_eq(create("Cancel-After: 5s\r\n"), 201);
    ck_assert_str_ne(member("deadline"), "missing");
    ck_assert(replicate_sim_wait_ended(sim, 1, PATIENCE_MS));
    ck_assert_int_eq(get_first(), 200);
    ck_assert_str_eq(member("status"), deadlines[_i].status);
    replicate_sim_expect(sim, SIM_EXPECT_DEADLINE, 1);
    stop_clean();
}
END_TEST

START_TEST(a_plan_may_fail_in_its_own_words)
{
    plan(&(struct sim_plan){.model = "acme/writer",
                            .official = true,
                            .end_status = "failed",
                            .error_text = "It broke. (E005)",
                            .starting_word = "queued"});
    ck_assert_int_eq(create(NULL), 201);
    ck_assert_str_eq(member("status"), "queued");
    ck_assert(replicate_sim_wait_idle(sim, PATIENCE_MS));
    ck_assert_int_eq(get_first(), 200);
    ck_assert_str_eq(member("status"), "failed");
    ck_assert_str_eq(member("error"), "It broke. (E005)");
    stop_clean();
}
END_TEST

START_TEST(nothing_is_written_in_every_known_way)
{
    plan(&(struct sim_plan){.model = "acme/writer",
                            .official = true,
                            .boot_ms = SIM_HOLD,
                            .blank_output = SIM_BLANK_MISSING,
                            .blank_logs = SIM_BLANK_NULL,
                            .blank_started_at = SIM_BLANK_EMPTY});
    ck_assert_int_eq(create(NULL), 201);
    ck_assert_str_eq(member("output"), "missing");
    ck_assert_str_eq(member("logs"), "null");
    ck_assert_str_eq(member("started_at"), "");
    replicate_sim_expect(sim, SIM_EXPECT_RUNNING, 1);
    stop_clean();
}
END_TEST

/* --- Rules ---------------------------------------------------------------------------------------------------- */

/* Requests, what becomes of them, and a part of the answer. {V} is the version of acme/community. */
static const struct {
    const char *method, *path, *body;
    int status;
    const char *part;
    int expectation; /* -1 = none */
} rules[] = {
    {"POST", "/predictions", "{\"version\":\"acme/writer\",\"input\":{\"prompt\":\"x\"}}", 201, "hidden", -1},
    {"POST", "/predictions", "{\"version\":\"acme/community\",\"input\":{\"prompt\":\"x\"}}", 422, "Invalid version",
     -1},
    {"POST", "/predictions", "{\"version\":\"acme/community:latest\",\"input\":{}}", 422, "Invalid version", -1},
    {"POST", "/predictions", "{\"version\":\"{V}\",\"input\":{\"prompt\":\"x\"}}", 201, "acme/community", -1},
    {"POST", "/predictions", "{\"version\":\"acme/community:{V}\",\"input\":{\"prompt\":\"x\"}}", 201, "{V}", -1},
    {"POST", "/models/acme/community/predictions", "{\"input\":{}}", 404, "could not be found", -1},
    {"POST", "/deployments/acme/fast/predictions", "{\"input\":{\"prompt\":\"x\"}}", 201, "\"deployment\"", -1},
    {"POST", "/predictions", "{\"model\":\"acme/writer\",\"input\":{}}", 422,
     "- version is required\\n- Additional property model is not allowed\\n", SIM_EXPECT_INVALID},
    {"POST", "/models/acme/writer/predictions", "{\"version\":\"{V}\",\"input\":{}}", 422,
     "additional_property_not_allowed", SIM_EXPECT_INVALID},
    {"POST", "/models/acme/writer/predictions", "{\"input\":{}}", 422, "- input: prompt is required\\n",
     SIM_EXPECT_INVALID},
    {"POST", "/models/acme/writer/predictions", "{\"input\":{\"prompt\":3,\"top_p\":2}}", 422,
     "Must be less than or equal to 1", SIM_EXPECT_INVALID},
    {"POST", "/models/acme/writer/predictions", "{\"input\":{\"prompt\":\"x\",\"unknown\":1}}", 201, "starting", -1},
    {"POST", "/models/acme/writer/predictions", "{\"input\":", 400, "Failed to parse request body", SIM_EXPECT_INVALID},
    {"GET", "/models/acme/community", "", 200, "{V}", -1},
    {"GET", "/models/acme/community/versions", "", 200, "x-cog-array-display", -1},
    {"GET", "/models/acme/nothing", "", 404, "could not be found", -1},
    {"GET", "/account", "", 200, "acme", -1},
    {"GET", "/hardware", "", 200, "cpu", -1},
    {"GET", "/predictions", "", 200, "\"results\":[]", -1},
    {"GET", "/nowhere", "", 404, "could not be found", SIM_EXPECT_UNKNOWN_PATH},
    {"DELETE", "/predictions", "", 405, "not allowed", SIM_EXPECT_UNKNOWN_PATH},
    {"GET", "/predictions/abcdefghijklmnopqrstuvwxyz", "", 404, "could not be found", SIM_EXPECT_UNKNOWN_PATH},
};

/* `text` with {V} replaced. */
static const char *with_version(const char *text, char *out, size_t size)
{
    char version[65];
    const char *mark = strstr(text, "{V}");
    replicate_sim_version("acme/community", version);
    if (!mark)
        return text;
    snprintf(out, size, "%.*s%s%s", (int)(mark - text), text, version, mark + 3);
    return out;
}

START_TEST(each_request_is_judged_as_replicate_judges_it)
{
    char body[512], part[256];
    plan(&(struct sim_plan){.model = "acme/writer", .deployment = "acme/fast", .official = true});
    plan(&(struct sim_plan){.model = "acme/community"});
    int status = ask(rules[_i].method, rules[_i].path, with_version(rules[_i].body, body, sizeof(body)), NULL);
    ck_assert_msg(status == rules[_i].status, "%s", answer);
    ck_assert_msg(strstr(answer, with_version(rules[_i].part, part, sizeof(part))) != NULL, "%s", answer);
    if (rules[_i].expectation >= 0)
        replicate_sim_expect(sim, (enum sim_expectation)rules[_i].expectation, 1);
    stop_clean();
}
END_TEST

START_TEST(a_wrong_token_is_refused)
{
    start_with(&(struct replicate_sim_options){.token = "another-test-token"});
    ck_assert_int_eq(ask("GET", "/account", "", NULL), 401);
    ck_assert_str_eq(member("title"), "Unauthenticated");
    ck_assert(!replicate_sim_stop(&sim, report, sizeof(report)));
    ck_assert_ptr_nonnull(strstr(report, "1 requests had no token or a wrong one"));
}
END_TEST

START_TEST(a_limit_is_enforced_and_says_how_long)
{
    start_with(&(struct replicate_sim_options){.creates_per_minute = 6, .create_burst = 1, .retry_after_header = true});
    plan(&(struct sim_plan){.model = "acme/writer", .official = true});
    ck_assert_int_eq(create(NULL), 201);
    ck_assert_ptr_nonnull(strstr(answer, "ratelimit-remaining: 0\r\nratelimit-reset: 1\r\n"));
    ck_assert_int_eq(create(NULL), 429);
    ck_assert_str_eq(member("retry_after"), "10");
    ck_assert_ptr_nonnull(strstr(answer, "Retry-After: 10\r\n"));
    stop_clean();
}
END_TEST

/* --- The reckoning -------------------------------------------------------------------------------------------- */

START_TEST(a_prediction_left_running_is_reported)
{
    start_with(&(struct replicate_sim_options){.stop_grace_ms = 1});
    plan(&(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = SIM_HOLD});
    ck_assert_int_eq(create(NULL), 201);
    ck_assert(!replicate_sim_stop(&sim, report, sizeof(report)));
    ck_assert_ptr_nonnull(strstr(report, "1 predictions are neither ended nor cancelled"));
}
END_TEST

START_TEST(a_connection_left_open_is_reported)
{
    start_with(&(struct replicate_sim_options){.stop_grace_ms = 1});
    int fd = dial();
    ck_assert_int_eq(ask("GET", "/account", "", NULL), 200);
    ck_assert(!replicate_sim_stop(&sim, report, sizeof(report)));
    ck_assert_ptr_nonnull(strstr(report, "connections are still open"));
    close(fd);
}
END_TEST

START_TEST(an_unknown_path_is_reported)
{
    ck_assert_int_eq(ask("GET", "/nowhere", "", NULL), 404);
    ck_assert(!replicate_sim_stop(&sim, report, sizeof(report)));
    ck_assert_ptr_nonnull(strstr(report, "1 requests went to a path"));
}
END_TEST

START_TEST(requests_are_kept_for_inspection)
{
    plan(&(struct sim_plan){.model = "acme/writer", .official = true});
    ck_assert_int_eq(create("X-Test: some value\r\n"), 201);
    ck_assert(replicate_sim_wait_idle(sim, PATIENCE_MS));
    ck_assert_int_eq(get_first(), 200);
    const struct sim_request *request = replicate_sim_request(sim, SIM_CREATE, 0);
    char value[64];
    ck_assert_ptr_nonnull(request);
    ck_assert_str_eq(request->path, "/v1/models/acme/writer/predictions");
    ck_assert_str_eq(request->body, hello);
    ck_assert(sim_request_header(request, "x-test", value, sizeof(value)));
    ck_assert_str_eq(value, "some value");
    ck_assert(!sim_request_header(request, "prefer", value, sizeof(value)));
    ck_assert_uint_eq(replicate_sim_request_count(sim, SIM_GET), 1);
    ck_assert_ptr_null(replicate_sim_request(sim, SIM_GET, 1));
    stop_clean();
}
END_TEST

START_TEST(pipelined_and_chunked_requests_are_each_answered)
{
    static const char requests[] =
        "GET /v1/account HTTP/1.1\r\nAuthorization: Token test-token\r\n\r\n"
        "POST /v1/models/acme/writer/predictions HTTP/1.1\r\nAuthorization: Bearer test-token\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"inp\r\n19\r\nut\":{\"prompt\":\"a\",\"b\":1}}\r\n0\r\n\r\n"
        "GET /v1/hardware HTTP/1.1\r\nAuthorization: Bearer test-token\r\nConnection: close\r\n\r\n";
    plan(&(struct sim_plan){.model = "acme/writer", .official = true});
    int fd = dial();
    for (size_t i = 0; i < sizeof(requests) - 1; i++)
        ck_assert_int_eq((int)send(fd, requests + i, 1, MSG_NOSIGNAL), 1);
    ck_assert_int_eq(read_answer(fd), 0);
    ck_assert_ptr_nonnull(strstr(answer, "Acme Corp"));
    ck_assert_ptr_nonnull(strstr(answer, "201 Created"));
    ck_assert_ptr_nonnull(strstr(answer, "gpu-t4"));
    stop_clean();
}
END_TEST

static Suite *sim_suite(void)
{
    Suite *suite = suite_create("replicate_sim");
    TCase *predictions = tcase_create("predictions");
    tcase_add_checked_fixture(predictions, start, stop);
    tcase_add_test(predictions, a_prediction_boots_runs_and_echoes_its_prompt);
    tcase_add_test(predictions, a_prediction_ends_by_its_own_clock);
    tcase_add_test(predictions, a_wait_is_answered_with_processing_and_the_whole_output);
    tcase_add_test(predictions, a_wait_that_runs_out_says_starting_with_202);
    tcase_add_test(predictions, a_client_that_leaves_during_a_wait_leaves_the_prediction_running);
    tcase_add_test(predictions, a_cancel_ends_it_in_the_recorded_shape);
    tcase_add_loop_test(predictions, a_deadline_aborts_what_starts_and_cancels_what_runs, 0, 2);
    tcase_add_test(predictions, a_plan_may_fail_in_its_own_words);
    tcase_add_test(predictions, nothing_is_written_in_every_known_way);
    suite_add_tcase(suite, predictions);

    TCase *judgement = tcase_create("rules");
    tcase_add_checked_fixture(judgement, start, stop);
    tcase_add_loop_test(judgement, each_request_is_judged_as_replicate_judges_it, 0,
                        (int)(sizeof(rules) / sizeof(rules[0])));
    tcase_add_test(judgement, a_wrong_token_is_refused);
    tcase_add_test(judgement, a_limit_is_enforced_and_says_how_long);
    suite_add_tcase(suite, judgement);

    TCase *reckoning = tcase_create("reckoning");
    tcase_add_checked_fixture(reckoning, start, stop);
    tcase_add_test(reckoning, a_prediction_left_running_is_reported);
    tcase_add_test(reckoning, a_connection_left_open_is_reported);
    tcase_add_test(reckoning, an_unknown_path_is_reported);
    tcase_add_test(reckoning, requests_are_kept_for_inspection);
    tcase_add_test(reckoning, pipelined_and_chunked_requests_are_each_answered);
    suite_add_tcase(suite, reckoning);
    return suite;
}

int main(void)
{
    return suite_run(sim_suite());
}
