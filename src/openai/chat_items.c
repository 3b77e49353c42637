/* A body in the form of OpenAI's Responses API, sent to chat completions: some editors do that when they are pointed at
 * another base URL. It is rewritten into the chat's own form before anything else looks at it. */
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "chat_int.h"

static void set(json_t *object, const char *key, json_t *value)
{
    ensure(value != NULL && json_object_set_new(object, key, value) == 0);
}

static void append(json_t *array, json_t *value)
{
    ensure(value != NULL && json_array_append_new(array, value) == 0);
}

/* Moves a member to another key, or to another object; nothing where there is none, and never over one that is there.
 */
static void move(json_t *from, const char *key, json_t *to, const char *new_key)
{
    json_t *value = json_object_get(from, key);
    if (value == NULL)
        return;
    if (json_object_get(to, new_key) == NULL)
        set(to, new_key, json_incref(value));
    if (from != to || strcmp(key, new_key) != 0)
        (void)json_object_del(from, key);
}

static bool is_type(const json_t *item, const char *type)
{
    const char *given = json_text(item, "type");
    return given != NULL && strcmp(given, type) == 0;
}

/* ---- items ---- */

static json_t *message(const char *role, json_t *content)
{
    json_t *object = json_object();
    set(object, "role", json_string(role));
    if (content != NULL)
        set(object, "content", json_incref(content));
    return object;
}

/* A call is a member of the assistant's turn; several in a row belong to the same one. */
static json_t *calls_of_last(json_t *messages)
{
    json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    const char *role = json_array_size(messages) == 0 ? NULL : json_text(last, "role");
    if (role == NULL || strcmp(role, "assistant") != 0) {
        last = message("assistant", NULL);
        append(messages, last);
    }
    if (json_object_get(last, "tool_calls") == NULL)
        set(last, "tool_calls", json_array());
    return json_object_get(last, "tool_calls");
}

static void append_call(json_t *messages, json_t *item, const char *kind, const char *argument)
{
    json_t *what = json_object(), *call = json_object();
    move(item, "name", what, "name");
    move(item, argument, what, argument);
    set(call, "type", json_string(kind));
    set(call, kind, what);
    move(item, "call_id", call, "id");
    append(calls_of_last(messages), call);
}

static void append_output(json_t *messages, json_t *item)
{
    json_t *result = message("tool", json_object_get(item, "output"));
    move(item, "call_id", result, "tool_call_id");
    append(messages, result);
}

/* What is none of these stays as it is, so that it is refused by the check of messages. Thoughts of earlier turns are
 * nothing that a chat could be sent. */
static void append_item(json_t *messages, json_t *item)
{
    if (is_type(item, "function_call"))
        append_call(messages, item, "function", "arguments");
    else if (is_type(item, "custom_tool_call"))
        append_call(messages, item, "custom", "input");
    else if (is_type(item, "function_call_output") || is_type(item, "custom_tool_call_output"))
        append_output(messages, item);
    else if (json_text(item, "role") != NULL)
        append(messages, message(json_text(item, "role"), json_object_get(item, "content")));
    else if (!is_type(item, "reasoning"))
        append(messages, json_incref(item));
}

static json_t *messages_of(const json_t *body, const json_t *input)
{
    size_t index;
    json_t *item, *messages = json_array(), *instructions = json_object_get(body, "instructions");
    ensure(messages != NULL);
    if (json_is_string(instructions))
        append(messages, message("system", instructions));
    if (json_is_string(input))
        append(messages, message("user", (json_t *)input));
    json_array_foreach(input, index, item)
    {
        append_item(messages, item);
    }
    return messages;
}

/* ---- parameters ---- */

/* {"type":"function","name":…} → {"type":"function","function":{"name":…}}; likewise for other kinds that have a name.
 */
static void nest(json_t *object)
{
    static const char *const members[] = {"name", "description", "parameters", "strict", "schema", "format"};
    const char *type = json_text(object, "type");
    if (type == NULL || json_object_get(object, "name") == NULL || json_object_get(object, type) != NULL)
        return;
    json_t *inner = json_object();
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        move(object, members[i], inner, members[i]);
    set(object, type, inner);
}

static void nest_tools(json_t *tools)
{
    size_t index;
    json_t *tool;
    json_array_foreach(tools, index, tool)
    {
        nest(tool);
    }
}

void chat_take_items(json_t *body)
{
    /* What has no meaning for a single answer that nobody keeps. */
    static const char *const idle[] = {"input",      "instructions", "reasoning",          "text",
                                       "include",    "truncation",   "context_management", "max_tool_calls",
                                       "background", "conversation"};
    json_t *input = json_object_get(body, "input");
    if (!json_is_string(input) && !json_is_array(input))
        return;
    const json_t *messages = json_object_get(body, "messages");
    if (messages != NULL && !json_is_null(messages))
        return;
    json_t *text = json_object_get(body, "text"), *reasoning = json_object_get(body, "reasoning");
    set(body, "messages", messages_of(body, input));
    move(reasoning, "effort", body, "reasoning_effort");
    move(text, "verbosity", body, "verbosity");
    move(text, "format", body, "response_format");
    move(body, "max_output_tokens", body, "max_completion_tokens");
    nest(json_object_get(body, "response_format"));
    nest(json_object_get(body, "tool_choice"));
    nest_tools(json_object_get(body, "tools"));
    for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++)
        (void)json_object_del(body, idle[i]);
}
