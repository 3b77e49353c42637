/* Messages → the model's inputs for them: a list where the model takes one, else a prompt and a system text. */
#include "mapping_messages_int.h"

#include <string.h>

#include "base/ensure.h"
#include "base/json.h"
#include "media_part_int.h"
#include "openai/prompt.h"
#include "prompt_int.h"

json_t *mapping_text(const struct buf *text)
{
    json_t *value = json_stringn_nocheck(buf_text(text), text->length); /* made of parsed strings, so it is UTF-8 */
    ensure(value != NULL);
    return value;
}

void mapping_block(struct mapping *mapping, const char *name)
{
    if (name == NULL)
        return;
    json_object_del(mapping->input, name);
    mapping_note_placed(mapping, name);
}

json_t *mapping_with_default_instructions(const struct mapping *mapping, json_t *messages)
{
    const char *name = model_view_system_input(&mapping->model);
    const json_t *text = name != NULL ? json_object_get(mapping->model.route->input, name) : NULL;
    if (json_string_length(text) == 0 || prompt_has_instructions(messages))
        return json_incref(messages);
    json_t *all = json_pack("[{s:s,s:s}]", "role", "system", "content", json_string_value(text));
    ensure(all != NULL && json_array_extend(all, messages) == 0);
    return all;
}

/* How many bytes of the parts are data, not text. */
static size_t data_bytes(const json_t *content)
{
    size_t index, bytes = 0;
    json_t *part;
    json_array_foreach(content, index, part)
    {
        struct media_part media;
        if (media_part_is(part) && media_part_read(part, "", &media, NULL) && media.type[0] != '\0')
            bytes += json_string_length(media.text);
    }
    return bytes;
}

static size_t data_bytes_of_all(const json_t *messages)
{
    size_t index, bytes = 0;
    json_t *message;
    json_array_foreach(messages, index, message) bytes += data_bytes(json_object_get(message, "content"));
    return bytes;
}

/* A text instead of parts of text, or of a number: models are shown conversations in their own template, which asks for
 * one. */
static bool simplify_content(json_t *message, struct error *err)
{
    json_t *content = json_object_get(message, "content");
    if (json_is_string(content))
        return true;
    struct buf text;
    buf_init(&text, MESSAGES_MAX_BYTES);
    bool fine = prompt_content_text(content, "messages", &text, err);
    if (fine)
        ensure(json_object_set_new(message, "content", mapping_text(&text)) == 0);
    buf_dispose(&text);
    return fine;
}

/* The members of a message by OpenAI's specification. Clients send back whole answers, thoughts and annotations too,
 * and OpenAI's own models refuse what is none of these. */
