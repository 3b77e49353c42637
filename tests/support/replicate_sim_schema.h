/* A second opinion on a model's inputs, in the words of the validator that Replicate runs: what a model's document says
 * of its inputs, read straight from the JSON and with nothing of the program's own reading of it.
 *
 * Pure; any thread. */
#ifndef SUPPORT_REPLICATE_SIM_SCHEMA_H
#define SUPPORT_REPLICATE_SIM_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Borrowed from a document. */
struct sim_schema {
    const json_t *input;   /* the schema `Input`; NULL = there is none, and everything is fine */
    const json_t *schemas; /* components.schemas, for references; may be NULL */
};

/* Of the document of a model (its latest version) or of a version. */
struct sim_schema sim_schema_of(const json_t *document);

/* The schema of one input, behind the reference to it; NULL: there is no such input. */
const json_t *sim_schema_property(const struct sim_schema *schema, const char *name);

/* Appends {"type","field","description"} to `problems` for each thing that is wrong: a value that does not fit, or is
 * null; a required one that is missing. Names that the schema lacks are no problem: Replicate drops them in silence. */
void sim_schema_check(const struct sim_schema *schema, const json_t *input, json_t *problems);

/* Appends those names to `names`: none where there is no schema, or one without `properties`. */
void sim_schema_unknown(const struct sim_schema *schema, const json_t *input, json_t *names);

/* What sim_schema_accepts is to pass over; bits. */
enum {
    SIM_SCHEMA_ANY_NAME = 1, /* names that the schema lacks */
    SIM_SCHEMA_ANY_URI = 2,  /* texts that are no URI where one belongs */
};

/* True: nothing is wrong, and every name is known. Else the first fault as a sentence. */
bool sim_schema_accepts(const struct sim_schema *schema, const json_t *input, unsigned options, char *sentence,
                        size_t size);

#endif
