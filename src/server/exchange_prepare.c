/* From a request's body to the model's input: decode, find the route, let in or wait in line, ask what the model takes,
 * map, upload. */
#include "exchange_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/json.h"
#include "openai/mapping.h"
#include "openai/models.h"

/* ---- which model ---- */

static bool decode(struct exchange *exchange, struct error *err)
{
    struct http_request *request = exchange->request;
    int64_t values = (int64_t)json_count_values(buf_text(&request->body), request->body.length);
    exchange->decoded_bytes = (int64_t)request->body.length + values * BODY_MEMORY_VALUE_BYTES;
    if (!exchange_hold_memory(exchange, exchange->decoded_bytes, err))
        return false;
    struct call_request call_request = {.endpoint = exchange->endpoint,
                                        .path_model = exchange->model_id,
                                        .body = buf_text(&request->body),
                                        .body_length = request->body.length,
                                        .is_unlisted = models_are_unlisted(exchange->config),
                                        .unique = exchange_unique(exchange),
                                        .now_s = clock_wall_s()};
    bool is_decoded = exchange->endpoint->decode(&exchange->call, &call_request, err);
    exchange->request_bytes = request->body.length;
    exchange_join_prepare(exchange);
    buf_dispose(&request->body); /* it may be large, and the prediction may take long */
    clock_step();                /* to read it may have taken a while: what is timed from here on has not begun earlier */
    return is_decoded;
}

/* With a `completion_model` every request gets that one, whatever it names. */
static const char *served_alias(const struct exchange *exchange)
{
    const char *every = exchange->config->completion_model;
    return every != NULL ? every : exchange->call.alias;
}

static bool find_route(struct exchange *exchange, struct error *err)
{
    const char *alias = exchange->call.alias;
    const char *served = served_alias(exchange);
    char shown[80];
    exchange->route = config_find_route(exchange->config, served);
    if (exchange->route == NULL) {
        error_quote(shown, sizeof shown, alias, strlen(alias), NULL);
        return error_set(err, ERROR_MODEL_NOT_FOUND, "model", "The model `%s` does not exist here. %s", shown,
                         models_are_unlisted(exchange->config) ? "Use a model reference such as owner/name."
                                                               : "GET /v1/models lists the models that do.");
    }
    if (!endpoint_key_allows(exchange->key, served)) {
        error_quote(shown, sizeof shown, alias, strlen(alias), NULL);
        return error_set(err, ERROR_MODEL_NOT_ALLOWED, "model", "Your API key may not use the model `%s`.", shown);
    }
    return true;
}

/* ---- what the model takes ---- */

/* What a client's own token may see is for that client alone. */
static struct schema_source source_of(const struct route *route, const struct target *target, const char *token)
{
    return (struct schema_source){.target = target,
                                  .base_url = route->base_url,
                                  .token = token,
                                  .is_private = route->token == NULL,
                                  .headers = route->headers,
                                  .header_count = route->header_count};
}

/* ---- from the call to the input ---- */

/* Each choice sends the whole input: what one request makes of itself is bounded as its body is. What is uploaded is
 * there once more where it is kept for another try. */
static bool check_copies(struct exchange *exchange, struct error *err)
{
    int64_t choices = exchange->call.n, bytes = (int64_t)exchange->request_bytes;
    int64_t copies = choices - 1 + (exchange->call.uploads != NULL && exchange_has_more(exchange));
    if (choices == 1 || bytes <= exchange->config->max_body_bytes / choices)
        return exchange_hold_memory(exchange, exchange->decoded_bytes + copies * bytes, err);
    return error_set(
        err, ERROR_REQUEST_TOO_LARGE, "n",
        "%lld choices of a request of %lld bytes are more than this server takes at once (`max_body`). Ask for "
        "fewer choices.",
        (long long)choices, (long long)bytes);
}

static void run(struct exchange *exchange)
{
    json_t *input = exchange->input;
    exchange->input = NULL;
    clock_step(); /* to map it may have taken a while, too */
    exchange_run(exchange, input);
    json_decref(input);
    uploads_unref(exchange->uploads); /* the jobs have references of their own */
    exchange->uploads = NULL;
}

static void on_uploaded(void *arg, const struct error *error)
{
    struct exchange *exchange = arg;
    if (error == NULL)
        run(exchange);
    else
        exchange_try_failed(exchange, error);
}

