/* What an alias, and a request to it, become: the way of a request up to the create, told on standard output. */
#include "server/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/json.h"
#include "openai/call.h"
#include "openai/endpoint.h"
#include "openai/error_body.h"
#include "openai/mapping.h"
#include "replicate/api.h"
#include "replicate/schemas.h"
#include "server/daemon.h"

enum { FILE_MAX_BYTES = 256 * 1024 * 1024, URL_MAX_BYTES = 16 * 1024 };

/* What is found out on the way. */
struct explanation {
    const struct config *config;
    const char *alias;
    const struct route *route;
    struct target target;
    struct model_schema *schema;
};

static int fail(const struct error *err)
{
    struct buf body;
    buf_init(&body, FILE_MAX_BYTES);
    error_body_append(&body, err);
    printf("%d %s\n", error_row(err->kind)->http_status, buf_text(&body));
    buf_dispose(&body);
    return EXIT_BAD_CONFIG;
}

/* ---- the model's document ---- */

struct waiting {
    struct model_schema *schema;
    bool is_over;
};

static void on_schema(void *arg, struct model_schema *schema)
{
    struct waiting *waiting = arg;
    *waiting = (struct waiting){schema, true};
}

/* The same machine that the daemon asks with, turned by hand until it has an answer. */
static struct model_schema *fetch(const struct explanation *explanation, struct loop *loop)
{
    const struct config *config = explanation->config;
    const struct route *route = explanation->route;
    const struct schema_source source = {.target = &explanation->target,
                                         .base_url = route->base_url,
                                         .token = route->token != NULL ? route->token : getenv("REPLICATE_API_TOKEN"),
                                         .headers = route->headers,
                                         .header_count = route->header_count};
    struct transfers *transfers =
        transfers_new(loop, &(struct transfers_options){.ca_file = config->ca_file,
                                                        .proxy = config->proxy,
                                                        .connect_timeout_ms = config->connect_timeout_ms});
    struct schema_cache *cache = schema_cache_new(config->cache_dir);
    struct pacing *pacing = pacing_new(&(struct pacing_rates){config->polls_per_minute, config->creates_per_minute});
    struct model_memory *models = model_memory_new();
    struct schemas *schemas = schemas_new(&(struct schemas_options){
        .loop = loop, .transfers = transfers, .cache = cache, .pacing = pacing, .models = models});
    struct waiting waiting = {0};
    struct schema_wait wait = {.on_schema = on_schema, .arg = &waiting};
    waiting.is_over = schemas_want(schemas, &source, &wait, &waiting.schema);
    while (!waiting.is_over) {
        loop_turn(loop, SCHEMA_WAIT_MS);
        schemas_turn(schemas);
    }
    schemas_free(schemas);
    model_memory_free(models);
    pacing_free(pacing);
    schema_cache_free(cache);
    transfers_free(transfers);
    return waiting.schema;
}

static void find_schema(struct explanation *explanation)
{
    if (!explanation->route->read_schema)
        return;
    struct loop *loop = loop_new();
    if (loop == NULL)
        return; /* without a schema it is explained all the same, and said so */
    transfer_global_init();
    explanation->schema = fetch(explanation, loop);
    transfer_global_cleanup();
    loop_free(loop);
}

/* ---- the alias ---- */

static void print_row(const char *name, const char *value)
{
    printf("%-24s%s\n", name, value);
}

static void print_model(const struct explanation *explanation)
{
    const struct model_schema *schema = explanation->schema;
    print_row("model", explanation->target.name != NULL ? explanation->target.name : explanation->target.version);
    if (explanation->target.version != NULL)
        print_row("version", explanation->target.version);
    else if (schema != NULL && schema->official == MODEL_COMMUNITY)
        print_row("version", schema->version);
    if (schema != NULL && schema->has_inputs)
        print_row("inputs", "by the model's own schema");
    else if (!explanation->route->read_schema)
        print_row("inputs", "by configuration and common names (read_schema is off)");
    else
        print_row("inputs", "by configuration and common names (Replicate has told no schema)");
}

static void print_aliases(const char *title, char *const *aliases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        print_row(i == 0 ? title : "", aliases[i]);
}

