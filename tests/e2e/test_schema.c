/* Any model: the program asks Replicate once what a model takes, and maps requests by that, over the wire.
 *
 * The cases of tests/golden/models say what is to arrive; the simulated Replicate shows the same documents, refuses
 * what they do not allow, and complains at its stop of every input that they lack. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "call_help.h"
#include "chat_case.h"
#include "check_main.h"
#include "golden.h"

enum { PATIENCE_MS = 5000 };

/* Aliases with a wildcard are not asked about before a request names a model. */
#define ANY_CONFIG                                                                                                     \
    "workers: 2\n"                                                                                                     \
    "models: {\"any/*\": \"*\", \"ours/*\": \"deployments/*\"}\n"                                                      \
    "replicate: {base_url: \"@SIM@\", token: test-token}\n"

#define QUILL "acme/quill"
#define QUILL_DOCUMENT "tests/models/made-up/acme__quill.json"

static const struct sim_plan quill = {.model = QUILL,
                                      .deployment = "acme/desk",
                                      .official = true,
                                      .document = QUILL_DOCUMENT,
                                      .output_json = "{\"output\":\"Written.\",\"ink_used\":2}",
                                      .wait_answer = SIM_WAIT_TERMINAL};

static struct bridge bridge;
static struct http_response response;

static void tear_down(void)
{
    http_response_dispose(&response);
    chat_case_stop(&bridge);
}

static void start(const struct sim_plan *plan, const char *config)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, plan);
    chat_case_start(&bridge, config);
}

static void ask(const char *model, const char *more)
{
    http_response_dispose(&response);
    chat_case_run(&bridge, &(struct chat_case){.model = model, .more = more}, &response);
}

/* The `input` of the i-th create; the caller frees. */
static char *sent_input(size_t i)
{
    const struct sim_request *request = replicate_sim_request(bridge.sim, SIM_CREATE, i);
    ck_assert_ptr_nonnull(request);
    json_t *body = help_json(request->body);
    char *text = help_dump(json_object_get(body, "input"));
    json_decref(body);
    return text;
}

static void expect_sent(size_t i, const char *input)
{
    char *sent = sent_input(i);
    ck_assert_str_eq(sent, input);
    free(sent);
}

/* How often the model's document was asked for, in vain or not. */
static size_t document_calls(void)
{
    return replicate_sim_request_count(bridge.sim, SIM_MODEL);
}

/* ---- every document, as the golden cases have it ---- */

static struct golden golden;

static bool has_file(const char *name, const char *suffix)
{
    struct buf text;
    buf_init(&text, GOLDEN_FILE_MAX_BYTES);
    bool exists = golden_read(&golden, name, suffix, &text);
    buf_dispose(&text);
    return exists;
}

/* "owner__name" and "made-up__owner__name", both perhaps with "--what" behind, → the document's path and the model. */
static void model_of(const char *name, char path[256], char model[128])
{
    const char *end = strstr(name, "--");
    int length = end != NULL ? (int)(end - name) : (int)strlen(name);
    bool is_made_up = strncmp(name, "made-up__", 9) == 0;
    const char *own = is_made_up ? name + 9 : name;
    length -= (int)(own - name);
    snprintf(path, 256, "tests/models/%s%.*s.json", is_made_up ? "made-up/" : "", length, own);
    const char *gap = strstr(own, "__");
    snprintf(model, 128, "%.*s/%.*s", (int)(gap - own), own, length - (int)(gap - own) - 2, gap + 2);
}

static void plan_document(const char *path, const char *model)
{
    struct buf bytes;
    char piece[4096];
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    buf_init(&bytes, GOLDEN_FILE_MAX_BYTES);
    for (size_t length; (length = fread(piece, 1, sizeof piece, file)) > 0;)
        buf_append(&bytes, piece, length);
    fclose(file);
    json_t *document = help_json(buf_text(&bytes));
    replicate_sim_plan(bridge.sim,
                       &(struct sim_plan){.model = model,
                                          .official = json_is_true(json_object_get(document, "is_official")),
                                          .document = path,
                                          .output_json = "\"Done.\"",
                                          .wait_answer = SIM_WAIT_TERMINAL});
    json_decref(document);
    buf_dispose(&bytes);
}

