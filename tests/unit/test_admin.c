/* Health, readiness, metrics: exact answers, ready or draining. */
#include "server/admin.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/metrics.h"
#include "check_main.h"

#define HEALTH_OF_NONE "{\"healthy_endpoints\":[],\"unhealthy_endpoints\":[],\"healthy_count\":0,\"unhealthy_count\":0}"

static struct buf out;
static struct admin_answer answer;

static void setup(void)
{
    buf_init(&out, 64 * 1024);
}

static void teardown(void)
{
    buf_dispose(&out);
}

static void ask(const char *path, const struct config *config, bool is_draining)
{
    const struct admin_endpoint *endpoint = admin_find(path);
    ck_assert_msg(endpoint != NULL, "there is no %s", path);
    buf_clear(&out);
    endpoint->answer(&(struct admin_request){.config = config, .is_draining = is_draining}, &out, &answer);
}

static const struct {
    const char *path;
    bool is_draining;
    int status;
    const char *body;
} rows[] = {
    {"/health/liveliness", false, 200, "\"I'm alive!\""},
    {"/health/liveness", false, 200, "\"I'm alive!\""},
    {"/health/liveliness", true, 503, "{\"status\":\"shutting_down\"}"},
    {"/health/liveness", true, 503, "{\"status\":\"shutting_down\"}"},
    {"/health/readiness", false, 200, "{\"status\":\"healthy\",\"db\":\"Not connected\"}"},
    {"/readyz", false, 200, "{\"status\":\"healthy\",\"db\":\"Not connected\"}"},
    {"/health/readiness", true, 503, "{\"status\":\"shutting_down\",\"db\":\"Not connected\"}"},
    {"/readyz", true, 503, "{\"status\":\"shutting_down\",\"db\":\"Not connected\"}"},
    {"/healthz", false, 200, "{\"status\":\"ok\"}"},
    {"/healthz", true, 200, "{\"status\":\"ok\"}"},
    {"/health", false, 200, HEALTH_OF_NONE},
    {"/health", true, 503, HEALTH_OF_NONE},
};

START_TEST(each_endpoint_says_exactly_this)
{
    static const char *const prefixes[] = {"", "/v1"};
    const struct config config = {0};
    for (size_t i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s%s", prefixes[i], rows[_i].path);
        ask(path, &config, rows[_i].is_draining);
        ck_assert_int_eq(answer.status, rows[_i].status);
        ck_assert_str_eq(answer.content_type, "application/json");
        ck_assert_str_eq(buf_text(&out), rows[_i].body);
    }
}
END_TEST

START_TEST(other_paths_are_not_found)
{
    static const char *const paths[] = {
        "",          "/v1",     "/v1/",       "/healt",    "/health/x", "/health/liveness/x", "/v1/v1/health",
        "/v1health", "/Health", "/v2/health", "/metricss", "health",    "/v1/models",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        ck_assert_msg(admin_find(paths[i]) == NULL, "%s was found", paths[i]);
}
END_TEST

START_TEST(health_names_the_models_only_where_everybody_may_use_them)
{
    struct route first = {.alias = "writer"}, second = {.alias = "say \"hi\"/*"};
    struct route *routes[] = {&first, &second};
    struct network network = {.bits = 128};
    struct key key = {.name = "alice", .digest = "ad77f83d5d5b9a3b738cfc75982ec0460450b94aa1bac0f16451a1142c89c4c8"};
    const struct config config = {.routes = routes,
                                  .route_count = 2,
                                  .keys = &key,
                                  .key_count = _i == 1,
                                  .allowed_ips = &network,
                                  .allowed_ip_count = _i == 2};
    struct error err;
    ask("/health", &config, false);
    json_t *json = json_parse(buf_text(&out), out.length, &err);
    ck_assert_ptr_nonnull(json);
    const json_t *healthy = json_object_get(json, "healthy_endpoints");
    ck_assert_uint_eq(json_array_size(healthy), _i == 0 ? 2 : 0);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "healthy_count")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "unhealthy_count")), 0);
    if (_i == 0) {
        ck_assert_str_eq(json_text(json_array_get(healthy, 0), "model"), "writer");
        ck_assert_str_eq(json_text(json_array_get(healthy, 1), "model"), "say \"hi\"/*");
    }
    json_decref(json);
}
END_TEST

START_TEST(metrics_are_prometheus_text_also_while_draining)
{
    const struct config config = {0};
    char expected[64];
    struct metrics *slot = metrics_new();
    metrics_add(slot, METRIC_polls_total, 7);
    snprintf(expected, sizeof expected, "\nreplibridge_polls_total %lld\n", (long long)metrics_sum(METRIC_polls_total));
    ask("/metrics", &config, _i == 1);
    metrics_free(slot);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(buf_text(&out), expected));
}
END_TEST

static Suite *admin_suite(void)
{
    Suite *suite = suite_create("admin");
    TCase *tcase = tcase_create("endpoints");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, each_endpoint_says_exactly_this, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tcase, other_paths_are_not_found);
    tcase_add_loop_test(tcase, health_names_the_models_only_where_everybody_may_use_them, 0, 3);
    tcase_add_loop_test(tcase, metrics_are_prometheus_text_also_while_draining, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(admin_suite());
}
