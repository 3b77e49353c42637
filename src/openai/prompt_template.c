/* Conversations in the forms that families of models were trained on, for models which show by their template that they
 * take such a form and apply it themselves to no more than one turn. */
#include "openai/prompt.h"

#include <string.h>

#include "prompt_int.h"

/* Far above what any body may hold; what it bounds is a mistake of ours. */
static const size_t text_max_bytes = (size_t)1 << 30;

static const char *const llama3_tokens[] = {
    "<|begin_of_text|>",         "<|end_of_text|>", "<|start_header_id|>",
    "<|end_header_id|>",         "<|eot_id|>",      "<|eom_id|>",
    "<|finetune_right_pad_id|>", "<|python_tag|>",  NULL,
};
static const char *const llama2_tokens[] = {"[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>", NULL};
static const char *const mistral_tokens[] = {
    "[INST]",
    "[/INST]",
    "<s>",
    "</s>",
    "[TOOL_CALLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    NULL,
};
static const char *const chatml_tokens[] = {"<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|endoftext|>", NULL};

enum prompt_family prompt_family_of(const char *prompt_template)
{
    if (prompt_template == NULL)
        return PROMPT_FAMILY_NONE;
    if (strstr(prompt_template, "<|start_header_id|>") != NULL)
        return PROMPT_FAMILY_LLAMA3;
    if (strstr(prompt_template, "<|im_start|>") != NULL)
        return PROMPT_FAMILY_CHATML;
    if (strstr(prompt_template, "[INST]") == NULL)
        return PROMPT_FAMILY_NONE;
    return strstr(prompt_template, "<<SYS>>") != NULL ? PROMPT_FAMILY_LLAMA2 : PROMPT_FAMILY_MISTRAL;
}

/* Takes the token away that the text ends with, if it ends with one. */
static void cut_token(struct buf *text, const char *const *tokens)
{
    for (; *tokens != NULL; tokens++) {
        size_t length = strlen(*tokens);
        if (text->length < length || memcmp(text->data + text->length - length, *tokens, length) != 0)
            continue;
        text->length -= length;
        text->data[text->length] = '\0';
        return;
    }
}

/* The text without the form's tokens. As each is cut the moment it is complete, what stood around it may well become
 * one when it closes up, and is then cut in its turn: no token is left, whatever was nested in what. */
static void append_clean(struct buf *out, const struct buf *text, const char *const *tokens)
{
    struct buf clean;
    buf_init(&clean, text_max_bytes);
    size_t done = 0;
    while (done < text->length) {
        const char *rest = text->data + done;
        size_t left = text->length - done, length = 0;
        while (length < left && rest[length] != '>' && rest[length] != ']')
            length++;
        length += length < left ? 1 : 0; /* all tokens end with one of the two */
        buf_append(&clean, rest, length);
        cut_token(&clean, tokens);
        done += length;
    }
    buf_append(out, buf_text(&clean), clean.length);
    out->overflowed |= clean.overflowed;
    buf_dispose(&clean);
}

