/* What the files of model_schema share: model_schema.c reads the document and its list of inputs, model_schema_value.c
 * what one of them may be. */
#ifndef BASE_MODEL_SCHEMA_INT_H
#define BASE_MODEL_SCHEMA_INT_H

#include <stddef.h>

#include "base/model_schema.h"

struct schema_reader {
    const json_t *components; /* what `$ref` points into; NULL = nothing */
    size_t left;              /* so many schemas may still be looked at */
};

/* The schema itself, or the one that it is a `$ref` to; NULL where that leads nowhere. */
json_t *schema_resolve(const struct schema_reader *reader, json_t *schema);

/* Fills `value` with what a JSON Schema allows. What cannot be read allows anything. Enums are shared with the
 * document, which loses the nulls in them. */
void model_value_read(struct schema_reader *reader, json_t *schema, struct model_value *value);

void model_value_dispose(struct model_value *value);

#endif
