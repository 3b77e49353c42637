/* When to ask next how a prediction stands, where there are too many to ask all of them often: those first that are
 * likely to have ended.
 *
 * A prediction's *hazard* is how likely it is to end in the next moment, given that it has not ended yet; it follows
 * from how long the model usually takes. The time until an end is noticed is least, for all predictions together, where
 * each is polled in proportion to the square root of its hazard: its *urgency*.
 *
 * Pure functions: no clock, no lock. */
#ifndef REPLICATE_POLL_PLAN_H
#define REPLICATE_POLL_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "replicate/pacing.h"

/* How long something usually takes, and the variance of its logarithm, the latest times counting most. All zero:
 * unknown. */
struct usual_time {
    int samples; /* no more than matter */
    double ms, variance;
};

void usual_time_learn(struct usual_time *usual, int64_t took_ms);

/* Per millisecond. Of what is unknown, or takes far longer than usual, the next moment is the less likely to be the
 * last the longer it has taken already. */
double usual_time_hazard(const struct usual_time *usual, int64_t age_ms);

struct poll_moment {
    const struct usual_time *usual; /* of the whole, or of the phase that it is in */
    int64_t age_ms;                 /* in that */
    int64_t shortest_ms;            /* the pause where there is budget to spare */
    double jitter;                  /* about 1: see poll_jitter */
    bool is_told;                   /* its end is told by a stream as well */
};

struct poll_plan {
    int64_t delay_ms;
    struct poll_demand demand; /* for budget_share_set */
};

/* The pause before its next poll under this load of others. Never shorter than `shortest_ms`; and nobody waits longer
 * than half a minute, or one and a half turns of all where that is more (give or take the jitter). */
void poll_plan_make(const struct budget_load *load, const struct poll_moment *moment, struct poll_plan *plan);

/* A factor from 0.8 to 1.2, another one for each prediction and poll, so that those that began together do not go on
 * together. */
double poll_jitter(const char *id, int polls);

#endif
