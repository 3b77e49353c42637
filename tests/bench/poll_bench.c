/* The benchmark of the polls: 5,000 predictions wait, and Replicate allows 3,000 calls a minute. How long after its end
 * is a prediction noticed, by our plan and by asking each in turn? Simulated on a clock of its own, with the functions
 * that the daemon plans with; the same figures every time. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ensure.h"
#include "replicate/pacing.h"
#include "replicate/poll_plan.h"

enum {
    WAITING = 5000,
    LIMIT_PER_MINUTE = 3000,
    POLLS_PER_MINUTE = 2700, /* the default of the configuration */
    WARM_UP_MINUTES = 40,
    MINUTES = 40,
    POLL_INTERVAL_MS = 2000,
    NOTICED_MAX = 400000,
};

static const int64_t minute_ms = 60 * 1000;

/* The median times in starting and processing, and how much they vary: the deviation of the logarithm. */
static const struct model {
    const char *name;
    double boot_ms, boot_deviation, run_ms, run_deviation;
} models[] = {
    {"quick", 5000, 0.5, 15000, 0.2},       {"booting", 40000, 0.6, 20000, 0.2}, {"steady", 4000, 0.3, 180000, 0.08},
    {"irregular", 20000, 0.8, 300000, 0.7}, {"long", 30000, 0.4, 900000, 0.25},
};

enum { MODELS = sizeof models / sizeof models[0] };

struct waiting {
    size_t model;
    char id[24];
    int64_t began_ms, runs_ms, ends_ms;
    int64_t running_ms; /* from when on it is known to run, which its answers tell; -1 = not seen to */
    int status_polls, polls;
    bool has_place;
    struct budget_share share;
    int64_t due_ms;
};

struct figures {
    int64_t *delays_ms;
    size_t noticed;
    int calls[WARM_UP_MINUTES + MINUTES];
};

struct simulation {
    struct waiting all[WAITING];
    struct waiting *heap[WAITING];
    struct usual_time whole[MODELS], run[MODELS];
    struct figures figures;
    uint64_t random;
    uint64_t begun;
    int64_t now_ms;
};

/* ---- chance ---- */

static double chance(struct simulation *simulation)
{
    simulation->random = simulation->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(simulation->random >> 11) + 0.5) / 9007199254740992.0;
}

static int64_t time_around(struct simulation *simulation, double median_ms, double deviation)
{
    double normal = sqrt(-2 * log(chance(simulation))) * cos(6.283185307179586 * chance(simulation));
    return (int64_t)(median_ms * exp(deviation * normal)) + 1;
}

/* ---- who is due next ---- */

static void sift_down(struct simulation *simulation, size_t slot)
{
    struct waiting **heap = simulation->heap, *moved = heap[slot];
    for (size_t child = 2 * slot + 1; child < WAITING; child = 2 * slot + 1) {
        if (child + 1 < WAITING && heap[child + 1]->due_ms < heap[child]->due_ms)
            child++;
        if (heap[child]->due_ms >= moved->due_ms)
            break;
        heap[slot] = heap[child];
        slot = child;
    }
    heap[slot] = moved;
}

static void begin(struct simulation *simulation, struct waiting *waiting)
{
    size_t model = (size_t)(chance(simulation) * MODELS);
    *waiting = (struct waiting){.model = model, .running_ms = -1};
    snprintf(waiting->id, sizeof waiting->id, "p%llu", (unsigned long long)++simulation->begun);
    waiting->began_ms = simulation->now_ms;
    waiting->runs_ms = waiting->began_ms + time_around(simulation, models[model].boot_ms, models[model].boot_deviation);
    waiting->ends_ms = waiting->runs_ms + time_around(simulation, models[model].run_ms, models[model].run_deviation);
}

/* ---- the two ways ---- */

/* What a poll that finds no end tells. */
static void see(const struct simulation *simulation, struct waiting *waiting)
{
    waiting->status_polls++;
    if (waiting->running_ms < 0 && simulation->now_ms >= waiting->runs_ms) {
        waiting->running_ms = waiting->runs_ms;
        waiting->status_polls = 0;
    }
}

static void plan(struct simulation *simulation, struct budget *budget, struct waiting *waiting)
{
    bool is_running = waiting->running_ms >= 0;
    const struct poll_moment moment = {
        .usual = is_running ? &simulation->run[waiting->model] : &simulation->whole[waiting->model],
        .age_ms = simulation->now_ms - (is_running ? waiting->running_ms : waiting->began_ms),
        .shortest_ms = pacing_poll_delay_ms(waiting->status_polls, is_running, POLL_INTERVAL_MS),
        .jitter = poll_jitter(waiting->id, waiting->polls),
    };
    struct budget_load load;
    struct poll_plan made;
    budget_load(budget, &waiting->share, simulation->now_ms, &load);
    poll_plan_make(&load, &moment, &made);
    budget_share_set(budget, &waiting->share, &made.demand);
    waiting->due_ms = simulation->now_ms + made.delay_ms;
}

