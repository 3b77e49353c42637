/* Paths: every way in which a client may write the same request, the models that are listed, and what a reload changes
 * of them and of the keys. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "chat_case.h"
#include "check_main.h"

#define LENGTH(table) ((int)(sizeof(table) / sizeof *(table)))
#define SAY "\"messages\":[{\"role\":\"user\",\"content\":\"" CHAT_CASE_PROMPT "\"}]"

static struct bridge bridge;

static const char config[] = "workers: 1\n"
                             "replicate: {base_url: \"@SIM@\", token: test-token}\n"
                             "models: {writer: acme/writer, \"house/writer\": acme/writer, \"any/*\": \"*\"}\n";

static void set_up(void)
{
    bridge_start_sim(&bridge);
    replicate_sim_plan(bridge.sim, &(struct sim_plan){.model = BRIDGE_MODEL, .official = true});
    chat_case_start(&bridge, config);
}

static void tear_down(void)
{
    chat_case_stop(&bridge);
}

static int get(const char *path, const char *headers, struct http_response *response)
{
    ck_assert_msg(http_exchange(bridge.port, &(struct http_request){.path = path, .headers = headers}, response,
                                daemon_patience_ms()),
                  "no complete answer arrived");
    return response->status;
}

/* ---- chat ---- */

static const struct {
    const char *path, *body, *model; /* model: what the answer names */
} chats[] = {
    {"/v1/chat/completions", "{\"model\":\"writer\"," SAY "}", "writer"},
    {"/chat/completions", "{\"model\":\"writer\"," SAY "}", "writer"},
    {"/v1/chat/completions/", "{\"model\":\"writer\"," SAY "}", "writer"},
    {"/v1/chat/completions?beta=true&x=%zz", "{\"model\":\"writer\"," SAY "}", "writer"},
    {"/v1/chat/completions", "{\"model\":\"house/writer\"," SAY "}", "house/writer"},
    {"/v1/chat/completions", "{\"model\":\"any/acme/writer\"," SAY "}", "any/acme/writer"},
    {"/v1/engines/writer/chat/completions", "{" SAY "}", "writer"},
    {"/engines/writer/chat/completions", "{" SAY "}", "writer"},
    {"/engines/house/writer/chat/completions", "{" SAY "}", "house/writer"},
    {"/engines/house%2Fwriter/chat/completions", "{" SAY "}", "house/writer"},
    {"/engines/any%2facme%2Fwriter/chat/completions", "{" SAY "}", "any/acme/writer"},
    {"/openai/deployments/writer/chat/completions?api-version=2024-10-21", "{" SAY "}", "writer"},
    {"/v1/openai/deployments/house%2Fwriter/chat/completions", "{" SAY "}", "house/writer"},
    {"/openai/deployments/writer/chat/completions", "{\"model\":\"nobody\"," SAY "}", "writer"},
};

START_TEST(a_chat_may_be_asked_for_on_every_path)
{
    const struct http_request request = {.path = chats[_i].path, .body = chats[_i].body};
    struct http_response response = {0};
    ck_assert(http_exchange(bridge.port, &request, &response, daemon_patience_ms()));
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    json_t *body = bridge_json(&response);
    ck_assert_pstr_eq(json_text(body, "model"), chats[_i].model);
    json_decref(body);
    ck_assert_str_eq(replicate_sim_request(bridge.sim, SIM_CREATE, 0)->path, "/v1/models/acme/writer/predictions");
    http_response_dispose(&response);
}
END_TEST

static const char *const no_paths[] = {
    "/v1/v1/chat/completions",       "/v1/Chat/Completions",          "/engines//chat/completions",
    "/v1/engines/chat/completions",  "/v1/chat%2Fcompletions",        "/v1/chat/completions/writer",
    "/engines/%zz/chat/completions", "/engines/%00/chat/completions", "//chat/completions",
};

START_TEST(what_looks_like_a_path_is_none)
{
    const struct http_request request = {.path = no_paths[_i], .body = "{\"model\":\"writer\"," SAY "}"};
    struct http_response response = {0};
    ck_assert(http_exchange(bridge.port, &request, &response, daemon_patience_ms()));
    bridge_expect_error(&response, strchr(no_paths[_i], 'z') || strstr(no_paths[_i], "%00") ? 400 : 404, NULL, NULL);
    ck_assert_uint_eq(chat_case_creates(&bridge), 0);
    http_response_dispose(&response);
}
END_TEST

/* ---- models ---- */

static const struct {
    const char *path, *id; /* id: NULL = not found */
} models[] = {
    {"/v1/models/writer", "writer"},
    {"/models/writer", "writer"},
    {"/v1/models/writer/", "writer"},
    {"/v1/models/house/writer", "house/writer"},
    {"/v1/models/house%2Fwriter", "house/writer"},
    {"/models/house%2fwriter", "house/writer"},
    {"/v1/models/house", NULL},
    {"/v1/models/house%252Fwriter", NULL},
    {"/v1/models/Writer", NULL},
};

START_TEST(a_model_is_found_by_its_id_slashes_and_all)
{
    static const struct chat_error not_found = {404, "invalid_request_error", "model_not_found", "*", false, NULL};
    struct http_response response = {0};
    get(models[_i].path, NULL, &response);
    if (models[_i].id == NULL) {
        chat_case_expect_error(&response, &not_found);
    } else {
        ck_assert_msg(response.status == 200, "status %d: %s", response.status, response.body);
        json_t *body = bridge_json(&response);
        ck_assert_pstr_eq(json_text(body, "id"), models[_i].id);
        ck_assert_pstr_eq(json_text(body, "object"), "model");
        ck_assert(json_is_integer(json_object_get(body, "created")));
        ck_assert(json_is_string(json_object_get(body, "owned_by")));
        json_decref(body);
    }
    http_response_dispose(&response);
}
END_TEST

