/* Checks the list of messages: strict where a mistake would change the answer, lenient where clients in the field
 * differ from the specification without harm. */
#include "chat_int.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "chat_messages_int.h"
#include "media_part_int.h"

enum { QUOTE_BYTES = 65, PATH_BYTES = 64 };

/* What a role asks of its message. `null_is_fine` covers an absent content too. */
static const struct role {
    const char *name;
    bool null_is_fine;    /* an assistant that only called tools said nothing */
    bool takes_object;    /* results of tools come as bare objects, too */
    const char *required; /* another member that has to be there, a string */
} roles[] = {
    {"developer", false, false, NULL}, {"system", false, false, NULL},        {"user", false, false, NULL},
    {"assistant", true, false, NULL},  {"tool", false, true, "tool_call_id"}, {"function", true, false, "name"},
};

/* The parts that are text, and the member that holds it. The others are read by media_part.c. */
static const struct text_part {
    const char *type, *member;
} text_parts[] = {
    {"text", "text"},
    {"input_text", "text"},
    {"output_text", "text"},
    {"refusal", "refusal"},
};

struct message_view message_view_of(const json_t *message)
{
    struct message_view view = {0};
    json_t *members = (json_t *)message; /* jansson walks nothing that is const */
    for (void *at = json_object_iter(members); at != NULL; at = json_object_iter_next(members, at)) {
        const char *key = json_object_iter_key(at);
        if (strcmp(key, "role") == 0)
            view.role = json_string_value(json_object_iter_value(at));
        else if (strcmp(key, "content") == 0)
            view.content = json_object_iter_value(at);
    }
    return view;
}

bool message_missing(const char *path, struct error *err)
{
    return error_set(err, ERROR_MISSING_PARAMETER, path, "`%s` is missing.", path);
}

bool message_wrong_type(const char *path, const char *wanted, const json_t *value, struct error *err)
{
    return error_set(err, ERROR_INVALID_TYPE, path, "`%s` has to be %s, but it is %s.", path, wanted,
                     json_type_name(value));
}

static bool wrong_word(const char *path, const char *wanted, const char *word, struct error *err)
{
    char quoted[QUOTE_BYTES];
    error_quote(quoted, sizeof quoted, word, strlen(word), NULL);
    return error_set(err, ERROR_INVALID_VALUE, path, "`%s` has to be one of %s; `%s` is none of them.", path, wanted,
                     quoted);
}

/* A member that has to be there and to be a string; NULL and err otherwise. */
static const char *required_text(const json_t *object, const char *path, const char *key, struct error *err)
{
    char member[ERROR_PARAM_BYTES];
    snprintf(member, sizeof member, "%s.%s", path, key);
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        message_missing(member, err);
    else if (!json_is_string(value))
        message_wrong_type(member, "a string", value, err);
    return json_string_value(value);
}

static bool check_part(const json_t *part, const char *path, size_t *media_count, struct error *err)
{
    if (!json_is_object(part))
        return message_wrong_type(path, "an object", part, err);
    const char *type = required_text(part, path, "type", err);
    if (type == NULL)
        return false;
    for (size_t i = 0; i < sizeof text_parts / sizeof text_parts[0]; i++)
        if (strcmp(text_parts[i].type, type) == 0)
            return required_text(part, path, text_parts[i].member, err) != NULL;
    if (!media_part_is(part)) {
        char type_path[ERROR_PARAM_BYTES];
        snprintf(type_path, sizeof type_path, "%s.type", path);
        return wrong_word(type_path, "text, image_url, input_audio, video_url, file and refusal", type, err);
    }
    if (++*media_count > MEDIA_PARTS_MAX)
        return error_set(err, ERROR_INVALID_VALUE, path,
                         "`%s` is one more than the %d images, sounds, videos and files that a request may hold. Send "
                         "fewer.",
                         path, MEDIA_PARTS_MAX);
    return media_part_check(part, path, err);
}

