/* The simulated Replicate's endpoints: which path is what, and everything but creating a prediction. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"

enum { PAGE_SIZE = 100, UNLIMITED_CREATES = 599, UNLIMITED_CALLS = 2999, UNLIMITED_POLLS = 59999 };

void sim_answer_init(struct answer *answer)
{
    *answer = (struct answer){.status = 500};
    buf_init(&answer->headers, SIM_HEADER_MAX_BYTES);
    buf_init(&answer->body, SIM_BODY_MAX_BYTES);
}

void sim_answer_dispose(struct answer *answer)
{
    buf_dispose(&answer->headers);
    buf_dispose(&answer->body);
}

void sim_answer_json(struct answer *answer, int status, json_t *body)
{
    ensure(body != NULL);
    answer->status = status;
    answer->content_type = status < 400 ? "application/json; charset=utf-8" : "application/problem+json";
    buf_clear(&answer->body);
    json_append(&answer->body, body);
    if (status >= 400)
        buf_append_text(&answer->body, "\n");
    json_decref(body);
}

/* The shape that all of Replicate's own errors share; a page of its proxy is another matter (faults). */
void sim_answer_problem(struct answer *answer, int status, const char *title, const char *detail)
{
    json_t *body = json_object();
    if (title)
        json_object_set_new(body, "title", json_string(title));
    json_object_set_new(body, "detail", json_string(detail));
    json_object_set_new(body, "status", json_integer(status));
    sim_answer_json(answer, status, body);
}

/* The detail repeats every problem as a line; the root of the body has no name there. */
void sim_answer_invalid(struct answer *answer, const json_t *problems)
{
    struct buf detail;
    const json_t *one;
    size_t i;
    buf_init(&detail, SIM_BODY_MAX_BYTES);
    json_array_foreach(problems, i, one)
    {
        const char *field = json_text(one, "field");
        buf_printf(&detail, "- %s%s%s\n", field, *field ? ": " : "", json_text(one, "description"));
    }
    sim_answer_json(answer, 422,
                    json_pack("{s:s,s:i,s:s,s:O}", "detail", buf_text(&detail), "status", 422, "title",
                              "Input validation failed", "invalid_fields", problems));
    buf_dispose(&detail);
}

/* --- Paths ---------------------------------------------------------------------------------------------------- */

/* One row a path. In patterns `O/N` stands for owner and name, `*` for one id. */
static const struct {
    const char *method, *pattern;
    enum route_kind kind;
    enum sim_endpoint endpoint;
} paths[] = {
    {"POST", "/v1/predictions", ROUTE_CREATE, SIM_CREATE},
    {"POST", "/v1/models/O/N/predictions", ROUTE_CREATE_MODEL, SIM_CREATE},
    {"POST", "/v1/deployments/O/N/predictions", ROUTE_CREATE_DEPLOYMENT, SIM_CREATE},
    {"GET", "/v1/predictions", ROUTE_LIST, SIM_OTHER},
    {"GET", "/v1/predictions/*", ROUTE_GET, SIM_GET},
    {"POST", "/v1/predictions/*/cancel", ROUTE_CANCEL, SIM_CANCEL},
    {"GET", "/v1/models/O/N", ROUTE_MODEL, SIM_MODEL},
    {"GET", "/v1/models/O/N/versions", ROUTE_VERSIONS, SIM_MODEL},
    {"GET", "/v1/models/O/N/versions/*", ROUTE_VERSION, SIM_MODEL},
    {"GET", "/v1/deployments/O/N", ROUTE_DEPLOYMENT, SIM_MODEL},
    {"GET", "/v1/account", ROUTE_ACCOUNT, SIM_OTHER},
    {"GET", "/v1/hardware", ROUTE_HARDWARE, SIM_OTHER},
    {"GET", "/v1/streams/*", ROUTE_STREAM, SIM_STREAM},
    {"POST", "/v1/files", ROUTE_FILE_UPLOAD, SIM_FILES},
    {"GET", "/v1/files", ROUTE_FILE_LIST, SIM_FILES},
    {"GET", "/v1/files/*", ROUTE_FILE_GET, SIM_FILES},
    {"DELETE", "/v1/files/*", ROUTE_FILE_DELETE, SIM_FILES},
    {"GET", "/v1/files/*/download", ROUTE_FILE_DOWNLOAD, SIM_FILES},
};

/* Copies one segment of the path; false when it is empty or too long. */
static bool take_segment(const char **path, char *out, size_t size)
{
    size_t length = strcspn(*path, "/?");
    if (length == 0 || length >= size)
        return false;
    snprintf(out, size, "%.*s", (int)length, *path);
    *path += length;
    return true;
}