START_TEST(the_models_are_listed_alike_with_and_without_v1)
{
    struct http_response first = {0}, second = {0};
    ck_assert_int_eq(get("/v1/models", NULL, &first), 200);
    ck_assert_int_eq(get("/models", NULL, &second), 200);
    ck_assert_str_eq(first.body, second.body);
    json_t *body = bridge_json(&first);
    ck_assert_pstr_eq(json_text(body, "object"), "list");
    const json_t *data = json_object_get(body, "data");
    size_t index, found = 0;
    const json_t *model;
    json_array_foreach(data, index, model) found +=
        strcmp(json_text(model, "id"), "writer") == 0 || strcmp(json_text(model, "id"), "house/writer") == 0;
    ck_assert_uint_eq(found, 2);
    json_decref(body);
    http_response_dispose(&first);
    http_response_dispose(&second);
}
END_TEST

START_TEST(nothing_but_a_chat_asks_anything_of_replicate)
{
    static const char *const paths[] = {"/v1/models",         "/v1/models/writer", "/health",
                                        "/health/liveliness", "/health/liveness",  "/health/readiness",
                                        "/healthz",           "/readyz",           "/metrics"};
    struct http_response response = {0};
    for (int i = 0; i < LENGTH(paths); i++)
        ck_assert_int_eq(get(paths[i], NULL, &response), 200);
    /* What the configured models take is asked once, at the start. */
    ck_assert_uint_eq(replicate_sim_request_count(bridge.sim, SIM_ANY),
                      replicate_sim_request_count(bridge.sim, SIM_MODEL));
    http_response_dispose(&response);
}
END_TEST

/* ---- reload ---- */

/* The signal is obeyed a moment later: asked again until the answer is that of the new file. */
static void reload_until(const char *text, const char *path, const char *headers, int status)
{
    char *whole =
        xasprintf("replicate: {base_url: \"%s\", token: test-token}\n%s", replicate_sim_base_url(bridge.sim), text);
    struct http_response response = {0};
    ck_assert(daemon_write_config(bridge.daemon, whole));
    free(whole);
    ck_assert(daemon_signal(bridge.daemon, SIGHUP));
    for (int i = 0; i < 5000 && get(path, headers, &response) != status; i++)
        ;
    ck_assert_msg(response.status == status, "still %d: %s", response.status, response.body);
    http_response_dispose(&response);
}

START_TEST(a_reload_takes_keys_and_models_away_and_brings_others)
{
    static const char alice[] = "Authorization: Bearer test-key-alice\r\n", bob[] = "Authorization: Bearer "
                                                                                    "test-key-bob\r\n";
    static const char first[] = "models: {writer: acme/writer}\nworkers: 1\n"
                                "keys: [{name: alice, key: test-key-alice}]\n",
                      second[] = "models: {reader: acme/writer}\nworkers: 1\n"
                                 "keys: [{name: bob, key: test-key-bob, models: [reader]}]\n";
    struct http_response response = {0};
    reload_until(first, "/v1/models", NULL, 401);
    ck_assert_int_eq(get("/v1/models/writer", alice, &response), 200);
    ck_assert_int_eq(get("/v1/models", bob, &response), 401);
    reload_until(second, "/v1/models", bob, 200);
    ck_assert_int_eq(get("/v1/models", alice, &response), 401);
    ck_assert_int_eq(get("/v1/models/reader", bob, &response), 200);
    ck_assert_int_eq(get("/v1/models/writer", bob, &response), 404);
    chat_case_run(&bridge, &(struct chat_case){.model = "reader", .headers = bob}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    http_response_dispose(&response);
}
END_TEST

START_TEST(a_connection_that_is_kept_over_a_reload_sees_the_new_models)
{
    struct http_response response = {0};
    struct http_connection *client = http_connect(bridge.port);
    chat_case_run_on(client, &(struct chat_case){0}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    reload_until("models: {reader: acme/writer}\nworkers: 1\n", "/v1/models/reader", NULL, 200);
    chat_case_run_on(client, &(struct chat_case){0}, &response);
    ck_assert_int_eq(response.status, 404);
    chat_case_run_on(client, &(struct chat_case){.model = "reader"}, &response);
    chat_case_expect_text(&response, "~" CHAT_CASE_PROMPT);
    http_response_dispose(&response);
    http_close(&client);
}
END_TEST

static Suite *paths_suite(void)
{
    Suite *suite = suite_create("paths");
    TCase *tcase = tcase_create("paths");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, a_chat_may_be_asked_for_on_every_path, 0, LENGTH(chats));
    tcase_add_loop_test(tcase, what_looks_like_a_path_is_none, 0, LENGTH(no_paths));
    tcase_add_loop_test(tcase, a_model_is_found_by_its_id_slashes_and_all, 0, LENGTH(models));
    tcase_add_test(tcase, the_models_are_listed_alike_with_and_without_v1);
    tcase_add_test(tcase, nothing_but_a_chat_asks_anything_of_replicate);
    tcase_add_test(tcase, a_reload_takes_keys_and_models_away_and_brings_others);
    tcase_add_test(tcase, a_connection_that_is_kept_over_a_reload_sees_the_new_models);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(paths_suite());
}
