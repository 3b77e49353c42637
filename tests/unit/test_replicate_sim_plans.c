/* Plans of the simulated Replicate: the rarer ways of models, and plans from a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "http_client.h"
#include "replicate_sim.h"

enum { PATIENCE_MS = 5000 };

static struct replicate_sim *sim;
static struct http_response response;
static char report[SIM_REPORT_BYTES];

static void start(void)
{
    sim = replicate_sim_start(NULL);
}

static void stop(void)
{
    http_response_dispose(&response);
    if (sim)
        replicate_sim_stop(&sim, NULL, 0);
}

static void stop_clean(void)
{
    ck_assert_msg(replicate_sim_stop(&sim, report, sizeof(report)), "%s", report);
}

/* The status of the answer, which stays in `response`. */
static int ask(const char *method, const char *path, const char *body)
{
    const struct http_request request = {
        .method = method, .path = path, .headers = "Authorization: Bearer test-token\r\n", .body = body};
    http_response_dispose(&response);
    ck_assert(http_exchange(replicate_sim_port(sim), &request, &response, PATIENCE_MS));
    return response.status;
}

static int create(void)
{
    return ask("POST", "/v1/models/acme/writer/predictions", "{\"input\":{\"prompt\":\"two words\"}}");
}

/* GET of the first prediction, or its cancel. */
static int ask_first(const char *method, const char *tail)
{
    struct sim_prediction_view view;
    char path[80];
    ck_assert(replicate_sim_prediction(sim, 0, &view));
    snprintf(path, sizeof(path), "/v1/predictions/%s%s", view.id, tail);
    return ask(method, path, *tail ? "" : NULL);
}

static void assert_body_has(const char *part)
{
    ck_assert_msg(strstr(response.body, part) != NULL, "%s is not in %s", part, response.body);
}

static void run_to_its_end(const struct sim_plan *plan)
{
    replicate_sim_plan(sim, plan);
    ck_assert_int_eq(create(), 201);
    ck_assert(replicate_sim_wait_idle(sim, PATIENCE_MS));
    ck_assert_int_eq(ask_first("GET", ""), 200);
}

/* Plans, and what a finished prediction of theirs shows. */
static const struct {
    struct sim_plan plan;
    const char *part;
} shown[] = {
    {{.tokens = SIM_TOKENS_METRICS}, "\"input_token_count\":2,\"output_token_count\":4"},
    {{.tokens = SIM_TOKENS_OLD_METRICS}, "\"token_input_count\":2,\"token_output_count\":4"},
    {{.tokens = SIM_TOKENS_LOGS}, "Input token count: 2\\nOutput token count: 4\\n"},
    {{.logs = "loading"}, "\"logs\":\"loading\""},
    {{.metrics_json = "{\"image_count\":3}"}, "\"image_count\":3"},
    {{.output_json = "{\"text\":\"x\"}"}, "\"output\":{\"text\":\"x\"}"},
    {{.output_json = "null", .blank_output = SIM_BLANK_EMPTY}, "\"output\":\"\""},
    {{.end_status = "failed", .error_json = "{\"code\":1}"}, "\"error\":{\"code\":1}"},
    {{.end_status = "aborted"}, "\"status\":\"aborted\""},
    {{.shown_model = "internal/alias"}, "\"model\":\"internal/alias\""},
    {{.stream_url = "http://127.0.0.1/stream"}, "\"stream\":\"http://127.0.0.1/stream\""},
};

START_TEST(a_finished_prediction_shows_what_its_plan_says)
{
    struct sim_plan plan = shown[_i].plan;
    plan.model = "acme/writer";
    plan.official = true;
    run_to_its_end(&plan);
    assert_body_has(shown[_i].part);
    stop_clean();
}
END_TEST