static void upload(struct exchange *exchange)
{
    const struct route *route = exchange->route;
    char *hint = exchange_timeout_hint(exchange);
    exchange_keep_originals(exchange);
    const struct uploads_request request = {.values = exchange->call.uploads,
                                            .base_url = route->base_url,
                                            .token = exchange_token(exchange),
                                            .headers = route->headers,
                                            .header_count = route->header_count,
                                            .deadline_ms = exchange_deadline_ms(exchange),
                                            .timeout_ms = exchange_timeout_ms(exchange),
                                            .timeout_hint = hint,
                                            .request_id = exchange->request_id};
    exchange->uploads = uploads_start(exchange->worker->uploader, &request, on_uploaded, exchange);
    free(hint);
}

/* Without its schema a model is taken to read text alone. Where that cannot be known only now, it must not sound as if
 * it were so for ever: the client may try again. */
static void soften_refusal(const struct exchange *exchange, struct error *err)
{
    const struct route *route = exchange->route;
    struct schema_source source = source_of(route, &exchange->target, exchange_token(exchange));
    char param[ERROR_PARAM_BYTES];
    if (err->kind != ERROR_UNSUPPORTED_PARAMETER || exchange->schema != NULL || !route->read_schema ||
        !schema_cache_may_come(exchange->worker->shared->schemas, &source))
        return;
    memcpy(param, err->param, sizeof param);
    error_set(err, ERROR_UPSTREAM_UNAVAILABLE, NULL,
              "Replicate does not tell at the moment what this model takes, so it is not known whether `%s` is "
              "supported, and no prediction was created. Try again later.",
              param);
}

/* Takes the reference to the schema. */
static void map(struct exchange *exchange, struct model_schema *schema)
{
    struct error err = {0};
    model_schema_unref(exchange->schema); /* of the model that was tried before */
    exchange->schema = schema;
    exchange->input = mapping_input(&exchange->call, exchange->route, schema, &err);
    if (exchange->input == NULL)
        soften_refusal(exchange, &err);
    if (exchange->input != NULL && check_copies(exchange, &err))
        exchange_go_on(exchange);
    else
        exchange_unfit(exchange, &err);
}

static void begin(struct exchange *exchange)
{
    exchange_begin_use(exchange);
    if (exchange->call.uploads != NULL)
        upload(exchange);
    else
        run(exchange);
}

/* Whoever was mapped as its earlier try has joined that already. */
void exchange_go_on(struct exchange *exchange)
{
    struct error err = {0};
    bool is_joined = exchange->routes.is_adopted;
    exchange->routes.is_adopted = false;
    if (!is_joined && !exchange_join(exchange, &err)) {
        exchange_fail(exchange, &err);
        return;
    }
    if (!is_joined && exchange->is_second && exchange_adopt(exchange))
        return;
    exchange_keep_messages(exchange);
    if (exchange->is_second)
        exchange_join_follow(exchange);
    else
        begin(exchange);
}

/* ---- the waits ---- */

static void on_schema(void *arg, struct model_schema *schema);
static void on_schema_due(void *arg);
static void on_turn(void *arg, const struct error *error);

static struct exchange_waits *waits_of(struct exchange *exchange)
{
    if (exchange->waits == NULL) {
        exchange->waits = xcalloc(1, sizeof *exchange->waits);
        exchange->waits->schema = (struct schema_wait){.on_schema = on_schema, .arg = exchange};
        exchange->waits->admission = (struct admission_wait){.on_turn = on_turn, .arg = exchange};
        loop_timer_init(&exchange->waits->schema_due, on_schema_due, exchange);
    }
    return exchange->waits;
}

/* Also from inside of what they are told: nobody looks at a wait once it is over. */
void exchange_forget_waits(struct exchange *exchange)
{
    if (exchange->waits == NULL)
        return;
    admission_forget(&exchange->waits->admission);
    schemas_forget(&exchange->waits->schema);
    loop_timer_clear(exchange->worker->loop, &exchange->waits->schema_due);
    free(exchange->waits);
    exchange->waits = NULL;
}

/* ---- the wait for what the model takes ---- */

static void on_schema(void *arg, struct model_schema *schema)
{
    struct exchange *exchange = arg;
    loop_timer_clear(exchange->worker->loop, &exchange->waits->schema_due);
    map(exchange, schema);
}

static void on_schema_due(void *arg)
{
    struct exchange *exchange = arg;
    schemas_give_up(&exchange->waits->schema);
    map(exchange, NULL);
}

