/* Plans of the simulated Replicate: how each model behaves, and the documents that describe a model. */
#include "replicate_sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "replicate_sim_schema.h"

enum { DOCUMENT_MAX_BYTES = 16 * 1024 * 1024 };

/* The inputs of a typical language model of today. */
static const char language_model_schema[] =
    "{\"type\":\"object\",\"title\":\"Input\",\"required\":[\"prompt\"],\"properties\":{"
    "\"prompt\":{\"type\":\"string\",\"title\":\"Prompt\",\"x-order\":0,\"description\":\"Prompt\"},"
    "\"max_tokens\":{\"type\":\"integer\",\"title\":\"Max Tokens\",\"default\":1024,\"minimum\":1,\"x-order\":1,"
    "\"description\":\"The maximum number of tokens to generate\"},"
    "\"temperature\":{\"type\":\"number\",\"title\":\"Temperature\",\"default\":0.1,\"minimum\":0,\"maximum\":5,"
    "\"x-order\":2,\"description\":\"The value used to modulate the next token probabilities\"},"
    "\"presence_penalty\":{\"type\":\"number\",\"title\":\"Presence Penalty\",\"default\":0,\"x-order\":3,"
    "\"description\":\"Presence penalty\"},"
    "\"frequency_penalty\":{\"type\":\"number\",\"title\":\"Frequency Penalty\",\"default\":0,\"x-order\":4,"
    "\"description\":\"Frequency penalty\"},"
    "\"top_p\":{\"type\":\"number\",\"title\":\"Top P\",\"default\":1,\"minimum\":0,\"maximum\":1,\"x-order\":5,"
    "\"description\":\"Nucleus sampling\"}}}";

static const char text_output_schema[] = "{\"type\":\"array\",\"title\":\"Output\",\"items\":{\"type\":\"string\"},"
                                         "\"x-cog-array-type\":\"iterator\",\"x-cog-array-display\":\"concatenate\"}";

/* Every member of a plan that is a text, so that copying and freeing cannot disagree. */
static const size_t text_members[] = {
    offsetof(struct sim_plan, model),
    offsetof(struct sim_plan, deployment),
    offsetof(struct sim_plan, shown_model),
    offsetof(struct sim_plan, document),
    offsetof(struct sim_plan, input_schema_json),
    offsetof(struct sim_plan, more_schemas_json),
    offsetof(struct sim_plan, output_schema_json),
    offsetof(struct sim_plan, output_json),
    offsetof(struct sim_plan, starting_word),
    offsetof(struct sim_plan, processing_word),
    offsetof(struct sim_plan, end_status),
    offsetof(struct sim_plan, error_text),
    offsetof(struct sim_plan, error_json),
    offsetof(struct sim_plan, logs),
    offsetof(struct sim_plan, metrics_json),
    offsetof(struct sim_plan, stream_url),
    offsetof(struct sim_plan, stream.content_type),
};

enum { TEXT_MEMBER_COUNT = sizeof(text_members) / sizeof(text_members[0]) };

static const char **text_member(struct sim_plan *settings, size_t i)
{
    return (const char **)(void *)((char *)settings + text_members[i]);
}