START_TEST(pieces_grow_while_the_model_runs)
{
    static const char *const pieces[] = {"a", SIM_PROMPT, "c"};
    replicate_sim_plan(sim, &(struct sim_plan){.model = "acme/writer",
                                               .official = true,
                                               .boot_ms = SIM_HOLD,
                                               .run_ms = SIM_HOLD,
                                               .pieces = pieces,
                                               .piece_count = 3});
    ck_assert_int_eq(create(), 201);
    replicate_sim_advance(sim, 0);
    ck_assert_int_eq(ask_first("GET", ""), 200);
    assert_body_has("\"output\":[\"a\",\"two words\"]");
    replicate_sim_advance(sim, 0);
    ck_assert_int_eq(ask_first("GET", ""), 200);
    assert_body_has("\"output\":[\"a\",\"two words\",\"c\"]");
    stop_clean();
}
END_TEST

START_TEST(a_word_that_is_not_terminal_never_ends)
{
    replicate_sim_plan(
        sim,
        &(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = SIM_HOLD, .end_status = "thinking"});
    ck_assert_int_eq(create(), 201);
    replicate_sim_advance(sim, 0);
    replicate_sim_advance(sim, 0);
    ck_assert_int_eq(ask_first("GET", ""), 200);
    assert_body_has("\"status\":\"thinking\"");
    ck_assert_int_eq(ask_first("POST", "/cancel"), 200);
    assert_body_has("\"status\":\"canceled\"");
    stop_clean();
}
END_TEST

START_TEST(the_cancel_of_a_finished_prediction_answers_as_planned)
{
    run_to_its_end(&(struct sim_plan){.model = "acme/writer", .official = true, .cancel_finished_status = 404});
    ck_assert_int_eq(ask_first("POST", "/cancel"), 404);
    struct sim_counters counters;
    replicate_sim_counters(sim, &counters);
    ck_assert_uint_eq(counters.succeeded, 1);
    ck_assert_uint_eq(counters.cancelled, 0);
    ck_assert_uint_eq(counters.cancel_calls, 1);
    stop_clean();
}
END_TEST

START_TEST(a_cancel_may_be_ignored)
{
    replicate_sim_plan(
        sim, &(struct sim_plan){.model = "acme/writer", .official = true, .boot_ms = SIM_HOLD, .ignores_cancel = true});
    ck_assert_int_eq(create(), 201);
    ck_assert_int_eq(ask_first("POST", "/cancel"), 200);
    assert_body_has("\"status\":\"starting\"");
    replicate_sim_expect(sim, SIM_EXPECT_RUNNING, 1);
    stop_clean();
}
END_TEST

START_TEST(data_are_gone_after_their_retention)
{
    replicate_sim_plan(sim, &(struct sim_plan){.model = "acme/writer", .official = true, .retention_ms = 1});
    ck_assert_int_eq(create(), 201);
    ck_assert(replicate_sim_wait_idle(sim, PATIENCE_MS));
    do {
        ck_assert_int_eq(ask_first("GET", ""), 200);
    } while (strstr(response.body, "\"data_removed\":false"));
    assert_body_has("\"input\":{}");
    assert_body_has("\"output\":null");
    assert_body_has("\"status\":\"succeeded\"");
    stop_clean();
}
END_TEST

START_TEST(some_models_run_without_a_version_only)
{
    char version[65], body[160];
    replicate_sim_plan(sim, &(struct sim_plan){.model = "acme/writer", .only_unversioned = true});
    replicate_sim_version("acme/writer", version);
    snprintf(body, sizeof(body), "{\"version\":\"%s\",\"input\":{\"prompt\":\"x\"}}", version);
    ck_assert_int_eq(ask("POST", "/v1/predictions", body), 422);
    ck_assert_int_eq(create(), 201);
    ck_assert_int_eq(ask("GET", "/v1/models/acme/writer", NULL), 200);
    assert_body_has("\"is_official\":false");
    stop_clean();
}
END_TEST

START_TEST(a_model_may_have_neither_version_nor_schema)
{
    replicate_sim_plan(sim, &(struct sim_plan){.model = "acme/empty", .no_latest_version = true});
    replicate_sim_plan(sim, &(struct sim_plan){.model = "acme/mute", .no_schema = true});
    ck_assert_int_eq(ask("GET", "/v1/models/acme/empty", NULL), 200);
    assert_body_has("\"latest_version\":null");
    ck_assert_int_eq(ask("GET", "/v1/models/acme/mute", NULL), 200);
    assert_body_has("\"openapi_schema\":null");
    stop_clean();
}
END_TEST

