/* How long to wait before a prediction is asked about again, from how long its model usually takes and how many wait;
 * and what its answers tell about the time it takes. */
#include "prediction_int.h"

#include "base/clock.h"
#include "replicate/poll_plan.h"

const char *prediction_memory_key(const struct prediction *prediction)
{
    const struct target *target = &prediction->job->target;
    if (target->kind == TARGET_DEPLOYMENT)
        return prediction->deployment_key;
    return target->kind == TARGET_VERSION ? target->version : target->name;
}

/* Once it runs, the time that it still takes does not depend on how long it booted. */
int64_t prediction_plan_ms(struct prediction *prediction, int64_t shortest_ms)
{
    bool is_running = prediction->running_ms >= 0;
    int64_t now_ms = clock_now_ms();
    struct usual_time usual;
    model_memory_usual(prediction->engine->options.models, prediction_memory_key(prediction),
                       is_running ? MODEL_RUN : MODEL_WHOLE, &usual);
    const struct poll_moment moment = {
        .usual = &usual,
        .age_ms = now_ms - (is_running ? prediction->running_ms : prediction->created_ms),
        .shortest_ms = shortest_ms,
        .jitter = poll_jitter(prediction->id, prediction->polls),
        .is_told = prediction->state == PREDICTION_STREAMING,
    };
    struct budget_load load;
    struct poll_plan plan;
    budget_load(prediction->budget, &prediction->share, now_ms, &load);
    poll_plan_make(&load, &moment, &plan);
    budget_share_set(prediction->budget, &prediction->share, &plan.demand);
    return plan.delay_ms;
}

/* Where Replicate does not tell when it began to run, that was somewhere between the last two answers. */
void prediction_note_times(struct prediction *prediction, const struct api_prediction *answer)
{
    int64_t now_ms = clock_now_ms(), seen_ms = prediction->seen_ms;
    prediction->seen_ms = now_ms;
    if (prediction->running_ms >= 0 || answer->status != API_STATUS_PROCESSING)
        return;
    int64_t told_ms = prediction->created_ms + answer->ran_after_ms;
    bool is_told = answer->ran_after_ms >= 0 && told_ms <= now_ms;
    prediction->running_ms = is_told ? told_ms : seen_ms + (now_ms - seen_ms) / 2;
}

/* A create that is held until the end is answered long after Replicate created the prediction: no moment is later than
 * now. */
void prediction_note_end(struct prediction *prediction, const struct api_prediction *answer)
{
    prediction->told_boot_ms = answer->ran_after_ms;
    if (answer->ran_after_ms >= 0 && answer->ended_after_ms >= answer->ran_after_ms)
        prediction->told_run_ms = answer->ended_after_ms - answer->ran_after_ms;
    if (prediction->running_ms >= 0 || answer->ran_after_ms < 0)
        return;
    int64_t now_ms = clock_now_ms(), told_ms = prediction->created_ms + answer->ran_after_ms;
    prediction->running_ms = told_ms < now_ms ? told_ms : now_ms;
}

/* What Replicate tells is better than our clock, which knows neither what a held create hides nor when exactly a
 * prediction ended. */
void prediction_spans(const struct prediction *prediction, struct outcome *outcome)
{
    bool is_known = prediction->created_ms >= 0 && prediction->running_ms >= 0;
    outcome->boot_ms = is_known ? prediction->running_ms - prediction->created_ms : -1;
    outcome->run_ms = is_known ? clock_now_ms() - prediction->running_ms : -1;
    if (prediction->told_boot_ms >= 0)
        outcome->boot_ms = prediction->told_boot_ms;
    if (prediction->told_run_ms >= 0)
        outcome->run_ms = prediction->told_run_ms;
}

/* The duration counts from the create, as a held create would: that is what it decides about next time. What was
 * noticed late did not end late: for the phases Replicate's own word is better than our clock. */
void prediction_learn_times(struct prediction *prediction, const struct api_prediction *answer)
{
    int64_t now_ms = clock_now_ms();
    bool is_told = answer->ended_after_ms >= 0;
    int64_t ended_ms = prediction->seen_ms + (now_ms - prediction->seen_ms) / 2;
    struct model_times times = {
        .duration_ms = now_ms - prediction->sent_ms,
        .phase_ms[MODEL_WHOLE] = is_told ? answer->ended_after_ms : ended_ms - prediction->created_ms,
        .phase_ms[MODEL_RUN] = -1,
    };
    if (is_told && answer->ran_after_ms >= 0)
        times.phase_ms[MODEL_RUN] = answer->ended_after_ms - answer->ran_after_ms;
    else if (prediction->running_ms >= 0)
        times.phase_ms[MODEL_RUN] = ended_ms - prediction->running_ms;
    model_memory_learn(prediction->engine->options.models, prediction_memory_key(prediction), &times);
}
