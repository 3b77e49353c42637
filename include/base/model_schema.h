/* What a model takes: its inputs, read from the document that Replicate keeps of it.
 *
 * Immutable once parsed and counted atomically: one schema serves all requests on all threads. Its JSON values (words,
 * fallback) are read-only and must be copied deeply where they are sent, never referenced.
 *
 * The document is `GET /models/{owner}/{name}` (the schema under `latest_version`) or that of one version. Facts about
 * its shapes: enums come inline or as `allOf`/`$ref`; `type` may be missing or a list; `x-order` may be missing; a
 * union is `anyOf`; `required` may be missing; a secret has `x-cog-secret` or the format `password`. */
#ifndef BASE_MODEL_SCHEMA_H
#define BASE_MODEL_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* What a value may be; bits. */
enum value_type {
    VALUE_STRING = 1,
    VALUE_INTEGER = 2,
    VALUE_NUMBER = 4, /* integers too */
    VALUE_BOOLEAN = 8,
    VALUE_ARRAY = 16,
    VALUE_OBJECT = 32,
    VALUE_ANY = 63,
};

struct model_value {
    unsigned types; /* VALUE_ANY where nothing is said */
    json_t *words;  /* of an enum, a union of words too: an array of what it may be, of any type; NULL = no enum */
    bool has_minimum, has_maximum;
    double minimum, maximum; /* both may be had; exclusive bounds of integers are made inclusive */
    bool excludes_minimum, excludes_maximum;
    size_t max_length; /* of a string, in characters; 0 = none */
    size_t max_items;  /* of an array; 0 = none */
    bool is_uri;       /* a file: a URL or a data URI */
    bool is_secret;
    struct model_value *items;    /* of an array; NULL = anything */
    struct model_value *variants; /* of a union: one of them; `types` is all of theirs together */
    size_t variant_count;
};

struct model_input {
    char *name;
    char *description; /* "" where there is none; at most MODEL_DESCRIPTION_BYTES */
    int order;         /* its place among the inputs, from 0 */
    bool is_required;
    bool is_deprecated;
    json_t *fallback; /* its default; NULL = none */
    struct model_value value;
};

enum { MODEL_DESCRIPTION_BYTES = 400, MODEL_INPUTS_MAX = 512 };

enum model_official { MODEL_OFFICIAL_UNKNOWN, MODEL_COMMUNITY, MODEL_OFFICIAL };

/* What the output is declared to be: a hint only, for values may differ. */
enum model_output { MODEL_OUTPUT_OTHER, MODEL_OUTPUT_TEXT, MODEL_OUTPUT_TEXT_STREAM, MODEL_OUTPUT_FILES };

struct model_schema {
    char *name;       /* "owner/name"; "" where the document does not tell */
    char version[80]; /* the id of the version described; "" where there is none */
    enum model_official official;
    bool has_inputs;            /* false: there is no schema in the document; nothing is known of the inputs */
    struct model_input *inputs; /* in their order */
    size_t input_count;
    enum model_output output;
};

/* A new schema with one reference. NULL and err (ERROR_UPSTREAM_ERROR) where it is no JSON object, or none of a model
 * or version. What of it is odd, or beyond the bounds, is left out: a schema is better half known than not at all. */
struct model_schema *model_schema_parse(const char *bytes, size_t length, struct error *err);

struct model_schema *model_schema_ref(struct model_schema *schema);
void model_schema_unref(struct model_schema *schema); /* NULL is fine */

/* The input of that name; NULL: there is none (also where `schema` is NULL). */
const struct model_input *model_schema_find(const struct model_schema *schema, const char *name);

enum { MODEL_QUESTIONS = 96 };

/* Which input answers a question that is asked of the schema with every request is worked out once and kept with it.
 * What the questions mean, by their numbers below MODEL_QUESTIONS, is up to those who ask; an answer may depend on
 * nothing but the schema. False where none is kept yet; *input is NULL where it is that there is no such input. */
bool model_schema_recall(const struct model_schema *schema, size_t question, const struct model_input **input);
void model_schema_remember(const struct model_schema *schema, size_t question, const struct model_input *input);

/* "string", "integer" …, "any" for more than one; for showing. */
const char *model_value_type_name(const struct model_value *value);

#endif