/* Those that were waiting at the start began at any time before. */
static void fill(struct simulation *simulation)
{
    for (size_t i = 0; i < WAITING; i++) {
        struct waiting *waiting = &simulation->all[i];
        begin(simulation, waiting);
        waiting->due_ms = (int64_t)(chance(simulation) * 60000);
        simulation->heap[i] = waiting;
    }
    for (size_t slot = WAITING / 2; slot-- > 0;)
        sift_down(simulation, slot);
}

static void notice(struct simulation *simulation, struct waiting *waiting)
{
    struct figures *figures = &simulation->figures;
    if (simulation->now_ms >= WARM_UP_MINUTES * minute_ms && figures->noticed < NOTICED_MAX)
        figures->delays_ms[figures->noticed++] = simulation->now_ms - waiting->ends_ms;
    usual_time_learn(&simulation->whole[waiting->model], waiting->ends_ms - waiting->began_ms);
    usual_time_learn(&simulation->run[waiting->model], waiting->ends_ms - waiting->runs_ms);
}

/* One call; true where it found the end. */
static bool poll(struct simulation *simulation, struct waiting *waiting)
{
    simulation->figures.calls[simulation->now_ms / minute_ms]++;
    waiting->polls++;
    waiting->has_place = false;
    if (simulation->now_ms < waiting->ends_ms) {
        see(simulation, waiting);
        return false;
    }
    notice(simulation, waiting);
    return true;
}

static void run_planned(struct simulation *simulation)
{
    const struct pacing_rates rates = {POLLS_PER_MINUTE, 600};
    struct pacing *pacing = pacing_new(&rates);
    struct budget *budget = budget_of(pacing, "http://replicate.test/v1", "test-token");
    for (;;) {
        struct waiting *waiting = simulation->heap[0];
        if (waiting->due_ms >= (WARM_UP_MINUTES + MINUTES) * minute_ms)
            break;
        simulation->now_ms = waiting->due_ms;
        if (!waiting->has_place) {
            waiting->has_place = true;
            waiting->due_ms = budget_reserve(budget, simulation->now_ms);
        }
        if (waiting->due_ms <= simulation->now_ms) {
            if (poll(simulation, waiting)) {
                budget_share_clear(budget, &waiting->share);
                begin(simulation, waiting);
            }
            plan(simulation, budget, waiting);
        }
        sift_down(simulation, 0);
    }
    budget_unref(&budget);
    pacing_free(pacing);
}

static void run_in_turn(struct simulation *simulation)
{
    int64_t calls = (WARM_UP_MINUTES + MINUTES) * POLLS_PER_MINUTE;
    for (int64_t i = 0; i < calls; i++) {
        struct waiting *waiting = &simulation->all[i % WAITING];
        simulation->now_ms = i * minute_ms / POLLS_PER_MINUTE;
        if (poll(simulation, waiting))
            begin(simulation, waiting);
    }
}

/* ---- figures ---- */

static int by_size(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static bool tell(struct figures *figures, const char *name)
{
    int most = 0;
    for (int minute = WARM_UP_MINUTES; minute < WARM_UP_MINUTES + MINUTES; minute++)
        most = figures->calls[minute] > most ? figures->calls[minute] : most;
    ensure(figures->noticed > 0);
    qsort(figures->delays_ms, figures->noticed, sizeof figures->delays_ms[0], by_size);
    printf("  %-12s %7d %10zu %8.1f s %8.1f s %8.1f s\n", name, most, figures->noticed,
           (double)figures->delays_ms[figures->noticed / 2] / 1000,
           (double)figures->delays_ms[figures->noticed * 95 / 100] / 1000,
           (double)figures->delays_ms[figures->noticed - 1] / 1000);
    return most <= LIMIT_PER_MINUTE;
}

static bool measure(const char *name, void (*run)(struct simulation *))
{
    struct simulation *simulation = xcalloc(1, sizeof *simulation);
    simulation->figures.delays_ms = xcalloc(NOTICED_MAX, sizeof(int64_t));
    simulation->random = 20260101;
    fill(simulation);
    run(simulation);
    bool is_within = tell(&simulation->figures, name);
    free(simulation->figures.delays_ms);
    free(simulation);
    return is_within;
}

int main(void)
{
    printf("polls: %d predictions of %d models wait, at most %d calls a minute; %d simulated minutes\n", WAITING,
           (int)MODELS, LIMIT_PER_MINUTE, MINUTES);
    printf("  %-12s %7s %10s %10s %10s %10s\n", "", "calls", "noticed", "median", "95 %", "latest");
    bool is_within = measure("planned", run_planned);
    is_within = measure("in turn", run_in_turn) && is_within;
    if (!is_within)
        printf("more calls than allowed\n");
    return is_within ? 0 : 1;
}