static bool is_known_member(const char *name)
{
    static const char *const names[] = {
        "role", "content", "name", "refusal", "audio", "tool_calls", "tool_call_id", "function_call",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The message as models know it. Templates put the content between texts, so it is a text even where nothing was said.
 */
static json_t *known_message(json_t *message, struct error *err)
{
    json_t *known = json_object();
    const char *name;
    json_t *value;
    ensure(known != NULL);
    json_object_foreach(message, name, value)
    {
        if (json_is_null(value) && strcmp(name, "content") == 0)
            ensure(json_object_set_new(known, name, json_string("")) == 0);
        else if (is_known_member(name) && !json_is_null(value))
            ensure(json_object_set(known, name, value) == 0);
    }
    if (prompt_is_instruction(known))
        ensure(json_object_set_new(known, "role", json_string("system")) == 0);
    if (json_object_get(known, "content") == NULL)
        ensure(json_object_set_new(known, "content", json_string("")) == 0);
    if (simplify_content(known, err))
        return known;
    json_decref(known);
    return NULL;
}

static json_t *known_list(const struct mapping *mapping, json_t *messages, struct error *err)
{
    json_t *all = mapping_with_default_instructions(mapping, messages), *list = json_array();
    size_t index;
    json_t *message;
    ensure(list != NULL);
    json_array_foreach(all, index, message)
    {
        json_t *known = known_message(message, err);
        if (known == NULL) {
            json_decref(list);
            list = NULL;
            break;
        }
        ensure(json_array_append_new(list, known) == 0);
    }
    json_decref(all);
    return list;
}

/* Text that holds JSON is where some models want the list; no file in it can be replaced by its URL later. */
static json_t *list_as_text(struct call *call, const struct buf *dump)
{
    json_decref(call->uploads);
    call->uploads = NULL;
    return mapping_text(dump);
}

void mapping_block_beside(struct mapping *mapping, const char *list, const char *name)
{
    if (name != NULL && strcmp(name, list) != 0)
        mapping_block(mapping, name);
}

/* `as_they_are`: the operator says that the model reads what OpenAI's clients send. */
static bool place_list(struct mapping *mapping, const struct conversation_inputs *inputs, json_t *messages,
                       bool as_they_are, struct error *err)
{
    json_t *list = !as_they_are                    ? known_list(mapping, messages, err)
                   : mapping->model.schema != NULL ? mapping_with_default_instructions(mapping, messages)
                                                   : json_incref(messages);
    if (list == NULL)
        return false;
    struct buf dump;
    buf_init(&dump, MESSAGES_MAX_BYTES);
    bool fits = json_append(&dump, list);
    if (fits) {
        mapping->call->prompt_bytes = dump.length - data_bytes_of_all(list);
        mapping_place(mapping, inputs->list,
                      inputs->kind == CONVERSATION_TEXT ? list_as_text(mapping->call, &dump) : json_incref(list));
        mapping_block_beside(mapping, inputs->list, model_view_prompt_input(&mapping->model));
        if (mapping->model.schema != NULL)
            mapping_block_beside(mapping, inputs->list, model_view_system_input(&mapping->model));
    }
    buf_dispose(&dump);
    json_decref(list);
    return fits || error_set(err, ERROR_REQUEST_TOO_LARGE, "messages", "The messages are too large for one prompt.");
}

/* Where the model has no input for a system text, it goes in front of the prompt. */
static void place_texts(struct mapping *mapping, const struct conversation_inputs *inputs, const struct buf *system,
                        const struct buf *prompt, bool has_instructions)
{
    mapping->call->prompt_bytes = system->length + prompt->length;
    if (prompt->length == 0 && (inputs->system == NULL || !mapping_has_media(mapping))) {
        /* Instructions alone are what the client wants answered: models answer no empty prompt. */
        mapping_place(mapping, inputs->prompt, mapping_text(system));
        return;
    }
    if (inputs->system != NULL || system->length == 0) {
        /* An empty system text is sent too: it silences the model's own default. */
        if (inputs->system != NULL && has_instructions)
            mapping_place(mapping, inputs->system, mapping_text(system));
        mapping_place(mapping, inputs->prompt, mapping_text(prompt));
        return;
    }
    struct buf both;
    buf_init(&both, 2 * MESSAGES_MAX_BYTES + 2);
    buf_append(&both, system->data, system->length);
    buf_append_text(&both, "\n\n");
    buf_append(&both, prompt->data, prompt->length);
    ensure(!both.overflowed);
    mapping_place(mapping, inputs->prompt, mapping_text(&both));
    buf_dispose(&both);
}

/* Without its prompt a model answers the sample question of its author, so nothing is run, unless what is asked about
 * is a file, and there is no question. */
static bool refuse_text(struct mapping *mapping, const struct buf *system, const struct buf *prompt, struct error *err)
{
    struct call *call = mapping->call;
    const struct route *route = mapping->model.route;
    bool has_media = mapping_has_media(mapping);
    if (has_media && system->length == 0 && prompt->length == 0)
        return true;
    if (has_media && route->drop_params) {
        call_ignore(call, "messages");
        return true;
    }
    if (mapping->model.schema == NULL || json_is_null(json_object_get(route->map, "prompt")))
        return error_set(err, ERROR_UNSUPPORTED_PARAMETER, "messages",
                         "This model is configured to have no input for a prompt. Have the operator name one under "
                         "`map` (`prompt` or `messages`).");
    char alias[MAPPING_ALIAS_BYTES];
    return error_set(err, ERROR_UNSUPPORTED_PARAMETER, "messages",
                     "The model `%s` has no input for a prompt. Use a model that takes text, or have the operator name "
                     "the input under `map` (`prompt` or `messages`).",
                     mapping_quote_alias(mapping, alias));
}

/* Most conversations are one question, perhaps with instructions: their texts are sent as they stand there, and nothing
 * is copied. False, and nothing is done, where a text has to be put together, or is empty or too large. */
static bool place_as_written(struct mapping *mapping, const struct conversation_inputs *inputs, const json_t *messages)
{
    json_t *system, *prompt;
    if (inputs->prompt == NULL || !prompt_is_written(messages, &system, &prompt))
        return false;
    size_t system_bytes = json_string_length(system), prompt_bytes = json_string_length(prompt);
    if (prompt_bytes == 0 || (inputs->system == NULL && system_bytes > 0) || system_bytes > MESSAGES_MAX_BYTES ||
        prompt_bytes > MESSAGES_MAX_BYTES)
        return false;
    if (inputs->system != NULL && system != NULL)
        mapping_place(mapping, inputs->system, json_incref(system));
    mapping_place(mapping, inputs->prompt, json_incref(prompt));
    mapping->call->prompt_bytes = system_bytes + prompt_bytes;
    return true;
}

static bool place_composed(struct mapping *mapping, const struct conversation_inputs *inputs, const json_t *messages,
                           struct error *err)
{
    struct buf system, prompt;
    buf_init(&system, MESSAGES_MAX_BYTES);
    buf_init(&prompt, MESSAGES_MAX_BYTES);
    bool fine = prompt_from_messages(messages, &system, &prompt, err);
    if (fine && inputs->prompt == NULL)
        fine = refuse_text(mapping, &system, &prompt, err);
    else if (fine)
        place_texts(mapping, inputs, &system, &prompt, prompt_has_instructions(messages));
    buf_dispose(&prompt);
    buf_dispose(&system);
    return fine;
}

bool mapping_place_prompt(struct mapping *mapping, const struct conversation_inputs *inputs, const json_t *messages,
                          struct error *err)
{
    return place_as_written(mapping, inputs, messages) || place_composed(mapping, inputs, messages, err);
}

static size_t count_characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* A conversation is never cut: what would be lost is the question. */
static bool check_size(const struct mapping *mapping, const char *name, struct error *err)
{
    const struct model_input *input = name != NULL ? model_schema_find(mapping->model.schema, name) : NULL;
    if (input == NULL || (input->value.max_length == 0 && input->value.max_items == 0))
        return true;
    const json_t *value = json_object_get(mapping->input, name);
    size_t most = json_is_string(value) ? input->value.max_length : value != NULL ? input->value.max_items : 0;
    if (most == 0 ||
        (json_is_string(value) ? count_characters(json_string_value(value)) : json_array_size(value)) <= most)
        return true;
    return error_set(err, ERROR_INVALID_VALUE, "messages",
                     "The messages are too long for this model, whose input for them takes at most %zu %s. Send less.",
                     most, json_is_string(value) ? "characters" : "items");
}

static bool check_sizes(const struct mapping *mapping, const struct conversation_inputs *inputs, struct error *err)
{
    return check_size(mapping, inputs->prompt, err) && check_size(mapping, inputs->system, err) &&
           check_size(mapping, inputs->list, err);
}

/* The operator's word that the model reads OpenAI's messages covers the parts in them, unless the model has an input of
 * its own for images. */
static bool keeps_parts(const struct mapping *mapping)
{
    const char *list = NULL;
    mapping_map_says(mapping->model.route, "messages", &list);
    return list != NULL && model_view_media_input(&mapping->model, "image") == NULL;
}

static bool place_by_kind(struct mapping *mapping, const struct conversation_inputs *inputs, json_t *messages,
                          bool as_they_are, struct error *err)
{
    switch (inputs->kind) {
    case CONVERSATION_LIST:
    case CONVERSATION_TEXT:
        return place_list(mapping, inputs, messages, as_they_are, err);
    case CONVERSATION_ITEMS:
        return mapping_place_items(mapping, inputs, messages, err);
    case CONVERSATION_HISTORY:
        return mapping_place_history(mapping, inputs, messages, err);
    case CONVERSATION_TEMPLATE:
        return mapping_place_template(mapping, inputs, messages, err);
    case CONVERSATION_PROMPT:
        break;
    }
    return place_composed(mapping, inputs, messages, err);
}

bool mapping_place_messages(struct mapping *mapping, struct error *err)
{
    struct conversation_inputs inputs = model_view_conversation(&mapping->model);
    json_t *messages = NULL;
    if (mapping->call->messages == NULL)
        return true;
    /* Where all is text no media have to be looked for. */
    if (inputs.kind == CONVERSATION_PROMPT && place_as_written(mapping, &inputs, mapping->call->messages))
        return check_sizes(mapping, &inputs, err);
    bool as_they_are = keeps_parts(mapping) && inputs.kind <= CONVERSATION_TEXT;
    if (!mapping_place_media(mapping, as_they_are, &messages, err))
        return false;
    bool fine = place_by_kind(mapping, &inputs, messages, as_they_are, err) && check_sizes(mapping, &inputs, err);
    json_decref(messages);
    return fine;
}
