/* Creating a prediction on the simulated Replicate: its three paths, its strict body, and the headers that make it
 * wait or end. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { WAIT_MAX_S = 60, CANCEL_AFTER_MIN_S = 5 };

/* Only these keys: the document says additionalProperties false. */
static bool is_allowed_key(const char *key, bool takes_version)
{
    static const char *const keys[] = {"input", "webhook", "webhook_events_filter", "stream"};
    if (takes_version && strcmp(key, "version") == 0)
        return true;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* For members of the body itself, which the validator names without a prefix. */
static void check_member(json_t *problems, const json_t *body, const char *key, int type, const char *type_name)
{
    const json_t *value = json_object_get(body, key);
    char text[128];
    if (!value) {
        snprintf(text, sizeof(text), "%s is required", key);
        sim_plan_add_problem(problems, "required", "", text);
    } else if ((int)json_typeof(value) != type) {
        snprintf(text, sizeof(text), "Invalid type. Expected: %s", type_name);
        sim_plan_add_problem(problems, "invalid_type", key, text);
    }
}

/* Everything that is wrong is told at once, as Replicate does. */
static void check_body(const json_t *body, bool takes_version, json_t *problems)
{
    const char *key;
    json_t *value;
    if (takes_version)
        check_member(problems, body, "version", JSON_STRING, "string");
    check_member(problems, body, "input", JSON_OBJECT, "object");
    json_object_foreach((json_t *)body, key, value)
    {
        char text[256];
        if (is_allowed_key(key, takes_version))
            continue;
        snprintf(text, sizeof(text), "Additional property %s is not allowed", key);
        sim_plan_add_problem(problems, "additional_property_not_allowed", "", text);
    }
    if (json_object_get(body, "stream") && !json_is_boolean(json_object_get(body, "stream")))
        sim_plan_add_problem(problems, "invalid_type", "stream", "Invalid type. Expected: boolean");
}

static bool is_version(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* What a create is to run: filled from its path and its body's `version`. */
struct target {
    struct plan *plan;
    char model[SIM_NAME_BYTES];
    char version[65]; /* as shown */
};

/* Official models do; a few others do too, and then by name only. */
static bool runs_by_name(const struct plan *plan)
{
    return plan && (plan->settings.official || plan->settings.only_unversioned);
}

/* `version`: owner/name for official models, owner/name:64 hex and 64 hex for all. */
static bool find_by_version(struct replicate_sim *sim, const char *text, struct target *target)
{
    const char *colon = strchr(text, ':'), *version = colon ? colon + 1 : text;
    if (strchr(text, '/')) {
        snprintf(target->model, sizeof(target->model), "%.*s", (int)strcspn(text, ":"), text);
        target->plan = sim_plan_find(sim, target->model);
        snprintf(target->version, sizeof(target->version), "%s", "hidden");
        if (!colon)
            return runs_by_name(target->plan);
    } else {
        target->plan = sim_plan_find_version(sim, version);
        const char *model = target->plan ? target->plan->settings.model : NULL;
        snprintf(target->model, sizeof(target->model), "%s", model ? model : "simulated/model");
    }
    if (!target->plan || !is_version(version) || !sim_plan_has_version(sim, target->plan, target->model, version))
        return false;
    snprintf(target->version, sizeof(target->version), "%s", version);
    return true;
}

/* A community model has no such path at all, hence 404 and not 422. */
static bool find_by_path(struct replicate_sim *sim, const struct route *route, struct target *target)
{
    char made[65];
    snprintf(target->model, sizeof(target->model), "%s", route->model);
    if (route->kind == ROUTE_CREATE_MODEL) {
        target->plan = sim_plan_find(sim, route->model);
        snprintf(target->version, sizeof(target->version), "%s", "hidden");
        return runs_by_name(target->plan);
    }
    target->plan = sim_plan_find_deployment(sim, route->model);
    if (!target->plan)
        return false;
    if (target->plan->settings.model)
        snprintf(target->model, sizeof(target->model), "%s", target->plan->settings.model);
    const char *version = sim_plan_version(target->plan, target->model, 0, made);
    snprintf(target->version, sizeof(target->version), "%s", version ? version : "hidden");
    return true;
}

/* False, and the answer, when there is no such model or it does not run this way. */
static bool find_target(struct replicate_sim *sim, const struct route *route, const json_t *body, struct target *target,
                        struct answer *answer)
{
    if (route->kind != ROUTE_CREATE) {
        if (find_by_path(sim, route, target))
            return true;
        sim_answer_problem(answer, 404, NULL, "The requested resource could not be found.");
        return false;
    }
    if (find_by_version(sim, json_text(body, "version"), target))
        return true;
    sim_answer_problem(answer, 422, "Invalid version or not permitted",
                       "The specified version does not exist (or perhaps you don't have permission to use it?)");
    return false;
}

/* "90", "30s", "5m", "1h30m45s" in seconds; -1 when it is none of these. */
static int64_t parse_duration_s(const char *text)
{
    int64_t total = 0;
    if (!*text)
        return -1;
    while (*text) {
        char *stop;
        if (*text < '0' || *text > '9')
            return -1;
        long count = strtol(text, &stop, 10);
        if (count > 1000000)
            return -1;
        int64_t unit = *stop == 'h' ? 3600 : *stop == 'm' ? 60 : 1;
        if (*stop && !strchr("hms", *stop))
            return -1;
        total += count * unit;
        text = *stop ? stop + 1 : stop;
    }
    return total;
}

/* Cancel-After as milliseconds, 0 without it; false, and the answer, when it is not one. */
static bool read_cancel_after(struct replicate_sim *sim, const struct sim_request *request, int64_t *ms,
                              struct answer *answer)
{
    char value[64];
    *ms = 0;
    if (!sim_request_header(request, "cancel-after", value, sizeof(value)))
        return true;
    int64_t seconds = parse_duration_s(value);
    if (seconds < CANCEL_AFTER_MIN_S) {
        sim->counters.invalid++;
        sim_answer_problem(answer, 422, "Input validation failed",
                           "Cancel-After must be a duration of at least 5 seconds, such as 30s or 5m.");
        return false;
    }
    *ms = seconds * sim_second_ms(sim);
    return true;
}

/* How many seconds a create is to be held: 0 = not at all. */
static int read_prefer(const struct sim_request *request, char *value, size_t size)
{
    if (!sim_request_header(request, "prefer", value, size) || strncmp(value, "wait", 4) != 0)
        return 0;
    if (value[4] != '=')
        return value[4] == '\0' ? WAIT_MAX_S : 0;
    long seconds = strtol(value + 5, NULL, 10);
    return seconds < 1 ? 0 : seconds > WAIT_MAX_S ? WAIT_MAX_S : (int)seconds;
}

/* Any 2xx means created; the plan may choose which. */
static void answer_created(struct replicate_sim *sim, struct prediction *prediction, enum view view, int status,
                           struct answer *answer)
{
    int planned = prediction->plan->settings.create_status;
    sim_answer_json(answer, planned ? planned : status, sim_prediction_object(sim, prediction, view));
    if (sim->options.location_header)
        buf_printf(&answer->headers, "Location: %s/predictions/%s\r\n", sim->base_url, prediction->id);
}

/* Echoes the header as it was sent. */
static void prefer_applied(const struct prediction *prediction, const char *prefer, struct answer *answer)
{
    if (!prediction->plan->settings.no_preference_applied)
        buf_printf(&answer->headers, "Preference-Applied: %s\r\n", prefer);
}

/* Creates it, and answers or waits. False when the answer comes later. */
static bool create(struct replicate_sim *sim, struct connection *connection, const struct prediction_options *options,
                   struct answer *answer)
{
    char prefer[64];
    int wait_s = read_prefer(connection->request, prefer, sizeof(prefer));
    struct prediction *prediction = sim_prediction_create(sim, options);
    if (wait_s == 0 || options->plan->settings.wait_answer == SIM_WAIT_IGNORED) {
        answer_created(sim, prediction, VIEW_CREATED, 201, answer);
        return true;
    }
    prediction->waiter = connection;
    connection->waits_for = prediction;
    sim->counters.waiting++;
    sim_timer_set(sim, &connection->timer, sim_now(sim) + wait_s * sim_second_ms(sim));
    return false;
}

/* The headers of the budget were written when the request came, and held back with the answer. */
void sim_api_create_waited(struct replicate_sim *sim, struct prediction *prediction)
{
    struct connection *connection = prediction->waiter;
    struct answer answer;
    char prefer[64];
    sim_answer_init(&answer);
    buf_append_text(&answer.headers, connection->held_headers);
    prediction->waiter = NULL;
    connection->waits_for = NULL;
    sim_timer_clear(sim, &connection->timer);
    sim->counters.waiting--;
    read_prefer(connection->request, prefer, sizeof(prefer));
    answer_created(sim, prediction, VIEW_WAITED, prediction->phase == PHASE_ENDED ? 201 : 202, &answer);
    prefer_applied(prediction, prefer, &answer);
    sim_fault_answer(sim, connection, &answer);
}

/* Body, model, headers, input, in this order: only a whole request creates anything. */
static bool create_checked(struct replicate_sim *sim, struct connection *connection, const struct route *route,
                           const json_t *body, struct answer *answer)
{
    struct target target = {0};
    json_t *problems = json_array();
    int64_t cancel_after_ms = 0;
    bool answered = true;
    check_body(body, route->kind == ROUTE_CREATE, problems);
    if (json_array_size(problems) == 0 && find_target(sim, route, body, &target, answer) &&
        read_cancel_after(sim, connection->request, &cancel_after_ms, answer)) {
        sim_plan_check_input(target.plan, json_object_get(body, "input"), problems);
        bool deployed = route->kind == ROUTE_CREATE_DEPLOYMENT;
        const struct prediction_options options = {.plan = target.plan,
                                                   .model = target.model,
                                                   .version = target.version,
                                                   .deployment = deployed ? route->model : NULL,
                                                   .body = body,
                                                   .cancel_after_ms = cancel_after_ms};
        if (json_array_size(problems) == 0) {
            sim_plan_count_lost(sim, target.plan, json_object_get(body, "input"));
            answered = create(sim, connection, &options, answer);
        }
    }
    if (json_array_size(problems) > 0) {
        sim->counters.invalid++;
        sim_answer_invalid(answer, problems);
    }
    json_decref(problems);
    return answered;
}

bool sim_api_create(struct replicate_sim *sim, struct connection *connection, const struct route *route,
                    struct answer *answer)
{
    struct error err = {0};
    char detail[ERROR_MESSAGE_BYTES + 64];
    const struct sim_request *request = connection->request;
    json_t *body = json_parse(request->body, request->body_length, &err);
    bool answered = true;
    if (json_is_object(body)) {
        answered = create_checked(sim, connection, route, body, answer);
    } else {
        sim->counters.invalid++;
        snprintf(detail, sizeof(detail), "Failed to parse request body as JSON: %s",
                 body ? "not an object" : err.message);
        sim_answer_problem(answer, 400, NULL, detail);
    }
    json_decref(body);
    return answered;
}
