/* Golden tests of the mapping to real models' inputs: a chat request and a model's document in, the exact input out.
 *
 * A case is the files tests/golden/models/CASE.*; up to a `--` its name is that of a document in tests/models. Given
 * are request.json and, where a plain route will not do, route.json; expected are input.json, an input a line, or
 * error.json where the request is refused, and mapped.txt with what the mapping tells besides. Of each document there
 * is also MODEL.describe.json: what becomes of OpenAI's parameters there. See tests/support/golden.h for how they are
 * written. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "golden.h"
#include "openai/error_body.h"
#include "openai/mapping.h"
#include "replicate_sim_schema.h"

enum { MODELS_MAX = 128 };

static struct golden golden;
static char models[MODELS_MAX][GOLDEN_NAME_BYTES];
static int model_count;

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The made-up models stand in a folder of their own. */
static void find_models(const char *folder, const char *prefix)
{
    DIR *entries = opendir(folder);
    ensure(entries != NULL); /* run from the root of the repository */
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        size_t length = strlen(entry->d_name);
        if (length <= 5 || strcmp(entry->d_name + length - 5, ".json") != 0)
            continue;
        ensure(model_count < MODELS_MAX);
        ensure(snprintf(models[model_count++], GOLDEN_NAME_BYTES, "%s%.*s", prefix, (int)length - 5, entry->d_name) <
               GOLDEN_NAME_BYTES);
    }
    closedir(entries);
}

/* "made-up/x" is kept as "made-up__x": golden files lie in one folder. */
static void document_name(const char *name, char out[GOLDEN_NAME_BYTES])
{
    static const char made_up[] = "made-up__";
    const char *end = strstr(name, "--");
    snprintf(out, GOLDEN_NAME_BYTES, "%.*s", end != NULL ? (int)(end - name) : (int)strlen(name), name);
    if (strncmp(out, made_up, sizeof made_up - 1) == 0) {
        out[sizeof made_up - 3] = '/';
        memmove(out + sizeof made_up - 2, out + sizeof made_up - 1, strlen(out + sizeof made_up - 1) + 1);
    }
}

static void file_name(const char *model, char out[GOLDEN_NAME_BYTES])
{
    const char *slash = strchr(model, '/');
    if (slash == NULL)
        snprintf(out, GOLDEN_NAME_BYTES, "%s", model);
    else
        snprintf(out, GOLDEN_NAME_BYTES, "%.*s__%s", (int)(slash - model), model, slash + 1);
}

/* An input a line, so that a difference is seen at a glance; each value as it is sent. */
static void expect_input(const char *name, const json_t *input)
{
    struct buf text;
    const char *key, *separator = "";
    json_t *value;
    buf_init(&text, GOLDEN_FILE_MAX_BYTES);
    buf_append_text(&text, "{");
    json_object_foreach((json_t *)input, key, value)
    {
        buf_printf(&text, "%s\n  ", separator);
        json_append_string(&text, key, strlen(key));
        buf_append_text(&text, ": ");
        json_append(&text, value);
        separator = ",";
    }
    buf_append_text(&text, "\n}\n");
    golden_expect(&golden, name, "input.json", buf_text(&text));
    buf_dispose(&text);
}

static void expect_error(const char *name, const struct error *err)
{
    struct buf text;
    buf_init(&text, GOLDEN_FILE_MAX_BYTES);
    ck_assert(error_body_append(&text, err));
    buf_append_text(&text, "\n");
    golden_expect(&golden, name, "error.json", buf_text(&text));
    buf_dispose(&text);
}

static void expect_mapped(const char *name, const struct call *call)
{
    struct buf text;
    buf_init(&text, GOLDEN_FILE_MAX_BYTES);
    buf_printf(&text, "choices: %d\nignored: ", call->n);
    call_ignored_text(call, &text);
    buf_append_text(&text, "\nstops: ");
    if (call->stops != NULL)
        json_append(&text, call->stops);
    buf_printf(&text, "\ntoken limit: %lld\nuploads: %zu\n", (long long)call->token_limit,
               json_array_size(call->uploads));
    golden_expect(&golden, name, "mapped.txt", buf_text(&text));
    buf_dispose(&text);
}

