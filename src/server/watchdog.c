/* Looks twice as often as systemd waits, so that one late look is no death. */
#include "server/watchdog.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "server/notify.h"

enum { LONGEST_S = 24 * 3600 };

static int64_t number_from(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long long number = text == NULL ? 0 : strtoll(text, &end, 10);
    return text == NULL || *text == '\0' || *end != '\0' || number < 0 ? 0 : number;
}

void watchdog_init(struct watchdog *watchdog)
{
    *watchdog = (struct watchdog){0};
    /* The first look has nothing to compare with. */
    for (size_t i = 0; i < WATCHDOG_MAX_WORKERS; i++)
        watchdog->turns[i] = UINT_MAX;
    int64_t interval_ms = number_from("WATCHDOG_USEC") / 1000;
    bool is_for_another = getenv("WATCHDOG_PID") != NULL && number_from("WATCHDOG_PID") != (int64_t)getpid();
    if (is_for_another || interval_ms < 2 || interval_ms > INT64_C(1000) * LONGEST_S)
        return;
    watchdog->period_ms = interval_ms / 2;
    watchdog->next_ms = clock_now_ms();
}

int64_t watchdog_due_ms(const struct watchdog *watchdog)
{
    return watchdog->period_ms == 0 ? -1 : watchdog->next_ms;
}

/* All are looked at, also after the first that hangs, so that the next look compares with this one. */
static bool have_all_turned(struct watchdog *watchdog, struct worker *const *workers, size_t count)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        unsigned turns = atomic_load_explicit(&workers[i]->turns, memory_order_relaxed);
        all = all && turns != watchdog->turns[i];
        watchdog->turns[i] = turns;
    }
    return all;
}

void watchdog_look(struct watchdog *watchdog, struct worker *const *workers, size_t count)
{
    int64_t now_ms = clock_now_ms();
    ensure(count <= WATCHDOG_MAX_WORKERS);
    if (watchdog->period_ms == 0 || now_ms < watchdog->next_ms)
        return;
    watchdog->next_ms = now_ms + watchdog->period_ms;
    if (have_all_turned(watchdog, workers, count))
        notify_systemd("WATCHDOG=1");
    else
        log_write(LOG_LEVEL_WARN, "worker_hangs", log_text("effect", "no sign of life is given to systemd"));
    for (size_t i = 0; i < count; i++)
        loop_wake(workers[i]->loop);
}
