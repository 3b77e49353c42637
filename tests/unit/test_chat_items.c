/* Bodies of OpenAI's Responses API that are sent to chat completions. */
#include <stdlib.h>
#include <string.h>

#include "call_help.h"
#include "check_main.h"

/* What the client sends, and the messages that it means. */
static const struct {
    const char *body, *messages;
} cases[] = {
    {"{\"model\":\"m\",\"input\":\"Hi\"}", "[{\"role\":\"user\",\"content\":\"Hi\"}]"},
    {"{\"model\":\"m\",\"messages\":null,\"instructions\":\"Be brief\",\"input\":[{\"role\":\"user\",\"content\":[{"
     "\"type\":\"input_text\",\"text\":\"Hi\"}]}]}",
     "[{\"role\":\"system\",\"content\":\"Be "
     "brief\"},{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
     "\"Hi\"}]}]"},
    {"{\"model\":\"m\",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":\"Read "
     "a\"},{\"type\":\"reasoning\","
     "\"id\":\"rs_1\",\"summary\":[]},{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"read\",\"arguments\":"
     "\"{}\"},"
     "{\"type\":\"custom_tool_call\",\"call_id\":\"c2\",\"name\":\"patch\",\"input\":\"x\"},{\"type\":"
     "\"function_call_output\",\"call_id\":\"c1\",\"output\":\"text\"}]}",
     "[{\"role\":\"user\",\"content\":\"Read a\"},{\"role\":\"assistant\",\"tool_calls\":[{\"type\":\"function\","
     "\"function\":{\"name\":\"read\",\"arguments\":\"{}\"},\"id\":\"c1\"},{\"type\":\"custom\",\"custom\":{\"name\":"
     "\"patch\",\"input\":\"x\"},\"id\":\"c2\"}]},{\"role\":\"tool\",\"content\":\"text\",\"tool_call_id\":\"c1\"}]"},
};

START_TEST(items_are_the_messages_that_they_mean)
{
    struct call call;
    struct error err = {0};
    ck_assert_msg(help_decode(&call, cases[_i].body, &err), "%s", err.message);
    char *messages = help_dump(call.messages);
    ck_assert_str_eq(messages, cases[_i].messages);
    free(messages);
    call_dispose(&call);
}
END_TEST

START_TEST(parameters_get_the_names_of_a_chat)
{
    struct call call;
    struct error err = {0};
    ck_assert_msg(
        help_decode(
            &call,
            "{\"model\":\"m\",\"input\":\"Hi\",\"max_output_tokens\":50,\"reasoning\":{\"effort\":\"low\"},\"text\":"
            "{\"verbosity\":\"low\",\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{}}},\"store\":"
            "false,\"include\":[],\"truncation\":\"auto\",\"tools\":[{\"type\":\"function\",\"name\":\"f\","
            "\"parameters\":{}},{\"type\":\"custom\",\"name\":\"g\",\"format\":{\"type\":\"text\"}}],"
            "\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}}",
            &err),
        "%s", err.message);
    char *params = help_dump_params(&call);
    ck_assert_ptr_nonnull(strstr(params, "\"max_tokens\":50"));
    ck_assert_ptr_nonnull(strstr(params, "\"reasoning_effort\":\"low\""));
    ck_assert_ptr_nonnull(strstr(params, "\"verbosity\":\"low\""));
    ck_assert_ptr_nonnull(strstr(params, "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{}}}"));
    ck_assert_ptr_nonnull(strstr(params, "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}"));
    ck_assert_ptr_nonnull(
        strstr(params, "{\"type\":\"custom\",\"custom\":{\"name\":\"g\",\"format\":{\"type\":\"text\"}}}"));
    ck_assert_ptr_nonnull(strstr(params, "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}"));
    free(params);
    ck_assert_ptr_null(json_object_get(call.body, "input"));
    ck_assert_ptr_null(json_object_get(call.body, "include"));
    call_dispose(&call);
}
END_TEST

START_TEST(messages_go_before_items)
{
    struct call call;
    struct error err = {0};
    ck_assert(help_decode(
        &call, "{\"model\":\"m\",\"input\":\"other\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}", &err));
    char *messages = help_dump(call.messages);
    ck_assert_str_eq(messages, "[{\"role\":\"user\",\"content\":\"Hi\"}]");
    ck_assert_ptr_nonnull(json_object_get(call.body, "input"));
    free(messages);
    call_dispose(&call);
}
END_TEST

static const char *const odd[] = {
    "{\"model\":\"m\",\"input\":[]}",
    "{\"model\":\"m\",\"input\":[7]}",
    "{\"model\":\"m\",\"input\":[{\"type\":\"item_reference\",\"id\":\"x\"}]}",
    "{\"model\":\"m\",\"input\":{\"role\":\"user\"}}",
    "{\"model\":\"m\",\"input\":[{\"type\":\"function_call_output\",\"output\":\"x\"}]}",
};

START_TEST(what_is_no_item_is_refused_in_a_sentence)
{
    struct call call;
    struct error err = {0};
    ck_assert(!help_decode(&call, odd[_i], &err));
    ck_assert_int_eq(error_row(err.kind)->http_status, 400);
    call_dispose(&call);
}
END_TEST

static Suite *chat_items_suite(void)
{
    Suite *suite = suite_create("chat_items");
    TCase *tcase = tcase_create("chat_items");
    tcase_add_loop_test(tcase, items_are_the_messages_that_they_mean, 0, 3);
    tcase_add_test(tcase, parameters_get_the_names_of_a_chat);
    tcase_add_test(tcase, messages_go_before_items);
    tcase_add_loop_test(tcase, what_is_no_item_is_refused_in_a_sentence, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(chat_items_suite());
}
