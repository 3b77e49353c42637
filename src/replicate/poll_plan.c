/* Which waiting prediction to ask next, and when: a plan of each for itself, from the load of all.
 *
 * Times are taken to be distributed log-logistically, which has a hazard in closed form that rises to the usual time
 * and falls after it; mixed with a little of a far wider distribution, for what is not as usual. */
#include "replicate/poll_plan.h"

#include <math.h>

enum {
    SAMPLES_MAX = 20,
    PARTS_MAX = 8, /* a new time counts one part in so many */
    UNKNOWN_MS = 10 * 1000,
    LONGEST_MS = 30 * 1000,
    BACKLOG_MS = 10 * 1000, /* from so much on it is worked off with half of the budget */
    STEPS_LEAST = 64,       /* in which the future is looked at */
};

static const double first_variance = 0.09;  /* of one sample: a third more or less */
static const double least_deviation = 0.06; /* no model is more regular, as far as we can see */
static const double planned_part = 0.95;    /* of the budget, so that no backlog builds up */
static const double least_rest = 0.25;      /* of that, for all but those that are asked as seldom as may be */
static const double told_part = 0.25;       /* of the urgency, where a stream tells the end */
/* Of asking each in turn. Two thirds of the budget are then spent at most on those that are not likely to end; with
 * fewer turns that eats up what the plan is for, with more the few that end unlike their model are noticed late. */
static const double longest_turns = 1.5;
static const double step_growth = 1.1;
static const double pi = 3.14159265358979;

/* ---- how long it takes ---- */

/* One that is far off is taken for nearer, so that it does not spoil what was learnt; several move it all the same. */
void usual_time_learn(struct usual_time *usual, int64_t took_ms)
{
    double log_ms = log(took_ms < 1 ? 1 : (double)took_ms);
    if (usual->samples == 0) {
        *usual = (struct usual_time){1, log_ms, first_variance};
        return;
    }
    if (usual->samples < SAMPLES_MAX)
        usual->samples++;
    double part = 1.0 / (usual->samples < PARTS_MAX ? usual->samples : PARTS_MAX);
    double most = 0.5 + 3 * sqrt(usual->log_variance);
    double off = fmax(-most, fmin(most, log_ms - usual->log_ms));
    usual->log_ms += part * off;
    usual->log_variance = (1 - part) * (usual->log_variance + part * off * off);
}

/* A share of those that still run, and how likely those are to end. */
struct part {
    double surviving, hazard;
};

static struct part usual_part(const struct usual_time *usual, double age_ms)
{
    double deviation = fmax(sqrt(usual->log_variance), least_deviation);
    double shape = pi / (sqrt(3.0) * deviation);
    double power = exp(fmin(50, shape * (log(age_ms) - usual->log_ms)));
    return (struct part){1 / (1 + power), shape / age_ms * power / (1 + power)};
}

static struct part unusual_part(double scale_ms, double age_ms)
{
    return (struct part){scale_ms / (scale_ms + age_ms), 1 / (scale_ms + age_ms)};
}

double usual_time_hazard(const struct usual_time *usual, int64_t age_ms)
{
    double age = age_ms < 1 ? 1 : (double)age_ms;
    if (usual->samples == 0)
        return unusual_part(UNKNOWN_MS, age).hazard;
    double unusual_weight = 1.0 / (usual->samples + 1);
    struct part known = usual_part(usual, age), other = unusual_part(exp(usual->log_ms), age);
    known.surviving *= 1 - unusual_weight;
    other.surviving *= unusual_weight;
    return (known.surviving * known.hazard + other.surviving * other.hazard) / (known.surviving + other.surviving);
}

/* ---- when to ask ---- */

static double urgency(const struct poll_moment *moment, double after_ms)
{
    double all = sqrt(usual_time_hazard(moment->usual, moment->age_ms + (int64_t)after_ms));
    return moment->is_told ? all * told_part : all;
}

/* The pause in which as much urgency has gathered as one poll is worth; `longest_ms` where it never does. The first
 * step is the shortest pause, `after` which the urgency is known. */
static double gathering_ms(const struct poll_moment *moment, double after, double worth, double longest_ms)
{
    double at_ms = 0, gathered = 0, step_ms = (double)moment->shortest_ms;
    double before = urgency(moment, 0);
    while (at_ms < longest_ms) {
        double more = (before + after) / 2 * step_ms;
        if (gathered + more >= worth)
            return at_ms + step_ms * (worth - gathered) / more;
        gathered += more;
        at_ms += step_ms;
        before = after;
        step_ms = fmin(step_ms * step_growth, longest_ms / STEPS_LEAST);
        after = urgency(moment, at_ms + step_ms);
    }
    return longest_ms;
}

/* How much urgency is worth one poll. Those that are asked as often or as seldom as may be take what they take, and the
 * others share the rest by their urgency. Where those that are asked often take too much, they have to share too. */
static double worth_of(const struct budget_load *load, double calls_per_ms, double own_urgency)
{
    const struct poll_demand *others = &load->demand;
    double rest = fmax(calls_per_ms - others->seldom_per_ms, calls_per_ms * least_rest);
    double by_all = rest / (others->urgency + others->often_urgency + own_urgency);
    double by_the_rest = (rest - others->often_per_ms) / (others->urgency + own_urgency);
    return 1 / fmax(by_all, by_the_rest);
}

/* A backlog means that the shares do not tell all, so it is worked off. */
void poll_plan_make(const struct budget_load *load, const struct poll_moment *moment, struct poll_plan *plan)
{
    double shortest_ms = moment->shortest_ms < 1 ? 1 : (double)moment->shortest_ms;
    double turn_ms = (double)(load->waiting + 1) / load->calls_per_ms;
    double longest_ms = fmax(fmax(LONGEST_MS, longest_turns * turn_ms), shortest_ms);
    double calls_per_ms = load->calls_per_ms * planned_part / (1 + fmin(1, (double)load->backlog_ms / BACKLOG_MS));
    double soonest = urgency(moment, shortest_ms);
    double worth = worth_of(load, calls_per_ms, soonest);
    double delay_ms = gathering_ms(moment, soonest, worth, longest_ms);
    *plan = (struct poll_plan){.delay_ms = (int64_t)shortest_ms};
    if (delay_ms <= shortest_ms) {
        plan->demand.often_per_ms = 1 / shortest_ms;
        plan->demand.often_urgency = soonest;
        return;
    }
    if (delay_ms >= longest_ms)
        plan->demand.seldom_per_ms = 1 / longest_ms;
    else
        plan->demand.urgency = worth / delay_ms;
    delay_ms *= moment->jitter;
    if (delay_ms > shortest_ms)
        plan->delay_ms = (int64_t)delay_ms;
}

double poll_jitter(const char *id, int polls)
{
    uint32_t mixed = UINT32_C(2166136261) ^ (uint32_t)polls * UINT32_C(2654435761);
    for (const char *at = id; *at != '\0'; at++)
        mixed = (mixed ^ (unsigned char)*at) * UINT32_C(16777619);
    mixed ^= mixed >> 15;
    mixed *= UINT32_C(2246822519);
    mixed ^= mixed >> 13;
    return 0.8 + 0.4 * (double)mixed / (double)UINT32_MAX;
}