static void append_llama3(struct buf *out, const struct buf *system, const struct prompt_turns *turns)
{
    buf_append_text(out, "<|begin_of_text|>");
    if (system->length > 0) {
        buf_append_text(out, "<|start_header_id|>system<|end_header_id|>\n\n");
        append_clean(out, system, llama3_tokens);
        buf_append_text(out, "<|eot_id|>");
    }
    bool is_open = false;
    for (size_t i = 0; i < turns->count; i++) {
        bool is_user = turns->items[i].speaker == PROMPT_USER;
        is_open = i + 1 == turns->count && !is_user;
        buf_append_text(out, is_user ? "<|start_header_id|>user<|end_header_id|>\n\n"
                                     : "<|start_header_id|>assistant<|end_header_id|>\n\n");
        append_clean(out, &turns->items[i].text, llama3_tokens);
        buf_append_text(out, is_open ? "" : "<|eot_id|>");
    }
    buf_append_text(out, is_open ? "" : "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

/* An assistant's turn stands a line further down than the others, as in the template that this form was read from. */
static void append_chatml(struct buf *out, const struct buf *system, const struct prompt_turns *turns)
{
    if (system->length > 0) {
        buf_append_text(out, "<|im_start|>system\n");
        append_clean(out, system, chatml_tokens);
        buf_append_text(out, "<|im_end|>\n");
    }
    bool is_open = false;
    for (size_t i = 0; i < turns->count; i++) {
        bool is_user = turns->items[i].speaker == PROMPT_USER;
        is_open = i + 1 == turns->count && !is_user;
        buf_append_text(out, is_user ? "<|im_start|>user\n" : "\n<|im_start|>assistant\n");
        append_clean(out, &turns->items[i].text, chatml_tokens);
        buf_append_text(out, is_open ? "" : "<|im_end|>\n");
    }
    buf_append_text(out, is_open ? "" : "\n<|im_start|>assistant\n");
}

/* What the two forms with [INST] differ in. */
static const struct inst_form {
    const char *start, *before_system, *after_system, *before_answer, *after_answer;
    const char *const *tokens;
} llama2_form = {"", "<<SYS>>\n", "\n<</SYS>>\n\n", " ", " </s><s>", llama2_tokens},
  mistral_form = {"<s>", "", "\n\n", " ", "</s>", mistral_tokens};

/* These families know neither a system's turn, which stands within the user's first one, nor a conversation that the
 * assistant begins: such a one is answered to nothing. */
static void append_inst(struct buf *out, const struct inst_form *form, const struct buf *system,
                        const struct prompt_turns *turns)
{
    bool begins_with_user = turns->count > 0 && turns->items[0].speaker == PROMPT_USER;
    buf_append_text(out, form->start);
    buf_append_text(out, "[INST] ");
    if (system->length > 0) {
        buf_append_text(out, form->before_system);
        append_clean(out, system, form->tokens);
        buf_append_text(out, form->after_system);
    }
    if (!begins_with_user)
        buf_append_text(out, " [/INST]");
    for (size_t i = 0; i < turns->count; i++) {
        bool is_user = turns->items[i].speaker == PROMPT_USER;
        buf_append_text(out, !is_user ? form->before_answer : i > 0 ? "[INST] " : "");
        append_clean(out, &turns->items[i].text, form->tokens);
        if (is_user)
            buf_append_text(out, " [/INST]");
        else if (i + 1 < turns->count)
            buf_append_text(out, form->after_answer);
    }
}

/* Plain labels, as nothing is known of the model's own form. */
static bool append_labelled(const json_t *messages, struct buf *system, struct buf *out, struct error *err)
{
    struct buf prompt;
    buf_init(&prompt, text_max_bytes);
    bool fine = prompt_from_messages(messages, system, &prompt, err);
    if (fine) {
        buf_append_text(out, buf_text(system));
        buf_append_text(out, system->length > 0 && prompt.length > 0 ? "\n\n" : "");
        buf_append_text(out, buf_text(&prompt));
    }
    buf_dispose(&prompt);
    return fine;
}

static bool append_form(enum prompt_family family, const json_t *messages, struct buf *system, struct buf *out,
                        struct error *err)
{
    bool alternates = family == PROMPT_FAMILY_LLAMA2 || family == PROMPT_FAMILY_MISTRAL;
    struct prompt_turns turns;
    bool fine = prompt_turns_of(messages, alternates, &turns, err) && prompt_instructions(messages, system, err);
    if (fine && family == PROMPT_FAMILY_LLAMA3)
        append_llama3(out, system, &turns);
    else if (fine && family == PROMPT_FAMILY_CHATML)
        append_chatml(out, system, &turns);
    else if (fine)
        append_inst(out, family == PROMPT_FAMILY_LLAMA2 ? &llama2_form : &mistral_form, system, &turns);
    prompt_turns_dispose(&turns);
    return fine;
}

bool prompt_render(enum prompt_family family, const json_t *messages, struct buf *out, struct error *err)
{
    struct buf system;
    buf_init(&system, text_max_bytes);
    bool fine = family == PROMPT_FAMILY_NONE ? append_labelled(messages, &system, out, err)
                                             : append_form(family, messages, &system, out, err);
    buf_dispose(&system);
    return fine && prompt_check_room(out, err);
}