static const struct sim_plan documented = {.model = "acme/painter",
                                           .deployment = "acme/easel",
                                           .official = true,
                                           .document = "tests/models/black-forest-labs__flux-schnell.json"};

START_TEST(a_document_from_a_file_is_shown_under_the_names_of_its_plan)
{
    char version[65];
    replicate_sim_plan(sim, &documented);
    replicate_sim_version("acme/painter", version);
    ck_assert_int_eq(ask("GET", "/v1/models/acme/painter", NULL), 200);
    assert_body_has("\"owner\":\"acme\"");
    assert_body_has("\"name\":\"painter\"");
    assert_body_has("\"num_inference_steps\"");
    assert_body_has(version);
    char path[160];
    snprintf(path, sizeof(path), "/v1/models/acme/painter/versions/%s", version);
    ck_assert_int_eq(ask("GET", path, NULL), 200);
    assert_body_has("\"num_inference_steps\"");
    stop_clean();
}
END_TEST

START_TEST(a_deployment_tells_its_model_and_version)
{
    char version[65];
    replicate_sim_plan(sim, &documented);
    replicate_sim_version("acme/painter", version);
    ck_assert_int_eq(ask("GET", "/v1/deployments/acme/easel", NULL), 200);
    assert_body_has(
        "\"owner\":\"acme\",\"name\":\"easel\",\"current_release\":{\"number\":1,\"model\":\"acme/painter\"");
    assert_body_has(version);
    ck_assert_int_eq(ask("GET", "/v1/deployments/acme/painter", NULL), 404);
    stop_clean();
}
END_TEST

/* Inputs of the painter, and what is said of them. */
static const struct {
    const char *input;
    int status;
    const char *part;
} painted[] = {
    {"{\"prompt\":\"x\",\"num_outputs\":4,\"megapixels\":\"0.25\"}", 201, "\"starting\""},
    {"{\"prompt\":\"x\",\"num_outputs\":9}", 422, "input.num_outputs: Must be less than or equal to 4"},
    {"{\"prompt\":\"x\",\"megapixels\":0.25}", 422, "\"type\":\"invalid_type\",\"field\":\"input.megapixels\""},
    {"{\"prompt\":\"x\",\"megapixels\":\"9\"}", 422, "\"type\":\"enum\",\"field\":\"input.megapixels\""},
    {"{\"prompt\":\"x\",\"seed\":null}", 422, "input.seed"},
};

START_TEST(inputs_are_checked_against_the_document)
{
    char body[256];
    replicate_sim_plan(sim, &documented);
    snprintf(body, sizeof(body), "{\"input\":%s}", painted[_i].input);
    ck_assert_int_eq(ask("POST", "/v1/models/acme/painter/predictions", body), painted[_i].status);
    assert_body_has(painted[_i].part);
    replicate_sim_expect(sim, SIM_EXPECT_INVALID, SIM_FOREVER);
    stop_clean();
}
END_TEST

START_TEST(what_the_document_lacks_is_dropped_and_told_at_the_stop)
{
    struct sim_counters counters;
    const char *body = "{\"input\":{\"prompt\":\"x\",\"max_tokens\":5,\"sparkle\":true}}";
    replicate_sim_plan(sim, &documented);
    ck_assert_int_eq(ask("POST", "/v1/models/acme/painter/predictions", body), 201);
    ck_assert(replicate_sim_wait_idle(sim, PATIENCE_MS));
    replicate_sim_counters(sim, &counters);
    ck_assert_uint_eq(counters.lost_inputs, 2);
    ck_assert(!replicate_sim_stop(&sim, report, sizeof(report)));
    ck_assert_msg(strstr(report, "2 inputs were sent that the model does not have (max_tokens, sparkle)") != NULL, "%s",
                  report);
}
END_TEST