/* Only the first of several deployments is explained: they are meant to be alike. */
static void print_routing(const struct route *first)
{
    for (const struct route *route = first; first->next != NULL && route != NULL; route = route->next) {
        char title[32];
        snprintf(title, sizeof title, "deployment %d", route->deployment + 1);
        printf("%-24s%s, weight %" PRId64 "\n", title, route->reference, route->weight);
    }
    print_aliases("falls back to", first->fallbacks, first->fallback_count);
    print_aliases("refused for content", first->content_policy_fallbacks, first->content_policy_fallback_count);
}

/* Names in a list, joined. */
static void print_names(const char *title, const json_t *names)
{
    size_t index;
    json_t *name;
    if (json_array_size(names) == 0)
        return;
    printf("%-24s", title);
    json_array_foreach(names, index, name) printf("%s%s", index == 0 ? "" : ", ", json_string_value(name));
    printf("\n");
}

/* What the schema says an input may be: "integer 1..4096, default 512". */
static void print_input(const struct model_input *input)
{
    const struct model_value *value = &input->value;
    printf("   %s", value->is_uri ? "file" : model_value_type_name(value));
    if (value->has_minimum || value->has_maximum)
        printf(" ");
    if (value->has_minimum)
        printf("%g", value->minimum);
    if (value->has_minimum || value->has_maximum)
        printf("..");
    if (value->has_maximum)
        printf("%g", value->maximum);
    struct buf text;
    buf_init(&text, FILE_MAX_BYTES);
    if (value->words != NULL && json_append(&text, value->words))
        printf(" of %s", buf_text(&text));
    buf_clear(&text);
    if (input->fallback != NULL && !value->is_secret && json_append(&text, input->fallback))
        printf(", default %s", buf_text(&text));
    buf_dispose(&text);
}

static void print_pairs(const json_t *pairs, const struct model_schema *schema)
{
    const char *name;
    json_t *to;
    json_object_foreach((json_t *)pairs, name, to)
    {
        printf("%-24s→ %s", name, json_string_value(to));
        const struct model_input *input = model_schema_find(schema, json_string_value(to));
        if (input != NULL)
            print_input(input);
        printf("\n");
    }
}

static void print_mapping(const struct explanation *explanation)
{
    json_t *mapping = mapping_describe(explanation->route, explanation->schema);
    const json_t *messages = json_object_get(mapping, "messages");
    const char *as = json_text(messages, "as");
    char form[40], title[64];
    snprintf(form, sizeof form, "messages (%s)", as == NULL ? "not taken" : as);
    snprintf(title, sizeof title, "%-24s→ ", form);
    print_names(title, json_object_get(messages, "inputs"));
    print_pairs(json_object_get(mapping, "media"), explanation->schema);
    print_pairs(json_object_get(mapping, "parameters"), explanation->schema);
    print_names("done here", json_object_get(mapping, "emulated"));
    print_names("left out and named", json_object_get(mapping, "ignored"));
    print_names("refused", json_object_get(mapping, "refused"));
    print_names("by their own names", json_object_get(mapping, "extra"));
    json_decref(mapping);
}

/* ---- a request ---- */

static bool read_request(const char *file, struct buf *text, struct error *err)
{
    char bytes[64 * 1024];
    FILE *stream = strcmp(file, "-") == 0 ? stdin : fopen(file, "rb");
    if (stream == NULL)
        return error_set(err, ERROR_BAD_REQUEST, NULL, "%s cannot be read: %s.", file, strerror(errno));
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, stream)) > 0;)
        buf_append(text, bytes, got);
    bool is_read = !ferror(stream);
    if (stream != stdin)
        fclose(stream);
    if (!is_read)
        return error_set(err, ERROR_BAD_REQUEST, NULL, "%s cannot be read.", file);
    return !text->overflowed || error_set(err, ERROR_REQUEST_TOO_LARGE, NULL, "%s is too large.", file);
}

