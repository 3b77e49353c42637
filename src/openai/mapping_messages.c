/* Messages → the model's inputs for them: a list where the model takes one, else a prompt and a system text. */
#include "mapping_int.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"
#include "openai/prompt.h"
#include "prompt_int.h"

/* Far above what any body may hold; what it bounds is a mistake of ours. */
static const size_t prompt_max_bytes = (size_t)1 << 30;

static json_t *text_value(const struct buf *text)
{
    json_t *value = json_stringn(buf_text(text), text->length);
    ensure(value != NULL); /* made of parsed strings, so it is UTF-8 */
    return value;
}

/* Some models take the list as a text that holds JSON; a text as the configured default tells which. */
static bool place_list(struct mapping *mapping, const struct message_names *names, struct error *err)
{
    struct buf dump;
    buf_init(&dump, prompt_max_bytes);
    bool fits = json_append(&dump, mapping->call->messages);
    if (fits) {
        bool as_text = json_is_string(json_object_get(mapping->route->input, names->list));
        mapping->call->prompt_bytes = dump.length;
        mapping_place(mapping, names->list, as_text ? text_value(&dump) : json_incref(mapping->call->messages));
        /* A model that has both would have to choose; so nobody else may fill the other one either. */
        if (names->prompt != NULL && strcmp(names->prompt, names->list) != 0) {
            json_object_del(mapping->input, names->prompt);
            ensure(json_object_set_new(mapping->placed, names->prompt, json_true()) == 0);
        }
    }
    buf_dispose(&dump);
    return fits || error_set(err, ERROR_REQUEST_TOO_LARGE, "messages", "The messages are too large for one prompt.");
}

/* The message's content without images, sounds and files, each of which is named as left out. `dropped` gets the path
 * of the first one of the request; "" so far. */
static json_t *text_parts(struct call *call, const json_t *content, size_t message, char dropped[ERROR_PARAM_BYTES])
{
    json_t *kept = json_array();
    ensure(kept != NULL);
    size_t index;
    json_t *part;
    json_array_foreach(content, index, part)
    {
        if (prompt_part_is_text(part)) {
            ensure(json_array_append(kept, part) == 0);
            continue;
        }
        call_ignore(call, json_text(part, "type"));
        if (dropped[0] == '\0')
            snprintf(dropped, ERROR_PARAM_BYTES, "messages[%zu].content[%zu]", message, index);
    }
    return kept;
}

static json_t *without_media(struct call *call, char dropped[ERROR_PARAM_BYTES])
{
    json_t *messages = json_array();
    ensure(messages != NULL);
    size_t index;
    json_t *message;
    json_array_foreach(call->messages, index, message)
    {
        json_t *content = json_object_get(message, "content");
        json_t *copy = json_copy(message);
        ensure(copy != NULL);
        if (json_is_array(content))
            ensure(json_object_set_new(copy, "content", text_parts(call, content, index, dropped)) == 0);
        ensure(json_array_append_new(messages, copy) == 0);
    }
    return messages;
}

static bool has_instructions(const json_t *messages)
{
    size_t index;
    json_t *message;
    json_array_foreach(messages, index, message) if (prompt_is_instruction(message)) return true;
    return false;
}

/* Where the model has no input for a system text, it goes in front of the prompt. */
static void place_texts(struct mapping *mapping, const struct message_names *names, const struct buf *system,
                        const struct buf *prompt)
{
    struct call *call = mapping->call;
    call->prompt_bytes = system->length + prompt->length;
    if (prompt->length == 0) {
        /* Instructions alone are what the client wants answered: models answer no empty prompt. */
        mapping_place(mapping, names->prompt, text_value(system));
        return;
    }
    if (names->system != NULL || system->length == 0) {
        /* An empty system text is sent too: it silences the model's own default. */
        if (names->system != NULL && has_instructions(call->messages))
            mapping_place(mapping, names->system, text_value(system));
        mapping_place(mapping, names->prompt, text_value(prompt));
        return;
    }
    struct buf both;
    buf_init(&both, 2 * prompt_max_bytes + 2);
    buf_append(&both, system->data, system->length);
    buf_append_text(&both, "\n\n");
    buf_append(&both, prompt->data, prompt->length);
    ensure(!both.overflowed);
    mapping_place(mapping, names->prompt, text_value(&both));
    buf_dispose(&both);
}

static bool place_prompt(struct mapping *mapping, const struct message_names *names, struct error *err)
{
    struct call *call = mapping->call;
    char dropped[ERROR_PARAM_BYTES] = "";
    json_t *messages = mapping->route->drop_params ? without_media(call, dropped) : json_incref(call->messages);
    struct buf system, prompt;
    buf_init(&system, prompt_max_bytes);
    buf_init(&prompt, prompt_max_bytes);
    bool fine = prompt_from_messages(messages, &system, &prompt, err);
    /* An empty prompt is run and paid for, and answers nothing that was asked. */
    if (fine && dropped[0] != '\0' && system.length == 0 && prompt.length == 0)
        fine = error_set(err, ERROR_UNSUPPORTED_PARAMETER, dropped,
                         "`%s` is no text, this model is given text only, and without it the messages are empty. Send "
                         "some text too.",
                         dropped);
    if (fine)
        place_texts(mapping, names, &system, &prompt);
    buf_dispose(&prompt);
    buf_dispose(&system);
    json_decref(messages);
    return fine;
}

bool mapping_place_messages(struct mapping *mapping, struct error *err)
{
    struct message_names names = mapping_message_names(mapping->route);
    if (mapping->call->messages == NULL)
        return true;
    if (names.list != NULL)
        return place_list(mapping, &names, err);
    /* Without its prompt a model answers the sample question of its author, so nothing is run. */
    if (names.prompt == NULL)
        return error_set(err, ERROR_UNSUPPORTED_PARAMETER, "messages",
                         "This model is configured to have no input for a prompt. Have the operator name one under "
                         "`map` (`prompt` or `messages`).");
    return place_prompt(mapping, &names, err);
}
