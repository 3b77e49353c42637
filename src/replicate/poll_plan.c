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
/* Of the log-logistic distribution whose logarithm deviates by one: pi / sqrt(3). */
static const double shape_of_one = 1.8138;
static const double longest_ratio = 1e6; /* of an age to the usual time; its power still has to be a number */

static double smaller_of(double one, double other)
{
    return one < other ? one : other;
}

static double larger_of(double one, double other)
{
    return one > other ? one : other;
}

/* ---- how long it takes ---- */

/* One that is far off is taken for nearer, so that it does not spoil what was learnt; several move it all the same.
 * The distance of two times is the first approximant of their ratio's logarithm, 2 (a - b) / (a + b), because it has an
 * inverse as simple; being less than 2 whatever the times, it also bounds what one of them can do. */
void usual_time_learn(struct usual_time *usual, int64_t took_ms)
{
    double took = took_ms < 1 ? 1 : (double)took_ms;
    if (usual->samples == 0) {
        *usual = (struct usual_time){1, took, first_variance};
        return;
    }
    if (usual->samples < SAMPLES_MAX)
        usual->samples++;
    double part = 1.0 / (usual->samples < PARTS_MAX ? usual->samples : PARTS_MAX);
    double most = 0.5 + 3 * sqrt(usual->variance);
    double off = 2 * (took - usual->ms) / (took + usual->ms);
    off = larger_of(-most, smaller_of(most, off));
    usual->ms *= (2 + part * off) / (2 - part * off);
    usual->variance = (1 - part) * (usual->variance + part * off * off);
}

/* A share of those that still run, and how likely those are to end. */
struct part {
    double surviving, hazard;
};

static double power_of(double base, int exponent)
{
    double power = 1;
    for (; exponent > 0; exponent /= 2, base *= base)
        if (exponent % 2 == 1)
            power *= base;
    return power;
}

/* The shape is rounded to halves, which tell how regular a model is as well as need be. */
static struct part usual_part(const struct usual_time *usual, double age_ms)
{
    double deviation = larger_of(sqrt(usual->variance), least_deviation);
    int halves = (int)larger_of(1, 2 * shape_of_one / deviation + 0.5);
    double shape = halves / 2.0;
    double power = power_of(sqrt(smaller_of(age_ms / usual->ms, longest_ratio)), halves);
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
    struct part known = usual_part(usual, age), other = unusual_part(usual->ms, age);
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
    double at_ms = 0, gathered = 0, step_ms = larger_of(1, (double)moment->shortest_ms);
    double before = urgency(moment, 0);
    while (at_ms < longest_ms) {
        double more = (before + after) / 2 * step_ms;
        if (gathered + more >= worth)
            return at_ms + step_ms * (worth - gathered) / more;
        gathered += more;
        at_ms += step_ms;
        before = after;
        step_ms = smaller_of(step_ms * step_growth, longest_ms / STEPS_LEAST);
        after = urgency(moment, at_ms + step_ms);
    }
    return longest_ms;
}

/* How much urgency is worth one poll. Those that are asked as often or as seldom as may be take what they take, and the
 * others share the rest by their urgency. Where those that are asked often take too much, they have to share too. */
static double worth_of(const struct budget_load *load, double calls_per_ms, double own_urgency)
{
    const struct poll_demand *others = &load->demand;
    double rest = larger_of(calls_per_ms - others->seldom_per_ms, calls_per_ms * least_rest);
    double by_all = rest / (others->urgency + others->often_urgency + own_urgency);
    double by_the_rest = (rest - others->often_per_ms) / (others->urgency + own_urgency);
    return 1 / larger_of(by_all, by_the_rest);
}

/* A backlog means that the shares do not tell all, so it is worked off. */
void poll_plan_make(const struct budget_load *load, const struct poll_moment *moment, struct poll_plan *plan)
{
    double shortest_ms = moment->shortest_ms < 1 ? 1 : (double)moment->shortest_ms;
    double turn_ms = (double)(load->waiting + 1) / load->calls_per_ms;
    double longest_ms = larger_of(larger_of(LONGEST_MS, longest_turns * turn_ms), shortest_ms);
    double calls_per_ms =
        load->calls_per_ms * planned_part / (1 + smaller_of(1, (double)load->backlog_ms / BACKLOG_MS));
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
