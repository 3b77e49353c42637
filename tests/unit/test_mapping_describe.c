/* What becomes of OpenAI's parameters for a model, told. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/mapping.h"

static struct route route;

/* Single quotes → double quotes; the caller frees. */
static char *quoted(const char *text)
{
    char *copy = strdup(text);
    ck_assert_ptr_nonnull(copy);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

/* NULL: no schema is known; with a `{`: these inputs; else one of tests/models. */
static struct model_schema *model_of(const char *inputs)
{
    struct buf text;
    struct error err = {0};
    if (inputs == NULL || strchr(inputs, '{') == NULL)
        return inputs != NULL ? help_model(inputs) : NULL;
    buf_init(&text, 1 << 16);
    buf_printf(&text,
               "{'latest_version':{'id':'v','openapi_schema':{'components':{'schemas':{'Input':{'type':'object',"
               "'properties':{%s}}}}}}}",
               inputs);
    char *json = quoted(buf_text(&text));
    struct model_schema *schema = model_schema_parse(json, strlen(json), &err);
    ck_assert_msg(schema != NULL, "%s: %s", inputs, err.message);
    free(json);
    buf_dispose(&text);
    return schema;
}

static json_t *describe(const char *model, const char *route_text)
{
    char *json = quoted(route_text);
    struct model_schema *schema = model_of(model);
    help_route(&route, json);
    json_t *told = mapping_describe(&route, schema);
    model_schema_unref(schema); /* what is told must not lean on it */
    free(json);
    return told;
}

static void done(json_t *told)
{
    json_decref(told);
    help_route_dispose(&route);
}

static void assert_member(const json_t *told, const char *name, const char *expected)
{
    char *text = help_dump(json_object_get(told, name)), *wanted = quoted(expected);
    ck_assert_msg(strcmp(text, wanted) == 0, "%s: %s instead of %s", name, text, wanted);
    free(text);
    free(wanted);
}

static bool holds(const json_t *told, const char *list, const char *name)
{
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(told, list), index, item)
    {
        if (strcmp(json_string_value(item), name) == 0)
            return true;
    }
    return false;
}

static const struct row {
    const char *model, *route, *messages, *parameters, *media, *extra;
} rows[] = {
    {"meta__llama-2-70b-chat", "{}", "{'as':'prompt','inputs':['prompt','system_prompt']}",
     "{'max_completion_tokens':'max_new_tokens','max_tokens':'max_new_tokens','temperature':'temperature',"
     "'top_p':'top_p','seed':'seed','stop':'stop_sequences'}",
     "{}", "['min_new_tokens','top_k','debug','replicate_weights']"},
    {"openai__gpt-5", "{}", "{'as':'messages','inputs':['messages']}",
     "{'max_completion_tokens':'max_completion_tokens','max_tokens':'max_completion_tokens',"
     "'reasoning_effort':'reasoning_effort','verbosity':'verbosity'}",
     "{'image':'image_input'}", "[]"},
    {"google__gemini-2.5-flash", "{}", "{'as':'prompt','inputs':['prompt','system_instruction']}",
     "{'max_completion_tokens':'max_output_tokens','max_tokens':'max_output_tokens','temperature':'temperature',"
     "'top_p':'top_p','reasoning_effort':'thinking_budget'}",
     "{'image':'images','video':'videos'}", "['dynamic_thinking']"},
    {"'question':{'type':'string'},'answerTokenLimit':{'type':'integer'},'key':{'type':'string','format':'password'},"
     "'old':{'type':'string','deprecated':true},'stream':{'type':'boolean'},'mood':{'type':'string'}",
     "{}", "{'as':'prompt','inputs':['question']}",
     "{'max_completion_tokens':'answerTokenLimit','max_tokens':'answerTokenLimit'}", "{}", "['mood']"},
    {"meta__llama-2-70b-chat", "{'map':{'temperature':null,'user':'debug'},'dropped':['seed','top_k']}",
     "{'as':'prompt','inputs':['prompt','system_prompt']}",
     "{'max_completion_tokens':'max_new_tokens','max_tokens':'max_new_tokens','top_p':'top_p',"
     "'stop':'stop_sequences','user':'debug'}",
     "{}", "['min_new_tokens','replicate_weights']"},
    /* without a schema: the common names, and what the route names */
    {NULL, "{'map':{'stop':'stop'}}", "{'as':'prompt','inputs':['prompt']}",
     "{'max_completion_tokens':'max_tokens','max_tokens':'max_tokens','temperature':'temperature','top_p':'top_p',"
     "'presence_penalty':'presence_penalty','frequency_penalty':'frequency_penalty','seed':'seed','stop':'stop'}",
     "{}", "[]"},
};

