/* Chat requests and models' documents made up at random, the same for the same seed: for tests of what has to hold of
 * every mapping. */
#ifndef SUPPORT_MAPPING_MAKE_H
#define SUPPORT_MAPPING_MAKE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

void dice_seed(struct dice *dice, uint64_t seed);
unsigned dice_below(struct dice *dice, unsigned bound); /* 0..bound-1 */
bool dice_one_in(struct dice *dice, unsigned chance);

/* A whole request for the model of that document (NULL = any): sound messages, parameters that are often odd,
 * extensions that the schema has and such that it lacks. Texts carry marks, see mapping_judge.h. New reference. */
json_t *mapping_make_request(struct dice *dice, const json_t *document);

/* Any value, from sane to absurd. New reference. */
json_t *mapping_make_value(struct dice *dice);

/* Changes the inputs that the document describes: types, words, bounds, names, what is required, how it is written. The
 * document stays one that can be read in one way only. */
void mapping_mutate_document(struct dice *dice, json_t *document);

/* The same so that it makes no sense any more. */
void mapping_spoil_document(struct dice *dice, json_t *document);

#endif
