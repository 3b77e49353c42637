/* What the files of the mapping share: one mapping under way, the model as it is known, and values made to fit.
 *
 *   mapping.c            the whole: merge, messages, parameters
 *   mapping_extensions.c what only this model knows: its own names in the request, and what it requires
 *   mapping_names.c      which input takes a parameter, and the way back for error messages
 *   mapping_fit.c        a value made to fit what an input may be
 *   mapping_reasoning.c  reasoning_effort and its relatives
 *   mapping_stops.c      stop strings
 *   mapping_describe.c   the same, told instead of done
 *   mapping_messages.c   messages → the model's inputs for a conversation
 *   mapping_media.c      images, sounds, videos and files in messages → the model's inputs for them */
#ifndef OPENAI_MAPPING_INT_H
#define OPENAI_MAPPING_INT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/model_schema.h"
#include "config/route.h"
#include "openai/call.h"
#include "parameters_int.h"

/* What is known of the model that a route leads to. */
struct model_view {
    const struct route *route;
    const struct model_schema *schema; /* NULL where none is known, or the one there is proved to be a placeholder */
};

/* A schema without inputs is none; and where the route's map names an input for the prompt or the messages that the
 * schema lacks, the schema is a placeholder: what the operator says is right. */
struct model_view model_view_of(const struct route *route, const struct model_schema *schema);

/* The inputs filled on OpenAI's terms; nobody else may fill them. A request has few. The names belong to what lasts
 * longer than the mapping: the schema, the route, the request. */
struct placed_inputs {
    const char **names;
    size_t count;
};

struct mapping {
    struct call *call;
    struct model_view model;
    const struct call_params *params; /* the request's, and the route's where the request has none */
    struct call_params merged;        /* where the route has any */
    json_t *input;                    /* what the model will get */
    struct placed_inputs placed;
    const char *token_limit; /* the model's input for the limit on output tokens; NULL where it has none */
};

/* --- mapping.c --- */

/* From now on the input counts as filled; and does it? */
void mapping_note_placed(struct mapping *mapping, const char *name);
bool mapping_has_placed(const struct mapping *mapping, const char *name);

/* Fills an input; takes the reference to `value`. */
void mapping_place(struct mapping *mapping, const char *name, json_t *value);

/* The same with a value made to fit the input, which the schema may not know (then as it is). False where it cannot be
 * made to fit, or where the input is filled already: nothing is done. *changed: it is not quite what was given. */
bool mapping_place_fitting(struct mapping *mapping, const char *name, json_t *value, bool *changed);

/* Of the names for the token limit a model takes one: takes those out of the input that are not `kept`. */
void mapping_keep_one_token_limit(struct mapping *mapping, const char *kept);

/* Does the route leave out this very name whatever the model takes? */
bool mapping_is_dropped(const struct route *route, const char *name);

enum { MAPPING_ALIAS_BYTES = 65 };

/* The model as the client called it, for a message; in `quoted`, which is returned. */
const char *mapping_quote_alias(const struct mapping *mapping, char quoted[MAPPING_ALIAS_BYTES]);

/* --- mapping_extensions.c --- */

/* What only this model knows goes in last, and never over what stands there on OpenAI's terms. */
bool mapping_place_extensions(struct mapping *mapping, struct error *err);

/* Fills what the model requires and nobody gave with the model's own defaults; false and err where it has none. */
bool mapping_fill_required(struct mapping *mapping, struct error *err);

/* Is `name` one of the token limit's names, in general or for this model? */
bool mapping_is_token_limit(const struct mapping *mapping, const char *name);

/* Appends what an input takes, in words: "an integer from 1 to 5", "one of `a`, `b`". */
void mapping_append_kind(struct buf *out, const struct model_value *kind);

/* --- mapping_names.c --- */

/* What the route's map says of `canonical`: true when it says something; `name` is then the input, or NULL for "none".
 */
bool mapping_map_says(const struct route *route, const char *canonical, const char **name);

/* The same of any of the client's spellings, for operators may write each of them on the left side. */
bool mapping_map_says_of(const struct route *route, const struct parameter *row, const char **name);

/* What is looked for in schemas, by number: a schema keeps what was found (model_schema_recall). */
enum search_number {
    SEARCH_PROMPT,
    SEARCH_SYSTEM,
    SEARCH_MESSAGES,
    SEARCH_ITEMS,
    SEARCH_HISTORY,
    SEARCH_TEMPLATE,
    SEARCH_STOPS,
    SEARCH_THINKING_TOKENS,
    SEARCH_EFFORT,                       /* and for each further form of it a number more */
    SEARCH_MEDIA = SEARCH_EFFORT + 8,    /* and for each kind two */
    SEARCH_PARAMETER = SEARCH_MEDIA + 8, /* and for each row of the table of parameters one */
};
_Static_assert((int)SEARCH_PARAMETER + PARAMETER_ROWS_MAX <= (int)MODEL_QUESTIONS, "each search has an answer");

typedef bool accepts_value_fn(const struct model_value *value);