START_TEST(a_model_is_told_as_it_is_mapped)
{
    const struct row *row = &rows[_i];
    json_t *told = describe(row->model, row->route);
    assert_member(told, "messages", row->messages);
    assert_member(told, "parameters", row->parameters);
    assert_member(told, "media", row->media);
    assert_member(told, "extra", row->extra);
    done(told);
}
END_TEST

static const struct place {
    const char *model, *route, *name, *list;
} places[] = {
    {"moonshotai__kimi-k2-thinking", "{}", "stop", "emulated"},
    {NULL, "{}", "stop", "emulated"},
    {"meta__llama-2-70b-chat", "{'map':{'stop':null}}", "stop", "emulated"},
    {"moonshotai__kimi-k2-thinking", "{}", "n", "emulated"},
    {"meta__llama-2-70b-chat", "{}", "n", "emulated"},
    {"moonshotai__kimi-k2-thinking", "{}", "seed", "ignored"},
    {"moonshotai__kimi-k2-thinking", "{'strict_params':true}", "seed", "refused"},
    {"meta__llama-2-70b-chat", "{'dropped':['seed'],'strict_params':true}", "seed", "ignored"},
    {"meta__llama-2-70b-chat", "{'dropped':['max_tokens']}", "max_completion_tokens", "ignored"},
    {"moonshotai__kimi-k2-thinking", "{}", "tools", "refused"},
    {"ibm-granite__granite-3.3-8b-instruct", "{}", "tools", "refused"},
    {"moonshotai__kimi-k2-thinking", "{'drop_params':true}", "tools", "ignored"},
    {"moonshotai__kimi-k2-thinking", "{}", "response_format", "refused"},
};

START_TEST(each_parameter_is_in_one_place)
{
    static const char *const lists[] = {"emulated", "ignored", "refused"};
    const struct place *place = &places[_i];
    json_t *told = describe(place->model, place->route);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        ck_assert_msg(holds(told, lists[i], place->name) == (strcmp(lists[i], place->list) == 0), "%s in %s",
                      place->name, lists[i]);
    ck_assert_ptr_null(json_object_get(json_object_get(told, "parameters"), place->name));
    done(told);
}
END_TEST

START_TEST(what_means_nothing_to_a_model_is_not_told)
{
    static const char *const lists[] = {"emulated", "ignored", "refused"};
    json_t *told = describe("moonshotai__kimi-k2-thinking", "{'strict_params':true}");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        ck_assert(!holds(told, lists[i], "user") && !holds(told, lists[i], "stream"));
    done(told);
}
END_TEST

static const struct kind {
    const char *model, *route, *as;
} kinds[] = {
    {"openai__gpt-4o", "{}", "messages"},
    {"prunaai__gpt-oss-20b", "{}", "messages_text"},
    {"openai__gpt-5-structured", "{}", "input_items"},
    {"'prompt':{'type':'string'},'history':{'type':'array','items':{'type':'string'}}", "{}", "history"},
    {"mistralai__mixtral-8x7b-instruct-v0.1", "{}", "template"},
    {"anthropic__claude-4-sonnet", "{}", "prompt"},
    {NULL, "{'map':{'messages':'chat'}}", "messages"},
};

START_TEST(the_form_of_the_messages_is_told)
{
    json_t *told = describe(kinds[_i].model, kinds[_i].route);
    ck_assert_str_eq(json_text(json_object_get(told, "messages"), "as"), kinds[_i].as);
    done(told);
}
END_TEST

START_TEST(a_model_without_text_has_no_input_for_it)
{
    json_t *told = describe("'picture':{'type':'string','format':'uri'}", "{}");
    assert_member(told, "messages", "{'as':'prompt','inputs':[]}");
    done(told);
}
END_TEST

static Suite *mapping_describe_suite(void)
{
    Suite *suite = suite_create("mapping_describe");
    TCase *told = tcase_create("told");
    tcase_add_loop_test(told, a_model_is_told_as_it_is_mapped, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(told, each_parameter_is_in_one_place, 0, sizeof places / sizeof places[0]);
    tcase_add_test(told, what_means_nothing_to_a_model_is_not_told);
    tcase_add_loop_test(told, the_form_of_the_messages_is_told, 0, sizeof kinds / sizeof kinds[0]);
    tcase_add_test(told, a_model_without_text_has_no_input_for_it);
    suite_add_tcase(suite, told);
    return suite;
}

int main(void)
{
    return suite_run(mapping_describe_suite());
}