/* Fills the route as it goes; what a failed match leaves in it is overwritten by the next. */
static bool match(const char *pattern, const char *path, struct route *route)
{
    char owner[SIM_NAME_BYTES / 2], name[SIM_NAME_BYTES / 2];
    for (; *pattern; pattern++) {
        if (*pattern == 'O') {
            if (!take_segment(&path, owner, sizeof(owner)) || *path++ != '/' ||
                !take_segment(&path, name, sizeof(name)))
                return false;
            snprintf(route->model, sizeof(route->model), "%s/%s", owner, name);
            pattern += 2;
        } else if (*pattern == '*') {
            if (!take_segment(&path, route->id, sizeof(route->id)))
                return false;
        } else if (*pattern != *path++) {
            return false;
        }
    }
    return *path == '\0' || *path == '?';
}

/* A path that exists with another method is told from one that does not: 405 and not 404. */
void sim_route_find(const char *method, const char *path, struct route *route)
{
    bool exists = false;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        *route = (struct route){.endpoint = paths[i].endpoint};
        if (!match(paths[i].pattern, path, route))
            continue;
        exists = true;
        if (strcmp(method, paths[i].method) == 0) {
            route->kind = paths[i].kind;
            return;
        }
    }
    *route = (struct route){.endpoint = SIM_UNKNOWN, .kind = exists ? ROUTE_WRONG_METHOD : ROUTE_NONE};
}

/* The model that the `version` of a create's body names. */
static void body_model(struct replicate_sim *sim, const struct sim_request *request, char model[SIM_NAME_BYTES])
{
    json_t *body = json_parse(request->body, request->body_length, NULL);
    const char *version = json_is_object(body) ? json_text(body, "version") : NULL;
    if (version && strchr(version, '/')) {
        snprintf(model, SIM_NAME_BYTES, "%.*s", (int)strcspn(version, ":"), version);
    } else if (version) {
        struct plan *plan = sim_plan_find_version(sim, version);
        if (plan && plan->settings.model)
            snprintf(model, SIM_NAME_BYTES, "%s", plan->settings.model);
    }
    json_decref(body);
}

/* Only asked for when there are faults: it parses the body of a create a second time. */
void sim_route_model(struct replicate_sim *sim, const struct route *route, const struct sim_request *request,
                     char model[SIM_NAME_BYTES])
{
    snprintf(model, SIM_NAME_BYTES, "%s", "");
    if (route->kind == ROUTE_CREATE) {
        body_model(sim, request, model);
    } else if (route->kind == ROUTE_CREATE_DEPLOYMENT || route->kind == ROUTE_DEPLOYMENT) {
        struct plan *plan = sim_plan_find_deployment(sim, route->model);
        snprintf(model, SIM_NAME_BYTES, "%s", plan && plan->settings.model ? plan->settings.model : route->model);
    } else if (route->kind == ROUTE_GET || route->kind == ROUTE_CANCEL || route->kind == ROUTE_STREAM) {
        struct prediction *prediction = route->kind == ROUTE_STREAM
                                            ? sim_stream_find(sim, route->id)
                                            : sim_prediction_find(sim, route->id, strlen(route->id));
        const char *planned = prediction ? prediction->plan->settings.model : NULL;
        if (prediction)
            snprintf(model, SIM_NAME_BYTES, "%s", planned ? planned : prediction->model);
    } else {
        snprintf(model, SIM_NAME_BYTES, "%s", route->model);
    }
}

/* --- What comes before the endpoint --------------------------------------------------------------------------- */

/* Both spellings of the scheme are accepted, as old clients still send `Token`. */
static bool authorize(struct replicate_sim *sim, const struct sim_request *request, struct answer *answer)
{
    char value[512];
    const char *detail = "Invalid or expired API token.";
    if (!sim_request_header(request, "authorization", value, sizeof(value))) {
        detail = "You did not pass an authentication token";
    } else {
        const char *token = strncmp(value, "Bearer ", 7) == 0  ? value + 7
                            : strncmp(value, "Token ", 6) == 0 ? value + 6
                                                               : "";
        if (*token && (sim->options.accept_any_token || strcmp(token, sim->token) == 0))
            return true;
    }
    sim->counters.unauthorized++;
    sim_answer_problem(answer, 401, "Unauthenticated", detail);
    return false;
}

