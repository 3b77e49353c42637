/* Chat messages as one text, for the many models that take nothing else. No special tokens: a model's own template
 * belongs to the model, and plain labels are what all of them understand. */
#include "openai/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "chat_messages_int.h"
#include "prompt_int.h"

enum { PATH_BYTES = 64 };

/* Far above what any body may hold; what it bounds is a mistake of ours. */
static const size_t turn_max_bytes = (size_t)1 << 30;

bool prompt_check_room(const struct buf *out, struct error *err)
{
    return !out->overflowed ||
           error_set(err, ERROR_REQUEST_TOO_LARGE, "messages", "The messages are too large for one prompt.");
}

static bool has_role(const json_t *message, const char *role)
{
    const char *name = json_text(message, "role");
    return name != NULL && strcmp(name, role) == 0;
}

static bool is_instruction_role(const char *role)
{
    return role != NULL && (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0);
}

bool prompt_is_instruction(const json_t *message)
{
    return is_instruction_role(json_text(message, "role"));
}

static const json_t *part_text(const json_t *part)
{
    const char *type = json_text(part, "type");
    bool is_refusal = type != NULL && strcmp(type, "refusal") == 0;
    return json_object_get(part, is_refusal ? "refusal" : "text");
}

bool prompt_part_is_text(const json_t *part)
{
    static const char *const types[] = {"text", "input_text", "output_text", "refusal"};
    const char *type = json_text(part, "type");
    bool is_known = type == NULL;
    for (size_t i = 0; i < sizeof types / sizeof types[0] && !is_known; i++)
        is_known = strcmp(type, types[i]) == 0;
    return is_known && json_is_string(part_text(part));
}

bool prompt_refuse_part(const char *path, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED_PARAMETER, path,
                     "`%s` is no text, and this model is given text only. Leave the part out. A model that reads "
                     "such parts has to be given the messages as they are, for which its operator sets "
                     "`map: {messages: messages}`; or they are left out with `drop_params: true`.",
                     path);
}

static bool append_parts(const json_t *parts, const char *path, struct buf *out, struct error *err)
{
    size_t index;
    json_t *part;
    json_array_foreach(parts, index, part)
    {
        if (!prompt_part_is_text(part)) {
            char param[ERROR_PARAM_BYTES];
            snprintf(param, sizeof param, "%s[%zu]", path, index);
            return prompt_refuse_part(param, err);
        }
        const json_t *text = part_text(part);
        if (index > 0)
            buf_append(out, "\n", 1);
        buf_append(out, json_string_value(text), json_string_length(text));
    }
    return prompt_check_room(out, err);
}

bool prompt_content_text(const json_t *content, const char *path, struct buf *out, struct error *err)
{
    if (json_is_array(content))
        return append_parts(content, path, out, err);
    if (json_is_string(content))
        buf_append(out, json_string_value(content), json_string_length(content));
    else if (content != NULL && !json_is_null(content))
        json_append(out, content); /* a number, or a tool's result that nobody dumped */
    return prompt_check_room(out, err);
}

static bool append_content(const json_t *message, size_t index, struct buf *out, struct error *err)
{
    char path[PATH_BYTES] = "";
    const json_t *content = json_object_get(message, "content");
    if (json_is_array(content)) /* only parts have places that may have to be named */
        snprintf(path, sizeof path, "messages[%zu].content", index);
    return prompt_content_text(content, path, out, err);
}

static void append_member(struct buf *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        buf_append(out, json_string_value(value), json_string_length(value));
    else if (value != NULL && !json_is_null(value))
        json_append(out, value);
}

/* A call of the old kind has no id. `what` holds the name and the arguments. */
static void append_call(struct buf *out, const json_t *call, const json_t *what, const char *arguments)
{
    buf_append_text(out, "Tool call");
    if (json_text(call, "id") != NULL) {
        buf_append_text(out, " ");
        append_member(out, call, "id");
    }
    buf_append_text(out, ": ");
    append_member(out, what, "name");
    buf_append_text(out, "(");
    append_member(out, what, arguments);
    buf_append_text(out, ")");
}

static bool has_calls(const json_t *message)
{
    return json_array_size(json_object_get(message, "tool_calls")) > 0 ||
           json_is_object(json_object_get(message, "function_call"));
}

/* The calls that an assistant made, with blank lines in between. */
static void append_calls(const json_t *message, struct buf *out)
{
    size_t index;
    json_t *call;
    const json_t *calls = json_object_get(message, "tool_calls");
    json_array_foreach(calls, index, call)
    {
        const json_t *custom = json_object_get(call, "custom");
        buf_append_text(out, index > 0 ? "\n\n" : "");
        if (custom != NULL)
            append_call(out, call, custom, "input");
        else
            append_call(out, call, json_object_get(call, "function"), "arguments");
    }
    const json_t *call_of_old = json_object_get(message, "function_call");
    if (json_is_object(call_of_old)) {
        buf_append_text(out, json_array_size(calls) > 0 ? "\n\n" : "");
        append_call(out, call_of_old, call_of_old, "arguments");
    }
}

/* An assistant that called a tool often says nothing besides. */
static bool is_silent(const json_t *message)
{
    const json_t *content = json_object_get(message, "content");
    return content == NULL || json_is_null(content) || (json_is_string(content) && json_string_length(content) == 0);
}

