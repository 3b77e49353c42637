/* The one table of chat parameters: what OpenAI calls them, what they may hold, what becomes of them, and under which
 * names models take them.
 *
 * Shared by chat_decode.c, which checks a request with it, and mapping.c, which finds a model's inputs with it. */
#ifndef OPENAI_PARAMETERS_INT_H
#define OPENAI_PARAMETERS_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "openai/call.h"

/* What a parameter is to the answer, and so what happens where the model has no input for it. */
enum parameter_class {
    CLASS_ENDPOINT, /* read by the endpoint itself; never mapped */
    CLASS_IDLE,     /* means nothing to a model: accepted without a remark */
    CLASS_HINT,     /* left out and named; refused with strict_params */
    CLASS_MEANING,  /* changes what the answer means: emulated, or refused */
};

enum parameter_type {
    TYPE_ANY,
    TYPE_BOOL,
    TYPE_NUMBER,  /* minimum..maximum */
    TYPE_INTEGER, /* minimum..maximum; 1.0 counts as 1 */
    TYPE_TOKENS,  /* an integer; 0 and -1 mean that there is no limit */
    TYPE_SEED,    /* an integer; OpenAI's own bounds lie a little outside of int64 */
    TYPE_TEXT,
    TYPE_OBJECT,
    TYPE_TEXT_OR_OBJECT,
    TYPE_OBJECTS, /* an array of objects */
    TYPE_WORDS,   /* an array of strings */
    TYPE_STOP,    /* a string or an array of strings; checked into an array */
    TYPE_FORMAT,  /* response_format */
};

/* How a value gets to the model. */
enum parameter_way {
    WAY_VALUE,     /* made to fit the input */
    WAY_REASONING, /* an effort: whatever the model has for it (mapping_reasoning.c) */
    WAY_STOPS,     /* cut here, and told to the model where it listens (mapping_stops.c) */
    WAY_FORMAT,    /* as it is, or wrapped for an input that takes a JSON schema */
    WAY_SWITCH,    /* options that a model knows as a mere yes */
    WAY_CHOICES,   /* that many predictions: never an input */
};

struct parameter {
    const char *name;      /* as clients spell it */
    const char *canonical; /* the key in route->map, and the row of call->params; several names may share one */
    const char *input; /* the name of most models' input, where no schema is known; NULL where there is no such name */
    enum parameter_type type;
    double minimum, maximum;
    enum parameter_class class;
    enum parameter_way way;
    const char *picks;    /* its names in a schema, as model_view_pick reads them; NULL: only where the map names one */
    unsigned value_types; /* what such an input has to take: bits of enum value_type */
};

enum { PARAMETER_ROWS_MAX = 64 };

/* All rows; of those that share a canonical name the preferred one comes first. */
const struct parameter *parameter_rows(size_t *count);

/* Some of the rows. */
struct parameter_set {
    uint64_t bits;
};

/* The rows whose names are among the members of `object` that are not null; it may be NULL: a request has few, the
 * table many. */
struct parameter_set parameters_in(const json_t *object);

/* How many rows are in the set. */
size_t parameters_count(const struct parameter_set *set);

/* The rows that have a value. */
struct parameter_set params_rows(const struct call_params *params);

/* The value of the row's canonical name; NULL where there is none. Borrowed. */
json_t *params_get(const struct call_params *params, const struct parameter *row);

/* The same by the canonical name itself. */
json_t *params_find(const struct call_params *params, const char *canonical);

/* Sets the value of the row's canonical name, over one that is there; takes the reference. */
void params_set(struct call_params *params, const struct parameter *row, json_t *value);
void params_remove(struct call_params *params, const struct parameter *row);
void params_dispose(struct call_params *params);

/* Takes the first row, in the table's order, out of the set; NULL where it is empty. */
const struct parameter *parameters_next(struct parameter_set *set);

/* The row of OpenAI's parameter `name`; NULL when OpenAI has none of that name. */
const struct parameter *parameter_find(const char *name);

/* The row's value in `source`, checked and in canonical form, as a new reference. NULL where it is absent, null, or
 * says nothing (`tools: []`, `logprobs: false`). False and err where it is wrong. */
bool parameter_read(const struct parameter *row, const json_t *source, json_t **value, struct error *err);

/* Did the client send a value other than null for the canonical name, under any of its names? Gives the first such row.
 */
const struct parameter *parameter_given(const struct call *call, const char *canonical);

/* Checks one value that is not null; gives a new reference in canonical form, NULL for "no limit". */
bool parameter_check(const struct parameter *row, json_t *value, json_t **checked, struct error *err);

/* Is `name` an input that many models on Replicate have, although OpenAI does not know it (top_k, prompt_template …)?
 * Asked only where no schema is known. */
bool parameter_is_common_input(const char *name);

/* Is `name` one of the names under which models take their limit on output tokens? A model takes one of them. */
bool parameter_is_token_limit(const char *name);

#endif