struct search {
    size_t number;             /* one for each search there is: enum search_number */
    const char *names;         /* NULL: nothing is found */
    unsigned types;            /* bits of enum value_type, one of which it may hold; 0 = any */
    accepts_value_fn *accepts; /* and this; NULL = any */
};

/* The first input of the schema that goes by one of the names and may hold what is wanted. The names are separated by
 * `|`, tried in their order; one may hold `*` for any text; one that begins with `!` excludes the inputs it matches
 * from the starred ones of the whole list. Names are compared without case, `-` counts as `_`. Exact names come before
 * starred ones, whatever their order. Among inputs matched by one starred name the first in the schema's order wins.
 * NULL where there is none, or no schema. */
const struct model_input *model_view_pick(const struct model_view *model, const struct search *search);

/* Does such a list exclude the name? */
bool model_view_excludes(const char *names, const char *name);

/* The model's input for a parameter: by the route's map, else by the schema, else (without one) by the common name.
 * NULL where it has none. */
const char *mapping_input_name(const struct model_view *model, const struct parameter *row);

/* --- mapping_fit.c --- */

/* The value as an input of this kind takes it, as a new reference in *fitted. False where that cannot be: *fitted is
 * NULL. *changed: it is not quite what was given (clamped, rounded, snapped to another word), so that it must be named.
 * Exact conversions (1 → 1.0, "5" → 5, true → "true", one item → a list of it, case of a word) change nothing in this
 * sense. */
bool mapping_fit(const struct model_value *kind, json_t *given, json_t **fitted, bool *changed);

/* How much effort a word asks for (none, minimal … xhigh): 0 for none at all, more for more; -1 for other words. */
int mapping_effort_rank(const char *word);

enum { EFFORT_NONE = 0, EFFORT_MINIMAL = 10, EFFORT_LOW = 60, EFFORT_MEDIUM = 75, EFFORT_HIGH = 88, EFFORT_MOST = 100 };

/* --- mapping_reasoning.c --- */

/* reasoning_effort → whatever the model has for it. True when something was placed; then *changed as above. */
bool mapping_place_reasoning(struct mapping *mapping, const char *effort, bool *changed);

/* The first input that the schema has for it; NULL where it has none. */
const char *mapping_reasoning_input(const struct model_view *model);

/* May `input` be filled for a reasoning effort? */
bool mapping_reasoning_uses(const struct model_view *model, const char *input);

/* --- mapping_stops.c --- */

void mapping_place_stops(struct mapping *mapping);

/* The schema's input for stop strings; NULL where it has none. */
const char *mapping_stops_input(const struct model_view *model);

/* --- mapping_messages.c --- */

/* How a model takes a conversation. */
enum conversation_kind {
    CONVERSATION_LIST,     /* `messages`, an array of objects */
    CONVERSATION_TEXT,     /* `messages`, a text that holds the JSON of that array */
    CONVERSATION_ITEMS,    /* `input_item_list`: items of OpenAI's Responses API */
    CONVERSATION_HISTORY,  /* `history`: earlier turns as texts, the user's first; and a prompt */
    CONVERSATION_TEMPLATE, /* a prompt, and `prompt_template`, which shows the model's own form */
    CONVERSATION_PROMPT,   /* a prompt alone */
};

struct conversation_inputs {
    enum conversation_kind kind;
    const char *list;               /* of LIST, TEXT and ITEMS; of HISTORY the history */
    const char *prompt;             /* NULL where there is none, or it must stay empty */
    const char *system;             /* for system text; NULL = in front of the prompt */
    const char *prompt_template;    /* of TEMPLATE */
    const json_t *template_default; /* the template that the model has; of TEMPLATE */
};

/* By the route's map (`messages`, `prompt`, `system`), else by the schema; `prompt` alone where neither says anything.
 * prompt == NULL and list == NULL: the model takes no text. */
struct conversation_inputs model_view_conversation(const struct model_view *model);

/* Messages, with the media in them, → the inputs for them. */
bool mapping_place_messages(struct mapping *mapping, struct error *err);

/* --- mapping_media.c --- */

/* "image", "audio", "video", "file", in this order; NULL behind the last. */
extern const char *const media_kinds[];

/* The model's input for media of that kind: by the route's map (`image`, `audio`, `video`, `file`), else by the schema.
 * NULL where it has none. */
const char *model_view_media_input(const struct model_view *model, const char *kind);

/* Takes the media out of the messages: fills the inputs for them (call->uploads gets what is too large to be sent
 * within the input), and gives the messages without them as a new reference in *rest. Where the model has no input for
 * one, it is left out and named (drop_params) or refused. `keeps_parts`: the operator says that the model reads
 * OpenAI's messages as they are, so they stay where they are and only their size is dealt with. */
bool mapping_place_media(struct mapping *mapping, bool keeps_parts, json_t **rest, struct error *err);

/* Of an input that is filled: call->uploads gets the files in it that are too large to be sent within the input. */
void mapping_note_files(struct mapping *mapping, const struct model_input *input);

#endif
