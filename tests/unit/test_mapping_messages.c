/* Messages → a model's inputs for them: prompt, system text, list, and what to do with parts that are no text. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "call_help.h"
#include "check_main.h"
#include "openai/mapping.h"

static char *quoted(const char *text)
{
    char *copy = strdup(text);
    ck_assert_ptr_nonnull(copy);
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

#define USER "{'role':'user','content':'Hi'}"
#define SYSTEM "{'role':'system','content':'Be kind.'}"
#define IMAGE                                                                                                          \
    "{'role':'user','content':[{'type':'text','text':'Hi'},{'type':'image_url','image_url':{'url':'http://x/'}}]}"

#define FILE_ONLY "{'role':'user','content':[{'type':'file','file':{'file_url':'http://x/'}}]}"

static const struct row {
    const char *route, *messages, *input, *ignored;
    size_t prompt_bytes;
} rows[] = {
    {"{}", USER, "{'prompt':'Hi'}", "", 2},
    {"{}", SYSTEM "," USER, "{'prompt':'Be kind.\\n\\nHi'}", "", 10},
    {"{}", USER "," SYSTEM "," USER, "{'prompt':'Be kind.\\n\\nUser: Hi\\n\\nUser: Hi\\n\\nAssistant:'}", "", 38},
    {"{}", SYSTEM, "{'prompt':'Be kind.'}", "", 8},
    {"{}", "{'role':'user','content':''}", "{'prompt':''}", "", 0},
    {"{'map':{'system':'system_prompt'}}", SYSTEM "," USER, "{'system_prompt':'Be kind.','prompt':'Hi'}", "", 10},
    {"{'map':{'system':'system_prompt'}}", USER, "{'prompt':'Hi'}", "", 2},
    {"{'map':{'system':'system_prompt'},'input':{'system_prompt':'Default.'}}", USER,
     "{'system_prompt':'Default.','prompt':'Hi'}", "", 2},
    {"{'map':{'system':'system_prompt'},'input':{'system_prompt':'Default.'}}", SYSTEM "," USER,
     "{'system_prompt':'Be kind.','prompt':'Hi'}", "", 10},
    {"{'map':{'system':'system_prompt'}}", "{'role':'system','content':''}," USER, "{'system_prompt':'','prompt':'Hi'}",
     "", 2},
    {"{'map':{'system':'system_prompt'}}", SYSTEM, "{'prompt':'Be kind.'}", "", 8},
    {"{'map':{'messages':'messages'}}", SYSTEM "," USER, "{'messages':[" SYSTEM "," USER "]}", "", 71},
    {"{'map':{'messages':'messages'},'input':{'prompt':'p'}}", USER, "{'messages':[" USER "]}", "", 32},
    {"{'map':{'messages':'messages'}}", IMAGE, "{'messages':[" IMAGE "]}", "", 110},
    {"{'map':{'messages':'turns'},'input':{'turns':''}}", "{'role':'user','content':7}",
     "{'turns':'[{\\'role\\':\\'user\\',\\'content\\':7}]'}", "", 29},
    {"{'map':{'messages':null}}", USER, "{'prompt':'Hi'}", "", 2},
    {"{'drop_params':true}", IMAGE, "{'prompt':'Hi'}", "image_url", 2},
    {"{'drop_params':true}", IMAGE "," IMAGE, "{'prompt':'User: Hi\\n\\nUser: Hi\\n\\nAssistant:'}", "image_url", 30},
    {"{'drop_params':true}", SYSTEM "," FILE_ONLY, "{'prompt':'Be kind.'}", "file", 8},
};

static bool decode(const struct row *row, struct call *call, struct route *route, struct error *err)
{
    char body[1024];
    snprintf(body, sizeof body, "{'model':'kimi','messages':[%s]}", row->messages);
    char *body_json = quoted(body), *route_json = quoted(row->route);
    help_route(route, route_json);
    bool fine = help_decode(call, body_json, err);
    free(body_json);
    free(route_json);
    return fine;
}

START_TEST(messages_become_these_inputs)
{
    const struct row *row = &rows[_i];
    struct call call;
    struct route route;
    struct error err = {0};
    ck_assert_msg(decode(row, &call, &route, &err), "%s", err.message);
    json_t *input = mapping_input(&call, &route, NULL, &err);
    ck_assert_msg(input != NULL, "%s %s: %s", row->route, row->messages, err.message);
    char *expected = quoted(row->input), *text = help_dump(input);
    ck_assert_str_eq(text, expected);
    struct buf ignored;
    buf_init(&ignored, 256);
    ck_assert(call_ignored_text(&call, &ignored));
    ck_assert_str_eq(buf_text(&ignored), row->ignored);
    ck_assert_uint_eq(call.prompt_bytes, row->prompt_bytes);
    buf_dispose(&ignored);
    free(expected);
    free(text);
    json_decref(input);
    call_dispose(&call);
    help_route_dispose(&route);
}
END_TEST

/* Without the part nothing would be left to answer. */
static const struct refusal {
    struct row row;
    const char *param, *words;
} refusals[] = {
    {{"{}", SYSTEM "," IMAGE, NULL, NULL, 0}, "messages[1].content[1]", "`map: {messages: messages}`"},
    {{"{'drop_params':true}", FILE_ONLY, NULL, NULL, 0}, "messages[0].content[0]", "Send some text too."},
};

START_TEST(a_part_is_refused_unless_it_may_be_left_out_of_some_text)
{
    const struct row row = refusals[_i].row;
    struct call call;
    struct route route;
    struct error err = {0};
    ck_assert_msg(decode(&row, &call, &route, &err), "%s", err.message);
    ck_assert_ptr_null(mapping_input(&call, &route, NULL, &err));
    ck_assert_int_eq(err.kind, ERROR_UNSUPPORTED_PARAMETER);
    ck_assert_str_eq(err.param, refusals[_i].param);
    ck_assert_msg(strstr(err.message, refusals[_i].words) != NULL, "%s", err.message);
    call_dispose(&call);
    help_route_dispose(&route);
}
END_TEST

static Suite *mapping_messages_suite(void)
{
    Suite *suite = suite_create("mapping_messages");
    TCase *messages = tcase_create("messages");
    tcase_add_loop_test(messages, messages_become_these_inputs, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(messages, a_part_is_refused_unless_it_may_be_left_out_of_some_text, 0, 2);
    suite_add_tcase(suite, messages);
    return suite;
}

int main(void)
{
    return suite_run(mapping_messages_suite());
}