static char *request_for(const char *name, const char *model)
{
    json_t *request = golden_json(&golden, name, "request.json", "null");
    json_object_set_new(request, "model", json_sprintf("any/%s", model));
    char *text = help_dump(request);
    json_decref(request);
    return text;
}

/* The line of mapped.txt that begins so, without that beginning. */
static void line_of(const char *name, const char *begin, char *line, size_t size)
{
    struct buf text;
    buf_init(&text, GOLDEN_FILE_MAX_BYTES);
    ck_assert(golden_read(&golden, name, "mapped.txt", &text));
    const char *at = strstr(buf_text(&text), begin);
    ck_assert_ptr_nonnull(at);
    at += strlen(begin);
    snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
    buf_dispose(&text);
}

/* Sends the case's request, as the i-th that is run. */
static void run_golden(const char *name, size_t i)
{
    char path[256], model[128], ignored[1024];
    model_of(name, path, model);
    plan_document(path, model);
    char *body = request_for(name, model);
    http_response_dispose(&response);
    ck_assert(http_exchange(bridge.port, &(struct http_request){.path = "/v1/chat/completions", .body = body},
                            &response, daemon_patience_ms()));
    free(body);
    ck_assert_msg(response.status == 200, "%s: %s", name, response.body);
    chat_case_expect_text(&response, "Done.");
    json_t *input = golden_json(&golden, name, "input.json", "null");
    char *expected = help_dump(input);
    expect_sent(i, expected);
    free(expected);
    json_decref(input);
    line_of(name, "ignored: ", ignored, sizeof ignored);
    chat_case_expect_header(&response, "x-replibridge-ignored", ignored);
}

START_TEST(every_document_gets_over_the_wire_what_its_golden_case_says)
{
    size_t count = 0;
    bridge_start_sim(&bridge);
    chat_case_start(&bridge, ANY_CONFIG);
    for (int i = 0; i < golden.count; i++) {
        /* Some are refused, some have a configuration of their own. */
        if (has_file(golden.cases[i], "input.json") && !has_file(golden.cases[i], "route.json"))
            run_golden(golden.cases[i], count++);
    }
    ck_assert_uint_gt(count, 30);
    ck_assert_uint_le(document_calls(), count);
}
END_TEST

/* ---- how the schema is had ---- */

START_TEST(a_models_document_is_asked_for_once)
{
    start(&quill, ANY_CONFIG);
    for (size_t i = 0; i < 6; i++) {
        ask("any/" QUILL, ",\"max_tokens\":20");
        chat_case_expect_text(&response, "Written.");
        expect_sent(i, "{\"question_for_the_quill\":\"" CHAT_CASE_PROMPT "\",\"reply_token_limit\":20}");
    }
    ck_assert_uint_eq(document_calls(), 1);
}
END_TEST

START_TEST(the_first_requests_wait_for_a_slow_document_together)
{
    struct http_connection *clients[4];
    start(&quill, ANY_CONFIG);
    replicate_sim_fault(bridge.sim, SIM_MODEL, &(struct sim_fault_spec){.fault = SIM_FAULT_SLOW, .delay_ms = 300});
    for (size_t i = 0; i < 4; i++)
        clients[i] = chat_case_begin(&bridge, &(struct chat_case){.model = "any/" QUILL, .more = ",\"seed\":1"});
    for (size_t i = 0; i < 4; i++) {
        chat_case_finish(&clients[i], &response);
        chat_case_expect_text(&response, "Written.");
        expect_sent(i, "{\"question_for_the_quill\":\"" CHAT_CASE_PROMPT "\",\"rng_seed\":1}");
    }
    ck_assert_uint_eq(document_calls(), 1);
}
END_TEST

START_TEST(models_that_are_listed_are_asked_about_before_anybody_needs_them)
{
    start(&quill, "models: {writer: " QUILL "}\nreplicate: {base_url: \"@SIM@\", token: test-token}\n");
    ck_assert(replicate_sim_wait_requests(bridge.sim, 1, PATIENCE_MS));
    ck_assert_uint_eq(document_calls(), 1);
    ask(NULL, ",\"temperature\":0.5");
    expect_sent(0, "{\"question_for_the_quill\":\"" CHAT_CASE_PROMPT "\",\"sampling_temperature\":0.5}");
    ck_assert_uint_eq(document_calls(), 1);
}
END_TEST