START_TEST(such_losses_may_be_expected)
{
    const char *body = "{\"input\":{\"prompt\":\"x\",\"max_tokens\":5}}";
    replicate_sim_plan(sim, &documented);
    replicate_sim_expect(sim, SIM_EXPECT_LOST_INPUTS, 1);
    ck_assert_int_eq(ask("POST", "/v1/models/acme/painter/predictions", body), 201);
    stop_clean();
}
END_TEST

/* Loads plans from a file with this text. */
static bool load(const char *text, char *message, size_t size)
{
    char path[] = "/tmp/replicate-sim-plans-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    bool good = replicate_sim_load_plans(sim, path, message, size);
    unlink(path);
    return good;
}

START_TEST(plans_are_loaded_from_a_file)
{
    char message[256];
    ck_assert(load("[{\"model\":\"acme/writer\",\"official\":true,\"run_ms\":5,\"pieces\":[\"a\",\"{{prompt}}\"],"
                   "\"metrics\":{\"seen\":1},\"tokens\":\"logs\",\"input_schema\":{}}]",
                   message, sizeof(message)));
    ck_assert_int_eq(create(), 201);
    ck_assert(replicate_sim_wait_idle(sim, PATIENCE_MS));
    ck_assert_int_eq(ask_first("GET", ""), 200);
    assert_body_has("\"output\":[\"a\",\"two words\"]");
    assert_body_has("\"seen\":1");
    stop_clean();
}
END_TEST

static const struct {
    const char *text, *part;
} bad_files[] = {
    {"{}", "is not a JSON array"},
    {"[", "is not a JSON array"},
    {"[{\"model\":\"acme/writer\",\"boot\":1}]", "\"boot\""},
    {"[{\"model\":\"acme/writer\",\"boot_ms\":\"1\"}]", "\"boot_ms\""},
    {"[{\"model\":\"acme/writer\",\"pieces\":[1]}]", "\"pieces\""},
    {"[{\"model\":\"acme/writer\",\"tokens\":\"many\"}]", "\"tokens\""},
    {"[{\"official\":true}]", "\"model\""},
    {"[{\"model\":\"acme/writer\",\"document\":\"/nowhere.json\"}]", "\"document\""},
};

START_TEST(a_file_that_holds_no_plans_is_refused)
{
    char message[256];
    ck_assert(!load(bad_files[_i].text, message, sizeof(message)));
    ck_assert_msg(strstr(message, bad_files[_i].part) != NULL, "%s", message);
    stop_clean();
}
END_TEST

static Suite *plans_suite(void)
{
    Suite *suite = suite_create("replicate_sim_plans");
    TCase *cases = tcase_create("plans");
    tcase_add_checked_fixture(cases, start, stop);
    tcase_add_loop_test(cases, a_finished_prediction_shows_what_its_plan_says, 0,
                        (int)(sizeof(shown) / sizeof(shown[0])));
    tcase_add_test(cases, pieces_grow_while_the_model_runs);
    tcase_add_test(cases, a_word_that_is_not_terminal_never_ends);
    tcase_add_test(cases, the_cancel_of_a_finished_prediction_answers_as_planned);
    tcase_add_test(cases, a_cancel_may_be_ignored);
    tcase_add_test(cases, data_are_gone_after_their_retention);
    tcase_add_test(cases, some_models_run_without_a_version_only);
    tcase_add_test(cases, a_model_may_have_neither_version_nor_schema);
    tcase_add_test(cases, a_document_from_a_file_is_shown_under_the_names_of_its_plan);
    tcase_add_test(cases, a_deployment_tells_its_model_and_version);
    tcase_add_loop_test(cases, inputs_are_checked_against_the_document, 0, (int)(sizeof(painted) / sizeof(painted[0])));
    tcase_add_test(cases, what_the_document_lacks_is_dropped_and_told_at_the_stop);
    tcase_add_test(cases, such_losses_may_be_expected);
    tcase_add_test(cases, plans_are_loaded_from_a_file);
    tcase_add_loop_test(cases, a_file_that_holds_no_plans_is_refused, 0,
                        (int)(sizeof(bad_files) / sizeof(bad_files[0])));
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(plans_suite());
}
