/* The daemon's own endpoints: one table row each. None of them costs money or touches the network. */
#include "server/admin.h"

#include <string.h>

#include "base/json.h"
#include "base/metrics.h"
#include "server/status_page.h"

static const char JSON[] = "application/json";

static void answer_alive(const struct admin_request *request, struct buf *out, struct admin_answer *answer)
{
    *answer = (struct admin_answer){.status = request->is_draining ? 503 : 200, .content_type = JSON};
    buf_append_text(out, request->is_draining ? "{\"status\":\"shutting_down\"}" : "\"I'm alive!\"");
}

/* "Not connected" is what LiteLLM says of its database when it has none; probes written for it look for the key. */
static void answer_ready(const struct admin_request *request, struct buf *out, struct admin_answer *answer)
{
    *answer = (struct admin_answer){.status = request->is_draining ? 503 : 200, .content_type = JSON};
    buf_printf(out, "{\"status\":\"%s\",\"db\":\"Not connected\"}", request->is_draining ? "shutting_down" : "healthy");
}

/* The process lives, also while it drains: whoever restarts what is dead must not restart it then. */
static void answer_ok(const struct admin_request *request, struct buf *out, struct admin_answer *answer)
{
    (void)request;
    *answer = (struct admin_answer){.status = 200, .content_type = JSON};
    buf_append_text(out, "{\"status\":\"ok\"}");
}

/* LiteLLM's shape, without its calls to the models. Names are told only where everybody may use them: neither keys nor
 * addresses bind those who look at health. */
static void answer_health(const struct admin_request *request, struct buf *out, struct admin_answer *answer)
{
    const struct config *config = request->config;
    *answer = (struct admin_answer){.status = request->is_draining ? 503 : 200, .content_type = JSON};
    bool is_for_all = config->key_count == 0 && config->allowed_ip_count == 0;
    size_t named = is_for_all ? config->route_count : 0;
    buf_append_text(out, "{\"healthy_endpoints\":[");
    for (size_t i = 0; i < named; i++) {
        buf_append_text(out, i == 0 ? "{\"model\":" : ",{\"model\":");
        json_append_string(out, config->routes[i]->alias, strlen(config->routes[i]->alias));
        buf_append_text(out, "}");
    }
    buf_printf(out, "],\"unhealthy_endpoints\":[],\"healthy_count\":%zu,\"unhealthy_count\":0}", config->route_count);
}

static void answer_metrics(const struct admin_request *request, struct buf *out, struct admin_answer *answer)
{
    (void)request;
    *answer = (struct admin_answer){.status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8"};
    metrics_write(out);
}

static void answer_page(const struct admin_request *request, struct buf *out, struct admin_answer *answer)
{
    *answer = (struct admin_answer){.status = 200, .content_type = "text/html; charset=utf-8"};
    const struct status_view view = {request->config, request->board, request->key, request->is_draining,
                                     request->nonce};
    status_page_write(&view, out);
    status_page_policy(request->nonce, answer->policy, sizeof answer->policy);
}

static const struct admin_endpoint ENDPOINTS[] = {
    {"/", answer_page, .is_guarded = true},
    {"/health", answer_health, .is_health = true},
    {"/health/liveliness", answer_alive, .is_health = true},
    {"/health/liveness", answer_alive, .is_health = true},
    {"/health/readiness", answer_ready, .is_health = true},
    {"/healthz", answer_ok, .is_health = true},
    {"/readyz", answer_ready, .is_health = true},
    {"/metrics", answer_metrics, .is_guarded = false},
};

/* "/v1/" alone is no other name of the page. */
static const char *without_version(const char *path)
{
    return strncmp(path, "/v1/", 4) == 0 && path[4] != '\0' ? path + 3 : path;
}

const struct admin_endpoint *admin_find(const char *path)
{
    path = without_version(path);
    for (size_t i = 0; i < sizeof ENDPOINTS / sizeof ENDPOINTS[0]; i++)
        if (strcmp(path, ENDPOINTS[i].path) == 0)
            return &ENDPOINTS[i];
    return NULL;
}

bool admin_is_health(const char *path)
{
    const struct admin_endpoint *endpoint = admin_find(path);
    return endpoint != NULL && endpoint->is_health;
}
