/* What the files of the mapping share: one mapping under way, and the names of a model's inputs. */
#ifndef OPENAI_MAPPING_INT_H
#define OPENAI_MAPPING_INT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "config/route.h"
#include "openai/call.h"
#include "parameters_int.h"

struct mapping {
    struct call *call;
    const struct route *route;
    json_t *params; /* canonical name → value: the request's, and the route's where the request has none */
    json_t *input;  /* what the model will get */
    json_t *placed; /* an object whose keys are the inputs filled on OpenAI's terms; nobody else may fill them */
};

/* Fills an input; takes the reference to `value`. */
void mapping_place(struct mapping *mapping, const char *name, json_t *value);

/* Messages → the input for the list, or those for the prompt and the system text. */
bool mapping_place_messages(struct mapping *mapping, struct error *err);

/* What the route's map says of `canonical`: true when it says something; `name` is then the input, or NULL for "none".
 */
bool mapping_map_says(const struct route *route, const char *canonical, const char **name);

/* The model's input for a parameter, by the route's map, else by the common names; NULL where it has none. */
const char *mapping_input_name(const struct route *route, const struct parameter *row);

/* The model's inputs for messages. `list` is NULL unless the model takes them as they are; `system` may be NULL. */
struct message_names {
    const char *list, *prompt, *system;
};
struct message_names mapping_message_names(const struct route *route);

#endif
