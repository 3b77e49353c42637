/* Conversations told in turns: OpenAI's items, lists of alternating texts, and the forms that models were trained on.
 */
#include "mapping_messages_int.h"

#include "base/ensure.h"
#include "openai/prompt.h"
#include "prompt_int.h"

static json_t *item_of(const char *role, const char *type, const struct buf *text)
{
    json_t *item = json_pack("{s:s,s:[{s:s,s:o}]}", "role", role, "content", "type", type, "text", mapping_text(text));
    ensure(item != NULL);
    return item;
}

static size_t append_items(json_t *items, const struct prompt_turns *turns)
{
    size_t bytes = 0;
    for (size_t i = 0; i < turns->count; i++) {
        const struct prompt_turn *turn = &turns->items[i];
        bool is_user = turn->speaker == PROMPT_USER;
        json_t *item = item_of(is_user ? "user" : "assistant", is_user ? "input_text" : "output_text", &turn->text);
        ensure(json_array_append_new(items, item) == 0);
        bytes += turn->text.length;
    }
    return bytes;
}

bool mapping_place_items(struct mapping *mapping, const struct conversation_inputs *inputs, const json_t *messages,
                         struct error *err)
{
    struct prompt_turns turns;
    struct buf system;
    buf_init(&system, MESSAGES_MAX_BYTES);
    bool fine = prompt_turns_of(messages, false, &turns, err) && prompt_instructions(messages, &system, err);
    if (fine) {
        json_t *items = json_array();
        ensure(items != NULL);
        /* Instructions alone are what the client wants answered: a list without any item is refused. */
        if (inputs->system != NULL && prompt_has_instructions(messages) && turns.count > 0)
            mapping_place(mapping, inputs->system, mapping_text(&system));
        else if (system.length > 0)
            ensure(json_array_append_new(items, item_of("system", "input_text", &system)) == 0);
        mapping->call->prompt_bytes = system.length + append_items(items, &turns);
        mapping_place(mapping, inputs->list, items);
        mapping_block_beside(mapping, inputs->list, model_view_prompt_input(&mapping->model));
    }
    buf_dispose(&system);
    prompt_turns_dispose(&turns);
    return fine;
}

/* Models with a history take it in pairs, the user's turn first, and are asked by the user. */
static bool can_be_history(const struct prompt_turns *turns)
{
    return turns->count > 1 && turns->items[0].speaker == PROMPT_USER &&
           turns->items[turns->count - 1].speaker == PROMPT_USER;
}

/* `before`: system text that no input takes, told before anything else. */
static void place_history(struct mapping *mapping, const struct conversation_inputs *inputs,
                          const struct prompt_turns *turns, const struct buf *before)
{
    json_t *history = json_array();
    ensure(history != NULL);
    size_t bytes = before->length;
    for (size_t i = 0; i < turns->count; i++) {
        bytes += turns->items[i].text.length;
        json_t *text = mapping_text(&turns->items[i].text);
        if (i == 0 && before->length > 0) {
            json_t *both = json_sprintf("%s\n\n%s", buf_text(before), json_string_value(text));
            ensure(both != NULL);
            json_decref(text);
            text = both;
        }
        if (i + 1 < turns->count)
            ensure(json_array_append_new(history, text) == 0);
        else
            mapping_place(mapping, inputs->prompt, text);
    }
    mapping_place(mapping, inputs->list, history);
    mapping->call->prompt_bytes = bytes;
}

bool mapping_place_history(struct mapping *mapping, const struct conversation_inputs *inputs, const json_t *messages,
                           struct error *err)
{
    struct prompt_turns turns;
    struct buf system;
    buf_init(&system, MESSAGES_MAX_BYTES);
    bool fine = prompt_turns_of(messages, true, &turns, err);
    if (fine && can_be_history(&turns)) {
        fine = prompt_instructions(messages, &system, err);
        if (fine && inputs->system != NULL && prompt_has_instructions(messages)) {
            mapping_place(mapping, inputs->system, mapping_text(&system));
            size_t system_bytes = system.length;
            buf_clear(&system);
            place_history(mapping, inputs, &turns, &system);
            mapping->call->prompt_bytes += system_bytes;
        } else if (fine) {
            place_history(mapping, inputs, &turns, &system);
        }
    } else if (fine) {
        fine = mapping_place_prompt(mapping, inputs, messages, err);
    }
    buf_dispose(&system);
    prompt_turns_dispose(&turns);
    return fine;
}

/* The form of the model, if nobody has chosen another one. */
static enum prompt_family free_family(const struct mapping *mapping, const struct conversation_inputs *inputs)
{
    const char *name = inputs->prompt_template;
    const json_t *given = json_object_get(mapping->call->body, name);
    if ((given != NULL && !json_is_null(given)) || json_object_get(mapping->model.route->input, name) != NULL)
        return PROMPT_FAMILY_NONE;
    return prompt_family_of(json_string_value(inputs->template_default));
}

/* What the model's template cannot tell on its own: more than one turn, or a system text that no input takes. */
static bool needs_form(const struct conversation_inputs *inputs, const json_t *messages)
{
    if (prompt_is_one_turn(messages))
        return inputs->system == NULL && prompt_has_instructions(messages);
    return prompt_count_turns(messages) > 0;
}

bool mapping_place_template(struct mapping *mapping, const struct conversation_inputs *inputs, json_t *messages,
                            struct error *err)
{
    enum prompt_family family = free_family(mapping, inputs);
    if (family == PROMPT_FAMILY_NONE || !needs_form(inputs, messages))
        return mapping_place_prompt(mapping, inputs, messages, err);
    json_t *all = mapping_with_default_instructions(mapping, messages);
    struct buf text;
    buf_init(&text, MESSAGES_MAX_BYTES);
    bool fine = prompt_render(family, all, &text, err);
    if (fine) {
        mapping_place(mapping, inputs->prompt, mapping_text(&text));
        mapping_place(mapping, inputs->prompt_template, json_string("{prompt}"));
        mapping_block(mapping, inputs->system);
        mapping->call->prompt_bytes = text.length;
    }
    buf_dispose(&text);
    json_decref(all);
    return fine;
}