START_TEST(a_deployment_is_mapped_by_its_models_document)
{
    start(&quill, ANY_CONFIG);
    ask("ours/acme/desk", ",\"top_p\":0.5");
    chat_case_expect_text(&response, "Written.");
    expect_sent(0, "{\"question_for_the_quill\":\"" CHAT_CASE_PROMPT "\",\"nucleus_mass\":0.5}");
}
END_TEST

/* A community model: its latest version is in the same document, and is not asked for again. */
START_TEST(a_community_models_version_comes_from_the_same_document)
{
    char version[65];
    struct sim_plan plan = quill;
    plan.official = false;
    start(&plan, ANY_CONFIG);
    replicate_sim_version(QUILL, version);
    ask("any/" QUILL, "");
    chat_case_expect_text(&response, "Written.");
    const struct sim_request *create = replicate_sim_request(bridge.sim, SIM_CREATE, chat_case_creates(&bridge) - 1);
    ck_assert_msg(strstr(create->body, version) != NULL, "%s", create->body);
    ck_assert_uint_eq(document_calls(), 1);
}
END_TEST

/* ---- without a schema ---- */

static const struct sim_plan open_minded = {.model = QUILL, .official = true, .input_schema_json = "{}"};

/* What may pass is tried again for a while, what will not is not. */
static const struct sim_fault_spec failures[] = {
    {.fault = SIM_FAULT_STATUS, .status = 500, .count = SIM_FOREVER},
    {.fault = SIM_FAULT_RESET, .count = SIM_FOREVER},
    {.fault = SIM_FAULT_STATUS, .status = 404, .count = SIM_FOREVER},
    {.fault = SIM_FAULT_INVALID_JSON, .count = SIM_FOREVER},
};

START_TEST(a_request_goes_on_without_a_document_that_cannot_be_had)
{
    start(&open_minded, ANY_CONFIG);
    replicate_sim_fault(bridge.sim, SIM_MODEL, &failures[_i]);
    for (size_t i = 0; i < 2; i++) {
        ask("any/" QUILL, ",\"max_tokens\":20,\"verbosity\":\"low\"");
        ck_assert_int_eq(response.status, 200);
        expect_sent(i, "{\"prompt\":\"" CHAT_CASE_PROMPT "\",\"max_tokens\":20}");
        chat_case_expect_header(&response, "x-replibridge-ignored", "verbosity");
    }
}
END_TEST

START_TEST(a_document_that_comes_at_the_second_try_is_used)
{
    start(&quill, ANY_CONFIG);
    replicate_sim_fault(bridge.sim, SIM_MODEL, &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = 502});
    ask("any/" QUILL, ",\"temperature\":0.5");
    chat_case_expect_text(&response, "Written.");
    expect_sent(0, "{\"question_for_the_quill\":\"" CHAT_CASE_PROMPT "\",\"sampling_temperature\":0.5}");
    ck_assert_uint_eq(document_calls(), 2);
}
END_TEST

START_TEST(a_failure_is_remembered_so_that_nobody_waits_twice)
{
    start(&open_minded, ANY_CONFIG);
    replicate_sim_fault(bridge.sim, SIM_MODEL,
                        &(struct sim_fault_spec){.fault = SIM_FAULT_STATUS, .status = 404, .count = SIM_FOREVER});
    for (size_t i = 0; i < 4; i++)
        ask("any/" QUILL, "");
    ck_assert_uint_eq(document_calls(), 1);
}
END_TEST

START_TEST(a_document_without_a_schema_is_none)
{
    struct sim_plan plan = open_minded;
    plan.no_schema = true;
    start(&plan, ANY_CONFIG);
    ask("any/" QUILL, ",\"temperature\":0.5");
    ck_assert_int_eq(response.status, 200);
    expect_sent(0, "{\"prompt\":\"" CHAT_CASE_PROMPT "\",\"temperature\":0.5}");
}
END_TEST

