/* What has to hold of every mapping, whatever the request and whatever the model: for tests that make up both.
 *
 * A request is either refused, with a whole sentence that blames the client, or becomes an input that the model's own
 * document accepts (replicate_sim_schema.h is the judge) and in which nothing of the request is lost without a word. */
#ifndef SUPPORT_MAPPING_JUDGE_H
#define SUPPORT_MAPPING_JUDGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/route.h"

struct mapping_case {
    const json_t *document; /* of a model or a version; NULL = none is known */
    const char *request;
    size_t length;
    const struct route *route;
    bool is_free; /* the route or the document is so odd that the input may be anything: only errors are looked at */
};

enum mapping_verdict { MAPPING_MAPPED, MAPPING_REFUSED, MAPPING_BROKEN };

/* Words of this form in the messages' texts have to be found in the input: "zq", digits, "z". */
#define MAPPING_MARK "zq"

/* BROKEN: `why` says what does not hold. */
enum mapping_verdict mapping_judge(const struct mapping_case *given, char *why, size_t size);

#endif