/* With the texts that are certain; the unverified ones are to be had as faults. */
static void throttle(struct replicate_sim *sim, struct answer *answer, bool create, int per_minute, int wait_s)
{
    char detail[256];
    const struct replicate_sim_options *options = &sim->options;
    if (create)
        snprintf(detail, sizeof(detail),
                 "Request was throttled. Your rate limit for creating predictions is %d requests per minute. "
                 "Your rate limit resets in ~%ds.",
                 per_minute, wait_s);
    else
        snprintf(detail, sizeof(detail), "Request was throttled. Your rate limit resets in ~%ds.", wait_s);
    json_t *body = json_pack("{s:s,s:i}", "detail", detail, "status", 429);
    if (!options->no_retry_after_in_body)
        json_object_set_new(body, "retry_after", json_integer(wait_s));
    sim_answer_json(answer, 429, body);
    if (options->retry_after_header)
        buf_printf(&answer->headers, "Retry-After: %d\r\n", wait_s);
    sim->counters.throttled++;
}

/* Takes from the budget of creates or of everything else; false when there is none. */
static bool spend(struct replicate_sim *sim, const struct route *route, struct answer *answer)
{
    const struct replicate_sim_options *options = &sim->options;
    bool create = route->endpoint == SIM_CREATE;
    int per_minute = create ? options->creates_per_minute : options->calls_per_minute;
    int burst = create ? options->create_burst : options->call_burst, wait_s = 0;
    struct sim_bucket *bucket = create ? &sim->creates : &sim->calls;
    int remaining = create ? UNLIMITED_CREATES : route->endpoint == SIM_GET ? UNLIMITED_POLLS : UNLIMITED_CALLS;
    bool has = true;
    if (per_minute > 0) {
        has = sim_bucket_take(bucket, per_minute, burst > 0 ? burst : per_minute, sim_now(sim), &wait_s);
        if (!has && options->rejected_calls_count)
            bucket->level -= 1;
        remaining = bucket->level > 0 ? (int)bucket->level : 0;
    }
    if (!has)
        throttle(sim, answer, create, per_minute, wait_s);
    if (!options->no_rate_headers && (has || options->rate_headers_on_429))
        buf_printf(&answer->headers, "ratelimit-remaining: %d\r\nratelimit-reset: 1\r\n", remaining);
    return has;
}

/* --- The endpoints -------------------------------------------------------------------------------------------- */

static void not_found(struct answer *answer)
{
    sim_answer_problem(answer, 404, NULL, "The requested resource could not be found.");
}

/* A poll or a cancel. What Replicate answers to the cancel of an ended prediction is not known: the plan decides. */
static void serve_prediction(struct replicate_sim *sim, const struct route *route, struct answer *answer)
{
    struct prediction *prediction = sim_prediction_find(sim, route->id, strlen(route->id));
    sim->counters.polls += route->kind == ROUTE_GET;
    if (!prediction) {
        sim->counters.unknown_paths++;
        not_found(answer);
        return;
    }
    if (route->kind == ROUTE_GET) {
        prediction->polls++;
        sim_answer_json(answer, 200, sim_prediction_object(sim, prediction, VIEW_NOW));
        return;
    }
    int status = prediction->plan->settings.cancel_finished_status;
    bool had_ended = prediction->phase == PHASE_ENDED;
    sim_prediction_cancel(sim, prediction);
    if (had_ended && status >= 400)
        sim_answer_problem(answer, status, NULL, "The prediction has already finished.");
    else
        sim_answer_json(
            answer, had_ended && status ? status : 200,
            sim_prediction_object(sim, prediction, prediction->ending == ENDING_CANCEL ? VIEW_CANCEL : VIEW_NOW));
}

/* Newest first. The cursor is the index above which everything has been shown. */
static void serve_list(struct replicate_sim *sim, const struct sim_request *request, struct answer *answer)
{
    const char *cursor = strstr(request->path, "cursor=");
    size_t count = sim->counters.created, above = cursor ? strtoul(cursor + 7, NULL, 10) : count;
    json_t *results = json_array(), *next = json_null();
    if (above > count)
        above = count;
    size_t last = above > PAGE_SIZE ? above - PAGE_SIZE : 0;
    for (size_t i = above; i > last; i--)
        json_array_append_new(results, sim_prediction_object(sim, sim->predictions[i - 1], VIEW_NOW));
    if (last > 0)
        next = json_sprintf("%s/predictions?cursor=%zu", sim->base_url, last);
    sim_answer_json(answer, 200, json_pack("{s:o,s:n,s:o}", "next", next, "previous", "results", results));
}

