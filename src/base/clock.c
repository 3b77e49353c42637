/* The kernel's clocks, and a thread's moment where its time stands still. Tests of state machines link their own clock
 * instead of this file. */
#include "base/clock.h"

#include <stdbool.h>
#include <time.h>

#include "base/ensure.h"

enum { NS_PER_MS = 1000 * 1000 };

/* In nanoseconds: the difference of two rounded clocks could let the wall's clock go back by a millisecond. */
struct moment {
    bool stands;
    int64_t now_ns, wall_after_ns; /* how far the wall's clock is ahead of the monotonic one */
};

static _Thread_local struct moment moment;

static int64_t read_ns(clockid_t clock)
{
    struct timespec now;
    ensure(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

int64_t clock_now_ms(void)
{
    return (moment.stands ? moment.now_ns : read_ns(CLOCK_MONOTONIC)) / NS_PER_MS;
}

int64_t clock_wall_s(void)
{
    return clock_wall_ms() / 1000;
}

int64_t clock_wall_ms(void)
{
    return (moment.stands ? moment.now_ns + moment.wall_after_ns : read_ns(CLOCK_REALTIME)) / NS_PER_MS;
}

void clock_stand(void)
{
    moment.stands = true;
    moment.now_ns = read_ns(CLOCK_MONOTONIC);
    moment.wall_after_ns = read_ns(CLOCK_REALTIME) - moment.now_ns;
}

void clock_step(void)
{
    if (moment.stands)
        moment.now_ns = read_ns(CLOCK_MONOTONIC);
}

void clock_run(void)
{
    moment.stands = false;
}