/* Ended by NULL, whatever the caller's list is. */
static const char *const *copy_texts(const char *const *texts, size_t count)
{
    if (!texts)
        return NULL;
    char **copy = xcalloc(count + 1, sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        copy[i] = xstrdup(texts[i]);
    return (const char *const *)copy;
}

static void free_texts(const char *const *texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        free((char *)texts[i]);
    free((void *)texts);
}

/* The test's own JSON: where it is none, the test is wrong. */
static json_t *parse_own(const char *text)
{
    if (!text)
        return NULL;
    struct error err = {0};
    json_t *value = json_parse(text, strlen(text), &err);
    if (!value)
        fprintf(stderr, "replicate-sim: a plan holds what is not JSON: %s\n%s\n", err.message, text);
    ensure(value != NULL);
    return value;
}

/* Read once: whoever changes the file under a running test has to plan anew. */
static json_t *read_document(const char *path)
{
    struct buf bytes;
    struct error err = {0};
    if (!path)
        return NULL;
    buf_init(&bytes, DOCUMENT_MAX_BYTES);
    bool is_read = sim_plan_read_file(path, &bytes);
    json_t *document = is_read ? json_parse(buf_text(&bytes), bytes.length, &err) : NULL;
    if (!json_is_object(document))
        fprintf(stderr, "replicate-sim: the document %s of a plan is not to be read: %s\n", path, err.message);
    ensure(json_is_object(document));
    buf_dispose(&bytes);
    return document;
}

/* What the document says of inputs and output stands in for the plan's own. */
static void use_document(struct plan *plan)
{
    const struct sim_schema schema = sim_schema_of(plan->document);
    plan->input_schema = schema.input ? json_deep_copy(schema.input) : json_object();
    plan->more_schemas = json_deep_copy(schema.schemas);
}

struct plan *sim_plan_new(const struct sim_plan *settings)
{
    struct plan *plan = xcalloc(1, sizeof(*plan));
    plan->settings = *settings;
    struct sim_plan *own = &plan->settings;
    for (size_t i = 0; i < TEXT_MEMBER_COUNT; i++)
        *text_member(own, i) = xstrdup(*text_member(own, i));
    own->versions = copy_texts(settings->versions, settings->version_count);
    own->pieces = copy_texts(settings->pieces, settings->piece_count);

    plan->document = read_document(own->document);
    if (plan->document) {
        use_document(plan);
    } else {
        plan->input_schema = parse_own(own->input_schema_json ? own->input_schema_json : language_model_schema);
        plan->output_schema = parse_own(own->output_schema_json ? own->output_schema_json : text_output_schema);
        plan->more_schemas = parse_own(own->more_schemas_json);
    }
    plan->metrics = parse_own(own->metrics_json);
    plan->output = parse_own(own->output_json);
    plan->error = parse_own(own->error_json);
    replicate_sim_version(own->model ? own->model : "", plan->version);
    return plan;
}

void sim_plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < TEXT_MEMBER_COUNT; i++)
        free((char *)*text_member(&plan->settings, i));
    free_texts(plan->settings.versions);
    free_texts(plan->settings.pieces);
    json_decref(plan->document);
    json_decref(plan->input_schema);
    json_decref(plan->output_schema);
    json_decref(plan->more_schemas);
    json_decref(plan->metrics);
    json_decref(plan->output);
    json_decref(plan->error);
    free(plan);
}

/* An old plan retires: predictions that began with it still point to it. */
void replicate_sim_plan(struct replicate_sim *sim, const struct sim_plan *settings)
{
    ensure(settings->model && strchr(settings->model, '/'));
    sim_lock(sim);
    struct plan *old = sim_plan_find(sim, settings->model);
    if (old && old != sim->any_model) {
        list_remove(&old->link);
        list_append(&sim->retired_plans, &old->link);
    }
    list_append(&sim->plans, &sim_plan_new(settings)->link);
    sim_unlock(sim);
}

/* Plans are few, so that looking through all of them is quick. */
struct plan *sim_plan_find(struct replicate_sim *sim, const char *model)
{
    for (struct list_link *link = list_first(&sim->plans); link; link = list_next(&sim->plans, link)) {
        struct plan *plan = list_entry(link, struct plan, link);
        if (strcmp(plan->settings.model, model) == 0)
            return plan;
    }
    return sim->any_model;
}

struct plan *sim_plan_find_version(struct replicate_sim *sim, const char *version)
{
    for (struct list_link *link = list_first(&sim->plans); link; link = list_next(&sim->plans, link)) {
        struct plan *plan = list_entry(link, struct plan, link);
        if (sim_plan_has_version(sim, plan, plan->settings.model, version))
            return plan;
    }
    return sim->any_model;
}

struct plan *sim_plan_find_deployment(struct replicate_sim *sim, const char *deployment)
{
    for (struct list_link *link = list_first(&sim->plans); link; link = list_next(&sim->plans, link)) {
        struct plan *plan = list_entry(link, struct plan, link);
        if (plan->settings.deployment && strcmp(plan->settings.deployment, deployment) == 0)
            return plan;
    }
    return sim->any_model;
}