/* What the route configures is the operator's affair; of the rest nothing may be unknown to the model or unfit. */
static void check_input(const char *model, const json_t *input)
{
    char sentence[512];
    json_t *document = help_document(model);
    const struct sim_schema schema = sim_schema_of(document);
    ck_assert_msg(sim_schema_accepts(&schema, input, 0, sentence, sizeof sentence), "%s: %s", model, sentence);
    json_decref(document);
}

START_TEST(a_request_becomes_exactly_this_input_of_this_model)
{
    const char *name = golden.cases[_i];
    char model[GOLDEN_NAME_BYTES];
    struct call call;
    struct route route;
    struct error err = {0};
    struct buf request;
    document_name(name, model);
    struct model_schema *schema = help_model(model);
    buf_init(&request, GOLDEN_FILE_MAX_BYTES);
    ck_assert(golden_read(&golden, name, "request.json", &request));
    golden_route(&golden, name, &route);
    ck_assert_msg(help_decode_bytes(&call, buf_text(&request), request.length, &err), "%s", err.message);
    json_t *input = mapping_input(&call, &route, schema, &err);
    if (input != NULL) {
        expect_input(name, input);
        expect_mapped(name, &call);
        golden_expect(&golden, name, "error.json", NULL);
        check_input(model, input);
    } else {
        golden_expect(&golden, name, "input.json", NULL);
        golden_expect(&golden, name, "mapped.txt", NULL);
        expect_error(name, &err);
    }
    json_decref(input);
    call_dispose(&call);
    help_route_dispose(&route);
    model_schema_unref(schema);
    buf_dispose(&request);
}
END_TEST

START_TEST(a_model_is_described_by_its_document)
{
    struct route route;
    char name[GOLDEN_NAME_BYTES];
    struct model_schema *schema = help_model(models[_i]);
    help_route(&route, "{}");
    json_t *description = mapping_describe(&route, schema);
    ck_assert_ptr_nonnull(description);
    char *dump = json_dumps(description, JSON_INDENT(2));
    struct buf text;
    buf_init(&text, GOLDEN_FILE_MAX_BYTES);
    ck_assert(dump != NULL && buf_printf(&text, "%s\n", dump));
    file_name(models[_i], name);
    golden_expect(&golden, name, "describe.json", buf_text(&text));
    free(dump);
    buf_dispose(&text);
    json_decref(description);
    help_route_dispose(&route);
    model_schema_unref(schema);
}
END_TEST

START_TEST(every_document_has_a_case)
{
    char name[GOLDEN_NAME_BYTES];
    struct buf request;
    buf_init(&request, GOLDEN_FILE_MAX_BYTES);
    file_name(models[_i], name);
    ck_assert_msg(golden_read(&golden, name, "request.json", &request), "%s has no case", models[_i]);
    buf_dispose(&request);
}
END_TEST

static Suite *golden_models_suite(void)
{
    golden_find(&golden, "tests/golden/models");
    find_models("tests/models", "");
    find_models("tests/models/made-up", "made-up/");
    qsort(models, (size_t)model_count, GOLDEN_NAME_BYTES, compare_names);
    Suite *suite = suite_create("golden: models");
    TCase *mapping = tcase_create("mapping");
    tcase_add_loop_test(mapping, a_request_becomes_exactly_this_input_of_this_model, 0, golden.count);
    tcase_add_loop_test(mapping, a_model_is_described_by_its_document, 0, model_count);
    tcase_add_loop_test(mapping, every_document_has_a_case, 0, model_count);
    suite_add_tcase(suite, mapping);
    return suite;
}

int main(void)
{
    return suite_run(golden_models_suite());
}