START_TEST(with_read_schema_off_nobody_is_asked)
{
    start(&open_minded, ANY_CONFIG "read_schema: false\n");
    ask("any/" QUILL, "");
    expect_sent(0, "{\"prompt\":\"" CHAT_CASE_PROMPT "\"}");
    ck_assert_uint_eq(document_calls(), 0);
}
END_TEST

/* ---- refusals ---- */

/* Requests that the schema shows to be in vain, and what is said; nothing may be created. */
static const struct {
    const char *document, *more;
    struct chat_error error;
} refusals[] = {
    {"tests/models/yorickvp__llava-13b.json",
     "",
     {400, "invalid_request_error", "missing_required_parameter", "messages", false, "`image`"}},
    {"tests/models/openai__whisper.json",
     "",
     {400, "invalid_request_error", "missing_required_parameter", "messages", false, "`audio`"}},
    {QUILL_DOCUMENT,
     ",\"style\":\"gothic\"",
     {400, "invalid_request_error", "invalid_value", "style", false, "`ornate`"}},
    {QUILL_DOCUMENT,
     ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]",
     {400, "invalid_request_error", "unsupported_parameter", "tools", false, "`tools`"}},
};

START_TEST(what_the_schema_shows_to_be_in_vain_is_refused_before_it_costs)
{
    struct sim_plan plan = {.model = QUILL, .official = true, .document = refusals[_i].document};
    start(&plan, ANY_CONFIG);
    ask("any/" QUILL, refusals[_i].more);
    chat_case_expect_error(&response, &refusals[_i].error);
    ck_assert_uint_eq(chat_case_creates(&bridge), 0);
}
END_TEST

/* The model has changed since its document was read: Replicate refuses the input, under the model's name for it. */
START_TEST(a_refusal_of_replicates_names_the_clients_parameter)
{
    static const char schema[] =
        "{\"required\":[\"question\"],\"properties\":{\"question\":{\"type\":\"string\"},"
        "\"reply_token_limit\":{\"type\":\"integer\",\"maximum\":%d},\"%s\":{\"type\":\"number\",\"maximum\":1}}}";
    char before[512], after[512];
    snprintf(before, sizeof before, schema, 1000, "heat_temperature");
    snprintf(after, sizeof after, schema, 10, "heat_temperature");
    struct sim_plan plan = {.model = QUILL, .official = true, .input_schema_json = before};
    start(&plan, ANY_CONFIG);
    ask("any/" QUILL, ",\"max_completion_tokens\":500");
    ck_assert_int_eq(response.status, 200);
    expect_sent(0, "{\"question\":\"" CHAT_CASE_PROMPT "\",\"reply_token_limit\":500}");
    plan.input_schema_json = after;
    replicate_sim_plan(bridge.sim, &plan);
    ask("any/" QUILL, ",\"max_completion_tokens\":500");
    replicate_sim_expect(bridge.sim, SIM_EXPECT_INVALID, 1);
    chat_case_expect_error(&response, &(struct chat_error){400, "invalid_request_error", "invalid_value",
                                                           "max_completion_tokens", false, "10"});
}
END_TEST

/* ---- --explain ---- */

#define PAINTER "acme/painter"
#define PAINTERS_KEY "key-of-the-operator"

static char *explain(const char *alias, const char *request_file)
{
    char *config = xasprintf("models: {writer: " QUILL ", painter: {model: " PAINTER
                             ", input: {openai_api_key: " PAINTERS_KEY "}},\n"
                             "  shared: [{model: " QUILL ", weight: 3, fallbacks: [writer, painter]}, acme/spare]}\n"
                             "replicate: {base_url: \"%s\", token: test-token}\n",
                             replicate_sim_base_url(bridge.sim));
    const char *arguments[] = {"--config",   "@CONFIG@", "--explain", alias, request_file != NULL ? "--request" : NULL,
                               request_file, NULL};
    bridge.daemon = daemon_spawn(&(struct daemon_options){.bare = true, .config = config, .arguments = arguments});
    ck_assert_int_eq(daemon_wait_exit(bridge.daemon, daemon_patience_ms()), 0);
    free(config);
    return daemon_log(bridge.daemon);
}

