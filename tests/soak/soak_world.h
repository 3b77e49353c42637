/* The world of a soak: a simulated Replicate whose models behave in every way that they may, what each of them says,
 * and the faults that strike by chance. */
#ifndef SOAK_WORLD_H
#define SOAK_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "replicate_sim.h"
#include "soak_random.h"

/* What a model's answer is. */
enum soak_end { SOAK_SUCCEEDS, SOAK_FAILS };

struct soak_model {
    const char *name; /* at Replicate "acme/NAME" */
    enum soak_end end;
    bool takes_images, is_large;
};

size_t soak_model_count(void);
const struct soak_model *soak_model(size_t i);
void soak_plan_models(struct replicate_sim *sim);

/* The whole text that the model makes of this prompt. */
void soak_model_text(const struct soak_model *model, const char *prompt, struct buf *out);

/* What may follow from the faults that were struck with so far. */
struct soak_faults {
    size_t struck;
    size_t lost_creates; /* creates that may have been served without the program's hearing of it: not more */
    bool with_silence;   /* which takes half a minute each time */
};

/* One fault, perhaps, somewhere. Those that have hit nothing by then are taken back: they must not pile up. */
void soak_strike(struct replicate_sim *sim, struct soak_faults *faults, struct soak_random *random);

#endif