/* Any hash would do: it is to look like a version, and to be the same in every run. */
void replicate_sim_version(const char *model, char version[65])
{
    uint64_t hash = 14695981039346656037u;
    for (const char *c = model; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    for (size_t part = 0; part < 4; part++) {
        hash = (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9u + part;
        snprintf(version + part * 16, 17, "%016llx", (unsigned long long)hash);
    }
}

const char *sim_plan_version(const struct plan *plan, const char *model, size_t i, char made[65])
{
    if (plan->settings.versions)
        return i < plan->settings.version_count ? plan->settings.versions[i] : NULL;
    if (i > 0)
        return NULL;
    replicate_sim_version(model, made);
    return made;
}

/* The plan of any model takes any version, since nobody can say whose a bare one is. */
bool sim_plan_has_version(const struct replicate_sim *sim, const struct plan *plan, const char *model,
                          const char *version)
{
    char made[65];
    if (plan->settings.only_unversioned)
        return false;
    if (plan == sim->any_model && !plan->settings.versions)
        return true;
    const char *have;
    for (size_t i = 0; (have = sim_plan_version(plan, model, i, made)); i++)
        if (strcmp(have, version) == 0)
            return true;
    return false;
}

/* Cog's whole document, as far as anybody reads it. */
static json_t *openapi_object(const struct plan *plan)
{
    if (plan->settings.no_schema)
        return json_null();
    json_t *schemas = json_pack("{s:O,s:O}", "Input", plan->input_schema, "Output", plan->output_schema);
    if (plan->more_schemas)
        json_object_update(schemas, plan->more_schemas);
    return json_pack("{s:s,s:{s:s,s:s},s:{},s:{s:o}}", "openapi", "3.0.2", "info", "title", "Cog", "version", "0.1.0",
                     "paths", "components", "schemas", schemas);
}

/* A version is as old as the simulator. */
json_t *sim_plan_version_object(struct replicate_sim *sim, const struct plan *plan, const char *version)
{
    char created[40];
    const json_t *documented = json_object_get(plan->document, "latest_version");
    if (json_is_object(documented)) {
        json_t *object = json_deep_copy(documented);
        json_object_set_new(object, "id", json_string(version));
        if (plan->settings.no_schema)
            json_object_set_new(object, "openapi_schema", json_null());
        return object;
    }
    sim_timestamp(sim, 0, 6, created);
    return json_pack("{s:s,s:s,s:s,s:o}", "id", version, "created_at", created, "cog_version", "0.16.9",
                     "openapi_schema", openapi_object(plan));
}

static json_t *undocumented_model(void)
{
    return json_pack("{s:s,s:s,s:n,s:n,s:n,s:i,s:n,s:n}", "description", "A simulated model", "visibility", "public",
                     "github_url", "paper_url", "license_url", "run_count", 42, "cover_image_url", "default_example");
}

/* Whatever the document says, the model has the names, the version and the kind that its plan gives it. */
json_t *sim_plan_model_object(struct replicate_sim *sim, const struct plan *plan, const char *model)
{
    char made[65];
    const char *slash = strchr(model, '/'), *version = sim_plan_version(plan, model, 0, made);
    bool none = plan->settings.no_latest_version || !version;
    json_t *object = plan->document ? json_deep_copy(plan->document) : undocumented_model();
    json_object_set_new(object, "url", json_sprintf("https://replicate.com/%s", model));
    json_object_set_new(object, "owner", json_stringn(model, (size_t)(slash - model)));
    json_object_set_new(object, "name", json_string(slash + 1));
    json_object_set_new(object, "is_official", json_boolean(plan->settings.official));
    json_object_set_new(object, "latest_version", none ? json_null() : sim_plan_version_object(sim, plan, version));
    return object;
}

/* A deployment's first release; whoever made it is none of ours. */
json_t *sim_plan_deployment_object(struct replicate_sim *sim, const struct plan *plan, const char *deployment)
{
    char made[65], created[40];
    const char *slash = strchr(deployment, '/'), *model = plan->settings.model ? plan->settings.model : deployment;
    const char *version = sim_plan_version(plan, model, 0, made);
    json_t *creator =
        json_pack("{s:s,s:s,s:s,s:s,s:s}", "type", "organization", "username", "acme", "name", "Acme Corp",
                  "avatar_url", "https://cdn.example/acme.png", "github_url", "https://github.com/acme");
    json_t *configuration = json_pack("{s:s,s:i,s:i}", "hardware", "gpu-t4", "min_instances", 1, "max_instances", 5);
    sim_timestamp(sim, 0, 6, created);
    json_t *release =
        json_pack("{s:i,s:s,s:s,s:s,s:o,s:o}", "number", 1, "model", model, "version", version ? version : "hidden",
                  "created_at", created, "created_by", creator, "configuration", configuration);
    return json_pack("{s:o,s:s,s:o}", "owner", json_stringn(deployment, (size_t)(slash - deployment)), "name",
                     slash + 1, "current_release", release);
}