static void expect_told(const char *told, const char *part)
{
    ck_assert_msg(strstr(told, part) != NULL, "%s is not in %s", part, told);
}

START_TEST(explain_tells_what_becomes_of_parameters)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &quill);
    char *told = explain("writer", NULL);
    expect_told(told, QUILL);
    expect_told(told, "by the model's own schema");
    expect_told(told, "question_for_the_quill");
    expect_told(told, "reply_token_limit");
    expect_told(told, "9..4096");
    expect_told(told, "attached_images");
    expect_told(told, "presence_penalty");
    ck_assert_uint_eq(chat_case_creates(&bridge), 0);
    free(told);
}
END_TEST

START_TEST(explain_tells_who_shares_the_requests_and_who_stands_in)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &quill);
    char *told = explain("shared", NULL);
    expect_told(told, "deployment 1            " QUILL ", weight 3\n");
    expect_told(told, "deployment 2            acme/spare, weight 1\n");
    expect_told(told, "falls back to           writer\n                        painter\n");
    ck_assert_ptr_null(strstr(told, "refused for content"));
    free(told);
}
END_TEST

START_TEST(explain_shows_a_request_as_it_would_be_sent)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &quill);
    char *told = explain("writer", "tests/golden/models/made-up__acme__quill.request.json");
    json_t *input = golden_json(&golden, "made-up__acme__quill", "input.json", "null");
    char *expected = help_dump(input);
    expect_told(told, "/v1/models/acme/quill/predictions");
    expect_told(told, expected);
    ck_assert_uint_eq(chat_case_creates(&bridge), 0);
    free(expected);
    json_decref(input);
    free(told);
}
END_TEST

START_TEST(explain_keeps_a_secret_input_to_itself)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(
        bridge.sim,
        &(struct sim_plan){.model = PAINTER, .official = true, .document = "tests/models/openai__gpt-image-1.5.json"});
    char *told = explain("painter", "tests/golden/chat/plain.request.json");
    expect_told(told, "\"openai_api_key\":\"(secret)\"");
    ck_assert_msg(strstr(told, PAINTERS_KEY) == NULL, "the secret is told: %s", told);
    free(told);
}
END_TEST

static Suite *schema_suite(void)
{
    golden_find(&golden, "tests/golden/models");
    Suite *suite = suite_create("e2e: schema");
    TCase *cases = tcase_create("schema");
    tcase_add_checked_fixture(cases, NULL, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, every_document_gets_over_the_wire_what_its_golden_case_says);
    tcase_add_test(cases, a_models_document_is_asked_for_once);
    tcase_add_test(cases, the_first_requests_wait_for_a_slow_document_together);
    tcase_add_test(cases, models_that_are_listed_are_asked_about_before_anybody_needs_them);
    tcase_add_test(cases, a_deployment_is_mapped_by_its_models_document);
    tcase_add_test(cases, a_community_models_version_comes_from_the_same_document);
    tcase_add_loop_test(cases, a_request_goes_on_without_a_document_that_cannot_be_had, 0,
                        (int)(sizeof failures / sizeof failures[0]));
    tcase_add_test(cases, a_document_that_comes_at_the_second_try_is_used);
    tcase_add_test(cases, a_failure_is_remembered_so_that_nobody_waits_twice);
    tcase_add_test(cases, a_document_without_a_schema_is_none);
    tcase_add_test(cases, with_read_schema_off_nobody_is_asked);
    tcase_add_loop_test(cases, what_the_schema_shows_to_be_in_vain_is_refused_before_it_costs, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_test(cases, a_refusal_of_replicates_names_the_clients_parameter);
    tcase_add_test(cases, explain_tells_what_becomes_of_parameters);
    tcase_add_test(cases, explain_tells_who_shares_the_requests_and_who_stands_in);
    tcase_add_test(cases, explain_shows_a_request_as_it_would_be_sent);
    tcase_add_test(cases, explain_keeps_a_secret_input_to_itself);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return suite_run(schema_suite());
}
