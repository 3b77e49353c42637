/* What the simulated Replicate refuses in an input, and what it drops of one. */
#include "replicate_sim_int.h"

#include "base/ensure.h"
#include "base/json.h"
#include "replicate_sim_schema.h"

enum { LOST_NAMES_MAX = 16 };

void sim_plan_add_problem(json_t *problems, const char *type, const char *field, const char *description)
{
    json_array_append_new(problems,
                          json_pack("{s:s,s:s,s:s}", "type", type, "field", field, "description", description));
}

void sim_plan_check_input(const struct plan *plan, const json_t *input, json_t *problems)
{
    const struct sim_schema schema = {.input = plan->input_schema, .schemas = plan->more_schemas};
    sim_schema_check(&schema, input, problems);
}

/* Replicate drops in silence what the model has no input for. Where a plan has a real model's document, that is a loss
 * to be accounted for; other plans' schemas are often only as long as a test needs them. */
void sim_plan_count_lost(struct replicate_sim *sim, const struct plan *plan, const json_t *input)
{
    const struct sim_schema schema = {.input = plan->input_schema, .schemas = plan->more_schemas};
    size_t i;
    json_t *name, *names;
    if (!plan->document)
        return;
    names = json_array();
    ensure(names != NULL);
    sim_schema_unknown(&schema, input, names);
    sim->counters.lost_inputs += json_array_size(names);
    json_array_foreach(names, i, name)
    {
        if (json_array_size(sim->lost_names) < LOST_NAMES_MAX)
            json_array_append(sim->lost_names, name);
    }
    json_decref(names);
}