/* The request, with the alias that is being explained as its model. */
static bool name_model(struct buf *text, const char *alias, struct error *err)
{
    json_t *body = json_parse(buf_text(text), text->length, err);
    if (body == NULL)
        return false;
    if (json_is_object(body)) {
        ensure(json_object_set_new(body, "model", json_string(alias)) == 0);
        buf_clear(text);
        json_append(text, body);
    }
    json_decref(body);
    return true;
}

static bool map_request(const struct explanation *explanation, const char *file, struct call *call, json_t **input,
                        struct error *err)
{
    static const char unique[] = "00000000000000000000000000000000";
    char model[8];
    const char *allow = NULL;
    struct buf text;
    buf_init(&text, FILE_MAX_BYTES);
    call->endpoint = endpoint_find("POST", "/chat/completions", model, sizeof model, &allow, err);
    bool fine = read_request(file, &text, err) && name_model(&text, explanation->alias, err);
    struct call_request request = {.endpoint = call->endpoint,
                                   .body = buf_text(&text),
                                   .body_length = text.length,
                                   .unique = unique,
                                   .now_s = clock_wall_s()};
    fine = fine && call->endpoint->decode(call, &request, err);
    if (fine)
        *input = mapping_input(call, explanation->route, explanation->schema, err);
    buf_dispose(&text);
    return fine && *input != NULL;
}

/* What the model calls a secret is one here, too: what is printed ends up in terminals and tickets. */
static void mask_secrets(const struct model_schema *schema, json_t *input)
{
    const char *name;
    json_t *value;
    json_object_foreach(input, name, value)
    {
        const struct model_input *known = model_schema_find(schema, name);
        if (known != NULL && known->value.is_secret)
            ensure(json_object_set_new(input, name, json_string("(secret)")) == 0);
    }
}

/* Takes over the reference to `input`. */
static void print_create(const struct explanation *explanation, const struct call *call, json_t *input)
{
    const struct model_schema *schema = explanation->schema;
    mask_secrets(schema, input);
    struct job *job = job_new();
    struct buf url, body, ignored;
    target_copy(&job->target, &explanation->target);
    job->base_url = xstrdup(explanation->route->base_url);
    job->input = input;
    bool by_version = job->target.kind == TARGET_MODEL && schema != NULL && schema->official == MODEL_COMMUNITY;
    const char *version = by_version ? schema->version : NULL;
    buf_init(&url, URL_MAX_BYTES);
    buf_init(&body, FILE_MAX_BYTES);
    buf_init(&ignored, URL_MAX_BYTES);
    if (call_ignored_text(call, &ignored) && ignored.length > 0)
        print_row("of this request left out or changed", buf_text(&ignored));
    if (call->uploads != NULL)
        printf("%zu files are uploaded before, and stand in it as links\n", json_array_size(call->uploads));
    if (api_create_url(job, version, &url) && api_create_body(job, version, &body))
        printf("\nPOST %s\n%s\n", buf_text(&url), buf_text(&body));
    buf_dispose(&ignored);
    buf_dispose(&body);
    buf_dispose(&url);
    job_free(job);
}

static int explain_request(const struct explanation *explanation, const char *file)
{
    struct error err = {0};
    struct call call;
    json_t *input = NULL;
    call_init(&call);
    bool is_mapped = map_request(explanation, file, &call, &input, &err);
    if (is_mapped)
        print_create(explanation, &call, input);
    call_dispose(&call);
    return is_mapped ? EXIT_STOPPED : fail(&err);
}

/* ---- the whole ---- */

int explain_run(const struct config *config, const char *alias, const char *request_file)
{
    struct error err = {0};
    struct explanation explanation = {.config = config, .alias = alias, .route = config_find_route(config, alias)};
    if (explanation.route == NULL) {
        error_set(&err, ERROR_MODEL_NOT_FOUND, "model", "The configuration has no model `%.200s`.", alias);
        return fail(&err);
    }
    if (!route_target(explanation.route, alias, &explanation.target, &err))
        return fail(&err);
    find_schema(&explanation);
    print_model(&explanation);
    print_routing(explanation.route);
    print_mapping(&explanation);
    int code = request_file == NULL ? EXIT_STOPPED : explain_request(&explanation, request_file);
    model_schema_unref(explanation.schema);
    target_dispose(&explanation.target);
    return code;
}