/* True where it is decided at once what is known of the model. */
static bool want_schema(struct exchange *exchange, struct model_schema **schema)
{
    struct schema_source source = source_of(exchange->route, &exchange->target, exchange_token(exchange));
    return schemas_want(exchange->worker->schemas, &source, &waits_of(exchange)->schema, schema);
}

/* Half of a short time is kept for the model itself: what is common to most models serves without a schema. */
void exchange_map(struct exchange *exchange)
{
    struct model_schema *schema = NULL;
    if (!exchange->route->read_schema || want_schema(exchange, &schema)) {
        map(exchange, schema);
        return;
    }
    int64_t now_ms = clock_now_ms();
    loop_timer_set(exchange->worker->loop, &exchange->waits->schema_due,
                   now_ms + (exchange_deadline_ms(exchange) - now_ms) / 2);
}

void exchange_refresh_schema(struct exchange *exchange)
{
    struct schema_source source = source_of(exchange->route, &exchange->target, exchange_token(exchange));
    if (exchange->route->read_schema)
        schemas_refresh(exchange->worker->schemas, &source);
}

struct model_schema *exchange_schema_of(void *arg, const struct route *route, const char *alias)
{
    const struct worker *worker = arg;
    struct target target;
    if (!route->read_schema || !route_target(route, alias, &target, NULL))
        return NULL;
    struct schema_source source = source_of(route, &target, route->token);
    struct model_schema *schema = schema_cache_peek(worker->shared->schemas, &source);
    target_dispose(&target);
    return schema;
}

/* ---- the line ---- */

/* A stream may have begun already, with comments. */
static void prepare(struct exchange *exchange)
{
    exchange->timeline.admitted_ms = clock_now_ms();
    exchange_log_prompt(exchange);
    if (exchange->state != EXCHANGE_STREAMING)
        exchange_set_state(exchange, EXCHANGE_PREPARING);
    exchange_map(exchange);
}

static void fail_in_line(struct exchange *exchange, const struct error *error)
{
    struct error late = *error;
    if (clock_now_ms() >= exchange_deadline_ms(exchange)) {
        char *hint = exchange_timeout_hint(exchange);
        error_set(&late, ERROR_TIMEOUT, NULL, "The request waited in line for all of its time. %s", hint);
        free(hint);
    }
    exchange_fail(exchange, &late);
}

static void on_turn(void *arg, const struct error *error)
{
    struct exchange *exchange = arg;
    struct error err = {0};
    if (error != NULL)
        fail_in_line(exchange, error);
    else if (exchange_settle(exchange, &err))
        prepare(exchange);
    else
        exchange_fail(exchange, &err);
}

enum admission_answer exchange_line_up(struct exchange *exchange, struct error *err)
{
    int64_t until_ms = clock_now_ms() + exchange->config->queue_timeout_ms,
            deadline_ms = exchange_deadline_ms(exchange);
    const struct admission_entrant who = {.config = exchange->config,
                                          .route = exchange->routes.asked,
                                          .key = exchange->key,
                                          .until_ms = until_ms < deadline_ms ? until_ms : deadline_ms};
    return admission_line_up(exchange->worker->admission_room, &who, &exchange->ticket, &waits_of(exchange)->admission,
                             err);
}

bool exchange_is_in_line(const struct exchange *exchange)
{
    return exchange->waits != NULL && admission_is_waiting(&exchange->waits->admission);
}

/* ---- the whole ---- */

static enum admission_answer let_in(struct exchange *exchange, struct error *err)
{
    bool is_known = decode(exchange, err) && find_route(exchange, err);
    return is_known ? exchange_enter(exchange, served_alias(exchange), err) : ADMISSION_REFUSED;
}

void exchange_start(struct exchange *exchange)
{
    struct error err = {0};
    enum admission_answer answer = let_in(exchange, &err);
    if (answer == ADMISSION_REFUSED) {
        exchange_fail(exchange, &err);
        return;
    }
    if (exchange->call.is_stream)
        exchange_stream_start(exchange);
    if (answer == ADMISSION_WAITS)
        exchange_set_state(exchange, EXCHANGE_QUEUED);
    else
        prepare(exchange);
}

void exchange_prepare_stop(struct exchange *exchange)
{
    exchange_forget_waits(exchange);
    json_decref(exchange->input);
    exchange->input = NULL;
    uploads_unref(exchange->uploads);
    exchange->uploads = NULL;
}

void exchange_prepare_dispose(struct exchange *exchange)
{
    model_schema_unref(exchange->schema);
    target_dispose(&exchange->target);
    exchange_forget_waits(exchange);
}