/* The documents of a model, and of a deployment. Private and missing ones look alike: 404. */
static void serve_model(struct replicate_sim *sim, const struct route *route, struct answer *answer)
{
    bool deployed = route->kind == ROUTE_DEPLOYMENT;
    struct plan *plan = deployed ? sim_plan_find_deployment(sim, route->model) : sim_plan_find(sim, route->model);
    sim->counters.model_calls++;
    if (!plan || (route->kind == ROUTE_VERSION && !sim_plan_has_version(sim, plan, route->model, route->id))) {
        not_found(answer);
    } else if (deployed) {
        sim_answer_json(answer, 200, sim_plan_deployment_object(sim, plan, route->model));
    } else if (route->kind == ROUTE_MODEL) {
        sim_answer_json(answer, 200, sim_plan_model_object(sim, plan, route->model));
    } else if (route->kind == ROUTE_VERSION) {
        sim_answer_json(answer, 200, sim_plan_version_object(sim, plan, route->id));
    } else {
        char made[65];
        const char *version;
        json_t *results = json_array();
        for (size_t i = 0; (version = sim_plan_version(plan, route->model, i, made)); i++)
            json_array_append_new(results, sim_plan_version_object(sim, plan, version));
        sim_answer_json(answer, 200, json_pack("{s:n,s:n,s:o}", "next", "previous", "results", results));
    }
}

/* False when the answer comes later. */
static bool serve(struct replicate_sim *sim, struct connection *connection, const struct route *route,
                  struct answer *answer)
{
    switch (route->endpoint) {
    case SIM_CREATE:
        return sim_api_create(sim, connection, route, answer);
    case SIM_GET:
    case SIM_CANCEL:
        serve_prediction(sim, route, answer);
        return true;
    case SIM_MODEL:
        serve_model(sim, route, answer);
        return true;
    case SIM_FILES:
        sim_files_serve(sim, connection->request, route, answer);
        return true;
    default:
        break;
    }
    if (route->kind == ROUTE_LIST) {
        serve_list(sim, connection->request, answer);
    } else if (route->kind == ROUTE_ACCOUNT) {
        sim_answer_json(answer, 200,
                        json_pack("{s:s,s:s,s:s,s:s}", "type", "organization", "username", "acme", "name", "Acme Corp",
                                  "github_url", "https://github.com/acme"));
    } else if (route->kind == ROUTE_HARDWARE) {
        sim_answer_json(
            answer, 200,
            json_pack("[{s:s,s:s},{s:s,s:s}]", "sku", "cpu", "name", "CPU", "sku", "gpu-t4", "name", "Nvidia T4 GPU"));
    } else if (route->kind == ROUTE_WRONG_METHOD) {
        sim->counters.unknown_paths++;
        sim_answer_problem(answer, 405, NULL, "This method is not allowed here.");
    } else {
        sim->counters.unknown_paths++;
        not_found(answer);
    }
    return true;
}

/* Notes the request where tests look for it, and finds out what befalls it. */
static void note(struct replicate_sim *sim, struct connection *connection, const struct route *route)
{
    struct sim_request *request = connection->request;
    char model[SIM_NAME_BYTES];
    request->endpoint = route->endpoint;
    request->at_ms = sim_now(sim);
    request->connection = connection->number;
    if (!list_is_empty(&sim->faults)) {
        sim_route_model(sim, route, request, model);
        connection->fault = sim_fault_pick(sim, route->endpoint, model);
        request->fault = connection->fault ? connection->fault->spec.fault : SIM_FAULT_NONE;
    }
    connection->request_kept = sim_keep_request(sim, request);
    sim->counters.requests++;
    sim->counters.create_calls += route->endpoint == SIM_CREATE;
    sim->has_changed = true;
}

/* Two origins know nothing of each other's paths. */
static bool is_elsewhere(const struct replicate_sim *sim, const struct connection *connection,
                         const struct route *route)
{
    return sim->options.separate_streams && connection->other_origin != (route->kind == ROUTE_STREAM);
}

/* The order is Replicate's as far as it shows: who are you, have you any budget left, what do you want. Streams ask
 * nobody who they are. */
void sim_api_serve(struct replicate_sim *sim, struct connection *connection)
{
    struct route route;
    struct answer answer;
    sim_answer_init(&answer);
    sim_route_find(connection->request->method, connection->request->path, &route);
    if (is_elsewhere(sim, connection, &route))
        route = (struct route){.endpoint = SIM_UNKNOWN, .kind = ROUTE_NONE};
    note(sim, connection, &route);
    if (connection->fault && sim_fault_does_nothing(connection->fault)) {
        sim_fault_refuse(&answer, connection->fault);
        sim_fault_answer(sim, connection, &answer);
        return;
    }
    if (route.kind == ROUTE_STREAM) {
        if (sim_stream_serve(sim, connection, &route, &answer))
            sim_fault_answer(sim, connection, &answer);
        else
            sim_answer_dispose(&answer);
        return;
    }
    if (authorize(sim, connection->request, &answer) && spend(sim, &route, &answer) &&
        !serve(sim, connection, &route, &answer)) {
        connection->held_headers = buf_take(&answer.headers, NULL);
        sim_answer_dispose(&answer);
        return;
    }
    sim_fault_answer(sim, connection, &answer);
}