static bool check_parts(const json_t *content, const char *path, size_t *media_count, struct error *err)
{
    size_t index;
    json_t *part;
    json_array_foreach(content, index, part)
    {
        char part_path[PATH_BYTES + 32];
        snprintf(part_path, sizeof part_path, "%s[%zu]", path, index);
        if (!check_part(part, part_path, media_count, err))
            return false;
    }
    return true;
}

static bool check_content(const json_t *message, const struct role *role, const char *path, size_t *media_count,
                          struct error *err)
{
    char content_path[PATH_BYTES];
    snprintf(content_path, sizeof content_path, "%s.content", path);
    const json_t *content = json_object_get(message, "content");
    if (content == NULL)
        return role->null_is_fine || message_missing(content_path, err);
    if (json_is_array(content))
        return check_parts(content, content_path, media_count, err);
    if (json_is_string(content) || json_is_number(content) || (json_is_null(content) && role->null_is_fine) ||
        (json_is_object(content) && role->takes_object))
        return true;
    return message_wrong_type(content_path, "a string or an array of parts", content, err);
}

/* Calls in the history are shown to the model as text, whatever is in them; only their frame has to be right. */
static bool check_calls(const json_t *message, const char *path, struct error *err)
{
    char member[PATH_BYTES];
    snprintf(member, sizeof member, "%s.tool_calls", path);
    const json_t *calls = json_object_get(message, "tool_calls");
    if (calls != NULL && !json_is_null(calls) && !json_is_array(calls))
        return message_wrong_type(member, "an array", calls, err);
    size_t index;
    json_t *call;
    json_array_foreach(calls, index, call)
    {
        char call_path[PATH_BYTES + 32];
        snprintf(call_path, sizeof call_path, "%s[%zu]", member, index);
        if (!json_is_object(call))
            return message_wrong_type(call_path, "an object", call, err);
    }
    snprintf(member, sizeof member, "%s.function_call", path);
    const json_t *call_of_old = json_object_get(message, "function_call");
    if (call_of_old != NULL && !json_is_null(call_of_old) && !json_is_object(call_of_old))
        return message_wrong_type(member, "an object", call_of_old, err);
    return true;
}

static const struct role *find_role(const char *name)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i].name, name) == 0)
            return &roles[i];
    return NULL;
}

/* A role that asks for nothing more, and a text: most messages are that, and need no path to tell what is wrong. */
static bool is_plain(const json_t *message)
{
    struct message_view view = message_view_of(message);
    const struct role *role = view.role != NULL ? find_role(view.role) : NULL;
    return role != NULL && role->required == NULL && json_is_string(view.content) && json_object_size(message) == 2;
}

static bool check_message(const json_t *message, size_t index, size_t *media_count, struct error *err)
{
    if (is_plain(message))
        return true;
    char path[32], role_path[PATH_BYTES];
    snprintf(path, sizeof path, "messages[%zu]", index);
    snprintf(role_path, sizeof role_path, "%s.role", path);
    if (!json_is_object(message))
        return message_wrong_type(path, "an object", message, err);
    const char *name = required_text(message, path, "role", err);
    if (name == NULL)
        return false;
    const struct role *role = find_role(name);
    if (role == NULL)
        return wrong_word(role_path, "developer, system, user, assistant, tool and function", name, err);
    if (role->required != NULL && required_text(message, path, role->required, err) == NULL)
        return false;
    return check_content(message, role, path, media_count, err) && check_calls(message, path, err);
}

bool chat_check_messages(const json_t *messages, struct error *err)
{
    if (messages == NULL || json_is_null(messages))
        return message_missing("messages", err);
    if (!json_is_array(messages))
        return message_wrong_type("messages", "an array", messages, err);
    if (json_array_size(messages) == 0)
        return error_set(err, ERROR_INVALID_VALUE, "messages", "`messages` is empty. Send at least one message.");
    size_t index, media_count = 0;
    json_t *message;
    json_array_foreach(messages, index, message) if (!check_message(message, index, &media_count, err)) return false;
    return true;
}
