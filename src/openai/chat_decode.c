/* Reads a chat completion request: everything that a client may send is checked here, once, so that nobody behind has
 * to doubt it. */
#include "openai/chat.h"

#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "chat_int.h"
#include "parameters_int.h"

enum { UNIQUE_LENGTH = 29 };

static const char id_prefix[] = "chatcmpl-";

static bool decode_body(struct call *call, const struct call_request *request, struct error *err)
{
    call->body = json_parse(request->body, request->body_length, err);
    if (call->body == NULL)
        return false;
    return json_is_object(call->body) ||
           error_set(err, ERROR_INVALID_TYPE, NULL, "The request body has to be a JSON object, but it is %s.",
                     json_type_name(call->body));
}

/* The model in the path, which some clients put there, goes before the one in the body. */
static bool decode_model(struct call *call, const struct call_request *request, struct error *err)
{
    const char *way_out = request->is_unlisted ? "Use a model reference such as owner/name."
                                               : "Name one of the models that GET /v1/models lists.";
    const json_t *model = json_object_get(call->body, "model");
    bool in_path = request->path_model != NULL && request->path_model[0] != '\0';
    bool in_body = model != NULL && !json_is_null(model);
    if (!in_path && !in_body)
        return error_set(err, ERROR_MISSING_PARAMETER, "model", "`model` is missing. %s", way_out);
    if (in_body && !json_is_string(model))
        return error_set(err, ERROR_INVALID_TYPE, "model", "`model` has to be a string, but it is %s.",
                         json_type_name(model));
    if (!in_path && json_string_length(model) == 0)
        return error_set(err, ERROR_INVALID_VALUE, "model", "`model` is empty. %s", way_out);
    call->alias = xstrdup(in_path ? request->path_model : json_string_value(model));
    return true;
}

/* A yes or a no; absent or null is a no. */
static bool read_flag(const json_t *value, const char *path, bool *flag, struct error *err)
{
    *flag = json_is_true(value);
    return value == NULL || json_is_null(value) || json_is_boolean(value) ||
           error_set(err, ERROR_INVALID_TYPE, path, "`%s` has to be true or false, but it is %s.", path,
                     json_type_name(value));
}

static bool decode_stream(struct call *call, struct error *err)
{
    const json_t *options = json_object_get(call->body, "stream_options");
    bool include_usage;
    if (!read_flag(json_object_get(call->body, "stream"), "stream", &call->is_stream, err))
        return false;
    if (call->is_stream && call->endpoint->stream == NULL)
        return error_set(err, ERROR_UNSUPPORTED_VALUE, "stream",
                         "This endpoint answers whole, not piece by piece. Send `stream: false`, or leave it out.");
    if (!read_flag(json_object_get(options, "include_usage"), "stream_options.include_usage", &include_usage, err))
        return false;
    /* Some clients send the options always; a whole answer has its usage anyway. */
    call->include_usage = call->is_stream && include_usage;
    return true;
}

/* The members that are not null: some clients send all that there are. */
static size_t count_given(json_t *body)
{
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(body, name, value)
    {
        if (!json_is_null(value))
            count++;
    }
    return count;
}

/* The rows come in order of preference, so the first value of a canonical name stays. */
static bool decode_params(struct call *call, struct error *err)
{
    struct parameter_set given = parameters_in(call->body);
    call->given = given.bits;
    call->has_extensions = parameters_count(&given) < count_given(call->body);
    for (const struct parameter *row; (row = parameters_next(&given)) != NULL;) {
        json_t *value;
        if (row->class == CLASS_ENDPOINT)
            continue;
        if (!parameter_read(row, call->body, &value, err))
            return false;
        if (value == NULL)
            continue;
        if (params_get(&call->params, row) == NULL)
            params_set(&call->params, row, value);
        else
            json_decref(value);
    }
    const json_t *n = params_find(&call->params, "n");
    call->n = n == NULL ? 1 : (int)json_integer_value(n);
    return true;
}

bool chat_decode(struct call *call, const struct call_request *request, struct error *err)
{
    ensure(strlen(request->unique) >= UNIQUE_LENGTH);
    memcpy(call->id, id_prefix, sizeof id_prefix - 1);
    memcpy(call->id + sizeof id_prefix - 1, request->unique, UNIQUE_LENGTH);
    call->id[sizeof id_prefix - 1 + UNIQUE_LENGTH] = '\0';
    call->endpoint = request->endpoint;
    call->created_s = request->now_s;
    if (!decode_body(call, request, err) || !decode_model(call, request, err))
        return false;
    chat_take_items(call->body);
    json_t *messages = json_object_get(call->body, "messages");
    if (!chat_check_messages(messages, err))
        return false;
    call->messages = messages;
    return decode_stream(call, err) && decode_params(call, err);
}
