/* Schemas that are there when a test says so, and uploads that end when it says so. */
#ifndef FAKE_SCHEMAS_H
#define FAKE_SCHEMAS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "replicate/schemas.h"
#include "replicate/uploads.h"

void fake_schemas_reset(void);
void fake_schemas_fail_for_now(void);         /* what is unknown may yet come */
void fake_schemas_hold(bool holds);           /* whoever wants one waits; else it is decided at once: none */
size_t fake_schemas_wanted(void);             /* how often one was wanted since the reset */
size_t fake_schemas_waiting(void);            /* who waits now */
size_t fake_schemas_refreshed(void);          /* refusals that were told */
size_t fake_schemas_given_up(void);           /* those who ran out of time */
void fake_schemas_give(const char *document); /* to all who wait; NULL = there is none */

/* The uploads that were begun last; NULL when there are none, or nobody holds them any more. */
struct uploads *fake_uploads_last(void);
size_t fake_uploads_references(void); /* over all */
const json_t *fake_uploads_values(const struct uploads *uploads);
/* Every value becomes a link, or `error` is told. */
void fake_uploads_end(struct uploads *uploads, const struct error *error);

#endif