/* What stands in front of a tool's result wherever tools are told about as text. */
static void append_result_label(const json_t *message, struct buf *out)
{
    if (!has_role(message, "tool") && !has_role(message, "function"))
        return;
    buf_append_text(out, "Tool result ");
    append_member(out, message, has_role(message, "tool") ? "tool_call_id" : "name");
    buf_append_text(out, ": ");
}

/* In a conversation of several people the name tells who speaks. */
static void append_label(const json_t *message, struct buf *out)
{
    bool is_assistant = has_role(message, "assistant");
    const char *name = json_text(message, "name");
    if (!is_assistant && !has_role(message, "user")) {
        append_result_label(message, out);
        return;
    }
    buf_append_text(out, is_assistant ? "Assistant" : "User");
    if (name != NULL && name[0] != '\0')
        buf_printf(out, " (%s)", name);
    buf_append_text(out, ": ");
}

static bool append_labelled(const json_t *messages, struct buf *prompt, struct error *err)
{
    size_t index;
    json_t *message;
    json_array_foreach(messages, index, message)
    {
        if (prompt_is_instruction(message))
            continue;
        if (!has_calls(message) || !is_silent(message)) {
            append_label(message, prompt);
            if (!append_content(message, index, prompt, err))
                return false;
            buf_append_text(prompt, "\n\n");
        }
        if (has_calls(message)) {
            append_calls(message, prompt);
            buf_append_text(prompt, "\n\n");
        }
    }
    buf_append_text(prompt, "Assistant:");
    return prompt_check_room(prompt, err);
}

bool prompt_instructions(const json_t *messages, struct buf *system, struct error *err)
{
    bool first = true;
    size_t index;
    json_t *message;
    json_array_foreach(messages, index, message)
    {
        if (!prompt_is_instruction(message))
            continue;
        if (!first)
            buf_append_text(system, "\n\n");
        first = false;
        if (!append_content(message, index, system, err))
            return false;
    }
    return true;
}

/* How many messages are no instructions, and where the last of them stands. */
static size_t count_turns(const json_t *messages, size_t *last)
{
    size_t index, count = 0;
    json_t *message;
    json_array_foreach(messages, index, message)
    {
        if (prompt_is_instruction(message))
            continue;
        count++;
        *last = index;
    }
    return count;
}

size_t prompt_count_turns(const json_t *messages)
{
    size_t last;
    return count_turns(messages, &last);
}

bool prompt_has_instructions(const json_t *messages)
{
    return prompt_count_turns(messages) < json_array_size(messages);
}

bool prompt_is_one_turn(const json_t *messages)
{
    size_t last = 0;
    return count_turns(messages, &last) == 1 && has_role(json_array_get(messages, last), "user");
}

bool prompt_is_written(const json_t *messages, json_t **system, json_t **prompt)
{
    size_t index;
    json_t *message;
    *system = *prompt = NULL;
    json_array_foreach(messages, index, message)
    {
        struct message_view view = message_view_of(message);
        bool is_user = view.role != NULL && strcmp(view.role, "user") == 0;
        json_t **text = is_user ? prompt : system;
        if (*text != NULL || !json_is_string(view.content) || !(is_user || is_instruction_role(view.role)))
            return false;
        *text = view.content;
    }
    return *prompt != NULL;
}

bool prompt_from_messages(const json_t *messages, struct buf *system, struct buf *prompt, struct error *err)
{
    size_t last = 0;
    if (!prompt_instructions(messages, system, err))
        return false;
    size_t turns = count_turns(messages, &last);
    if (turns == 0)
        return true;
    /* A question without a history needs no labels, and models answer it best without. */
    if (turns == 1 && has_role(json_array_get(messages, last), "user"))
        return append_content(json_array_get(messages, last), last, prompt, err);
    return append_labelled(messages, prompt, err);
}

/* A turn's own text, without a label for the two who speak: whoever asks for turns has a form that tells them apart. */
static bool append_turn(const json_t *message, size_t index, struct buf *out, struct error *err)
{
    append_result_label(message, out);
    if (!append_content(message, index, out, err))
        return false;
    if (!has_calls(message))
        return true;
    buf_append_text(out, is_silent(message) ? "" : "\n\n");
    append_calls(message, out);
    return prompt_check_room(out, err);
}

static struct prompt_turn *next_turn(struct prompt_turns *turns, enum prompt_speaker speaker, bool joined)
{
    struct prompt_turn *last = turns->count > 0 ? &turns->items[turns->count - 1] : NULL;
    if (joined && last != NULL && last->speaker == speaker) {
        if (last->text.length > 0)
            buf_append_text(&last->text, "\n\n");
        return last;
    }
    last = &turns->items[turns->count++];
    last->speaker = speaker;
    buf_init(&last->text, turn_max_bytes);
    return last;
}

bool prompt_turns_of(const json_t *messages, bool joined, struct prompt_turns *turns, struct error *err)
{
    size_t index;
    json_t *message;
    turns->items = xcalloc(json_array_size(messages) + 1, sizeof *turns->items);
    turns->count = 0;
    json_array_foreach(messages, index, message)
    {
        if (prompt_is_instruction(message))
            continue;
        enum prompt_speaker speaker = has_role(message, "assistant") ? PROMPT_ASSISTANT : PROMPT_USER;
        if (!append_turn(message, index, &next_turn(turns, speaker, joined)->text, err))
            return false;
    }
    return true;
}

void prompt_turns_dispose(struct prompt_turns *turns)
{
    for (size_t i = 0; i < turns->count; i++)
        buf_dispose(&turns->items[i].text);
    free(turns->items);
    *turns = (struct prompt_turns){0};
}
